"""Exports that were damaged at random: a correct plays table or one sentence, and nothing else.

Every form of every source is mutated byte by byte, line by line, cell by cell and name by name,
handed in as a file, a zip or a folder among others, and what comes out is held against a naive
count of its records.  ``FUZZ_ROUNDS=100000 FUZZ_SEED=7`` is how to look for longer.
"""

import contextlib
import csv
import datetime as dt
import io
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import warnings
import zipfile
from typing import NamedTuple

import pandas as pd
import pytest

import toolkit as tk
from tests.exports import letterboxd, netflix, prime, servers, spotify, trakt, youtube
from toolkit.privacy.keys import DEMONSTRATION_KEY, has_pseudonym_form, pseudonym
from toolkit.tables import PLAYS, as_plays
from toolkit.titles import normalise_title

# Mutations of all forms together, and the seed from which they follow.
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", 400))
SEED = int(os.environ.get("FUZZ_SEED", 1712))
AT_ONCE, LONGEST_SECONDS, LONGEST_SENTENCE = 25, 10, 600
REASONS = {
    "no viewer", "no title", "no time", "impossible time", "impossible duration", "supplemental",
    "advert", "removed", "not a watch", "duplicate", "repeated header", "release date",
    "bulk import", "bulk",
}  # fmt: skip
# Names, addresses and texts of the fixtures that no table and no message may hold.
SECRETS = re.compile(
    "Mara|Joël|Piet|Gast|nobody@|192\\.0\\.2|lodger12|Jo's|Ida's|Mika Owner|someone@|UCowner"
    f"|{servers.IDA}|{servers.TOM}"
)
SENTENCE = re.compile(r"`\w+`[^\n]*\.")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
TWO_SENTENCES = re.compile(r"[a-z)]\. +[A-Z`]")
SEPARATORS = ",;\t|"
BERLIN = {"clock_tz": "Europe/Berlin"}


class Form(NamedTuple):
    """One form of an export: files whose records count, files beside them, what has to be said."""

    logs: dict
    others: dict = {}
    said: dict = {}


def single(name, data, **said):
    return Form({name: data}, {}, said)


def export(files, *logs, **said):
    """An export of several files, of which those that end like `logs` hold its records."""
    is_log = {name: name.endswith(logs) and "MACOSX" not in name for name in files}
    return Form(
        {name: data for name, data in files.items() if is_log[name]},
        {name: data for name, data in files.items() if not is_log[name]},
        said,
    )


def short_page(language, **options):
    """A page of YouTube with fewer styles than Google's, as each of many mutants is read."""
    page = youtube.as_html(language=language, **options)
    return re.sub(rb"(\.mdl-grid\{display:flex\}[^<]{30})[^<]*", rb"\1", page)


FORMS = {
    "netflix": single("ViewingActivity.csv", netflix.english()),
    "netflix, French": single("ViewingActivity.csv", netflix.french()),
    "netflix, two profiles": single("ViewingActivity.csv", netflix.two_profiles()),
    "netflix, odd": single("ViewingActivity.csv", netflix.odd_attributes()),
    "netflix, whole": export(netflix.export(netflix.english()), "ViewingActivity.csv"),
    "netflix, whole of 2023": export(
        netflix.export(netflix.two_profiles(), profiles=netflix.profiles_2023()), "Activity.csv"
    ),
    "netflix, no rows": export(netflix.export(), "ViewingActivity.csv"),
    "tautulli": single("tautulli.db", servers.tautulli()),
    "tautulli, log": single("tautulli.db", servers.with_log(servers.tautulli(page_size=512))),
    "tautulli, history": single("history.json", servers.tautulli_history()),
    "tautulli, page": single("history.csv", servers.tautulli_page()),
    "plex": single("com.plexapp.plugins.library.db", servers.plex()),
    "jellyfin": single("playback_reporting.db", servers.jellyfin(), **BERLIN),
    "jellyfin, UTC": single("playback_reporting.db", servers.jellyfin(user_version=1)),
    "emby": single(
        "playback_reporting.db",
        servers.jellyfin(table=servers.PLAYBACK_ACTIVITY_OF_EMBY, page_size=1024),
        **BERLIN,
    ),
    "jellyfin, backup": single("backup.tsv", servers.backup(), **BERLIN),
    "spotify": export(spotify.extended_export(), ".json"),
    "spotify, account": export(spotify.basic_export(), "music_0.json", "podcast_0.json"),
    "spotify, old account": export(spotify.old_basic_export(), ".json"),
    "spotify, old": export(spotify.endsong_export(), ".json"),
    "prime, hours": export(prime.hours_export(), ".csv"),
    "prime, starts": export(prime.starts_export(), ".csv"),
    "prime": export(prime.full_export(), "Viewing History.csv"),
    "prime, events": single("Watch Events.csv", prime.table(prime.EVENTS, *prime.EVENT_ROWS)),
    "trakt": export(trakt.trakt_export(), "history-1.json", "history-2.json"),
    "letterboxd": export(letterboxd.letterboxd_export(), "utc/diary.csv"),
    "youtube, oldest": single("watch-history.json", youtube.as_oldest()),
    "youtube, donated": single(
        "a.json", youtube.as_json(keys=["title", "titleUrl", "time", "subtitles"])
    ),
    "youtube, takeout": export(youtube.takeout("nl"), ".json"),
    "youtube, whole page": export(youtube.takeout("de", "html"), ".html"),
}
FORMS |= {
    f"netflix, {style}, {separator}": single(
        "activity.csv", netflix.saved_again(style, separator, encoding)
    )
    for style, separator, encoding in (
        ("M/D/YYYY | H:mm", ";", "utf-8-sig"),
        ("DD.MM.YYYY | HH:mm", ",", "utf-8"),
        ("YYYY-MM-DD | HH:mm", "\t", "utf-16"),
    )
}
FORMS |= {
    f"history, {style}": single("NetflixViewingHistory.csv", netflix.history_in(style))
    for style in netflix.STYLES
}
FORMS |= {
    "history, DMY": single("h.csv", netflix.ambiguous_history(), date_order="DMY"),
    "history, two": single("h.csv", netflix.two_histories()),
    "history, two, again": single("h.csv", netflix.two_histories(again_header=True)),
}
for _language in youtube.LANGUAGES:
    FORMS[f"youtube, {_language}"] = single("h.json", youtube.as_json(language=_language))
    FORMS[f"youtube, page, {_language}"] = single("h.html", short_page(_language))
