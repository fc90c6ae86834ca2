"""A notebook that leaks wherever one can, all of it invented, and the hunt for what it leaks."""

import base64
import gzip
import html
import json
import re
import struct
import zlib
from urllib.parse import quote, unquote

NAMES = ["alice.brandt@example.org", "Kinderzimmer 2", "Zoë Brandt", "Jonas Okafor-Lind"]
PSEUDONYMS = ["v_m7pwbol25ou5foaj", "a_4xq2k7tzhd3mvnb6"]
CUSTOMER = 827193465501
CANARIES = [*NAMES, *PSEUDONYMS, str(CUSTOMER)]
EMAIL, ROOM, ZOE, JONAS = NAMES
VIEWER, ACCOUNT = PSEUDONYMS

#: What the study has released: the table in two forms, the chart in two.
TABLE = (
    "<table>\n<tr><th>title</th><th>people</th></tr>\n<tr><td>Heat</td><td>55</td></tr>\n</table>"
)
TABLE_PLAIN = "  title  people\n0  Heat      55"
CHART = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"title": "Heat", "people": 55, "share": 0.25}]},
    "mark": {"type": "bar"},
}


def in_base64(data):
    return base64.b64encode(data).decode()


def png(text=""):
    """A picture of one pixel with a text in it that is compressed."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))]
    if text:
        parts.append(chunk(b"zTXt", b"Title\0\0" + zlib.compress(text.encode())))
    parts += [chunk(b"IDAT", zlib.compress(b"\0\0")), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


CHART_PNG = in_base64(png())
RELEASED = [
    ("text/html", TABLE),
    ("text/plain", TABLE_PLAIN),
    ("application/vnd.vegalite.v5+json", CHART),
    ("image/png", CHART_PNG),
]


def frame_html(values):
    rows = "".join(f"<tr><td>{html.escape(value)}</td></tr>\n" for value in values)
    return f'<div>\n<style scoped>.dataframe {{}}</style>\n<table class="dataframe">\n{rows}</table></div>'


def frame_text(values):
    return [f"{n}  {value}\n" for n, value in enumerate(values)]


def plotly():
    """What plotly writes for a scatter: typed arrays, and names in each hover label."""
    numbers = in_base64(struct.pack("<2q", CUSTOMER, 55))
    return {
        "data": [
            {
                "type": "scattergl",
                "customdata": [[name] for name in NAMES],
                "x": {"dtype": "i8", "bdata": numbers},
                "y": {"dtype": "S", "bdata": in_base64("\0".join(PSEUDONYMS).encode("utf-16"))},
            }
        ],
        "layout": {"title": {"text": ROOM}},
        "config": {"plotlyServerURL": "https://plot.ly"},
    }


def plotly_html():
    held = json.dumps(plotly(), ensure_ascii=True)
    return f'<div id="4cf8"><script>Plotly.newPlot("4cf8", {held})</script></div>'


def altair():
    rows = [{"viewer": name, "plays": 18} for name in CANARIES]
    return CHART | {"data": {"name": "data-1"}, "datasets": {"data-1": rows}}


def svg():
    texts = "".join(f"<text>{html.escape(quote(name))}</text>" for name in CANARIES)
    return f'<svg xmlns="http://www.w3.org/2000/svg"><!-- {ZOE} -->{texts}</svg>'


def state():
    """The state of two widgets: an output, and a figure with its buffers."""
    kept = {"outputs": [{"output_type": "stream", "name": "stdout", "text": ZOE}]}
    packed = in_base64(gzip.compress("\n".join(CANARIES).encode()))
    return {
        "application/vnd.jupyter.widget-state+json": {
            "state": {
                "a": {"model_name": "OutputModel", "state": kept},
                "b": {"buffers": [{"data": packed, "encoding": "base64", "path": ["x"]}]},
            },
            "version_major": 2,
            "version_minor": 0,
        }
    }


def shown(data, **more):
    return {"output_type": "display_data", "data": data, "metadata": {}} | more


def result(data, **more):
    return {
        "output_type": "execute_result",
        "data": data,
        "metadata": {},
        "execution_count": 7,
    } | more


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text.splitlines(True)}


def code(source, *outputs, n=7, **metadata):
    times = {"iopub.execute_input": "2026-03-01T10:00:00Z"}
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"execution": times, "papermill": {"parameters": {"donor": ROOM}}} | metadata,
        "execution_count": n,
        "outputs": [*outputs],
    }


def prose(source, kind="markdown", metadata=None, **more):
    return {"cell_type": kind, "source": source, "metadata": metadata or {}, **more}


def cells(names):
    """The cells; with the names that an author might write, or with others."""

    def said(named, otherwise):
        return named if names else otherwise

    traceback = [f"\x1b[0;31mKeyError\x1b[0m: '{ROOM}'", f"donors = {CANARIES!r}"]
    picture = in_base64(png(" ".join(CANARIES)))
    return [
        # 1: pictures in prose, as attachment and as data.
        prose(
            f"# Comfort titles\n\n![{ROOM}](attachment:image%20(1).png) and "
            f'<img alt="" src="data:image/png;base64,{picture}">',
            attachments={"image (1).png": {"image/png": picture}},
            metadata={"slideshow": {"slide_type": ZOE}},
        ),
        # 2: a comment.
        code(said(f"# {EMAIL} asked for this\nimport pandas as pd", "import pandas as pd")),
        # 3: a frame.
        code(
            "log", result({"text/html": frame_html(CANARIES), "text/plain": frame_text(CANARIES)})
        ),
        # 4: printed, in two streams.
        code(
            "print(*viewers)", printed("\n".join(CANARIES)), printed(f"Warning: {ROOM}", "stderr")
        ),
        # 5: plotly.
        code(
            "px.scatter(log)",
            shown({"text/html": plotly_html(), "application/vnd.plotly.v1+json": plotly()}),
        ),
        # 6: Altair.
        code(
            "alt.Chart(log)",
            result(
                {
                    "application/vnd.vegalite.v5+json": altair(),
                    "text/plain": "alt.Chart(...)",
                    "image/png": picture + "\n",
                }
            ),
        ),
        # 7: pictures.
        code(
            said(f"plot(log, title='{ROOM}')", "plot(log, title='All')"),
            shown({"image/svg+xml": svg(), "text/plain": f"<Figure of {ROOM}>"}),
            shown({"image/png": picture}, metadata={"image/png": {"alt": ROOM}}),
        ),
        # 8: a traceback.
        code(
            "log[key]",
            {
                "output_type": "error",
                "ename": "KeyError",
                "evalue": repr(ROOM),
                "traceback": traceback,
            },
        ),
        # 9: a widget, and a format with parameters.
        code(
            "explore(log)",
            shown(
                {
                    "application/vnd.jupyter.widget-view+json": {"model_id": VIEWER},
                    f"text/html; name={ROOM}": TABLE,
                }
            ),
        ),
        # 10: the released table, between others.
        code(
            "pub",
            printed(ZOE),
            result(
                {"text/html": TABLE.splitlines(True), "text/plain": TABLE_PLAIN},
                metadata={"release": {"asked by": ROOM}, "text/html": {"isolated": VIEWER}},
                transient={"display_id": ACCOUNT},
            ),
            tags=["released", EMAIL] if names else ["released"],
        ),
        # 11: the released chart, with a text that nobody released.
        code(
            "pub.chart()",
            shown(
                {
                    "application/vnd.vegalite.v5+json": CHART,
                    "image/png": f"{CHART_PNG}\n",
                    "text/plain": f"<Chart for {ROOM}>",
                },
            ),
        ),
        # 12: what is like the released table, and outputs of kinds that there are not.
        code(
            said("load('donations/Kinderzimmer 2/ViewingActivity.csv')", "load(folder)"),
            shown({"text/html": TABLE + f"<!-- {JONAS} -->"}),
            shown({"text/plain": TABLE}),
            {"output_type": "update_display_data", "data": {"text/html": TABLE, "text/plain": ZOE}},
            {"output_type": "pyout", "text": ROOM},
            {"output_type": ["display_data"], "data": {"text/plain": ROOM}},
            ROOM,
            collapsed=True,
        ),
        # 13: escapes in a string.
        code(said(r"only = 'Zo\u00eb Brandt'", "only = None")),
        # 14: entities in prose.
        prose(said("Thanks to Zo&euml; Brandt &amp; all.", "Thanks to all.")),
        # 15: a raw cell.
        prose(
            said(f"author: {JONAS}", "author: the study's"),
            kind="raw",
            metadata={"format": f"text/x-{ACCOUNT}"},
        ),
        # 16: a pseudonym in a longer word.
        code(said(f"url = 'https://example.org/?who={VIEWER}x'", "url = None")),
    ]


#: The cells in which the author names somebody.
NAMING = [2, 7, 10, 12, 13, 14, 15, 16]


def leaky(*, names=True):
    """The notebook, as Jupyter and its extensions keep one."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "authors": [{"name": ZOE}],
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
                "env": {"DONOR": ROOM},
            },
            "language_info": {"name": "python", "version": ROOM, "file_extension": ".py"},
            "signature": f"hmac of {EMAIL}",
            "title": "\n".join(CANARIES),
            "widgets": state(),
        },
        "cells": [
            cell | {"id": f"{n:x}-kinderzimmer-2" if n % 2 else f"{n:08x}"}
            for n, cell in enumerate(cells(names), 1)
        ],
        f"made for {ROOM}": True,
    }


