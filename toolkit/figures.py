"""The look and the seeds of every figure, set by one call at the top of a notebook."""

import sys
from functools import wraps
from inspect import unwrap

__all__ = ["setup"]

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


def setup(*, seed: int = 0) -> None:
    """Give every figure of a session the same look and the same random numbers.

    The first call of every notebook.  White ground, light grid, colours that
    colour-blind readers can tell apart, and DejaVu Sans, the font that comes with
    matplotlib.  Figures of one environment are then the same bytes on every run: inline
    images carry no version, SVG ids are salted, and seaborn's bootstraps and
    jitter are seeded.  Calling it again changes nothing but the seed.

    Parameters
    ----------
    seed : int, default 0
        Seed of each seaborn bootstrap that is not given a seed of its own, and of
        NumPy's global generator, from which seaborn draws the jitter of strip plots.

    Returns
    -------
    None
        matplotlib's settings, seaborn's bootstraps and the running IPython shell, if
        there is one, are changed for the rest of the session.

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
    _drop_versions_from_inline_images()


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
