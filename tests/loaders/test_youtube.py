import json
import random

import numpy as np
import pandas as pd
import pytest

from tests.exports.youtube import (
    DOUBLE_SPACE,
    EVENTS,
    LANGUAGES,
    Event,
    as_html,
    as_json,
    as_oldest,
    takeout,
)
from tests.loaders.mutations import read_or_refused
from tests.loaders.reading import finished
from toolkit.loaders import youtube
from toolkit.loaders.archive import as_file
from toolkit.loaders.youtube import SOURCE, recognises
from toolkit.tables import as_plays

ID = "kn0tsKn0tsK"
WATCH = f"https://www.youtube.com/watch?v={ID}"
REASONS = {
    "no title",
    "no time",
    "impossible time",
    "advert",
    "removed",
    "not a watch",
    "duplicate",
}


def file(rows, name="history.json"):
    return as_file(name, rows if isinstance(rows, bytes) else json.dumps(rows).encode())


def row(title="Watched Knots", url=WATCH, time="2023-01-02T03:04:05Z", **more):
    made = {"header": "YouTube", "title": title, "titleUrl": url, "time": time} | more
    return {key: value for key, value in made.items() if value is not None}


def plays(rows, **hints):
    return finished(youtube, [file(rows)], **hints)[0]


def notes(rows):
    return finished(youtube, [file(rows)])[1]


def reasons(rows):
    return [None if pd.isna(reason) else reason for reason in plays(rows)["excluded"]]


def titles(rows):
    return [None if pd.isna(title) else title for title in plays(rows)["title"]]


def mutated(data, seed):
    """Return bytes with a few of them changed, cut out, doubled or cut off."""
    rng = random.Random(seed)
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) or 1)
        size = rng.choice([1, 2, 5, 40, 400])
        what = rng.randrange(6)
        if what == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif what == 1:
            del data[at : at + size]
        elif what == 2:
            data[at:at] = data[at : at + size]
        elif what == 3:
            data[at : at + 1] = rng.choice(
                [
                    b'"',
                    b"{",
                    b"[",
                    b"null",
                    b"1e999",
                    b"\\ud800",
                    b"<",
                    b"&",
                    b"\xc2\xa0",
                    b"9",
                    b"-",
                    b":",
                ]
            )
        elif what == 4 and rng.random() < 0.2:
            del data[at:]
        else:
            other = rng.randrange(len(data) or 1)
            data[at : at + size], data[other : other + size] = (
                data[other : other + size],
                data[at : at + size],
            )
    return bytes(data)


def check_frame(frame, n_rows):
    """A frame of raw plays has a row per record, known columns, and known reasons."""
    assert len(frame) == n_rows
    assert isinstance(frame.index, pd.RangeIndex)
    assert set(frame["excluded"].dropna()) <= REASONS
    assert frame["started_at"].dtype == "datetime64[us, UTC]"
    used = frame[frame["excluded"].isna()]
    assert used["title"].notna().all()
    assert used["started_at"].dt.year.between(1900, 2199).all()


