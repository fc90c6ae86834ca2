"""The look, the seeds and the digest of every figure, set by one call at the top of a notebook."""

import sys
from functools import wraps
from inspect import unwrap
from pathlib import Path

__all__ = ["keep_figures", "setup"]

LOOK = {
    "figure.figsize": (7.0, 4.0),
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "savefig.bbox": "tight",
    "svg.hashsalt": "toolkit",
    "axes.axisbelow": True,
    "axes.edgecolor": "#4d4d4d",
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 12,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "image.cmap": "viridis",
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.title_fontsize": 10,
    "lines.linewidth": 1.8,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
}

_folder = None


def setup(*, seed: int = 0) -> None:
    """Give every figure of a session the same look and the same random numbers.

    The first call of every notebook.  White ground, light grid, colours that
    colour-blind readers can tell apart, and DejaVu Sans, the font that comes with
    matplotlib.  Figures of one environment are then the same bytes on every run: image
    files carry no version and no date, SVG ids are salted, and seaborn's bootstraps and
    jitter are seeded.  In a notebook a figure also prints, unseen behind its picture, a digest
    of what it shows and a line for each artist, which nbval compares.  Calling it again
    changes nothing but the seed.

    Parameters
    ----------
    seed : int, default 0
        Seed of each seaborn bootstrap that is not given a seed of its own, and of
        NumPy's global generator, from which seaborn draws the jitter of strip plots.

    Returns
    -------
    None
        matplotlib's settings and figures, seaborn's bootstraps and the running IPython
        shell, if there is one, are changed for the rest of the session.

    See Also
    --------
    figure_data : The table of which a figure prints the digest.

    Notes
    -----
    The digest is the same under another matplotlib, another look and float noise of
    1e-12, and another one when a single value moves in its first six digits, or a
    count by one.  A line that says "not covered" names artists that it can't see.

    Examples
    --------
    >>> setup()
    >>> import matplotlib.pyplot as plt
    >>> plt.rcParams["font.family"], plt.rcParams["figure.dpi"]
    (['DejaVu Sans'], 110.0)
    """
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind", font="DejaVu Sans", rc=LOOK)
    _seed_seaborn(seed)
    _drop_versions_and_dates_from_files()
    _drop_versions_from_inline_images()
    _print_what_figures_show()


def keep_figures(folder: Path | None) -> None:
    """Make each figure that prints its digest also leave its data as a file named after it.

    Parameters
    ----------
    folder : pathlib.Path or None
        An existing folder; None keeps no more.
    """
    global _folder
    _folder = folder


def _seed_seaborn(seed):
    import numpy as np
    from seaborn import _statistics, algorithms

    draw = unwrap(algorithms.bootstrap)

    @wraps(draw)
    def bootstrap(*args, **kwargs):
        if kwargs.get("seed") is None:
            kwargs["seed"] = seed
        return draw(*args, **kwargs)

    # Seaborn holds the function under two names; regression plots use one, the others the other.
    algorithms.bootstrap = _statistics.bootstrap = bootstrap
    np.random.seed(seed)  # noqa: NPY002


def _drop_versions_from_inline_images():
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return
    from matplotlib_inline.config import InlineBackend

    inline = InlineBackend.instance(parent=shell)
    inline.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Software": None}}


def _drop_versions_and_dates_from_files():
    import matplotlib as mpl
    from matplotlib.figure import Figure

    save = unwrap(Figure.savefig)
    # None takes out what matplotlib would write by itself.
    silent = {
        "png": {"Software": None},
        "svg": {"Creator": None, "Date": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }

    @wraps(save)
    def savefig(self, fname, **kwargs):
        ending = Path(fname).suffix[1:] if isinstance(fname, str | Path) else ""
        kind = kwargs.get("format") or ending or mpl.rcParams["savefig.format"]
        metadata = silent.get(kind.lower(), {}) | (kwargs.pop("metadata", None) or {})
        return save(self, fname, **kwargs, **({"metadata": metadata} if metadata else {}))

    Figure.savefig = savefig


def _print_what_figures_show():
    from matplotlib.figure import Figure

    # A method, since a formatter registered with IPython is lost when inline is configured.
    Figure._repr_pretty_ = lambda figure, printer, cycle: printer.text(_shown(figure))


def _shown(figure):
    from toolkit.drawn import figure_data, uncovered_artists
    from toolkit.references import as_reference, describe, digest

    table, missing = figure_data(figure), uncovered_artists(figure)
    if _folder is not None:
        file = Path(_folder, f"{digest(table)}.json")
        # Of two figures with the same data, one may hold more that can't be read.
        if missing or not file.exists():
            file.write_text(as_reference(table, missing), encoding="utf-8")
    return describe(table, missing)
