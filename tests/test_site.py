"""The site is built twice from what is committed, and read as a reader's browser would."""

import base64
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib.image
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

import toolkit
from docs import build, pages
from toolkit import tables
from toolkit.references import read_reference

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHROMIUM = shutil.which("chromium")

# What a browser fetches by itself, without a click.
LOADED = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "embed": "src",
    "object": "data",
    "source": "src",
    "video": "src",
    "audio": "src",
    "track": "src",
    "input": "src",
    "use": "href",
}
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""")
# Everything that one build is given differently from the other and that no page may show.
OTHERWISE = [
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LANG": "C.UTF-8"},
    {"PYTHONHASHSEED": "2", "TZ": "America/New_York", "LANG": "C", "SOURCE_DATE_EPOCH": "86400"},
]


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) / "site" for name in ("one", "other")]
    command = [sys.executable, "-W", "error::SyntaxWarning", "-m", "docs.build"]
    runs = [
        subprocess.Popen(
            [*command, str(folder)],
            cwd=ROOT,
            env={**os.environ, **changed},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder, changed in zip(folders, OTHERWISE, strict=True)
    ]
    for run in runs:
        said, _ = run.communicate(timeout=300)
        assert (run.returncode, said) == (0, "")
    return folders


@pytest.fixture(scope="module")
def site(sites):
    return sites[0]


@functools.cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def anchors(path):
    named = soup(path).find_all(lambda tag: tag.get("id") or tag.get("name"))
    return {tag.get("id") or tag.get("name") for tag in named}


def html_of(site):
    return sorted(site.rglob("*.html"))


def is_outside(address):
    return bool(urlsplit(address).netloc)


def loads_from_outside(page):
    for tag in page.find_all(True):
        for address in (tag.get(LOADED.get(tag.name, "")), tag.get("poster")):
            if address and is_outside(address):
                yield address
        for candidate in (tag.get("srcset") or "").split(","):
            if is_outside(candidate.strip()):
                yield candidate.strip()
        yield from FETCHED_BY_STYLE.findall(tag.get("style") or "")
    for style in page.find_all("style"):
        yield from FETCHED_BY_STYLE.findall(style.text)


def dead_links(path):
    for tag in soup(path).find_all(lambda tag: tag.get("href") or tag.get("src")):
        address = urlsplit(tag.get("href") or tag.get("src"))
        if address.scheme or address.netloc:
            continue
        target = path.parent / unquote(address.path) if address.path else path
        if not target.is_file() or (
            address.fragment and unquote(address.fragment) not in anchors(target.resolve())
        ):
            yield tag.get("href") or tag.get("src")


def stored_pictures(path):
    """The bytes of each picture that a notebook has stored."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield base64.b64decode(output.data["image/png"])


def wrong_cards(gallery, site):
    """Say what a gallery doesn't show of the series, or leads to where it isn't."""
    cards = iter(gallery.select(".gallery figure"))
    for notebook in NOTEBOOKS:
        for number, stored in enumerate(stored_pictures(notebook), start=1):
            name = f"{notebook.stem}-{number}"
            card = next(cards, None)
            if card is None:
                yield f"{name} is missing"
                continue
            page, _, cell = card.find("a")["href"].partition("#")
            target = soup(site / page).find(id=cell)
            shown = [] if target is None else target.select(".cell_output img")
            if stored not in [((site / page).parent / img["src"]).read_bytes() for img in shown]:
                yield f"{name} leads to {page}#{cell}, which doesn't show it"
            if not same_pixels((site / card.find("img")["src"]).read_bytes(), stored):
                yield f"{name} has another picture"
            data = [site / link["href"] for link in card.select("figcaption a.download")]
            committed = ROOT / "notebooks" / "figures" / f"{name}.json"
            table, _ = read_reference(committed.read_text(encoding="utf-8"))
            if [path.read_text(encoding="utf-8") for path in data] != [table.to_csv(index=False)]:
                yield f"{name} has other data"
            if not card.find("img").get("alt") or not card.find("strong").text:
                yield f"{name} has no words"
    if next(cards, None) is not None:
        yield "there is a picture too many"


def same_pixels(one, other):
    one, other = (matplotlib.image.imread(io.BytesIO(png)) for png in (one, other))
    return np.array_equal(one, other)


def tables_of(page):
    """Column to type and meaning, for each table of the dictionary."""
    found = {}
    for name in page.select("h3"):
        rows = name.find_next("tbody").find_all("tr")
        cells = [[cell.text for cell in row.find_all("td")] for row in rows]
        found[name.contents[0].text] = {column: (kind, text) for column, kind, text in cells}
    return found


