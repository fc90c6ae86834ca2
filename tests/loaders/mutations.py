"""Exports with a few bytes changed, and what a loader may make of them."""

import csv
import io
import random
import re

from tests.loaders.reading import finished
from toolkit.loaders.archive import as_file

_TABLE = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b";", b"9999-99-99", "٣".encode(), b"-"]
_JSON = [b'"', b",", b"null", b"-1", b"1e999", b"NaN", b"\xff", b"{}", b"\\ud800", b"true"]


def changed_table(data, rng):
    """Change, cut, double or replace a few bytes."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(data))
        end = at + rng.choice([0, 1, 2, 20])
        match rng.randrange(4):
            case 0:
                data[at:end] = rng.choice(_TABLE)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at:at] = data[at : end + 10]
            case _:
                del data[at : end + 1]
        data = data or bytearray(b" ")
    return bytes(data)


def changed_json(data, rng):
    """Change, cut or replace a few bytes."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2])):
        at = rng.randrange(len(data))
        end = at + rng.choice([0, 1, 2, 4])
        match rng.randrange(3):
            case 0:
                data[at:end] = rng.choice(_JSON)
            case 1:
                data[at] = rng.choice(b'0123456789TZ":.e')
            case _:
                del data[at : end + 1]
    return bytes(data)


def changed_bytes(data, rng):
    """Change a few bytes, or cut or repeat some; `rng` is one of numpy."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                data[at] = rng.integers(256)
            case 1:
                data[at] ^= 1 << rng.integers(8)
            case 2:
                del data[at : at + int(rng.integers(1, 9))]
            case _:
                data[at:at] = data[at : at + int(rng.integers(1, 40))]
    return bytes(data)


def n_records(data, n_commas):
    """The records of a table by another reader; None where it can't say."""
    try:
        text = data.decode("utf-8-sig").lstrip("\r\n")
        if text.partition("\n")[0].count(",") < n_commas:
            return None
        return sum(bool(row) for row in csv.reader(io.StringIO(text, newline=""))) - 1
    except (UnicodeDecodeError, csv.Error):
        return None


def check_mutations(module, samples, change, name, count, **hints):
    """Of 200 changed files each gives as many plays as `count` finds, or one sentence."""
    rng, n_read, refused = random.Random(5), 0, []
    for number in range(200):
        data = change(samples[number % len(samples)], rng)
        file = as_file(name, data)
        module.recognises(file)
        try:
            plays, _ = finished(module, [file], **hints)
        except ValueError as refusal:
            refused.append(refusal)
            continue
        n_read += 1
        assert count(data) in (None, len(plays))
        used = plays[plays["excluded"].isna()]
        assert used[["title", "started_at"]].notna().all(axis=None)
    assert 20 < n_read < 190
    assert {type(refusal) for refusal in refused} == {ValueError}
    assert all(re.fullmatch(r"`[^\n]+\.", str(refusal)) for refusal in refused)


def read_or_refused(module, name, data):
    """Return the rows of bytes, or None where one sentence refused them; nothing else may come."""
    made = as_file(name, data)
    module.recognises(made)
    refusal = None
    try:
        frame, said = finished(module, [made])
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith("`")
        return None
    assert all(isinstance(note, str) for note in said)
    return frame
