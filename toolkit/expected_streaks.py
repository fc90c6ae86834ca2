"""How many streaks null models expect, for a claim of every length: N(k)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.streak_nulls import NULLS, READINGS, exposed, given_nulls
from toolkit.tables import require_choice, require_confidence

__all__ = ["expect_streaks"]


def expect_streaks(
    nulls: Mapping[str, Mapping[str, float]] | pd.DataFrame,
    *,
    as_of,
    population: int | Sequence[int],
    available_from,
    reading: Literal["open", "ever", "total"] = "open",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return how many people null models expect to reach each length: N(k).

    Parameters
    ----------
    nulls : mapping of str to mapping, or pandas.DataFrame
        Parameters as in `audit_claim`; what `fit_nulls` gives; or what `null_posterior`
        gives, whose uncertainty is then part of the interval (posterior-predictive).
    as_of, population, available_from, reading
        As in `audit_claim`.
    confidence : float, default 0.95
        How often the interval should hold the count of another log of the same law.

    Returns
    -------
    pandas.DataFrame
        One row per null model and length, from 1 day to all there were:

        * ``null`` : str
        * ``n_days`` : int, k
        * ``expected`` : float, people who reach k
        * ``low``, ``high`` : float, interval of their number

    Raises
    ------
    ValueError
        As in `audit_claim`; or if weights do not sum to 1.

    See Also
    --------
    null_posterior : how uncertain the parameters are.
    plot_expected_streaks : draws it.
    count_streaks : how many people reached each length; with ``which="open"`` those of the
        reading "open".

    Notes
    -----
    The interval is that of a Poisson count.  Its mean is the one expected, so that parameters
    are taken for known, unless there are several sets of them with their weights.  Where a
    viewer's own chance is not small the interval is too wide.

    Examples
    --------
    >>> expect_streaks({"independent": {"p": 0.1}}, as_of="2024-03-02", population=1000,
    ...                available_from="2024-03-01")
              null  n_days  expected   low   high
    0  independent       1     100.0  81.0  120.0
    1  independent       2      10.0   4.0   17.0
    """
    require_choice(reading, READINGS, "reading")
    require_confidence(confidence)
    sizes, windows = exposed(population, available_from, as_of)
    lengths = np.arange(1, windows.max() + 1)
    shares = (1 - confidence) / 2, (1 + confidence) / 2
    tables = []
    for name, some in _weighed(nulls).items():
        weights = np.array([weight for weight, _ in some])
        # One row per set of parameters.
        means = np.array(
            [
                [sizes @ NULLS[name].chance(reading, windows, int(k), **params) for k in lengths]
                for _, params in some
            ]
        )
        low, high = ([_quantile(share, of_k, weights) for of_k in means.T] for share in shares)
        table = {"null": name, "n_days": lengths, "expected": weights @ means}
        tables.append(pd.DataFrame(table | {"low": low, "high": high}))
    columns = ["null", "n_days", "expected", "low", "high"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _weighed(nulls) -> dict:
    """Return for each null its sets of parameters, with the weight of each."""
    if not isinstance(nulls, pd.DataFrame) or "weight" not in nulls:
        return {name: [(1.0, params)] for name, params in given_nulls(nulls).items()}
    found = {}
    for name, table in nulls.groupby("null", sort=False):
        weights = table["weight"].to_numpy()
        if (weights < 0).any() or not np.isclose(weights.sum(), 1):
            raise ValueError(
                f"`weight` must be 0 or more and sum to 1 for each null, found {weights.sum():.6g} "
                f"for {name!r}."
            )
        params = [given_nulls({name: some})[name] for some in table["params"]]
        found[name] = list(zip(weights, params, strict=True))
    return found


def _quantile(share: float, means: np.ndarray, weights: np.ndarray) -> float:
    """Return a quantile of a Poisson count whose mean is one of several."""
    low, high = stats.poisson.ppf(share, [means.min(), means.max()])
    while low < high:
        middle = (low + high) // 2
        if weights @ stats.poisson.cdf(middle, means) < share:
            low = middle + 1
        else:
            high = middle
    return low