for _language in prime.SCRIPT_HEADERS:
    FORMS[f"prime, page, {_language}"] = single("watch.csv", prime.script_page(_language))


# Values that no export has, or hardly any: of times, of numbers and durations, of texts.
TIMES = [
    "", "NULL", "-1", "0000-01-01 00:00:00", "99999-12-31 00:00:00", "2024-02-30 12:00:00",
    "1899-12-31 23:59:59", "2200-01-01 00:00:00", "2199-12-31T23:59:59Z", "1900-01-01",
    "2024-03-31 02:30:00", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "2024-13-01",
    "2024-03-01T20:00:00+99:99", "2024-03-01T20:00:00-14:00", "2024-03-01T24:00:00Z",
    "2024-03-01 20:00:00.1234567891", "2024-03-01T20:00:60Z", "20240301", "1709323200",
    "-62135596800", "1e18", "3/4/24", "31.12.9999 23:59", "24. 1. 31.", "٢٠٢٤-٠٣-٠١ ٢٠:٠٠:٠٠",
    "2024-03-01 20:00:00 ", "2024-3-1", "2024-03-01T20:00:00z", "29/2/23", "0/0/00",
]  # fmt: skip
NUMBERS = [
    "", "NaN", "inf", "-inf", "-1", "NULL", "N/A", "Not Available", "1e309", "9" * 400, "9" * 18,
    "-00:10:00", "-0:10:00", "-00:00:01", "-3:00:00", "-5", "99:99:99", "00:00:00", "1:2:3", "999999999:00:00", "00:00:00.5", "1,5",
    "1.5e3", "0x10", "+1", "1_000", "²", "0", "-0", "1e-300", "32768", "-32769", "4294967296",
    "9007199254740993", "00:60:00", "12 min", "٣",
]  # fmt: skip
WORDS = [
    "", " ", "\u00a0", "\u200b", "\ufeff", "🦊", "\u202eevil\u202c", "e\u0301", "\u2028",
    "\x00", "\x85", "=1+1", '"', '""', "'", "a,b", "a;b\tc|d", "a\nb", "a\r\nb", "\\", "[x](y)",
    "<br>", "&#99999999999;", "x" * 5000, "True", "yes", "Title", "HOOK", "NULL", "-1",
    "a: b: c: d (Episode 99999)", ": : :", "Season 1", "\U0010ffff", "%s{}", "S01E02", "..",
    "https://youtu.be/AAAAAAAAAAA", "Watched ", "Show - s99999e99999 - x", "not available",
]  # fmt: skip
HOSTILE = [*TIMES, *NUMBERS, *WORDS]
ODD_NUMBERS = [
    None, True, 0, -1, -5000, -60_000, 1.5, -0.0, 2**31, 2**53, 2**62, 2**63, 2**70, -(2**70), 1e15, 1e308,
    float("nan"), float("inf"), 1e-300,
]  # fmt: skip
ODD_VALUES = [
    *ODD_NUMBERS, False, [], {}, [[]], {"a": 1}, ["x", 1], "\ud800", "a\udfffb", *HOSTILE,
]  # fmt: skip
PIECES = [
    b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b'"', b'""', b",", b";", b"\n", b"\r",
    b"\r\n", b"\t", b"[", b"]", b"{", b"}", b"\\", b"\\ud800", b"<", b">", b"</div>", b"<!--",
    b"&#0;", b"-", b"9" * 30, b"PK\3\4", "\u202e".encode(), "🦊".encode(), b"NaN", b":", b" ",
]  # fmt: skip
TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:([ T])(\d\d:\d\d(?::\d\d)?)(\.\d{1,7})?(Z?))?")
LIKE_TIME = re.compile(r"\W*\d{1,4}[-/.] ?\d{1,2}[-/.] ?\d")
LIKE_NUMBER = re.compile(r"-?[\d:.]+")
STYLES = [
    "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%y", "%Y/%m/%d", "%d %b %Y", "%m-%d-%Y", "%Y",
    "%Y-%m-%dT%H:%M:%S+02:00", "%Y-%m-%d %H:%M UTC", "%y. %m. %d.", "%I:%M %p, %d.%m.%Y",
    "%Y%m%dT%H%M%SZ", "%d-%m-%Y %H.%M.%S", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d",
]  # fmt: skip


