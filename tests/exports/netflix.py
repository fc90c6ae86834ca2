"""Invented exports of Netflix, in the bytes in which the real ones come.

Mara watches the film Red Harbour over two evenings of 2024, the series Night Desk, one
episode of it twice, and lets trailers play.  Her flatmate Joël watches in French, a child has
the profile Piet, and Gast never watched anything.  Nobody of them exists, nor do the titles.
"""

import csv
import datetime as dt
import io

HEADER = (
    "Profile Name", "Start Time", "Duration", "Attributes", "Title", "Supplemental Video Type",
    "Device Type", "Bookmark", "Latest Bookmark", "Country",
)  # fmt: skip
NO_ROWS = b"We found no information for this table."
AUTO = "Autoplayed: user action: None; "
PHONE, TV = "DefaultWidevineAndroidPhone", "Sony PS4"
NOT_LATEST = "Not latest view"


def view(
    start, duration, title, *, profile="Mara", attributes="", supplemental="", device=TV,
    bookmark=None, latest=None, country="NL (Netherlands)",
):  # fmt: skip
    """One row of ViewingActivity, in the order of its columns."""
    bookmark = duration if bookmark is None else bookmark
    latest = bookmark if latest is None else latest
    return (
        profile, start, duration, attributes, title, supplemental, device, bookmark, latest, country,
    )  # fmt: skip


