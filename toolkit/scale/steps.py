"""Steps: which are computed part by part, what each part must give, and what is made of it all."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
from pandas.testing import assert_frame_equal

from toolkit.activity import frequency_recency
from toolkit.binges import find_binges
from toolkit.cohorts import assign_cohorts
from toolkit.days import to_viewer_days
from toolkit.places import count_abroad, count_places
from toolkit.rewatch import count_viewings, rewatch_gaps
from toolkit.scale.aggregates import AGGREGATES
from toolkit.scale.joining import as_source, only_used, together
from toolkit.sittings import to_sittings
from toolkit.store.files import bucket_numbers, kinds_of
from toolkit.streaks import NotWatched, find_streaks, longest_streaks, watched_every_day
from toolkit.viewings import to_viewings

__all__ = ["Plan", "applied", "compute_part", "planned", "steps_of_parts"]

# Steps that are known to treat each viewer alone.
_ALONE = {
    to_viewer_days,
    to_viewings,
    find_streaks,
    longest_streaks,
    watched_every_day,
    assign_cohorts,
    frequency_recency,
    count_viewings,
    rewatch_gaps,
    to_sittings,
    find_binges,
    count_places,
    count_abroad,
    *(of_part for of_part, _ in AGGREGATES.values()),
}
# Others are tried on the viewers of so many rows, cut in so many.
_TRIED, _TRIALS = 2**14, 8


class Plan(NamedTuple):
    """Functions with their arguments: those for each part, and those for the whole.

    `empty` is what each part must give, but for the rows.
    """

    of_parts: list[tuple[Callable, dict]]
    empty: pd.DataFrame
    of_all: list[tuple[Callable, dict]]


def planned(steps: Sequence, empty: pd.DataFrame, combine: Callable | None) -> Plan:
    """Tell by a table without rows which steps are for parts, and what these give."""
    if callable(steps):
        raise ValueError(f"`steps` must be a list of functions, got {_name(steps)} alone.")
    pairs = [_as_pair(step) for step in steps]
    table, of_parts = as_source(empty), []
    for n, (function, arguments) in enumerate(pairs, 1):
        _refuse(function, arguments)
        of_part, of_all = AGGREGATES.get(function, (function, None))
        of_parts.append((of_part, arguments))
        try:
            if of_all is not None:
                # Its parts may not look at all of the arguments.
                function(table, **arguments)
            table = _called(of_part, table, arguments)
        except Exception as error:
            error.add_note("`run` first tries each step on a table without rows.")
            raise
        if of_all is not None:
            rest = [(of_all, arguments), (only_used, {}), *pairs[n:]]
        elif "viewer" in table:
            continue
        elif combine is not None:
            rest, combine = [(combine, {}), *pairs[n:]], None
        else:
            raise ValueError(
                "`combine` must be given with an aggregate that `run` does not know, "
                f"found that {_name(function)} returns {list(table)} without `viewer`."
            )
        break
    else:
        rest = []
    if combine is not None:
        raise ValueError("`combine` must go with an aggregate of your own, found none in `steps`.")
    return Plan(of_parts, table[:0], rest)


def steps_of_parts(steps: list[tuple[Callable, dict]], n_parts: int) -> list[list]:
    """Return the steps of each part, with arguments that know its viewers only."""
    homes = {
        id(value): bucket_numbers(value["viewer"], n_parts)
        for _, arguments in steps
        for value in arguments.values()
        if _has_viewers(value)
    }
    return [
        _with_own(steps, lambda frame, number=number: homes[id(frame)] == number)
        for number in range(n_parts)
    ]


def compute_part(
    part: Callable | pd.DataFrame, plan: Plan, is_first: bool
) -> pd.DataFrame | NotWatched:
    """Return what the steps give of one part, once it is what they promise."""
    table = as_source(part() if callable(part) else part)
    try:
        made = _parted(table, plan.of_parts)
    except NotWatched as error:
        return error
    found, wanted = kinds_of(made), kinds_of(plan.empty)
    if list(found.items()) != list(wanted.items()):
        raise ValueError(
            "`steps` must give every part the columns and dtypes that they give a table without "
            f"rows, {wanted}, found {found}."
        )
    if is_first and any(_is_own(function) for function, _ in plan.of_parts):
        _require_each_alone(table, plan)
    return made


def applied(table: pd.DataFrame, steps: list[tuple[Callable, dict]]) -> pd.DataFrame:
    """Return what one step after the other makes of a table."""
    for function, arguments in steps:
        table = function(table, **arguments)
    return table


def _parted(table: pd.DataFrame, steps: list[tuple[Callable, dict]]) -> pd.DataFrame:
    """Return what steps make of a part."""
    for function, arguments in steps:
        if function is watched_every_day and table.empty:
            # Whether its title is known others can tell.
            raise NotWatched
        table = _called(function, table, arguments)
    return table


def _called(function: Callable, table: pd.DataFrame, arguments: dict) -> pd.DataFrame:
    """Return what a step makes of a part, whose viewers must stay those of the part."""
    made = function(table, **arguments)
    if not isinstance(made, pd.DataFrame) or not made.columns.is_unique:
        found = list(made) if isinstance(made, pd.DataFrame) else type(made).__name__
        raise ValueError(
            "`steps` must return frames that name each column once, found that "
            f"{_name(function)} returns {found}."
        )
    if _is_own(function) and _has_viewers(made):
        known = _viewers_of(table, *filter(_has_viewers, arguments.values()))
        if others := _viewers_of(made) - known:
            raise ValueError(
                "`steps` must return viewers that they were given, found that "
                f"{_name(function)} returns {len(others)} others; viewers of one account may "
                "be in different parts."
            )
    return made


def _require_each_alone(table: pd.DataFrame, plan: Plan) -> None:
    """Refuse steps that give something else for some of the viewers than for all."""
    viewers = table["viewer"][:_TRIED].dropna().unique()
    tables = []
    for some in (viewers, *(viewers[n::_TRIALS] for n in range(_TRIALS))):
        steps = _with_own(plan.of_parts, lambda frame, some=some: frame["viewer"].isin(some))
        rows = table["viewer"].isin(some)
        try:
            tables.append(_parted(table[rows].reset_index(drop=True), steps))
        except NotWatched:
            tables.append(plan.empty)
    whole = applied(together(tables[:1]), plan.of_all[:1])
    parted = applied(together(tables[1:]), plan.of_all[:1])
    try:
        assert_frame_equal(whole, parted, rtol=1e-9)
    except AssertionError:
        own = [_name(step[0]) for step in plan.of_parts if _is_own(step[0])]
        raise ValueError(
            "`steps` must treat each viewer alone, found that some of them alone give another "
            f"result than all; your own are {', '.join(own)}."
        ) from None


def _with_own(steps: list[tuple[Callable, dict]], rows: Callable) -> list[tuple[Callable, dict]]:
    """Return steps with those rows of arguments with `viewer` that `rows` tells of each."""
    return [
        (
            function,
            {
                name: only_used(value[rows(value)]) if _has_viewers(value) else value
                for name, value in arguments.items()
            },
        )
        for function, arguments in steps
    ]


def _as_pair(step) -> tuple[Callable, dict]:
    function, arguments = step if isinstance(step, tuple) and len(step) == 2 else (step, {})
    if not callable(function) or not isinstance(arguments, dict):
        raise ValueError(
            "`steps` must be functions, or pairs of a function and a dict of its arguments, "
            f"got {step!r}."
        )
    return function, arguments


def _refuse(function: Callable, arguments: dict) -> None:
    if function is count_viewings and arguments.get("viewers") is not None:
        raise ValueError(
            "`count_viewings` must go without `viewers` in `steps`: which titles a viewer never "
            "watched depends on what others watched."
        )


def _viewers_of(*tables: pd.DataFrame) -> set:
    return set().union(*(table["viewer"].dropna().unique() for table in tables))


def _has_viewers(value) -> bool:
    return isinstance(value, pd.DataFrame) and "viewer" in value


def _is_own(function: Callable) -> bool:
    return function not in _ALONE


def _name(function: Callable) -> str:
    return getattr(function, "__name__", repr(function))