def hostile(rng, old):
    """A value that is wrong where another stands, usually of its own kind."""
    if rng.random() < 0.25:
        return rng.choice(HOSTILE if isinstance(old, str) else ODD_VALUES)
    if isinstance(old, int | float):
        return rng.choice(ODD_NUMBERS)
    old = f"{old}"
    kind = TIMES if LIKE_TIME.match(old) else NUMBERS if LIKE_NUMBER.fullmatch(old) else WORDS
    return rng.choice(kind)


def flipped(rng, data):
    """Change single bytes."""
    data = bytearray(data or b" ")
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def inserted(rng, data):
    at = rng.randint(0, len(data))
    piece = rng.choice(PIECES) if rng.random() < 0.8 else rng.randbytes(rng.randint(1, 9))
    return data[:at] + piece + data[at + rng.choice([0, 0, 1]) :]


def cut(rng, data):
    """Take a piece out, repeat it or leave out all that follows."""
    start = rng.randint(0, len(data))
    end = min(start + rng.choice([1, 2, 10, 100, 1000]), len(data))
    kinds = [data[:start] + data[end:], data[:end] + data[start:], data[:start], data[start:]]
    return rng.choices(kinds, [4, 4, 2, 1])[0]


def other_lines(rng, data):
    lines = data.splitlines(keepends=True) or [b""]
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        lines.insert(to, lines[at])
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        rng.shuffle(lines)
    elif kind == 4:
        lines[at] = lines[at].rstrip(b"\r\n") + rng.choice([b"", b"\r", b"\r\n", b"\n\n", b" \n"])
    else:
        lines[at] = rng.choice([b"\n", b" \n", b"\r\n", b",\n", b"sep=,\n", b"\xef\xbb\xbf\n"])
    return b"".join(lines)


def other_encoding(rng, data):
    text = data.decode("utf-8-sig", "replace")
    kind = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp437", "utf-8-sig", "utf-7", "twice"])  # fmt: skip
    if kind == "twice":
        return text.encode().decode("latin-1").encode()
    return text.encode(kind, "replace")


def other_times(rng, data):
    """Write times in another style, all of them or some."""
    style, share = rng.choice(STYLES), rng.choice([0.1, 0.5, 1, 1])

    def write(match):
        at = dt.datetime.fromisoformat(f"{match[1]} {match[3] or '00:00'}")
        return at.strftime(style) if rng.random() < share else match[0]

    with contextlib.suppress(UnicodeDecodeError, ValueError):
        return TIME.sub(write, data.decode()).encode()
    return flipped(rng, data)


def hostile_time(rng, data):
    found = [*TIME.finditer(data.decode("utf-8", "replace"))]
    if not found:
        return inserted(rng, data)
    old, new = rng.choice(found)[0].encode(), rng.choice([*TIMES, *TIMES, *HOSTILE]).encode()
    return data.replace(old, new, rng.choice([1, -1]))


