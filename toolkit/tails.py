"""How many counts reach each value, beside what fitted laws expect."""

import numpy as np
import pandas as pd

from toolkit.count_fits import usable_counts
from toolkit.count_laws import LAWS, log_survival
from toolkit.intervals import wilson
from toolkit.likelihood import best_fit, draw
from toolkit.tables import as_whole_number, require_columns

__all__ = ["count_tails"]

# More points than this on a curve can't be told apart.
_MOST_POINTS = 100


def count_tails(
    counts,
    fits: pd.DataFrame,
    *,
    xmin: int = 1,
    seed: int,
    n_bootstrap: int = 200,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Tabulate the share of counts that reach k, and the share that each law expects.

    Parameters
    ----------
    counts, xmin
        As they were given to `fit_counts`.
    fits : pandas.DataFrame
        What `fit_counts` made of them: `model`, `params` and `n`.
    seed : int
        Of the random numbers; a law's band does not depend on which others there are.
    n_bootstrap : int, default 200
        Samples drawn from each fitted law for its band.
    confidence : float, default 0.95
        How often an interval should cover the true share, at each k by itself.

    Returns
    -------
    pandas.DataFrame
        The counts first, then the laws in the order of `fits`, each by rising k:

        * ``model`` : str, "counts" for the counts themselves
        * ``n_viewings`` : int, k
        * ``share`` : float, of counts that are k or more, among those of `xmin` or more
        * ``low``, ``high`` : float, its interval
        * ``n`` : int, counts used

    Raises
    ------
    ValueError
        If `fit_counts` would refuse the counts, `fits` are of a different number of counts,
        `n_bootstrap` is below 1 or `confidence` not between 0 and 1.

    See Also
    --------
    fit_counts : the fits.
    plot_counts : draws this table.

    Notes
    -----
    This is the complementary cumulative distribution, which needs no bins.  The interval of
    the counts is Wilson's.  That of a law says how far another sample of the same size could
    have moved its curve: samples are drawn from the fitted law and the law is fitted to each
    in turn, and it lies between percentiles of their curves [1]_.  Both take counts for
    independent.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, Cambridge
       University Press (1997), section 2.2.

    Examples
    --------
    >>> from toolkit.count_fits import fit_counts
    >>> counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 9, 4, 2])
    >>> fits = fit_counts(counts, models=["geometric"], seed=1)
    >>> count_tails(counts, fits, seed=1).round(2).iloc[[1, 6]]
           model  n_viewings  share   low  high    n
    1     counts           2   0.40  0.31  0.50  100
    6  geometric           2   0.39  0.31  0.46  100
    """
    require_columns(fits, ["model", "params", "n"], "fits")
    seed = as_whole_number(seed, "seed", low=0)
    n_bootstrap = as_whole_number(n_bootstrap, "n_bootstrap", low=1)
    values, codes, _, xmin = usable_counts(counts, xmin)
    n = len(codes)
    if (other := fits["n"] != n).any():
        raise ValueError(
            f"`fits` must be of the counts of {xmin} or more, {n} of them, found one of "
            f"{fits['n'][other].iloc[0]}."
        )
    reach = np.cumsum(np.bincount(codes)[::-1])[::-1]
    low, high = wilson(reach, n, confidence=confidence)
    parts = [_part("counts", values, reach / n, low, high)]
    k = _points(xmin, int(values[-1]))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    for model, params in zip(fits["model"], fits["params"], strict=True):
        law = LAWS[model]
        rng = np.random.default_rng([seed, list(LAWS).index(model)])
        params = tuple(np.array([params[name]]) for name in law.params)
        refits, _ = best_fit(law, draw(law, params, xmin, np.full(n_bootstrap, n), rng))
        low, high = np.quantile(_shares(law, k, refits, xmin), tails, axis=0)
        parts.append(_part(model, k, _shares(law, k, params, xmin)[0], low, high))
    return pd.concat(parts, ignore_index=True).assign(n=n)


def _part(model, k, share, low, high) -> pd.DataFrame:
    columns = {"n_viewings": k, "share": share, "low": low, "high": high}
    return pd.DataFrame({"model": model} | columns)


def _points(first: int, last: int) -> np.ndarray:
    """Return every whole number of a range, or as many as can be told apart."""
    if last - first < _MOST_POINTS:
        return np.arange(first, last + 1)
    steps = np.geomspace(1, last - first + 1, _MOST_POINTS)
    return np.unique(first - 1 + steps.round().astype("int64"))


def _shares(law, k: np.ndarray, params, xmin: int) -> np.ndarray:
    """Return P(K >= k), a row for each set of parameters and a column for each k."""
    n_rows, n_points = len(params[0]), len(k)
    own = [np.repeat(part, n_points) for part in params]
    flat = np.exp(log_survival(law, np.tile(k, n_rows).astype("float64"), own, xmin))
    return flat.reshape(n_rows, n_points)
