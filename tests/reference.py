"""The obvious slow way, one viewer and one day at a time, to hold the fast one against."""

import datetime as dt
import zoneinfo

import pandas as pd

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)


def day_of(instant, tz, day_starts_at="00:00"):
    """The date on the wall clock in `tz`, less the start of the day."""
    hours, minutes = map(int, day_starts_at.split(":"))
    clock = instant.astimezone(zoneinfo.ZoneInfo(tz)).replace(tzinfo=None)
    return (clock - dt.timedelta(hours=hours, minutes=minutes)).date()


def viewer_days(plays, *, tz, day_starts_at, day_of_play, min_seconds):
    """{(viewer, title, day): (n_plays, seconds)} of plays that last whole minutes."""
    found = {}
    for play in plays.itertuples():
        start = play.started_at.to_pydatetime()
        minutes = int(play.watched_seconds // 60)
        first = day_of(start, play.tz if tz == "tz" else tz, day_starts_at)
        end = start + dt.timedelta(minutes=minutes) - dt.timedelta(microseconds=minutes > 0)
        last = max(first, day_of(end, play.tz if tz == "tz" else tz, day_starts_at))
        parts = {first: 0.0}
        if day_of_play == "end":
            parts = {last: 60.0 * minutes}
        elif day_of_play == "start":
            parts = {first: 60.0 * minutes}
        else:
            for minute in range(minutes):
                at = start + minute * MINUTE
                day = day_of(at, play.tz if tz == "tz" else tz, day_starts_at)
                parts[day] = parts.get(day, 0.0) + 60.0
        for number, (day, seconds) in enumerate(parts.items()):
            n, total = found.get((play.viewer, play.title, day), (0, 0.0))
            found[play.viewer, play.title, day] = (n + (number == 0), total + seconds)
    return {k: v for k, v in sorted(found.items()) if v[1] >= min_seconds}


def last_full_day(until, tz, day_starts_at="00:00"):
    """One less than the earliest day of any minute from `until` on."""
    later = [until + n * MINUTE for n in range(3 * 1440)]
    return min(day_of(at, tz, day_starts_at) for at in later) - DAY


def first_full_day(since, tz, day_starts_at="00:00"):
    """One more than the latest day of any minute before `since`."""
    before = [since - dt.timedelta(microseconds=1) - n * MINUTE for n in range(3 * 1440)]
    return max(day_of(at, tz, day_starts_at) for at in before) + DAY


def period_of(day, period, week_starts):
    """The first and the last day of the period in which a day lies."""
    if period == "day":
        return day, day
    if period == "week":
        back = (
            day.weekday() - ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"].index(week_starts)
        ) % 7
        return day - back * DAY, day + (6 - back) * DAY
    first = day.replace(day=1)
    return first, (first + 32 * DAY).replace(day=1) - DAY


def streaks(days, *, as_of, observed_from, max_gap, period, week_starts, in_progress):
    """[(first, last, n, is_open, may_start_earlier)] of the days of one viewer."""

    def cut(day):
        return period_of(day, period, week_starts)

    def neighbour(edges, steps):
        for _ in range(abs(steps)):
            edges = cut(edges[1] + DAY) if steps > 0 else cut(edges[0] - DAY)
        return edges

    seen = {d for d in days if d <= as_of and (observed_from is None or d >= observed_from)}
    found = []
    for edges in sorted({cut(day) for day in seen}):
        if found and edges in [neighbour(found[-1][-1], n) for n in range(1, max_gap + 2)]:
            found[-1].append(edges)
        else:
            found.append([edges])
    last_over = as_of - DAY if in_progress else as_of
    out = []
    for run in found:
        # It can grow if a period that would still join it is not over yet.
        grows = neighbour(run[-1], max_gap + 1)[1] > last_over
        earlier = None
        if observed_from is not None:
            # It may have begun earlier if a day that would still join it was not observed.
            earlier = neighbour(run[0], -(max_gap + 1))[0] < observed_from
        out.append((run[0][0], run[-1][1], len(run), grows, earlier))
    return out


def frame_of(plays):
    """A plays table of (viewer, title, started_at, seconds, tz) rows."""
    columns = ["viewer", "title", "started_at", "watched_seconds", "tz"]
    frame = pd.DataFrame(plays, columns=columns)
    return frame.assign(started_at=pd.to_datetime(frame["started_at"], utc=True))