def other_cells(rng, data):
    """Change a table as a person would: its names, its columns, its cells, its separators."""
    rows, separator = table_of(data)
    if not rows or not rows[0]:
        return cut(rng, data)
    width = len(rows[0])
    at, to, row = rng.randrange(width), rng.randrange(width), rng.randrange(len(rows))
    kind, quoting, newline = rng.randrange(12), csv.QUOTE_MINIMAL, "\n"
    if kind == 0:
        for cells in rows:
            if len(cells) == width:
                cells[at], cells[to] = cells[to], cells[at]
    elif kind == 1:
        rows[0][at], rows[0][to] = rows[0][to], rows[0][at]
    elif kind == 2:
        for cells in rows:
            del cells[at : at + 1]
    elif kind == 3:
        names = [rows[0][to], rows[0][at].upper(), f" {rows[0][at]} ", f"{rows[0][at]} (UTC)"]
        rows[0][at] = rng.choice([*names, rng.choice(HOSTILE)])
    elif kind == 4:
        separator = rng.choice(SEPARATORS)
    elif kind == 5:
        quoting, newline = csv.QUOTE_ALL, rng.choice(["\n", "\r\n", "\r"])
    elif kind == 6:
        rows.insert(row, [*rows[0]])
    elif kind == 7:
        rows[row] = rows[row] + [""] * rng.randint(1, 3)
    else:
        for cells in rng.choices(rows, k=rng.choice([1, 1, 2, 2 * len(rows)])):
            if at < len(cells):
                cells[at] = hostile(rng, cells[at])
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=newline).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def table_of(data):
    """The rows of a table, and what separates its cells."""
    text = data.decode(
        "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace"
    )
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    with contextlib.suppress(csv.Error):
        return [*csv.reader(io.StringIO(text, newline=""), delimiter=separator)], separator
    return [], separator


def other_json(rng, data):
    """Change values, names and depth, here and there."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return cut(rng, data)
    for _ in range(rng.choice([1, 1, 1, 3, 10])):
        places = [*_places(whole)]
        if not places:
            break
        held, key = rng.choice(places)
        kind = rng.randrange(8)
        if kind == 0:
            del held[key]
        elif kind == 1:
            held[key] = [held[key]]
        elif kind == 2 and isinstance(held, dict):
            held[rng.choice(HOSTILE)] = held.pop(key)
        elif kind == 3 and isinstance(held, list):
            held.insert(key, held[rng.randrange(len(held))])
        elif kind == 4 and isinstance(held, list):
            rng.shuffle(held)
        elif kind == 5 and isinstance(whole, list):
            for row in whole:
                if isinstance(row, dict) and key in row:
                    row[key] = hostile(rng, row[key])
        else:
            held[key] = hostile(rng, held[key])
    text = json.dumps(whole, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 2]))
    if rng.random() < 0.05:
        deep = rng.choice([10, 500, 100_000])
        nest = "[" * deep + "]" * deep
        whole = [f"[{text}]", f'{{"a": {text}}}', text + text, f"{text[:-1]}, {nest}]"]
        text = rng.choice([*whole, text.replace("null", nest, 1), text.replace("0", nest, 1)])
    return text.encode("utf-8", rng.choice(["surrogatepass", "replace"]))


def _places(value):
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(part)


def other_database(rng, data):
    """Change cells, columns and rows of a database by SQL."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data[:18] + b"\1\1" + data[20:])
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]  # fmt: skip
        full = [n for n in names if connection.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0]]
        table = rng.choice(full)
        column = rng.choice(connection.execute(f'PRAGMA table_info("{table}")').fetchall())[1]
        held = connection.execute(f'SELECT "{column}" FROM "{table}"').fetchall()
        value = hostile(rng, rng.choice(held)[0])
        if isinstance(value, list | dict):
            value = rng.choice([b"\xff\0", b"2024", b""])
        some = "1" if rng.random() < 0.2 else f"rowid % {rng.randint(1, 5)} = 0"
        statement = rng.choice([
            f'UPDATE "{table}" SET "{column}" = ? WHERE {some}',
            f'UPDATE "{table}" SET "{column}" = ? WHERE {some}',
            f'UPDATE "{table}" SET "{column}" = ? WHERE {some}',
            f'DELETE FROM "{table}" WHERE {some}',
            f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
            f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO "other"',
            f'ALTER TABLE "{table}" ADD COLUMN "more" AS ("{column}")',
            f'ALTER TABLE "{table}" RENAME TO "other"',
            f'CREATE VIEW "v{table}" AS SELECT * FROM "{table}"',
        ])  # fmt: skip
        connection.execute(statement, [value] * statement.count("?"))
        connection.commit()
        return connection.serialize()
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError, IndexError):
        return flipped(rng, data)
    finally:
        connection.close()


