"""Cells beside plain sets: who is in them, in which order, and how tails are merged."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toolkit.privacy.cells import account_numbers, cells_of, unions, with_tails_merged
from toolkit.privacy.refusals import PersonLevel

ACCOUNTS = [f"a_{n:02d}" for n in range(30)]
DAYS = [pd.Timestamp("2024-01-31"), pd.Timestamp("2023-12-25"), None]
# Columns of three values each, in an order that is not theirs, and the order that is.
COLUMNS = {
    "int": (lambda at: np.array([9, -1, 3])[at], [-1, 3, 9]),
    "Int64": (lambda at: pd.array([9, None, 3], dtype="Int64")[at], [3, 9, None]),
    "uint8": (lambda at: np.array([9, 250, 3], "uint8")[at], [3, 9, 250]),
    "arrow": (lambda at: pd.array([9, None, 3], dtype="int64[pyarrow]")[at], [3, 9, None]),
    "bool": (lambda at: np.array([True, False, True])[at], [False, True]),
    "boolean": (lambda at: pd.array([True, None, False], "boolean")[at], [False, True, None]),
    "str": (lambda at: pd.array(["b", None, "a"], dtype="str")[at], ["a", "b", None]),
    "string": (lambda at: pd.array(["b", None, "a"], dtype="string")[at], ["a", "b", None]),
    "object": (lambda at: np.array(["b", None, 1], dtype="object")[at], ["1", "b", None]),
    "same text": (lambda at: np.array(["1", None, 1], dtype="object")[at], ["1", None]),
    "date": (
        lambda at: np.array([dt.date(2024, 1, n) for n in (9, 1, 3)])[at],
        ["2024-01-01", "2024-01-03", "2024-01-09"],
    ),
    "day": (lambda at: pd.Series(DAYS).to_numpy()[at], [DAYS[1], DAYS[0], None]),
    "period": (
        lambda at: pd.PeriodIndex(["2024-02", "2023-11", "2024-01"], freq="M")[at],
        ["2023-11", "2024-01", "2024-02"],
    ),
    "category": (
        lambda at: pd.Categorical.from_codes(np.array([2, -1, 0])[at], ["b", "x", "a"]),
        ["a", "b", None],
    ),
    "ordered": (
        lambda at: pd.Categorical.from_codes(np.array([0, -1, 2])[at], ["z", "x", "a"], True),
        ["z", "a", None],
    ),
    "numbers": (
        lambda at: pd.Categorical.from_codes(np.array([2, -1, 0])[at], [10, 5, 9]),
        [9, 10, None],
    ),
    "truths": (
        lambda at: pd.Categorical.from_codes(np.array([0, -1, 1])[at], [True, False]),
        [False, True, None],
    ),
    "days": (
        lambda at: pd.Categorical.from_codes(np.array([0, -1, 1])[at], DAYS[:2]),
        [DAYS[1], DAYS[0], None],
    ),
    "cut": (
        lambda at: pd.cut(np.array([15, 99, 3])[at], [0, 2, 5, 20]),
        ["(2, 5]", "(5, 20]", None],
    ),
    "interval": (
        lambda at: pd.arrays.IntervalArray.from_tuples([(10, 20), (2, 10), (0, 2)])[at],
        ["(0, 2]", "(2, 10]", "(10, 20]"],
    ),
}


def plain(values):
    """Values as Python's own, None for what is missing."""
    return [None if pd.isna(value) else value for value in values.astype("object")]


def members(sets):
    """Each set as a dict from account to what it adds."""
    return [
        {
            int(sets.account[at]): (float(sets.value[at]), int(sets.n_rows[at]))
            for at in range(sets.start[n], sets.start[n + 1])
        }
        for n in range(len(sets.measure))
    ]


def by_hand(keys, account, value):
    """The cells as dicts, by their keys."""
    cells = {}
    for key, who, adds in zip(keys, account, value, strict=True):
        cell = cells.setdefault(key, {})
        total, n = cell.get(who, (0.0, 0))
        cell[who] = total + adds, n + 1
    return cells


