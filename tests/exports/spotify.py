"""Invented Spotify exports: the account data and the extended history of one person.

In March 2024 they heard a song twice, skipped through three others within one second (0 ms each),
listened to a podcast and a chapter of a book, and watched a music video.  In April they were on
a plane: two songs bear the time of their upload three days later.  The account data, asked for
earlier, hold some of the same plays to the minute, and one of February that the extended files
do not.
"""

import json

KEYS = (
    "ts", "platform", "ms_played", "conn_country", "ip_addr", "master_metadata_track_name",
    "master_metadata_album_artist_name", "master_metadata_album_album_name", "spotify_track_uri",
    "episode_name", "episode_show_name", "spotify_episode_uri", "audiobook_title", "audiobook_uri",
    "audiobook_chapter_uri", "audiobook_chapter_title", "reason_start", "reason_end", "shuffle",
    "skipped", "offline", "offline_timestamp", "incognito_mode",
)  # fmt: skip
PHONE = "Android OS 9 API 28 (Acme, Phone X)"


def as_json(rows):
    """Rows in Spotify's own layout: two spaces, and a space on both sides of each colon."""
    text = json.dumps(rows, indent=2, ensure_ascii=False, separators=(",", " : "))
    return text.replace("[\n  {", "[ {", 1).replace("\n  },\n  {", "\n  }, {").encode()


def play(ts, ms, **known):
    """A row of the extended history with all 23 keys."""
    given = {
        "ts": ts, "ms_played": ms, "platform": PHONE, "conn_country": "DE", "ip_addr": "192.0.2.7",
        "reason_start": "trackdone", "reason_end": "trackdone", "shuffle": False, "skipped": False,
        "offline": False, "offline_timestamp": 0, "incognito_mode": False,
    } | known  # fmt: skip
    return {key: given.get(key) for key in KEYS}


def track(ts, ms, name, artist="The Lanterns", **known):
    return play(
        ts, ms, master_metadata_track_name=name, master_metadata_album_artist_name=artist,
        master_metadata_album_album_name="Harbour",
        spotify_track_uri=f"spotify:track:{abs(hash_of(artist + name)):022d}", **known,
    )  # fmt: skip


def hash_of(text):
    return sum(ord(letter) * 31**n for n, letter in enumerate(text)) % 10**20


def episode(ts, ms, name, show, **known):
    return play(
        ts, ms, episode_name=name, episode_show_name=show,
        spotify_episode_uri=f"spotify:episode:{hash_of(show + name):022d}", **known,
    )  # fmt: skip


def chapter(ts, ms, name, book, **known):
    return play(
        ts, ms, audiobook_title=book, audiobook_chapter_title=name,
        audiobook_uri="spotify:show:0000000000000000000001",
        audiobook_chapter_uri=f"spotify:episode:{hash_of(book + str(name)):022d}", **known,
    )  # fmt: skip


def heard(end, ms, name, artist="The Lanterns"):
    return {"endTime": end, "artistName": artist, "trackName": name, "msPlayed": ms}


def podcast_heard(end, ms, name, show):
    return {"endTime": end, "podcastName": show, "episodeName": name, "msPlayed": ms}


MARCH = [
    track("2024-03-05T20:03:20Z", 200_000, "Winter Tram"),
    track("2024-03-05T20:06:40Z", 200_000, "Winter Tram"),
    track("2024-03-05T20:06:41Z", 0, "Salt", reason_start="clickrow", skipped=True),
    track("2024-03-05T20:06:41Z", 0, "Sand", reason_start="clickrow", skipped=True),
    track("2024-03-05T20:06:41Z", 0, "Sky", reason_start="clickrow", skipped=True),
    episode("2024-03-06T00:10:00Z", 1_800_000, "12 - Tides", "Sea Talk"),
    chapter("2024-03-06T21:00:00Z", 600_000, "Chapter 1", "A Ferry at Night"),
]
APRIL = [
    track("2024-04-10T09:00:00Z", 180_000, "Étude", offline=True, offline_timestamp=1_712_480_400),
    track("2024-04-10T09:00:00Z", 240_000, "Sky", offline=True, offline_timestamp=1_712_480_700_000),
    track("2024-04-10T10:00:00Z", 180_000, "Salt", offline=True, offline_timestamp=1_712_742_900),
    # Also the last row of the file before.
    chapter("2024-03-06T21:00:00Z", 600_000, "Chapter 1", "A Ferry at Night"),
]  # fmt: skip


def extended_export(folder="Spotify Extended Streaming History/"):
    return {
        f"{folder}ReadMeFirst_ExtendedStreamingHistory.pdf": b"%PDF-1.4\n",
        f"{folder}Streaming_History_Audio_2024_0.json": as_json(MARCH),
        f"{folder}Streaming_History_Audio_2024_1.json": as_json(APRIL),
        f"{folder}Streaming_History_Video_2024.json": as_json(
            [track("2024-03-07T19:00:00Z", 210_000, "Winter Tram", platform="ios")]
        ),
    }


def basic_export(folder="Spotify Account Data/"):
    return {
        f"{folder}Playlist1.json": b'{\n  "playlists" : [ ]\n}',
        f"{folder}StreamingHistory_music_0.json": as_json(
            [
                heard("2024-02-29 23:59", 120_000, "Sand"),
                heard("2024-03-05 20:03", 200_000, "Winter Tram"),
                heard("2024-03-05 20:06", 200_000, "Winter Tram"),
                heard("2024-03-05 20:06", 0, "Salt"),
            ]
        ),
        f"{folder}StreamingHistory_podcast_0.json": as_json(
            [podcast_heard("2024-03-06 00:10", 1_800_000, "12 - Tides", "Sea Talk")]
        ),
        f"{folder}Userdata.json": b'{\n  "username" : "someone"\n}',
    }


def old_basic_export(folder="MyData/"):
    """The account data before 2024: tracks and podcasts in one numbered file."""
    return {
        f"{folder}StreamingHistory0.json": as_json(
            [
                heard("2019-11-02 00:04", 310_000, "Sand"),
                heard("2019-11-02 08:30", 1_500_000, "3 - Nets", "Sea Talk"),
            ]
        )
    }


def endsong_export(folder="MyData/"):
    """The extended history before 2023: other personal keys, no books, `skipped` null."""
    row = track("2019-11-02T00:04:10Z", 310_000, "Sand", skipped=None, offline_timestamp=None)
    row = {key: value for key, value in row.items() if "audiobook" not in key and key != "ip_addr"}
    row |= {"username": "someone", "ip_addr_decrypted": "192.0.2.7", "user_agent_decrypted": "X/1"}
    return {f"{folder}endsong_0.json": as_json([row])}
