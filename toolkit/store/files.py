"""One bucket of a store: which viewers are in it, in what order, and as what bytes."""

import hashlib
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.order import canonical_starts, stored, taken
from toolkit.privacy.keys import has_pseudonym_form
from toolkit.tables import PLAYS, as_plays

__all__ = [
    "as_storable",
    "bucket_numbers",
    "bucket_of",
    "from_parquet",
    "in_order",
    "kinds_of",
    "split",
    "tidied",
    "to_parquet",
]

_ORDER = ["viewer", "title", "started_at"]
_ORDER_OF_OTHERS = ["viewer", "title", "series", "day", "first_day"]
_CATEGORY = "category of "


def as_storable(plays: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of plays in order, once no name and no unknown kind is among them."""
    plays = as_plays(plays)
    names = [name for name in PLAYS if name in plays]
    names += [name for name in plays if name not in PLAYS]
    if len(set(names)) < len(plays.columns) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`plays` must name each column once and in text, found {list(plays)}.")
    for name in names:
        dtype = plays[name].dtype
        if dtype == "object" or getattr(dtype, "ordered", False):
            raise ValueError(
                f"`plays.{name}` must have a dtype that a store keeps, found "
                f"{'an ordered category' if dtype != 'object' else 'object'}: cast it first."
            )
    for name in ("viewer", "account"):
        _require_pseudonyms(plays[name], name)
    return plays[names]


def kinds_of(plays: pd.DataFrame) -> dict[str, str]:
    """Return the kind of each column in words; two tables with the same ones fit together."""
    return {
        name: f"{_CATEGORY}{dtype.categories.dtype}"
        if isinstance(dtype, pd.CategoricalDtype)
        else str(dtype)
        for name, dtype in plays.dtypes.items()
    }


def bucket_of(viewer: str | int, n_buckets: int) -> int:
    """Return the bucket of a viewer, which nothing but its id and their number decides.

    The first 60 bits of the SHA-256 of the id as text, modulo `n_buckets`.
    """
    return int(hashlib.sha256(str(viewer).encode()).hexdigest()[:15], 16) % n_buckets


def split(plays: pd.DataFrame, n_buckets: int):
    """Yield the rows of each bucket; rows without a viewer are in the first one."""
    bucket = bucket_numbers(plays["viewer"], n_buckets)
    order = np.argsort(bucket, kind="stable")
    ends = np.searchsorted(bucket[order], np.arange(n_buckets + 1))
    for low, high in itertools.pairwise(ends):
        yield _at(plays, order[low:high])


def bucket_numbers(viewer: pd.Series, n_buckets: int) -> np.ndarray:
    """Return the bucket of each row's viewer, the first one where there is none."""
    codes, ids = pd.factorize(viewer)
    home = np.array([bucket_of(i, n_buckets) for i in ids] + [0], dtype="int32")
    return home[codes]


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return plays by viewer, title, start and then all columns, so that equal sets look equal.

    Other tables with `viewer` have the order of their own columns.  Only categories that
    occur are kept, sorted: others would name people who are not there.
    """
    table = pd.DataFrame({name: tidied(table[name]) for name in table}, copy=False)
    table = table.reset_index(drop=True)
    wanted = _ORDER if "started_at" in table else _ORDER_OF_OTHERS
    wanted = [name for name in wanted if name in table]
    keys = [_numbers(table[name]) for name in wanted]
    is_new = canonical_starts(keys[:-1], keys[-1], 0) if len(table) else np.ones(1, dtype=bool)
    order = None
    if is_new is None:
        order = np.lexsort(keys[::-1])
        is_new = np.ones(len(order) + 1, dtype=bool)
        is_new[1:-1] = False
        for key in keys:
            is_new[1:-1] |= key[order[1:]] != key[order[:-1]]
    elif is_new.all():
        return table
    if not is_new.all():
        order = np.arange(len(table)) if order is None else order
        tied = np.flatnonzero(~(is_new[:-1] & is_new[1:]))
        rows = _at(table, order[tied]).set_axis(order[tied])
        then = [name for name in rows if name not in wanted]
        order[tied] = rows.sort_values([*wanted, *then], kind="stable", key=_sortable).index
    return _at(table, order)


def to_parquet(plays: pd.DataFrame) -> pa.Buffer:
    """Return a table as the bytes of a Parquet file."""
    try:
        table = pa.Table.from_pandas(plays, preserve_index=False)
        fields = [_settled(field, plays[field.name].dtype) for field in table.schema]
        table = table.cast(pa.schema(fields, table.schema.metadata))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
    except pa.ArrowException:
        raise ValueError(
            f"`plays` must have columns that Parquet can hold, found {kinds_of(plays)}."
        ) from None
    return sink.getvalue()


def from_parquet(files: list[bytes], kinds: dict[str, str]) -> pd.DataFrame:
    """Return the rows of files of one bucket, with columns of the kinds they were saved with."""
    tables = []
    for data in files:
        table = pq.read_table(pa.BufferReader(data))
        for n, field in enumerate(table.schema):
            # Parquet gives back categories of text only.
            if kinds[field.name].startswith(_CATEGORY) and not pa.types.is_dictionary(field.type):
                table = table.set_column(n, field.name, table.column(n).dictionary_encode())
        tables.append(table)
    plays = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    plays = pd.DataFrame({name: _restored(plays[name], kind) for name, kind in kinds.items()})
    return plays if len(tables) == 1 else in_order(plays)


def _require_pseudonyms(ids: pd.Series, name: str) -> None:
    """Refuse ids in text that are not pseudonyms; whole numbers can't be told from codes."""
    if not isinstance(ids.dtype, pd.CategoricalDtype):
        return
    forms = ["viewer"] if name == "viewer" else ["viewer", "account"]
    held = tidied(ids).cat.categories
    raw = sum(not any(has_pseudonym_form([i], form) for form in forms) for i in held)
    if raw and held.dtype.kind not in "iu":
        # Not a word of what was found, which may be names of people.
        raise ValueError(
            f"`plays.{name}` must hold pseudonyms (as `load_table` makes them with a key) or "
            f"whole numbers, found {raw} ids of another form: a store keeps no names."
        )


def _settled(field: pa.Field, dtype) -> pa.Field:
    """Return a field with types that do not depend on how many categories there are, if any."""
    if not isinstance(dtype, pd.CategoricalDtype):
        return field
    held = pa.string() if dtype.categories.dtype == "str" else field.type.value_type
    return field.with_type(pa.dictionary(pa.int32(), held))


def _restored(column: pd.Series, kind: str) -> pd.Series:
    if not kind.startswith(_CATEGORY):
        return column
    dtype, held = kind.removeprefix(_CATEGORY), column.cat.categories
    if held.dtype != dtype:
        column = column.cat.rename_categories(held.astype(dtype))
    # Parquet keeps categories by where they first occur.
    return tidied(column)


def tidied(column: pd.Series) -> pd.Series:
    """Return a column without what can differ between equal ones."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        # Zero has two signs.
        return column + 0.0
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    codes, held = stored(column), column.cat.categories
    is_used = np.zeros(len(held) + 1, dtype=bool)
    is_used[codes] = True
    if is_used[:-1].all() and held.is_monotonic_increasing:
        return column
    used = np.flatnonzero(is_used[:-1])
    used = used[held[used].argsort()]
    renumbered = np.full(len(held) + 1, -1)
    renumbered[used] = np.arange(len(used))
    made = pd.Categorical.from_codes(renumbered[codes], held[used], validate=False)
    return pd.Series(made, index=column.index, copy=False)


def _sortable(column: pd.Series) -> pd.Series:
    # Objects need not have an order, their texts do.
    return column.astype("str") if column.dtype == "object" else column


def _numbers(column: pd.Series) -> np.ndarray:
    """Return whole numbers that sort as a column does, with what is missing last."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, last = stored(column), len(column.cat.categories)
        return np.where(codes < 0, last, codes)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        instants = column.array.asi8
        return np.where(column.isna(), np.iinfo("int64").max, instants)
    numbers = column.to_numpy()
    return numbers.view("int64") if numbers.dtype.kind == "M" else numbers


def _at(plays: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    # A new frame leaves behind `attrs`, which may hold a path.
    return pd.DataFrame({name: taken(plays[name], rows) for name in plays})
