"""How much more often one group does something than another: risk, odds and rate ratios."""

import numpy as np
import pandas as pd

from toolkit.intervals import clopper_pearson, garwood
from toolkit.tables import group_numbers, require_columns, require_confidence

__all__ = [
    "MEASURES",
    "account_codes",
    "compare_groups",
    "delta_limits",
    "finite_numbers",
    "group_moments",
    "outcome_and_exposure",
]

MEASURES = {
    "risk": ["risk difference", "risk ratio", "odds ratio"],
    "rate": ["rate difference", "rate ratio"],
}
# The scale on which a measure is a difference: there, its slope, and back.
_SCALES = {
    "difference": (lambda values: values, np.ones_like, lambda scaled: scaled),
    "ratio": (np.log, lambda values: 1 / values, np.exp),
    "odds ratio": (
        lambda values: np.log(values / (1 - values)),
        lambda values: 1 / (values * (1 - values)),
        np.exp,
    ),
}


def compare_groups(
    table: pd.DataFrame,
    *,
    outcome: str,
    group: str,
    exposure: str | None = None,
    reference=None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare how often something happens in groups: risks or rates, and their ratios.

    The risk is the share of a group's rows with the outcome, whoever lacks it counted; the
    rate is the number of events over the exposure.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per viewer (or per viewer and title), with `account`; where that is missing
        each `viewer` is an account of its own.
    outcome : str
        A column of True and False (or 1 and 0); with `exposure` of counts, 0 or more.
    group : str
        A column that names each row's group.  Rows where it is missing are a group of their
        own.
    exposure : str, optional
        A column of numbers above 0 over which events are counted: days observed, or titles
        finished.
    reference : optional
        The group that the others are compared with; by default the first in order, so that
        True is compared with False.
    confidence : float, default 0.95
        How often an interval should cover the true value.

    Returns
    -------
    pandas.DataFrame
        A row per group and measure, groups in order and the missing one last:

        * ``group`` : as in `table`
        * ``measure`` : str, "risk" or "rate" of the group itself, and unless it is the
          reference "risk difference", "risk ratio" and "odds ratio", or "rate difference"
          and "rate ratio", against the reference
        * ``estimate``, ``low``, ``high`` : float
        * ``n``, ``people`` : int, rows and accounts of the group
        * ``events`` : float, rows with the outcome, or events counted
        * ``people_with_events`` : int, accounts with any

    Raises
    ------
    ValueError
        If a column is missing, an outcome or exposure is not as described, `reference` is no
        group or there is one group only.

    See Also
    --------
    fit_ratios : adjusted for other columns, or within accounts.
    correct_misclassification : where the groups are not what they are called.
    plot_ratios : draws them.

    Notes
    -----
    Rows of one account are not independent, and an account may have rows in several groups.
    So the covariance of the groups' risks is that of sums over accounts (Taylor
    linearisation, the sandwich of a saturated model) times c / (c - 1) for c accounts
    [1]_.  Intervals are taken on the scale of the logarithm, a risk's on that of the log odds,
    with the quantile of Student's distribution with one degree of freedom less than the
    smaller group has accounts.  They are for many accounts: of a few dozen of unequal size they
    are somewhat too short, and with fewer than about five events in a group those of ratios
    are longer than need be and those of differences too short.

    Without events in a group, or without anything else, there is no such interval.  Its risk
    then has Clopper and Pearson's with accounts for trials, as if all rows of an account were
    one; its rate has Garwood's, which takes events to come singly.  A ratio is then 0 or
    infinite (missing, where both groups are without), and its limits are the lowest and the
    highest that the limits of the two groups allow, which covers more often than it says.
    A group of a single account has no limits but these.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear
       models", Biometrika 73 (1986) 13-22.

    Examples
    --------
    >>> viewers = pd.DataFrame({
    ...     "account": np.arange(200), "is_kids": [True] * 80 + [False] * 120,
    ...     "came_back": [True] * 20 + [False] * 60 + [True] * 15 + [False] * 105,
    ... })
    >>> table = compare_groups(viewers, outcome="came_back", group="is_kids")
    >>> table[["group", "measure", "estimate", "low", "high", "people"]].round(3)
       group          measure  estimate    low   high  people
    0  False             risk     0.125  0.076  0.198     120
    1   True             risk     0.250  0.166  0.358      80
    2   True  risk difference     0.125  0.011  0.239      80
    3   True       risk ratio     2.000  1.078  3.709      80
    4   True       odds ratio     2.333  1.098  4.960      80
    """
    require_confidence(confidence)
    require_columns(table, [outcome, group], "table")
    accounts = account_codes(table)
    y, size = outcome_and_exposure(table, outcome, exposure)
    names = table[group].drop_duplicates().sort_values(na_position="last")
    if len(names) < 2:
        raise ValueError(f"`{group}` must hold at least two groups, found {len(names)}.")
    code = group_numbers(table, [group])
    at = _place_of(reference, names.tolist(), group)
    members = np.eye(len(names))[code]
    values, covariance = group_moments(y, size, members, accounts)
    people = _people(accounts, code, len(names))
    kind = "risk" if exposure is None else "rate"
    limits = _own_limits(
        kind, values, covariance, people=people, size=members.T @ size, confidence=confidence
    )
    rows = []
    for g, own in enumerate(limits):
        rows.append([g, kind, values[g], *own])
        for measure in MEASURES[kind] if g != at else []:
            rows.append([g, measure])
            if _at_edge(values[[g, at]], measure):
                rows[-1] += _widest(measure, values[[g, at]], own, limits[at])
            else:
                rows[-1] += delta_limits(
                    measure, values[[g, at]], covariance[np.ix_([g, at], [g, at])],
                    people=people[[g, at]].min(), confidence=confidence,
                )  # fmt: skip
    result = pd.DataFrame(rows, columns=["group", "measure", "estimate", "low", "high"])
    place = result["group"].to_numpy()
    counts = {"n": np.bincount(code), "people": people, "events": members.T @ y}
    counts["people_with_events"] = _people(accounts[y > 0], code[y > 0], len(names))
    return result.assign(
        group=names.array.take(place), **{name: some[place] for name, some in counts.items()}
    )


def account_codes(table: pd.DataFrame) -> np.ndarray:
    """Number the accounts of a table's rows; where there are none, its viewers."""
    unit = "account" if "account" in table else "viewer"
    require_columns(table, [unit], "table")
    codes, _ = pd.factorize(table[unit])
    if (codes < 0).any():
        raise ValueError(f"`table` must have `{unit}` on every row; {(codes < 0).sum()} lack it.")
    return codes


