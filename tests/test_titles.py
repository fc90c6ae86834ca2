import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from tests.exports.titles import ACTIVITY, COLUMNS, SIMPLE
from toolkit.titles import normalise_title, normalise_titles, parse_titles

ALL_COLUMNS = ["title", *COLUMNS, "is_parsed"]

examples = settings(max_examples=200, deadline=None, derandomize=True)


def parse(*titles, **arguments):
    return parse_titles(pd.Series(list(titles), dtype="object"), **arguments)


def read(*titles, **arguments):
    """Return series, season, season name, episode, episode name and kind of the first title."""
    row = parse(*titles, **arguments).astype("object").iloc[0]
    return tuple(None if pd.isna(row[name]) else row[name] for name in COLUMNS)


def season_of(label):
    parsed = parse(f"Fog: {label}: Rain (Episode 1)")
    assert parsed["season_name"].tolist() == [label]
    number = parsed["season"].iloc[0]
    return None if number is pd.NA else number


def title_verdicts():
    """Say of each labelled title and column whether it is read right, left open or read wrong.

    Open is what the grammar leaves missing (or of unknown kind) although the title has it.
    A whole title is open if nothing in it is wrong, but not all of it is right.
    """
    parts = []
    for export, labelled in (("activity", ACTIVITY), ("simple", SIMPLE)):
        truth = pd.DataFrame(labelled)
        parsed = parse_titles(truth["title"], has_suffix=export == "activity")
        truth_known, parsed_known = truth[COLUMNS].notna(), parsed[COLUMNS].notna()
        parsed_known["kind"] = parsed["kind"] != "unknown"
        same = truth[COLUMNS].astype("object") == parsed[COLUMNS].astype("object")
        right = (same.fillna(False) & parsed_known) | ~(truth_known | parsed_known)
        verdict = pd.DataFrame(
            np.where(right, "right", np.where(parsed_known, "wrong", "open")), columns=COLUMNS
        )
        is_wrong, is_open = (verdict == "wrong").any(axis=1), (verdict == "open").any(axis=1)
        verdict["whole"] = np.where(is_wrong, "wrong", np.where(is_open, "open", "right"))
        verdict["is_parsed"] = parsed["is_parsed"]
        parts.append(verdict.assign(export=export, language=truth["language"]))
    return pd.concat(parts, ignore_index=True)


def title_accuracy(by=None):
    """Return the shares that are right, open and wrong: per column, or of whole titles `by`."""
    verdicts = title_verdicts()
    if by is None:
        verdicts = verdicts[[*COLUMNS, "whole"]].melt(var_name="column", value_name="whole ")
        verdicts, by = verdicts.rename(columns={"whole ": "whole"}), "column"
    shares = pd.crosstab(verdicts[by], verdicts["whole"], normalize="index")
    shares = shares.reindex(columns=["right", "open", "wrong"], fill_value=0.0)
    shares.insert(0, "n_titles", verdicts.groupby(by).size())
    return shares.rename_axis(columns=None)


class TestNormaliseTitle:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("  Red \t Harbour\r\n", "Red Harbour"),
            ("Le Phare\u00a0: Sel", "Le Phare : Sel"),
            ("Le Phare\u202f:\u2009 Sel\u3000", "Le Phare : Sel"),
            ("\ufeffRed\u200b Har\u2060bour\u200e", "Red Harbour"),
            ("E\u0301pisode", "Épisode"),
            ("E\u200b\u0301pisode", "Épisode"),
            ("\u00a0\u200b \ufeff", ""),
            ("", ""),
            ("\ud83d\ude00 caf\u00e9", "\U0001f600 café"),
            ("half \ud83d", "half \ufffd"),
        ],
    )  # fmt: skip
    def test_equal_titles_become_equal_texts(self, text, title):
        assert normalise_title(text) == title

    @examples
    @given(st.text(st.characters(exclude_categories=[])))
    @example("\u1100\u200b\u1161")
    @example("\ud800\u0301 ")
    def test_a_normal_title_stays_whatever_it_holds(self, text):
        title = normalise_title(text)
        assert normalise_title(title) == title
        assert unicodedata.is_normalized("NFC", title)
        assert title == " ".join(title.split())
        title.encode()

    def test_a_series_of_titles(self):
        titles = pd.Series(["a\u00a0b", None, " ", "a b", np.nan], index=[3, 1, 1, 0, 9], name="x")
        expected = pd.Series(["a b", None, None, "a b", None], [3, 1, 1, 0, 9], "str", "x")
        for dtype in ("object", "str", "category", "string"):
            assert_series_equal(normalise_titles(titles.astype(dtype)), expected)