def traces(data):
    """What in a file tells on which machine, and in which folder, it was made."""
    places = [str(ROOT), sys.prefix, tempfile.gettempdir() + os.sep]
    yield from (place for place in places if place.encode() in data)


class TestPages:
    def test_two_builds_are_the_same_bytes(self, sites):
        one, other = (
            {
                path.relative_to(site): path.read_bytes()
                for path in site.rglob("*")
                if path.is_file()
            }
            for site in sites
        )
        assert sorted(one) == sorted(other)
        assert [name for name in one if one[name] != other[name]] == []

    def test_nothing_tells_where_it_was_made(self, site):
        files = [path for path in site.rglob("*") if path.is_file()]
        assert {
            path.name: found for path in files if (found := list(traces(path.read_bytes())))
        } == {}

    def test_a_place_is_seen(self):
        assert list(traces(f"see {ROOT}/toolkit".encode())) != []
        assert list(traces(b"see toolkit")) == []

    def test_no_page_loads_anything_from_outside(self, site):
        found = {path.name: list(loads_from_outside(soup(path))) for path in html_of(site)}
        assert {name: addresses for name, addresses in found.items() if addresses} == {}

    def test_no_style_loads_anything_from_outside(self, site):
        styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
        assert styles != []
        assert [found for text in styles for found in FETCHED_BY_STYLE.findall(text)] == []

    @pytest.mark.parametrize(
        "html",
        [
            '<script src="https://example.org/a.js"></script>',
            '<script src="//example.org/a.js"></script>',
            '<link rel="stylesheet" href="http://example.org/a.css">',
            '<img src="https://example.org/a.png">',
            '<img srcset="a.png 1x, https://example.org/a.png 2x">',
            '<iframe src="https://example.org/"></iframe>',
            '<video poster="https://example.org/a.png"></video>',
            "<style>@import 'https://example.org/a.css'</style>",
            "<style>a { src: url(//example.org/a.woff2) }</style>",
            '<p style="background: url(https://example.org/a.png)"></p>',
        ],
    )
    def test_a_load_from_outside_is_seen(self, html):
        assert len(list(loads_from_outside(BeautifulSoup(html, "html.parser")))) == 1

    @pytest.mark.parametrize(
        "html",
        [
            '<a href="https://example.org/">a link to follow</a>',
            '<img src="a.png"><script src="../a.js?v=1"></script>',
            "<style>a { background: url(data:image/png;base64,AA//) }</style>",
        ],
    )
    def test_what_stays_within_the_page_is_left_alone(self, html):
        assert list(loads_from_outside(BeautifulSoup(html, "html.parser"))) == []

    def test_no_link_is_dead(self, site):
        found = {path.name: list(dead_links(path.resolve())) for path in html_of(site)}
        assert {name: links for name, links in found.items() if links} == {}

    def test_a_dead_link_is_seen(self, tmp_path):
        (tmp_path / "here.html").write_text(
            '<p id="a"></p><a href="#a"></a><a href="#b"></a><a href="there.html#c"></a>'
            '<a href="there.html#d"></a><a href="nowhere.html"></a><img src="no.png">'
            '<a href="https://example.org/"></a>'
        )
        (tmp_path / "there.html").write_text('<p id="c"></p>')
        found = list(dead_links(tmp_path / "here.html"))
        assert found == ["#b", "there.html#d", "nowhere.html", "no.png"]

    @pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
    def test_the_search_finds_what_it_is_asked_for_without_a_service(self, site):
        with browser() as new_page:
            page = new_page()
            page.goto(f"{(site / 'search').as_uri()}.html?q=find_streaks")
            page.wait_for_selector("#search-results li a", timeout=20_000)
            found = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
        assert any("api/find_streaks.html" in address for address in found)

    @pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
    def test_a_browser_asks_nobody_for_anything_and_no_page_is_wider_than_a_phone(
        self, site, tmp_path
    ):
        outside = tmp_path / "outside.html"
        outside.write_text('<img src="https://example.invalid/a.png"><pre>' + "wide" * 200)
        names = ["index", "gallery", "api", "api/find_streaks", "dictionary", "search"]
        names += [f"notebooks/{path.stem}" for path in NOTEBOOKS]
        with browser() as new_page:
            asked, _, overflow = visit(new_page, outside.as_uri())
            assert [address for address in asked if is_web(address)] != []
            assert overflow > 0
            for name in names:
                asked, errors, overflow = visit(new_page, f"{(site / name).as_uri()}.html?q=streak")
                assert [address for address in asked if is_web(address)] == [], name
                assert (errors, overflow) == ([], 0), name


