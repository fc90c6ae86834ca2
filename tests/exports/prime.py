"""Invented Prime Video exports of the three eras, Watch Events, and a browser script's page.

The same household in each: an adult watches Harbour Nights (a film) over two sessions and two
episodes of Ferry Lines, a child the Moon Bus.  Since 2025 the export also has a promo, a trailer,
an impression of 0 seconds, a session whose end lies before its start, one exported twice, and
one that its owner deleted.
"""

BOM = b"\xef\xbb\xbf"
HOURS = (
    "Playback Hour,Operating System,Browser,Delivery Type,City,Country,ISP,State,"
    "Content Quality Entitled,Entitlement Type,Video Type,Audio Language,Title"
)
HOUR_ROWS = [
    "3/14/2020 21:00:00,Fire OS,Not Available,Streaming,Nowhere,DE,Acme Net,NW,HD,Prime,Feature,de,Harbour Nights",
    "3/14/2020 21:00:00,Fire OS,Not Available,Streaming,Nowhere,DE,Acme Net,NW,HD,Prime,Feature,de,Harbour Nights",
    "3/15/2020 0:00:00,Fire OS,Not Available,Streaming,Nowhere,DE,Acme Net,NW,HD,Prime,Full,de,Slack Water-Ferry Lines - Season 1",
    "11/2/2021 9:00:00,Android,Not Available,Download,Nowhere,Not Available,Acme Net,NW,HD,Prime,Full,de,Not Available",
]
STARTS = '"Playback Start Datetime (UTC)","Title","Seconds Viewed","Country Code"'
START_ROWS = [
    '2023-05-06T20:15:33.250Z,"""Harbour Nights""",3600,"""DE"""',
    '2023-05-07T20:00:01.000Z,"""Harbour Nights""",1800.5,"""DE"""',
    '2023-05-08T19:00:00.125Z,"""Pilot-Ferry Lines - Season 1""",0,"""DE"""',
    '2023-05-08T19:01:00.000Z,"""Not available""",60,"""Not available"""',
]
FULL = (
    "Audio Language Code", "City", "Country Code", "Device Manufacturer Name", "Device Model",
    "End Point Seconds", "Fast Forward Count", "ISP", "Is Autoplay", "Is Deleted",
    "Material Type Description", "Pause Count", "Playback End Datetime (UTC)",
    "Playback Start Datetime (UTC)", "Profile Type", "Rewind Count", "Seconds Paused",
    "Seconds Viewed", "Start Point Seconds", "Subtitle Language Code", "Title",
    "Video Duration in 1080p", "Video Duration in 720p",
)  # fmt: skip


def full_row(start, end, title, seconds, **known):
    """A row of 2025: words in a second pair of quotes, numbers and times bare."""
    given = {
        "Audio Language Code": "de-de", "City": "Nowhere", "Country Code": "DE",
        "Device Manufacturer Name": "Acme", "Device Model": "Stick 4", "End Point Seconds": "",
        "Fast Forward Count": 0, "ISP": "Acme Net", "Is Autoplay": "No", "Is Deleted": "No",
        "Material Type Description": "Full", "Pause Count": 1, "Profile Type": "ADULT",
        "Rewind Count": 0, "Seconds Paused": 0, "Start Point Seconds": 0,
        "Subtitle Language Code": "Not Available", "Video Duration in 1080p": "Not Available",
        "Video Duration in 720p": "Not Available",
    } | {
        "Playback Start Datetime (UTC)": start, "Playback End Datetime (UTC)": end,
        "Title": title, "Seconds Viewed": seconds,
    } | known  # fmt: skip
    bare = ("Seconds", "Count", "Duration", "Datetime")
    cells = [
        str(given[name]) if any(word in name for word in bare)
        else '"""' + given[name].replace('"', '""') + '"""'
        for name in FULL
    ]  # fmt: skip
    return ",".join(cells)


