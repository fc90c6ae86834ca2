"""A study: a log that is held like a secret, and released as numbers of people."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.loaders import load_plays, load_table
from toolkit.privacy.cells import cells_of
from toolkit.privacy.differences import Sets, as_frame, from_frame, joined
from toolkit.privacy.identifiers import found_in
from toolkit.privacy.keys import pseudonyms_noted
from toolkit.privacy.ledger import Ledger, accesses
from toolkit.privacy.nameless import teller, without_names
from toolkit.privacy.names import as_named, digests_of, lookup, of_this_study, plays_of
from toolkit.privacy.publish import published
from toolkit.privacy.refusals import IdentifierFound, Refused
from toolkit.privacy.release import Release
from toolkit.privacy.rules import apply_rules, as_columns, measured, rounded
from toolkit.privacy.vault import Vault, began, files_of
from toolkit.store.files import as_storable, tidied
from toolkit.tables import PLAYS, as_whole_number, combine_plays

__all__ = ["Study", "open_study"]

_FLOOR = 5
_DELTA, _DELTA_BUDGET = "1e-6", "1e-5"
_NO_SETS = Sets(np.zeros(1, dtype="int64"), *(np.zeros(0, dtype=kind) for kind in "ldll"))


def open_study(
    name: str,
    *,
    purpose: str,
    people: int = 10,
    epsilon_budget: float | str | None = None,
    folder: str | os.PathLike | None = None,
) -> "Study":
    """Open a study, or begin one.

    Parameters
    ----------
    name : str
        The name of the study: letters, digits, dots, dashes and underscores.
    purpose : str
        What it is opened for this time.  It goes into the ledger with everything that is done.
    people : int, default 10
        The fewest people of whom a number is published, 5 or more.  It is fixed when the study
        begins.
    epsilon_budget : number or str, optional
        What all releases with ``epsilon=`` may spend together, fixed when the study begins.
        Without it there are none, and never more than ten, each with a delta of 1e-6.
    folder : path-like, optional
        Where the study lies; by default the folder of its name where the program runs.

    Returns
    -------
    Study
        Which holds neither the log nor the key.

    Raises
    ------
    KeyMissing, KeyExposed, KeyTaken
        If the key of the study is not there, lies where others can reach it, or is that of
        another study.
    LedgerBroken
        If the study's ledger was changed.
    Refused
        If `people` or `epsilon_budget` is not what the study began with.

    See Also
    --------
    unicity : Why the log is never published.

    Notes
    -----
    The folder holds the log and who is in its released cells, as encrypted Parquet, and the
    ledger, ``ledger.jsonl``, which holds no data of anyone and may be shown to all.  The key
    lies in the system's keyring, or in the user's configuration folder.  To open the
    log takes both the key and the ledger.

    Examples
    --------
    >>> import os, tempfile
    >>> import toolkit as tk
    >>> with tempfile.TemporaryDirectory() as keys, tempfile.TemporaryDirectory() as folder:
    ...     os.environ["VIEWING_KEY_FOLDER"] = keys
    ...     study = tk.open_study("rewatch-2026", purpose="a test", folder=f"{folder}/study")
    ...     study.load(tk.load_sample())
    ...     viewer_days = tk.to_viewer_days(study.plays(), tz="tz")
    ...     found = tk.watched_every_day(
    ...         viewer_days, title="The Christmas Film", days=18, as_of="2017-12-10",
    ...     )
    ...     released = study.release(found, why="the number of the tweet")
    ...     del os.environ["VIEWING_KEY_FOLDER"]
    >>> found["account"].nunique(), released.table["people"].tolist()
    (53, [55])
    """
    _require_text(purpose, "purpose")
    people = as_whole_number(people, "people", low=_FLOOR)
    budget = None if epsilon_budget is None else _as_budget(epsilon_budget)
    folder = Path(os.path.abspath(Path(name if folder is None else folder).expanduser()))
    study = Study(name, folder, purpose)
    settings = {"people": people, "epsilon_budget": budget}
    entries = study._vault.begin(**settings, purpose=purpose)
    at_first = began(entries)["details"]
    for setting, asked in ({"study": name} | settings).items():
        if at_first[setting] != asked:
            raise Refused(
                f"`{setting}` must be what the study began with, {at_first[setting]!r}, "
                f"found {asked!r}.",
                "It can't be changed: begin another study.",
            )
    _require_nameless(study._lookup(entries), purpose)
    return study


class Study:
    """A log that is held like a secret; `open_study` opens it.

    Attributes
    ----------
    name, purpose : str
        As given to `open_study`.
    ledger : toolkit.privacy.ledger.Ledger
        The account of everything that was done.

    See Also
    --------
    open_study : Open or begin one.

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
    ...     print(study.plays())
    ...     study.forget("7")
    ...     print(study.accesses()["what"].tolist())
    ...     del os.environ["VIEWING_KEY_FOLDER"]
    <12 plays, 12 viewers, 12 accounts, 1 title, 2024-03-01 to 2024-03-01>
    ['loaded', 'opened', 'forgot']
    """

    def __init__(self, name: str, folder: Path, purpose: str):
        """Stand for the study in a folder, of which nothing is held."""
        self.name = name
        self.purpose = purpose
        self._vault = Vault(name, folder)

    @property
    def ledger(self) -> Ledger:
        """The account of everything that was done."""
        return self._vault.ledger

    def __repr__(self) -> str:
        """Say how often it was used, and nothing of what it holds."""
        done = [entry["what"] for entry in self.ledger.entries() if entry["what"] != "began"]
        counts = [f"{what} {done.count(what)}" for what in dict.fromkeys(done)]
        return f"<Study {self.name}: {', '.join(counts) or 'nothing loaded'}>"

    def load(
        self,
        path: str | os.PathLike | pd.DataFrame,
        *,
        columns: Mapping[str, str] | None = None,
        **reading,
    ) -> None:
        """Read an export, a folder of donations or a table, and keep it encrypted.

        Names become pseudonyms of this study alone as they are read, and none is written
        anywhere.  What is printed counts, and says which export could not be read by its number
        in the order of names.

        Parameters
        ----------
        path : path-like or pandas.DataFrame
            What `load_plays` reads or, with `columns`, `load_table`.  A frame without `columns`
            is a plays table.
        columns : mapping, optional
            Our names of columns to theirs.
        **reading
            Other arguments of `load_plays` or `load_table`, such as ``profile=`` or
            ``clock_tz=``; not `key`, which is the study's, and neither `report` nor `template`.

        Raises
        ------
        Refused
            If the study has released something, since two releases of a log that grew tell
            what came between them.
        ValueError
            If it can't be read.  Names and whatever is quoted are left out of the sentence:
            `load_plays` alone says them.
        IdentifierFound
            If `name` or `purpose` of the study names somebody who is in it now.

        See Also
        --------
        load_plays : What can be read.

        Notes
        -----
        A second load is put together with what is there, as `combine_plays` does.
        """
        with self._vault.opened() as entries:
            if _released(entries):
                raise Refused(
                    "The log of a study must stay as it was when something was first released "
                    "of it, found a release.",
                    "Begin another study for the longer log.",
                )
            key = self._vault.key("pseudonyms", entries)
            with pseudonyms_noted() as made:

                def read():
                    if columns is not None:
                        plays = load_table(path, columns=columns, key=key, **reading)
                    elif isinstance(path, pd.DataFrame):
                        plays = plays_of(path, key=key, **reading)
                    else:
                        told = teller(path, reading, made)
                        plays = load_plays(path, key=key, report=told, template=False, **reading)
                    return as_storable(of_this_study(plays, made, key))

                plays = without_names(read, path, reading, made)
            names_key = self._vault.key("names", entries)
            names = digests_of(made, plays, names_key)
            if "plays" in files_of(entries):
                plays = as_storable(combine_plays([self._vault.read("plays", entries), plays]))
                names = pd.concat([self._vault.read("names", entries), names]).drop_duplicates()
            _require_nameless(lookup(names, names_key), self.name, self.purpose)
            n_accounts = len(tidied(plays["account"]).cat.categories)
            is_told = n_accounts >= began(entries)["details"]["people"]
            self._vault.write(
                {"plays": plays, "names": names.sort_values(list(names), ignore_index=True)},
                entries,
                "loaded",
                purpose=self.purpose,
                people=int(rounded(n_accounts)) if is_told else None,
            )

    def plays(self) -> pd.DataFrame:
        """Return the log; that it was opened, and what for, goes into the ledger first.

        Returns
        -------
        pandas.DataFrame
            A plays table under pseudonyms.  It shows its counts and its span; a table made of
            it shows rows, as any does.

        Raises
        ------
        Refused
            If nothing was loaded, or the file is not the one that was written last.

        Notes
        -----
        It is pseudonymous, not anonymous: a few known plays single out most people.
        """
        with self._vault.opened() as entries:
            plays = self._vault.read("plays", entries)
            self.ledger.append("opened", purpose=self.purpose)
        return _Plays(plays)

    def release(
        self,
        table: pd.DataFrame,
        *,
        by: str | Sequence[str] | None = None,
        count: str = "people",
        mean: str | None = None,
        share_of: str | Sequence[str] | None = None,
        why: str,
        epsilon: float | str | None = None,
        each: int = 1,
    ) -> Release:
        """Count people in cells, and give out those cells that single nobody out.

        Parameters
        ----------
        table : pandas.DataFrame
            Any table of the toolkit with `account` on every row: plays, viewings, viewer-days,
            streaks, cohort members, or counts of a viewer and title.
        by : str or list of str, optional
            Columns that make the cells: text, days, truth values or whole numbers.  Classes must
            not be cut where the data end or divide, as that would tell single values.  If the
            last column is a whole number called ``n_...`` and not in `share_of`, cells of too few
            people are merged with the next ones upwards, so that the last says "so many or
            more"; the table then has ``<column>_last`` too, missing in the last.
        count : {'people', 'rewatchers', 'plays', 'viewings', 'viewer_days', 'streaks', 'minutes'}
            What to count, next to the people.  Rewatchers are people with a row of `is_rewatch`.
        mean : str, optional
            A column of numbers of which to give the mean over rows, instead of a count.
        share_of : str or list of str, optional
            Some of `by`: the people of a cell are also given as a share of the people in all
            cells that agree in these; an empty list stands for all cells.
        why : str
            What it is for, such as ``"Figure 2"``; it goes into the ledger.
        epsilon : number or str, optional
            Give differentially private counts instead, and spend so much of the budget.
        each : int, default 1
            With `epsilon`, in how many cells a person may count.

        Returns
        -------
        Release
            Its `table` has the columns of `by`, `people` (or `rewatchers`) and what else is
            counted, rounded to 5, or `mean_<column>`; with `share_of` also `of_people` and
            `share`, of the rounded numbers.  Totals and means have no more than three digits that
            count, two where fewer than 100 people are in the cell.

        Raises
        ------
        PersonLevel
            If the table has lost its accounts, or `by` tells single people or plays apart.
        TooFewPeople, Dominated, DiffersByFew
            If no cell may be published; the sentence says what would be.
        BudgetSpent
            If `epsilon` is more than is left.
        Refused
            If nothing was loaded.

        See Also
        --------
        open_study : An example.

        Notes
        -----
        A cell is withheld

        * if fewer than `people` accounts are in it or, with `share_of`, in the rest;
        * of totals and means, if two accounts make more than 90 % of it, or of the rows of a
          mean; of means, if they are the same for all;
        * if 1 to ``people - 1`` accounts are all that tells it from everyone, from a cell that was
          released before, or from one of the same table that holds it or is held by it.
          Cells whose accounts were published already are compared with those of the same
          measure alone, by what each account adds.

        The thresholds are those of statistical offices [1]_, in people instead of rows; the
        rounding is that of the NHS [2]_.  Not found are three or more numbers that tell together
        what no two do, nor two that differ by many people of whom one makes nearly all.

        References
        ----------
        .. [1] Australian Bureau of Statistics, DataLab, "Output rules".
        .. [2] NHS Digital, "Hospital Episode Statistics (HES) analysis guide", 2018.
        """
        _require_text(why, "why")
        by = as_columns(by)
        share_of = None if share_of is None else as_columns(share_of)
        with self._vault.opened() as entries:
            columns = {*by, *([] if mean is None else [mean])} - {*PLAYS}
            _require_nameless(self._lookup(entries), why, self.purpose, *map(str, columns))
            accounts = self._accounts(entries)
            number = len(_released(entries)) + 1
            asked = {"release": number, "why": why, "purpose": self.purpose}
            asked |= {"by": by, "count": count, "mean": mean, "share_of": share_of}
            made = {"study": self.name, "number": number, "ledger": self.ledger}
            try:
                if epsilon is None:
                    ruled = apply_rules(
                        table,
                        by=by,
                        count=count,
                        mean=mean,
                        share_of=share_of,
                        accounts=accounts,
                        people=began(entries)["details"]["people"],
                        published=self._published(entries),
                    )
                    release = Release(ruled.table, ruled.withheld, **made)
                    tables, spent = {f"cells-{number:04d}": as_frame(ruled.sets)}, {}
                else:
                    counts, noise = self._noisy(table, accounts, entries, asked, epsilon, each)
                    release = Release(counts, {}, error=noise.error, **made)
                    tables, spent = {}, {"epsilon": str(noise.epsilon), "delta": str(noise.delta)}
            except Refused:
                # Refusals answer questions too.
                self.ledger.append("refused", **asked)
                raise
            if "accounts" not in files_of(entries):
                tables["accounts"] = pd.DataFrame({"account": accounts}, dtype="str")
            told = {
                "n_cells": len(release.table),
                "n_withheld": int(release.withheld["n_cells"].sum()),
                "table": sha256(release.table.to_csv(index=False).encode()).hexdigest(),
                "outputs": release.outputs(),
            }
            self._vault.write(tables, entries, "released", **asked, **told, **spent)
        return release

    def publish(
        self,
        notebook: str | os.PathLike,
        *,
        to: str | os.PathLike,
        allow: Collection[str] = (),
    ) -> pd.DataFrame:
        """Write a copy of a notebook that shows nothing but what was released.

        Outputs that the ledger knows stay, all others go; sources and prose are searched for
        names of people in the study, as far as that can be done, and for pseudonyms.  The last
        cell of the copy says which study it is of, and the ledger's head.

        Parameters
        ----------
        notebook : path-like
            The notebook, saved with its outputs.
        to : path-like
            The folder of the copy.
        allow : collection of str
            Words that are names of people in the study, but mean something else here.

        Returns
        -------
        pandas.DataFrame
            One row for each thing that was kept or stripped: `cell`, `what`, `outcome`.

        Raises
        ------
        IdentifierFound
            If the sources name somebody; its `cells` say where, and nothing is written.
        ValueError
            If it is no notebook, or `to` holds it, at any depth.
        """
        with self._vault.opened() as entries:
            people = began(entries)["details"]["people"]
            report = published(
                notebook,
                to=to,
                known={digest for e in entries for digest in e["details"].get("outputs", ())},
                is_known=self._lookup(entries),
                allow=allow,
                note=_NOTE.format(name=self.name, people=people, head=entries[-1]["digest"]),
            )
            data = (Path(to) / Path(notebook).name).read_bytes()
            self.ledger.append(
                "published",
                purpose=self.purpose,
                notebook=Path(notebook).name,
                sha256=sha256(data).hexdigest(),
                n_allowed=len(allow),
            )
        return report

    def forget(self, name: str) -> None:
        """Remove a person or household from the log.

        What was released stays as it is, and further releases are compared with it as it was.

        Parameters
        ----------
        name : str
            The account as the source named it: the name of the export, with or without its
            ending, or the account's (if there was none, the viewer's) id in a table; or its
            pseudonym in this study.

        Raises
        ------
        Refused
            If no account, or more than one, has this name.

        Notes
        -----
        Copies of the folder keep the old file; who has the key can read that.
        """
        with self._vault.opened() as entries:
            names, plays = (self._vault.read(table, entries) for table in ("names", "plays"))
            digest = as_named(str(name), self._vault.key("names", entries))
            who = {*names.loc[names["is_account"] & (names["name"] == digest), "account"]}
            who |= {name} & {*plays["account"].cat.categories}
            if len(who) != 1:
                raise Refused(
                    f"`name` must be that of one account of the study, found {len(who)}.",
                    "Name the export, or the account's id, as it was when it was loaded.",
                )
            (who,) = who
            tables = {"plays": plays, "names": names}
            tables = {held: table[table["account"] != who] for held, table in tables.items()}
            if "accounts" in files_of(entries):
                # Its number stays, which the released cells hold.
                accounts = self._vault.read("accounts", entries)
                tables["accounts"] = accounts.mask(accounts["account"] == who)
            self._vault.write(tables, entries, "forgot", purpose=self.purpose)

    def accesses(self) -> pd.DataFrame:
        """Return who opened, loaded, released and published what, when and what for.

        Returns
        -------
        pandas.DataFrame
            One row each time: `entry` of the ledger, `at` (UTC), `who` (the account that the
            system named: declared, not proven), `what`, `purpose`, `detail`.
        """
        return accesses(self.ledger.entries())

    def destroy(self) -> None:
        """Destroy the key, after which nobody can open the log; the ledger stays.

        Raises
        ------
        KeyMissing
            If there is no key.

        Notes
        -----
        This can't reach copies of the key, in backups or elsewhere.
        """
        self._vault.destroy(purpose=self.purpose)

    def _noisy(self, table, accounts: pd.Index, entries, asked: dict, epsilon, each: int):
        """Return counts with OpenDP's noise; cells are not compared, as noise covers that."""
        from toolkit.privacy.noisy import noisy_counts, require_budget

        by, budget = asked["by"], began(entries)["details"]["epsilon_budget"]
        others = asked["mean"], asked["share_of"]
        if asked["count"] != "people" or others != (None, None) or not by:
            raise ValueError(
                "`epsilon` must go with a count of people `by` something, and nothing else, found "
                f"count={asked['count']!r}, mean={others[0]!r}, share_of={others[1]!r}, by={by}."
            )
        if budget is None:
            raise Refused(
                "A release with `epsilon` needs a budget, and the study began without one.",
                "Begin one with `epsilon_budget`.",
            )
        require_budget(
            entries,
            budget_epsilon=budget,
            budget_delta=_DELTA_BUDGET,
            epsilon=epsilon,
            delta=_DELTA,
        )
        rows, account, _ = measured(table, accounts, "people", None)
        labels, sets = cells_of(rows, by, account, None, 0)
        # Which cells an account counts in must not hang on which others there are.
        cell = pd.util.hash_pandas_object(labels, index=False).to_numpy() >> np.uint64(2)
        cell = cell.astype("int64")
        counts, noise = noisy_counts(
            np.repeat(cell, sets.sizes),
            sets.account,
            n_accounts=int(accounts.notna().sum()),
            epsilon=epsilon,
            delta=_DELTA,
            each=each,
            key=self._vault.key(f"cells of release {asked['release']}", entries),
        )
        made = labels.set_axis(cell).loc[counts["cell"]].reset_index(drop=True)
        made = made.assign(people=counts["people"].to_numpy())
        return made.sort_values(by, ignore_index=True), noise

    def _accounts(self, entries: list[dict]) -> pd.Index:
        """Return the accounts in the order of their numbers, missing those that were forgotten."""
        if "accounts" in files_of(entries):
            return pd.Index(self._vault.read("accounts", entries)["account"].astype("object"))
        plays = self._vault.read("plays", entries)
        return pd.Index(tidied(plays["account"]).cat.categories.astype("object"))

    def _published(self, entries: list[dict]) -> Sets:
        """Return the cells of all releases."""
        names = [name for name in files_of(entries) if name.startswith("cells-")]
        return joined([_NO_SETS, *(from_frame(self._vault.read(name, entries)) for name in names)])

    def _lookup(self, entries: list[dict]) -> Callable[[list[str]], list[bool]]:
        names = self._vault.read("names", entries) if "names" in files_of(entries) else None
        return lookup(names, self._vault.key("names", entries))