class TestSeries:
    def test_every_notebook_has_a_page_that_the_start_page_leads_to(self, site):
        links = {
            link["href"] for link in soup(site / "index.html").select("nav a, .sidebar-tree a")
        }
        assert {f"notebooks/{path.stem}.html" for path in NOTEBOOKS} <= links

    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
    def test_every_cell_has_its_anchor_and_every_output_is_shown(self, site, path):
        page = soup(site / "notebooks" / f"{path.stem}.html")
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            shown = page.find("div", id=cell.id)
            assert shown.select_one(".cell_input").text.strip() == cell.source.strip()
            kinds = [output.output_type for output in cell.outputs]
            assert len(shown.select(".cell_output > *")) == len(kinds), cell.id
            for output in cell.outputs:
                if output.output_type == "stream":
                    assert output.text.strip() in shown.text


class TestGallery:
    def test_every_picture_stands_there_with_its_cell_and_its_data(self, site):
        assert list(wrong_cards(soup(site / "gallery.html"), site)) == []

    def test_a_link_to_another_cell_is_seen(self, site):
        html = (site / "gallery.html").read_text(encoding="utf-8")
        first, second = re.findall(r'href="(notebooks/[^"]+#[^"]+)"', html)[:2]
        broken = BeautifulSoup(html.replace(first, second), "html.parser")
        assert [problem.split()[1] for problem in wrong_cards(broken, site)] == ["leads"]

    def test_a_picture_that_is_missing_is_seen(self, site):
        gallery = BeautifulSoup((site / "gallery.html").read_text(encoding="utf-8"), "html.parser")
        gallery.select(".gallery figure")[-1].decompose()
        assert [problem.split()[-1] for problem in wrong_cards(gallery, site)] == ["missing"]

    def test_pictures_are_counted_with_their_section_and_what_their_caption_says_first(self):
        png = nbformat.v4.new_output("display_data", {"image/png": "AA==", "text/plain": "a"})
        words = nbformat.v4.new_output("stream", text="no picture")
        markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
        notebook = nbformat.v4.new_notebook(
            cells=[
                markdown("# 99 · Try\n\n## One\n\nText.", id="a"),
                code("draw()", id="b", outputs=[words, png, png]),
                markdown("*Figure 1.* As in [04](04.ipynb), n = 5.5. More.", id="c"),
                code("print()", id="d", outputs=[words]),
                markdown("### Two", id="e"),
                code("draw()", id="f", outputs=[png]),
            ]
        )
        assert pages.pictures(notebook) == [
            (1, "b", "One", "As in 04, n = 5.5."),
            (2, "b", "One", "As in 04, n = 5.5."),
            (3, "f", "Two", ""),
        ]

    def test_a_notebook_that_is_added_needs_no_other_change(self, tmp_path):
        for name in ("notebooks", "data", "benchmarks"):
            (tmp_path / "root" / name).mkdir(parents=True)
        for name in ["README.md", *build.PROSE]:
            shutil.copy(ROOT / name, tmp_path / "root" / name)
        folder = tmp_path / "root" / "notebooks"
        shutil.copy(NOTEBOOKS[0], folder)
        shutil.copy(
            next(path for path in NOTEBOOKS if path.stem[:2] == "06"), folder / "99_try.ipynb"
        )
        (folder / "figures").mkdir()
        build.lay_out(tmp_path / "root", tmp_path / "source")
        gallery = (tmp_path / "source" / "gallery.md").read_text(encoding="utf-8")
        assert "(notebooks/99_try.ipynb)" in gallery
        assert "notebooks/figures/99_try-1.csv" in gallery
        assert (tmp_path / "source" / "notebooks" / "99_try.ipynb").is_file()


class TestReference:
    @pytest.mark.parametrize("name", toolkit.__all__)
    def test_every_public_name_has_a_page_that_says_what_it_is(self, site, name):
        listed = soup(site / "api.html").find("a", href=f"api/{name}.html#toolkit.{name}")
        page = soup(site / "api" / f"{name}.html")
        about = page.find(id=f"toolkit.{name}").parent
        assert listed.text == name
        assert re.sub(r"\W+", " ", pages.summary(name)) in re.sub(r"\W+", " ", about.text)

    def test_whatever_a_docstring_says_to_see_is_a_link(self, site):
        entries = [
            entry
            for path in sorted((site / "api").glob("*.html"))
            for entry in soup(path).select(".seealso dt")
        ]
        assert len(entries) > len(toolkit.__all__)
        assert [entry.text for entry in entries if not entry.find("a")] == []

    def test_a_constant_is_said_to_be_what_its_comment_says(self):
        text = pages.page_of("DEMONSTRATION_KEY")
        assert ":type: bytes" in text
        assert "   The public key of the data" in text

    def test_the_modules_are_those_in_which_the_names_are_defined(self):
        rooms = {name: pages.room_of(name) for name in ("find_streaks", "load_table", "setup")}
        assert rooms == {"find_streaks": "streaks", "load_table": "loaders", "setup": "figures"}
        assert pages.module_of("DEMONSTRATION_KEY") == "toolkit.privacy.keys"


