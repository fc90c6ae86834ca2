"""What a ratio between groups would be if their labels were right: quantitative bias analysis."""

from collections.abc import Sequence
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.associations import (
    MEASURES,
    account_codes,
    delta_limits,
    finite_numbers,
    group_moments,
    outcome_and_exposure,
)
from toolkit.tables import require_choice, require_columns, require_confidence

__all__ = ["correct_misclassification"]


def correct_misclassification(
    table: pd.DataFrame,
    *,
    outcome: str,
    group: str,
    sensitivity: float | Sequence[float],
    specificity: float | Sequence[float],
    measure: Literal["risk ratio", "odds ratio", "rate ratio"] = "risk ratio",
    exposure: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Correct a ratio for labels that are wrong as often as is assumed.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `compare_groups`.
    outcome : str
        A column of True and False (or 1 and 0); for "rate ratio" of counts, 0 or more.
    group : str
        A column of True and False: the label, as in "is a children's profile".
    sensitivity : float or sequence of float
        Share of those who truly belong to the group that have the label.
    specificity : float or sequence of float
        Share of those who truly do not that lack it.  All combinations are tried.
    measure : {'risk ratio', 'odds ratio', 'rate ratio'}, default 'risk ratio'
        What is corrected; "rate ratio" needs `exposure`, the others take none.
    exposure : str, optional
        A column of numbers above 0 over which events are counted.
    confidence : float, default 0.95
        How often the interval should cover the true ratio, if the two shares are right.

    Returns
    -------
    pandas.DataFrame
        One row per combination:

        * ``sensitivity``, ``specificity`` : float, as given
        * ``estimate``, ``low``, ``high`` : float, the corrected ratio, of those who truly
          belong to the group against the others; missing where it is impossible
        * ``n_group``, ``events_group`` : float, rows and events that truly are the group's
        * ``is_possible`` : bool, False if the labels could not have come out as they did:
          a corrected count is 0 or less, or the label is no better than a guess

    Raises
    ------
    ValueError
        If a column is missing, a label, outcome or exposure is not as described, a
        share lies outside [0, 1], or `measure` is unknown or does not go with `exposure`.

    See Also
    --------
    compare_groups : the ratio as labelled.

    Notes
    -----
    Labels must be wrong equally often whatever the outcome (nondifferential).  If a share x of
    any rows has the label, a share ``(x + specificity - 1) / (sensitivity + specificity - 1)``
    truly belongs to the group [1]_, [2]_.  So every row counts in it with the weight that this
    gives for its own x of 1 or 0, negative ones among them, and the interval is that of
    `compare_groups` with these weights; for the odds ratio it is that of [3]_.  It does not
    hold what is not known of the two shares.

    Nondifferential errors draw the ratio as labelled towards 1.  Errors that depend on the
    outcome can draw it anywhere.

    References
    ----------
    .. [1] W. J. Rogan, B. Gladen, "Estimating prevalence from the results of a screening
       test", American Journal of Epidemiology 107 (1978) 71-76.
    .. [2] T. L. Lash, M. P. Fox, A. K. Fink, Applying Quantitative Bias Analysis to
       Epidemiologic Data, Springer (2009), chapter 6.
    .. [3] S. Greenland, "Variance estimation for epidemiologic effect estimates under
       misclassification", Statistics in Medicine 7 (1988) 745-757.

    Examples
    --------
    >>> viewers = pd.DataFrame({
    ...     "account": np.arange(200), "is_kids": [True] * 80 + [False] * 120,
    ...     "came_back": [True] * 20 + [False] * 60 + [True] * 15 + [False] * 105,
    ... })
    >>> table = correct_misclassification(
    ...     viewers, outcome="came_back", group="is_kids", sensitivity=[1, 0.8], specificity=0.9
    ... )
    >>> table[["sensitivity", "specificity", "estimate", "low", "high"]].round(2)
       sensitivity  specificity  estimate   low  high
    0          1.0          0.9      2.20  1.12  4.32
    1          0.8          0.9      2.75  1.03  7.36
    """
    require_confidence(confidence)
    require_choice(measure, ["risk ratio", "odds ratio", "rate ratio"], "measure")
    if (measure in MEASURES["rate"]) != (exposure is not None):
        raise ValueError(
            f"`exposure` must be given for a rate ratio and only for it, got {exposure!r} "
            f"for {measure!r}."
        )
    require_columns(table, [outcome, group], "table")
    accounts = account_codes(table)
    y, size = outcome_and_exposure(table, outcome, exposure)
    label = finite_numbers(table, group)
    if set(label) != {0.0, 1.0}:
        raise ValueError(
            f"`{group}` must hold both True and False, and nothing else, "
            f"found {sorted(set(label.tolist()))}."
        )
    people = min(len(np.unique(accounts[label == side])) for side in (0, 1))
    rows = []
    for sensitive, specific in product(
        _shares(sensitivity, "sensitivity"), _shares(specificity, "specificity")
    ):
        better = sensitive + specific - 1
        found, counts = [np.nan] * 3, [np.nan] * 2
        if better > 0:
            belongs = (label + specific - 1) / better
            members = np.column_stack([belongs, 1 - belongs])
            counts = [belongs.sum(), belongs @ y]
            if _is_possible(members, y, size, measure):
                values, covariance = group_moments(y, size, members, accounts)
                found = delta_limits(
                    measure, values, covariance, people=people, confidence=confidence
                )
        rows.append([sensitive, specific, *found, *counts])
    columns = ["sensitivity", "specificity", "estimate", "low", "high", "n_group", "events_group"]
    result = pd.DataFrame(rows, columns=columns, dtype="float64")
    return result.assign(is_possible=result["estimate"].notna())


def _is_possible(members, y, size, measure: str) -> bool:
    """Say whether all corrected counts are above 0, rounding left aside."""
    counts = [members.T @ y, members.T @ size]
    if measure not in MEASURES["rate"]:
        counts.append(members.T @ (1 - y))
    return bool((np.array(counts) > 1e-9).all())


def _shares(values: float | Sequence[float], name: str) -> np.ndarray:
    shares = np.atleast_1d(np.asarray(values, dtype="float64"))
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"`{name}` must lie in [0, 1], got {values!r}.")
    return shares
