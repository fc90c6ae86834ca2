"""Write the invented exports that data/ holds: ``python -m tests.exports data``."""

import io
import shutil
import sys
import zipfile
from pathlib import Path

from tests.exports import household, letterboxd, netflix, prime, servers, spotify, youtube


def zipped(files):
    """Files as a zip that is the same whenever it is made."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(
                zipfile.ZipInfo(name, (2024, 3, 1, 12, 0, 0)), content, zipfile.ZIP_DEFLATED
            )
    return data.getvalue()


def donations():
    """A folder as a researcher gets it: thirteen donations, and what goes wrong with them."""
    first = zipped(netflix.export(netflix.english()))
    return {
        "donor_01.zip": first,
        "donor_02.zip": zipped(netflix.export(netflix.two_profiles())),
        "donor_03.csv": netflix.history_in("M/D/YY"),
        "donor_04.csv": netflix.ambiguous_history(),
        "donor_05.zip": zipped(youtube.takeout("nl", "json")),
        "donor_06.zip": zipped(youtube.takeout("de", "html")),
        "donor_07.zip": zipped(letterboxd.letterboxd_export()),
        "donor_08.zip": zipped(spotify.extended_export()),
        "donor_09.zip": first,
        "donor_10.csv": netflix.saved_again("M/D/YYYY | H:mm"),
        "donor_11.zip": zipped(prime.full_export()),
        "donor_12.db": servers.tautulli(),
        "donor_13.zip": first[: len(first) // 2],
    }


def files():
    """Every invented export of data/, by its path there."""
    held = {"netflix-report.zip": zipped(household.household())}
    return held | {f"donations/{name}": data for name, data in donations().items()}


def write(folder):
    shutil.rmtree(folder / "donations", ignore_errors=True)
    (folder / "donations").mkdir()
    for name, data in files().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