def table(rows, header=HEADER, separator=",", newline="\n", quoting=csv.QUOTE_MINIMAL):
    """Rows as the text of a CSV file, in UTF-8 without a mark."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=newline, quoting=quoting)
    writer.writerows([header, *rows])
    return text.getvalue().encode()


# What each row of `english` is, from the newest to the oldest.
ENGLISH = {
    "midnight": view("2024-03-09 00:00:00", "00:21:40", "Night Desk: Season 1: Deadline (Episode 4)", device=PHONE),
    "overlaps": view("2024-03-08 21:10:00", "00:30:00", "Low Tide", bookmark="00:30:00"),
    "rewatched": view("2024-03-08 21:00:00", "00:24:00", "Night Desk: Season 1: Ink (Episode 3)", bookmark="00:24:05"),
    "played itself": view("2024-03-07 22:10:31", "00:44:12", "Night Desk: Season 1: Ink (Episode 3)", attributes=AUTO, latest=NOT_LATEST),
    "recap": view("2024-03-07 22:09:50", "00:00:40", "Night Desk: Season 1 Recap", supplemental="RECAP"),
    "tried": view("2024-03-06 20:00:02", "00:00:02", "Paper Moons: Part 1: Chapter 5: Rust (Episode 5)", attributes=AUTO),
    "once": view("2024-03-05 20:00:00", "00:10:00", "Low Tide", latest=NOT_LATEST),
    "once more": view("2024-03-05 20:00:00", "00:10:00", "Low Tide", latest=NOT_LATEST),
    "short of two": view("2024-03-04 20:00:00", "00:01:00", "The Trailer, a Love Story", latest=NOT_LATEST),
    "long of two": view("2024-03-04 20:00:00", "00:41:00", "The Trailer, a Love Story", country="ZZ (Unknown Region)"),
    "trailer": view("2024-03-03 19:59:00", "00:00:31", "Trailer: Red Harbour", supplemental="TRAILER", attributes=AUTO),
    "hook": view("2024-03-03 19:58:00", "00:00:09", "Red Harbour_hook_primary_16x9", supplemental="HOOK", attributes=AUTO),
    "second evening": view("2024-03-03 19:00:00", "00:55:00", "Red Harbour", bookmark="01:47:03"),
    "rewound": view("2024-02-29 20:30:00", "00:58:30", "Red Harbour", bookmark="00:52:03", latest=NOT_LATEST),
    "no position": view("2024-02-29 20:28:00", "00:01:05", "Red Harbour", bookmark="00:00:00", latest=NOT_LATEST,
                        attributes="Has branched playback; Autoplayed: user action: User_Interaction; "),
}  # fmt: skip
USED = [name for name in ENGLISH if name not in ("recap", "trailer", "hook", "once more", "short of two")]  # fmt: skip


def english():
    """F1: one profile in English, newest first."""
    return table(ENGLISH.values())


# A no-break space before a colon, a decomposed letter, and colons with a space before them.
FRENCH = [
    ("2024-02-05 21:00:00", "L'Île : Le retour: Saison 2: La cle\u0301 (Épisode 7)"),
    ("2024-02-04 21:00:00", "L'Île\u00a0: Le retour: Saison 2: La clé (Épisode 7)"),
    ("2024-02-03 21:00:00", "L'Île : Le retour: Saison 2: L'orage : fin (Épisode 6)"),
    ("2024-02-02 21:00:00", "Neige"),
]


def french():
    """F2: one profile in French."""
    return table(view(at, "00:40:00", title, profile="Joël") for at, title in FRENCH)


TWO_PROFILES = [
    view("2020-05-04 21:00:00", "00:40:00", "Neige: Saison 1: Froid (Épisode 2)", profile="Joël, le grand"),
    view("2020-05-04 20:00:00", "00:40:00", "Night Desk: Season 2: Ink (Episode 3)", profile="Mara 🦊"),
    view("2020-05-03 21:00:00", "00:40:00", "Neige: Saison 1: Gris (Épisode 1)", profile="Joël, le grand"),
    view("2020-05-03 20:00:00", "00:40:00", "Night Desk: Season 2: Toner (Episode 2)", profile="Mara 🦊"),
]  # fmt: skip


def two_profiles():
    """F3: an export of 2020, newest first across its profiles, each in its own language."""
    return table(TWO_PROFILES)


def odd_attributes():
    """F4: attributes without the last space, an undocumented one, a new kind of extra, N/A."""
    return table([
        view("2021-01-04 20:00:00", "00:20:00", "Fog", attributes="Autoplayed: user action: Visibility_Timeout;"),
        view("2021-01-03 20:00:00", "00:20:00", "Fog", attributes="Has branched playback;", supplemental="N/A"),
        view("2021-01-02 20:00:00", "00:20:00", "Fog", attributes="View was hidden; "),
        view("2021-01-01 20:00:00", "00:00:20", "Fog: a look", supplemental="NEW_KIND"),
        view("2020-12-31 20:00:00", "00:20:00", "Fog", attributes="NULL", country="-1", device="NULL", bookmark="-1"),
    ])  # fmt: skip


_PROFILES_2023 = (
    "Profile Name", "Email Address", "Profile Creation Time", "Maturity Level", "Primary Lang",
    "Has Auto Playback", "Max Stream Quality", "Profile Lock Enabled",
)  # fmt: skip
_PROFILES_2024 = (
    *_PROFILES_2023[:2], "Game Handle", *_PROFILES_2023[2:], "Profile Transferred",
    "Profile Transfer Time", "Profile Transferred From Account", "Profile Transferred To Account",
    "Privacy And Data Settings", "Date Of Birth", "Gender",
)  # fmt: skip


def profiles_2023(levels=(("Mara", "1000000"), ("Piet", "LITTLE_KIDS"))):
    """F6: the list of profiles of 2023: every field quoted, CRLF."""
    rows = [
        (name, "nobody@example.org", "2019-01-01T10:00:00Z", level, "nl", "true", "UNSPECIFIED", "false")
        for name, level in levels
    ]  # fmt: skip
    return table(rows, _PROFILES_2023, newline="\r\n", quoting=csv.QUOTE_ALL)


def profiles_2024(levels=(("Mara", "ADULTS"), ("Piet", "OLDER_KIDS"), ("Gast", "TEENS"))):
    """F6: the list of profiles of 2024, with JSON in a cell."""
    rows = [
        (name, "nobody@example.org", "handle", "2019-01-01 10:00:00", level, "nl", "1", "Unknown", "false",
         "No", "", "", "", '{"ads": {"opted_out": true}}', "19700101", "")
        for name, level in levels
    ]  # fmt: skip
    return table(rows, _PROFILES_2024, newline="\r\n", quoting=csv.QUOTE_ALL)


def export(activity=None, folder="4400012345678/", profiles=None):
    """F5: an export within a folder named by the account's number, with the clutter of a Mac."""
    views = "CONTENT_INTERACTION/ViewingActivity"
    activity = (
        {f"{folder}{views}.txt": NO_ROWS}
        if activity is None
        else {f"{folder}{views}.csv": activity}
    )
    return activity | {
        f"{folder}PROFILES/Profiles.csv": profiles or profiles_2024(),
        f"{folder}CONTENT_INTERACTION/MyList.csv": b"Profile Name,Title Name,Country,Utc Title Add Date\n",
        f"{folder}CONTENT_INTERACTION/Ratings.txt": NO_ROWS,
        f"{folder}IP_ADDRESSES/IpAddressesLogin.csv": b"Esn,Country,Localized Device Description,Device Description,Ip,Region Code Display Name,Ts\n",
        "__MACOSX/._ViewingActivity.csv": b"\0\5\x16\7\0\2\0\0Mac OS X        ",
    }


