"""The same steps over a frame in memory, a store larger than memory, or a Dask cluster."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pandas as pd

from toolkit.scale.engines import ENGINES, empty_of, engine_of, parts_of
from toolkit.scale.joining import together
from toolkit.scale.resuming import Done
from toolkit.scale.steps import Plan, applied, compute_part, planned, steps_of_parts
from toolkit.store import Store
from toolkit.streaks import NotWatched
from toolkit.tables import as_whole_number, require_choice

__all__ = ["run"]


def run(
    source,
    steps: Sequence[Callable | tuple[Callable, dict]],
    *,
    engine: str = "auto",
    combine: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    n_workers: int | None = None,
    resume_in: str | Path | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Run steps over a log that is taken in parts, each with viewers of its own.

    How a log is parted never changes a result: the same steps give the same table, to the
    last bit, from a frame, from a store of any number of buckets, and on any number of
    workers.

    Parameters
    ----------
    source : pandas.DataFrame, Store or dask.dataframe.DataFrame
        Plays; or, but for a store, viewer-days, viewings or streaks.
    steps : list of function or (function, dict)
        Each is called with the table before it and the arguments in the dict.  A step takes
        a table with `viewer`, treats each viewer alone, and returns one with `viewer` and the
        same columns for any viewers, also for none.  The first step that returns none is an
        aggregate; it and what comes after it are given the whole.
    engine : {"auto", "memory", "processes", "dask"}, default "auto"
        Where parts are computed: one after the other here, in processes of this machine, or
        by the workers of the current Dask client.  By default a frame in memory, a store in
        processes, and a Dask frame by Dask.
    combine : function, optional
        What makes the result of an aggregate of your own, given its tables for all parts one
        below the other.  Those of the toolkit that are listed below need none.
    n_workers : int, optional
        How many processes; as many as there are processors by default.  Each holds one
        bucket at a time.
    resume_in : path-like, optional
        A folder for what is done.  A run of a store that is interrupted goes on from there
        when it is called again with the same steps; once it is through the files are removed.
        They are as readable as the store.
    progress : bool, optional
        Show a progress bar; by default only after two seconds.

    Returns
    -------
    pandas.DataFrame
        What the last step returns: rows in the order of the viewers, and within each as the
        step leaves them; categories those that occur, sorted.

    Raises
    ------
    ValueError
        If the source, the steps or an argument are not as described; if a part has other
        columns or dtypes than an empty one; or if a step returns viewers that it was not
        given, or something else for some of the viewers than for all.
    ImportError
        If `engine` is Dask, which is not installed (``pip install 'viewing-toolkit[dask]'``).

    See Also
    --------
    write_store : makes a store of a log that does not fit the memory.
    viewer_days_sql : the first step as SQL, for a log in a warehouse.

    Notes
    -----
    Tables with a row per viewer, and more, are put together: `to_viewer_days`, `to_viewings`,
    `find_streaks`, `longest_streaks`, `watched_every_day`, `assign_cohorts`,
    `frequency_recency`, `count_viewings`, `rewatch_gaps`, `to_sittings`, `find_binges`,
    `count_places` and `count_abroad`. Aggregates add up what each part counts: `loss_table`,
    `find_runtimes`, `count_streaks`, `streak_survival`, `retention`, `days_watched`,
    `find_rewatched` and `rewatch_rates`. Viewers of one account may be in different parts, so
    where people are counted a part gives what each account adds, never how many there are. What
    is fitted, drawn by lot or ranked needs the whole: give it what `run` returns.

    Of an argument that is a frame with `viewer`, such as `viewers`, each part gets the rows
    of its own viewers; other arguments go to every part.

    A Dask frame is shuffled by viewer first, whatever its partitions: without that a viewer
    whose plays lie in two of them would be two.  A worker that dies is replaced by Dask, and
    what it had to do is done again.

    Examples
    --------
    >>> import tempfile
    >>> import toolkit as tk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = tk.write_store(tk.load_sample(), folder, n_buckets=4)
    ...     streaks = run(store, [
    ...         (tk.to_viewer_days, {"tz": "tz", "by": "title"}),
    ...         (tk.watched_every_day, {
    ...             "title": "The Christmas Film", "days": 18, "as_of": "2017-12-10",
    ...         }),
    ...     ], engine="memory")
    >>> streaks["account"].nunique()
    53

    An aggregate of one's own says how its parts come together:

    >>> def count_plays(plays):
    ...     return plays.groupby("title", observed=True).size().reset_index(name="n_plays")
    >>> def add(parts):
    ...     return parts.groupby("title", observed=True, as_index=False).sum()
    >>> titles = run(tk.load_sample(), [count_plays], combine=add)
    >>> int(titles["n_plays"].sum())
    186874
    """
    require_choice(engine, ["auto", *ENGINES], "engine")
    engine = engine_of(source, engine)
    if n_workers is not None:
        n_workers = as_whole_number(n_workers, "n_workers", low=1)
    elif engine == "processes":
        from loky import cpu_count

        n_workers = cpu_count()
    plan = planned(steps, empty_of(source), combine)
    parts = parts_of(source, engine, n_workers)
    done = None
    if resume_in is not None:
        if not isinstance(source, Store):
            raise ValueError("`resume_in` must go with a store, found another source.")
        done = Done(Path(resume_in).expanduser(), source, plan)
    tables = _tables(parts, plan, engine, n_workers, done, progress)
    made = applied(together(tables), plan.of_all)
    if done is not None:
        done.clear()
    return made


def _tables(parts: list, plan: Plan, engine: str, n_workers, done, progress) -> list[pd.DataFrame]:
    """Return the tables of all parts, in the order of the parts."""
    from tqdm import tqdm

    tables = dict(done.tables()) if done else {}
    steps = steps_of_parts(plan.of_parts, len(parts))
    tasks = {}
    for number, (own, part) in enumerate(zip(steps, parts, strict=True)):
        of_all = [] if number else plan.of_all[:1]
        own = plan._replace(of_parts=own, of_all=of_all)
        if number not in tables:
            tasks[number] = partial(compute_part, plan=own, is_first=number == 0), part
    bar = tqdm(
        total=len(parts),
        initial=len(tables),
        unit=" parts",
        delay=0 if progress else 2,
        leave=False,
        disable=progress is False,
    )
    with closing(ENGINES[engine](tasks, n_workers)) as computed, bar:
        for number, table in computed:
            tables[number] = table
            if done and isinstance(table, pd.DataFrame):
                done.keep(number, table)
            bar.update()
    found = [tables.pop(number) for number in range(len(parts))]
    watched = [table for table in found if not isinstance(table, NotWatched)]
    # Of parts without anybody nothing was asked.
    if not watched and (refusals := [error for error in found if error.args]):
        raise refusals[0]
    return watched or [plan.empty]
