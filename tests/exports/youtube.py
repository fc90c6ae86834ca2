"""Invented takeouts of YouTube, in JSON and HTML, in five languages.

Mika has a favourite, "Harbour at dawn", and clicks it on three mornings; its makers rename it in
between.  An advert for soap starts before it twice.  Of two other videos one is gone for good
and one is private, so that only its address is left.  Mika also hears a song, sees a short,
rewatches a lecture after a summer without history, visits a channel and searches for gifts.
"""

import datetime as dt
import json
from html import escape
from typing import NamedTuple

DOUBLE_SPACE = "Tea  & biscuits"


class Event(NamedTuple):
    at: str
    what: str = "watched"
    name: str | None = None
    video: str | None = None
    channel: str | None = None
    form: str = "https://www.youtube.com/watch?v={}"
    header: str = "YouTube"
    is_advert: bool = False


EVENTS = [
    Event("2023-09-20T06:30:00.250", name="Harbour at dawn (remastered)", video="hArb0ur_-01", channel="Slow Quays"),
    Event("2023-09-20T06:29:30.001", name="Soap that floats", video="s0apS0apS0a", is_advert=True),
    Event("2023-09-19T21:10:05.400", name="Night train", video="tra1nTra1nT", channel="The Sleepers - Topic",
          header="YouTube Music", form="https://music.youtube.com/watch?v={}"),
    Event("2023-09-19T06:31:10.000", name="Harbour at dawn", video="hArb0ur_-01", channel="Slow Quays"),
    Event("2023-09-19T06:30:45.120", name="Soap that floats", video="s0apS0apS0a", is_advert=True),
    Event("2023-09-18T23:59:59.999", name=DOUBLE_SPACE, video="teaTeaTea11", channel="Fern & Sons",
          form="https://www.youtube.com/shorts/{}"),
    Event("2023-09-18T18:00:00.300", what="searched", name="gifts for my aunt"),
    Event("2023-09-18T17:59:00.300", what="visited", name="Slow Quays"),
    Event("2023-09-18T12:00:12.000", what="removed"),
    Event("2023-09-17T12:00:00.000", name="", video="pr1vatePr1v"),
    Event("2023-09-16T08:00:00.500", name="Knots, a lecture", video="kn0tsKn0tsK", channel="École du nœud"),
    Event("2023-05-11T05:10:34.900", name="Knots, a lecture", video="kn0tsKn0tsK", channel="École du nœud"),
    Event("2023-01-02T15:04:05.678", name="Harbour at dawn", video="hArb0ur_-01", channel="Slow Quays"),
]  # fmt: skip


class Language(NamedTuple):
    path: str
    watched: str
    removed: str
    visited: str
    searched: str
    advert: str
    products: str
    details: str
    why: str
    date: str
    months: str = ""


LANGUAGES = {
    "en": Language(
        "Takeout/YouTube and YouTube Music/history/watch-history", "Watched {}",
        "Watched a video that has been removed", "Visited {}", "Searched for {}", "From Google Ads",
        "Products:", "Details:", "Why is this here?", "{month} {t.day}, {t.year}, {h}:{t:%M:%S}\u202f{half} {zone}",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    ),
    "de": Language(
        "Takeout/YouTube und YouTube Music/Verlauf/Wiedergabeverlauf", "{} angesehen",
        "Ein Video angesehen, das entfernt wurde", "{} aufgerufen", "Nach {} gesucht", "Von Google Anzeigen",
        "Produkte:", "Details:", "Warum steht das hier?", "{t:%d.%m.%Y}, {t:%H:%M:%S} {zone}",
    ),
    "nl": Language(
        "Takeout/YouTube en YouTube Music/geschiedenis/kijkgeschiedenis", "Je hebt naar {} gekeken",
        "Je hebt naar een verwijderde video gekeken", "{} bezocht", "Gezocht naar {}", "Via Google Ads",
        "Producten:", "Details:", "Waarom staat dit hier?", "{t.day} {month} {t.year}, {t:%H:%M:%S} {zone}",
        "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
    ),
    "fr": Language(
        "Takeout/YouTube et YouTube Music/historique/watch-history", "Vous avez regardé {}",
        "Vous avez regardé une vidéo qui a été supprimée", "Vous avez consulté {}", "Vous avez recherché {}",
        "Des annonces Google", "Produits\u00a0:", "Détails\u00a0:", "Pourquoi cette activité\u00a0?",
        "{t.day} {month} {t.year}, {t:%H:%M:%S} {zone}",
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    ),
    "es": Language(
        "Takeout/YouTube y YouTube Music/historial/historial-de-reproducciones", "Has visto {}",
        "Has visto un vídeo que se ha eliminado", "Has visitado {}", "Has buscado {}", "De los anuncios de Google",
        "Productos:", "Detalles:", "¿Por qué está esto aquí?", "{t.day} {month} {t.year}, {h}:{t:%M:%S}\u00a0{half_es} {zone}",
        "ene feb mar abr may jun jul ago sept oct nov dic",
    ),
}  # fmt: skip


