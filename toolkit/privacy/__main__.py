"""Check the ledger of a study, for which nobody needs a key."""

import argparse
import sys
from pathlib import Path

from toolkit.privacy.ledger import Ledger


def _command() -> int:
    parser = argparse.ArgumentParser(prog="python -m toolkit.privacy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="verify")
    verify = commands.add_parser("verify", description=__doc__)
    verify.add_argument("path", type=Path, help="ledger.jsonl, or the folder that holds it")
    verify.add_argument("--head", metavar="H", help="the head that a publication printed")
    asked = parser.parse_args()
    path = asked.path / "ledger.jsonl" if asked.path.is_dir() else asked.path
    try:
        print(*Ledger(path).verify(asked.head), sep="\n")
    except (OSError, ValueError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_command())