def outcome_and_exposure(
    table: pd.DataFrame, outcome: str, exposure: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes and exposures, which are 1 where none are given."""
    y = finite_numbers(table, outcome)
    size = np.ones(len(y)) if exposure is None else finite_numbers(table, exposure)
    if exposure is None and (wrong := ~np.isin(y, [0, 1])).any():
        raise ValueError(
            f"`{outcome}` must be True or False where no `exposure` is given, "
            f"found {y[wrong][0]:g}."
        )
    if (wrong := (y < 0) | (size <= 0)).any():
        raise ValueError(
            f"`{outcome}` must be 0 or more and `{exposure}` above 0, "
            f"found {y[wrong][0]:g} and {size[wrong][0]:g}."
        )
    return y, size


def finite_numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as floats, and refuse what is missing, infinite or no number."""
    require_columns(table, [column], "table")
    values = table[column]
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        raise ValueError(f"`{column}` must hold numbers, found {values.dtype}.")
    values = values.astype("Float64").to_numpy("float64", na_value=np.nan)
    if not np.isfinite(values).all():
        raise ValueError(
            f"`{column}` must be known on every row; on {(~np.isfinite(values)).sum()} it is not."
        )
    return values


def group_moments(y, size, members: np.ndarray, accounts: np.ndarray) -> tuple:
    """Return the risks or rates of groups, and their covariance over whole accounts.

    `members` has a column per group, with the weight of each row in it.
    """
    total = members.T @ size
    values = members.T @ y / total
    sums = np.zeros((accounts.max() + 1, members.shape[1]))
    np.add.at(sums, accounts, members * (y[:, None] - size[:, None] * values) / total)
    return values, sums.T @ sums * len(sums) / max(len(sums) - 1, 1)


def delta_limits(
    measure: str, values: np.ndarray, covariance: np.ndarray, *, people: int, confidence: float
) -> list[float]:
    """Return a difference or ratio of two groups, and its limits by the delta method."""
    forth, slope, back = _scale_of(measure)
    slopes = slope(values) * [1, -1]
    middle = forth(values) @ [1, -1]
    reach = _quantile(people, confidence) * np.sqrt(slopes @ covariance @ slopes)
    return [float(back(x)) for x in (middle, middle - reach, middle + reach)]


def _scale_of(measure: str) -> tuple:
    return _SCALES[measure.removeprefix("risk ").removeprefix("rate ")]


def _own_limits(kind: str, values, covariance, *, people, size, confidence) -> np.ndarray:
    """Return the limits of each group's risk or rate, a row for each."""
    forth, slope, back = _scale_of("odds ratio" if kind == "risk" else "rate ratio")
    edge = np.array([_at_edge(value, kind) for value in values])
    inner = np.where(edge, 0.5, values)
    reach = _quantile(people, confidence) * slope(inner) * np.sqrt(np.diag(covariance))
    low, high = back(forth(inner) - reach), back(forth(inner) + reach)
    if kind == "risk":
        low, high = low / (1 + low), high / (1 + high)
        exact = clopper_pearson(np.where(edge, values, 0) * people, people, confidence=confidence)
    else:
        exact = [limit / size for limit in garwood(np.zeros(len(size)), confidence=confidence)]
    return np.where(edge, exact, [low, high]).T


def _widest(measure: str, values, own, base) -> list[float]:
    """Return a difference or ratio at the edge, and the widest limits that those of both allow."""
    ends = np.array([[values[0], *own], [values[1], *base[::-1]]])
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure.startswith("odds"):
            ends = ends / (1 - ends)
        both = ends[0] - ends[1] if measure.endswith("difference") else ends[0] / ends[1]
    return both.tolist()


def _at_edge(values, measure: str) -> bool:
    """Say whether a risk is 0 or 1, or a rate 0, where a variance says nothing."""
    return bool(np.any(values <= 0) or (not measure.startswith("rate") and np.any(values >= 1)))


def _quantile(people, confidence: float):
    from scipy import special

    return special.stdtrit(np.maximum(people, 1) - 1.0, (1 + confidence) / 2)


def _place_of(reference, names: list, group: str) -> int:
    if reference is None:
        return 0
    if reference not in names:
        raise ValueError(f"`reference` must be one of {names} of `{group}`, got {reference!r}.")
    return names.index(reference)


def _people(accounts: np.ndarray, code: np.ndarray, n_groups: int) -> np.ndarray:
    """Count the accounts of each group."""
    return np.bincount(
        np.unique(np.column_stack([code, accounts]), axis=0)[:, 0], minlength=n_groups
    )