class TestDictionary:
    SCHEMAS = {
        "plays": tables.PLAYS,
        "viewings": tables._VIEWINGS,
        "viewer_days": tables._VIEWER_DAYS,
        "streaks": tables._STREAKS,
        "viewers": tables._VIEWERS,
    }

    def test_every_table_that_is_checked_stands_there(self, site):
        checked = {name[3:] for name in tables.__all__ if name.startswith("as_")}
        known = checked - {"day", "days", "instants", "whole_number"}
        assert set(tables_of(soup(site / "dictionary.html"))) == set(self.SCHEMAS) == known

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_every_column_has_its_type_and_a_meaning(self, site, name):
        written = tables_of(soup(site / "dictionary.html"))[name]
        for column, dtype in self.SCHEMAS[name].items():
            kind, meaning = written[column]
            assert kind.startswith(pages.TYPES.get(dtype, dtype))
            assert meaning != ""
        assert [column for column, cells in written.items() if "" in cells] == []

    def test_what_a_function_makes_has_every_column_that_it_makes(self, site):
        written = tables_of(soup(site / "dictionary.html"))
        plays = toolkit.load_sample()
        viewer_days = toolkit.to_viewer_days(plays, tz="UTC", by="title")
        streaks = toolkit.find_streaks(viewer_days, as_of="2017-12-10")
        assert set(plays) <= set(written["plays"])
        assert set(toolkit.to_viewings(plays)) <= set(written["viewings"])
        assert set(viewer_days) <= set(written["viewer_days"])
        assert set(streaks) <= set(written["streaks"])

    def test_what_must_be_there_is_bold(self, site):
        heading = soup(site / "dictionary.html").find(id="streaks")
        bold = [tag.text for tag in heading.find_next("tbody").select("strong")]
        assert bold == ["viewer", "first_day", "last_day", "n_days", "is_open"]

    def test_every_choice_stands_there(self, site):
        written = tables_of(soup(site / "dictionary.html"))["plays"]
        for column, options in tables._CHOICES.items():
            assert written[column][1].endswith(": " + ", ".join(options))

    def test_units_follow_from_names(self):
        columns = ["watched_seconds", "n_days", "n_plays", "day", "seconds"]
        assert [pages.unit(name) for name in columns] == [", seconds", ", days", ", count", "", ""]

    def test_no_meaning_is_written_for_a_column_that_no_table_has(self):
        made = set().union(
            *(pages.returned(maker)[1] for _, _, maker in pages.TABLES.values() if maker)
        )
        assert set(pages.TEXTS["columns"]) <= made.union(*self.SCHEMAS.values())

    def test_a_docstring_is_read_column_by_column(self):
        def maker():
            """Make.

            Returns
            -------
            pandas.DataFrame
                One row per thing,
                in order:

                * ``viewer`` and, if there, ``series``
                * ``started_at``, ``ended_at`` : datetime64[us, UTC], of its first and
                  last play
                * ``n`` : int

            Raises
            ------
            ValueError
                Never.
            """

        assert pages.returned(maker) == (
            "One row per thing, in order.",
            {
                "viewer": ("", ""),
                "series": ("", ""),
                "started_at": ("datetime64[us, UTC]", "of its first and last play"),
                "ended_at": ("datetime64[us, UTC]", "of its first and last play"),
                "n": ("int", ""),
            },
        )

    def test_an_overview_without_the_words_is_refused(self):
        with pytest.raises(ValueError, match="must have a section 'The words'"):
            pages.words(nbformat.v4.new_notebook())


def is_web(address):
    return urlsplit(address).scheme in ("http", "https", "ws", "wss")


class browser:
    """A browser as wide as a phone; entering it gives what opens a page."""

    def __enter__(self):
        from playwright.sync_api import sync_playwright

        self.playwright = sync_playwright().start()
        self.chromium = self.playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        context = self.chromium.new_context(viewport={"width": 390, "height": 844})
        return context.new_page

    def __exit__(self, *_):
        self.chromium.close()
        self.playwright.stop()


def visit(new_page, address):
    """What a page asks for, which errors it meets, and how far it is wider than its window."""
    page, asked, errors = new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address, wait_until="load")
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.close()
    return asked, errors, overflow
