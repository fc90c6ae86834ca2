"""Time audience tables against other engines, and write benchmarks/README.md.

An audience counts a viewer once at any instant, however many plays overlap; minutes viewed
count every play.  All times are whole microseconds, in every engine.
"""

import functools

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import measure
from benchmarks.data import FIRST_DAY, N_DAYS
from benchmarks.engines import (
    DAY,
    duckdb_result,
    duckdb_table,
    numbers,
    pandas_table,
    polars_table,
)
from toolkit.ratings import audience

_PLAYS = ("viewer", "title", "started_at", "watched_seconds")
_MINUTE = 60_000_000
# A day more on both sides than plays start on.
_LOW = (int(FIRST_DAY.astype("int64")) - 1) * DAY
_N_MINUTES = (N_DAYS + 3) * 1440
_HIGH = _LOW + _N_MINUTES * _MINUTE
_WINDOW = {"tz": "UTC", "start": pd.Timestamp(_LOW * 1000, tz="UTC")} | {
    "end": pd.Timestamp(_HIGH * 1000, tz="UTC")
}
# A viewer's instants follow one another in one number.
_ROOM = 2**46


def toolkit_minutes(table: pd.DataFrame) -> pd.DataFrame:
    return audience(table, by=None, every="1min", **_WINDOW)


def toolkit_titles(table: pd.DataFrame) -> pd.DataFrame:
    return audience(table, by="title", **_WINDOW)


def polars_published_minutes(table: pl.DataFrame) -> pl.DataFrame:
    plays = _polars_spans(table).lazy()
    once = _polars_islands(plays.sort("viewer", "start"), ["viewer"])
    minutes = pl.LazyFrame({"minute": pl.arange(_N_MINUTES, eager=True)})
    for name, spans in (("watched", plays), ("once", once)):
        minutes = minutes.join(_polars_exploded(spans, name), on="minute", how="left")
    return minutes.fill_null(0).collect(engine="streaming")


def _polars_exploded(spans: pl.LazyFrame, name: str) -> pl.LazyFrame:
    first, last = pl.col("start") // _MINUTE, (pl.col("end") - 1) // _MINUTE
    begin = pl.col("minute") * _MINUTE
    lasts = pl.min_horizontal("end", begin + _MINUTE) - pl.max_horizontal("start", begin)
    return (
        spans.select("start", "end", minute=pl.int_ranges(first, last + 1))
        .explode("minute")
        .group_by("minute")
        .agg(lasts.sum().alias(name))
    )


def polars_published_titles(table: pl.DataFrame) -> pl.DataFrame:
    plays = _polars_spans(table)
    ids = ["viewer", "title"]
    once = _polars_islands(plays.lazy().sort(*ids, "start"), ids).collect()
    lasts = (pl.col("end") - pl.col("start")).sum()
    sums = plays.group_by("title").agg(watched=lasts, plays=pl.len())
    people = once.group_by("title").agg(once=lasts, people=pl.col("viewer").n_unique())
    return sums.join(people, on="title")


def _polars_spans(table: pl.DataFrame) -> pl.DataFrame:
    start = pl.col("started_at").to_physical() - _LOW
    lasts = (pl.col("watched_seconds") * 1e6).cast(pl.Int64)
    return table.select("viewer", "title", start=start, end=start + lasts)


def _polars_islands(plays: pl.LazyFrame, ids: list[str]) -> pl.LazyFrame:
    before = pl.col("end").cum_max().shift().over(ids)
    islands = plays.with_columns(new=(pl.col("start") > before).fill_null(True))
    islands = islands.with_columns(island=pl.col("new").cum_sum())
    edges = pl.col(*ids).first(), pl.col("start").min(), pl.col("end").max()
    return islands.group_by("island").agg(*edges)


