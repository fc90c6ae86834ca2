"""Zips built byte by byte, with every field free to lie; what they hold is invented.

Ann's export has two tables and a page; whoever attacks the toolkit sends the rest.
"""

import struct
import zlib

ROWS = b"Title,Date\nThe Lighthouse Keeper,2024-03-01\n"
PAGE = "<p>Sérié</p>".encode()


def entry(name, data=ROWS, *, packed=None, method=8, flags=0x800, **lies):
    """Describe one entry; `lies` replace what would be true, `local` what its own header says."""
    raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    if packed is None:
        packed = deflated(data) if method == 8 else data
    true = {
        "raw": raw, "packed": packed, "method": method, "flags": flags, "crc": zlib.crc32(data),
        "n_packed": len(packed), "size": len(data), "mode": 0, "extra": b"", "local": {},
        "at": None,
    }  # fmt: skip
    assert lies.keys() <= true.keys()
    return true | lies


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zipped(*entries, comment=b"", **lies):
    """Return a zip of entries; `lies` replace what the end of its directory says."""
    body, directory = b"", b""
    for one in entries:
        at = len(body) if one["at"] is None else one["at"]
        if one["at"] is None:
            body += local_header(**(one | one["local"])) + one["packed"]
        directory += central_header(at, **one)
    return body + directory + end(len(entries), len(directory), len(body), comment, **lies)


def zipped_64(*entries):
    """Return a zip whose directory keeps every number in the fields of zip64."""
    body, directory = b"", b""
    for one in entries:
        wide = struct.pack("<2H3Q", 1, 24, one["size"], one["n_packed"], len(body))
        # Another attribute stands in front of it, as a time stamp would.
        extra = struct.pack("<2H4s", 0x5455, 4, b"time") + wide
        body += local_header(**one) + one["packed"]
        lies = {"size": 2**32 - 1, "n_packed": 2**32 - 1, "extra": extra}
        directory += central_header(2**32 - 1, **(one | lies))
    n, size, start = len(entries), len(directory), len(body)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, n, n, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    return body + directory + record + locator + end(2**16 - 1, 2**32 - 1, 2**32 - 1)


def local_header(raw, flags, method, crc, n_packed, size, extra=b"", **_):
    fields = (20, flags, method, 0, 0, crc, n_packed, size, len(raw), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + raw + extra


def central_header(place, raw, flags, method, crc, n_packed, size, mode, extra=b"", **_):
    fields = (0x314, 20, flags, method, 0, 0, crc, n_packed, size, len(raw), len(extra))
    rest = (0, 0, 0, mode << 16, place)
    return struct.pack("<4s6H3L2H3H2L", b"PK\1\2", *fields, *rest) + raw + extra


def end(n, size, start, comment=b"", *, disk=0, first_disk=0, n_here=None):
    fields = (disk, first_disk, n if n_here is None else n_here, n, size, start, len(comment))
    return struct.pack("<4s4H2LH", b"PK\5\6", *fields) + comment


def export():
    """Return Ann's export as paths and bytes."""
    return {
        "netflix-report/CONTENT_INTERACTION/ViewingActivity.csv": ROWS * 40,
        "netflix-report/Séries/page.html": PAGE,
        "netflix-report/PROFILES/Profiles.csv": b"Profile Name\r\nAnn\r\n",
    }


def good_zip():
    return zipped(*(entry(name, data) for name, data in export().items()))


def overlapping_zip(n=50):
    """Return a bomb: one packed megabyte that every entry of the directory claims as its own."""
    kernel = bytes(2**20)
    first = entry("0.csv", kernel)
    return zipped(first, *(entry(f"{i}.csv", kernel, at=0) for i in range(1, n)))


def quoting_zip(n=20):
    """Return a bomb: each entry quotes the header of the next one and goes on through its data."""
    data = bytes(2**16)
    body = local_header(**entry(f"{n:02}.csv", data)) + deflated(data)
    made = [(0, entry(f"{n:02}.csv", data))]
    for i in reversed(range(n)):
        quoted = body[: 30 + len(b"00.csv")]
        # A stored block of deflate that is not the last one.
        block = struct.pack("<B2H", 0, len(quoted), len(quoted) ^ 0xFFFF) + quoted
        data = quoted + data
        packed = block + body[len(quoted) :]
        one = entry(f"{i:02}.csv", data, packed=packed)
        header = local_header(**one)
        made = [(0, one), *((at + len(header) + 5, other) for at, other in made)]
        body = header + block[:5] + body
    directory = b"".join(central_header(at, **one) for at, one in made)
    return body + directory + end(len(made), len(directory), len(body))