class TestParseTitles:
    def test_the_form_of_the_result(self):
        titles = pd.Series(
            ["Fog: Season 2: Rain (Episode 3)", None, "Fog", "Fog"], index=[7, 7, 1, 2]
        )
        expected = pd.DataFrame(
            {
                "title": pd.array([titles.iloc[0], None, "Fog", "Fog"], "str"),
                "series": pd.array(["Fog", None, None, None], "str"),
                "season": pd.array([2, None, None, None], "Int16"),
                "season_name": pd.array(["Season 2", None, None, None], "str"),
                "episode": pd.array([3, None, None, None], "Int16"),
                "episode_name": pd.array(["Rain", None, None, None], "str"),
                "kind": pd.array(["episode", "unknown", "film", "film"], "str"),
                "is_parsed": [True, False, True, True],
            },
            index=titles.index,
        )
        for dtype in ("object", "str", "category"):
            assert_frame_equal(parse_titles(titles.astype(dtype)), expected)
        for empty in (titles.iloc[:0], pd.Series(dtype="float64")):
            assert_frame_equal(
                parse_titles(empty), expected.iloc[:0].set_axis(empty.index), check_index_type=False
            )

    def test_what_is_no_text_is_refused(self):
        with pytest.raises(ValueError, match="`titles` must be texts, found int among them"):
            parse("Fog", 1931)
        with pytest.raises(TypeError, match="`titles` must be a Series, got list"):
            parse_titles(["Fog"])

    @pytest.mark.parametrize("title", ["", " ", "\u00a0", None, np.nan, pd.NA])
    def test_a_blank_title_stays_a_row_of_which_nothing_is_known(self, title):
        row = parse("Fog", title).iloc[1]
        assert row[["kind", "is_parsed"]].tolist() == ["unknown", False]
        assert row[ALL_COLUMNS[:-2]].isna().all()


