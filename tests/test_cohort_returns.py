"""The rows that retention counts, against retention itself."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cohort_returns import find_returns
from toolkit.cohorts import retention

_DAY = pd.Timestamp("2024-02-20")


def days_of(pairs, ids=None):
    table = pd.DataFrame(sorted(pairs), columns=["viewer", "day"]).astype("int64")
    names = np.array([f"v{n}" for n in range(9)] if ids is None else ids)
    return pd.DataFrame(
        {
            "viewer": pd.Categorical(names[table["viewer"]]),
            "account": pd.Categorical([f"a{n % 4}" for n in table["viewer"]]),
            "day": (_DAY + pd.to_timedelta(table["day"], unit="D")).astype("datetime64[us]"),
        }
    )


@settings(deadline=None)
@given(
    st.sets(st.tuples(st.integers(0, 8), st.integers(0, 60)), min_size=1),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["MON", "SUN"]),
    st.integers(0, 65),
    st.sampled_from([None, 0, 9]),
)
def test_counts_of_its_rows_are_retention_where_that_is_complete(
    pairs, period, week_starts, as_of, since
):
    cut = {"period": period, "week_starts": week_starts}
    cut["as_of"] = _DAY + pd.Timedelta(as_of, unit="D")
    if since is not None:
        cut["observed_from"] = _DAY + pd.Timedelta(since, unit="D")
    viewer_days = days_of(pairs).sample(frac=1, random_state=1)
    rows = find_returns(viewer_days, **cut)
    cells = retention(viewer_days, **cut)
    counted = rows.groupby(["cohort", "age"])["viewer"].nunique()
    complete = cells[cells["is_complete"] | (cells["age"] == 0)].set_index(["cohort", "age"])
    expected = complete.loc[complete["n_retained"] > 0, "n_retained"]
    assert counted.to_dict() == expected.to_dict()
    assert not rows.duplicated(["viewer", "age"]).any()
    assert rows[["viewer", "age"]].astype("str").duplicated().sum() == 0
    home = viewer_days.drop_duplicates("viewer").set_index("viewer")["account"]
    assert (home[rows["viewer"]].to_numpy() == rows["account"].to_numpy()).all()


def test_rows_are_in_the_order_of_viewers_and_ages():
    rows = find_returns(days_of({(3, 40), (1, 2), (1, 30), (3, 1)}), as_of="2024-04-30")
    assert rows["viewer"].tolist() == ["v1", "v1", "v3", "v3"]
    assert rows["age"].tolist() == [0, 4, 0, 5]
    assert rows["cohort"].astype("str").tolist() == ["2024-02-19"] * 4


def test_a_period_that_ends_on_the_last_day_is_whole():
    viewer_days = days_of({(0, 0), (0, 6)})
    # The second Monday to Sunday ends on 3 March.
    assert find_returns(viewer_days, as_of="2024-03-03")["age"].tolist() == [0, 1]
    assert find_returns(viewer_days, as_of="2024-03-02")["age"].tolist() == [0]


def test_a_log_of_nobody_has_no_rows_but_all_columns():
    rows = find_returns(days_of({(0, 0)}).iloc[:0], as_of="2024-03-03")
    assert list(rows) == ["viewer", "account", "cohort", "age"]
    assert len(rows) == 0
    assert rows["cohort"].dtype == "datetime64[us]"


@pytest.mark.parametrize("wrong", [{"period": "year"}, {"as_of": None}, {"week_starts": "X"}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="`"):
        find_returns(days_of({(0, 0)}), **({"as_of": "2024-03-03"} | wrong))
