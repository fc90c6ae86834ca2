"""Where viewers watch, beside counts made one play at a time."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk


def random_plays(seed, n=80):
    rng = np.random.default_rng(seed)
    viewer = rng.integers(0, 8, n)
    country = rng.choice(["DE", "FR", "US", ""], n, p=[0.5, 0.2, 0.1, 0.2])
    # One viewer's country is never known.
    country[viewer == 7] = ""
    return pd.DataFrame(
        {
            "viewer": [f"v{i}" for i in viewer],
            "account": [f"a{i // 2}" for i in viewer],
            "title": "Heat",
            "started_at": pd.Timestamp("2024-03-01 20:00Z"),
            "watched_seconds": rng.choice([60.0, 600.0, np.nan], n, p=[0.5, 0.45, 0.05]),
            "country": pd.Series(country).mask(country == "", None),
            "device": rng.choice(["tv", "phone"], n),
            "excluded": np.where(rng.random(n) < 0.1, "trailer", None),
        }
    )


def plays_of(*countries, **columns):
    start = pd.Timestamp("2024-03-01 20:00Z")
    base = {"viewer": "ann", "title": "Heat", "country": list(countries), "started_at": start}
    return pd.DataFrame(base | columns)


def usual_of(own):
    """Most plays, then most known seconds, then the first by name."""
    size = Counter(play.country for play in own)
    seconds = Counter()
    for place in size:
        total = sum(play.watched_seconds for play in own if play.country == place)
        seconds[place] = 0 if np.isnan(total) else total
    return min(size, key=lambda place: (-size[place], -seconds[place], place))


def by_viewer(plays):
    found = {}
    for play in plays[plays["excluded"].isna()].itertuples():
        found.setdefault(play.viewer, []).append(play)
    return dict(sorted(found.items()))


@pytest.mark.parametrize("seed", range(5))
class TestReference:
    def test_places(self, seed):
        plays = random_plays(seed)
        rows = []
        for viewer, own in by_viewer(plays).items():
            known = [play for play in own if isinstance(play.country, str)]
            for place in sorted({play.country for play in known}):
                there = [play for play in known if play.country == place]
                total = sum(play.watched_seconds for play in there)
                share = len(there) / len(known)
                is_usual = place == usual_of(known)
                rows.append((viewer, own[0].account, place, len(there), total, share, is_usual))
        found = tk.count_places(plays)
        expected = pd.DataFrame(rows, columns=list(found))
        assert_frame_equal(found.astype(expected.dtypes.to_dict()), expected)
        assert found["is_usual"].sum() == found["viewer"].nunique()

    def test_devices_are_counted_the_same_way(self, seed):
        plays = random_plays(seed)
        as_country = plays.assign(country=plays["device"])
        found = tk.count_places(plays, by="device").rename(columns={"device": "country"})
        assert_frame_equal(found, tk.count_places(as_country))

    @pytest.mark.parametrize("with_viewers", [False, True])
    def test_abroad(self, seed, with_viewers):
        plays = random_plays(seed)
        homes = {f"v{i}": ["DE", "US", "AT"][i % 3] for i in range(9)}
        viewers = pd.DataFrame(homes.items(), columns=["viewer", "country"])
        rows = []
        for viewer, own in by_viewer(plays).items():
            known = [play for play in own if isinstance(play.country, str)]
            usual = homes[viewer] if with_viewers else usual_of(known) if known else None
            abroad = sum(play.country != usual for play in known)
            share = abroad / len(known) if known else np.nan
            n_countries = len({play.country for play in known})
            row = (usual, len(known), abroad, share, n_countries, len(own) - len(known))
            rows.append((viewer, own[0].account, *row))
        found = tk.count_abroad(plays, viewers=viewers if with_viewers else None)
        expected = pd.DataFrame(rows, columns=list(found))
        assert_frame_equal(found.astype(expected.dtypes.to_dict()), expected)

    @pytest.mark.parametrize("least", [1, 7])
    def test_share(self, seed, least):
        plays = random_plays(seed)
        table = tk.count_abroad(plays)
        counted = table[table["n_plays"] >= least]
        away = set(counted["account"][counted["n_abroad"] > 0])
        (row,) = tk.share_abroad(plays, min_plays=least, confidence=0.9).itertuples(index=False)
        assert (row.n_plays, row.n_abroad) == (counted["n_plays"].sum(), counted["n_abroad"].sum())
        assert row.share_plays == row.n_abroad / row.n_plays
        assert (row.people, row.people_abroad) == (len(set(counted["account"])), len(away))
        assert row.share_people == row.people_abroad / row.people
        low, high = tk.wilson(row.people_abroad, row.people, confidence=0.9)
        assert (row.low, row.high) == (low, high)
        assert row.n_unknown == table["n_unknown"].sum()


class TestCountPlaces:
    @pytest.mark.parametrize(
        ("seconds", "usual"), [([60, 61], "US"), ([61, 60], "DE"), ([60, 60], "DE"), (None, "DE")]
    )
    def test_of_as_many_plays_the_longer_ones_are_usual(self, seconds, usual):
        columns = {} if seconds is None else {"watched_seconds": np.array(seconds, dtype=float)}
        found = tk.count_places(plays_of("DE", "US", **columns))
        assert found["country"][found["is_usual"]].tolist() == [usual]

    def test_sums_depend_on_no_order(self):
        plays = random_plays(1)
        plays["watched_seconds"] = np.random.default_rng(1).random(len(plays))
        again = tk.count_places(plays.sample(frac=1, random_state=2))
        assert_frame_equal(again, tk.count_places(plays), check_exact=True)

    def test_parts_of_the_viewers_put_together_are_the_whole(self):
        plays = random_plays(2).astype({"viewer": "category", "account": "category"})
        plays["country"] = plays["country"].astype("category")
        for measure in (tk.count_places, tk.count_abroad):
            parts = [measure(plays[plays["viewer"] == v]) for v in plays["viewer"].cat.categories]
            assert_frame_equal(pd.concat(parts, ignore_index=True), measure(plays))

    def test_ids_may_be_whole_numbers(self):
        plays = random_plays(3)
        found = tk.count_places(plays.assign(viewer=plays["viewer"].str[1:].astype(int)))
        assert found["viewer"].dtype == "int64"
        assert found["n_plays"].tolist() == tk.count_places(plays)["n_plays"].tolist()

    def test_refuses_what_it_cannot_count(self):
        with pytest.raises(ValueError, match="`by` must be one of"):
            tk.count_places(plays_of("DE"), by="title")
        with pytest.raises(ValueError, match=r"missing \['device'\]"):
            tk.count_places(plays_of("DE"), by="device")
        with pytest.raises(ValueError, match="one account"):
            tk.count_places(plays_of("DE", "DE", account=["a", "b"]))


class TestAbroad:
    def test_home_is_where_viewers_say_it_is(self):
        plays = plays_of("FR", "FR", "DE")
        viewers = pd.DataFrame({"viewer": ["ann"], "country": ["DE"]})
        assert tk.count_abroad(plays)["share_abroad"].tolist() == [1 / 3]
        found = tk.count_abroad(plays, viewers=viewers)
        assert found["usual_country"].tolist() == ["DE"]
        assert found["share_abroad"].tolist() == [2 / 3]
        # Nobody need have watched there.
        found = tk.count_abroad(plays, viewers=viewers.assign(country="AT"))
        assert found[["usual_country", "n_abroad"]].to_numpy().tolist() == [["AT", 3]]

    def test_viewers_must_be_known(self):
        others = pd.DataFrame({"viewer": ["bob"], "country": ["DE"]})
        with pytest.raises(ValueError, match="a row for every viewer, found none for 'ann'"):
            tk.count_abroad(plays_of("DE"), viewers=others)
        with pytest.raises(ValueError, match="`country` on every row; 1 are missing"):
            tk.share_abroad(plays_of("DE"), viewers=others.assign(viewer="ann", country=None))
        with pytest.raises(ValueError, match=r"missing \['country'\]"):
            tk.count_abroad(plays_of("DE").drop(columns="country"))

    def test_says_what_cannot_be_told_apart(self):
        (note,) = tk.share_abroad(plays_of("DE"))["note"]
        for cause in ("Travel", "VPN", "portability", "EU"):
            assert cause in note

    def test_a_person_counts_once_with_all_profiles(self):
        plays = plays_of("DE", "FR", "FR", "DE", viewer=["a", "a", "b", "b"], account="home")
        found = tk.share_abroad(plays)
        assert found[["people", "people_abroad"]].to_numpy().tolist() == [[1, 1]]
        assert found["n_abroad"].tolist() == [2]

    def test_who_stayed_at_home_was_not_abroad(self):
        plays = plays_of("DE", "FR", "DE", "US", viewer=["a", "a", "b", "c"])
        found = tk.share_abroad(plays)
        assert found[["people", "people_abroad"]].to_numpy().tolist() == [[3, 1]]

    def test_least_plays_are_a_whole_number(self):
        with pytest.raises(ValueError, match="`min_plays` must be a whole number, 1 or more"):
            tk.share_abroad(plays_of("DE"), min_plays=0)
        with pytest.raises(ValueError, match="`confidence` must lie"):
            tk.share_abroad(plays_of("DE"), confidence=0)

    def test_nothing_in_gives_the_same_columns(self):
        plays = random_plays(1).astype(dict.fromkeys(["viewer", "account", "country"], "category"))
        for without in (plays[:0], tk.exclude(plays, plays["title"] == "Heat", reason="all")):
            for measure in (tk.count_places, tk.count_abroad):
                found = measure(without)
                assert len(found) == 0
                assert found.dtypes.to_dict() == measure(plays).dtypes.to_dict()
            found = tk.share_abroad(without)
            assert found[["n_plays", "people"]].to_numpy().tolist() == [[0, 0]]
            assert found[["share_plays", "share_people"]].isna().all(axis=None)
            assert found[["low", "high"]].to_numpy().tolist() == [[0, 1]]

    def test_changes_nothing_of_its_input(self):
        plays = random_plays(4)
        before = plays.copy(deep=True)
        tk.count_places(plays)
        tk.share_abroad(plays)
        assert_frame_equal(plays, before)