class TestSeasonLabel:
    @pytest.mark.parametrize(
        ("label", "season"),
        [
            *{
                "Season 1": 1, "Series 2": 2, "Part 3": 3, "Volume 4": 4, "Vol. 5": 5,
                "Collection 6": 6, "Chapter 7": 7, "Book 8": 8, "Season 5B": 5, "Season 0": 0,
                "Temporada 2": 2, "3ª temporada": 3, "2.ª temporada": 2, "Parte 1": 1,
                "Capítulo 4": 4, "Coleção 1": 1, "Volumen 2": 2,
                "Saison 2": 2, "Partie 2": 2, "1re partie": 1, "2e partie": 2, "Livre 3": 3,
                "Chapitre 4": 4, "Staffel 2": 2, "3. Staffel": 3, "Teil 2": 2, "Kapitel 1": 1,
                "Buch 1": 1, "Stagione 2": 2, "Capitolo 3": 3, "Seizoen 2": 2, "Deel 3": 3,
                "Hoofdstuk 4": 4, "Boek 5": 5, "Sezon 2": 2, "Część 1": 1, "Rozdział 3": 3,
                "Księga 1": 1, "Sæson 2": 2, "Del 3": 3, "Säsong 2": 2, "Sesong 2": 2,
                "2. řada": 2, "3. část": 3, "4. svazek": 4, "2. Sezon": 2, "1. Kısım": 1,
                "시즌 2": 2, "시즌2": 2, "파트 3": 3, "2부": 2,
                "シーズン2": 2, "第2シリーズ": 2, "パート3": 3, "シーズン２": 2,
            }.items(),
            *{
                "Part II": 2, "Book IV": 4, "Season IX": 9, "Volume XIV": 14, "Chapter XXXIX": 39,
                "Chapter Six": 6, "Chapter Twenty": 20, "Capítulo oito": 8, "Capítulo ocho": 8,
                "Chapitre trois": 3, "Chapitre dix-sept": 17, "Kapitel eins": 1, "Capitolo sei": 6,
                "Hoofdstuk één": 1, "Rozdział szósty": 6, "Kapitel sex": 6, "Del to": 2,
                "Saison 1 (Canal 4)": 1, "season 3": 3, "TEMPORADA 3": 3,
            }.items(),
            *dict.fromkeys(
                ["Limited Series", "Minissérie", "Mini-série", "Miniserie", "Miniserial",
                 "Minisérie", "Mini Dizi", "리미티드 시리즈", "リミテッドシリーズ"]
            ).items(),
        ],
    )  # fmt: skip
    def test_every_language_has_its_words_and_numbers(self, label, season):
        assert season_of(label) == season
        decomposed = unicodedata.normalize("NFD", label)
        assert season_of(unicodedata.normalize("NFC", decomposed)) == season
        # As a label it also makes an episode where seasons and suffixes are rare.
        assert read(f"Fog: {label}: Rain", has_suffix=False) == (
            "Fog", season, label, None, "Rain", "episode",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "label",
        ["Season", "Season one two", "Part Time", "Series Finale", "Book of Days", "Part i",
         "Chapter XL", "Chapter IIII", "Chapter sex", "Kapitel six", "Season 12345", "Season -1",
         "2 Season", "Serıes 1", "Seaſon 1", "Partly 1", "A Season 1", "Season 1 Trailer"],
    )  # fmt: skip
    def test_what_only_looks_like_a_label_is_none(self, label):
        assert parse(f"Fog: {label}: Rain", has_suffix=False)["kind"].tolist() == ["unknown"]
        assert season_of(label) is None

    def test_the_leftmost_that_is_neither_first_nor_last(self):
        assert read("Fog: Part 1: Chapter 5: Rain (Episode 5)")[:5] == (
            "Fog", 1, "Part 1", 5, "Chapter 5: Rain",
        )  # fmt: skip
        assert read("Season 1: Fog: Season 2: Rain")[:3] == ("Season 1: Fog", 2, "Season 2")
        assert read("Fog: Rain: Part 2 (Episode 5)")[1:5] == (None, "Rain", 5, "Part 2")
        assert read("Fog: Part 2") == (None, None, None, None, None, "film")

    def test_names_keep_their_colons(self):
        assert read("Fog: Reloaded: Season 2: Day 4: Sun (Episode 1)")[:5] == (
            "Fog: Reloaded", 2, "Season 2", 1, "Day 4: Sun",
        )  # fmt: skip
        assert read("Fog: Season 1: Psalm 46:5 (Episode 3)")[4] == "Psalm 46:5"
        assert read("Fog:Rain: Season 1: Sun")[0] == "Fog:Rain"

    def test_the_name_of_the_series_and_a_number_is_a_season(self):
        assert read("Fog: Fog 4: Chapter One: Rain (Episode 1)")[:3] == ("Fog", 4, "Fog 4")
        assert read("Fog: Fog II: Rain (Episode 1)")[:3] == ("Fog", 2, "Fog II")
        assert read("Fog: Fog Bank: Rain (Episode 1)")[:3] == ("Fog", None, "Fog Bank")

    def test_a_series_written_twice_over_is_one(self):
        assert read("Fog: Sea: Fog: Sea: Book 1: Rain")[0] == "Fog: Sea"
        assert read("Fog: Sea: Fog: Book 1: Rain")[0] == "Fog: Sea: Fog"


