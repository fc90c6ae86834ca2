"""Home servers, invented: a Plex server under Tautulli, its own database, and a Jellyfin server.

The Ohlsens (account 7) and their lodger (account 12) share a Plex server in Bremen.  The lodger
stops "The Slow Ferry" after half an hour and finishes it the next evening (one group of two
sessions), pauses "Marsh Lights" for dinner, and is in the middle of an episode when the database
is copied.  The Ohlsens look at holiday photos, let music play, and mark a whole season as watched.
On the Jellyfin server Ida watches around the night on which the clocks go back.
"""

import json
import sqlite3

SESSION_HISTORY = (
    "CREATE TABLE session_history (id INTEGER PRIMARY KEY AUTOINCREMENT, reference_id INTEGER, "
    "started INTEGER, stopped INTEGER, rating_key INTEGER, user_id INTEGER, user TEXT, "
    "ip_address TEXT, paused_counter INTEGER DEFAULT 0, player TEXT, product TEXT, "
    "product_version TEXT, platform TEXT, platform_version TEXT, profile TEXT, machine_id TEXT, "
    "bandwidth INTEGER, location TEXT, quality_profile TEXT, secure INTEGER, relayed INTEGER, "
    "parent_rating_key INTEGER, grandparent_rating_key INTEGER, media_type TEXT, "
    "section_id INTEGER, view_offset INTEGER DEFAULT 0)"
)
SESSION_HISTORY_METADATA = (
    "CREATE TABLE session_history_metadata (id INTEGER PRIMARY KEY, rating_key INTEGER, "
    "parent_rating_key INTEGER, grandparent_rating_key INTEGER, title TEXT, parent_title TEXT, "
    "grandparent_title TEXT, original_title TEXT, full_title TEXT, media_index INTEGER, "
    "parent_media_index INTEGER, thumb TEXT, parent_thumb TEXT, grandparent_thumb TEXT, art TEXT, "
    "media_type TEXT, year INTEGER, originally_available_at TEXT, added_at INTEGER, "
    "updated_at INTEGER, last_viewed_at INTEGER, content_rating TEXT, summary TEXT, tagline TEXT, "
    "rating TEXT, duration INTEGER DEFAULT 0, guid TEXT, directors TEXT, writers TEXT, "
    "actors TEXT, genres TEXT, studio TEXT, labels TEXT, live INTEGER DEFAULT 0, "
    "channel_call_sign TEXT, channel_identifier TEXT, channel_thumb TEXT)"
)
SESSION_HISTORY_MEDIA_INFO = (
    "CREATE TABLE session_history_media_info (id INTEGER PRIMARY KEY, rating_key INTEGER, "
    "video_decision TEXT, audio_decision TEXT, transcode_decision TEXT, duration INTEGER DEFAULT 0)"
)
USERS = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER DEFAULT NULL UNIQUE, "
    "username TEXT NOT NULL, friendly_name TEXT, email TEXT)"
)
METADATA_ITEM_VIEWS = (
    'CREATE TABLE "metadata_item_views" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, '
    '"account_id" integer, "guid" varchar(255), "metadata_type" integer, '
    '"library_section_id" integer, "grandparent_title" varchar(255), "parent_index" integer, '
    '"parent_title" varchar(255), "index" integer, "title" varchar(255), '
    '"thumb_url" varchar(255), "viewed_at" datetime, \'grandparent_guid\' varchar(255), '
    "'originally_available_at' datetime, 'device_id' integer)"
)
METADATA_ITEM_SETTINGS = (
    'CREATE TABLE "metadata_item_settings" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, '
    '"account_id" integer, "guid" varchar(255), "rating" float, "view_offset" integer, '
    '"view_count" integer, "last_viewed_at" datetime, "created_at" datetime, '
    '"updated_at" datetime, "skip_count" integer DEFAULT 0, "last_skipped_at" datetime DEFAULT NULL)'
)
PLAYBACK_ACTIVITY = (
    "CREATE TABLE PlaybackActivity (DateCreated DATETIME NOT NULL, UserId TEXT, ItemId TEXT, "
    "ItemType TEXT, ItemName TEXT, PlaybackMethod TEXT, ClientName TEXT, DeviceName TEXT, "
    "PlayDuration INT)"
)
PLAYBACK_ACTIVITY_OF_EMBY = PLAYBACK_ACTIVITY.replace(
    "PlayDuration INT)",
    "PlayDuration INT, PauseDuration INT, RemoteAddress TEXT, TranscodeReasons TEXT)",
)
USER_LIST = "CREATE TABLE UserList (UserId TEXT)"

# 1 March 2024, 20:00 UTC.
EVENING = 1_709_323_200
LODGER, OHLSENS = 12, 7
IDA, TOM = "3f2a9c4be1d04f7790aa5c1e6b8d2f01", "b7d1e0c95a6f4e2388f0c2a4d9e6137b"

FERRY = {"media_type": "movie", "title": "The Slow Ferry", "full_title": "The Slow Ferry",
         "year": 2011, "duration": 5_400_000}  # fmt: skip
