"""One question under every combination of definitions, and which definition matters most."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from toolkit.tables import require_columns

__all__ = ["multiverse", "rank_choices"]

_VALUE = "value"


def multiverse(
    plays: pd.DataFrame,
    question: Callable[..., float],
    *,
    choices: Mapping[str, Sequence],
) -> pd.DataFrame:
    """Answer one question under every combination of choices.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table, or whatever `question` takes first.
    question : callable
        Takes `plays` and one value of each choice by its name, and returns a number, or NaN
        where the combination makes no sense.
    choices : mapping of str to sequence
        The values of each choice, the usual one first.

    Returns
    -------
    pandas.DataFrame
        One row per combination, in the order of `choices`, so that the first row is the
        usual one in all: a column for each choice, and ``value`` : float, the answer.

    Raises
    ------
    ValueError
        If a choice has no value, the same value twice or the name "value", or an answer is no
        number.

    See Also
    --------
    rank_choices : which choice matters most.
    plot_multiverse : draws all answers.

    Notes
    -----
    Where many definitions are as good as the one that was chosen, the answer to show is that of
    all of them [1]_.  The combinations are no sample, so that no interval belongs to them.

    References
    ----------
    .. [1] S. Steegen, F. Tuerlinckx, A. Gelman, W. Vanpaemel, "Increasing transparency through
       a multiverse analysis", Perspectives on Psychological Science 11 (2016), 702-712.

    Examples
    --------
    >>> seconds = pd.DataFrame({"watched_seconds": [30.0, 400.0, 5000.0]})
    >>> multiverse(
    ...     seconds,
    ...     lambda plays, least, unit: (plays["watched_seconds"] >= least * unit).sum(),
    ...     choices={"least": [1, 10], "unit": [1, 60]},
    ... )
       least  unit  value
    0      1     1    3.0
    1      1    60    2.0
    2     10     1    3.0
    3     10    60    1.0
    """
    for name, values in choices.items():
        values = list(values)
        is_twice = any(one == other for one, other in itertools.combinations(values, 2))
        if not values or is_twice or name == _VALUE:
            raise ValueError(
                "`choices` must give each name but 'value' one or more different values, found "
                f"{name}={values}."
            )
    rows = []
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        answer = question(plays, **chosen)
        if not isinstance(answer, int | float | np.integer | np.floating):
            raise ValueError(f"`question` must return a number, found {answer!r} for {chosen}.")
        rows.append((*values, float(answer)))
    return pd.DataFrame(rows, columns=[*choices, _VALUE])


def rank_choices(table: pd.DataFrame) -> pd.DataFrame:
    """Say how much of what the answers differ by each choice makes by itself.

    Parameters
    ----------
    table : pandas.DataFrame
        What `multiverse` returns.

    Returns
    -------
    pandas.DataFrame
        One row per choice, what matters most first:

        * ``choice`` : str
        * ``share`` : float, the variance of the mean answers to its values over the
          variance of all answers; NaN where all are alike
        * ``low``, ``high`` : float, the lowest and the highest of these means
        * ``from_usual_low``, ``from_usual_high`` : float, the lowest and the highest answer
          if it alone is changed and all others stay usual

    Raises
    ------
    ValueError
        If the table lacks a column, or not every combination is there once.

    See Also
    --------
    multiverse : makes the table, with the usual combination first.

    Notes
    -----
    The share is the first-order index of Sobol [1]_ where all combinations are equally likely.
    The shares add up to 1 if no choice changes what another one does; what is missing to 1 is
    what they do together.  Rows without an answer are left out.

    References
    ----------
    .. [1] I. M. Sobol, "Sensitivity estimates for nonlinear mathematical models",
       Mathematical Modelling and Computational Experiments 1 (1993), 407-414.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "zone": ["UTC", "UTC", "local", "local"], "gap": [0, 1, 0, 1],
    ...     "value": [30.0, 36.0, 50.0, 56.0],
    ... })
    >>> rank_choices(table).round(3)
      choice  share   low  high  from_usual_low  from_usual_high
    0   zone  0.917  33.0  53.0            30.0             50.0
    1    gap  0.083  40.0  46.0            30.0             36.0
    """
    require_columns(table, [_VALUE], "table")
    names = [name for name in table if name != _VALUE]
    # A choice may be None.
    codes = {name: pd.factorize(table[name], use_na_sentinel=False)[0] for name in names}
    codes = pd.DataFrame(codes, table.index)
    if len(codes) != np.prod(codes.max() + 1) or codes.duplicated().any():
        raise ValueError(
            f"`table` must have each combination of {names} once, found {len(codes)} rows."
        )
    value = table[_VALUE]
    total = value.var(ddof=0)
    rows = []
    for name in names:
        means = value.groupby(codes[name]).mean()
        # Each answer counts alike, also where some combinations have none.
        weights = value.notna().groupby(codes[name]).sum()
        spread = np.average((means - value.mean()).fillna(0) ** 2, weights=weights)
        alone = value[(codes.drop(columns=name) == 0).all(axis=1)]
        share = spread / total if total > 0 else np.nan
        rows.append((name, share, means.min(), means.max(), alone.min(), alone.max()))
    columns = ["choice", "share", "low", "high", "from_usual_low", "from_usual_high"]
    ranked = pd.DataFrame(rows, columns=columns)
    return ranked.sort_values("share", ascending=False, kind="stable", ignore_index=True)