def found_in(data, depth=5):
    """Hunt for the canaries in bytes, also in what is encoded or packed in them."""
    found = {name for name in CANARIES if name.encode() in data}
    if struct.pack("<q", CUSTOMER) in data or struct.pack(">q", CUSTOMER) in data:
        found.add(str(CUSTOMER))
    if depth:
        for inner in _inside(data):
            found |= found_in(inner, depth - 1)
    return found


def _inside(data):
    """Whatever else these bytes say, each of it shorter or one step plainer."""
    readings = [_utf16(data, order) for order in ("utf-16-le", "utf-16-be")]
    text = data.decode(errors="replace")
    readings += [html.unescape(text), unquote(text), _unescaped(text)]
    yield from {reading.encode() for reading in readings if reading} - {data}
    for run in re.findall(rb"[A-Za-z0-9+/]{12,}", data):
        yield base64.b64decode(run + b"A" * (-len(run) % 4))
    for start in re.finditer(rb"\x1f\x8b|\x78[\x01\x5e\x9c\xda]", data):
        wbits = 31 if start[0] == b"\x1f\x8b" else 15
        try:
            yield zlib.decompressobj(wbits).decompress(data[start.start() :])
        except zlib.error:
            continue


def _utf16(data, order):
    # Only if it is that: one byte in two is empty.
    if data.count(b"\0") * 3 < len(data):
        return None
    return data[: len(data) // 2 * 2].decode(order, "replace")


def _unescaped(text):
    return re.sub(r"\\+u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text)