@pytest.mark.parametrize("kind", COLUMNS)
def test_cells_are_the_sets_of_every_kind_of_column_in_its_order(kind):
    rng = np.random.default_rng(3)
    make, in_order = COLUMNS[kind]
    at, other = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    account, value = rng.integers(0, 9, 200), rng.integers(0, 50, 200) / 4
    table = pd.DataFrame({"c": make(at), "d": other})
    labels, sets = cells_of(table, ["c", "d"], account, value, 7)
    texts = ["1" if key == 1 and kind in ("object", "same text") else key for key in plain(table.c)]
    texts = [
        str(key) if kind in ("date", "period", "cut", "interval") and key else key for key in texts
    ]
    expected = by_hand(zip(texts, other.tolist(), strict=True), account, value)
    found = list(zip(plain(labels["c"]), labels["d"], strict=True))
    assert found == [(c, d) for c in in_order for d in range(4) if (c, d) in expected]
    assert members(sets) == [expected[key] for key in found]
    assert (sets.measure == 7).all()
    assert all(
        np.all(np.diff(sets.account[a:b]) > 0)
        for a, b in zip(sets.start, sets.start[1:], strict=False)
    )
    assert not isinstance(labels["c"].dtype, pd.CategoricalDtype)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.floats(-1e6, 1e6), st.integers(0, 2)), max_size=30),
    st.randoms(),
)
@example([], None)
def test_cells_hang_neither_on_the_order_of_rows_nor_on_other_categories(rows, random):
    def made(rows, categories):
        account, value, at = (
            (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
        )
        table = pd.DataFrame({"c": pd.Categorical([f"t{n}" for n in at], categories)})
        return cells_of(table, ["c"], np.array(account, "int64"), np.array(value, "float64"), 1)

    shuffled = list(rows)
    if random:
        random.shuffle(shuffled)
    one, other = made(rows, ["t0", "t1", "t2"]), made(shuffled, ["t2", "x", "t0", "t1", "y"])
    assert_frame_equal(one.labels, other.labels)
    assert members(one.sets) == members(other.sets)
    assert one.labels["c"].dtype == "str"


def test_sums_of_fractions_are_the_same_in_any_order():
    value = np.random.default_rng(0).random(999) * 100
    table, account = pd.DataFrame(index=range(999)), np.zeros(999, "int64")
    sums = {cells_of(table, [], account, np.roll(value, n), 1).sets.value[0] for n in range(50)}
    assert len(sums) == 1
    assert sums.pop() == pytest.approx(value.sum(), abs=1e-3)


def test_no_column_makes_one_cell_and_no_row_none():
    account = np.array([4, 2, 4])
    labels, sets = cells_of(pd.DataFrame(index=range(3)), [], account, None, 0)
    assert labels.shape == (1, 0)
    assert members(sets) == [{2: (0.0, 1), 4: (0.0, 2)}]
    for by in ([], ["c"]):
        labels, sets = cells_of(pd.DataFrame({"c": []}, dtype="str"), by, account[:0], None, 0)
        assert len(labels) == len(sets.measure) == 0
        assert sets.start.tolist() == [0]


def test_cells_of_more_combinations_than_63_bits():
    rng = np.random.default_rng(0)
    by = list("pqrst")
    table = pd.DataFrame({name: rng.permutation(20_000) for name in by})
    table = pd.concat([table, table], ignore_index=True)
    account = rng.integers(0, 500, len(table))
    labels, sets = cells_of(table, by, account, None, 0)
    assert_frame_equal(labels, table[:20_000].sort_values("p", ignore_index=True))
    pairs = [sorted({a, b}) for a, b in zip(account[:20_000], account[20_000:], strict=True)]
    found = [sorted(cell) for cell in members(sets)]
    assert found == [pairs[n] for n in np.argsort(table["p"][:20_000])]


def test_labels_hold_nothing_of_other_rows():
    table = pd.DataFrame({"c": ["secret-title", "b", "b"]}).rename_axis("viewer-secret")
    table["c"] = pd.Categorical(table["c"], ["unseen-secret", "secret-title", "b"])
    table.attrs["path"] = "secret"
    labels, _ = cells_of(table, ["c"], np.arange(3), None, 0)
    kept = labels.iloc[[0]]
    assert kept["c"].tolist() == ["b"]
    assert b"secret" not in pickle.dumps(kept)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pd.Timestamp("2024-01-01 10:00"), "no midnights"),
        (pd.Timestamp("2024-01-01", tz="UTC"), "instants"),
        (pd.Timedelta("1D"), "instants or spans"),
        (0.5, "fractions"),
        (pd.Categorical([0.5]), "fractions"),
        (pd.Categorical([pd.Timestamp("2024-01-01 10:00", tz="UTC")]), "instants"),
        (pd.Categorical([pd.Timestamp("2024-01-01 10:00")]), "no midnights"),
    ],
)
def test_columns_that_tell_rows_apart_are_refused(column, said):
    table = pd.DataFrame({"c": column}, index=[0])
    with pytest.raises(PersonLevel, match=said):
        cells_of(table, ["c"], np.zeros(1, "int64"), None, 0)


def test_people_and_missing_columns_are_refused():
    table = pd.DataFrame({"viewer": ["v"], "account": ["a"]})
    for name in table:
        with pytest.raises(PersonLevel, match=f"must not be '{name}'"):
            cells_of(table, [name], np.zeros(1, "int64"), None, 0)
    with pytest.raises(ValueError, match="missing \\['c'\\]"):
        cells_of(table, ["c"], np.zeros(1, "int64"), None, 0)


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string", "string[pyarrow]"])
def test_accounts_have_the_numbers_of_the_study_in_any_dtype(dtype):
    # Two were forgotten, whose numbers stay.
    accounts = pd.Index(["a", None, "c", None, "e"], dtype="object")
    column = pd.Series(["e", "a", "c", "e"]).astype(dtype)
    if dtype == "category":
        column = column.cat.set_categories(["unknown", "e", "c", "a"])
    assert account_numbers(column.to_frame("account"), accounts).tolist() == [4, 0, 2, 4]
    assert account_numbers(column[:0].to_frame("account"), accounts).tolist() == []


