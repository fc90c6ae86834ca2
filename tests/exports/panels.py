"""Lists that Netflix might have published of titles that were never made.

"Night Desk" runs for two seasons, "Salt Road" is a film in two parts, "Le Phare" is listed with
its original title, and "1917 Tides" is a film whose runtime nobody knows.
"""

import datetime as dt
import io
import re
import zipfile

GLOBAL = [
    "week", "category", "weekly_rank", "show_title", "season_title", "weekly_hours_viewed",
    "runtime", "weekly_views", "cumulative_weeks_in_top_10", "is_staggered_launch",
    "episode_launch_details",
]  # fmt: skip
GLOBAL_ROWS = [
    ["2024-03-10", "Films (English)", "1", "Salt Road: Part Two", "N/A", "16600000", "1.9667", "8400000", "1", "False", ""],
    ["2024-03-10", "TV (English)", "1", "Night Desk", "Night Desk: Season 2", "25000000", "6.6333", "3800000", "2", "True", "Episodes 1-4"],
    ["2024-03-10", "TV (Non-English)", "1", "Le\u00a0Phare", "Le Phare: Limited Series", "8400000", "0", "1200000", "1", "False", ""],
    ["2023-06-11", "TV (English)", "10", "Night Desk", "N/A", "9140000", "", "", "12", "", ""],
    ["2023-06-11", "Films (Non-English)", "2", "'83 Tides", "N/A", "9970000", "", "", "1", "", ""],
]  # fmt: skip
COUNTRIES = [
    "country_name", "country_iso2", "week", "category", "weekly_rank", "show_title",
    "season_title", "cumulative_weeks_in_top_10",
]  # fmt: skip
COUNTRY_ROWS = [
    ["Namibia", "NA", "2024-03-10", "TV", "1", "Night Desk", "Night Desk: Season 1", "3"],
    ["Réunion", "RE", "2024-03-10", "Films", "4", "Salt Road: Part Two", "N/A", "1"],
]
POPULAR = [
    "category", "rank", "show_title", "season_title", "hours_viewed_first_91_days", "runtime",
    "views_first_91_days",
]  # fmt: skip
POPULAR_ROWS = [
    ["Films (English)", "1", "Salt Road", "N/A", "454200000", "1.9667", "230900000"],
    [
        "TV (English)",
        "1",
        "Night Desk",
        "Night Desk: Season 1",
        "1718800000",
        "6.8167",
        "252100000",
    ],
]
REPORT_1 = ["Title", "Available Globally?", "Release Date", "Hours Viewed"]
REPORT_1_ROWS = [
    ["Night Desk: Season 1", "Yes", "2023-03-23", 812100000],
    ["Le Phare: Limited Series // Der Leuchtturm", "Yes", "2022-12-30", 622800000],
    ["Salt Road: Part 2", "No", None, 100000],
    ["Harbour Lights", "No", None, 100000],
    [1917, "No", None, 100000],
]
REPORT_2 = [*REPORT_1, "Runtime", "Views"]
TV_ROWS = [
    ["Night Desk: Season 2 // 夜勤: シーズン2", "Yes", dt.datetime(2024, 2, 8), 98500000, "7:53", 12500000],
    ["The Long Watch: Part 3", "No", None, 300000, "25:10", 100000],
    ["Kitchen Table", "No", None, 100000, "*", None],
]  # fmt: skip
FILM_ROWS = [
    ["Salt Road: Part 2", "Yes", "2024-03-01", 143800000, "1:58", 73100000],
    ["1917 Tides // '17", "No", None, 100000, "*", None],
]
TEXT = [
    "What We Watched: A Netflix Engagement Report",
    "Titles with more than 50,000 hours viewed from January through June 2023",
    "Hours are rounded to 100,000.",
]


def tsv(header, rows):
    lines = ["\t".join(row) for row in [header, *rows]]
    return ("\n".join(lines) + "\n").encode()


def workbook(sheets, text=(), *, n_above=5, left=1, shares=True):
    """Return a workbook of (header, rows) by sheet, with rows of text above and columns left.

    Excel keeps the texts of all sheets in one part that they share.
    """
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, (header, rows) in sheets.items():
        sheet = book.create_sheet(name)
        for n, line in enumerate(text):
            sheet.cell(n + 2, left + 1, line)
        for n, row in enumerate([header, *rows]):
            for place, value in enumerate(row):
                sheet.cell(n_above + n + 1, left + place + 1, value)
    held = io.BytesIO()
    book.save(held)
    return sharing(held.getvalue()) if shares else held.getvalue()


def sharing(book):
    """Return a workbook with its texts moved into the part of shared strings."""
    strings = []

    def shared(match):
        strings.append(match[1])
        return b't="s"><v>%d</v>' % (len(strings) - 1)

    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % kind

    def change(name, data):
        if name.startswith("xl/worksheets/"):
            data = re.sub(rb't="inlineStr"><is>(<t.*?</t>)</is>', shared, data)
        return data.replace(b"</Types>", part) if name == "[Content_Types].xml" else data

    book = io.BytesIO(with_parts(book, change))
    with zipfile.ZipFile(book, "a", 8) as more:
        items = b"".join(b"<si>%s</si>" % text for text in strings)
        more.writestr("xl/sharedStrings.xml", b'<sst xmlns="%s">%s</sst>' % (main, items))
    return book.getvalue()


def first_report(text=TEXT):
    return workbook({"Engagement": (REPORT_1, REPORT_1_ROWS)}, text)


def later_report(text=TEXT):
    return workbook({"TV": (REPORT_2, TV_ROWS), "Film": (REPORT_2, FILM_ROWS)}, text)


def with_parts(book, change):
    """Return a workbook whose parts went through `change(name, data)`; None leaves one out."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(held, "w", 8) as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
    return held.getvalue()


def with_sheet(book, old, new):
    """Return a workbook in whose sheets a pattern is replaced."""

    def change(name, data):
        return re.sub(old, new, data) if name.startswith("xl/worksheets/") else data

    return with_parts(book, change)
