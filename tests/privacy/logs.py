"""Invented logs of donors, as frames and files, and a look into every file of a study."""

import pandas as pd

from toolkit.privacy.encrypted import read_encrypted

NETFLIX = "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,Device Type,Bookmark,Latest Bookmark,Country\n"


def log(ids, titles=("Heat", "Up"), start="2024-03-01 20:00Z"):
    """Each of `ids` watches each of `titles`, one a day, for twenty minutes more than the last."""
    ids = list(ids)
    rows = [
        (who, title, pd.Timestamp(start) + pd.Timedelta(days=day), 1200.0 * (n + 1))
        for n, who in enumerate(ids)
        for day, title in enumerate(titles)
    ]
    return pd.DataFrame(rows, columns=["viewer", "title", "started_at", "watched_seconds"])


def netflix(*views):
    """ViewingActivity.csv of (profile, title) a day."""
    return NETFLIX + "".join(
        f"{profile},2024-03-{n:02} 20:00:00,00:20:00,,{title},,TV,00:20:00,00:20:00,NL (Netherlands)\n"
        for n, (profile, title) in enumerate(views, 1)
    )


def histories(plays):
    """What each viewer watched when, without saying who it is."""
    plays = plays.dropna(subset=["viewer", "title"])
    found = plays.groupby("viewer", observed=True)[["title", "started_at"]].apply(
        lambda rows: tuple(sorted(zip(rows["title"].astype(str), rows["started_at"], strict=True)))
    )
    return sorted(found)


def tables(study):
    """Every Parquet file in the folder of a study, in clear, whatever the ledger says of it."""
    vault = study._vault
    own = vault._own(study.ledger.entries())
    return {
        path.name: read_encrypted(path, master=own, name=f"{study.name}/{path.name.split('.')[0]}")
        for path in vault.folder.glob("*.parquet")
    }
