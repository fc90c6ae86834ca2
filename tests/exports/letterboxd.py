"""An invented Letterboxd export.

Its owner started the diary in 2023 and filled in a viewing of 2009 then.  They had seen
The Glass Harbour before the diary began, so its very first row is marked as a rewatch; a true
second viewing of Winter Tram is not marked.  On 7 January 2024 they saw two films, one of them
twice.  One entry has no day, one film no year, one title a comma and quotes.
"""

HEADER = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date"
ROWS = [
    "2023-05-02,Winter Tram,2008,https://boxd.it/aaaa1,4,,,2009-12-24",
    "2023-05-02,The Glass Harbour,1997,https://boxd.it/aaaa2,4.5,Yes,\"sea, home\",2023-05-01",
    "2023-05-09,Winter Tram,2008,https://boxd.it/aaaa3,,,,2023-05-08",
    "2024-01-08,\"Salt, \"\"Sand\"\" & Sky\",2023,https://boxd.it/aaaa4,3.5,,,2024-01-07",
    "2024-01-08,Lanterns,2024,https://boxd.it/aaaa5,0.5,,,2024-01-07",
    "2024-01-09,Lanterns,2024,https://boxd.it/aaaa6,,Yes,,2024-01-07",
    "2024-02-01,Untitled Ferry Film,,https://boxd.it/aaaa7,,,,2024-01-31",
    "2024-02-03,Étude in Grey,2021,https://boxd.it/aaaa8,,,,",
]  # fmt: skip
SHORT = "Date,Name,Year,Letterboxd URI"


def table(*rows, header=HEADER):
    return "".join(f"{line}\n" for line in [header, *rows]).encode()


def letterboxd_export(folder="letterboxd-someone-2024-02-10-10-00-utc/"):
    marked = [
        "2023-05-01,Winter Tram,2008,https://boxd.it/f1",
        "2023-05-01,Lanterns,2024,https://boxd.it/f2",
    ]
    review = '2024-01-08,Lanterns,2024,https://boxd.it/aaaa5,0.5,,"Two\nlines, and a ""quote""",,2024-01-07'
    files = {
        "comments.csv": table(header="Date,Content,Comment"),
        "deleted/diary.csv": table(
            "2023-06-01,Regretted,2020,https://boxd.it/gone1,,,,2023-05-30"
        ),
        "diary.csv": table(*ROWS),
        "likes/films.csv": table(*marked, header=SHORT),
        "lists/best.csv": (
            b"Letterboxd list export v7\nDate,Name,Tags,URL,Description\n"
            b"2024-01-01,Best,,https://boxd.it/l1,\n\nPosition,Name,Year,URL,Description\n"
            b"1,Lanterns,2024,https://boxd.it/f2,\n"
        ),
        "orphaned/diary.csv": table(),
        "profile.csv": table(
            "2023-05-01,someone,Some,One,someone@example.org,Nowhere,,,,", header=(
                "Date Joined,Username,Given Name,Family Name,Email Address,Location,Website,Bio,"
                "Pronoun,Favorite Films"
            )
        ),
        "ratings.csv": table(
            "2024-01-08,Lanterns,2024,https://boxd.it/f2,0.5", header=f"{SHORT},Rating"
        ),
        "reviews.csv": table(
            review,
            header="Date,Name,Year,Letterboxd URI,Rating,Rewatch,Review,Tags,Watched Date",
        ),
        "watched.csv": table(*marked, header=SHORT),
        "watchlist.csv": table(*marked, header=SHORT),
    }  # fmt: skip
    return {folder + name: data for name, data in files.items()}
