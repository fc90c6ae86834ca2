"""The Dirichlet: how many watch each title, and how often, if titles differ in size only."""

import numpy as np
import pandas as pd
from scipy import optimize, stats

from toolkit.tables import as_whole_number, require_columns, unit_of

__all__ = ["dirichlet_law", "expected_reach", "repeat_rates"]

_LEAST_VIEWERS = 50
# Beyond these the law is as good as Poisson, or each viewer's shares as good as the same.
_LEAST_S, _MOST_S, _MOST_K = 1e-6, 1e6, 1e6


def repeat_rates(counts: pd.DataFrame, *, n_viewers: int) -> pd.DataFrame:
    """Compare how many watch each title, and how often, with what its size alone predicts.

    By the law of double jeopardy small titles are watched by fewer viewers, and by those a
    little less often.  A title whose viewers return more often than expected is a favourite
    of few.

    Parameters
    ----------
    counts : pandas.DataFrame
        One row per viewer and title (or series) with `n_viewings`, 1 or more, as
        `count_viewings` gives it.  Rows of the same viewer and title are added up; order
        does not matter.
    n_viewers : int
        All viewers who could have watched, also those who watched nothing.

    Returns
    -------
    pandas.DataFrame
        One row per title (or series), the most viewed first:

        * ``title`` or ``series`` as in `counts`
        * ``n_viewings`` : int
        * ``n_reached`` : int, viewers with any of them
        * ``reach`` : float, n_reached / n_viewers
        * ``viewings_per_viewer`` : float, n_viewings / n_reached
        * ``expected_reach`` : float, what the Dirichlet gives a title of so many viewings
        * ``expected_viewings_per_viewer`` : float, likewise

    Raises
    ------
    ValueError
        As in `dirichlet_law`.

    See Also
    --------
    dirichlet_law : the parameters, and when there are none.
    fit_counts : laws of the counts themselves.

    Notes
    -----
    The expected reach is `expected_reach` of the title's share of all viewings, with the
    parameters that `dirichlet_law` finds in all titles together; the viewings of a title
    are spread over it.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> share = rng.dirichlet([1.0, 0.6, 0.3, 0.1], 2000)
    >>> viewings = rng.poisson(share * rng.gamma(0.8, 2.5, 2000)[:, None])
    >>> viewer, title = np.nonzero(viewings)
    >>> counts = pd.DataFrame(
    ...     {"viewer": viewer, "title": title, "n_viewings": viewings[viewer, title]}
    ... )
    >>> rates = repeat_rates(counts, n_viewers=2000)
    >>> rates[["title", "reach", "expected_reach"]].round(3)
       title  reach  expected_reach
    0      0  0.426           0.422
    1      1  0.299           0.290
    2      2  0.168           0.172
    3      3  0.056           0.065
    """
    law = dirichlet_law(counts, n_viewers=n_viewers)
    titles = _titles(counts)
    share = titles["n_viewings"].to_numpy() / titles["n_viewings"].sum()
    expected = expected_reach(share, *law)
    titles["reach"] = titles["n_reached"] / n_viewers
    titles["viewings_per_viewer"] = titles["n_viewings"] / titles["n_reached"]
    titles["expected_reach"] = expected
    titles["expected_viewings_per_viewer"] = titles["n_viewings"] / (n_viewers * expected)
    return titles


def dirichlet_law(counts: pd.DataFrame, *, n_viewers: int) -> tuple[float, float, float]:
    """Estimate the parameters of the NBD-Dirichlet of viewers and titles.

    How often a viewer watches at all is Poisson, its rate gamma over viewers; which titles
    is a matter of the viewer's own shares, which are Dirichlet over viewers and have
    nothing to do with the rate [1]_.

    Parameters
    ----------
    counts, n_viewers
        As in `repeat_rates`.

    Returns
    -------
    M : float
        Mean viewings of a viewer.
    K : float
        Exponent of the gamma distribution; the smaller, the more do viewers differ in how
        much they watch.
    S : float
        Sum of the Dirichlet's parameters, a title's share times S each; the smaller, the
        more do viewers keep to titles of their own, and so return to them.

    Raises
    ------
    ValueError
        If a column is missing or a value no whole number; if fewer than 50 viewers or two
        titles were watched, or no viewer watched nothing; or if viewers differ less in how
        much they watch, or keep less to titles of their own, than chance would make them.

    See Also
    --------
    repeat_rates : what it says of each title.

    Notes
    -----
    M is the mean; K makes the share of viewers who watch nothing, ``(1 + M/K)^-K``, that
    observed ("mean and zeros").  S makes the mean number of titles that a viewer watches,
    the sum of the expected reaches, that observed.  Goodhardt, Ehrenberg and Chatfield
    average the S at which each title by itself has the reach observed, weighted by share
    [1]_; where titles are small that average is too large or, one of them being watched by
    more viewers than any S allows, does not exist.

    The law supposes that nothing changes over the period and that titles differ in size
    only: those of one language or kind that viewers choose together do not fit.  A film
    that hardly anybody watches twice leaves nothing to estimate.

    References
    ----------
    .. [1] G. J. Goodhardt, A. S. C. Ehrenberg, C. Chatfield, "The Dirichlet: a comprehensive
       model of buying behaviour", J. Royal Statistical Society A 147 (1984) 621-655.

    Examples
    --------
    >>> counts = pd.DataFrame({
    ...     "viewer": np.arange(100) % 80, "title": np.repeat(["Heat", "Alien"], [60, 40]),
    ...     "n_viewings": 1 + np.arange(100) % 3,
    ... })
    >>> M, K, S = dirichlet_law(counts, n_viewers=200)
    >>> print(round(M, 2), round(K, 2), round(S, 2))
    0.99 0.42 1.63
    """
    n_viewers = as_whole_number(n_viewers, "n_viewers", low=1)
    titles = _titles(counts)
    n_watching = counts["viewer"].nunique()
    if n_watching < _LEAST_VIEWERS or len(titles) < 2:
        raise ValueError(
            f"`counts` must hold at least {_LEAST_VIEWERS} viewers and two titles, found "
            f"{n_watching} and {len(titles)}."
        )
    if n_viewers <= n_watching:
        raise ValueError(
            f"`n_viewers` must count viewers who watched nothing too; {n_watching} watched, "
            f"got {n_viewers}."
        )
    mean = titles["n_viewings"].sum() / n_viewers
    exponent = _exponent(mean, n_watching / n_viewers)
    return float(mean), exponent, _diversity(titles, mean, exponent, n_viewers)