_NOTE = """---
Published from the study `{name}`. Every number in an output is of {people} people or more and
rounded, or has noise; every output is in the study's ledger, all others were taken out. The
ledger's head was

`{head}`

`python -m toolkit.privacy verify ledger.jsonl --head {head}` checks it, without a key.
"""


class _Plays(pd.DataFrame):
    """Plays that show their counts and span; what is made of them is a frame as any other."""

    @property
    def _constructor(self):
        return pd.DataFrame

    def __repr__(self) -> str:
        """Return counts and span, and no row."""
        counts = {"play": len(self)}
        counts |= {name: self[name].nunique() for name in ("viewer", "account", "title")}
        said = [f"{n:,} {name}{'s' * (n != 1)}" for name, n in counts.items()]
        started = self["started_at"].dropna()
        span = f", {started.min():%Y-%m-%d} to {started.max():%Y-%m-%d}" if len(started) else ""
        return f"<{', '.join(said)}{span}>"

    def __reduce__(self):
        """Return what a pickle is made of, which is a frame as any other."""
        return pd.DataFrame, (pd.DataFrame(self),)

    # Other ways in which a notebook would show rows.
    _repr_html_ = _repr_latex_ = _repr_data_resource_ = None


def _as_budget(value) -> str:
    try:
        exact = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        exact = Fraction(0)
    if exact <= 0:
        raise ValueError(f"`epsilon_budget` must be a number above 0, found {value!r}.")
    # One text for 1, 1.0 and "1".
    return str(exact)


def _require_text(text: str, name: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"`{name}` must say in words what it is for, found {text!r}.")


def _require_nameless(is_known: Callable[[list[str]], list[bool]], *texts: str) -> None:
    """Refuse words for the ledger that name somebody; anyone may read it."""
    if len(found_in([(0, "source", text) for text in texts], is_known)):
        raise IdentifierFound(
            "`name`, `purpose`, `why` and the names of columns must name nobody in the study, "
            "found that they do.",
            "Say it without names; the ledger can be read by all.",
        )


def _released(entries: list[dict]) -> list[dict]:
    return [entry for entry in entries if entry["what"] == "released"]