class TestFrenchColon:
    def test_a_space_before_the_colon_keeps_a_name_together(self):
        assert read("Le Sel\u00a0: Origine: Saison 1: Partie 2\u202f: Le Puits (Épisode 3)") == (
            "Le Sel : Origine", 1, "Saison 1", 3, "Partie 2 : Le Puits", "episode",
        )  # fmt: skip
        assert read("Le Sel: Aube: Chapitre un : Le Puits (Épisode 1)")[2] == "Aube"
        assert read("Le Sel : Aube : Nuit") == (None, None, None, None, None, "film")

    def test_it_parts_where_no_other_colon_does(self):
        for title in ("Le Sel : Saison 1 : Le Puits (Épisode 1)", "Le Sel : Saison 1: Le Puits"):
            assert read(title)[:3] == ("Le Sel", 1, "Saison 1")
            assert read(title)[4] == "Le Puits"


class TestSuffix:
    @pytest.mark.parametrize(
        "suffix",
        ["Episode 12", "Épisode 12", "Episódio 12", "Episodio 12", "Aflevering 12", "Odcinek 12",
         "Folge 12", "Afsnit 12", "Avsnitt 12", "Bölüm 12", "12. Bölüm", "12화", "제12회",
         "エピソード12", "エピソード 12", "第12話", "에피소드 12", "12. díl", "Epizoda 12"],
    )  # fmt: skip
    def test_the_word_of_every_language_also_as_a_whole_name(self, suffix):
        assert read(f"Fog: Sea: Rain ({suffix})")[2:] == ("Sea", 12, "Rain", "episode")
        assert read(f"Fog: Season 1: {suffix}")[3:5] == (12, suffix)
        assert read(f"Fog: {suffix}", has_suffix=False) == (
            "Fog", None, None, 12, suffix, "episode",
        )  # fmt: skip
        decomposed = unicodedata.normalize("NFD", f"Fog: Sea: Rain ({suffix})")
        assert read(decomposed)[3] == 12

    def test_a_suffix_goes_before_a_name(self):
        assert read("Fog: Season 1: Episode 4 (Episode 5)")[3:5] == (5, "Episode 4")
        assert read("Fog: Season 1: Episode 4: Rain")[3:5] == (None, "Episode 4: Rain")
        assert read("Fog: Season 1: (Episode 5)")[3:5] == (5, None)
        assert read("Fog: Season 1: Episode 32768")[3:5] == (None, "Episode 32768")

    def test_polish_chapters_are_episodes_but_not_by_themselves(self):
        assert read("Most: Sezon 1: Rozdział 7")[3] == 7
        assert read("Kowal: Rozdział 2")[5] == "film"
        assert read("Kowal: Rozdział 2", has_suffix=False)[5] == "unknown"

    def test_a_part_in_brackets_is_none(self):
        parsed = parse("Fog: Season 1: Rain (Part 2)", "Fog: Season 1: Rain (2019)")
        assert parsed["episode_name"].tolist() == ["Rain (Part 2)", "Rain (2019)"]
        assert parsed["is_parsed"].all()

    @pytest.mark.parametrize("suffix", ["(Jakso 3)", "(3. epizód)", "(Ep. 3)"])
    def test_a_word_that_is_not_known_is_exposed(self, suffix):
        parsed = parse(f"Fog: Season 1: Rain {suffix}", f"Sea: Sea: Rain {suffix}", f"Fog {suffix}")
        assert not parsed["is_parsed"].any()
        assert parsed["episode"].isna().all()
        assert parsed["kind"].tolist() == ["episode", "unknown", "film"]
        assert parsed["episode_name"].iloc[0] == f"Rain {suffix}"
        # Where no suffix is to be expected it is a name in brackets.
        assert parse(f"Fog: Season 1: Rain {suffix}", has_suffix=False)["is_parsed"].all()

    def test_a_suffix_alone_leaves_the_series_open(self):
        for has_suffix in (True, False):
            parsed = parse("Rain (Episode 1)", "Episode 2", "제3회", has_suffix=has_suffix)
            assert set(parsed["kind"]) == {"unknown"}
            assert not parsed["is_parsed"].any()
            assert parsed[COLUMNS[:-1]].isna().all(axis=None)
        assert read("Fog: Rain (Episode 1)") == ("Fog", None, None, 1, "Rain", "episode")