def as_json(events=EVENTS, language="en", keys=None) -> bytes:
    """Return a watch history as Takeout writes it, or only some keys of it as donors give it."""
    rows = [_row(event, LANGUAGES[language]) for event in events]
    if keys:
        rows = [{key: row[key] for key in keys if key in row} for row in rows]
    text = json.dumps(rows, ensure_ascii=False, indent=2)
    return text.replace("=", "\\u003d").replace("&", "\\u0026").encode()


def as_html(events=EVENTS, language="en", zone="UTC", hours=0.0) -> bytes:
    """Return the same history as a page: long styles, then all rows in one line."""
    cells = "".join(_cell(event, LANGUAGES[language], zone, hours) for event in events)
    styles = ".mdl-grid{display:flex}.content-cell{padding:8px}" * 2000
    return (
        "<html><head><title>My Activity History</title><style type=\"text/css\">/**\n"
        f" * material-design-lite\n */{styles}</style></head>\n"
        f"<body><div class=\"mdl-grid\">{cells}</div></body></html>"
    ).encode()  # fmt: skip


def as_oldest(events=EVENTS, playlist="HLinvented") -> bytes:
    """Return the form of 2017 and before: a playlist, with the owner's name on every row."""
    rows = [
        {
            "contentDetails": {"videoId": event.video},
            "kind": "youtube#playlistItem",
            "snippet": {
                "channelId": "UCowner", "channelTitle": "Mika Owner", "playlistId": playlist,
                "publishedAt": event.at + "Z", "resourceId": {"kind": "youtube#video", "videoId": event.video},
                "title": event.name,
            },
        }
        for event in events
    ]  # fmt: skip
    return json.dumps(rows, indent=2).encode()


def takeout(language="en", form="json") -> dict[str, bytes]:
    """Return a takeout with the history and the same rows again under My Activity."""
    stem = LANGUAGES[language].path
    if form == "json":
        data = as_json(language=language)
        return {f"{stem}.json": data, "Takeout/My Activity/YouTube/MyActivity.json": data}
    return {f"{stem}.html": as_html(language=language)}


def _said(event: Event, words: Language, name: str) -> str:
    return words.removed if event.what == "removed" else getattr(words, event.what).format(name)


def _address(event: Event) -> str | None:
    if event.what == "searched":
        return "https://www.youtube.com/results?search_query=" + event.name.replace(" ", "+")
    if event.what == "visited":
        return "https://www.youtube.com/channel/UC" + event.name.replace(" ", "")
    return event.form.format(event.video) if event.video else None


def _row(event: Event, words: Language) -> dict:
    url = _address(event)
    row = {"header": event.header, "title": _said(event, words, event.name or url)}
    if url:
        row["titleUrl"] = url
    if event.channel:
        row["subtitles"] = [{"name": event.channel, "url": "https://www.youtube.com/channel/UCx"}]
    at = event.at.removesuffix(".000")
    row |= {"time": at + "Z", "products": ["YouTube"]}
    if event.is_advert:
        row["details"] = [{"name": words.advert}]
    return row | {"activityControls": ["YouTube watch history"]}


def _cell(event: Event, words: Language, zone: str, hours: float) -> str:
    t = dt.datetime.fromisoformat(event.at) + dt.timedelta(hours=hours)
    date = words.date.format(
        t=t, zone=zone, month=(words.months.split() or [""] * 12)[t.month - 1],
        h=t.hour % 12 or 12, half="AM" if t.hour < 12 else "PM",
        half_es="a.\u00a0m." if t.hour < 12 else "p.\u00a0m.",
    )  # fmt: skip
    url = _address(event)
    link = f'<a href="{escape(url or "")}">{_amp(event.name or url or "")}</a>'
    # A no-break space stands between the verb and the name.
    title = _said(event, words, "\0").replace(" \0", "\u00a0\0").replace("\0", link)
    channel = f'<a href="https://www.youtube.com/channel/UCx">{_amp(event.channel or "")}</a><br>'
    details = f"<b>{words.details}</b><br>&emsp;{words.advert}<br>" if event.is_advert else ""
    return (
        '<div class="outer-cell mdl-cell mdl-cell--12-col mdl-shadow--2dp"><div class="mdl-grid">'
        '<div class="header-cell mdl-cell mdl-cell--12-col">'
        f'<p class="mdl-typography--title">{event.header}<br></p></div>'
        '<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1">'
        f"{title}<br>{channel if event.channel else ''}{date}<br></div>"
        '<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1 '
        'mdl-typography--text-right"></div>'
        '<div class="content-cell mdl-cell mdl-cell--12-col mdl-typography--caption">'
        f"<b>{words.products}</b><br>&emsp;YouTube<br>{details}<b>{words.why}</b><br>&emsp;"
        'YouTube&nbsp;<a href="https://myaccount.google.com/activitycontrols">here</a>.</div>'
        "</div></div>"
    )


def _amp(text: str) -> str:
    return text.replace("&", "&amp;")
