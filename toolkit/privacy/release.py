"""What a study has released: a table of people in numbers, its pictures and its file."""

import base64
import csv
import html
import io
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from toolkit.privacy.ledger import Ledger
from toolkit.privacy.publish import digest_of
from toolkit.privacy.rules import COUNTED

__all__ = ["Release"]

_SHOWN = 60
# What a spreadsheet would run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SIZE = 7.0, 4.0


class Release:
    """A table that may be published, as `Study.release` makes it.

    What it shows in a notebook, and the pictures that `chart` draws of it, are in the study's
    ledger, so that `Study.publish` keeps them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per cell that may be published; those that may not be are not there.  It is a
        new copy each time.
    withheld : pandas.DataFrame
        `reason` and `n_cells`: how many cells are not there, and why.  It is for its author;
        readers are told the sum alone, since reasons narrow down what was withheld.
    number : int
        Which of the study's releases it is, from 1.
    error : float
        With `epsilon`, by how much a number may be off, with 95 % probability; NaN without.

    See Also
    --------
    open_study : The study that makes it.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> import toolkit as tk
    >>> log = pd.DataFrame({
    ...     "viewer": range(12), "title": "Heat", "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.environ["VIEWING_KEY_FOLDER"] = f"{folder}/keys"
    ...     study = tk.open_study("demo", purpose="an example", folder=f"{folder}/study")
    ...     study.load(log)
    ...     study.release(study.plays(), by="title", why="an example")
    ...     del os.environ["VIEWING_KEY_FOLDER"]
    title  people
     Heat      10
    Release 1 of demo.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        withheld: dict[str, int],
        *,
        study: str,
        number: int,
        ledger: Ledger,
        error: float = float("nan"),
    ):
        """Hold what was released; the study records it."""
        self._table = table
        self.withheld = pd.DataFrame(withheld.items(), columns=["reason", "n_cells"])
        self.withheld = self.withheld.astype({"reason": "str", "n_cells": "int64"})
        self.number = number
        self.error = error
        self._study = study
        self._ledger = ledger
        # Once and for all, since pandas may be told to show tables otherwise later.
        rows, caption = table.head(_SHOWN), self._caption()
        looks = {"index": False, "float_format": "{:.3g}".format}
        self._text = f"{rows.to_string(**looks)}\n{caption}"
        shown = rows.to_html(**looks, border=0, notebook=False)
        self._html = f"{shown}\n<p>{html.escape(caption)}</p>"

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell that may be published."""
        # What `chart` draws is what was released, whatever is done to this.
        return self._table.copy()

    def __repr__(self) -> str:
        """Return the table as text, and how much was withheld."""
        return self._text

    def _repr_html_(self) -> str:
        return self._html

    def chart(self, plot: Callable | None = None) -> "Chart":
        """Draw the table, and record the picture so that it may be published.

        Parameters
        ----------
        plot : callable, optional
            Is given the table and an ``ax=`` of matplotlib, as the toolkit's own `plot_` functions
            are.  It must draw of the table alone.  By default the last column of numbers is
            drawn over the first column, in the colours of the second.

        Returns
        -------
        Chart
            Which a notebook shows as a picture.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        (plot or _drawn)(self.table, ax=figure.subplots())
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        chart = Chart(file.getvalue(), f"Chart of release {self.number} of {self._study}")
        known = {
            digest
            for entry in self._ledger.entries()
            if entry["what"] == "drew"
            for digest in entry["details"]["outputs"]
        }
        if not known.issuperset(chart.digests):
            self._ledger.append("drew", release=self.number, outputs=chart.digests)
        return chart

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write the table as CSV, in which no text is a formula to a spreadsheet.

        Text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an
        apostrophe before it; numbers stay as they are.

        Parameters
        ----------
        path : path-like
            The file.
        """
        safe = self.table.rename(columns=_as_text)
        for name, column in safe.items():
            if column.dtype == "str":
                safe[name] = column.map(_as_text, na_action="ignore")
        # Quoted, since a line that ends within a text would begin a row of its own.
        safe.to_csv(Path(path), index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)

    def _caption(self) -> str:
        said = [f"Release {self.number} of {self._study}."]
        if (left := len(self._table) - _SHOWN) > 0:
            said.append(f"{left:,} more rows are in its table.")
        if len(self.withheld):
            said.append(f"Cells withheld: {self.withheld['n_cells'].sum():,}.")
        if self.error == self.error:
            said.append(f"Numbers are off by up to {self.error:,.0f}, with 95 % probability.")
        return " ".join(said)

    def outputs(self) -> list[str]:
        """Return the digests of what a notebook shows of it."""
        return [digest_of("text/plain", self._text), digest_of("text/html", self._html)]


class Chart:
    """A picture of a release."""

    def __init__(self, png: bytes, name: str):
        """Hold the bytes of a PNG."""
        self.png = png
        self._name = name

    def __repr__(self) -> str:
        """Say of which release it is."""
        return self._name

    def _repr_png_(self) -> bytes:
        return self.png

    @property
    def digests(self) -> list[str]:
        """The digests of what a notebook shows of it."""
        image = base64.b64encode(self.png).decode()
        return [digest_of("image/png", image), digest_of("text/plain", repr(self))]


def _as_text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _drawn(table: pd.DataFrame, *, ax) -> None:
    """Draw the last column as bars over the first, one colour for each value of the second."""
    import seaborn as sns

    keys = list(table)[: next(n for n, name in enumerate(table) if name in COUNTED)]
    keys = [name for name in keys if not (name.endswith("_last") and name[:-5] in keys)]
    texts = pd.DataFrame({name: _texts(table, name) for name in keys})
    name = list(table)[-1]
    texts[name] = table[name].to_numpy("float64")
    y, hue = (*keys, None, None)[:2]
    sns.barplot(texts, x=name, y=y, hue=hue, orient="y", errorbar=None, ax=ax)
    ax.figure.set_figheight(max(_SIZE[1], 1 + 0.25 * len(texts)))


def _texts(table: pd.DataFrame, name: str) -> list[str]:
    """Return what stands at the bars: values or, of merged ones, from where to where."""
    if f"{name}_last" not in table:
        is_day = table[name].dtype.kind == "M"
        values = table[name].dt.strftime("%Y-%m-%d") if is_day else table[name]
        # A cell of what is missing is a cell too.
        return ["unknown" if pd.isna(value) else str(value) for value in values]
    return [_span(*ends) for ends in zip(table[name], table[f"{name}_last"], strict=True)]


def _span(low, high) -> str:
    if low is pd.NA:
        return "any" if high is pd.NA else f"up to {high}"
    if high is pd.NA:
        return f"{low}+"
    return f"{low}–{high}" if low < high else f"{low}"
