"""From where on counts follow a power law, and whether they may."""

import numpy as np
import pandas as pd

from toolkit.count_fits import LEAST_COUNTS, LEAST_VALUES, usable_counts
from toolkit.count_laws import LAWS
from toolkit.likelihood import Sample, best_fit, distances, draw, sample_of
from toolkit.tables import as_whole_number

__all__ = ["choose_xmin", "fit_power_law"]

_ZETA = LAWS["zeta"]
# Cells of a table of samples that are looked at together.
_CELLS = 2**20


def choose_xmin(counts, *, max_xmin: int | None = None) -> pd.DataFrame:
    """Fit a power law from each count on, to find from where on counts follow one best.

    Parameters
    ----------
    counts
        As in `fit_counts`; zeros are not used.
    max_xmin : int, optional
        Largest count to start from; by default the largest that leaves enough counts.

    Returns
    -------
    pandas.DataFrame
        One row per value that occurs and leaves 50 counts or more, of three different
        values:

        * ``xmin`` : int
        * ``n`` : int, counts of `xmin` or more
        * ``alpha`` : float, most likely exponent
        * ``ks`` : float, largest distance between both cumulative distributions
        * ``is_chosen`` : bool, of the smallest distance; the first of equal ones

    Raises
    ------
    ValueError
        If counts are not whole numbers or too few.

    See Also
    --------
    fit_power_law : whether the counts from there on may follow it.
    fit_counts : the fit from there on, beside other laws.

    Notes
    -----
    This is Clauset, Shalizi and Newman's choice [1]_.  It makes a power law look as good as
    it can, so that a `p_value` of `fit_counts` at the chosen `xmin` is too kind to it: take
    that of `fit_power_law`.

    References
    ----------
    .. [1] A. Clauset, C. R. Shalizi, M. E. J. Newman, "Power-law distributions in empirical
       data", SIAM Review 51 (2009) 661-703.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 6, 9, 30], [150, 130, 48, 30, 20, 10, 4])
    >>> choose_xmin(counts).round(3)
       xmin    n  alpha     ks  is_chosen
    0     1  392  1.915  0.195      False
    1     2  242  2.712  0.029       True
    2     3  112  2.871  0.069      False
    3     4   64  3.014  0.124      False
    """
    values, codes, _, _ = usable_counts(counts, 1)
    if max_xmin is not None and as_whole_number(max_xmin, "max_xmin", low=1) < values[0]:
        raise ValueError(
            f"`max_xmin` must be {values[0]} or more, as counts are, got {max_xmin!r}."
        )
    return _from_each(values, np.bincount(codes), max_xmin)


def fit_power_law(
    counts, *, seed: int, n_bootstrap: int = 200, max_xmin: int | None = None
) -> pd.DataFrame:
    """Fit a power law from the best count on, and test whether it could be the source.

    Parameters
    ----------
    counts, max_xmin
        As in `choose_xmin`.
    seed : int
        Of the random numbers.
    n_bootstrap : int, default 200
        Samples drawn for `p_value`, whose standard error is below 0.5 over its root.

    Returns
    -------
    pandas.DataFrame
        One row: the chosen one of `choose_xmin`, with

        * ``xmin``, ``n``, ``alpha``, ``ks`` as there
        * ``p_value`` : float, share of drawn samples, with an `xmin` of their own chosen in
          turn, that lie as far from their power law; small where it is no plausible source

    Raises
    ------
    ValueError
        As in `choose_xmin`, or if `n_bootstrap` is below 1.

    See Also
    --------
    choose_xmin : how each other start does.
    compare_fits : whether another law does as well; a power law that is plausible is no
        more than that.

    Notes
    -----
    Each sample has as many counts.  One of them comes from the power law with the chance
    n / (n + those below `xmin`), else from the counts below `xmin`, any as likely as the
    other [1]_.  `p_value` is (1 + those as far) / (1 + all), so that it is never 0.

    For the words of Moby Dick it is 0.66 where 0.49 was published: the authors' program
    tries exponents in steps of 0.01, with which it falls to about that.

    References
    ----------
    .. [1] A. Clauset, C. R. Shalizi, M. E. J. Newman, "Power-law distributions in empirical
       data", SIAM Review 51 (2009) 661-703, section 4.1.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 6, 9, 30], [150, 130, 48, 30, 20, 10, 4])
    >>> fit_power_law(counts, seed=1).round(3)
       xmin    n  alpha     ks  p_value
    0     2  242  2.712  0.029    0.264
    """
    seed = as_whole_number(seed, "seed", low=0)
    n_bootstrap = as_whole_number(n_bootstrap, "n_bootstrap", low=1)
    table = choose_xmin(counts, max_xmin=max_xmin)
    chosen = table[table["is_chosen"]].drop(columns="is_chosen").reset_index(drop=True)
    xmin, n_tail, alpha, ks = (chosen[name].to_numpy() for name in chosen)
    values, codes, _, _ = usable_counts(counts, 1)
    occurs = np.bincount(codes)
    rng = np.random.default_rng(seed)
    sizes = rng.binomial(len(codes), n_tail / len(codes), n_bootstrap)
    tails = draw(_ZETA, (alpha,), int(xmin[0]), sizes, rng)
    below = np.where(values < xmin, occurs, 0)
    heads = rng.multinomial(len(codes) - sizes, below / max(below.sum(), 1))
    as_far = 0
    for i, head in enumerate(heads):
        tail = tails.taken(np.array([i]))
        drawn = np.append(values[head > 0], tail.k.astype("int64"))
        times = np.append(head[head > 0], tail.weights.astype("int64"))
        as_far += _from_each(drawn, times, max_xmin)["ks"].min() >= ks[0]
    return chosen.assign(p_value=(1 + as_far) / (1 + n_bootstrap))


def _from_each(values: np.ndarray, occurs: np.ndarray, max_xmin: int | None) -> pd.DataFrame:
    """Fit the counts from each value on that leaves enough of them, the first in any case."""
    n = np.cumsum(occurs[::-1])[::-1]
    enough = (n >= LEAST_COUNTS) & (np.arange(len(values), 0, -1) >= LEAST_VALUES)
    if max_xmin is not None:
        enough &= values <= max_xmin
    enough[0] = True
    start = np.flatnonzero(enough)
    xmin, n = values[start], n[start]
    # Of a sample a power law sees nothing but the mean of the logarithms.
    logs = np.cumsum((occurs * np.log(values))[::-1])[::-1][start]
    middle = Sample(np.exp(logs / n), n.astype("float64"), np.arange(len(n)), xmin * 1.0)
    (alpha,), _ = best_fit(_ZETA, middle)
    ks = []
    for part in np.array_split(np.arange(len(n)), -(-len(n) * len(values) // _CELLS)):
        tails = np.where(np.arange(len(values)) >= start[part, None], occurs, 0)
        ks.append(distances(_ZETA, (alpha[part],), sample_of(tails, values, xmin[part])))
    ks = np.concatenate(ks)
    is_chosen = np.arange(len(n)) == np.argmin(ks)
    return pd.DataFrame({"xmin": xmin, "n": n, "alpha": alpha, "ks": ks, "is_chosen": is_chosen})