class TestRecognises:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_history_in_any_language_and_under_any_name(self, language):
        for name, data in takeout(language).items():
            assert recognises(as_file(name, data))
            assert recognises(as_file("x.json", data))

    @pytest.mark.parametrize(
        "keys", [["title", "time"], ["header", "title", "time"], ["titleUrl", "title"]]
    )
    def test_a_donated_subset_of_keys(self, keys):
        assert recognises(file(as_json(keys=keys)))

    def test_the_oldest_form_but_no_list_of_likes(self):
        assert recognises(file(as_oldest()))
        assert not recognises(file(as_oldest(playlist="LLinvented")))

    def test_a_mark_of_encoding_and_compact_json(self):
        assert recognises(
            file(b"\xef\xbb\xbf" + json.dumps([row()], separators=(",", ":")).encode())
        )
        assert recognises(file(json.dumps([row()]).encode("utf-16")))

    def test_what_is_only_searches_stays_unread(self):
        searches = [e for e in EVENTS if e.what == "searched"] * 100
        assert not recognises(file(as_json(searches)))
        assert recognises(file(as_json(searches + EVENTS)))

    @pytest.mark.parametrize(
        "other",
        [
            b"", b"[", b"[]", b"[1, 2]", b"{\"title\": 1, \"time\": 2}", b"title,time\n", b"\xff\xfe[", b"\xff\xfe",
            b"[{\"title\": \"x\", \"watched_at\": \"2023\", \"action\": \"watch\"}]",
            b"[{\"title\": \"x\", \"time\": \"2023\", \"email\": \"y\"}]",
            b"[{\"header\": \"Maps\", \"title\": \"Searched for x\", \"time\": \"2023-01-01T00:00:00Z\"}]",
            b"[{\"endTime\": \"2023-01-01 10:00\", \"artistName\": \"x\", \"trackName\": \"y\", \"msPlayed\": 1}]",
        ],
    )  # fmt: skip
    def test_other_files_are_not_ours(self, other):
        assert not recognises(file(other))
        assert not recognises(file(as_html()))

    def test_no_bytes_raise_and_a_cut_character_does_not_matter(self):
        data = as_json([e._replace(name="é" * 500) for e in EVENTS] * 20)
        assert len(data) > 2**14
        for cut in range(60):
            assert recognises(as_file("x.json", b" " * (cut % 8) + data))
        rng = np.random.default_rng(1)
        for _ in range(300):
            assert recognises(file(b"[{" + rng.bytes(200))) is False

    def test_a_damaged_file_is_left_to_read(self):
        data = as_json([e for e in EVENTS if e.what == "searched"])

        def broken():
            raise ValueError("damaged")

        whole = as_file("x.json", data)
        assert recognises(type(whole)("x.json", len(data), lambda: data, broken))