ANY = [flipped, flipped, inserted, inserted, cut, cut]
TEXT = [other_lines, other_lines, other_encoding, other_times, hostile_time, hostile_time]
MUTATORS = {
    "csv": [*ANY, *TEXT, *[other_cells] * 10],
    "tsv": [*ANY, *TEXT, *[other_cells] * 4],
    "txt": ANY,
    "json": [*ANY, *TEXT, *[other_json] * 10],
    "html": [*ANY, *TEXT, *ANY],
    "db": [*ANY, *[other_database] * 10],
}


def mutated(rng, form):
    """The files of a form with one to three mutations, which of them are logs, if columns moved."""
    files, logs, moved = {**form.logs, **form.others}, {*form.logs}, False
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        known = [name for name in files if _ending(name) in MUTATORS] or [*files]
        among = [name for name in known if name in logs]
        name = rng.choice(among if among and (rng.random() < 0.9 or len(files) == 1) else known)
        if rng.random() < 0.05:
            other = rng.choice([name.upper(), f"x/{name}", name.rpartition("/")[2], "a.csv", f"{name}.txt", "ü 🦊.json"])  # fmt: skip
            if other not in files:
                files = {other if n == name else n: data for n, data in files.items()}
                logs = {other if n == name else n for n in logs}
            continue
        mutator = rng.choice(MUTATORS.get(_ending(name), ANY))
        # Then a name may well stand where a title should.
        moved |= mutator is other_cells
        files[name] = mutator(rng, files[name])
    return files, logs, moved


def _ending(name):
    return name.rpartition(".")[2].lower()


def put(rng, folder, stem, files):
    """Write an export as one file, a zip or a folder; return its name."""
    (name,) = [*files][:1]
    kind = rng.choice(["file", "file", "zip", "folder"] if len(files) == 1 else ["zip", "folder"])
    if kind == "file":
        path = folder / f"{stem}.{name.rpartition('.')[2]}"
        path.write_bytes(files[name])
    elif kind == "zip":
        path = folder / f"{stem}.zip"
        path.write_bytes(zipped(files))
        if rng.random() < 0.05:
            path.write_bytes(rng.choice(ANY)(rng, path.read_bytes()))
    else:
        path = folder / stem
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return path.name


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class TooSlow(BaseException):
    """What no `except Exception` can hide."""


def _too_slow(*_):
    raise TooSlow(f"more than {LONGEST_SECONDS} s")


def loaded(path, **options):
    """The plays and the report of a load, or its error, and what is wrong with how it went."""
    reports, problems, plays, out = [None], [], None, io.StringIO()
    before = signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(LONGEST_SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):  # fmt: skip
            warnings.simplefilter("error")
            plays = tk.load_plays(
                path, key=DEMONSTRATION_KEY, progress=False, report=reports.append, **options
            )
    except (ValueError, FileNotFoundError) as error:
        if type(error) not in (ValueError, FileNotFoundError) and type(error).__name__ != "SeveralProfiles":  # fmt: skip
            problems.append(f"{type(error).__name__}: {error}"[:300])
        problems += of_sentence(str(error))
        reports.append(str(error))
    except (Exception, TooSlow) as error:
        problems.append(f"{type(error).__name__}: {error}"[:300])
        reports.append(str(error))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if out.getvalue():
        problems.append(f"printed {out.getvalue()[:100]!r}")
    return plays, reports[-1], problems


def of_sentence(text):
    """What is wrong with the sentence of a refusal."""
    problems = []
    if not SENTENCE.fullmatch(text):
        problems.append(f"no sentence: {text[:200]!r}")
    if TWO_SENTENCES.search(QUOTED.sub("", text)):
        problems.append(f"more than a sentence: {text[:300]!r}")
    if len(text) > LONGEST_SENTENCE:
        problems.append(f"a sentence of {len(text)} letters: {text[:200]!r}")
    if found := SECRETS.search(text):
        problems.append(f"{found[0]!r} in the sentence: {text[:300]!r}")
    return problems


