"""Where parts are computed: here one by one, in processes of this machine, or by Dask."""

import itertools
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd

from toolkit.scale.joining import only_used
from toolkit.store import Store
from toolkit.store.files import bucket_numbers, split

__all__ = ["ENGINES", "empty_of", "engine_of", "parts_of"]

# So many plays of all columns take some 100 MB.
_ROWS_PER_PART = 2**19
_PARTS_PER_WORKER = 4
_BUCKET = "bucket of the viewer"


def engine_of(source, engine: str) -> str:
    """Return the engine that is asked for, or the usual one of the source."""
    is_store = isinstance(source, Store)
    if not (is_store or isinstance(source, pd.DataFrame) or _is_dask(source)):
        raise ValueError(
            "`source` must be a frame, a store or a Dask frame, "
            f"got {type(source).__name__}: a folder is opened by `open_store`."
        )
    usual = "dask" if _is_dask(source) else "processes" if is_store else "memory"
    if usual == "dask" and engine not in ("auto", "dask"):
        raise ValueError(f"`engine` must be 'dask' for a Dask frame, got {engine!r}.")
    if usual == "memory" and engine == "dask":
        raise ValueError(
            "`source` must be a store or a Dask frame for Dask, found a frame in memory: "
            "see `write_store` and `dask.dataframe.from_pandas`."
        )
    return usual if engine == "auto" else engine


def parts_of(source, engine: str, n_workers: int) -> list:
    """Return the parts of a source, each a frame, or what gives it where it is computed."""
    if isinstance(source, Store):
        return [partial(source.bucket, number) for number in range(source.n_buckets)]
    if _is_dask(source):
        return _shuffled(source)
    if engine == "memory":
        return [source]
    n_parts = max(_PARTS_PER_WORKER * n_workers, -(-len(source) // _ROWS_PER_PART))
    return [only_used(part) for part in split(source, n_parts)]


def empty_of(source) -> pd.DataFrame:
    """Return a table without rows as its parts have it; what Dask says of them may be wrong."""
    if isinstance(source, Store):
        source = source.bucket(0)
    elif _is_dask(source):
        source = source.get_partition(0).map_partitions(_without_rows, meta=source._meta).compute()
    return _without_rows(source)


def _without_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[:0]


def _is_dask(source) -> bool:
    # Who has such a frame has imported Dask.
    frames = sys.modules.get("dask.dataframe")
    return frames is not None and isinstance(source, frames.DataFrame)


def _shuffled(frame) -> list:
    """Return the parts of a Dask frame, shuffled so that each holds its viewers whole."""
    n_parts = frame.npartitions

    def home(viewer: pd.Series) -> pd.Series:
        return pd.Series(bucket_numbers(viewer, n_parts), index=viewer.index)

    homes = frame["viewer"].map_partitions(home, meta=(_BUCKET, "int32"))
    frame = frame.assign(**{_BUCKET: homes})
    return frame.set_index(_BUCKET, divisions=list(range(n_parts + 1))).to_delayed()


def _in_memory(tasks: dict[int, tuple[Callable, object]], n_workers: int) -> Iterator:
    for number, (work, part) in tasks.items():
        yield number, work(part)


def _in_processes(tasks: dict[int, tuple[Callable, object]], n_workers: int) -> Iterator:
    from loky import FIRST_COMPLETED, BrokenProcessPool, ProcessPoolExecutor, wait

    executor = ProcessPoolExecutor(n_workers)
    left, waiting = iter(tasks.items()), {}
    try:
        while True:
            # One more than there are processes, so that none has to wait.
            for number, (work, part) in itertools.islice(left, n_workers + 1 - len(waiting)):
                waiting[executor.submit(work, part)] = number
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    except BrokenProcessPool as error:
        error.add_note(
            "Each process holds one part at a time: fewer take less memory (`n_workers`), and "
            "with `resume_in` what is done is kept."
        )
        raise
    finally:
        executor.shutdown(kill_workers=True)


def _by_dask(tasks: dict[int, tuple[Callable, object]], n_workers: int) -> Iterator:
    try:
        from dask import delayed
        from distributed import as_completed, default_client
    except ImportError:
        raise ImportError(
            "`engine='dask'` needs Dask, which is not installed: "
            "pip install 'viewing-toolkit[dask]'."
        ) from None
    try:
        client = default_client()
    except ValueError:
        raise ValueError(
            "`engine='dask'` must find a client, found none: start one with "
            "`dask.distributed.Client()`, or connect to your cluster with its address."
        ) from None
    todo = [delayed(work, pure=False)(part) for work, part in tasks.values()]
    waiting = dict(zip(client.compute(todo), tasks, strict=True))
    try:
        for future, table in as_completed(list(waiting), with_results=True):
            yield waiting.pop(future), table
    finally:
        client.cancel(list(waiting))


# Each yields the number and the result of every task as it is done.
ENGINES = {"memory": _in_memory, "processes": _in_processes, "dask": _by_dask}
