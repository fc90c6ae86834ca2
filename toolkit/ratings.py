"""Ratings: how large an audience is in the average minute, and how it is shared."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.clock_cells import clock_slots
from toolkit.order import in_threads, stable_order
from toolkit.tables import require_confidence
from toolkit.watching import Watching, grid_of, in_whole_groups, pieces_of, watching_of, words_of

__all__ = ["audience"]

_MINUTE = 60_000_000
_MOST_ROWS = 2**25
_RESULT = ["started_at", "minutes", "window_minutes", "average_minute_audience", "universe"]
_RESULT += ["rating", "share", "people", "frequency", "low", "high"]


def audience(
    plays: pd.DataFrame,
    *,
    tz: str,
    by: str | Sequence[str] | None = "title",
    start,
    end,
    every: str | pd.Timedelta | None = None,
    groups: str | Sequence[str] | None = None,
    viewers: pd.DataFrame | None = None,
    universe=None,
    day_starts_at: str = "00:00",
    week_starts: str = "MON",
    dayparts: dict[str, str] | None = None,
    confidence: float | None = None,
) -> pd.DataFrame:
    """Measure audiences as broadcasters do: average-minute audience, rating and share.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.  The table of `to_viewings` serves too, where a viewing is one exposure.
    tz : str
        Name of a time zone, or of a column that names one for each play.
    by : str or list of str, default 'title'
        What audiences are told apart by: 'title', 'series' (a title that has none stands for
        itself), any other column of `plays` such as 'device', and the words of the clock
        'month', 'week', 'day', 'weekday', 'daypart' and 'hour'.  With None it is the
        audience of anything at all.
    start, end : datetime-like
        The window, of which `end` is not part.  What has no zone is read from the clock in
        `tz`; where that is a column, each viewer's own.
    every : str or pandas.Timedelta, optional
        Length of the slots into which the window is cut from its start, such as "1min"; the
        last may be shorter.  For days use ``by="day"``, which knows those of 23 hours.
    groups : str or list of str, optional
        Columns of `viewers`, or without it of `plays`, that name the groups of viewers whose
        audiences are measured apart, each with a universe of its own.
    viewers : pandas.DataFrame, optional
        One row per viewer with `viewer` and perhaps `account`; who never watched counts in
        the universe too.
    universe : int or mapping, optional
        Accounts that could have watched; with `groups` a number for each.  Without it those
        of `viewers`, or else all that have a play in the log, in the window or not.
    day_starts_at : str, default "00:00"
        When the days of `by` start on the clock.  06:00 is Nielsen's convention, 03:00 AGF's
        and 02:00 OzTAM's [1]_.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    dayparts : dict of str to str, optional
        The name of each daypart and when it starts, ``"HH:MM"``; it lasts until the next one
        does.  Every broadcaster has its own.
    confidence : float, optional
        Level of the interval of `rating`, which is left out if none is given.

    Returns
    -------
    pandas.DataFrame
        One row per cell, in the order of the columns of `by`, of `groups` and of the clock;
        where nobody watched it is 0:

        * the columns of `by` and `groups`, and with `every` the instant ``started_at``
        * ``minutes`` : float, minutes viewed on all screens together
        * ``window_minutes`` : float, minutes that the cell lasts
        * ``average_minute_audience`` : float, accounts watching in the average minute, each
          counted once however many screens it watches the cell on
        * ``universe`` : int, accounts
        * ``rating`` : float, average_minute_audience over universe
        * ``share`` : float, average_minute_audience over that of all cells at the same time
          and of the same group; NaN where nobody watched anything
        * ``people`` : int, accounts that watched at all, if only for a moment
        * ``frequency`` : float, plays that reach into the cell per account of `people`; NaN
          where there are none
        * ``low``, ``high`` : float, interval of `rating`, with `confidence`

    Raises
    ------
    ValueError
        If a column or a play's length is missing, a play has a date only, the zone is
        unknown, `end` is not after `start`, more people watched than the universe holds, or
        there would be more than 2**25 rows.

    See Also
    --------
    reach : how many watched for so many minutes.
    completion : starters, watchers, completers and views of titles.
    duplication : who watches both of two titles.

    Notes
    -----
    The average-minute audience is the audience of every minute added up, over the number of
    minutes [2]_; here to the microsecond, so that half a minute counts half.  A play runs
    from its start for as long as was watched, pauses left out at its end.  Plays of nothing
    are no audience.

    ``minutes`` count every screen, as Netflix's hours viewed do, and add up whatever the
    split.  An audience counts an account once at any instant within a cell: without plays
    that overlap, `average_minute_audience` is `minutes` over `window_minutes`.  Whoever
    watches two titles at once is in the audience of both, and in the total viewing that
    shares are of twice, so that shares sum to 1 [3]_.  ``by=None`` counts them once, which is
    what the trade calls people (or homes) using television.

    A viewer's groups are its own; an account of two groups is in the audience of both.

    The interval is Wilson's for a share with the effective sample size
    ``r (1 - r) / v``, v being the variance of the mean over accounts of the part of the
    window that each watched [4]_.  It takes the universe for a random sample of accounts,
    and is too short where fewer than a dozen of them watched.

    References
    ----------
    .. [1] CIMM, "Broadcasting Day", Lexicon of Terms and Definitions; OzTAM and AGF,
       glossaries.
    .. [2] Thinkbox, "BARB glossary": programme audience, the average of all minute audiences.
    .. [3] Video Advertising Bureau (CAB), glossary: rating is share times the level of
       viewing.
    .. [4] E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small
       expected number of positive counts estimated from survey data", Survey Methodology 24
       (1998) 193-201, with Wilson's interval in place of Clopper and Pearson's.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "bob", "bob"], "title": ["Heat", "Heat", "Alien"],
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 20:30Z", "2024-03-01 21:30Z"]
    ...     ),
    ...     "watched_seconds": [7200.0, 3600.0, 1800.0],
    ... })
    >>> table = audience(plays, tz="UTC", start="2024-03-01 20:00", end="2024-03-01 22:00")
    >>> table[["title", "minutes", "average_minute_audience", "rating", "share"]]
       title  minutes  average_minute_audience  rating     share
    0  Alien     30.0                     0.25   0.125  0.142857
    1   Heat    180.0                     1.50   0.750  0.857143
    """
    if confidence is not None:
        require_confidence(confidence)
    for name, edge in (("start", start), ("end", end)):
        if edge is None:
            raise ValueError(f"`{name}` must be an instant or a time on the clock, got None.")
    columns, words = words_of(by, _RESULT)
    watching = watching_of(
        plays, tz=tz, columns=columns, groups=groups, viewers=viewers, universe=universe,
        start=start, end=end, needs_hours=True, needs_lengths=True,
    )  # fmt: skip
    if every is None:
        times, sums, lasts = _by_clock(
            watching, words, day_starts_at, week_starts, dayparts, confidence is not None
        )
    else:
        times, sums, lasts = _by_slot(watching, words, every, confidence is not None)
    table = grid_of(watching.cells, times)
    return pd.concat([table, _rated(watching, sums, lasts, confidence)], axis=1)


def _rated(watching, sums: dict, lasts: np.ndarray, confidence) -> pd.DataFrame:
    """Return the measures of every cell from its sums, each an array of cells by times."""
    shape = sums["people"].shape
    universe = np.broadcast_to(watching.universe[:, None], shape)
    if (many := sums["people"] > universe).any():
        raise ValueError(
            "`universe` must be at least the people who watched, found "
            f"{sums['people'][many].max()} of {universe[many].min():g}."
        )
    size = sums["audience"].astype("float64")
    with np.errstate(divide="ignore", invalid="ignore"):
        share = size / _of_all(size, watching.n_groups)
        frequency = np.where(sums["people"] > 0, sums["plays"] / sums["people"], np.nan)
        rating = size / universe
    measures = {
        "minutes": sums["watched"] / _MINUTE,
        "window_minutes": np.broadcast_to(lasts / _MINUTE, shape),
        "average_minute_audience": size,
        "universe": universe,
        "rating": rating,
        "share": share,
        "people": sums["people"],
        "frequency": frequency,
    }
    if confidence is not None:
        measures |= _interval(rating, sums["squares"], universe, confidence)
    return pd.DataFrame({name: values.ravel() for name, values in measures.items()})


def _of_all(size: np.ndarray, n_groups: int) -> np.ndarray:
    """Return for each cell the audience of all contents at the same time, group by group."""
    parts = size.reshape(-1, max(n_groups, 1), size.shape[1])
    return np.broadcast_to(parts.sum(axis=0), parts.shape).reshape(size.shape)


def _interval(rating, squares, universe, confidence: float) -> dict[str, np.ndarray]:
    """Return Wilson's limits of a mean share of the window with its effective sample size."""
    from scipy import special

    z = special.ndtri((1 + confidence) / 2)
    inner = rating * (1 - rating)
    spread = np.maximum(squares / universe - rating**2, 0) / np.maximum(universe - 1, 1)
    # Nobody, or everybody all the time, differs from none: as many count as there are.
    n = np.where(spread > 0, inner / np.where(spread > 0, spread, 1), universe)
    middle = rating + z**2 / (2 * n)
    reach = z * np.sqrt(inner / n + (z / (2 * n)) ** 2)
    low, high = ((middle + sign * reach) / (1 + z**2 / n) for sign in (-1, 1))
    return {"low": np.where(rating <= 0, 0.0, low), "high": np.where(rating >= 1, 1.0, high)}


