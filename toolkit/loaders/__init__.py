"""Loaders: from a file to plays, with every row of it."""

import os

import pandas as pd

from toolkit.loaders.dataset import Dataset, load_dataset, load_sample
from toolkit.loaders.files import read_frame
from toolkit.loaders.table import load_table
from toolkit.tables import PLAYS

__all__ = ["Dataset", "load_dataset", "load_plays", "load_sample", "load_table"]


def load_plays(
    path: str | os.PathLike, *, key: bytes | str | os.PathLike | None = None
) -> pd.DataFrame:
    """Read a plays table that was saved as Parquet or CSV.

    Parameters
    ----------
    path : path-like
        A file whose columns have the names of a plays table; other columns are not read.
    key : bytes, str or path-like, optional
        The key of the pseudonyms, see `toolkit.privacy.keys.read_key`; needed only where
        viewers or accounts are not pseudonyms already.

    Returns
    -------
    pandas.DataFrame
        A plays table with every row of the file.

    Raises
    ------
    ValueError
        If it has no `viewer`, `title` or `started_at`, or a value can't be read.
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    load_table : any other table, through a map of its columns.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> sample = load_sample().head(3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "plays.csv"
    ...     sample.to_csv(path, index=False)
    ...     again = load_plays(path)
    >>> (again["started_at"] == sample["started_at"]).all()
    np.True_
    """
    frame = read_frame(path, columns=list(PLAYS))
    return load_table(frame, columns={name: name for name in PLAYS if name in frame}, key=key)