MARSH = {"media_type": "movie", "title": "Marsh Lights", "full_title": "Marsh Lights",
         "year": 1987, "duration": 6_000_000}  # fmt: skip
HARBOUR = {"media_type": "episode", "title": "Ebb", "parent_title": "Season 1",
           "grandparent_title": "Harbour", "full_title": "Harbour - Ebb", "media_index": 2,
           "parent_media_index": 1, "year": 2019, "duration": 2_700_000}  # fmt: skip
TUNE = {"media_type": "track", "title": "Lantern", "parent_title": "Boats",
        "grandparent_title": "The Piers", "full_title": "Lantern - The Piers",
        "media_index": 3, "parent_media_index": 1, "duration": 200_000}  # fmt: skip
PHOTO = {"media_type": "photo", "title": "IMG_0001", "full_title": "IMG_0001"}
CLIP = {"media_type": "clip", "title": "Making of", "full_title": "Making of", "duration": 90_000}


def session(item, started, stopped, user_id=LODGER, **more):
    """One row of Tautulli, with what it also holds of people and machines."""
    return {
        "started": started, "stopped": stopped, "user_id": user_id, "user": "lodger12",
        "ip_address": "192.0.2.17", "paused_counter": 0, "player": "Jo's iPad",
        "product": "Plex for iOS", "platform": "iOS", "machine_id": "A1B2C3", "view_offset": 0,
    } | item | more  # fmt: skip


SESSIONS = [
    session(FERRY, EVENING, EVENING + 1_800, reference_id=1, view_offset=1_800_000),
    session(FERRY, EVENING + 86_400, EVENING + 90_000, reference_id=1, view_offset=5_300_000),
    session(MARSH, EVENING + 172_800, EVENING + 180_000, paused_counter=1_500, view_offset=5_700_000),
    session(PHOTO, EVENING + 200_000, EVENING + 200_030, OHLSENS, platform="Chrome"),
    session(TUNE, EVENING + 200_100, EVENING + 200_300, OHLSENS, platform="Chrome"),
    session(CLIP, EVENING + 200_400, EVENING + 200_490, OHLSENS, platform="Chrome"),
    session(HARBOUR, EVENING + 259_200, 0, view_offset=600_000),
]  # fmt: skip


def database(*statements, rows=(), user_version=0, page_size=4096):
    """Return the bytes of a database; `rows` are (table, dict of columns)."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA page_size = {page_size}")
    for statement in statements:
        connection.execute(statement)
    for table, row in rows:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*row.values()])
    connection.execute(f"PRAGMA user_version = {user_version}")
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


def with_log(data):
    """Return the database as a server leaves it that keeps a write-ahead log."""
    return data[:18] + b"\x02\x02" + data[20:]


WRITE_AHEAD_LOG = b"\x37\x7f\x06\x82" + b"\x00\x2d\xe2\x18" + bytes(4_120)


def tautulli(sessions=SESSIONS, *, others=(), **options):
    """Return a tautulli.db; every session is a row of three tables."""
    of_session = SESSION_HISTORY.partition("(")[2]
    of_metadata = SESSION_HISTORY_METADATA.partition("(")[2]
    rows = []
    for number, one in enumerate(sessions, start=1):
        one = {"id": number} | one
        for table, text in (
            ("session_history", of_session),
            ("session_history_metadata", of_metadata),
        ):
            known = [part.split()[0] for part in text.split(", ")]
            rows.append((table, {name: one[name] for name in known if name in one}))
        rows.append(("session_history_media_info", {"id": one["id"]}))
    return database(
        "CREATE TABLE version_info (key TEXT UNIQUE, value TEXT)", SESSION_HISTORY,
        SESSION_HISTORY_MEDIA_INFO, SESSION_HISTORY_METADATA, USERS, *others,
        rows=rows, **options,
    )  # fmt: skip


def tautulli_history(sessions=SESSIONS, **more):
    """Return an answer of get_history: numbers partly as text, blanks for what is missing."""
    rows = []
    for number, one in enumerate(sessions, start=1):
        running = not one["stopped"]
        seconds = 0 if running else one["stopped"] - one["started"] - one["paused_counter"]
        kept = {name: one.get(name, "") for name in (
            "started", "stopped", "paused_counter", "user_id", "user", "ip_address", "platform",
            "player", "media_type", "title", "parent_title", "grandparent_title", "full_title",
            "media_index", "parent_media_index", "year",
        )}  # fmt: skip
        rows.append(
            {"reference_id": number, "row_id": number, "id": number, "date": one["started"]}
            | kept
            | {"friendly_name": "Jo", "duration": seconds, "play_duration": seconds,
               "percent_complete": "33", "watched_status": 0, "group_count": 1,
               "group_ids": f"{number}", "state": "playing" if running else None}
            | one.get("api", {})
        )  # fmt: skip
    data = {
        "recordsFiltered": len(rows), "recordsTotal": len(rows), "data": rows, "draw": 1,
        "filter_duration": "4 hrs", "total_duration": "4 hrs",
    } | more  # fmt: skip
    answer = {"response": {"result": "success", "message": None, "data": data}}
    return json.dumps(answer).encode()


def tautulli_page(separator=","):
    """Return the table of Tautulli's history page, saved as CSV."""
    header = ["Date", "User", "IP Address", "Platform", "Product", "Player", "Title", "Started",
              "Paused", "Stopped", "Duration", "Watched"]  # fmt: skip
    row = ["2024-03-01", "Jo", "192.0.2.17", "iOS", "Plex for iOS", "Jo's iPad", "The Slow Ferry",
           "21:00", "0 mins", "21:30", "30 mins", "0"]  # fmt: skip
    lines = [separator.join(f'"{cell}"' for cell in cells) for cells in (header, row)]
    return "\n".join(lines).encode()