@pytest.mark.parametrize("who", ["b", None, "nobody", 0, float("nan")])
def test_rows_of_nobody_in_the_study_are_refused(who):
    accounts = pd.Index(["a", None, "c"], dtype="object")
    table = pd.DataFrame({"account": pd.Series(["a", who, "c"], dtype="object")})
    with pytest.raises(PersonLevel, match="found 1 of 3 rows without one"):
        account_numbers(table, accounts)


def test_tables_that_cannot_be_counted_are_refused():
    accounts = pd.Index(["a"], dtype="object")
    with pytest.raises(TypeError, match="`table` must be a pandas DataFrame, got list"):
        account_numbers([], accounts)
    with pytest.raises(PersonLevel, match="without `account`"):
        account_numbers(pd.DataFrame({"viewer": ["a"]}), accounts)
    with pytest.raises(ValueError, match="each column once"):
        account_numbers(pd.DataFrame([["a", "a"]], columns=["account", "account"]), accounts)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.dictionaries(st.integers(0, 9), st.integers(1, 9), min_size=1)
        ),
        max_size=8,
    )
)
def test_unions_are_those_of_sets(parts):
    parts = sorted(parts, key=lambda part: part[0])
    numbers = {into: n for n, into in enumerate(dict.fromkeys(into for into, _ in parts))}
    rows = [(n, who, adds) for n, (_, held) in enumerate(parts) for who, adds in held.items()]
    cell, account, value = np.array(rows, "int64").reshape(-1, 3).T
    _, sets = cells_of(pd.DataFrame({"c": cell}), ["c"], account, value, 3)
    into = np.array([numbers[into] for into, _ in parts], "int64")
    expected = [{} for _ in numbers]
    for n, (_, held) in zip(into, parts, strict=True):
        for who, adds in held.items():
            total, rows = expected[n].get(who, (0.0, 0))
            expected[n][who] = total + adds, rows + 1
    made = unions(sets, into)
    assert members(made) == expected
    assert made.measure.tolist() == [3] * len(expected)


def tails_by_hand(rows, people):
    """The merged cells, one group after the other: (group, from, to, who adds what)."""
    lowest = min((number for _, number, _ in rows), default=None)
    n_lowest = len({who for _, number, who in rows if number == lowest})
    cells = []
    for group in sorted({group for group, _, _ in rows}):
        own = [(number, who) for g, number, who in rows if g == group]
        numbers = sorted({number for number, _ in own})
        bins, left = [], []
        for number in reversed(numbers):
            left.insert(0, number)
            if len({who for n, who in own if n in left}) >= people:
                bins.insert(0, left)
                left = []
        if left and bins:
            bins[0] = left + bins[0]
        elif left:
            bins = [left]
        for n, held in enumerate(bins):
            low, high = held[0], bins[n + 1][0] - 1 if n + 1 < len(bins) else None
            is_told = low == lowest and n_lowest >= people
            if n == 0 and len(held) > 1 and not is_told:
                low = None
            who = {}
            for number, account in own:
                if number in held:
                    who[account] = who.get(account, 0) + 1
            cells.append((group, low, high, who))
    return cells


ROWS = st.tuples(st.sampled_from("xy"), st.integers(-1, 9), st.integers(0, 12))


@settings(max_examples=100, deadline=None)
@given(st.lists(ROWS, max_size=60), st.integers(1, 6), st.booleans())
@example([("x", 1, 0), ("x", 2, 1), ("x", 2, 2), ("y", 7, 3)], 2, True)
def test_tails_are_merged_upwards_within_each_group(rows, people, is_grouped):
    if not is_grouped:
        rows = [("x", number, who) for _, number, who in rows]
    group, number, who = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [])
    table = pd.DataFrame({"g": pd.array(group, "str"), "n_plays": np.array(number, "int64")})
    by = ["g", "n_plays"] if is_grouped else ["n_plays"]
    cells = cells_of(table, by, np.array(who, "int64"), None, 5)
    labels, sets = with_tails_merged(cells, "n_plays", people)
    found = [
        [{account: n for account, (_, n) in cell.items()} for cell in members(sets)],
        plain(labels["n_plays"]),
        plain(labels["n_plays_last"]),
    ]
    groups, lows, highs, expected = (
        zip(*tails_by_hand(rows, people), strict=True) if rows else [()] * 4
    )
    assert found == [list(expected), list(lows), list(highs)]
    assert (labels["g"].tolist() if is_grouped else list(groups)) == list(groups)
    assert list(labels) == [*by, "n_plays_last"]
    assert (sets.measure == 5).all()


def test_a_missing_number_is_no_highest_one():
    table = pd.DataFrame({"n_plays": pd.array([1, None, 2], dtype="Int64")})
    cells = cells_of(table, ["n_plays"], np.arange(3), None, 0)
    with pytest.raises(ValueError, match="`n_plays` must be there on every row"):
        with_tails_merged(cells, "n_plays", 2)
