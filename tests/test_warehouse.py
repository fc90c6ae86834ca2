import datetime as dt
import random
import re

import duckdb
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests import reference
from toolkit.tables import _CHOICES, as_plays, as_viewer_days
from toolkit.warehouse import _WORDS, viewer_days_sql

# Zones that change at midnight, by half an hour, over a whole date, and not at all.
ZONES = [
    "UTC", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata",
    "Europe/London", "Pacific/Apia", "Asia/Beirut", "America/St_Johns", "Africa/Casablanca",
]  # fmt: skip
# Changes of the clock of these zones, and times at which a microsecond decides.
MIDDLES = [
    "2017-03-12 07:00", "2017-11-05 06:00", "2017-10-15 03:00", "2018-02-18 02:00",
    "2017-03-25 22:00", "2011-12-30 10:00", "1969-12-31 23:00", "1958-04-27 07:00",
    "2024-03-02 00:00",
]  # fmt: skip
DIALECTS = ["duckdb", "spark", "bigquery"]
NEEDED = ["viewer", "title", "started_at"]


def a_log(seed, n=120):
    """Plays with every column that matters, around the changes of the clock."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        middle = dt.datetime.fromisoformat(f"{rng.choice(MIDDLES)}+00:00")
        started = middle + dt.timedelta(microseconds=rng.choice([-1, 0, 1]))
        if rng.random() < 0.8:
            started = middle + dt.timedelta(minutes=rng.randrange(-4000, 4000))
        precision = rng.choice(["second", "second", "minute", "day", None])
        if precision == "day":
            started = started.replace(hour=0, minute=0, second=0, microsecond=0)
        seconds = rng.choice(
            [np.nan, 0.0, 60.0 * rng.randrange(200), float(rng.randrange(300_000))]
        )
        ended = started + dt.timedelta(minutes=rng.randrange(-60, 4000))
        rows.append(
            {
                "viewer": rng.choice(["ann", "Bob", "Åsa", "bob"]),
                "title": rng.choice(["Heat", "it's", "Äpfel", "S: 1"]),
                "started_at": started,
                "ended_at": ended if rng.random() < 0.3 else None,
                "watched_seconds": seconds,
                "series": rng.choice(["S", None]),
                "tz": rng.choice(ZONES),
                "row_is": rng.choice(["play", "latest", None]),
                "precision": precision,
                "excluded": rng.choice([None, None, None, "trailer"]),
            }
        )
    plays = pd.DataFrame(rows)
    plays["account"] = plays["viewer"].str.lower()
    for name in ("started_at", "ended_at"):
        plays[name] = pd.to_datetime(plays[name], utc=True).astype("datetime64[us, UTC]")
    return plays


def run(plays, *, session="UTC", **arguments):
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute(f"SET TimeZone = '{session}'")
        connection.register("plays", plays)
        return connection.sql(viewer_days_sql(columns=plays.columns, **arguments)).df()


def as_text(frame):
    ids = [name for name in ("viewer", "account", "title", "series") if name in frame]
    return frame.astype(dict.fromkeys(ids, "str"))


def assert_same(plays, *, session="UTC", **arguments):
    """Hold the query against the function, to the bit."""
    expected = tk.to_viewer_days(plays, **arguments)
    found = as_viewer_days(run(plays, session=session, **arguments))
    assert_frame_equal(as_text(found), as_text(expected), check_exact=True)
    return found


class TestDuckDB:
    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    @pytest.mark.parametrize("seed", range(12))
    def test_agrees_with_the_function(self, seed, day_of):
        rng = random.Random(seed)
        plays = a_log(seed)
        day_starts_at = rng.choice(["00:00", "04:00", "23:30", "02:15"])
        if day_starts_at != "00:00":
            plays = plays.query("precision != 'day'")
        gone = [name for name in plays if name not in [*NEEDED, "tz"] and rng.random() < 0.2]
        found = assert_same(
            plays.drop(columns=gone),
            session=rng.choice(["UTC", "America/New_York", "Asia/Kolkata"]),
            tz=rng.choice([*ZONES, "tz", "tz"]),
            day_starts_at=day_starts_at,
            by=rng.choice(["title", "series", None]),
            day_of=day_of,
            min_seconds=rng.choice([0, 59.5, 1799.5]),
            allow_latest=True,
        )
        assert len(found) > 10

    @pytest.mark.parametrize("zone", ZONES)
    def test_agrees_with_the_slow_reference_minute_by_minute_around_a_change(self, zone):
        start = pd.Timestamp("2017-11-04 12:00Z")
        instants = [start + pd.Timedelta(minutes=7 * n) for n in range(400)]
        plays = pd.DataFrame({"viewer": "ann", "title": range(400), "started_at": instants})
        for day_starts_at in ("00:00", "01:30", "02:00"):
            days = run(plays, tz=zone, day_starts_at=day_starts_at, session="Asia/Kolkata")["day"]
            slow = [reference.day_of(t.to_pydatetime(), zone, day_starts_at) for t in instants]
            assert days.dt.date.tolist() == slow

    @pytest.mark.parametrize("session", ["UTC", "America/New_York", "Asia/Kolkata"])
    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    def test_the_zone_of_the_session_never_enters(self, session, day_of):
        arguments = {"tz": "tz", "day_of": day_of, "allow_latest": True}
        plays = a_log(0, n=300)
        assert_frame_equal(
            run(plays, session=session, **arguments),
            run(plays, session="Pacific/Apia", **arguments),
        )

    def test_agrees_on_the_sample(self):
        sample = tk.load_sample()
        arguments = {"day_starts_at": "04:00", "min_seconds": 60}
        for by, tz in (("title", "tz"), ("series", "Asia/Kolkata"), (None, "America/New_York")):
            found = assert_same(sample, tz=tz, by=by, **arguments)
            expected = tk.to_viewer_days(sample, tz=tz, by=by, **arguments)
            as_of = found["day"].max()
            assert_frame_equal(
                as_text(tk.find_streaks(found, as_of=as_of)),
                as_text(tk.find_streaks(expected, as_of=as_of)),
            )

    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    def test_categories_and_whole_numbers_serve_as_ids(self, day_of):
        arguments = {"tz": "tz", "day_of": day_of, "by": "series", "allow_latest": True}
        plays = a_log(3)
        assert_same(as_plays(plays), **arguments)
        numbers = {viewer: n - 2**40 for n, viewer in enumerate(sorted(set(plays["viewer"])))}
        plays = plays.assign(viewer=plays["viewer"].map(numbers)).drop(columns="account")
        assert_same(plays, **arguments)

    def test_the_types_of_the_columns(self):
        for plays in (a_log(1), a_log(1)[:0]):
            for day_of in ("start", "end", "split"):
                found = run(plays, tz="tz", day_of=day_of, allow_latest=True)
                assert list(found) == [
                    "viewer", "account", "title", "day", "n_plays", "watched_seconds",
                ]  # fmt: skip
                types = found.dtypes.astype("str").tolist()
                assert types[3:] == ["datetime64[us]", "int64", "float64"]

    @pytest.mark.parametrize("kind", ["int32", "int64", "float32"])
    def test_seconds_of_any_kind(self, kind):
        plays = a_log(4).fillna({"watched_seconds": 7.0}).astype({"watched_seconds": kind})
        assert_same(plays, tz="tz", day_of="end", allow_latest=True)

    def test_the_order_of_rows_cannot_move_a_sum(self):
        plays = pd.DataFrame(
            {"viewer": "ann", "title": "Heat", "started_at": "2024-03-01 10:00Z"}, index=range(3)
        )
        plays["started_at"] = pd.to_datetime(plays["started_at"])
        for seconds in ([1e9, 0.1, 0.2], [0.1, 0.2, 1e9]):
            found = run(plays.assign(watched_seconds=seconds), tz="UTC")
            assert found["watched_seconds"].tolist() == [1000000000.3]

    @pytest.mark.parametrize(("seconds", "day"), [(1800, 1), (1801, 2)])
    def test_an_end_exactly_at_midnight_belongs_to_the_day_before(self, seconds, day):
        plays = pd.DataFrame({"viewer": ["ann"], "title": "Heat", "watched_seconds": seconds})
        plays["started_at"] = pd.Timestamp("2024-03-01 23:30Z")
        assert run(plays, tz="UTC", day_of="end")["day"].tolist() == [pd.Timestamp(2024, 3, day)]
        assert len(run(plays, tz="UTC", day_of="split")) == day

    @pytest.mark.parametrize(("least", "n"), [(599, 2), (600, 2), (600.5, 1), (1201, 0)])
    def test_min_seconds_is_of_the_whole_viewer_day(self, least, n):
        started = pd.to_datetime(["2024-03-01 10:00Z", "2024-03-02 10:00Z", "2024-03-02 20:00Z"])
        plays = pd.DataFrame({"viewer": "ann", "title": "Heat", "started_at": started})
        plays["watched_seconds"] = 600.0
        assert len(run(plays, tz="UTC", min_seconds=least)) == n

    @pytest.mark.parametrize("minutes", [22, 23, 49, 1000])
    def test_the_parts_of_a_split_play_are_whole(self, minutes):
        midnight = pd.Timestamp("2024-03-02 00:00Z")
        plays = pd.DataFrame({"viewer": "ann", "title": range(1, minutes)})
        plays["started_at"] = midnight - pd.to_timedelta(plays["title"], unit="min")
        plays["watched_seconds"] = 60.0 * minutes
        found = run(plays, tz="UTC", day_of="split").pivot(index="title", columns="day")
        before, after = found["watched_seconds"].to_numpy().T
        assert (before == 60.0 * plays["title"]).all()
        assert (before + after == 60.0 * minutes).all()

    @pytest.mark.parametrize(
        ("change", "arguments", "message"),
        [
            ({"row_is": "latest"}, {}, "only the latest date of each title"),
            ({"row_is": "Latest"}, {}, "`row_is` must be one of"),
            ({"precision": "Day"}, {}, "`precision` must be one of"),
            ({"precision": "day"}, {}, "`started_at` must be midnight UTC"),
            ({"precision": "day"}, {"day_starts_at": "04:00"}, "`day_starts_at` must be 00:00"),
            ({"watched_seconds": [5.0, -1.0]}, {}, "`watched_seconds` must be 0 or more"),
            ({"watched_seconds": [5.0, np.inf]}, {}, "`watched_seconds` must be 0 or more"),
            ({"account": ["a", "b"]}, {}, "`plays` must give each viewer one account"),
            ({"account": ["a", None]}, {}, "`account` must be there on every row"),
            ({"viewer": ["ann", None]}, {}, "`viewer` must be there on every row"),
            ({"title": ["Heat", None]}, {}, "`title` must be there on every row"),
            ({"title": ["Heat", None]}, {"by": "series"}, "`series` must be there on every row"),
            ({"started_at": pd.Series([pd.NaT] * 2, dtype="datetime64[us, UTC]")}, {}, "`started_at` must be there"),
            ({"tz": ["UTC", None]}, {"tz": "tz"}, "`tz` must be there on every row that is used"),
            ({"tz": "Mars/Olympus"}, {"tz": "tz"}, "Unknown TimeZone"),
            ({"started_at": pd.Timestamp("2024-03-01 10:00")}, {}, "`started_at` must be instants with"),
            ({"ended_at": pd.Timestamp("2024-03-01 10:00")}, {"day_of": "end"}, "`ended_at` must be instants with"),
            ({"excluded": [False, True]}, {}, "`excluded` must be a reason or missing"),
            ({"excluded": "False"}, {}, "`excluded` must be a reason or missing"),
        ],
    )  # fmt: skip
    def test_rows_that_the_function_refuses_stop_the_query(self, change, arguments, message):
        started = pd.to_datetime(["2024-03-01 10:00Z", "2024-03-02 10:00Z"])
        plays = pd.DataFrame({"viewer": "ann", "title": "Heat", "started_at": started})
        plays = plays.assign(**change)
        with pytest.raises(ValueError, match="must"):
            tk.to_viewer_days(plays, **{"tz": "UTC"} | arguments)
        with pytest.raises(duckdb.Error, match=message):
            run(plays, **{"tz": "UTC"} | arguments)
        # Rows that are not used are not looked at.
        if "excluded" not in change and not str(change).count("Timestamp('2024-03-01 10:00:00')"):
            assert len(run(plays.assign(excluded="trailer"), **{"tz": "UTC"} | arguments)) == 0

    def test_a_table_in_a_schema(self):
        with duckdb.connect() as connection:
            connection.execute(
                'CREATE SCHEMA "a log"; CREATE TABLE "a log"."select" AS '
                "SELECT 'ann' AS viewer, 'Heat' AS title, "
                "TIMESTAMPTZ '2024-03-01 10:00Z' AS started_at, 'UTC' AS \"time zone\""
            )
            sql = viewer_days_sql(
                tz="time zone", columns=[*NEEDED, "time zone"], plays="a log.select"
            )
            assert len(connection.sql(sql)) == 1


# What the functions of other dialects do, in DuckDB's words.
STAND_INS = {
    "spark": {
        "unix_micros(instant)": "epoch_us(instant)",
        "timestamp_micros(us)": "make_timestamptz(us)",
        "from_utc_timestamp(instant, zone)": "timezone('UTC', timezone(zone, instant))",
        "pmod(a, b)": "((a % b) + b) % b",
        "date_from_unix_date(n)": "DATE '1970-01-01' + n",
        "unix_date(day)": "day - DATE '1970-01-01'",
        "raise_error(reason)": "error(reason)",
        "greatest_of(a, b)": "greatest(a, b)",
        "days_between(a, b)": "CAST(generate_series(a, b, INTERVAL 1 DAY) AS DATE[])",
        "sequence(a, b, step)": "generate_series(a, b, step)",
        "array_min(a)": "list_min(a)",
    },
    "bigquery": {
        "unix_micros(instant)": "epoch_us(instant)",
        "timestamp_micros(us)": "make_timestamptz(us)",
        "datetime_in(instant, zone)": "timezone(zone, instant)",
        "timestamp_of(clock, zone)": "timezone(zone, clock)",
        "date_in(instant, zone)": "CAST(timezone(zone, instant) AS DATE)",
        "unix_date(day)": "day - DATE '1970-01-01'",
        "greatest_of(a, b)": "CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN greatest(a, b) END",
        "generate_date_array(a, b)": "CAST(generate_series(a, b, INTERVAL 1 DAY) AS DATE[])",
        "generate_array(a, b, step)": "generate_series(a, b, step)",
    },
}
# What DuckDB's grammar does not take.
SPELLINGS = {
    r"`": '"',
    r"LATERAL VIEW explode\(sequence\((.*)\)\) AS day": r"CROSS JOIN UNNEST(days_between(\1)) AS day",
    r"us -> ": "lambda us: ",
    r"<> 'timestamp'": "<> 'TIMESTAMP WITH TIME ZONE'",
    r"\bDATE\(": "date_in(",
    r"\bDATETIME\(": "datetime_in(",
    r"\bTIMESTAMP\(": "timestamp_of(",
    r"\bFLOAT64\b": "DOUBLE",
    r"\bGREATEST\(": "greatest_of(",
}


def run_in_other_words(plays, dialect, **arguments):
    sql = viewer_days_sql(columns=plays.columns, dialect=dialect, **arguments)
    for pattern, spelling in SPELLINGS.items():
        sql = re.sub(pattern, spelling, sql)
    with duckdb.connect() as connection:
        connection.register("plays", plays)
        for head, body in STAND_INS[dialect].items():
            connection.execute(f"CREATE MACRO {head} AS {body}")
        return connection.sql(sql).df()


class TestOtherDialects:
    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    @pytest.mark.parametrize("dialect", STAND_INS)
    def test_the_same_query_in_other_words(self, dialect, day_of):
        for seed, by in enumerate(["title", "series", None]):
            arguments = {"tz": "tz", "by": by, "day_of": day_of, "allow_latest": True}
            plays = a_log(seed)
            found = run_in_other_words(plays, dialect, min_seconds=59.5, **arguments)
            assert_frame_equal(found, run(plays, min_seconds=59.5, **arguments))


class TestSplit:
    @pytest.mark.parametrize("day_starts_at", ["00:00", "01:30", "02:15", "02:30", "23:30"])
    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_a_day_starts_when_the_clock_passes_its_start(self, dialect, day_starts_at):
        """Short and long plays over every change, where starts are shown twice or skipped."""
        rows = [
            ("ann", f"{zone} {middle} {hour} {length}", start, length * 3600.0, zone)
            for zone in ZONES
            for middle in MIDDLES
            for hour, length in [(-48, 96), *((quarter / 4, 0.75) for quarter in range(-8, 8))]
            for start in [pd.Timestamp(f"{middle}Z") + pd.Timedelta(hours=hour)]
        ]
        plays = reference.frame_of(rows)
        arguments = {"tz": "tz", "day_of": "split", "day_starts_at": day_starts_at}
        found = (
            run(plays, **arguments)
            if dialect == "duckdb"
            else run_in_other_words(plays, dialect, **arguments)
        )
        expected = tk.to_viewer_days(plays, **arguments)
        assert_frame_equal(
            as_text(as_viewer_days(found)), as_text(expected), check_exact=False, rtol=0, atol=1e-5
        )


class TestText:
    def test_the_words_are_those_of_the_tables(self):
        assert {name: _CHOICES[name] for name in _WORDS} == _WORDS

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_names_are_quoted(self, dialect):
        sql = viewer_days_sql(
            tz="time zone",
            columns=[*NEEDED, "time zone"],
            plays="my-project.log.plays",
            dialect=dialect,
        )
        table = "`my-project`.`log`.`plays`"
        assert (table.replace("`", '"') if dialect == "duckdb" else table) in sql
        assert sql.startswith("WITH ")
        assert sql.endswith("ORDER BY viewer, title, day")
        assert ";" not in sql

    @pytest.mark.parametrize("quote", ['"', "'", "`", "\\", "\n", "\0"])
    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_names_with_quotes_are_refused(self, dialect, quote):
        name = f"x{quote}; DROP TABLE plays"
        with pytest.raises(ValueError, match="`plays` must be a name without quotes in it, got"):
            viewer_days_sql(tz="UTC", columns=NEEDED, plays=f"log.{name}", dialect=dialect)
        with pytest.raises(ValueError, match="`tz` must be a name without quotes in it, got"):
            viewer_days_sql(tz=name, columns=[*NEEDED, name], dialect=dialect)
        with pytest.raises(ValueError, match="`tz` must be the name of a time zone"):
            viewer_days_sql(tz=name, columns=NEEDED, dialect=dialect)

    def test_a_column_hides_a_zone_of_its_name(self):
        assert '"UTC" AS zone' in viewer_days_sql(tz="UTC", columns=[*NEEDED, "UTC"])
        assert "'UTC' AS zone" in viewer_days_sql(tz="UTC", columns=NEEDED)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"dialect": "mysql"}, r"`dialect` must be one of \['duckdb', 'spark', 'bigquery'\]"),
            ({"columns": ["viewer", "title"]}, r"`plays` must have columns .* missing \['started_at'\]"),
            ({"columns": []}, r"`plays` must have columns"),
            ({"tz": "Mars/Olympus"}, "`tz` must be the name of a time zone"),
            ({"by": "show"}, "`by` must be one of"),
            ({"day_of": "middle"}, "`day_of` must be one of"),
            ({"day_starts_at": "24:00"}, "`day_starts_at` must be a time of day"),
            ({"min_seconds": -1}, "`min_seconds` must be 0 or more, got -1"),
            ({"min_seconds": np.inf}, "`min_seconds` must be finite, got inf"),
            ({"plays": ""}, "`plays` must be a name without quotes in it, got ''"),
            ({"plays": "log..plays"}, "`plays` must be a name without quotes in it, got ''"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            viewer_days_sql(**{"tz": "UTC", "columns": NEEDED} | arguments)
