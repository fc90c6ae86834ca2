"""An invented Trakt export in two history files.

Its owner's player scrobbled two episodes and a film; the second episode was scrobbled twice, six
minutes apart, and once more by a player whose clock was two hours off.  They checked in at the
cinema, marked a film by hand at its day of release, one with no known date, and imported six
old films in one second.  The first row of the second file is also the last of the first.
"""

import json

SHOW = {"title": "Ferry Lines", "year": 2019, "ids": {"trakt": 9, "slug": "ferry-lines",
        "imdb": "tt0000009", "tmdb": 8}}  # fmt: skip


def film(number, at, title, year, action="scrobble", **more):
    return {
        "id": number, "watched_at": at, "action": action, "type": "movie",
        "movie": {"title": title, "year": year, "ids": {"trakt": number, "slug": "x",
                  "imdb": f"tt{number:07d}", "tmdb": number}} | more,
    }  # fmt: skip


def episode(number, at, season, of, title, action="scrobble", show=SHOW, **more):
    return {
        "id": number, "watched_at": at, "action": action, "type": "episode",
        "episode": {"season": season, "number": of, "title": title, "ids": {"trakt": number,
                    "tvdb": 2, "imdb": None, "tmdb": 3}} | more,
        "show": show,
    }  # fmt: skip


def as_json(rows):
    return json.dumps(rows, ensure_ascii=False).encode()


SHARED = episode(105, "2024-03-06T21:10:05.000Z", 1, 2, "Slack Water")
FIRST = [
    film(101, "2024-03-09T19:30:00.000Z", "The Glass Harbour", 1997, "checkin"),
    film(102, "2024-03-08T22:04:31.000Z", "Étude in Grey", 2021),
    film(103, "1970-01-01T00:00:00.000Z", "Winter Tram", 2008, "watch"),
    film(104, "2023-11-03T00:00:00.000Z", "Lanterns", 2023, "watch", released="2023-11-03"),
    SHARED,
]
SECOND = [
    SHARED,
    episode(106, "2024-03-06T21:16:05.000Z", 1, 2, "Slack Water"),
    episode(107, "2024-03-06T23:16:07.000Z", 1, 2, "Slack Water"),
    episode(108, "2024-03-05T20:15:30.000Z", 1, 1, "Pilot: Out"),
    *(film(200 + n, "2018-06-01T12:00:00.000Z", f"Old Film {n}", 1950 + n, "watch")
      for n in range(6)),
    film(300, None, "Untitled Ferry Film", None, "watch"),
]  # fmt: skip


def trakt_export(folder=""):
    counts = [{"plays": 2, "last_watched_at": "2024-03-08T22:04:31.000Z",
               "last_updated_at": "2024-03-08T22:04:31.000Z", "movie": FIRST[1]["movie"]}]  # fmt: skip
    shows = [{"plays": 3, "last_watched_at": "2024-03-06T23:16:07.000Z",
              "last_updated_at": "2024-03-06T23:16:07.000Z", "reset_at": None, "show": SHOW,
              "seasons": [{"number": 1, "episodes": [
                  {"number": 2, "plays": 3, "last_watched_at": "2024-03-06T23:16:07.000Z"}]}]}]  # fmt: skip
    rated = [{"rated_at": "2024-03-09T10:00:00.000Z", "rating": 8, "type": "movie",
              "movie": FIRST[1]["movie"]}]  # fmt: skip
    files = {
        "_errors.json": as_json([]),
        "lists-watchlist.json": as_json([{"rank": 1, "id": 1, "listed_at": "2024-01-01T00:00:00.000Z",
                                          "type": "movie", "movie": FIRST[0]["movie"]}]),
        "ratings-movies.json": as_json(rated),
        "user-profile.json": as_json({"username": "someone", "location": "Nowhere"}),
        "watched-history-1.json": as_json(FIRST),
        "watched-history-2.json": as_json(SECOND),
        "watched-movies.json": as_json(counts),
        "watched-shows.json": as_json(shows),
    }  # fmt: skip
    return {folder + name: data for name, data in files.items()}