def expected_reach(share, M: float, K: float, S: float) -> np.ndarray:
    """Return the share of viewers whom the Dirichlet lets watch titles at least once.

    Parameters
    ----------
    share : sequence of float
        Each title's share of all viewings, between 0 and 1.
    M, K, S : float
        What `dirichlet_law` gives; above 0.

    Returns
    -------
    numpy.ndarray
        One share for each title.

    Notes
    -----
    Of those who watch n times in all, which is negative binomial with mean M and exponent
    K, the part that never watches a title of share p is the product of
    ``(S (1 - p) + i) / (S + i)`` over i from 0 to n - 1.

    Examples
    --------
    >>> expected_reach([0.25, 0.02], M=1.456, K=0.7788, S=1.3).round(2)
    array([0.2 , 0.02])
    """
    share, title = np.unique(np.asarray(share, dtype="float64"), return_inverse=True)
    chance = K / (K + M)
    watching = -np.expm1(-K * np.log1p(M / K))
    n = np.arange(1, int(stats.nbinom.isf(1e-12 * watching, K, chance)) + 2)
    weight = stats.nbinom.pmf(n, K, chance)
    # Logarithms keep the digits of small shares, and of S without end.
    reach = [-np.expm1(np.cumsum(np.log1p(-p * S / (S + n - 1)))) @ weight for p in share]
    return np.array(reach)[title]


def _titles(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the viewings and viewers of each title, the most viewed first."""
    require_columns(counts, ["viewer", "n_viewings"], "counts")
    unit = unit_of(counts, "counts") or "title"
    require_columns(counts, ["viewer", unit, "n_viewings"], "counts")
    viewings = counts["n_viewings"].to_numpy()
    if viewings.dtype.kind not in "iu" or (viewings < 1).any():
        raise ValueError("`n_viewings` must be whole numbers, 1 or more, on every row.")
    for name in ("viewer", unit):
        if (missing := counts[name].isna().sum()) > 0:
            raise ValueError(f"`{name}` must be there on every row; {missing} are missing.")
    titles = counts.groupby(unit, observed=True).agg(
        n_viewings=("n_viewings", "sum"), n_reached=("viewer", "nunique")
    )
    return titles.sort_values("n_viewings", ascending=False, kind="stable").reset_index()


def _exponent(mean: float, watching: float) -> float:
    """Return the K at which as many watch nothing as were observed to."""

    def excess(u: float) -> float:
        return np.exp(u) * np.log1p(mean * np.exp(-u)) + np.log1p(-watching)

    if excess(np.log(_MOST_K)) <= 0:
        raise ValueError(
            f"`counts` must differ between viewers by more than chance; with {mean:.3g} "
            f"viewings a viewer, {-np.expm1(-mean):.3g} of them would watch something by "
            f"chance alone, and {watching:.3g} do."
        )
    return float(np.exp(optimize.brentq(excess, -50, np.log(_MOST_K))))


def _diversity(titles: pd.DataFrame, mean: float, exponent: float, n_viewers: int) -> float:
    """Return the S at which viewers watch as many titles as they were observed to."""
    share = titles["n_viewings"].to_numpy() / titles["n_viewings"].sum()
    observed = titles["n_reached"].sum() / n_viewers

    def excess(u: float) -> float:
        return expected_reach(share, mean, exponent, np.exp(u)).sum() - observed

    low, high = np.log(_LEAST_S), np.log(_MOST_S)
    if excess(low) >= 0:
        raise ValueError("`counts` must hold viewers who watched several titles, found none.")
    if excess(high) <= 0:
        raise ValueError(
            f"`counts` must hold viewers who return to titles; with {observed:.3g} titles a "
            "viewer they spread over as many as chance would make them."
        )
    return float(np.exp(optimize.brentq(excess, low, high)))