def of_table(plays, is_saved=False):
    """What is wrong with a plays table, whatever it was made of.

    One that was saved may have any reasons, and accounts that are viewers.
    """
    problems, used = [], plays["excluded"].isna()
    if wrong := [n for n in PLAYS if n in plays and str(as_plays(plays)[n].dtype) != str(plays[n].dtype)]:  # fmt: skip
        problems.append(f"columns of another type: {wrong}")
    order = plays.sort_values(["viewer", "title", "started_at"], kind="stable").index
    if not order.equals(pd.RangeIndex(len(plays))):
        problems.append("not in canonical order")
    for kind in ("viewer", "account"):
        ids = plays[kind].dropna().unique()
        if not has_pseudonym_form(ids, kind) and not (
            is_saved and has_pseudonym_form(ids, "viewer")
        ):
            problems.append(f"a {kind} that is no pseudonym")
    if plays.loc[used, ["viewer", "account"]].isna().any(axis=None):
        problems.append("a play of nobody")
    if not is_saved and (unknown := {*plays["excluded"].dropna().unique()} - REASONS):
        problems.append(f"reasons unknown here: {unknown}")
    good = plays[used]
    if good[["title", "started_at"]].isna().any(axis=None):
        problems.append("a used play without a title or time")
    for name in ("started_at", "ended_at"):
        if name in plays and not good[name].dropna().dt.year.between(1899, 2200).all():
            problems.append(f"a used play with {name} out of all bounds")
    if "ended_at" in plays and (good["ended_at"] < good["started_at"]).any():
        problems.append("a used play that ends before it starts")
    for name in ("watched_seconds", "position_seconds", "runtime_seconds"):
        if name in plays and not good[name].dropna().between(0, 1e300).all():
            problems.append(f"{name} of a used play below 0 or infinite")
    titles = plays["title"].cat.categories
    if any(not title or normalise_title(title) != title for title in titles):
        problems.append("a title in another form than the normal one")
    plays.to_csv(index=False).encode()
    return problems


def of_secrets(plays):
    """Which name or address of the fixtures is in a table."""
    text = plays.to_csv(index=False)
    found = SECRETS.search(text)
    return (
        [f"{found[0]!r} in the table: {text[max(found.start() - 60, 0) :][:120]!r}"]
        if found
        else []
    )


def n_records(name, data):
    """The numbers of records that a naive reader may find in a file; None if it finds no way."""
    ending = _ending(name)
    with contextlib.suppress(UnicodeError, csv.Error, ValueError, KeyError, TypeError, RecursionError, sqlite3.Error, sqlite3.Warning):  # fmt: skip
        if data.startswith(b"SQLite"):
            return {_n_of_database(data)}
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        if ending == "html" or "outer-cell" in text:
            return {*_n_of_page(text)}
        if text.lstrip()[:1] in ("[", "{"):
            whole = json.loads(text)
            return {len(whole if isinstance(whole, list) else whole["response"]["data"]["data"])}
        if ending == "tsv" or re.match(r"\d{4}-[^\t\n]*\t", text):
            return {sum(bool(line.strip("\r")) for line in text.split("\n"))}
        return _n_of_table(text.lstrip("\r\n"))
    return None


def _n_of_table(text):
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    counts = set()
    for skips in (False, True):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=skips)  # fmt: skip
        rows = [row for row in rows if row][1:]
        # A record of one blank cell may be a blank line.
        blank = sum(len(row) == 1 and not row[0].strip(" \t\ufeff") for row in rows)
        counts |= {len(rows) - blank, len(rows)}
    return counts


def _n_of_page(text):
    # A blow may hit some of the marks of a row.
    marks = ('mdl-typography--title"', '--title"', "header-cell", "outer-cell")
    counts = [text.count(mark) for mark in marks]
    return range(min(counts), max(counts) + 1)


def _n_of_database(data):
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data[:18] + b"\1\1" + data[20:])
        for table in ("session_history", "metadata_item_views", "PlaybackActivity"):
            with contextlib.suppress(sqlite3.OperationalError):
                return len(connection.execute(f'SELECT * FROM "{table}" NOT INDEXED').fetchall())
        raise ValueError
    finally:
        connection.close()


def of_count(n_rows, files, logs):
    """What is wrong with a number of rows, by a naive count of the records in the logs."""
    counts = [n_records(name, files[name]) for name in logs]
    if None in counts:
        return []
    sums = {0}
    for count in counts:
        sums = {n + m for n in sums for m in count}
    if n_rows in sums:
        return []
    some = {0}
    for count in [n_records(name, data) or {0} for name, data in files.items()]:
        some |= {n + m for n in some for m in count}
    if n_rows in some and len(files) > 1:
        return [f"a log left out: {n_rows} rows of {sorted(sums)} records ({counts})"]
    return [f"{n_rows} rows of {sorted(sums)} records ({counts})"]


