"""What the loaders of the tests make of files, up to the step that all sources share."""

from toolkit.loaders.exports import as_arrow, stacked, with_titles
from toolkit.loaders.sources import Hints


def finished(module, files, **hints):
    """Read one export by one module, as `load_plays` does; return raw plays and notes."""
    rows, notes = module.read(files, Hints(**hints))
    plays, counts = with_titles(stacked([(module.SOURCE.name, 0, as_arrow(rows))]))
    notes = [*notes]
    for n_titles, n_read in counts.itertuples(index=False):
        if n_read < n_titles:
            notes.append(f"{n_titles - n_read} of {n_titles} titles could not be parsed.")
    return plays.drop(columns=["source", "export"]), notes
