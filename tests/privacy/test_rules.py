"""What may be published, beside the same rules for plain sets, and what holds after them all."""

import itertools
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tests.privacy.test_cells import members
from tests.privacy.test_differences import by_hand as differing_by_hand
from toolkit.privacy.differences import Sets, joined
from toolkit.privacy.refusals import DiffersByFew, Dominated, PersonLevel, Refused, TooFewPeople
from toolkit.privacy.rules import COUNTS, apply_rules, as_columns, rounded

NAMES = [f"a_{n:03d}" for n in range(150)]
NO_INTS = np.zeros(0, dtype="int64")
NOTHING = Sets(np.zeros(1, dtype="int64"), NO_INTS, NO_INTS * 1.0, NO_INTS, NO_INTS)
WHY = {
    "few": "too few people",
    "dominated": "made by one or two people",
    "side": "too few people on the other side",
    "near": "too few people apart from another cell",
}


def ruled(
    table, by=None, count="people", *, mean=None, share_of=None, people=5, said=NOTHING, n=60
):
    return apply_rules(
        table,
        by=by,
        count=count,
        mean=mean,
        share_of=share_of,
        accounts=pd.Index(NAMES[:n], dtype="object"),
        people=people,
        published=said,
    )


def random_rows(seed, n_rows=400, n_accounts=60):
    """Rows of people who do much the same, some of them much more of it."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, n_accounts, n_rows)
    n_plays = np.minimum(rng.zipf(1.7, n_rows), 40)
    amount = np.where(rng.random(n_rows) < 0.02, 4000, rng.integers(0, 40, n_rows)) / 4
    return pd.DataFrame(
        {
            "account": np.array(NAMES)[who],
            "title": pd.Categorical.from_codes(rng.zipf(1.4, n_rows) % 6, list("xfedcb")),
            "kids": np.array([True, False, None], "object")[rng.integers(0, 3, n_rows)],
            "wave": who % 3 + (rng.random(n_rows) < 0.02),
            "n_plays": n_plays,
            "amount": np.where(rng.random(n_rows) < 0.05, np.nan, amount - 1),
            "watched_seconds": amount * 60,
            "is_rewatch": pd.array(rng.choice([True, False, None], n_rows), dtype="boolean"),
            "excluded": pd.Categorical(np.where(rng.random(n_rows) < 0.05, "zapped", None)),
        }
    ).astype({"kids": "boolean"})


def in_order(label):
    return [(part is None, 0 if part is None else part) for part in label]


def ruled_by_hand(table, by, count, mean, share_of, people, said, n_accounts):
    """The published rows, what is withheld, and the sets in what is said."""
    cells = {}
    for row in table.to_dict("records"):
        adds = {"people": 0, "rewatchers": 0, "plays": row["n_plays"]}.get(count)
        adds = row["watched_seconds"] / 60 if count == "minutes" else adds
        adds = row[mean] if mean else adds
        is_rewatch = row["is_rewatch"] is True
        if (
            not pd.isna(row["excluded"])
            or (count == "rewatchers" and not is_rewatch)
            or pd.isna(adds)
        ):
            continue
        label = tuple(None if pd.isna(row[name]) else row[name] for name in by)
        cell = cells.setdefault(label, {})
        total, n = cell.get(NAMES.index(row["account"]), (0.0, 0))
        cell[NAMES.index(row["account"])] = total + adds, n + 1 if mean else 1
    measure = f"mean {mean}" if mean else 0 if count in ("people", "rewatchers") else count
    labels = sorted(cells, key=in_order)
    whole_of = {label: tuple(label[by.index(n)] for n in share_of or []) for label in labels}
    wholes = {}
    for label in labels:
        wholes.setdefault(whole_of[label], {}).update(dict.fromkeys(cells[label], (0.0, 1)))
    why = {}
    for label in labels:
        cell = cells[label]
        sums = sorted((abs(total) for total, _ in cell.values()), reverse=True)
        n_rows = sorted((n for _, n in cell.values()), reverse=True)
        n_others = len(wholes[whole_of[label]]) - len(cell)
        if len(cell) < people:
            why[label] = "few"
        elif measure and any(
            sum(s[2:]) < sum(s) / 10 for s in ([sums, n_rows] if mean else [sums])
        ):
            why[label] = "dominated"
        elif (share_of is not None and n_others < people) or (
            mean and len({total / n for total, n in cell.values()}) == 1
        ):
            why[label] = "side"
    left = sorted((label for label in labels if label not in why), key=lambda c: -len(cells[c]))
    shares = {whole_of[label] for label in left} if share_of is not None else ()
    needed = [whole for whole in wholes if whole in shares]
    asked = [(0, wholes[whole]) for whole in needed] + [(measure, cells[label]) for label in left]
    far = [cell for cell in asked if n_accounts - len(cell[1]) not in range(1, people)]
    near = dict(
        zip(map(id, [c for _, c in far]), differing_by_hand(said, far, people), strict=True)
    )
    is_near = [near.get(id(cell), True) for _, cell in asked]
    lost = {whole for whole, is_lost in zip(needed, is_near, strict=False) if is_lost}
    for label, is_lost in zip(left, is_near[len(needed) :], strict=True):
        if is_lost or whole_of[label] in lost:
            why[label] = "near"
    rows = []
    kept = [label for label in labels if label not in why]
    for label in kept:
        cell, n_all = cells[label], len(wholes[whole_of[label]])
        n, total = 5 * round(len(cell) / 5), sum(total for total, _ in cell.values())
        row = [*label, n]
        digits = 2 if len(cell) < 100 else 3
        if mean:
            row += [float(f"{total / sum(n for _, n in cell.values()):.{digits}g}")]
        elif measure:
            row += [5 * round(float(f"{total:.{digits}g}") / 5)]
        if share_of is not None:
            row += [5 * round(n_all / 5), n / (5 * round(n_all / 5))]
        rows.append(row)
    used = dict.fromkeys(whole_of[label] for label in kept) if share_of is not None else ()
    made = [(0, wholes[whole]) for whole in used] + [(measure, cells[label]) for label in kept]
    return rows, Counter(WHY[reason] for reason in why.values()), made


ASKED = [
    ((), "people", None, None),
    (("title",), "people", None, None),
    (("kids", "title"), "people", None, None),
    (("title", "wave"), "rewatchers", None, None),
    (("title", "kids"), "plays", None, None),
    (("wave",), "minutes", None, None),
    (("title", "kids"), "people", "amount", None),
    (("wave", "title", "kids"), "people", None, ("kids", "wave")),
    (("kids", "title"), "rewatchers", None, ("kids",)),
    (("title",), "people", None, ()),
]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(ASKED), min_size=1, max_size=4),
    st.sampled_from([(5, 60, 400), (5, 40, 120), (10, 150, 900), (50, 150, 2500)]),
)
def test_every_release_is_that_of_plain_sets(seed, asked, sizes):
    people, n_accounts, n_rows = sizes
    rng = np.random.default_rng(seed)
    rows = random_rows(seed, n_rows, n_accounts)
    said, said_by_hand = NOTHING, []
    for by, count, mean, share_of in asked:
        # A few rows, or people, less each time.
        table = rows[rng.random(len(rows)) > rng.choice([0, 0.002, 0.1])]
        table = table[~table["account"].isin(rng.choice(NAMES, rng.integers(0, 3)))]
        args = list(by), count, mean, None if share_of is None else list(share_of), people
        expected, withheld, sets = ruled_by_hand(table, *args, said_by_hand, n_accounts)
        shuffled = table.sample(frac=1, random_state=rng.integers(2**31))
        try:
            made = ruled(
                shuffled,
                list(by),
                count,
                mean=mean,
                share_of=args[3],
                people=people,
                said=said,
                n=n_accounts,
            )
        except Refused:
            assert not expected
            continue
        found = made.table.astype("object").where(made.table.notna(), None).to_numpy().tolist()
        assert found == expected
        assert made.withheld == withheld
        found = [
            (bool(m), cell) for m, cell in zip(made.sets.measure, members(made.sets), strict=True)
        ]
        by_hand = [(m != 0, dict(sorted(cell.items()))) for m, cell in sets]
        assert Counter(map(repr, found)) == Counter(map(repr, by_hand))
        said = joined([said, made.sets])
        said_by_hand += sets


def accounts_of(rows, label):
    """Who is in the rows of a label of a released table, which may span numbers."""
    chosen = np.ones(len(rows), dtype=bool)
    for name, value in label.items():
        if name.endswith("_last"):
            continue
        column = rows[name]
        if f"{name}_last" in label:
            last = label[f"{name}_last"]
            chosen &= True if pd.isna(value) else (column >= value).to_numpy()
            chosen &= True if pd.isna(last) else (column <= last).to_numpy()
        else:
            chosen &= (
                column.isna() if pd.isna(value) else (column == value).fillna(False)
            ).to_numpy(bool)
    return frozenset(NAMES.index(name) for name in rows["account"][chosen])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([5, 10]))
def test_no_release_of_many_tells_of_few(seed, people):
    rng = np.random.default_rng(seed)
    rows = random_rows(seed, 700).drop(columns="excluded").assign(is_rewatch=True)
    said, before = NOTHING, []
    for _ in range(6):
        table = rows[rng.random(len(rows)) > rng.choice([0, 0.003, 0.1])]
        table = table[~table["account"].isin(rng.choice(NAMES, rng.integers(0, 4)))]
        by = rng.permutation(["title", "kids", "wave", "n_plays"])[: rng.integers(0, 4)].tolist()
        asked = {"count": str(rng.choice(["people", "rewatchers", "plays", "minutes"]))}
        if rng.random() < 0.2:
            asked = {"mean": "watched_seconds"}
        if by and asked.get("count") in ("people", "rewatchers") and rng.random() < 0.4:
            asked["share_of"] = by[: rng.integers(0, len(by))]
        try:
            made = ruled(table, by, **asked, people=people, said=said)
        except Refused:
            continue
        cells = [
            (m, frozenset(c), c) for m, c in zip(made.sets.measure, members(made.sets), strict=True)
        ]
        # What the table says is of sets that are kept, and of no others.
        own = list(made.table)[
            : next(n for n, c in enumerate(made.table) if c in ("people", "rewatchers"))
        ]
        told = {
            accounts_of(table, dict(zip(own, row, strict=True)))
            for row in made.table[own].itertuples(index=False)
        }
        for name in [] if "share_of" not in asked else [asked["share_of"]]:
            told |= {accounts_of(table, dict(row)) for row in made.table[name].to_dict("records")}
        assert told == {who for _, who, _ in cells}
        for n, (measure, who, adds) in enumerate(cells):
            assert len(who) >= people
            assert 60 - len(who) not in range(1, people)
            known = [(m, a) for m, w, a in before if w == who]
            for m, a in known:
                n_other = sum(a[one] != adds[one] for one in adds)
                assert m != measure or n_other not in range(1, people)
            for m, w, _ in before:
                if len(w ^ who) in range(1, people):
                    # Then it was told before that these are the accounts, and no more is now.
                    assert known
                    assert m != measure or measure == 0 or (measure, adds) in known
            for _, w, _ in cells[:n]:
                assert not (w < who or who < w) or len(w ^ who) >= people
        before += cells
        said = joined([said, made.sets])


ADVICE = re.compile(
    r"(?:Leave out `(\w+)`|Merge the days of `(\w+)` into months): (\d+) of (\d+) cells"
)


@pytest.mark.parametrize(
    "asked", [{}, {"count": "minutes"}, {"share_of": ["wave"]}, {"mean": "amount"}]
)
def test_advice_keeps_what_it_promises(asked):
    followed = Counter()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = random_rows(seed, 250).assign(code=rng.integers(0, 99, 250))
        table["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
            rng.integers(0, 70, 250), unit="D"
        )
        by = ["wave", "day", "code"][: 2 + seed % 2] if seed % 3 else ["wave", "code"]
        said = ruled(table[table["wave"] == 1]).sets if seed % 2 else NOTHING
        with pytest.raises(TooFewPeople) as refused:
            ruled(table, by, **asked, people=10, said=said)
        if not (advice := ADVICE.match(refused.value.fix)):
            assert refused.value.fix.startswith("Count more people at once")
            continue
        left_out, merged, n, n_cells = advice.groups()
        if merged:
            table = table.assign(day=table["day"].dt.to_period("M").dt.to_timestamp())
        made = ruled(
            table, [name for name in by if name != left_out], **asked, people=10, said=said
        )
        assert len(made.table) == int(n)
        assert len(made.table) + sum(made.withheld.values()) == int(n_cells)
        followed[left_out or merged] += 1
    assert followed["day"]
    assert followed["code"] or "share_of" in asked


def people_of(n, start=0, **columns):
    return pd.DataFrame({"account": NAMES[start : start + n]} | columns)


@pytest.mark.parametrize("n", [9, 10])
def test_a_cell_of_one_too_few_is_refused(n):
    table = people_of(n, c="x")
    if n == 10:
        assert ruled(table, "c", people=10).table.to_dict("records") == [{"c": "x", "people": 10}]
        return
    with pytest.raises(TooFewPeople, match="found 1 with too few people"):
        ruled(table, "c", people=10)


@pytest.mark.parametrize(("n_others", "passes"), [(0, True), (1, False), (9, False), (10, True)])
def test_too_few_others_in_the_study(n_others, passes):
    table = people_of(60 - n_others)
    if passes:
        assert ruled(table, people=10).table["people"].tolist() == [rounded(60 - n_others)]
        return
    with pytest.raises(DiffersByFew, match="1 with too few people apart"):
        ruled(table, people=10)


@pytest.mark.parametrize(("n_others", "passes"), [(0, False), (9, False), (10, True)])
def test_a_share_has_enough_on_both_sides(n_others, passes):
    table = people_of(30, c=["x"] * (30 - n_others) + ["y"] * n_others)
    if not passes:
        with pytest.raises(TooFewPeople, match="1 with too few people on the other side"):
            ruled(table, "c", share_of=[], people=10)
        return
    made = ruled(table, "c", share_of=[], people=10).table
    assert made.to_dict("list") == {
        "c": ["x", "y"],
        "people": [20, 10],
        "of_people": [30, 30],
        "share": [20 / 30, 10 / 30],
    }


@pytest.mark.parametrize("count", ["minutes", "plays"])
@pytest.mark.parametrize(
    ("top", "passes"), [((45, 45), True), ((80, 10), True), ((46, 45), False), ((91, 0), False)]
)
def test_two_people_make_no_more_than_nine_tenths(top, passes, count):
    # The others add ten in all.
    table = people_of(12, n_plays=[*top, *[1] * 10]).assign(
        watched_seconds=lambda t: t["n_plays"] * 60
    )
    made = None
    if passes:
        made = ruled(table, count=count, people=10).table.to_dict("records")
        assert made == [{"people": 10, count: 100}]
        return
    with pytest.raises(Dominated, match="made by one or two people"):
        ruled(table, count=count, people=10)
    # The same of who is in it passes, and the same of the sizes of what was lost.
    assert len(ruled(table, people=10).table) == 1
    with pytest.raises(Dominated):
        ruled(table.assign(n_plays=-table["n_plays"]), mean="n_plays", people=10)


def test_means_are_of_rows_that_no_one_person_has():
    table = people_of(20, x=np.arange(20) + 1.0)
    assert ruled(table, mean="x").table.to_dict("records") == [{"people": 20, "mean_x": 10.0}]
    many = pd.concat([table, *[people_of(1, x=0.0)] * 400], ignore_index=True)
    with pytest.raises(Dominated):
        ruled(many, mean="x")
    with pytest.raises(TooFewPeople, match="too few people on the other side"):
        ruled(people_of(20, x=7.3), mean="x")
    with pytest.raises(TooFewPeople, match="too few people on the other side"):
        ruled(people_of(20, x=0), mean="x")


@pytest.mark.parametrize(("n", "mean", "total"), [(99, 1.2, 120), (100, 1.23, 125)])
def test_digits_grow_with_the_people(n, mean, total):
    table = people_of(n, x=1.234, n_plays=1.234)
    table.loc[0, "x"] = 1.2341
    assert ruled(table, mean="x", n=150).table["mean_x"].tolist() == [mean]
    assert ruled(table, count="plays", n=150).table["plays"].tolist() == [total]
    large = table.assign(n_plays=12_345)
    expected = {99: 1_200_000, 100: 1_230_000}[n]
    assert ruled(large, count="plays", n=150).table["plays"].tolist() == [expected]


def test_counts_are_taken_from_columns_that_count():
    table = people_of(20, n_viewings=3, n_people=9, n_rewatchers=9, viewing_no=1, x=np.arange(20))
    assert ruled(table, count="viewings").table["viewings"].tolist() == [60]
    assert ruled(table.drop(columns="n_viewings"), count="viewings").table["viewings"].tolist() == [
        20
    ]
    assert ruled(table, mean="x").table["mean_x"].tolist() == [9.5]
    assert ruled(table).table["people"].tolist() == [20]
    assert ruled(table.assign(is_rewatch=True), count="rewatchers").table[
        "rewatchers"
    ].tolist() == [20]
    missing = table.assign(n_viewings=[3.0] * 15 + [np.nan] * 5)
    assert ruled(missing, count="viewings").table.to_dict("list") == {
        "people": [15],
        "viewings": [45],
    }


@pytest.mark.parametrize("count", [count for count in COUNTS if count != "people"])
def test_what_is_counted_must_be_there(count):
    with pytest.raises(ValueError, match=f"missing \\['{COUNTS[count]}'\\]") as refused:
        ruled(people_of(20), count=count)
    assert not isinstance(refused.value, Refused)


def test_a_tail_is_merged_only_where_a_number_comes_last():
    table = people_of(40, n_plays=np.arange(40) // 4, c=np.arange(40) % 2)
    open_ended = ruled(table, ["c", "n_plays"], people=10).table
    assert open_ended.groupby("c").tail(1)["n_plays_last"].isna().all()
    assert open_ended["people"].min() >= 10
    with pytest.raises(TooFewPeople):
        ruled(table, ["n_plays", "c"], people=10)
    # Nor are the numbers merged of which something is a share.
    wide = pd.concat([table.assign(n_plays=1), table.assign(n_plays=2, c=np.arange(40) % 3)])
    made = ruled(wide, ["c", "n_plays"], share_of=["n_plays"], people=10).table
    assert list(made) == ["c", "n_plays", "people", "of_people", "share"]
    assert made["of_people"].tolist() == [40] * len(made)


def test_whole_numbers_that_are_named_otherwise_are_not_merged():
    table = people_of(40, season=np.arange(40) // 20, n_letters=list("ab") * 20)
    assert list(ruled(table, "season").table) == ["season", "people"]
    assert list(ruled(table, "n_letters").table) == ["n_letters", "people"]


@pytest.mark.parametrize(
    "name", ["people", "plays", "rewatchers", "of_people", "share", "mean_x", "n_plays_last"]
)
def test_no_label_is_called_as_a_result(name):
    by = [name, "n_plays"] if name.endswith("_last") else [name]
    with pytest.raises(ValueError, match="`by` must not be called as what is released is"):
        ruled(
            people_of(20, x=1, n_plays=2, **({name: 1} if name != "n_plays_last" else {})),
            by,
            mean="x",
        )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"count": "hours"}, "`count` must be one of"),
        ({"count": "plays", "mean": "x"}, "`mean` must stand without another `count`"),
        ({"by": ["c", "c"]}, "`by` must be names of columns, each once"),
        ({"by": [3]}, "`by` must be names of columns, each once"),
        ({"by": "z"}, "missing \\['z'\\]"),
        ({"mean": "z"}, "missing \\['z'\\]"),
        ({"mean": "c"}, "`c` must be numbers, found str"),
        ({"mean": "t"}, "`t` must be numbers, found bool; of what is true or not"),
        ({"mean": "i"}, "`i` must hold numbers from -1e\\+11 to 1e\\+11"),
        ({"count": "minutes"}, "`watched_seconds` must hold numbers from 0e\\+00"),
        ({"by": "c", "share_of": "c"}, "`share_of` must be some of `by`, not all"),
        ({"by": "c", "share_of": "x"}, "`share_of` must be some of `by`, not all"),
        ({"by": ["c", "x"], "share_of": "c", "count": "plays"}, "and go with a count of people"),
        ({"by": ["c", "x"], "share_of": "c", "mean": "x"}, "and go with a count of people"),
    ],
)
def test_what_makes_no_sense_is_refused(asked, said):
    table = people_of(20, c="x", x=1, t=True, i=np.inf, watched_seconds=-1.0)
    with pytest.raises(ValueError, match=said) as refused:
        ruled(table, **asked)
    assert not isinstance(refused.value, Refused)


def test_names_of_columns_are_taken_in_any_form():
    assert as_columns(None) == as_columns([]) == as_columns(()) == []
    assert (
        as_columns("title")
        == as_columns(("title",))
        == as_columns(pd.Index(["title"]))
        == ["title"]
    )


@pytest.mark.parametrize("n_rows", [0, 1])
@pytest.mark.parametrize(
    "asked",
    [{}, {"by": "n_plays"}, {"by": "c", "share_of": []}, {"mean": "n_plays"}, {"count": "plays"}],
)
def test_next_to_nothing_is_too_few(asked, n_rows):
    table = people_of(1, n_plays=3, c="x").iloc[:n_rows]
    with pytest.raises(
        TooFewPeople, match="found 1 with too few people" if n_rows else "found no row"
    ):
        ruled(table, **asked)


def test_who_was_forgotten_counts_no_more_but_still_tells_cells_apart():
    accounts = pd.Index(NAMES[:30], dtype="object")
    asked = dict(by=None, count="people", mean=None, share_of=None, people=10)
    said = apply_rules(people_of(30), accounts=accounts, published=NOTHING, **asked).sets
    left = accounts.where(~accounts.isin(NAMES[3:5]), None)
    rest = people_of(30)[lambda t: t["account"].isin(left.dropna())]
    with pytest.raises(DiffersByFew):
        apply_rules(rest, accounts=left, published=said, **asked)
    assert apply_rules(rest, accounts=left, published=NOTHING, **asked).table[
        "people"
    ].tolist() == [30]
    with pytest.raises(PersonLevel, match="found 2 of 30 rows"):
        apply_rules(people_of(30), accounts=left, published=said, **asked)


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string[pyarrow]"])
def test_ids_may_be_held_in_any_dtype(dtype):
    table = random_rows(1)
    asked = {"by": ["title", "wave"], "count": "plays"}
    made, expected = ruled(table.astype({"account": dtype}), **asked), ruled(table, **asked)
    assert_frame_equal(made.table, expected.table)
    assert members(made.sets) == members(expected.sets)


def test_rounding_is_to_five():
    assert rounded(np.array([0, 2, 2.4, 3, 7, 8, 53, 997.6])).tolist() == [
        0,
        0,
        0,
        5,
        5,
        10,
        55,
        1000,
    ]
    assert rounded(12).tolist() == 10


def test_the_larger_of_two_that_hold_each_other_stays():
    rows = [people_of(30, c="a"), people_of(25, c="b"), people_of(20, c="d", start=10)]
    made = ruled(pd.concat(rows), "c", people=10)
    assert made.table["c"].tolist() == ["a", "d"]
    assert made.withheld == {WHY["near"]: 1}
    assert [len(cell) for cell in members(made.sets)] == [30, 20]
    assert all(a == b for a, b in itertools.pairwise(made.sets.measure))


def test_the_best_advice_is_given():
    table = people_of(40, d=np.arange(40), c=np.arange(40) % 3)
    with pytest.raises(TooFewPeople, match="Leave out `d`: 3 of 3 cells would pass"):
        ruled(table, ["d", "c"], people=5)


def test_means_of_two_columns_are_two_measures():
    table = people_of(40, x=np.arange(40.0), y=[7.0, *range(1, 40)])
    said = ruled(table, mean="x").sets
    assert len(ruled(table, mean="y", said=said).table) == 1
    with pytest.raises(DiffersByFew):
        ruled(table.assign(x=table["y"]), mean="x", said=said)