class TestFilms:
    def test_at_most_one_colon(self):
        for title in ("Fog", "Fog: The Film", "1931", "Fog (2019)"):
            assert read(title) == (None, None, None, None, None, "film")
            assert read(title, has_suffix=False)[5] == "unknown"

    def test_two_colons_and_nothing_else_stay_open(self):
        parsed = parse("Fog: Sea: Rain", "Fog: Land: Sun")
        assert parsed["kind"].tolist() == ["unknown", "unknown"]
        assert not parsed["is_parsed"].any()


class TestNamedSeason:
    def test_without_other_titles_it_is_the_second_part(self):
        assert read("Fog: Sea: Rain: Drops (Episode 1)")[:5] == (
            "Fog", None, "Sea", 1, "Rain: Drops",
        )  # fmt: skip
        assert read("Fog: Fog: Rain (Episode 1)")[:3] == ("Fog", None, "Fog")

    def test_a_shared_beginning_needs_no_suffix(self):
        parsed = parse("Fog: Sea: Rain", "Fog: Sea: Sun")
        assert parsed[["series", "season_name", "kind"]].drop_duplicates().values.tolist() == [
            ["Fog", "Sea", "episode"]
        ]
        # In the simple history it could be anything.
        assert read("Fog: Sea: Rain", "Fog: Sea: Sun", has_suffix=False)[5] == "unknown"

    def test_a_repeat_of_the_title_is_no_other_title(self):
        assert read("Fog: Sea: Rain", "Fog:  Sea: Rain\u200b")[5] == "unknown"

    def test_the_longest_beginning_that_all_share(self):
        dawn, dusk = "Fog: Sea: Dawn: Rain (Episode 1)", "Fog: Sea: Dawn: Sun (Episode 2)"
        assert read(dawn, dusk)[:5] == ("Fog: Sea", None, "Dawn", 1, "Rain")
        # One that does not share it shows that Dawn is a story within the season.
        assert read(dawn, dusk, "Fog: Sea: Ice (Episode 3)")[:5] == (
            "Fog", None, "Sea", 1, "Dawn: Rain",
        )  # fmt: skip

    def test_a_number_that_stands_twice_shows_a_season_below(self):
        first = ["Fog: Sea: Dawn: Rain (Episode 1)", "Fog: Sea: Dawn: Sun (Episode 2)"]
        second = ["Fog: Sea: Dusk: Ice (Episode 1)", "Fog: Sea: Dusk: Hail (Episode 2)"]
        assert read(*first, *second)[:5] == ("Fog: Sea", None, "Dawn", 1, "Rain")
        later = ["Fog: Sea: Dusk: Ice (Episode 3)", "Fog: Sea: Dusk: Hail (Episode 4)"]
        assert read(*first, *later)[:3] == ("Fog", None, "Sea")

    def test_a_series_known_by_its_label(self):
        known = "Fog: Sea: Season 1: Rain (Episode 1)"
        assert read("Fog: Sea: Dawn: Sun (Episode 1)", known)[:3] == ("Fog: Sea", None, "Dawn")
        assert read("Fog: Sea: Special (Episode 9)", known)[:5] == (
            "Fog: Sea", None, None, 9, "Special",
        )  # fmt: skip
        assert read("Fog: Sea: Dawn: Sun", known)[5] == "episode"
        assert read("Fog: Seaside: Dawn: Sun", known)[5] == "unknown"