def _by_clock(watching: Watching, words: list, day_starts_at, week_starts, dayparts, squared: bool):
    """Sum up over the cells of the clock, which may come again and again."""
    if not words and watching.zone is None:
        return _at_once(watching, squared)
    times, slots = clock_slots(
        words or ["day"], watching.zones, watching.low, watching.high,
        day_starts_at=day_starts_at, week_starts=week_starts, dayparts=dayparts,
    )  # fmt: skip
    if not words:
        times = pd.DataFrame(index=[0])
        slots = [(edges[[0, -1]], np.zeros(1, dtype="int64")) for edges, _ in slots]
    n_cells, n_times = len(watching.cells), len(times)
    _require_room(n_cells, n_times)
    lasts = np.stack([np.bincount(row, np.diff(edges), n_times) for edges, row in slots])
    n_bins = n_cells * n_times

    def count(block: slice) -> dict[str, np.ndarray]:
        found = _pieces(watching, block, slots)
        found = {
            name: (cell * n_times + time, *rest) for name, (cell, time, *rest) in found.items()
        }
        at, us, *_ = found["all"]
        sums = {"watched": _whole_sums(at, us, n_bins), "plays": np.bincount(at, minlength=n_bins)}
        at, us, zone, person = found["once"]
        sums["once"] = _whole_sums(zone * n_bins + at, us, len(slots) * n_bins)
        part = us / lasts[zone, at % n_times]
        # A row for each account and cell.
        key = person * n_times + at % n_times
        if (key[1:] < key[:-1]).any():
            order = stable_order(key)
            key, at, part = key[order], at[order], part[order]
        head = np.flatnonzero(np.diff(key, prepend=-1))
        sums["people"] = np.bincount(at[head], minlength=n_bins)
        if squared:
            parts = np.add.reduceat(part, head) if len(head) else part
            sums["squares"] = np.bincount(at[head], parts**2, n_bins)
        return sums

    blocks = in_whole_groups(watching.person, 2 * n_bins)
    sums = _added(in_threads(count, blocks or [slice(0, 0)]), (n_cells, n_times))
    once = sums.pop("once").reshape(len(slots), n_cells, n_times).swapaxes(0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A cell that the window of a zone does not have is nothing to it.
        sums["audience"] = np.where(lasts > 0, once / lasts, 0).sum(axis=1)
    return times, sums, lasts.max(axis=0)


def _at_once(watching: Watching, squared: bool):
    """Sum up over the whole window of one zone."""
    n_cells, lasts = len(watching.cells), watching.high - watching.low

    def count(block: slice) -> dict[str, np.ndarray]:
        start, end, cell, new = (
            a[block] for a in (watching.start, watching.end, watching.cell, watching.is_new)
        )
        sums = {"watched": _whole_sums(cell, end - start, n_cells)}
        sums["plays"] = np.bincount(cell, minlength=n_cells)
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(new))[: len(first)] - 1
        us = end[last] - start[first]
        sums["once"] = _whole_sums(cell[first], us, n_cells)
        person = watching.person[block][first]
        head = np.flatnonzero(np.diff(person, prepend=-1))
        own = cell[first[head]]
        sums["people"] = np.bincount(own, minlength=n_cells)
        if squared:
            parts = np.add.reduceat(us, head) / lasts if len(head) else us.astype("float64")
            sums["squares"] = np.bincount(own, parts**2, n_cells)
        return sums

    blocks = in_whole_groups(watching.person, 2 * n_cells)
    sums = _added(in_threads(count, blocks or [slice(0, 0)]), (n_cells, 1))
    return pd.DataFrame(index=[0]), sums | {"audience": sums["once"] / lasts}, lasts