def batch(rng, form, folder, n):
    """Load n mutants of a form beside one that is sound; yield a mutant and each of its problems."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    said = dict(form.said) | {"profile": "all"}
    if rng.random() < 0.1:
        said["clock_tz"] = rng.choice([None, "America/New_York", "Asia/Kathmandu"])
        said["date_order"] = rng.choice([None, "DMY", "MDY", "YMD"])
    sound = ["SOUND.csv", len(netflix.ENGLISH)]
    (folder / sound[0]).write_bytes(netflix.english())
    mutants, moved = {}, {}
    for number in range(n):
        files, logs, may_have_moved = mutated(rng, form)
        name = put(rng, folder, f"d{number:02}", files)
        mutants[name], moved[name] = (files, logs), may_have_moved
    plays, report, problems = loaded(folder, **said)
    if plays is None:
        # Which of them it was.
        for name, (files, _) in mutants.items():
            _, _, single_problems = loaded(folder / name, **said)
            yield from (((name, files, said), text) for text in single_problems)
        yield from (((None, mutants, said), f"all together: {text}") for text in problems)
        if not problems:
            yield (None, mutants, said), f"a sound export was refused: {report}"
        return
    yield from (((None, mutants, said), text) for text in problems + of_table(plays))
    may_leak = bool(of_secrets(plays))
    report = report.set_index("export")
    if report["n_rows"].sum() != len(plays) or report["n_used"].sum() != plays["excluded"].isna().sum():  # fmt: skip
        yield (None, mutants, said), "a report with other sums than the table"
    account = {name: pseudonym("account", "export", name, key=DEMONSTRATION_KEY) for name in report.index}  # fmt: skip
    n_rows = plays["account"].value_counts()
    of = {name: n_rows.get(account[name], 0) for name in report.index}
    if (of[sound[0]], report["outcome"][sound[0]]) not in [(sound[1], "read"), (sound[1], "repeated")]:  # fmt: skip
        yield (None, mutants, said), f"a sound export of which {of[sound[0]]} rows are there"
    for name, (files, logs) in mutants.items():
        line = report.loc[name]
        case = (name, files, said)
        if line["outcome"] == "refused":
            problems = of_sentence(line["note"])
            yield from (
                (case, t) for t in problems if not moved[name] or " in the sentence" not in t
            )
        else:
            # A damaged log among sound ones is no log any more; that it was there is noted.
            is_noted = "have the name of a log" in line["note"]
            yield from (
                (case, text)
                for text in of_count(of[name], files, logs)
                if not (is_noted and text.startswith("a log left out"))
            )
            if found := SECRETS.search(line["note"]):
                yield case, f"{found[0]!r} in a note: {line['note'][:300]}"
        if may_leak and not moved[name]:
            yield from ((case, t) for t in of_secrets(plays[plays["account"] == account[name]]))
        if of[name] != line["n_rows"]:
            yield case, f"{of[name]} rows, {line['n_rows']} in the report"
        # A folder is another matter: alone it may be one of donations.
        if rng.random() < 0.08 and not (folder / name).is_dir():
            problems = _alone(folder / name, line, said)
            yield from (
                (case, t) for t in problems if not moved[name] or " in the sentence" not in t
            )


def _alone(path, line, said):
    """What differs if a donation is loaded by itself."""
    alone, _, problems = loaded(path, **said)
    yield from problems
    if (alone is None) != (line["outcome"] == "refused"):
        yield f"{line['outcome']} among others, and otherwise alone"
    elif alone is not None:
        yield from of_table(alone)
        if len(alone) != line["n_rows"]:
            yield f"{line['n_rows']} rows among others, {len(alone)} alone"


def with_mark(data):
    if data.startswith(b"\xff\xfe"):
        return data
    return b"\xef\xbb\xbf" + data.removeprefix(b"\xef\xbb\xbf")


def wide(data):
    return data if data.startswith(b"\xff\xfe") else data.decode("utf-8-sig").encode("utf-16")


def with_carriage_returns(data):
    if data.startswith(b"\xff\xfe"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def saved_again(data):
    """A table in which all is quoted and semicolons separate."""
    return _table(table_of(data)[0], ";", csv.QUOTE_ALL)


def turned(data):
    """A table whose columns are in the other order."""
    return _table([row[::-1] for row in table_of(data)[0]], ",", csv.QUOTE_MINIMAL)


def _table(rows, separator, quoting):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def dense(data):
    return json.dumps(json.loads(data), separators=(",", ":")).encode()


def loose(data):
    def turn(value):
        if isinstance(value, dict):
            return {key: turn(value[key]) for key in reversed(value)}
        return [turn(part) for part in value] if isinstance(value, list) else value

    return json.dumps(turn(json.loads(data)), ensure_ascii=False, indent=4).encode()


def packed(data):
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data[:18] + b"\1\1" + data[20:])
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    other = sqlite3.connect(":memory:")
    other.execute("PRAGMA page_size = 8192")
    other.executescript("\n".join(connection.iterdump()))
    other.execute(f"PRAGMA user_version = {version}")
    data = other.serialize()
    other.close()
    connection.close()
    return data


# Ways to write the same once more; where a file can't be, a sentence may say so.
HARMLESS = {
    "csv": [with_mark, wide, with_carriage_returns, saved_again, turned],
    "tsv": [with_mark, with_carriage_returns],
    "json": [with_mark, dense, loose],
    "html": [with_mark],
    "db": [packed],
}


class TestMutants:
    @pytest.mark.parametrize("name", FORMS)
    def test_give_a_correct_table_or_one_sentence(self, name, tmp_path):
        rng = random.Random(f"{SEED} {name}")
        left = -(-ROUNDS // len(FORMS))
        problems = []
        while left > 0:
            n = min(left, AT_ONCE)
            problems += [text for _, text in batch(rng, FORMS[name], tmp_path / "mutants", n)]
            left -= n
        assert problems == []

    def test_of_a_saved_table_give_a_correct_table_or_one_sentence(self, tmp_path):
        rng, path = random.Random(SEED), tmp_path / "plays.csv"
        path.write_bytes(netflix.english())
        saved = loaded(path)[0].to_csv(index=False).encode()
        problems = []
        for _ in range(-(-ROUNDS // len(FORMS))):
            path.write_bytes(rng.choice([*ANY, *TEXT])(rng, saved))
            plays, _, more = loaded(path)
            problems += more if plays is None else more + of_table(plays, is_saved=True)
        assert problems == []


class TestTheSameWrittenAgain:
    @pytest.mark.parametrize("name", FORMS)
    def test_gives_the_same_table(self, name, tmp_path):
        form, rng = FORMS[name], random.Random(f"{SEED} {name}")
        files = form.logs | form.others
        before, _, _ = self.of(tmp_path / "d", files, form)
        ways = {way for log in form.logs for way in HARMLESS.get(_ending(log), [])}
        # Nothing but Plex can write its database again.
        ways -= {packed} if name == "plex" else set()
        for way in rng.sample(sorted(ways, key=lambda way: way.__name__), k=min(len(ways), 2)):
            changed = {log: way(form.logs[log]) for log in form.logs}
            after, _, problems = self.of(tmp_path / "d", files | changed, form)
            assert problems == []
            if before is not None and after is not None:
                pd.testing.assert_frame_equal(after, before)

    def of(self, folder, files, form):
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return loaded(folder.parent, profile="all", **form.said)


class TestSoundExports:
    @pytest.mark.parametrize("name", [n for n in FORMS if n != "tautulli, page"])
    def test_pass_what_mutants_are_tested_by(self, name, tmp_path):
        form = FORMS[name]
        files = form.logs | form.others
        put(random.Random(0), tmp_path, "export", files)
        plays, _, problems = loaded(tmp_path, profile="all", **form.said)
        problems += of_table(plays) + of_secrets(plays) + of_count(len(plays), files, form.logs)
        assert problems == []


class TestWhatMutantsAreTestedBy:
    @pytest.mark.parametrize(
        ("spoil", "found"),
        [
            (lambda p: p.iloc[::-1].reset_index(drop=True), "not in canonical order"),
            (lambda p: p.assign(viewer=pd.Categorical(["Mara"] * len(p))), "no pseudonym"),
            (lambda p: p.assign(title=pd.Categorical([None] * len(p))), "without a title"),
            (lambda p: p.assign(excluded=pd.Categorical(["odd"] * len(p))), "reasons unknown"),
            (lambda p: p.assign(watched_seconds=-1.0), "below 0"),
            (lambda p: p.assign(ended_at=pd.Timestamp("1990-01-01", tz="UTC")), "ends before"),
            (lambda p: p.assign(title=p["title"].cat.rename_categories(str.upper)).assign(title=pd.Categorical([" x"] * len(p))), "normal one"),
        ],
    )  # fmt: skip
    def test_finds_what_is_wrong_with_a_table(self, tmp_path, spoil, found):
        (tmp_path / "a.csv").write_bytes(netflix.english())
        plays, _, _ = loaded(tmp_path / "a.csv")
        assert of_table(plays) == []
        assert any(found in problem for problem in of_table(spoil(plays)))

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("KeyError: 'x'", "no sentence"),
            ("`path` must be\nso.", "no sentence"),
            ("`path` must be so, found else. Try again.", "more than a sentence"),
            ("`path` must be so, found 'Mara'.", "'Mara' in the sentence"),
            (f"`path` must be {'x' * 600}.", "letters"),
        ],
    )
    def test_finds_what_is_wrong_with_a_sentence(self, text, found):
        assert any(found in problem for problem in of_sentence(text))

    def test_counts_records(self):
        for name, form in FORMS.items():
            if name not in ("tautulli, page", "netflix, no rows"):
                assert of_count(0, form.logs, form.logs) != [], name
