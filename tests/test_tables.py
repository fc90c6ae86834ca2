import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from toolkit.tables import as_plays


def plays_of(*rows, **columns):
    frame = pd.DataFrame(rows, columns=["viewer", "title", "started_at"])
    return frame.assign(started_at=pd.to_datetime(frame["started_at"]), **columns)


class TestAsPlays:
    def test_the_always_present_columns_are_added_and_cast(self):
        plays = as_plays(plays_of(("ann", "Heat", "2024-03-01 20:00+01:00")))
        assert plays.dtypes.astype("str").to_dict() == {
            "viewer": "category",
            "title": "category",
            "started_at": "datetime64[us, UTC]",
            "account": "category",
            "source": "category",
            "row_is": "category",
            "precision": "category",
            "excluded": "category",
        }
        assert plays["started_at"].iloc[0] == pd.Timestamp("2024-03-01 19:00Z")
        assert plays["account"].tolist() == ["ann"]
        assert plays["excluded"].isna().all()

    def test_a_table_that_is_right_already_is_not_copied(self):
        plays = as_plays(plays_of(("ann", "Heat", "2024-03-01 20:00Z")))
        assert as_plays(plays) is plays

    def test_a_choice_that_no_row_makes_does_not_count(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))
        plays["kind"] = pd.Categorical(["film"], ["film", "junk"])
        assert as_plays(plays)["kind"].tolist() == ["film"]

    def test_whole_numbers_stay_ids(self):
        plays = as_plays(plays_of((7, 3, "2024-03-01 20:00Z")))
        assert plays["viewer"].dtype == "int64"

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"kind": "opera"}, r"`kind` must be one of \['film', .*got 'opera'"),
            ({"precision": "week"}, "`precision` must be one of"),
            ({"watched_seconds": "long"}, r"`plays\.watched_seconds` must be float64"),
            ({"started_at": pd.Timestamp("2024-03-01")}, "must be instants with a time zone"),
            ({"started_at": "2024-03-01 20:00Z"}, "must be instants with a time zone"),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(self, columns, message):
        with pytest.raises(ValueError, match=message):
            as_plays(plays_of(("ann", "Heat", "2024-03-01 20:00Z")).assign(**columns))


class TestCombinePlays:
    def test_keeps_every_row_in_canonical_order(self):
        one = plays_of(("bob", "Up", "2024-03-02 20:00Z"), ("bob", "Up", "2024-03-01 20:00Z"))
        two = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), device=["tv"])
        both = tk.combine_plays([one, two])
        assert both["viewer"].tolist() == ["ann", "bob", "bob"]
        assert both["started_at"].dt.day.tolist() == [1, 1, 2]
        assert both["device"].tolist()[0] == "tv"
        assert both["device"].isna().tolist() == [False, True, True]
        assert both["excluded"].isna().all()
        assert both.index.tolist() == [0, 1, 2]

    def test_columns_of_any_kind_may_be_missing_from_some(self):
        one = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))
        two = plays_of(
            ("bob", "Up", "2024-03-01 20:00Z"),
            is_kids=True, season=1, position_seconds=5.0, series="S", wave="first",
            ended_at=pd.Timestamp("2024-03-01 21:00Z"),
        )  # fmt: skip
        both = tk.combine_plays([one, two])
        assert both.dtypes.astype("str").loc[
            ["is_kids", "season", "position_seconds", "series", "ended_at"]
        ].tolist() == ["boolean", "Int16", "float64", "category", "datetime64[us, UTC]"]
        for name in ("is_kids", "season", "position_seconds", "series", "ended_at", "wave"):
            assert both[name].isna().tolist() == [True, False]

    def test_a_second_import_of_the_same_history_counts_once(self):
        early = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), ("ann", "Heat", "2024-03-01 20:00Z"))
        late = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), ("ann", "Heat", "2024-03-02 20:00Z"))
        both = tk.combine_plays([early, late])
        # Two equal rows of one table are left to the source; only the repeated one is marked.
        assert both["excluded"].tolist() == [np.nan, np.nan, "duplicate", np.nan]
        assert tk.loss_table(both)["n_rows"].tolist() == [1]

    def test_another_source_or_length_is_no_duplicate(self):
        one = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), source="a", watched_seconds=5.0)
        two = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), source="b", watched_seconds=5.0)
        three = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), source="a", watched_seconds=6.0)
        assert tk.combine_plays([one, two, three])["excluded"].isna().all()

    def test_what_an_earlier_table_does_not_use_leaves_a_later_copy_usable(self):
        early = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), excluded=["out of range"])
        late = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))
        assert tk.combine_plays([early, late])["excluded"].tolist() == ["out of range", np.nan]

    def test_text_may_be_held_in_any_way_and_tables_may_be_empty(self):
        one = plays_of(("ann", "Heat", "2024-03-01 20:00Z"), series=None)
        two = plays_of(("bob", "Up", "2024-03-01 20:00Z"), series="S")
        for dtype in ("object", "string", pd.CategoricalDtype(["bob", "ann"], ordered=True)):
            other = two.astype({"viewer": dtype})
            both = tk.combine_plays([one, other, one[:0]])
            assert both["viewer"].tolist() == ["ann", "bob"]
            assert both["series"].tolist() == [np.nan, "S"]
        assert len(tk.combine_plays([one[:0], two[:0]])) == 0

    def test_ids_of_two_kinds_are_refused_whichever_comes_first(self):
        one = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))
        two = plays_of((7, "Heat", "2024-03-01 20:00Z"))
        for tables in ([one, two], [two, one]):
            with pytest.raises(ValueError, match="`viewer` must be of one kind in all tables"):
                tk.combine_plays(tables)

    def test_nothing_to_combine_is_refused(self):
        with pytest.raises(ValueError, match="`plays` must hold at least one table, got none"):
            tk.combine_plays([])