def _pieces(watching: Watching, block: slice, slots: list) -> dict[str, tuple]:
    """Cut a block's spans, all of them and those that count once, at the edges of their zone."""
    new = np.flatnonzero(watching.is_new[block])
    until = np.append(new[1:], len(watching.is_new[block])) - 1 if len(new) else new
    start, end = watching.start[block], watching.end[block]
    spans = {"all": (np.arange(len(start)), start, end), "once": (new, start[new], end[until])}
    found = {}
    for name, (row, low, high) in spans.items():
        zone = np.zeros(len(row), dtype="int64")
        if watching.zone is not None:
            zone = watching.zone[block][row]
        parts = []
        for code, (edges, times) in enumerate(slots):
            some = np.flatnonzero(zone == code) if len(slots) > 1 else slice(None)
            piece, slot, us = pieces_of(low[some], high[some], edges)
            if not us.all():
                piece, slot, us = (a[us > 0] for a in (piece, slot, us))
            at = row[some][piece]
            ids = watching.cell[block][at], times[slot], us, np.full(len(us), code)
            parts.append((*ids, watching.person[block][at]))
        found[name] = tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))
    return found


def _by_slot(watching: Watching, words: list, every, squared: bool):
    """Sum up over slots of one length, by what changes at the edges of spans."""
    if words or len(watching.zones) != 1:
        raise ValueError("`every` must go with one zone and no words of the clock in `by`.")
    width = _width(every)
    low, high = int(watching.low[0]), int(watching.high[0])
    n_slots = -(-(high - low) // width)
    n_cells = len(watching.cells)
    _require_room(n_cells, n_slots)
    n_bins = n_cells * n_slots

    def count(block: slice) -> dict[str, np.ndarray]:
        start, end = watching.start[block] - low, watching.end[block] - low
        first, last = start // width, (end - 1) // width
        after, until = (first + 1) * width - start, (last + 1) * width - end
        base = watching.cell[block] * n_slots
        first += base
        last += base
        new = watching.is_new[block]
        is_last = np.append(new[1:], True)[: len(new)]
        changes = {}
        for name, at_start, at_end in (("once", new, is_last), ("again", ~new, ~is_last)):
            if name == "again" and new.all():
                continue
            ups, downs = first[at_start], last[at_end]
            changes[f"{name} started"] = np.bincount(ups, minlength=n_bins)
            changes[f"{name} ended"] = np.bincount(downs, minlength=n_bins)
            changes[f"{name} rest"] = _whole_sums(ups, after[at_start], n_bins) - _whole_sums(
                downs, until[at_end], n_bins
            )
        # Who comes again within the slot in which they left is there once.
        ups, downs, person = first[new], last[is_last], watching.person[block][new]
        back = (ups[1:] == downs[:-1]) & (person[1:] == person[:-1])
        changes["back"] = np.bincount(ups[1:][back], minlength=n_bins)
        if squared:
            length = end[is_last] - start[new]
            parts = np.minimum(after[new], length), width - until[is_last]
            changes["squares"], changes["inner"] = _edges(ups, downs, person, parts, n_bins)
        return changes

    blocks = in_whole_groups(watching.person, 2 * n_bins)
    found = _added(in_threads(count, blocks or [slice(0, 0)]), (n_cells, n_slots))
    lasts = np.full(n_slots, width)
    lasts[-1:] = high - low - (n_slots - 1) * width
    watched, plays = _through(found, "once", width)
    sums = {"audience": watched / lasts, "people": plays - found["back"]}
    if squared:
        inner = plays - found["once started"] - found["inner"]
        sums["squares"] = found["squares"] / lasts.astype("float64") ** 2 + inner
    sums |= {"watched": watched, "plays": plays}
    if "again started" in found:
        more, more_plays = _through(found, "again", width)
        sums |= {"watched": watched + more, "plays": plays + more_plays}
    times = pd.array(low + np.arange(n_slots) * width, dtype="datetime64[us, UTC]", copy=False)
    return pd.DataFrame({"started_at": times}), sums, lasts


def _through(found: dict, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how long spans last in each slot in all, and how many reach into it."""
    started, ended, rest = (found[f"{name} {what}"] for what in ("started", "ended", "rest"))
    over = np.cumsum(started - ended, axis=1) - started + ended
    return rest + width * over, over + started


def _edges(ups, downs, person, parts: tuple, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each slot the squared time of those not there all along, and how many leave it."""
    across = ups != downs
    slot = np.stack([ups, downs], axis=1)
    us = np.stack([parts[0], np.where(across, parts[1], 0)], axis=1).ravel().astype("float64")
    head = np.ones(slot.size, dtype=bool)
    flat, who = slot.ravel(), np.repeat(person, 2)
    head[1:] = (flat[1:] != flat[:-1]) | (who[1:] != who[:-1])
    head = np.flatnonzero(head)
    own = np.add.reduceat(us, head) if len(head) else us
    left = np.bincount(downs[across], minlength=n_bins)
    return np.bincount(flat[head], own**2, n_bins), left


def _whole_sums(at: np.ndarray, us: np.ndarray, n_bins: int) -> np.ndarray:
    """Return sums of microseconds as whole numbers, which a block's are to the last digit."""
    return np.bincount(at, us, n_bins).astype("int64")


def _added(parts: list[dict], shape: tuple) -> dict[str, np.ndarray]:
    """Add up what blocks have found."""
    sums = {}
    for part in parts:
        for name, values in part.items():
            sums[name] = sums[name] + values if name in sums else values
    size = shape[0] * shape[1]
    return {n: v.reshape(shape) if v.size == size else v for n, v in sums.items()}


def _width(every) -> int:
    try:
        width = pd.Timedelta(every) // pd.Timedelta(microseconds=1)
    except (ValueError, TypeError):
        width = 0
    if not width > 0:
        raise ValueError(f"`every` must be a duration such as '1min', above 0, got {every!r}.")
    return int(width)


def _require_room(n_cells: int, n_times: int) -> None:
    if n_cells * n_times > _MOST_ROWS:
        raise ValueError(
            f"`every` and `by` must leave at most {_MOST_ROWS} rows, got {n_cells} cells at "
            f"{n_times} times each."
        )
