"""What is refused for the sake of the people in a study, and what would pass instead."""

__all__ = [
    "BudgetSpent",
    "DiffersByFew",
    "Dominated",
    "IdentifierFound",
    "KeyExposed",
    "KeyMissing",
    "KeyTaken",
    "LedgerBroken",
    "PersonLevel",
    "Refused",
    "TooFewPeople",
]


class Refused(ValueError):
    """A step that could expose people, or the account of who saw their data, was refused.

    Parameters
    ----------
    reason : str
        What was refused and why, in one sentence.
    fix : str
        The nearest thing that would pass, in one sentence.

    Attributes
    ----------
    reason, fix : str
        The two sentences; the text of the error is both.

    Examples
    --------
    >>> raise Refused("The cell holds 4 people.", "Merge months into quarters.")
    Traceback (most recent call last):
    toolkit.privacy.refusals.Refused: The cell holds 4 people. Merge months into quarters.
    """

    def __init__(self, reason: str, fix: str):
        """Keep both sentences, also through a pickle."""
        super().__init__(reason, fix)
        self.reason = reason
        self.fix = fix

    def __str__(self) -> str:
        """Return both sentences."""
        return f"{self.reason} {self.fix}"


class KeyMissing(Refused):
    """There is no key, so what it encrypted stays closed."""


class KeyExposed(Refused):
    """The key lies where others, or a copy of the data, can reach it."""


class KeyTaken(Refused):
    """A new study was to have the key of one that is there already."""


class LedgerBroken(Refused):
    """The ledger is not the one that was written."""


class TooFewPeople(Refused):
    """No cell has enough people to be published."""


class DiffersByFew(Refused):
    """Each cell that has enough people differs from a published one by too few of them."""


class Dominated(Refused):
    """Each cell that could be published would tell what one or two people did."""


class PersonLevel(Refused):
    """The table would tell of single people: it lists them, or it has lost its accounts."""


class BudgetSpent(Refused):
    """The study has promised to spend no more privacy than it already has."""


class IdentifierFound(Refused):
    """A text that was to be published names somebody in the study.

    Parameters
    ----------
    reason, fix : str
        As in `Refused`.
    cells : sequence of int
        The numbers of the cells, from 1, in which somebody is named; never by whom.
    """

    def __init__(self, reason: str, fix: str, cells=()):
        """Keep the cells too, also through a pickle."""
        super().__init__(reason, fix)
        self.args = reason, fix, cells
        self.cells = list(cells)