def polars_expert_minutes(table: pl.DataFrame) -> pl.DataFrame:
    base = pl.col("viewer").to_physical().cast(pl.Int64) * _ROOM
    start = pl.col("started_at").to_physical() - _LOW
    lasts = (pl.col("watched_seconds") * 1e6).cast(pl.Int64)
    # Starts and ends in order, each by themselves, tell where nobody of a viewer's plays is on.
    keys = table.lazy().select(start=(base + start).sort(), end=(base + start + lasts).sort())
    new = (pl.col("start") > pl.col("end").shift()).fill_null(True)
    keys = keys.select(
        start=pl.col("start") % _ROOM,
        end=pl.col("end") % _ROOM,
        new=new,
        last=new.shift(-1, fill_value=True),
    ).collect()
    minutes = pl.LazyFrame({"minute": pl.arange(_N_MINUTES, eager=True, dtype=pl.Int64)})
    for edge, flag, sign in (("start", "new", 1), ("end", "last", -1)):
        minute = (pl.col(edge) - int(edge == "end")) // _MINUTE
        rest = ((minute + 1) * _MINUTE - pl.col(edge)) * sign
        some = keys.lazy().select(pl.col(flag).alias("flag"), minute=minute, rest=rest)
        sums = some.group_by("minute").agg(
            pl.len().cast(pl.Int64).alias(f"{edge}_n"),
            pl.col("flag").sum().cast(pl.Int64).alias(f"{edge}_once"),
            pl.col("rest").sum().alias(f"{edge}_rest"),
            pl.col("rest").filter("flag").sum().alias(f"{edge}_rest_once"),
        )
        minutes = minutes.join(sums, on="minute", how="left", maintain_order="left")
    minutes = minutes.fill_null(0)

    def through(n: str, rest: str) -> pl.Expr:
        step = pl.col(f"start_{n}") - pl.col(f"end_{n}")
        over = step.cum_sum() - step
        return over * _MINUTE + pl.col(f"start_{rest}") + pl.col(f"end_{rest}")

    return minutes.select(
        "minute", watched=through("n", "rest"), once=through("once", "rest_once")
    ).collect()


def polars_expert_titles(table: pl.DataFrame) -> pl.DataFrame:
    # The table is in order; whatever overlaps is known from the running end.
    plays = _polars_spans(table).with_columns(pl.col("viewer", "title").to_physical())
    other = (pl.col("viewer") != pl.col("viewer").shift()) | (
        pl.col("title") != pl.col("title").shift()
    )
    plays = plays.with_columns(other=other.fill_null(True))
    group = pl.col("other").cum_sum().cast(pl.Int64)
    # The ends of earlier groups are lower, so that a running maximum needs no groups.
    low = group.cast(pl.Int128) * _ROOM
    reached = (low + pl.col("end")).cum_max().shift().fill_null(0) - low
    begin = pl.max_horizontal("start", reached.clip(lower_bound=0).cast(pl.Int64))
    once = (pl.col("end") - begin).clip(lower_bound=0)
    plays = plays.lazy().select("title", "other", lasts=pl.col("end") - pl.col("start"), once=once)
    sums = plays.group_by("title").agg(
        watched=pl.col("lasts").sum(), once=pl.col("once").sum(), plays=pl.len(),
        people=pl.col("other").sum(),
    )  # fmt: skip
    return sums.collect()


def duckdb_published_minutes(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        WITH {_DUCKDB_SPANS}, {_islands("viewer")},
        watched AS ({_DUCKDB_EXPLODED.format(spans="spans")}),
        once AS ({_DUCKDB_EXPLODED.format(spans="islands")})
        SELECT minute, coalesce(watched.us, 0) AS watched, coalesce(once.us, 0) AS once
        FROM (SELECT unnest(range({_N_MINUTES})) AS minute)
        LEFT JOIN watched USING (minute) LEFT JOIN once USING (minute)""",
    )


def duckdb_published_titles(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        WITH {_DUCKDB_SPANS}, {_islands("viewer, title")},
        once AS (
            SELECT title, sum(stop - start) AS once, count(DISTINCT viewer) AS people
            FROM islands GROUP BY title
        ), watched AS (
            SELECT title, sum(stop - start) AS watched, count(*) AS plays
            FROM spans GROUP BY title
        )
        SELECT * FROM watched JOIN once USING (title)""",
    )


def duckdb_expert_minutes(engine) -> duckdb.DuckDBPyConnection:
    edges = []
    for edge, flag, back, sign in (("start", "new", 0, 1), ("stop", "last", 1, -1)):
        edges.append(f"""
            SELECT ({edge} - {back}) // {_MINUTE} AS minute, {sign} * count(*) AS n,
                {sign} * count_if({flag}) AS n_once,
                {sign} * sum((({edge} - {back}) // {_MINUTE} + 1) * {_MINUTE} - {edge}) AS rest,
                {sign} * sum((({edge} - {back}) // {_MINUTE} + 1) * {_MINUTE} - {edge})
                    FILTER ({flag}) AS rest_once
            FROM joined GROUP BY ALL""")
    return duckdb_result(
        engine,
        f"""
        WITH {_DUCKDB_SPANS}, starts AS (
            SELECT enum_code(viewer)::BIGINT * {_ROOM} + start AS start FROM spans ORDER BY 1
        ), stops AS (
            SELECT enum_code(viewer)::BIGINT * {_ROOM} + stop AS stop FROM spans ORDER BY 1
        ), joined AS MATERIALIZED (
            SELECT start % {_ROOM} AS start, stop % {_ROOM} AS stop, new,
                lead(new, 1, true) OVER () AS last
            FROM (
                SELECT *, coalesce(start > lag(stop) OVER (), true) AS new
                FROM starts POSITIONAL JOIN stops
            )
        ), edges AS (
            SELECT minute, sum(n) AS n, sum(n_once) AS n_once, sum(rest) AS rest,
                sum(rest_once) AS rest_once
            FROM ({" UNION ALL ".join(edges)}) GROUP BY minute
        )
        SELECT minute,
            coalesce(rest, 0) + {_MINUTE} * coalesce(sum(n) OVER before, 0) AS watched,
            coalesce(rest_once, 0) + {_MINUTE} * coalesce(sum(n_once) OVER before, 0) AS once
        FROM (SELECT unnest(range({_N_MINUTES})) AS minute) LEFT JOIN edges USING (minute)
        WINDOW before AS (ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)""",
    )