class TestSimpleHistory:
    @pytest.mark.parametrize(("n_titles", "kind"), [(2, "unknown"), (3, "episode")])
    def test_one_colon_needs_three_titles_that_share_what_is_before_it(self, n_titles, kind):
        titles = [f"Fog: {name}" for name in ("Rain", "Sun", "Ice")[:n_titles]]
        assert read(*titles, has_suffix=False)[5] == kind
        assert read(*titles)[5] == "film"
        # Titles of another form and other series don't help.
        others = ["Fog: Season 1: Hail", "Fog: Sea: Hail", "Fogs: Hail", "Fog"]
        assert read(*titles, *others, has_suffix=False)[5] == kind

    def test_nothing_is_ever_a_film(self):
        titles = pd.Series([row.title for row in [*ACTIVITY, *SIMPLE]])
        assert set(parse_titles(titles, has_suffix=False)["kind"]) == {"episode", "unknown"}

    def test_many_titles_that_begin_with_a_colon_share_nothing(self):
        parsed = parse(": Rain", ": Sun", ": Ice", "", " : Hail", has_suffix=False)
        assert set(parsed["kind"]) == {"unknown"}


class TestAccuracy:
    def test_the_labelled_titles_are_many_and_each_stands_once(self):
        assert len(ACTIVITY) + len(SIMPLE) >= 250
        for rows in (ACTIVITY, SIMPLE):
            assert len({row.title for row in rows}) == len(rows)

    def test_how_often_each_column_is_right(self):
        shares = title_accuracy()
        least = {
            "series": 0.96, "season": 0.91, "season_name": 0.97, "episode": 0.96,
            "episode_name": 0.94, "kind": 0.94, "whole": 0.84,
        }  # fmt: skip
        assert (shares["right"] >= pd.Series(least)[shares.index]).all(), shares
        assert (shares["wrong"] <= 0.055).all(), shares
        # The labels are the truth, which the grammar can't always know.
        assert (shares["right"] < 1).all(), shares

    def test_the_docstring_says_how_often(self):
        shares = title_accuracy().loc["whole"]
        said = (
            f"Of {shares['n_titles']:.0f} invented titles of the tests, in all these languages and "
            f"most of them traps, {shares['right']:.0%} are right in every column, "
            f"{shares['open']:.0%} leave something open and {shares['wrong']:.0%} are wrong somewhere"
        ).replace("%", " %")
        assert said in " ".join(parse_titles.__doc__.split())

    def test_how_often_whole_titles_are_right_in_each_export(self):
        shares = title_accuracy(by="export")
        assert shares.loc["activity", "right"] >= 0.88, shares
        assert shares.loc["simple", "right"] >= 0.67, shares

    def test_how_often_whole_titles_are_right_in_each_language(self):
        shares = title_accuracy(by="language")
        least = pd.Series(0.81, index=shares.index)
        least[["en", "mixed"]] = [0.74, 0.66]
        assert (shares["right"] >= least).all(), shares
        assert (shares["n_titles"] >= 10).all()

    def test_few_titles_are_wrong_and_taken_for_parsed(self):
        verdicts = title_verdicts()
        is_wrong = (verdicts["whole"] == "wrong") & verdicts["is_parsed"]
        assert is_wrong.mean() <= 0.042
        assert verdicts.loc[verdicts["whole"] == "right", "is_parsed"].all()


PIECES = st.sampled_from(
    ["Fog", "Sea", "Season 1", "Part II", "Chapter one", "2. řada", "Episode 4", "Fog 2", "", " ",
     ": ", " : ", ":", "\u00a0: ", "(Episode 1)", "(Jakso 2)", "(Part 3)", " (", ")", "e\u0301",
     "\u200b", "Limited Series", "제3회", "²", "１"]
)  # fmt: skip
TITLES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=[]), max_size=20),
    st.lists(PIECES, max_size=9).map("".join),
    st.lists(PIECES, max_size=6).map(": ".join),
)