class TestExclude:
    def plays(self):
        return plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z"), ("ann", "Up", "2024-03-01 20:00Z"),
            excluded=["trailer", None],
        )  # fmt: skip

    def test_marks_rows_and_keeps_a_reason_that_stands(self):
        before = self.plays()
        plays = self.plays()
        marked = tk.exclude(plays, [True, True], reason="zapped")
        assert marked["excluded"].tolist() == ["trailer", "zapped"]
        assert_frame_equal(plays, before)

    def test_a_series_is_matched_by_its_index(self):
        plays = self.plays()
        with pytest.raises(ValueError, match="`mask` must have the index of `plays`"):
            tk.exclude(plays, pd.Series([True, False], index=[1, 0]), reason="zapped")

    @pytest.mark.parametrize("mask", [[True], [True, None], []])
    def test_a_mask_says_yes_or_no_for_each_row(self, mask):
        with pytest.raises(ValueError, match="`mask` must be True or False for each of 2 rows"):
            tk.exclude(self.plays(), mask, reason="zapped")

    @pytest.mark.parametrize("reason", ["", None])
    def test_a_reason_is_given(self, reason):
        with pytest.raises(ValueError, match="`reason` must be a word or two"):
            tk.exclude(self.plays(), [True, False], reason=reason)


class TestLossTable:
    def test_counts_rows_by_reason_the_commonest_first(self):
        plays = plays_of(
            *[("ann", "Heat", "2024-03-01 20:00Z")] * 5,
            excluded=["trailer", "advert", "trailer", None, "zapped"],
        )
        expected = pd.DataFrame(
            {
                "reason": pd.Series(["trailer", "advert", "zapped"], dtype="str"),
                "n_rows": [2, 1, 1],
                "share": [0.4, 0.2, 0.2],
            }
        )
        assert_frame_equal(tk.loss_table(plays), expected)

    def test_empty_in_same_columns_out(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))
        for none in (plays, plays[:0]):
            assert list(tk.loss_table(none)) == ["reason", "n_rows", "share"]
            assert len(tk.loss_table(none)) == 0

    def test_shares_are_of_the_group(self):
        plays = plays_of(
            *[("ann", "Heat", "2024-03-01 20:00Z")] * 5,
            excluded=["trailer", None, "advert", "advert", None],
            source=["a", "a", "b", "b", "b"],
        )
        losses = tk.loss_table(plays, by="source")
        assert losses.astype({"source": "str"}).values.tolist() == [
            ["a", "trailer", 1, 0.5],
            ["b", "advert", 2, 2 / 3],
        ]
        assert list(losses) == ["source", "reason", "n_rows", "share"]

    def test_a_group_without_a_name_is_one_and_one_without_losses_none(self):
        plays = plays_of(
            *[("ann", "Heat", "2024-03-01 20:00Z")] * 3,
            excluded=["trailer", None, None],
            country=[None, "NL", None],
        )
        losses = tk.loss_table(plays, by=["country", "source"])
        assert losses["country"].isna().tolist() == [True]
        assert losses["share"].tolist() == [0.5]

    @pytest.mark.parametrize(
        ("by", "said"), [("wave", "missing \\['wave'\\]"), ("excluded", "of the result")]
    )
    def test_groups_are_columns_of_the_table_and_none_of_the_result(self, by, said):
        with pytest.raises(ValueError, match=said):
            tk.loss_table(plays_of(("ann", "Heat", "2024-03-01 20:00Z")), by=by)

    def test_empty_in_same_columns_out_with_groups(self):
        none = plays_of(("ann", "Heat", "2024-03-01 20:00Z"))[:0]
        assert list(tk.loss_table(none, by="source")) == ["source", "reason", "n_rows", "share"]


class TestFingerprint:
    def frame(self):
        return pd.DataFrame(
            {
                "viewer": pd.Categorical(["b", "a", None]),
                "at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-02 20:00Z", None]),
                "n": [1.5, np.nan, 0.0],
                "is_kids": pd.array([True, None, False], dtype="boolean"),
            }
        )

    def test_numbers_too_large_for_a_float_are_told_apart(self):
        low, high = (pd.DataFrame({"n": [2**53 + n]}) for n in (0, 1))
        assert tk.fingerprint(low) != tk.fingerprint(high)

    def test_neither_coding_nor_column_order_enters(self):
        frame = self.frame()
        other = frame[frame.columns[::-1]].assign(
            viewer=frame["viewer"].cat.set_categories(["c", "b", "a"]),
            at=frame["at"].dt.tz_convert("Asia/Tokyo").dt.as_unit("ns"),
        )
        text = frame.assign(viewer=frame["viewer"].astype("str"))
        assert tk.fingerprint(other) == tk.fingerprint(frame) == tk.fingerprint(text)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("viewer", "a"), ("at", pd.Timestamp("2024-03-01 20:00:00.000001Z")), ("n", 1.5000001),
            ("is_kids", False), ("n", np.nan),
        ],
    )  # fmt: skip
    def test_every_value_and_the_order_of_rows_enters(self, column, value):
        frame = self.frame()
        changed = frame.copy()
        changed.loc[0, column] = value
        assert tk.fingerprint(changed) != tk.fingerprint(frame)
        assert tk.fingerprint(frame[::-1]) != tk.fingerprint(frame)
        assert tk.fingerprint(frame[:2]) != tk.fingerprint(frame)
        assert tk.fingerprint(frame.rename(columns={column: "other"})) != tk.fingerprint(frame)
