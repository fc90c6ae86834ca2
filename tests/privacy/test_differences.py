"""Which sets differ by few, beside plain sets compared one by one."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit.privacy import differences
from toolkit.privacy.differences import Sets, as_frame, differing_by_few, from_frame, joined


def as_sets(cells):
    """Sets of (measure, {account: (value, n_rows)})."""
    rows = [(who, *adds) for _, held in cells for who, adds in sorted(held.items())]
    account, value, n_rows = np.array(rows, "float64").reshape(-1, 3).T
    start = np.append(0, np.cumsum([len(held) for _, held in cells])).astype("int64")
    measure = np.array([measure for measure, _ in cells], "int64")
    return Sets(start, account.astype("int64"), value, n_rows.astype("int64"), measure)


def by_hand(old, new, people):
    """Say the same of each set by comparing it with all others."""
    said, refused = list(old), []
    for measure, held in new:
        few = range(1, people)
        equal = [(m, other) for m, other in old if other.keys() == held.keys()]
        alike = [other for m, other in equal if m == measure]
        n_other = [sum(held[who] != other[who] for who in held) for other in alike]
        # What of it is news: who is in it, and what is measured of them.
        is_who_new = not equal
        is_what_new = measure != 0 and 0 not in n_other
        is_refused = any(n in few for n in n_other)
        for n, (m, other) in enumerate(said):
            n_apart = len(held.keys() ^ other.keys())
            is_subtracted = n < len(old) or held.keys() < other.keys() or other.keys() < held.keys()
            if is_subtracted and n_apart in few:
                is_refused |= is_who_new or (is_what_new and m == measure)
        refused.append(is_refused)
        if not is_refused:
            said.append((measure, held))
    return refused


@st.composite
def releases(draw):
    """Old and new sets that are much alike, since each is another with a few changes."""
    people = draw(st.sampled_from([2, 3, 5]))
    n = draw(st.integers(people, 24))
    pool = [dict.fromkeys(range(n), (1.0, 1))]
    cells = []
    for _ in range(draw(st.integers(1, 9))):
        held = dict(draw(st.sampled_from(pool)))
        for who in draw(st.lists(st.integers(0, 30), max_size=7)):
            change = draw(st.sampled_from(["add", "drop", "value", "rows"]))
            if change == "add":
                held.setdefault(who, (1.0, 1))
            elif change == "drop" and len(held) > people:
                held.pop(who, None)
            elif change != "drop" and who in held:
                held[who] = (2.0, 1) if change == "value" else (1.0, 2)
        pool.append(held)
        measure = draw(st.sampled_from([0, 0, 4, 9]))
        cells.append((measure, held if measure else dict.fromkeys(held, (0.0, 1))))
    n_old = draw(st.integers(0, len(cells)))
    return cells[:n_old], cells[n_old:], people


@settings(max_examples=300, deadline=None)
@given(releases())
def test_the_refused_are_those_of_plain_sets(drawn):
    old, new, people = drawn
    found = differing_by_few(as_sets(old), as_sets(new), people=people)
    assert found.tolist() == by_hand(old, new, people)


@pytest.mark.parametrize("people", [5, 10, 50])
def test_no_pair_of_many_large_sets_is_missed(people, monkeypatch):
    monkeypatch.setattr(differences, "_MEMBERS", 500)
    rng = np.random.default_rng(people)
    cells = []
    for n in range(60):
        # Every third is a set before it but for about as many as matter.
        held = set(rng.choice(400, rng.integers(people, 3 * people), replace=False).tolist())
        if n % 3 == 2:
            held = set(cells[rng.integers(n)][1])
            while len(held) < people or rng.random() > 1 / people:
                held ^= {int(rng.integers(400))}
        cells.append((0, dict.fromkeys(held, (0.0, 1))))
    old, new = cells[:20], cells[20:]
    found = differing_by_few(as_sets(old), as_sets(new), people=people).tolist()
    assert found == by_hand(old, new, people)
    assert 0 < sum(found) < len(new)


def whole(n, start=0):
    return dict.fromkeys(range(start, start + n), (1.0, 1))


@pytest.mark.parametrize(("n_more", "is_refused"), [(0, False), (1, True), (9, True), (10, False)])
def test_where_few_ends(n_more, is_refused):
    old, new = [(0, whole(30))], [(0, whole(30 + n_more))]
    assert differing_by_few(as_sets(old), as_sets(new), people=10).tolist() == [is_refused]
    assert differing_by_few(as_sets(new), as_sets(old), people=10).tolist() == [is_refused]
    # The larger of one table comes first, and the smaller is not published beside it.
    found = differing_by_few(as_sets([]), as_sets(new + old), people=10)
    assert found.tolist() == [False, is_refused]


@pytest.mark.parametrize(("n_other", "is_refused"), [(0, False), (1, True), (9, True), (10, False)])
@pytest.mark.parametrize("other", [(1.5, 1), (1.0, 2)])
def test_where_few_that_add_something_else_end(n_other, other, is_refused):
    old = [(3, whole(30))]
    new = [(3, whole(30) | dict.fromkeys(range(n_other), other))]
    assert differing_by_few(as_sets(old), as_sets(new), people=10).tolist() == [is_refused]
    assert differing_by_few(as_sets(old), as_sets([(4, new[0][1])]), people=10).tolist() == [False]


def test_neighbours_of_one_table_are_not_measured_apart_later():
    # Two overlap, so neither is subtracted from the other in the table of both; what each of
    # them watched in all may not be told one after the other.
    one, other = whole(30), whole(30, start=1)
    table = [(0, one), (0, other)]
    assert not differing_by_few(as_sets([]), as_sets(table), people=10).any()
    # Who is in them is known, so both may be told again, and be measured in one table ...
    assert not differing_by_few(as_sets(table), as_sets(table[::-1]), people=10).any()
    minutes = [(3, one), (3, other)]
    assert not differing_by_few(as_sets(table), as_sets(minutes), people=10).any()
    # ... but not in two.
    then = table + minutes[:1]
    assert differing_by_few(as_sets(then), as_sets(minutes[1:]), people=10).tolist() == [True]
    # That they were once does not make other minutes of theirs pass.
    twice = [(3, dict.fromkeys(other, (2.0, 1)))]
    assert differing_by_few(as_sets(table + minutes), as_sets(twice), people=10).tolist() == [True]


def test_a_refused_set_keeps_no_other_from_being_published():
    old, new = [(0, whole(30))], [(0, whole(35)), (0, whole(41))]
    assert differing_by_few(as_sets(old), as_sets(new), people=10).tolist() == [True, False]
    old = [(3, whole(30))]
    changed = whole(30) | {0: (9.0, 1)}
    new = [(3, changed), (3, whole(30))]
    assert differing_by_few(as_sets(old), as_sets(new), people=10).tolist() == [True, False]


def test_small_sets_are_no_published_ones():
    for old, new in ([(0, whole(9))], []), ([], [(0, whole(9))]):
        with pytest.raises(ValueError, match="must have 10 accounts or more"):
            differing_by_few(as_sets(old), as_sets(new), people=10)


HELD = st.dictionaries(st.integers(0, 9), st.tuples(st.floats(0, 9), st.integers(1, 9)), min_size=1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), HELD), max_size=6), st.integers(0, 6))
@example([], 0)
def test_sets_stay_the_same_through_a_table_and_in_parts(cells, n):
    sets = as_sets(cells)

    def assert_same(made, expected):
        for one, other in zip(made, expected, strict=True):
            np.testing.assert_array_equal(one, other)

    assert_same(from_frame(as_frame(sets)), sets)
    assert_same(joined([as_sets(cells[:n]), as_sets(cells[n:])]), sets)
    some = [number for number in reversed(range(len(cells))) if number % 2]
    assert_same(sets.only(np.array(some, "int64")), as_sets([cells[number] for number in some]))
    mask = np.array([number % 2 == 0 for number in range(len(cells))], dtype=bool)
    assert_same(sets.only(mask), as_sets(cells[::2]))
    assert sets.sizes.tolist() == [len(held) for _, held in cells]