def saved_again(style, separator=";", encoding="utf-8-sig", newline="\r\n"):
    """F14: ViewingActivity as a spreadsheet saves it again, its times in another style."""
    rows = [list(row) for row in ENGLISH.values()]
    for row in rows:
        row[1] = write(dt.datetime.fromisoformat(row[1]), style)
        row[2], row[7] = (f"{int(text[:2])}{text[2:]}" for text in (row[2], row[7]))
    return table(rows, separator=separator, newline=newline).decode().encode(encoding)


def write(at, style):
    """Write a day or time in a style such as 'M/D/YY H:MM'; doubled letters are padded."""
    numbers = {
        "YYYY": f"{at.year}", "YY": f"{at.year % 100:02}", "DD": f"{at.day:02}", "D": f"{at.day}",
        "HH": f"{at.hour:02}", "H": f"{at.hour}", "mm": f"{at.minute:02}",
    }  # fmt: skip
    date, _, clock = style.partition(" | ")
    date = date.replace("MM", "%02").replace("M", "%1")
    for letters in ("YYYY", "YY", "DD", "D"):
        date = date.replace(letters, numbers[letters])
    date = date.replace("%02", f"{at.month:02}").replace("%1", f"{at.month}")
    for letters in ("HH", "H", "mm"):
        clock = clock.replace(letters, numbers[letters])
    return f"{date} {clock}".strip()


# The styles of dates that lists have been seen with.
STYLES = [
    "M/D/YY", "DD/MM/YYYY", "DD.MM.YYYY", "DD.MM.YY", "YYYY-MM-DD", "YYYY/MM/DD", "YY. M. D.",
    "D/M/YY", "M/D/YYYY", "D-M-YYYY",
]  # fmt: skip
DAYS = ["2024-03-25", "2024-03-11", "2024-02-29", "2024-01-13", "2023-12-31", "2023-11-02"]
TITLES = [
    "Night Desk: Season 1: Deadline", "Arc Light: Welcome", "Arc Light: Second Night", " ",
    "Arc Light: Third Night", "Low Tide: Rise of the Sea",
]  # fmt: skip


def history(rows, newline="\n", quoting=csv.QUOTE_ALL):
    """A NetflixViewingHistory.csv: its header bare, its fields quoted."""
    return (
        b"Title,Date"
        + newline.encode()
        + table(rows, (), newline=newline, quoting=quoting).lstrip()
    )


def history_in(style):
    """F7: the same list in one of the styles of dates."""
    days = [write(dt.datetime.fromisoformat(day), style) for day in DAYS]
    return history(zip(TITLES, days, strict=True))


def ambiguous_history():
    """F7: a list whose days and months can't be told apart, each way from new to old."""
    return history([("Fog", "06/05/24"), ("Low Tide", "05/04/24"), ("Neige", "04/03/24")])


def two_histories(again_header=False):
    """F7: two lists in one file, the second with a header of its own or without."""
    second = history([("Fog", "3/30/24"), ("Neige", "3/1/24")])
    return history_in("M/D/YY") + (second if again_header else second.partition(b"\n")[2])