class TestRead:
    def test_the_story_row_by_row(self):
        made = plays(as_json())
        harbour, knots = (
            "Harbour at dawn (remastered) [hArb0ur_-01]",
            "Knots, a lecture [kn0tsKn0tsK]",
        )
        assert made["title"].astype(object).where(made["title"].notna(), None).tolist() == [
            harbour, "Soap that floats [s0apS0apS0a]", "Night train [tra1nTra1nT]", harbour,
            "Soap that floats [s0apS0apS0a]", "Tea & biscuits [teaTeaTea11]", None, None,
            "a video that has been removed", "[pr1vatePr1v]", knots, knots, harbour,
        ]  # fmt: skip
        assert reasons(as_json()) == [
            None, "advert", None, None, "advert", None, "not a watch", "not a watch", "removed",
            None, None, None, None,
        ]  # fmt: skip
        assert made["series"].dropna().unique().tolist() == [
            "Slow Quays", "The Sleepers - Topic", "Fern & Sons", "École du nœud",
        ]  # fmt: skip
        assert made["kind"].tolist() == ["video"] * 2 + ["track"] + ["video"] * 10
        assert made["started_at"][0] == pd.Timestamp("2023-09-20 06:30:00.250Z")
        assert set(made["row_is"]) == {SOURCE.row_is} == {"play"}
        assert set(made["precision"]) == {"second"}
        assert set(made["profile"]) == {""}
        check_frame(made, len(EVENTS))

    def test_adverts_and_removed_videos_are_no_repeats(self):
        used = plays(as_json()).query("excluded.isna()")
        assert used["title"].astype("str").value_counts().to_dict() == {
            "Harbour at dawn (remastered) [hArb0ur_-01]": 3, "Knots, a lecture [kn0tsKn0tsK]": 2,
            "Night train [tra1nTra1nT]": 1, "Tea & biscuits [teaTeaTea11]": 1, "[pr1vatePr1v]": 1,
        }  # fmt: skip

    def test_the_columns_pass_the_check_of_plays(self):
        made = plays(as_json()).assign(viewer="v", source="youtube")
        as_plays(made)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_language_gives_the_same_plays(self, language):
        made, english = plays(as_json(language=language)), plays(as_json())
        # Only the words for a video that is gone differ, and nobody counts them.
        pd.testing.assert_frame_equal(
            *(p.drop(index=8).astype({"title": "str"}) for p in (made, english))
        )
        assert made["excluded"][8] == "removed"

    @pytest.mark.parametrize(
        "form",
        [
            "Watched {}", "{} angesehen", "Je hebt naar {} gekeken", "Vous avez regardé {}", "Has visto {}",
            "Hai guardato {}", "{} adlı videoyu izlediniz", "Obejrzano: {}", "{} を視聴しました",
            "{} 을(를) 시청했습니다.", "Просмотрено видео {}", "Tittade på {}", "Så {}", "Så på {}",
            "Zhlédli jste video {}", "{} katsottiin", "Megtekintette a következőt: {}", "Ați vizionat {}",
            "Ви дивилися відео {}", "Παρακολουθήσατε το βίντεο {}", "Гледахте {}", "{} দেখা হয়েছে", "{} देखा",
        ],
    )  # fmt: skip
    def test_the_words_for_watching_go_and_other_rows_are_told_apart(self, form):
        rows = [
            row(form.format("Knots")),
            row("Blub Knots", time="2023-01-03T00:00:00Z"),
            row("Blub", None),
        ]
        assert titles(rows) == [f"Knots [{ID}]", None, None]
        assert reasons(rows) == [None, "not a watch", "not a watch"]

    def test_a_norwegian_word_is_not_taken_for_the_shorter_danish(self):
        assert titles([row("Så på Knots")]) == [f"Knots [{ID}]"]
        rows = [row("Så Knots"), row("Så på vej", WATCH[:-1] + "2", "2023-01-03T00:00:00Z")]
        assert titles(rows) == [f"Knots [{ID}]", "på vej [kn0tsKn0ts2]"]

    def test_no_break_spaces_and_joined_accents_do_not_matter(self):
        rows = [row("Vous\u00a0avez regarde\u0301\u202fNœuds\u200b  doux")]
        assert titles(rows) == [f"Nœuds doux [{ID}]"]
        assert DOUBLE_SPACE not in plays(as_json())["title"].dropna().str.cat()

    @pytest.mark.parametrize(
        "url",
        [
            WATCH, f"http://youtube.com/watch?v={ID}", f"https://m.youtube.com/watch?v={ID}&t=5s",
            f"https://music.youtube.com/watch?v={ID}&list=x", f"https://www.youtube.com/shorts/{ID}",
            f"https://www.youtube.com/live/{ID}?feature=share", f"https://youtu.be/{ID}?t=2",
            f"https://www.youtube.com/watch?app=desktop&v={ID}#t=1", f"HTTPS://WWW.YouTube.com/watch?v={ID}",
        ],
    )  # fmt: skip
    def test_a_video_is_told_by_its_id_in_every_form_of_address(self, url):
        assert titles([row(url=url)]) == [f"Knots [{ID}]"]
        assert titles([row(f"Watched {url}", url=url)]) == [f"[{ID}]"]

    @pytest.mark.parametrize(
        "url",
        [
            "https://www.youtube.com/watch?v=",
            WATCH + "x",
            WATCH[:-1],
            "https://example.org/v=" + ID,
        ],
    )
    def test_without_an_id_the_text_alone_is_the_title(self, url):
        rows = [row(), row("Watched Loops", url, "2023-01-03T00:00:00Z")]
        assert titles(rows)[1] == "Loops"
        assert reasons(rows) == [None, None]

    def test_all_rows_of_a_video_have_the_newest_text(self):
        rows = [row("Watched Old", time="2023-01-01T00:00:00Z"), row("Watched New", time="2023-03-01T00:00:00Z"),
                row(f"Watched {WATCH}", time="2023-04-01T00:00:00Z")]  # fmt: skip
        assert titles(rows) == [f"New [{ID}]"] * 3
        assert titles(rows[::-1]) == [f"New [{ID}]"] * 3

    def test_an_address_as_title_without_any_verb_is_a_watch(self):
        rows = [row(), row(WATCH, time="2023-01-03T00:00:00Z")]
        assert titles(rows) == [f"Knots [{ID}]"] * 2
        assert reasons(rows) == [None, None]

    def test_an_address_that_names_nothing_is_removed(self):
        blank = "https://www.youtube.com/watch?v="
        assert reasons([row(), row(f"Watched {blank}", blank)]) == [None, "removed"]

    def test_any_details_make_an_advert_and_unknown_words_are_counted(self):
        rows = [row(details=[{"name": "Από το Google"}]), row(details=[{"name": "From Google Ads"}]), row(details=[]),
                row(details="x", time="2023-01-03T00:00:00Z")]  # fmt: skip
        assert reasons(rows) == ["advert", "advert", None, "advert"]
        assert any(
            note.startswith("2 rows have details in words that are not known")
            for note in notes(rows)
        )
        assert not any("details in words" in note for note in notes(as_json()))

    def test_a_file_without_details_says_that_adverts_count(self):
        assert any("adverts, if any, count as plays" in note for note in notes([row()]))
        assert not any("adverts, if any" in note for note in notes(as_json()))

    @pytest.mark.parametrize(
        ("form", "title"),
        [
            ("Watched Knots", "Watched a video that has been removed"),
            ("Knots angesehen", "Ein Video angesehen, das entfernt wurde"),
            ("Vous avez regardé Knots", "Vous avez regardé une vidéo qui a été supprimée"),
            ("Has visto Knots", "Has visto un video que se eliminó"),
        ],
    )
    def test_removed_videos_are_told_also_where_no_row_has_an_address(self, form, title):
        rows = [row(form, None), row(title, None, "2023-01-03T00:00:00Z")]
        assert reasons(rows) == [None, "removed"]

    def test_a_watch_without_address_is_removed_where_other_rows_have_one(self):
        rows = [row(), row("Watched Gone", None, "2023-01-03T00:00:00Z")]
        assert reasons(rows) == [None, "removed"]
        assert reasons([row("Watched Here", None)]) == [None]

    @pytest.mark.parametrize("title", ["Visited Knots", "Liked Knots", "Searched for Knots", "Subscribed to Knots",
                                       "Answered a survey", "Shared Knots", "Voted on Knots", "Used Shorts creation tools"])  # fmt: skip
    def test_other_verbs_are_no_watch_even_of_a_video(self, title):
        assert reasons([row(), row(title, time="2023-01-03T00:00:00Z")]) == [None, "not a watch"]
        assert reasons([row(title)]) == ["not a watch"]

    def test_what_is_no_watch_shows_neither_title_nor_channel(self):
        made = plays([row("Searched for my illness", "https://www.youtube.com/results?search_query=x",
                          subtitles=[{"name": "Secret"}])])  # fmt: skip
        assert made[["title", "series"]].isna().all(axis=None)

    def test_no_owner_name_or_address_is_kept(self):
        made = plays(as_oldest())
        assert "Owner" not in made.to_csv()
        assert "https" not in plays(as_json()).to_csv()

    def test_a_title_that_happens_to_hold_words_of_another_language(self):
        rows = [
            row(f"Watched {n}", f"https://youtu.be/AAAAAAAAA{n:02}", f"2023-01-{n:02}T00:00:00Z")
            for n in range(1, 28)
        ]
        rows += [
            row("Watched Was ich angesehen", time="2023-02-01T00:00:00Z"),
            row("Liked es wird angesehen", time="2023-02-02T00:00:00Z"),
        ]
        assert titles(rows)[-2:] == [f"Was ich angesehen [{ID}]", None]

    def test_a_name_that_starts_like_another_language_makes_no_watch(self):
        german = [row(f"{n} angesehen", f"https://youtu.be/AAAAAAAAA{n:02}") for n in range(28)]
        assert reasons([*german, row("Watched mag ich")])[-1] == "not a watch"
        english = [row(f"Watched {n}", f"https://youtu.be/AAAAAAAAA{n:02}") for n in range(24)]
        english += [
            row(f"Watched {n} angesehen", f"https://youtu.be/BAAAAAAAA{n:02}") for n in range(2)
        ]
        assert reasons([*english, row("Was ich angesehen")])[-1] == "not a watch"

    def test_two_languages_in_one_file_are_both_read(self):
        rows = [row(f"Watched {n}") for n in "ABC"] + [row("C angesehen"), row("Liked D angesehen")]
        rows = [r | {"time": f"2023-01-0{n}T00:00:00Z"} for n, r in enumerate(rows, 1)]
        assert reasons(rows) == [None, None, None, None, "not a watch"]

    def test_an_unknown_language_loses_what_nearly_all_rows_share(self):
        rows = [
            row(
                f"Ukibona {chr(64 + n)}lpha sana",
                f"https://youtu.be/AAAAAAAAA{n:02}",
                f"2023-01-{n:02}T00:00:00Z",
            )
            for n in range(1, 21)
        ]
        rows.append(row("Tafuta", "https://www.youtube.com/results?search_query=x"))
        assert titles(rows)[:2] == ["Alpha [AAAAAAAAA01]", "Blpha [AAAAAAAAA02]"]
        assert reasons(rows)[-2:] == [None, "not a watch"]
        assert any("8 letters before and 5 behind" in note for note in notes(rows))

    def test_an_unknown_language_keeps_its_words_where_rows_are_few_or_differ(self):
        few = [row(f"Ukibona {n}lpha", f"https://youtu.be/AAAAAAAAA{n:02}") for n in range(9)]
        assert titles(few)[0] == "Ukibona 0lpha [AAAAAAAAA00]"
        mixed = [
            row(f"{'Ukibona' if n % 5 else 'Meza'} {n}", f"https://youtu.be/AAAAAAAAA{n:02}")
            for n in range(40)
        ]
        assert titles(mixed)[1] == "Ukibona 1 [AAAAAAAAA01]"

    def test_one_video_seen_often_does_not_lend_its_name_to_the_language(self):
        rows = [row("Ein Knoten", time=f"2023-01-01T00:00:{n:02}Z") for n in range(60)]
        rows += [row(f"Ein {n}", f"https://youtu.be/AAAAAAAAA{n:02}") for n in range(3)]
        assert titles(rows)[0] == f"Ein Knoten [{ID}]"
        assert any("0 letters before and 0 behind" in note for note in notes(rows))

    def test_bare_names_are_watches_where_they_lead_to_a_video(self):
        names = ["Knots", "Så som i himmelen", "Used cars", *(f"Film {n}" for n in range(17))]
        rows = [row(name, f"https://youtu.be/AAAAAAAAA{n:02}") for n, name in enumerate(names)]
        assert titles(rows)[:3] == [
            "Knots [AAAAAAAAA00]",
            "Så som i himmelen [AAAAAAAAA01]",
            "Used cars [AAAAAAAAA02]",
        ]
        assert reasons(rows) == [None] * 20

    def test_a_subset_of_keys_is_read_for_what_it_has(self):
        made = plays(as_json(keys=["title", "time"]))
        assert made["title"][0] == "Harbour at dawn (remastered)"
        assert made["title"][9] == "[pr1vatePr1v]"
        assert made["excluded"].dropna().tolist() == ["not a watch", "not a watch", "removed"]
        assert titles([{"titleUrl": WATCH, "time": "2023-01-01T00:00:00Z"}]) == [f"[{ID}]"]
        assert plays([{"titleUrl": "https://music.youtube.com/watch?v=" + ID}])[
            "kind"
        ].tolist() == ["track"]

    def test_the_oldest_form(self):
        watched = [e for e in EVENTS if e.what == "watched" and e.name]
        made = plays(as_oldest(watched))
        assert made["title"][0] == "Harbour at dawn (remastered) [hArb0ur_-01]"
        assert made["excluded"].isna().all()
        assert "series" not in made or made["series"].isna().all()
        assert set(plays(as_oldest(watched, playlist="LLx"))["excluded"]) == {"not a watch"}

    def test_times_with_and_without_milliseconds(self):
        rows = [
            row(time="2023-01-02T03:04:05Z"),
            row(time="2023-01-02T03:04:05.678Z"),
            row(time="2023-01-02T05:04:05+02:00"),
        ]
        assert plays(rows)["started_at"].tolist() == [
            pd.Timestamp("2023-01-02 03:04:05Z"), pd.Timestamp("2023-01-02 03:04:05.678Z"), pd.Timestamp("2023-01-02 03:04:05Z"),
        ]  # fmt: skip

    def test_a_row_without_time_stays_whatever_the_other_rows_show(self):
        rows = [row(), row(time=None), row(time=""), row(time="2300-01-01T00:00:00Z"), row(time="1899-12-31T00:00:00Z"),
                row(time="2199-12-31T23:59:59Z"), row(time="1900-01-01T00:00:00Z")]  # fmt: skip
        assert reasons(rows) == [
            None,
            "no time",
            "no time",
            "impossible time",
            "impossible time",
            None,
            None,
        ]
        assert reasons([row(time="0000-01-01T00:00:00Z")]) == ["impossible time"]
        assert reasons(rows[:1] + rows[3:]) == [
            None,
            "impossible time",
            "impossible time",
            None,
            None,
        ]
        assert plays(rows, date_order="DMY")["started_at"].isna().sum() == 4

    def test_a_row_without_title_stays(self):
        rows = [row(), row(None, None), row("", "https://www.youtube.com/feed"), row(5, None)]
        assert reasons(rows) == [None, "no title", "no title", "no title"]
        rows = [row(), row("Watched", "https://www.youtube.com/feed")]
        assert reasons(rows) == [None, "no title"]

    def test_of_two_reasons_the_first_holds(self):
        rows = [row(), row(None, None, None), row(time=None, details=[1]), row("Visited x", None, details=[1]),
                row("Watched x", None, details=[1]), row("Visited x", None, time=None)]  # fmt: skip
        assert reasons(rows)[1:] == ["no title", "no time", "advert", "advert", "no time"]

    def test_the_same_click_twice_is_one(self):
        rows = [
            row(),
            row("Watched Knots (renamed)"),
            row(time="2023-01-02T03:04:05.001Z"),
            row("Watched Loops", "https://www.youtube.com/watch?v="),
        ]
        assert reasons(rows) == [None, "duplicate", None, None]

    def test_an_advert_does_not_make_a_play_of_the_same_moment_a_duplicate(self):
        assert reasons([row(details=[{"name": "From Google Ads"}]), row()]) == ["advert", None]

    def test_history_and_my_activity_of_one_takeout_count_once(self):
        files = [as_file(name, data) for name, data in takeout().items()]
        made, _ = finished(youtube, files)
        one = plays(as_json())
        assert len(made) == 2 * len(EVENTS)
        assert made["excluded"].isna().sum() == one["excluded"].isna().sum()
        assert (made["excluded"] == "duplicate").sum() == one["excluded"].isna().sum()

    @pytest.mark.parametrize(("days", "n"), [(60, 0), (61, 1)])
    def test_a_silence_of_more_than_sixty_days_is_said(self, days, n):
        later = pd.Timestamp("2023-01-02T03:04:05Z") + pd.Timedelta(days=days)
        rows = [row(time=later.strftime("%Y-%m-%dT%H:%M:%SZ")), row()]
        assert sum("may have been paused" in note for note in notes(rows)) == n

    def test_visits_do_not_fill_a_silence(self):
        rows = [
            row(),
            row("Visited x", time="2023-02-20T00:00:00Z"),
            row(time="2023-04-01T00:00:00Z"),
        ]
        assert any("1 silences" in note for note in notes(rows))

    def test_notes_hold_nothing_personal(self):
        text = " ".join(notes(as_json()) + notes([row("Ukibona Knots")]))
        assert not any(word in text for word in ("arbour", "Knots", ID))

    def test_an_empty_list_has_the_same_columns(self):
        made = plays(b"[]")
        assert made.empty
        assert list(made) == list(plays([row()]))
        assert made.dtypes.astype(str).equals(plays([row()]).dtypes.astype(str))

    def test_a_clock_without_zone_asks_for_it(self):
        rows = [row(time="2023-07-01T12:00:00")]
        with pytest.raises(ValueError, match=r"`clock_tz` must say which zone"):
            plays(rows)
        assert plays(rows, clock_tz="Europe/Berlin")["started_at"][0] == pd.Timestamp(
            "2023-07-01 10:00Z"
        )

    def test_seconds_that_are_gone_lower_the_precision(self):
        assert plays([row(time="2023-07-01 12:00Z"), row()])["precision"].tolist() == [
            "minute",
            "second",
        ]

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            (b"[{", r"`path` must hold whole JSON, found an error at position 2 in history.json: take"),
            (b"[" * 200_000, r"`path` must hold whole JSON, found lists too deep"),
            (b'[{"time": ' + b"1" * 5000 + b"}]", r"`path` must hold whole JSON, found lists too deep or long"),
            (b'{"a": 1}', r"`path` must hold a list of rows, found none in history.json"),
            (b'[{"title": "x"}, 3]', r"must hold rows, found another in row 2 of history.json"),
            (b'[{"title": "\xff"}]', r"`path` must be text in utf-8, found byte 0xff at position 12 of history.json"),
            (b'[{"time": "2023-02-30T00:00:00Z"}]', r"`time` of `history.json` must be times .* found '2023-02-30"),
            (b'[{"time": "yesterday"}]', r"`time` of `history.json` must be times .* found 'yesterday' in row 1"),
            (b'[{"time": null}, {"time": 1672628645}]', r"found '1672628645' in row 2"),
            (b'[{"time": {"secret": 1}}]', r"found 'dict' in row 1"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_refused_in_a_sentence(self, data, match):
        with pytest.raises(ValueError, match=match) as refusal:
            plays(data)
        assert refusal.value.__cause__ is None
        assert str(refusal.value).endswith(".")

    @pytest.mark.parametrize(
        "value",
        [None, 5, True, [], {}, [None], [5], [{}], [{"name": 5}], "x", "\ud800", 1e300, [[[]]]],
    )
    @pytest.mark.parametrize(
        "key", ["header", "title", "titleUrl", "subtitles", "details", "products"]
    )
    def test_any_value_under_any_key_is_borne(self, key, value):
        made = plays([row() | {key: value}, row(time="2023-01-03T00:00:00Z")])
        check_frame(made, 2)
        made.to_csv()

    @pytest.mark.parametrize("value", [None, 5, [], {}, "x", {"videoId": 5}, {"videoId": "\ud800"}])
    @pytest.mark.parametrize("key", ["title", "resourceId", "playlistId", "snippet"])
    def test_any_value_in_the_oldest_form_is_borne(self, key, value):
        rows = json.loads(as_oldest(EVENTS[:2]))
        if key == "snippet":
            rows[1][key] = value
        else:
            rows[0]["snippet"][key] = value
        check_frame(plays(rows), 2)

    def test_mutated_bytes_are_read_whole_or_refused(self):
        data = as_json(
            [*EVENTS, Event("2023-01-01T00:00:00.000", name="🐌 é", video="sna1lSna1lS")]
        )
        n_read = 0
        for seed in range(200):
            n_read += check_mutation(mutated(data, seed))
        assert n_read > 20


def check_mutation(data):
    """Return whether bytes could be read; then all rows are there."""
    frame = read_or_refused(youtube, "x.json", data)
    if frame is not None:
        check_frame(frame, len(json.loads(data.decode("utf-8-sig"))))
    return frame is not None