def duckdb_expert_titles(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        WITH {_DUCKDB_SPANS}
        SELECT title, sum(watched)::BIGINT AS watched, sum(once)::BIGINT AS once,
            sum(plays)::BIGINT AS plays, count(*) AS people
        FROM (
            SELECT viewer, title, sum(stop - start) AS watched, count(*) AS plays,
                sum(greatest(stop - greatest(start, coalesce(before, 0)), 0)) AS once
            FROM (
                SELECT *, max(stop) OVER (
                    PARTITION BY viewer, title ORDER BY start
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before
                FROM spans
            ) GROUP BY viewer, title
        ) GROUP BY title""",
    )


_DUCKDB_SPANS = f"""
    spans AS (
        SELECT viewer, title, epoch_us(started_at) - {_LOW} AS start,
            start + (watched_seconds * 1000000)::BIGINT AS stop
        FROM log
    )"""
_DUCKDB_EXPLODED = f"""
    SELECT minute,
        sum(least(stop, (minute + 1) * {_MINUTE}) - greatest(start, minute * {_MINUTE})) AS us
    FROM (
        SELECT start, stop, unnest(range(start // {_MINUTE}, (stop - 1) // {_MINUTE} + 1)) AS minute
        FROM {{spans}}
    ) GROUP BY minute"""


def _islands(ids: str) -> str:
    return f"""
    islands AS (
        SELECT {ids}, min(start) AS start, max(stop) AS stop
        FROM (
            SELECT *, sum(new::INTEGER) OVER (PARTITION BY {ids} ORDER BY start) AS island
            FROM (
                SELECT *, coalesce(start > max(stop) OVER (
                    PARTITION BY {ids} ORDER BY start
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), true) AS new
                FROM spans
            )
        ) GROUP BY {ids}, island
    )"""


def _whole(result, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return any answer as whole numbers, the toolkit's in microseconds."""
    if isinstance(result, pd.DataFrame):
        us = {"watched": result["minutes"]}
        us["once"] = result["average_minute_audience"] * result["window_minutes"]
        found = {name: np.rint(values * _MINUTE).astype("int64") for name, values in us.items()}
        found["people"] = result["people"]
        found["plays"] = (result["people"] * result["frequency"]).fillna(0).round()
        found["minute"] = np.arange(len(result))
        if "title" in result:
            found["title"] = result["title"]
        result = pd.DataFrame(found)
    return numbers(result, names)


def _question(found: str, columns: tuple, ours, **others) -> measure.Question:
    competitors = {"toolkit": (pandas_table, ours)} | {
        f"{engine}, {how}": (make_table, answers[n])
        for (engine, make_table), answers in zip(_ENGINES.items(), others.values(), strict=True)
        for n, how in enumerate(("published", "expert"))
    }
    numbers_of = functools.partial(_whole, names=columns)
    return measure.Question("plays", _PLAYS, competitors, numbers_of, found, _PLAYS)


_ENGINES = {"Polars": polars_table, "DuckDB": duckdb_table}
QUESTIONS = {
    "Plays to the audience of every minute": _question(
        "minutes",
        ("minute", "watched", "once"),
        toolkit_minutes,
        polars=(polars_published_minutes, polars_expert_minutes),
        duckdb=(duckdb_published_minutes, duckdb_expert_minutes),
    ),
    "Plays to the ratings of titles": _question(
        "titles",
        ("title", "watched", "once", "plays", "people"),
        toolkit_titles,
        polars=(polars_published_titles, polars_expert_titles),
        duckdb=(duckdb_published_titles, duckdb_expert_titles),
    ),
}


if __name__ == "__main__":
    measure.main("benchmarks.audience", "audience", QUESTIONS)
