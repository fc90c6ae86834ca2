"""Names of people in a study: pseudonyms of its own, and digests to look them up by."""

import hmac
from collections.abc import Callable

import pandas as pd

from toolkit.loaders.table import to_pseudonyms
from toolkit.order import stable_order, stored, taken
from toolkit.privacy.identifiers import normalised
from toolkit.privacy.keys import pseudonym
from toolkit.store.files import tidied
from toolkit.tables import PLAYS, as_plays, exclude

__all__ = ["as_named", "digests_of", "lookup", "of_this_study", "plays_of"]

_KINDS = {"name": "str", "account": "str", "is_account": "bool"}


def plays_of(frame: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Return a frame as plays with the pseudonyms that a file of the same rows would get."""
    plays = as_plays(frame[[name for name in PLAYS if name in frame]])
    ids = plays[["viewer", "source"] + ["account"] * ("account" in frame)]
    person = ids.groupby(list(ids), observed=True, dropna=False, sort=False).ngroup().to_numpy()
    people = ids[~pd.Series(person).duplicated().to_numpy()].reset_index(drop=True)
    made = to_pseudonyms(people, "table", key)
    plays = plays.assign(**{kind: taken(column, person) for kind, column in made.items()})
    for name, reason in (("viewer", "no viewer"), ("title", "no title"), ("started_at", "no time")):
        if (missing := plays[name].isna()).any():
            plays = exclude(plays, missing, reason=reason)
    return plays


def of_this_study(plays: pd.DataFrame, made: dict, key: bytes) -> pd.DataFrame:
    """Give ids that came with the data pseudonyms of this study, lest two can be joined."""
    columns = {}
    for kind in ("viewer", "account"):
        held = plays[kind].cat
        ids = [
            i if i in made else pseudonym(kind, "given", str(i), key=key) for i in held.categories
        ]
        columns[kind] = tidied(held.rename_categories(pd.Index(ids, dtype="str")))
    # Within each viewer the order stays.
    order = stable_order(stored(columns["viewer"]).astype("int64") + 1)
    columns = {name: columns.get(name, plays[name]) for name in plays}
    return pd.DataFrame({name: taken(column, order) for name, column in columns.items()})


def digests_of(made: dict[str, tuple], plays: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Return the digests of the names of which pseudonyms were made, and whose they are.

    An export is found with the ending of its name, and without.
    """
    home = plays[["viewer", "account"]].drop_duplicates().astype("str")
    home = dict(home.itertuples(index=False))
    rows = {}
    for whose, (_, *parts) in made.items():
        for part in parts:
            is_account = whose.startswith("a_") or part == parts[0]
            for name in filter(normalised, {part, part.rsplit(".", 1)[0]}):
                row = as_named(name, key), home.get(whose, whose)
                rows[row] = rows.get(row, False) or is_account
    names = pd.DataFrame(
        [(*row, is_account) for row, is_account in rows.items()], columns=[*_KINDS]
    )
    return names.astype(_KINDS)


def lookup(names: pd.DataFrame | None, key: bytes) -> Callable[[list[str]], list[bool]]:
    """Return what says of words whether they are names in the study."""
    held = set() if names is None else {*names["name"]}
    return lambda words: [as_named(word, key) in held for word in words]


def as_named(name: str, key: bytes) -> str:
    """Return the digest under which a name is kept."""
    return hmac.digest(key, normalised(name).encode(), "sha256")[:16].hex()
