"""The words in which YouTube says, in each language, that a video was watched."""

import re
from collections.abc import Sequence

from toolkit.titles import normalise_title

__all__ = ["GONE", "VIDEO", "is_link", "names_of"]

# How each language says that a video (*) was watched, and, in some, that it is gone since.
_FORMS = [
    "Watched *", "* angesehen", "Je hebt naar * gekeken", "Vous avez regardé *", "Has visto *",
    "Hai guardato *", "Ați vizionat *", "Obejrzano: *", "Zhlédli jste video *", "Tittade på *",
    "Så på *", "Så *", "* katsottiin", "Megtekintette a következőt: *", "Просмотрено видео *",
    "Ви дивилися відео *", "Гледахте *", "Παρακολουθήσατε το βίντεο *",
    "* adlı videoyu izlediniz", "* izlənildi", "تمت مشاهدة *", "* را تماشا کردید",
    "را تماشا کردید *", "* دیکھی", "* देखा", "* দেখা হয়েছে", "Pinanood ang *",
    "* を視聴しました", "* 을(를) 시청했습니다.",
]  # fmt: skip
_WATCHED = [
    (prefix, suffix, normalise_title(prefix + suffix))
    for prefix, _, suffix in (normalise_title(form).partition("*") for form in _FORMS)
]
GONE = {
    normalise_title(phrase)
    for phrase in (
        "Watched a video that has been removed", "Ein Video angesehen, das entfernt wurde",
        "Vous avez regardé une vidéo qui a été supprimée",
        "Has visto un vídeo que se ha eliminado", "Has visto un video que se eliminó",
    )
}  # fmt: skip
_ENGLISH_OTHERS = (
    "Liked ", "Disliked ", "Searched for ", "Subscribed to ", "Visited ", "Viewed ", "Answered ",
    "Shared ", "Voted on ", "Saved ", "Used ",
)  # fmt: skip
VIDEO = re.compile(
    r"(?:https?://)?(?:(?:www|m|music)\.)?"
    r"(?:youtube\.com/(?:watch/?\?(?:[^#]{0,500}?&)?v=|(?:shorts|live|embed|v)/)|youtu\.be/)"
    r"([\w-]{11}(?![\w-]))?",
    re.ASCII | re.IGNORECASE,
)
# Names of videos may start like a verb: each language has to explain the first share of the
# rows that could be watches, and all together the second.
_SPOKEN = 0.05
_EXPLAINED = 0.2
_NEARLY_ALL = 0.95
_ENOUGH = 10
_LONGEST = 60


def names_of(titles: list, is_video: list, notes: list[str]) -> list[str | None]:
    """Return what was watched, without the words that say so; None where nothing was."""
    watched = [title for title, video in zip(titles, is_video, strict=True) if title and video] or [
        title for title in titles if title
    ]
    watched = [title for title in watched if not is_link(title)]
    forms = _spoken(watched)
    if forms is None:
        return _names_in_no_known_language(titles, is_video, watched, notes)
    others = _ENGLISH_OTHERS if forms[:1] == _WATCHED[:1] else ()
    names = [
        None if title is None or title.startswith(others) else _stripped(title, forms)
        for title in titles
    ]
    for row, (name, title) in enumerate(zip(names, titles, strict=True)):
        if name is None:
            names[row] = _name_without_verb(title, is_video[row])
    return names


def is_link(text: str) -> bool:
    """Tell an address that stands where a name should."""
    return text[:4].lower() == "http"


def _name_without_verb(title: str | None, is_video: bool) -> str | None:
    if title is None:
        return "" if is_video else None
    is_address = is_link(title) and VIDEO.match(title)
    return title if is_address or title in GONE else None


def _spoken(titles: list[str]) -> list[tuple[str, str, str]] | None:
    """Return the forms of the languages that titles are in, the commonest first."""
    different = set(titles)
    starts, ends = {title[:2] for title in different}, {title[-2:] for title in different}
    found = {}
    for form in _WATCHED:
        prefix, suffix, _ = form
        if (prefix[:2] in starts or not prefix) and (suffix[-2:] in ends or not suffix):
            found[form] = {t for t in different if t.startswith(prefix) and t.endswith(suffix)}
    forms, explained, n_titles = [], set(), len(different)
    for form in sorted(found, key=lambda form: (-len(found[form]), -len(form[2]))):
        more = found[form] - explained
        if more and len(more) >= _SPOKEN * n_titles:
            forms.append(form)
            explained |= more
    if len(explained) < _EXPLAINED * n_titles:
        explained |= {title for title in different if title.startswith(_ENGLISH_OTHERS)}
    return forms if explained and len(explained) >= _EXPLAINED * n_titles else None


def _stripped(title: str, forms: Sequence[tuple[str, str, str]]) -> str | None:
    for prefix, suffix, bare in forms:
        if title.startswith(prefix) and title.endswith(suffix) and len(title) > len(bare):
            return title[len(prefix) : len(title) - len(suffix)]
        if title == bare:
            return ""
    return None


def _names_in_no_known_language(titles, is_video, watched, notes) -> list[str | None]:
    different = sorted(set(watched))
    start = _shared(different)
    end = _shared(sorted(title[::-1] for title in different))[::-1]
    form = (start, end, start + end)
    has_videos = any(is_video)
    if watched:
        told = "that lead to a video" if has_videos else "with the words that nearly all share"
        notes.append(
            f"A file says in no known words what was watched: its rows {told} were taken for "
            f"watches, and {len(start)} letters before and {len(end)} behind each name, which "
            "nearly all rows share, were taken off."
        )
    names = []
    for title, video in zip(titles, is_video, strict=True):
        name = _stripped(title, [form]) if title and (start or end) else None
        if name is None or (has_videos and not video):
            name = title if title and video else _name_without_verb(title, video)
        names.append(name)
    return names


def _shared(titles: list[str]) -> str:
    """Return the words with which nearly all of some sorted titles start."""
    if len(titles) < _ENOUGH:
        return ""
    middle = titles[len(titles) // 2]
    for length in range(min(len(middle), _LONGEST), 0, -1):
        # Not within a word: titles may have its first letters in common.
        if not middle[length - 1].isalnum() and (
            sum(title.startswith(middle[:length]) for title in titles) >= _NEARLY_ALL * len(titles)
        ):
            return middle[:length]
    return ""