class TestProperties:
    @examples
    @given(st.lists(TITLES, max_size=12), st.booleans())
    def test_any_text_gives_its_row(self, titles, has_suffix):
        parsed = parse(*titles, has_suffix=has_suffix)
        assert parsed.columns.tolist() == ALL_COLUMNS
        assert [None if pd.isna(title) else title for title in parsed["title"]] == [
            (title and normalise_title(title)) or None for title in titles
        ]
        is_episode = parsed["kind"] == "episode"
        assert parsed.loc[~is_episode, COLUMNS[:-1]].isna().all(axis=None)
        assert (parsed.loc[parsed["is_parsed"] & is_episode, "series"].notna()).all()
        assert not parsed.loc[parsed["kind"] == "unknown", "is_parsed"].any()
        assert has_suffix or "film" not in set(parsed["kind"])
        assert not (parsed[["series", "season_name", "episode_name"]] == "").any(axis=None)
        for row in parsed.to_dict("records"):
            for name in ("series", "season_name", "episode_name"):
                assert pd.isna(row[name]) or row[name] in row["title"]

    @examples
    @given(st.lists(TITLES, max_size=8), st.booleans(), st.randoms(use_true_random=False))
    def test_neither_order_nor_repeats_nor_spelling_matter(self, titles, has_suffix, random):
        parsed = parse(*titles, has_suffix=has_suffix)
        shuffled = [*range(len(titles)), *range(len(titles))]
        random.shuffle(shuffled)
        again = [titles[n] and f"\u200b {titles[n]}\u00a0" for n in shuffled]
        assert_frame_equal(
            parse(*again, has_suffix=has_suffix),
            parsed.iloc[shuffled].reset_index(drop=True),
        )
        normal = [None if pd.isna(title) else title for title in parsed["title"]]
        assert_frame_equal(parse(*normal, has_suffix=has_suffix), parsed)

    @examples
    @given(st.lists(TITLES.filter(bool), max_size=8), st.lists(TITLES, max_size=8), st.booleans())
    def test_titles_of_another_series_change_nothing(self, titles, others, has_suffix):
        titles = [f"Ours {title}" for title in titles]
        others = [f"Theirs {other}" for other in others]
        alone = parse(*titles, has_suffix=has_suffix)
        together = parse(*others, *titles, has_suffix=has_suffix)
        assert_frame_equal(together.iloc[len(others) :].reset_index(drop=True), alone)

    @examples
    @given(st.lists(TITLES, max_size=12), st.booleans())
    def test_a_label_decides_whatever_else_there_is(self, titles, has_suffix):
        assert read("Fog: Season 1: Rain", *titles, has_suffix=has_suffix) == (
            "Fog", 1, "Season 1", None, "Rain", "episode",
        )  # fmt: skip


if __name__ == "__main__":
    print(title_accuracy().round(3))
    print(title_accuracy(by="language").round(3))


class TestSeveralExports:
    def test_each_is_read_as_if_alone(self):
        rng = np.random.default_rng(4)
        texts = [row.title for row in ACTIVITY] + ["A: B: C", "A: B: D", None, " "]
        texts = pd.Series([texts[n] for n in rng.integers(0, len(texts), 600)], dtype="str")
        within = rng.integers(0, 7, 600)
        for has_suffix in (True, False):
            together = parse_titles(texts, has_suffix=has_suffix, within=within)
            for number in range(7):
                some = within == number
                alone = parse_titles(texts[some], has_suffix=has_suffix)
                pd.testing.assert_frame_equal(together[some], alone)

    def test_what_one_says_does_not_teach_another(self):
        titles = pd.Series(["A: B: C", "A: B: D", "A: B: D"])
        assert parse_titles(titles)["kind"].tolist() == ["episode"] * 3
        apart = parse_titles(titles, within=np.array([0, 1, 1]))
        assert apart["kind"].tolist() == ["unknown"] * 3
