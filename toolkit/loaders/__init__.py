"""Loaders: from a file to plays, with every row of it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from toolkit.loaders.dataset import Dataset, load_dataset, load_sample
from toolkit.loaders.files import is_saved, read_frame
from toolkit.loaders.table import load_table
from toolkit.tables import PLAYS

__all__ = ["Dataset", "load_dataset", "load_plays", "load_sample", "load_table"]


def load_plays(
    path: str | os.PathLike,
    *,
    source: str = "auto",
    profile: str | os.PathLike | Mapping[str, str] | None = None,
    key: bytes | str | os.PathLike | None = None,
    clock_tz: str | None = None,
    date_order: str | None = None,
    progress: bool | None = None,
    report: Callable[[pd.DataFrame], object] | None = None,
    template: bool = True,
) -> pd.DataFrame:
    r"""Read an export, a folder of donated exports, or a plays table that was saved.

    What a file is, is told by its content; `sources` lists what is known.

    Parameters
    ----------
    path : path-like
        A file, a zip, or a folder that is one unpacked export: its profiles are viewers of
        one account.  Any other folder holds donations: each file, zip or subfolder in it is
        an account of its own (the numbered parts of one Google takeout are one).  A Parquet
        or CSV file whose columns have the names of a plays table is read as that.
    source : str, default "auto"
        One of the sources, to read nothing else.
    profile : str, mapping or path-like, optional
        The profile that consents: its name, "all", or for a folder a mapping from each
        export (a name in the folder) to either, or a CSV file with the columns `export` and
        `profile`.  A donation that holds several profiles is refused until this is said.
    key : bytes, str or path-like, optional
        The key of the pseudonyms, see `toolkit.privacy.keys.read_key`.
    clock_tz : str, optional
        The time zone of clocks that say none; an export that needs it says so.
    date_order : {'DMY', 'MDY', 'YMD'}, optional
        The order of dates where a file leaves it open; an export that needs it says so.
    progress : bool, optional
        Show a progress bar; by default only after two seconds.
    report : callable, optional
        Is given the report of the load, a table with one row per export: ``export``,
        ``outcome`` {read, repeated, refused}, ``source``, ``n_rows``, ``n_used``, ``note``.
        By default it is printed, as sentences, for a folder or if there are notes.
    template : bool, default True
        Where several profiles are refused, write a table to fill in beside the folder; it
        names the exports, and nobody.

    Returns
    -------
    pandas.DataFrame
        A plays table with every row of every export that could be read, in the order viewer,
        title, started_at.  Rows that are no genuine plays have a reason in `excluded`.
        ``is_overlapping`` marks plays that start before an earlier one of their viewer ends.

    Raises
    ------
    ValueError
        If the one export, or all of a folder, can't be read honestly: the sentence says
        what is needed.  Single donations that can't be read are refused in the report.
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    sources : what a row of each source is, and what it can't say.
    loss_table : how many rows are set aside, and why.
    load_table : any other table, through a map of its columns.

    Notes
    -----
    Pseudonyms are made of the name of the export within its folder, its source and the
    profile: rename files before they are loaded for the first time, not between two loads,
    and never give the exports of two people one name.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> history = 'Title,Date\n"Heat","2024-03-02"\n"Up","2024-03-01"\n'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "NetflixViewingHistory.csv"
    ...     _ = path.write_text(history)
    ...     plays = load_plays(path, key=b"for this example, and no other!!")
    1 export: 1 read; 2 plays, 0 set aside.
    NetflixViewingHistory.csv: read: 2 of 2 titles could not be parsed.
    >>> plays[["title", "started_at", "source", "row_is", "precision"]]
      title                started_at           source  row_is precision
    0  Heat 2024-03-02 00:00:00+00:00  netflix_history  latest       day
    1    Up 2024-03-01 00:00:00+00:00  netflix_history  latest       day
    """
    path = Path(path).expanduser()
    if source == "auto" and path.is_file() and is_saved(path):
        frame = read_frame(path, columns=list(PLAYS))
        return load_table(frame, columns={name: name for name in PLAYS if name in frame}, key=key)
    # Imported when it is needed, so that `import toolkit` stays light.
    from toolkit.loaders.donations import load_exports

    return load_exports(
        path,
        source=source,
        profile=profile,
        key=key,
        clock_tz=clock_tz,
        date_order=date_order,
        progress=progress,
        report=report,
        template=template,
    )