def view(title, viewed_at, account_id=LODGER, metadata_type=1, **more):
    """One row of Plex."""
    return {
        "account_id": account_id, "guid": "plex://movie/5d77", "metadata_type": metadata_type,
        "library_section_id": 1, "grandparent_title": "", "parent_index": -1, "parent_title": "",
        "index": -1, "title": title, "viewed_at": viewed_at, "device_id": 4,
    } | more  # fmt: skip


def episode_view(title, viewed_at, season, episode, account_id=LODGER):
    """One row of Plex for an episode of Harbour."""
    return view(
        title, viewed_at, account_id, 4, grandparent_title="Harbour", parent_title="Season 1",
        parent_index=season, index=episode,
    )  # fmt: skip


VIEWS = [
    view("Marsh Lights", "2016-11-05 21:40:12"),
    view("The Slow Ferry", EVENING),
    view("The Slow Ferry", f"{EVENING + 90_000}"),
    episode_view("Ebb", EVENING + 260_000, 1, 2),
    view("Lantern", EVENING + 300_000, OHLSENS, 10, grandparent_title="The Piers", index=3),
    *(episode_view(f"Tide {n}", EVENING + 400_000, 2, n, OHLSENS) for n in range(1, 7)),
]


def plex(views=VIEWS, **options):
    """Return a Plex database: what it holds beside the views asks for parts that only Plex has."""
    with_own_parts = (
        "CREATE VIRTUAL TABLE fts4_metadata_titles USING fts4(title, tokenize=porter   )",
        METADATA_ITEM_SETTINGS,
        METADATA_ITEM_VIEWS,
    )
    data = database(
        *with_own_parts, rows=[("metadata_item_views", row) for row in views], **options
    )
    # Plex's tokenizer is in no other SQLite.
    return data.replace(b"tokenize=porter   ", b"tokenize=collating")


def activity(started, name, seconds, *, user=IDA, kind="Movie", client="Jellyfin Web", **more):
    """One row of Playback Reporting."""
    return {
        "DateCreated": started, "UserId": user, "ItemId": "9d0c3b7a52e84d1f8c6a0b4e7f215d93",
        "ItemType": kind, "ItemName": name, "PlaybackMethod": "DirectPlay", "ClientName": client,
        "DeviceName": "Ida's Chromebook", "PlayDuration": seconds,
    } | more  # fmt: skip


# In Berlin the clocks went back on 29 October 2023, and forward on 31 March 2024.
ACTIVITIES = [
    activity("2023-10-28 22:10:00.1234567", "Marsh Lights", 5_900),
    activity("2023-10-29 02:30:00.0000000", "Harbour - s01e02 - Ebb", 2_650, kind="Episode"),
    activity("2023-10-29 21:00:05.5000000", "Harbour - s01e03 - Flow - part one", 2_640,
             kind="Episode", client="Infuse"),
    activity("2024-03-31 02:30:00.0000000", "The Slow Ferry", 5_400, user=TOM),
    activity("2024-04-01 19:00:00.0000000", "Lantern", 0, user=TOM, kind="Audio"),
    activity("2024-04-01 19:00:30.0000000", "Lantern", 200, user=TOM, kind="Audio"),
    activity("2024-04-01 19:00:30.0000000", "Lantern", 150, user=TOM, kind="Audio"),
    activity("2024-04-02 19:00:30.0000000", "Not Known", 300, user=TOM),
    activity("2024-04-02 20:00:30.0000000", "Marsh Lights (trailer)", 90, user=TOM, kind="Trailer"),
]  # fmt: skip


def jellyfin(activities=ACTIVITIES, *, user_version=0, table=PLAYBACK_ACTIVITY, **options):
    """Return a playback_reporting.db."""
    rows = [("PlaybackActivity", row) for row in activities]
    return database(table, USER_LIST, rows=rows, user_version=user_version, **options)


def backup(activities=ACTIVITIES, newline="\n"):
    """Return the backup of the plugin: no header, tabs."""
    lines = ["\t".join(f"{cell}" for cell in row.values()) + newline for row in activities]
    return "".join(lines).encode()
