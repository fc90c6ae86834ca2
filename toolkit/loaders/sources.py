"""What a source is: the one form that every loader of an export has."""

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Hints", "Source"]


@dataclass(frozen=True)
class Source:
    """What one row of a source's export is, and what can and can't be measured from it."""

    name: str
    service: str
    one_row: str
    row_is: str
    clock: str
    precision: str
    measures: str
    cannot: str
    # Whether its titles follow Netflix's grammar, and if so whether episodes end in their number.
    has_suffix: bool | None = None


class Hints(NamedTuple):
    """What only the researcher can know of an export."""

    clock_tz: str | None = None
    date_order: str | None = None