FILM = {"Material Type Description": "Feature", "Video Duration in 1080p": 6_000_000}
FULL_ROWS = [
    full_row("2025-03-14T21:00:05Z", "2025-03-14T22:00:05Z", "Harbour Nights", 3550,
             **FILM, **{"End Point Seconds": 3600}),
    full_row("2025-03-15T20:00:00Z", "2025-03-15T20:40:00Z", "Harbour Nights", 2400,
             **FILM, **{"Start Point Seconds": 3600, "End Point Seconds": 6000}),
    full_row("2025-03-16T19:00:00Z", "2025-03-16T19:25:00Z", "Pilot-Ferry Lines - Season 1", 1500,
             **{"Is Autoplay": "Yes"}),
    full_row("2025-03-16T19:25:10Z", "2025-03-16T19:26:00Z",
             "Drop-off-Ferry Lines - Season 1", 50, **{"Is Deleted": "Yes"}),
    full_row("2025-03-17T06:00:00Z", "2025-03-17T06:10:00Z", "The \"Moon\" Bus", 600,
             **{"Profile Type": "CHILD", "Device Model": "Not Available"}),
    full_row("2025-03-17T18:59:00Z", "2025-03-17T18:59:20Z", "Harbour Nights", 20,
             **{"Material Type Description": "Promo"}),
    full_row("2025-03-17T18:59:30Z", "2025-03-17T18:59:50Z", "Lanterns", 20,
             **{"Material Type Description": "Trailer"}),
    full_row("2025-03-17T19:00:00Z", "2025-03-17T19:00:00Z", "Lanterns", 0, **FILM),
    full_row("2025-03-18T20:00:00Z", "2025-03-18T19:59:59Z", "Lanterns", 30, **FILM),
    full_row("2025-03-16T19:00:00Z", "2025-03-16T19:20:00Z", "Pilot-Ferry Lines - Season 1", 1200),
]  # fmt: skip
EVENTS = '"Deleted from Watch History","Latest Watch Progress","Most Recent Watch Date","Seconds Watched","Title Description","Title Name"'
EVENT_ROWS = [
    'no,"Not Available",2025-03-15T20:40:00Z,5950,"A film of the sea,\nwith a ""quoted"" word",Harbour Nights',
    'yes,"Not Available",2025-03-16T19:25:00Z,1500,"An episode",Pilot',
]
SCRIPT_HEADERS = {
    "en": ("Date Watched", "Type", "Title", "Episode Title"),
    "de": ("Datum angesehen", "Typ", "Titel", "Folge"),
    "es": ("Fecha de visualización", "Tipo", "Título", "Episodio"),
    "es-419": ("Fecha vista", "Tipo", "Título", "Episodio"),
    "fr": ("Date regardée", "Type", "Titre", "Épisode"),
    "pt": ("Data de visualização", "Tipo", "Título", "Episódio"),
    "pt-br": ("Data assistida", "Tipo", "Título", "Episódio"),
    "ja": ("視聴日", "種類", "タイトル", "エピソード"),
    "zh": ("觀看日期", "類型", "標題", "集"),
}


def table(header, *rows, bom=True):
    return (BOM if bom else b"") + "".join(f"{line}\n" for line in [header, *rows]).encode()


def hours_export(folder="Digital.PrimeVideo.Viewinghistory/"):
    return {f"{folder}Digital.PrimeVideo.Viewinghistory.csv": table(HOURS, *HOUR_ROWS)}


def starts_export(folder="PrimeVideo.ViewingHistory/"):
    return {f"{folder}PrimeVideo.ViewingHistory.csv": table(STARTS, *START_ROWS)}


def full_export(folder="Your Prime Video Viewing Activity/"):
    searches = table(
        '"Search Query from Customer","Search Request Date"', "sea,2025-03-01T10:00:00Z"
    )
    return {
        f"{folder}Search History.csv": searches,
        f"{folder}Viewing History.csv": table(",".join(f'"{name}"' for name in FULL), *FULL_ROWS),
        f"{folder}Watch Events.csv": table(EVENTS, *EVENT_ROWS),
    }


def script_page(language="en"):
    """The page as the browser script saves it: UTC, no line end after the last row."""
    header = ",".join(f'"{name}"' for name in SCRIPT_HEADERS[language])
    rows = [
        '2025-03-15 20:40:00.123,Movie,"Harbour Nights",',
        '2025-03-16 19:25:00.000,Series,"Ferry Lines - Season 1","Pilot"',
    ]
    return "\n".join([header, *rows]).encode()
