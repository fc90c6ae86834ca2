import copy
import gzip
import hashlib
import html
import json
import os
import sys
import time
import unicodedata
from urllib.parse import quote

import nbformat
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from toolkit.privacy import publish as module
from toolkit.privacy.identifiers import normalised
from toolkit.privacy.publish import clean, digest_of, find_identifiers, published
from toolkit.privacy.refusals import IdentifierFound, Refused

from .leaky import (
    ACCOUNT,
    CANARIES,
    CHART,
    CHART_PNG,
    CUSTOMER,
    EMAIL,
    NAMES,
    NAMING,
    RELEASED,
    ROOM,
    TABLE,
    TABLE_PLAIN,
    VIEWER,
    ZOE,
    code,
    found_in,
    in_base64,
    leaky,
    plotly,
    png,
    printed,
    prose,
    result,
    shown,
)

posix = pytest.mark.skipif(os.name != "posix", reason="links, modes and pipes")
NOTE = "Published from the study rewatch-2026; the head of its ledger is `00ff`."
KNOWN = {digest_of(mime, data) for mime, data in RELEASED}
IDENTIFIERS = {"alice.brandt@example.org", "kinderzimmer 2", "zoë brandt", "jonas okafor-lind"}
IDENTIFIERS |= {"827193465501"}
VEGA = "application/vnd.vegalite.v5+json"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda held: st.lists(held, max_size=3) | st.dictionaries(TEXT, held, max_size=3),
    max_leaves=8,
)  # fmt: skip


def is_known(names):
    return [name in IDENTIFIERS for name in names]


def notebook_of(*cells, minor=5, **metadata):
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": [*cells]}


def spotless(source="table", *outputs, **metadata):
    """A code cell as `clean` leaves it."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [*outputs],
        "execution_count": None,
    }


def found(*texts, is_known=is_known):
    return find_identifiers(notebook_of(*map(prose, texts)), is_known)


def saved(folder, notebook, name="analysis.ipynb"):
    path = folder / name
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture
def places(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work", tmp_path / "public"


def publish(path, to, *, known=KNOWN, is_known=is_known, allow=(), note=NOTE):
    return published(path, to=to, known=known, is_known=is_known, allow=allow, note=note)


class TestDigestOf:
    def test_it_is_sha256_of_mime_type_nul_and_text(self):
        expected = hashlib.sha256(b"text/html\0<p>Zo\xc3\xab</p>").hexdigest()
        assert digest_of("text/html", "<p>Zoë</p>") == expected

    def test_json_is_sorted_without_spaces(self):
        text = b'application/vnd.vegalite.v5+json\0{"a":[1,0.5,null,true],"\xc3\xab":{}}'
        data = {"ë": {}, "a": [1, 0.5, None, True]}
        assert digest_of(VEGA, data) == hashlib.sha256(text).hexdigest()

    @given(st.lists(TEXT))
    def test_pieces_are_one_text(self, pieces):
        assert digest_of("text/plain", pieces) == digest_of("text/plain", "".join(pieces))

    def test_a_picture_is_the_same_with_whitespace_around_it_a_drawing_is_not(self):
        assert digest_of("image/png", f" {CHART_PNG}\n") == digest_of("image/png", CHART_PNG)
        assert digest_of("image/svg+xml", "<svg/>\n") != digest_of("image/svg+xml", "<svg/>")

    @pytest.mark.parametrize(
        ("written", "saved"), [(1.0, 1), (-0.0, 0), (2.0**60, 2**60), (1e300, int(1e300))]
    )
    def test_numbers_are_those_that_a_browser_saves(self, written, saved):
        assert digest_of(VEGA, {"x": written}) == digest_of(VEGA, {"x": saved})

    @pytest.mark.parametrize(
        ("one", "other"), [(1, True), (0, False), (1, "1"), (None, "null"), ([], {}), (0.1, 0.11)]
    )
    def test_other_values_have_another_digest(self, one, other):
        assert digest_of(VEGA, one) != digest_of(VEGA, other)

    @given(TEXT, TEXT)
    def test_other_texts_have_another_digest(self, one, other):
        assert (digest_of("text/html", one) == digest_of("text/html", other)) == (one == other)
        assert digest_of("text/html", one) != digest_of("text/plain", one)

    @pytest.mark.parametrize(
        ("mime", "data"),
        [
            ("text/html", {"a": 1}),
            ("text/html", ["a", 1]),
            ("image/png", b"\x89PNG"),
            ("text/plain", "\ud800"),
            (VEGA, float("nan")),
            (VEGA, {"a": float("inf")}),
            (VEGA, {1: "a"}),
            (VEGA, {"a": {1, 2}}),
            ("text/html\0a", "b"),
            (None, "b"),
        ],
    )
    def test_what_no_output_can_be_is_refused(self, mime, data):
        with pytest.raises(ValueError, match=r"`|surrogates|compliant"):
            digest_of(mime, data)


class TestClean:
    def test_the_released_table_and_chart_survive_and_nothing_else(self):
        cleaned, _ = clean(leaky(), KNOWN)
        outputs = {
            n: cell["outputs"] for n, cell in enumerate(cleaned["cells"], 1) if cell.get("outputs")
        }
        table = {"text/html": TABLE, "text/plain": TABLE_PLAIN}
        assert outputs == {
            10: [
                {
                    "output_type": "execute_result",
                    "data": table,
                    "metadata": {},
                    "execution_count": None,
                }
            ],
            11: [
                {
                    "output_type": "display_data",
                    "data": {VEGA: CHART, "image/png": CHART_PNG},
                    "metadata": {},
                }
            ],
        }

    def test_the_report_says_what_was_kept_and_stripped_where(self):
        _, report = clean(leaky(), KNOWN)
        assert list(report) == ["cell", "what", "outcome"]
        assert set(report["outcome"]) == {"kept", "stripped"}
        assert report["cell"].is_monotonic_increasing
        kept = report[report["outcome"] == "kept"]
        assert [*zip(kept["cell"], kept["what"], strict=True)] == [
            (10, "text/html"),
            (10, "text/plain"),
            (11, VEGA),
            (11, "image/png"),
        ]
        stripped = report[report["outcome"] == "stripped"].groupby("cell")["what"].agg(list)
        assert stripped[0] == ["widget state", "metadata"]
        assert stripped[1] == ["metadata", "attachments", *["picture in the text"] * 2, "id"]
        assert stripped[4] == ["metadata", "printed text", "printed text"]
        assert stripped[8] == ["metadata", "traceback"]
        assert stripped[9][:3] == [
            "metadata",
            "application/vnd.jupyter.widget-view+json",
            "output of another kind",
        ]
        assert stripped[10] == ["metadata", "printed text", "metadata of an output"]
        assert stripped[12] == [
            "metadata",
            "text/html",
            "text/plain",
            *["output of another kind"] * 4,
        ]
        assert 14 not in stripped

    def test_the_report_does_not_leak(self):
        _, report = clean(leaky(), KNOWN)
        assert not found_in(report.to_csv().encode())

    def test_the_input_is_not_changed(self):
        notebook = leaky()
        before = copy.deepcopy(notebook)
        cleaned, _ = clean(notebook, KNOWN)
        cleaned["cells"][10]["outputs"][0]["data"][VEGA]["mark"]["type"] = "line"
        assert notebook == before

    def test_a_clean_notebook_stays_and_nothing_is_stripped(self):
        cleaned, _ = clean(leaky(), KNOWN)
        again, report = clean(cleaned, KNOWN)
        assert again == cleaned
        assert set(report["outcome"]) == {"kept"}

    def test_an_empty_notebook_has_an_empty_report(self):
        cleaned, report = clean(notebook_of(), KNOWN)
        assert cleaned == notebook_of()
        assert list(report) == ["cell", "what", "outcome"]
        assert report.empty

    @pytest.mark.parametrize(
        ("mime", "data"),
        [
            ("text/html", f"{TABLE} "),
            ("text/html", TABLE.replace("55", "56")),
            ("text/plain", TABLE),
            ("text/html ", TABLE),
            ("TEXT/HTML", TABLE),
            ("text/html", [TABLE, ["x"]]),
            (VEGA, CHART | {"usermeta": "x"}),
            (VEGA, json.dumps(CHART)),
            ("application/json", CHART),
            ("image/png", in_base64(png() + b"x")),
            ("image/jpeg", CHART_PNG),
        ],
    )
    def test_an_output_that_differs_in_anything_goes(self, mime, data):
        cleaned, report = clean(notebook_of(code("pub", result({mime: data}))), KNOWN)
        assert cleaned["cells"][0]["outputs"] == []
        assert "kept" not in set(report["outcome"])

    @pytest.mark.parametrize("kind", ["stream", "error", "update_display_data", "", None, 1, {}])
    def test_what_is_known_goes_with_an_output_of_another_kind(self, kind):
        output = result({"text/html": TABLE}) | {"output_type": kind}
        assert clean(notebook_of(code("pub", output)), KNOWN)[0]["cells"][0]["outputs"] == []

    @pytest.mark.parametrize("output", [None, 1, "text", [], {}, {"output_type": "display_data"}])
    def test_an_output_that_is_none_goes(self, output):
        assert clean(notebook_of(code("pub", output)), KNOWN)[0]["cells"][0]["outputs"] == []

    @pytest.mark.parametrize("minor", range(6))
    def test_each_version_comes_out_valid(self, minor):
        cleaned, _ = clean(leaky() | {"nbformat_minor": minor}, KNOWN)
        nbformat.validate(nbformat.from_dict(cleaned))
        assert cleaned["nbformat_minor"] == minor
        assert all(("id" in cell) == (minor == 5) for cell in cleaned["cells"])

    def test_ids_stay_only_in_the_forms_that_jupyter_makes(self):
        ids = {
            "0a1b2c3d": True,
            "fae704c4-0a2b-4c1d-8e9f-001122334455": True,
            "FAE704C4": False,
            "alice-br": False,
            "0a1b2c3d-anna": False,
            "fae704c4-0a2b-1c1d-8e9f-001122334455": False,
            "00000001": True,
            "": False,
        }
        cells = [prose("") | {"id": said} for said in ids]
        cells += [prose("") | {"id": "0a1b2c3d"}, prose("") | {"id": 7}, prose("")]
        cleaned, report = clean(notebook_of(*cells), ())
        made = [cell["id"] for cell in cleaned["cells"]]
        assert [made[n] == said for n, said in enumerate(ids)] == [*ids.values()]
        assert len({*made}) == len(made)
        fresh = [said for said in made if said not in ids]
        assert fresh == [f"{n:08x}" for n in range(2, 2 + len(fresh))]
        assert [*report.loc[report["what"] == "id", "cell"]] == [3, 4, 5, 6, 8, 9, 10]

    def test_of_the_metadata_tags_and_names_of_kernel_and_language_stay(self):
        tags = ["a", "a", "b,c", 1, None, {"x": ROOM}, "", "d" * 101, "\ud800", "e"]
        cell = prose("", metadata={"tags": tags, "other": 1})
        kernel = {"name": "python3", "display_name": "Python 3", "language": ["python"], "env": {}}
        notebook = notebook_of(
            cell, kernelspec=kernel, language_info={"name": "python", "version": "3"}, widgets={}
        )
        cleaned, _ = clean(notebook, ())
        assert cleaned["cells"][0]["metadata"] == {"tags": ["a", "e"]}
        assert cleaned["metadata"] == {
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        }
        nbformat.validate(nbformat.from_dict(cleaned))

    @pytest.mark.parametrize(
        "metadata",
        [
            {"kernelspec": {"name": "python3"}, "language_info": {"version": "3"}},
            {"kernelspec": "python3", "language_info": ["python"]},
            {"kernelspec": {"name": "", "display_name": "x" * 101}},
            {"kernelspec": None, "widgets": None},
            ["x"],
            "x",
            None,
        ],
    )
    def test_metadata_in_another_form_goes(self, metadata):
        cell = prose("") | {"metadata": {"tags": "abc"} if isinstance(metadata, dict) else metadata}
        cleaned, _ = clean(notebook_of(cell) | {"metadata": metadata}, ())
        assert cleaned["metadata"] == cleaned["cells"][0]["metadata"] == {}

    def test_a_field_that_cells_have_not_goes(self):
        cell = prose("") | {"id": "0a1b2c3d"}
        for minor, extra, n_rows in [(5, {}, 0), (4, {}, 1), (5, {"by": ROOM}, 1)]:
            cleaned, report = clean(notebook_of(cell | extra, minor=minor), ())
            assert cleaned["cells"][0].keys() - {"id"} == {"cell_type", "metadata", "source"}
            assert [*report["what"]] == ["metadata"] * n_rows

    @pytest.mark.parametrize(
        "picture",
        [
            "![](attachment:image.png)",
            "![of the room](attachment:image%20(1).png)",
            "![x]( <data:image/png;base64,iVBORw0KGgo=>)",
            "![x](DATA:image/png;base64,iVBORw0KGgo= 'a title')",
            "<img src='attachment:image.png' width=3>",
            '<IMG alt="x"\nsrc = "data:image/png;base64,iVBORw0KGgo=">',
        ],
    )
    @pytest.mark.parametrize("kind", ["markdown", "raw"])
    def test_a_picture_in_prose_is_replaced_by_words(self, picture, kind):
        cleaned, report = clean(notebook_of(prose(f"a {picture} (b)", kind)), ())
        assert cleaned["cells"][0]["source"] == "a (picture not published) (b)"
        assert [*report["what"]] == ["picture in the text"]

    @pytest.mark.parametrize(
        "source",
        ["![x](figures/a.png)", "the data: [x](y)", "<img src='a.png'> data: b>", "attachment:"],
    )
    def test_other_prose_stays_as_it_is(self, source):
        cleaned, report = clean(notebook_of(prose(source)), ())
        assert cleaned["cells"][0]["source"] == source
        assert report.empty

    def test_code_stays_as_it_is(self):
        source = "text = '![x](data:image/png,a)'"
        assert clean(notebook_of(code(source)), ())[0]["cells"][0]["source"] == source

    def test_deep_nesting_goes_with_what_holds_it(self):
        deep = []
        for _ in range(5000):
            deep = [deep]
        cell = code("x", shown({VEGA: deep}, metadata={"a": deep}), deep=deep)
        cleaned, _ = clean(notebook_of(cell, deep=deep), KNOWN)
        assert (cleaned["cells"][0]["outputs"], cleaned["metadata"]) == ([], {})

    @pytest.mark.parametrize(
        ("notebook", "found"),
        [
            ([], "a dict, found list"),
            ({}, "nbformat 4.0 to 4.5, found no number"),
            ({"nbformat": 3, "nbformat_minor": 0, "worksheets": [ROOM]}, "4.5, found 3.0"),
            ({"nbformat": 4, "nbformat_minor": 6}, "4.5, found 4.6"),
            ({"nbformat": 4.0, "nbformat_minor": 5}, "found no number"),
            ({"nbformat": 4, "nbformat_minor": True}, "found no number"),
            ({"nbformat": ROOM, "nbformat_minor": [ROOM]}, "found no number"),
            ({"cells": None}, "list of cells"),
            ({"cells": {"a": ROOM}}, "list of cells"),
            ({"cells": [prose(""), ROOM]}, "as cell 2"),
            ({"cells": [prose("", kind="heading")]}, "as cell 1"),
            ({"cells": [prose("", kind=[ROOM])]}, "as cell 1"),
            ({"cells": [prose(None)]}, "source in text, found none in cell 1"),
            ({"cells": [prose([ROOM, 1])]}, "source in text, found none in cell 1"),
            ({"cells": [prose("\ud800")]}, "source in text, found none in cell 1"),
            (
                {"cells": [code("") | {"outputs": {ROOM: 1}}]},
                "list of outputs, found none in cell 1",
            ),
            ({"cells": [code("") | {"outputs": None}]}, "list of outputs, found none in cell 1"),
        ],
    )
    def test_what_is_no_notebook_is_refused_in_a_sentence(self, notebook, found):
        if isinstance(notebook, dict) and "cells" in notebook:
            notebook = notebook_of() | notebook
        for reading in (lambda: clean(notebook, ()), lambda: find_identifiers(notebook, is_known)):
            with pytest.raises(ValueError, match=found) as caught:
                reading()
            assert str(caught.value).count(". ") == 0
            assert not found_in(str(caught.value).encode())

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([VEGA, "text/html", "text/plain"]), JSON)), JSON)
    def test_whatever_is_kept_has_a_known_digest_and_whatever_is_known_is_kept(
        self, parts, metadata
    ):
        known = set()
        for mime, data in parts[::2]:
            if mime == VEGA or isinstance(data, str):
                known.add(digest_of(mime, data))
        cells = [code("x", shown({mime: data}, metadata=metadata)) for mime, data in parts]
        cleaned, report = clean(notebook_of(*cells), known)
        kept = [cell["outputs"] for cell in cleaned["cells"]]
        digests = {
            digest_of(mime, data)
            for outputs in kept
            for output in outputs
            for mime, data in output["data"].items()
        }
        assert digests == known
        assert (report["outcome"] == "kept").sum() == sum(map(len, kept))


class TestNormalised:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("  Anna\u00a0 \n Berg ", "anna berg"),
            ("“Anna!”", "anna"),
            ("Zoe\u0308", "zoë"),
            ("\u01f0", "\u01f0"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("An\u200bna\u00ad\ufe0f", "anna"),
            ("O'Neil", "o'neil"),
            ("…", ""),
            ("🦄🦄", "🦄🦄"),
            ("a\ud800b", "a?b"),
        ],
    )
    def test_cases(self, text, expected):
        assert normalised(text) == expected

    @given(st.text(max_size=20))
    def test_twice_is_once_and_forms_of_unicode_are_one(self, text):
        assert normalised(normalised(text)) == normalised(text)
        assert normalised(unicodedata.normalize("NFD", text)) == normalised(
            unicodedata.normalize("NFC", text)
        )


class TestFindIdentifiers:
    @pytest.mark.parametrize(
        "text",
        [
            "alice.brandt@example.org",
            "Write to <Alice.Brandt@Example.ORG>.",
            "[mail](mailto:alice.brandt@example.org)",
            "alice.brandt%40example.org",
            "alice.brandt&#64;example.org",
            "alice.brandt\\u0040example.org",
            "alice.brandt\\x40example.org",
            "alice.brandt\\100example.org",
            "alice.brandt\\N{COMMERCIAL AT}example.org",
            "alice.brandt%2540example.org",
            "alice.brandt&#x25;40example.org",
            "\\x61lice.brandt&percnt;40example.org",
            "in donations/alice.brandt@example.org/ViewingActivity.csv",
            "C:\\logs\\alice.brandt@example.org.csv",
            "https://example.org/?who=alice.brandt@example.org&x=1",
            "in Kinderzimmer 2.",
            "'Kinderzimmer  2'",
            "kinderzimmer_2 = 3",
            "df_kinderzimmer2",
            "dfKinderzimmer2",
            "Kinderzimmer-2.csv",
            "Kinderzimmer%202.csv",
            "Kinderzimmer+2",
            "Kinderzimmer&nbsp;2",
            "Kinderzimmer\\n2",
            "**Kinder**zimmer 2",
            "Kinder\u200bzimmer 2",
            "Kinder&shy;zimmer 2",
            "Kinder<wbr>zimmer<br/>2",
            "<!-- Kinderzimmer 2 -->",
            "# the Kinderzimmer\n# 2 of them",
            "ZOË BRANDT",
            "Zoe\u0308 Brandt",
            "Zo&euml; Brandt",
            "'Zo\\u00eb Brandt'",
            "'Zo\\xeb Brandt'",
            "Zo%C3%AB%20Brandt",
            "zoë_brandt",
            "zoë<br>brandt",
            "ZoëBrandt",
            "zoë.brandt.csv",
            "Jonas Okafor-Lind's plays",
            "{'Jonas Okafor-Lind': 3}",
            "customer 827193465501",
            "id=827193465501",
        ],
    )
    def test_a_name_is_found_however_it_is_written(self, text):
        assert [*found(text).itertuples(index=False, name=None)] == [(1, "markdown", 1)]

    @pytest.mark.parametrize("wrap", ['"{}"', "'{}'", "`{}`", "“{}”", "„{}“", "«{}»", "it's '{}'"])
    def test_a_longer_name_is_found_in_quotes(self, wrap):
        name = "the small room at the end of the corridor"
        assert len(found(wrap.format(name), is_known=lambda names: [n == name for n in names])) == 1

    @pytest.mark.parametrize(
        ("name", "is_sought"),
        [
            ("jo", False),
            ("jon", True),
            ("1234", False),
            ("12345", True),
            ("山田", False),
            ("a1", False),
        ],
    )
    def test_short_ones_are_not_looked_for(self, name, is_sought):
        assert (
            len(found(f"a {name} b", is_known=lambda names: [n == name for n in names]))
            == is_sought
        )

    def test_four_words_in_a_row_are_and_five_are_not(self):
        for n, expected in [(4, 1), (5, 0)]:
            name = " ".join(["anna", "bea", "cara", "dora", "eva"][:n])
            assert (
                len(found(name, is_known=lambda names, name=name: [x == name for x in names]))
                == expected
            )

    def test_it_asks_once_for_different_normalised_candidates(self):
        asked = []

        def is_known(names):
            asked.append(names)
            return [False] * len(names)

        cells = prose("Anna Berg, Anna Berg!"), spotless("ANNA = 'berg'", printed(ROOM))
        assert find_identifiers(notebook_of(*cells), is_known).empty
        (names,) = asked
        assert len({*names}) == len(names)
        assert names == [normalised(name) for name in names]
        assert {"anna", "berg", "anna berg"} <= {*names}
        assert "kinderzimmer 2" not in names

    def test_an_answer_of_another_length_is_refused(self):
        with pytest.raises(ValueError, match="argument"):
            found("Anna Berg", is_known=lambda names: [True])

    def test_it_tells_where_and_how_many(self):
        cells = [
            prose(f"{ROOM}, {ROOM} and {ZOE}"),
            spotless("x", tags=[EMAIL]),
            prose(ROOM, kind="raw"),
            spotless(f"# {ROOM}, {VIEWER}\n{ACCOUNT}", shown({"text/html": f"{VIEWER} {ROOM}"})),
        ]
        notebook = notebook_of(*cells, kernelspec={"display_name": f"env of {ROOM}"})
        rows = [*find_identifiers(notebook, is_known).itertuples(index=False, name=None)]
        assert rows == [
            (0, "metadata", 1),
            (1, "markdown", 2),
            (2, "metadata", 1),
            (3, "raw", 1),
            (4, "output", 1),
            (4, "source", 3),
        ]

    @pytest.mark.parametrize("pseudonym", [VIEWER, ACCOUNT, "v_aaaaaaaaaaaaaaaa"])
    @pytest.mark.parametrize(
        "wrap",
        ["{}", "x{}y", "https://example.org/{}.html", "_{}_", "é{}", "{}234", "&lt;{}", "%5B{}"],
    )
    def test_a_pseudonym_is_found_by_its_form(self, pseudonym, wrap):
        text = wrap.format(pseudonym)
        cells = prose(text), *(spotless("x", shown({VEGA: held})) for held in ({text: 1}, [text]))
        rows = find_identifiers(notebook_of(*cells), lambda names: [False] * len(names))
        assert [*zip(rows["cell"], rows["where"], strict=True)] == [
            (1, "markdown"),
            (2, "output"),
            (3, "output"),
        ]

    @pytest.mark.parametrize(
        "spelling",
        [
            VIEWER.upper(),
            VIEWER.replace("_", "%5F"),
            VIEWER.replace("_", "\\_"),
            VIEWER.replace("_", "&lowbar;"),
            VIEWER.replace("m", "m\u200b"),
            VIEWER.replace("w", "<b>w</b>"),
        ],
    )
    def test_a_pseudonym_is_found_however_it_is_written(self, spelling):
        assert len(found(spelling)) == 1

    @pytest.mark.parametrize(
        "text", ["v_m7pwbol25ou5foa", "v_m7pwbol25ou5fo1j", "b_m7pwbol25ou5foaj"]
    )
    def test_another_form_is_no_pseudonym(self, text):
        assert found(text).empty

    @pytest.mark.parametrize(
        "text",
        [
            in_base64(os.urandom(200)),
            os.urandom(150).hex(),
            "\n".join(in_base64(bytes(range(n, n + 57))) for n in range(3)),
            "picture = (\n"
            + "\n".join(f"    '{in_base64(bytes(range(n, n + 57)))}'" for n in range(3)),
            "![x][1]\n\n[1]: data:image/png;base64,iVBORw0KGgo",
            "url(data:font/woff;BASE64, d09GMgABAAA)",
            "url(data:font/woff&#59;base64,d09GMgABAAA)",
        ],
    )
    def test_what_cannot_be_read_is_told(self, text):
        for cell in (prose(text), spotless(text), prose(text, kind="raw")):
            rows = find_identifiers(notebook_of(cell), is_known)
            assert [*rows["where"]] == ["encoded"]

    @pytest.mark.parametrize(
        "text",
        [
            "-" * 300,
            "=" * 300,
            "x" * 300,
            "a digest " + hashlib.sha512(b"x").hexdigest(),
            'f"data:image/png;base64,{data}"',
            " ".join(["plays"] * 200),
        ],
    )
    def test_what_can_be_read_is_not(self, text):
        assert found(text).empty

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(sorted(IDENTIFIERS)),
        st.sampled_from(
            [str, str.upper, str.title, quote, lambda name: name.replace("@", "&#64;")]
        ),
        st.sampled_from([" ", "\n", "(", '"', "/", "=", "# ", ", ", ": ", "<p>", "\u200b ", "🦄 "]),
        st.sampled_from([" ", "\n", ")", '"', "/", ".", "!", ", ", "</p>", "'s", "?"]),
        TEXT,
        TEXT,
    )
    def test_a_planted_name_is_found(self, name, spelt, before, after, start, end):
        # A backslash, or half of an escape, in front would make other letters of it.
        start, end = (text.translate(dict.fromkeys(map(ord, "\\%&<>"))) for text in (start, end))
        assert not found(f"{start}{before}{spelt(name)}{after}{end}").empty

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.b.c.anna@example.org", "?who=a.b.c.anna@example.org&x"),
            ("a.b.c.anna@example.org", "in/a.b.c.anna@example.org.csv"),
            ("anna-maria-von-der-berg", "in/anna-maria-von-der-berg.tar.gz"),
        ],
    )
    def test_a_long_name_is_found_as_a_part_of_a_path(self, name, text):
        assert len(found(text, is_known=lambda names: [n == name for n in names])) == 1

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), max_size=8), max_size=4
        ),
        st.sampled_from([" ", "  ", "\n", "\u00a0"]),
    )
    def test_any_name_of_up_to_four_words_is_found(self, words, between):
        words = [word.translate(dict.fromkeys(map(ord, "\"'`,;()[]{}<>|"))) for word in words]
        first, *rest = [word for word in words if word] or [""]
        name = normalised(" ".join([first, *rest]))
        assume(len(name) > (4 if name.isdigit() else 2))
        text = f"that {between.join([first, ' '.join(rest)])} is"
        assert len(found(text, is_known=lambda names: [n == name for n in names])) == 1

    @pytest.mark.parametrize(
        "name",
        [
            "Anna (Kids)",
            "Mum & Dad",
            "Anna's iPad",
            "A, B & C",
            "Ali/Bea",
            "🦄🦄🦄",
            "Anna 🦄",
            "iPad von Eva-Maria Berg",
        ],
    )
    def test_a_name_with_marks_in_it_is_found(self, name):
        known = normalised(name)
        for text in (f"That is {name}.", f"x = {name!r}", f"in [{name}](a)"):
            assert len(found(text, is_known=lambda names: [n == known for n in names])) == 1

    @pytest.mark.parametrize(
        "hostile",
        ["![", "![](data:", "<", "<img ", "<img src=data:", "&", "\\", '"', "“ ", "%", ";base64,"],
    )
    def test_no_text_takes_long(self, hostile):
        hostile *= 40_000 // len(hostile)
        began = time.perf_counter()
        cleaned, _ = clean(notebook_of(prose(hostile)), ())
        find_identifiers(cleaned, is_known)
        assert time.perf_counter() - began < 5


class TestHunt:
    """What finds nothing proves something only if it would have found it."""

    @pytest.mark.parametrize(
        ("hidden", "name"),
        [
            (json.dumps(ZOE), ZOE),
            (quote(EMAIL), EMAIL),
            (html.escape(quote(ZOE)), ZOE),
            ("Zo&euml; Brandt", ZOE),
            (in_base64(gzip.compress(ROOM.encode(), mtime=0)), ROOM),
            (in_base64(png(ROOM)), ROOM),
            (in_base64(VIEWER.encode("utf-16")), VIEWER),
            (in_base64(json.dumps({"a": in_base64(ACCOUNT.encode())}).encode()), ACCOUNT),
            (plotly()["data"][0]["x"]["bdata"], str(CUSTOMER)),
        ],
    )
    def test_it_finds_what_is_hidden(self, hidden, name):
        assert found_in(json.dumps({"a": [hidden]}).encode()) == {name}

    @pytest.mark.parametrize("data", [b"", png(), json.dumps([TABLE, CHART, CHART_PNG]).encode()])
    def test_it_finds_nothing_where_nothing_is(self, data):
        assert not found_in(data)

    def test_each_cell_that_shows_something_leaks(self):
        cells = leaky(names=False)["cells"]
        leaking = {
            n
            for n, cell in enumerate(cells, 1)
            if found_in(json.dumps(cell.get("outputs")).encode())
        }
        assert leaking == {3, 4, 5, 6, 7, 8, 9, 10, 11, 12}


class TestPublished:
    def test_no_canary_is_in_any_byte_of_what_is_published(self, places):
        work, public = places
        path = saved(work, leaky(names=False))
        for part in ("cells", "metadata"):
            assert found_in(json.dumps(leaky(names=False)[part]).encode()) == {*CANARIES}
        publish(path, public)
        assert [file.name for file in public.iterdir()] == ["analysis.ipynb"]
        assert not found_in((public / path.name).read_bytes())

    def test_what_is_published_is_whole_and_useful(self, places):
        work, public = places
        source = leaky(names=False)
        report = publish(saved(work, source), public)
        made = nbformat.read(public / "analysis.ipynb", as_version=4)
        nbformat.validate(made)
        cleaned, expected = clean(source, KNOWN)
        assert report.equals(expected)
        assert made.cells[-1].cell_type == "markdown"
        assert made.cells[-1].source == NOTE
        assert made.cells[:-1] == [nbformat.from_dict(cell) for cell in cleaned["cells"]]
        assert made.cells[9].outputs[0].data == {"text/html": TABLE, "text/plain": TABLE_PLAIN}
        assert made.cells[10].outputs[0].data == {VEGA: CHART, "image/png": CHART_PNG}
        assert made.metadata == nbformat.from_dict(cleaned["metadata"])

    def test_names_in_sources_are_refused_with_exactly_their_cells(self, places):
        work, public = places
        path = saved(work, leaky())
        before = path.read_bytes()
        with pytest.raises(IdentifierFound) as caught:
            publish(path, public)
        assert caught.value.cells == NAMING
        assert "cells 2, 7, 10, 12, 13, 14, 15, 16." in str(caught.value)
        assert not found_in(str(caught.value).encode())
        assert [file.name for file in work.iterdir()] == ["analysis.ipynb"]
        assert path.read_bytes() == before
        assert not public.exists()

    def test_nothing_that_was_published_is_touched_by_a_refusal(self, places):
        work, public = places
        publish(saved(work, leaky(names=False)), public)
        before = (public / "analysis.ipynb").read_bytes()
        with pytest.raises(IdentifierFound):
            publish(saved(work, leaky()), public)
        assert [file.read_bytes() for file in public.iterdir()] == [before]

    def test_a_clean_notebook_comes_out_unchanged_but_for_the_note(self, places):
        work, public = places
        made = clean(leaky(names=False), KNOWN)[0]
        path = work / "analysis.ipynb"
        nbformat.write(nbformat.from_dict(made), path)
        report = publish(path, public)
        assert set(report["outcome"]) == {"kept"}
        again = json.loads((public / path.name).read_bytes())
        last = again["cells"].pop()
        assert again == json.loads(path.read_bytes())
        assert ("".join(last["source"]), last["metadata"]) == (NOTE, {})
        # Byte for byte up to where the note is.
        start = path.read_bytes().rpartition(b"\n  }\n ],")[0]
        assert (public / path.name).read_bytes().startswith(start)

    def test_the_bytes_are_the_same_each_time(self, places):
        work, public = places
        path = saved(work, leaky(names=False))
        publish(path, public)
        first = (public / path.name).read_bytes()
        path.write_text(json.dumps(leaky(names=False), sort_keys=True, indent=4), encoding="utf-8")
        publish(path, public)
        assert (public / path.name).read_bytes() == first

    @pytest.mark.parametrize("minor", range(6))
    def test_each_version_is_published_as_itself(self, places, minor):
        work, public = places
        publish(saved(work, leaky(names=False) | {"nbformat_minor": minor}), public)
        made = json.loads((public / "analysis.ipynb").read_bytes())
        assert made["nbformat_minor"] == minor
        nbformat.validate(nbformat.from_dict(made))

    def test_the_note_has_an_id_of_its_own(self, places):
        work, public = places
        cells = [prose("a") | {"id": f"{n:08x}"} for n in (1, 2, 4)]
        publish(saved(work, notebook_of(*cells)), public)
        ids = [cell["id"] for cell in json.loads((public / "analysis.ipynb").read_bytes())["cells"]]
        assert ids == ["00000001", "00000002", "00000004", "00000003"]

    @pytest.mark.parametrize(
        "name", [f"{ROOM}.ipynb", f"plays_of_{EMAIL}.ipynb", f"{VIEWER}.ipynb"]
    )
    def test_the_name_of_the_file_is_looked_at(self, places, name):
        work, public = places
        with pytest.raises(IdentifierFound, match="the name of the file") as caught:
            publish(saved(work, notebook_of(prose("a")), name), public)
        assert caught.value.cells == []
        assert not found_in(str(caught.value).encode())

    def test_the_name_of_the_kernel_is_looked_at(self, places):
        work, public = places
        kernel = {"name": "python3", "display_name": f"Python ({ROOM})"}
        with pytest.raises(IdentifierFound, match="the notebook's metadata and cell 1") as caught:
            publish(saved(work, notebook_of(prose(ROOM), kernelspec=kernel)), public)
        assert caught.value.cells == [1]

    def test_what_cannot_be_read_is_refused(self, places):
        work, public = places
        cells = prose(ROOM), code(f"x = '{in_base64(bytes(range(256)))}'")
        with pytest.raises(
            IdentifierFound, match=r"named in cell 1, and encoded .* in cell 2"
        ) as caught:
            publish(saved(work, notebook_of(*cells)), public)
        assert caught.value.cells == [1, 2]

    def test_a_pseudonym_in_a_known_output_is_refused(self, places):
        work, public = places
        leak = f"<p>{VIEWER}</p>"
        path = saved(work, notebook_of(code("x", result({"text/html": leak}))))
        with pytest.raises(IdentifierFound) as caught:
            publish(path, public, known={digest_of("text/html", leak)})
        assert caught.value.cells == [1]

    def test_words_that_are_allowed_are_not_asked_for(self, places):
        work, public = places
        path = saved(work, notebook_of(prose(f"The film {ZOE} and {ROOM}")))
        asked = []

        def remembered(names):
            asked.extend(names)
            return is_known(names)

        publish(path, public, is_known=remembered, allow=['"ZOE\u0308  brandt"', ROOM])
        assert "zoë brandt" not in asked
        assert "brandt" in asked
        with pytest.raises(IdentifierFound):
            publish(path, public, allow=[ZOE])

    def test_an_answer_of_another_length_publishes_nothing(self, places):
        work, public = places
        with pytest.raises(ValueError, match="argument"):
            publish(saved(work, notebook_of(prose(ROOM))), public, is_known=lambda names: [])
        assert not public.exists()

    def test_the_folder_is_made_with_those_above_it(self, places):
        work, public = places
        publish(saved(work, notebook_of(prose("a"))), public / "deep" / "down")
        assert (public / "deep" / "down" / "analysis.ipynb").is_file()

    @pytest.mark.parametrize("allow", [[VIEWER], [f"x {VIEWER}"]])
    def test_no_pseudonym_can_be_allowed(self, places, allow):
        work, public = places
        with pytest.raises(IdentifierFound):
            publish(saved(work, notebook_of(prose(f"x {VIEWER}"))), public, allow=allow)

    def test_one_text_is_no_list_of_words(self, places):
        work, public = places
        with pytest.raises(ValueError, match="`allow` must be a list of words"):
            publish(saved(work, notebook_of(prose(ROOM))), public, allow=ROOM)

    @pytest.mark.parametrize("to", [".", "..", "../..", "../work"])
    def test_the_source_may_not_lie_in_what_is_published(self, places, to):
        work, _ = places
        path = saved(work, notebook_of(prose("a")))
        before = path.read_bytes()
        with pytest.raises(Refused, match="a folder that holds it"):
            publish(path, work / to)
        assert path.read_bytes() == before
        assert [file.name for file in work.iterdir()] == [path.name]

    @posix
    def test_nor_by_a_link(self, places):
        work, public = places
        path = saved(work, notebook_of(prose("a")))
        public.symlink_to(work)
        with pytest.raises(Refused):
            publish(path, public)
        shelf = work.parent / "shelf"
        shelf.mkdir()
        (shelf / path.name).symlink_to(path)
        for to in (work, shelf):
            with pytest.raises(Refused):
                publish(shelf / path.name, to)
        assert (shelf / path.name).is_symlink()

    @posix
    def test_a_hard_link_in_the_folder_leaves_the_source_as_it_was(self, places):
        work, public = places
        path = saved(work, leaky(names=False))
        before = path.read_bytes()
        public.mkdir()
        (public / path.name).hardlink_to(path)
        publish(path, public)
        assert path.read_bytes() == before
        assert not found_in((public / path.name).read_bytes())

    def test_a_write_that_fails_leaves_what_was_there(self, places, monkeypatch):
        work, public = places
        publish(saved(work, leaky(names=False)), public)
        before = (public / "analysis.ipynb").read_bytes()

        def fail(*_):
            raise OSError("full")

        monkeypatch.setattr(module.os, "fsync", fail)
        with pytest.raises(OSError, match="full"):
            publish(saved(work, notebook_of(prose("b"))), public)
        assert [file.read_bytes() for file in public.iterdir()] == [before]

    @posix
    def test_others_may_read_it(self, places):
        work, public = places
        was = os.umask(0o022)
        try:
            publish(saved(work, notebook_of(prose("a"))), public)
        finally:
            os.umask(was)
        assert (public / "analysis.ipynb").stat().st_mode & 0o777 == 0o644

    def test_without_nbformat_it_says_what_to_install(self, places, monkeypatch):
        work, public = places
        monkeypatch.setitem(sys.modules, "nbformat", None)
        with pytest.raises(ImportError, match=r"pip install 'viewing-toolkit\[notebooks\]'"):
            publish(saved(work, notebook_of(prose("a"))), public)
        assert not public.exists()

    @pytest.mark.parametrize(
        ("data", "found"),
        [
            (b"", "something else in line 1"),
            (b'{"a": 1\n"Kinderzimmer 2"', "something else in line 2"),
            (b"\xef\xbb\xbf{}", "something else in line 1"),
            (b'{"a": "\xff"}', "bytes that are not UTF-8"),
            (json.dumps(leaky()).encode("utf-16"), "bytes that are not UTF-8"),
            (b'{"cells": [], "cells": [], "Kinderzimmer 2": 0}', "a name twice"),
            (b'{"a": {"b": 1, "b": 1}}', "a name twice"),
            (b'{"a": NaN}', "NaN"),
            (b'{"a": -Infinity}', "an infinity"),
            (b'{"a": ' + b"9" * 5000 + b"}", "an endless number"),
            (b"[" * 100_000, "nested too deep"),
            (b'{"a":' * 100_000, "nested too deep"),
            (b"[]", "found list"),
            (b'"Kinderzimmer 2"', "found str"),
            (b'{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}', "found 3.0"),
        ],
    )
    def test_a_file_that_is_no_notebook_is_refused_in_a_sentence(self, places, data, found):
        work, public = places
        path = work / "analysis.ipynb"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=found) as caught:
            publish(path, public)
        assert not found_in(str(caught.value).encode())
        assert caught.value.__cause__ is None
        assert not public.exists()

    def test_only_a_notebook_of_some_size_is_read(self, places, monkeypatch):
        work, public = places
        path = saved(work, notebook_of(prose("a")), "analysis.json")
        folder = work / "folder.ipynb"
        folder.mkdir()
        for other in (path, folder):
            with pytest.raises(ValueError, match=r"`path` must be a file \.ipynb"):
                publish(other, public)
        with pytest.raises(FileNotFoundError):
            publish(work / "none.ipynb", public)
        path = saved(work, notebook_of(prose("a")))
        monkeypatch.setattr(module, "_MOST_BYTES", path.stat().st_size)
        publish(path, public)
        monkeypatch.setattr(module, "_MOST_BYTES", path.stat().st_size - 1)
        with pytest.raises(ValueError, match="at most"):
            publish(path, public)

    @posix
    def test_a_pipe_is_not_waited_for(self, places):
        work, public = places
        os.mkfifo(work / "analysis.ipynb")
        with pytest.raises(ValueError, match="`path` must be a file"):
            publish(work / "analysis.ipynb", public)


def spots(tree, path=()):
    """All places of a tree: its own, and those of all that it holds."""
    yield path
    inner = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for name, held in inner:
        yield from spots(held, (*path, name))


def planted(tree, path, name, how):
    """The tree with a name at that place: instead of what is there, or in it."""
    tree, name = copy.deepcopy(tree), f" {name} "
    *above, last = path
    holder = tree
    for step in above:
        holder = holder[step]
    held = holder[last]
    if how == "into" and isinstance(held, dict):
        held[name] = name
    elif how == "into" and isinstance(held, list):
        held.append(name)
    elif how == "into" and isinstance(held, str):
        holder[last] = held + name
    else:
        holder[last] = name
    return tree


class TestPlanted:
    small = notebook_of(
        prose(["# Comfort", " titles"], metadata={"tags": ["a"]}) | {"id": "0a1b2c3d"},
        code("pub", result({"text/html": TABLE}), shown({VEGA: CHART}), printed("x"), tags=["b"]),
        prose("raw", kind="raw"),
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python", "version": "3"},
        widgets={"x": 1},
    )

    @pytest.mark.parametrize("name", [EMAIL, VIEWER])
    @pytest.mark.parametrize("how", ["instead", "into"])
    def test_in_each_place_of_a_notebook(self, places, name, how):
        work, public = places
        refused, malformed, n_published = set(), set(), 0
        for path in spots(self.small):
            if not path:
                continue
            file = saved(work, planted(self.small, path, name, how))
            try:
                publish(file, public)
            except IdentifierFound:
                refused.add(path[:2] if path[0] == "metadata" else (path[0], path[1], path[2]))
            except ValueError:
                malformed.add(path[-1])
            else:
                n_published += 1
                assert not found_in((public / file.name).read_bytes()), path
        assert refused == {
            ("cells", 0, "source"),
            ("cells", 0, "metadata"),
            ("cells", 1, "source"),
            ("cells", 1, "metadata"),
            ("cells", 2, "source"),
            ("metadata", "kernelspec"),
            ("metadata", "language_info"),
        }
        if how == "into":
            assert malformed == {"nbformat", "nbformat_minor", "cells", "cell_type"}
        assert n_published > 30

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_in_any_place_of_any_notebook(self, tmp_path_factory, data):
        folder = tmp_path_factory.mktemp("planted")
        (folder / "work").mkdir()
        metadata = st.dictionaries(TEXT | st.just("tags"), JSON, max_size=3)
        mimes = st.sampled_from(["text/html", "text/plain", VEGA, "image/png"]) | TEXT
        output = st.fixed_dictionaries(
            {"output_type": st.sampled_from(["display_data", "execute_result", "stream", "other"])},
            optional={"data": st.dictionaries(mimes, JSON), "text": TEXT, "metadata": metadata},
        )
        cell = st.fixed_dictionaries(
            {
                "cell_type": st.sampled_from(["code", "markdown", "raw"]),
                "source": TEXT | st.lists(TEXT, max_size=3),
                "metadata": metadata,
            },
            optional={
                "outputs": st.lists(output, max_size=3),
                "attachments": metadata,
                "id": TEXT,
                "execution_count": st.integers(),
            },
        )
        cells = data.draw(st.lists(cell, min_size=1, max_size=4))
        notebook = notebook_of(*cells, **data.draw(metadata))
        notebook["nbformat_minor"] = data.draw(st.integers(0, 5))
        path = data.draw(st.sampled_from([path for path in spots(notebook) if path]))
        name = data.draw(st.sampled_from([*NAMES, *[VIEWER, ACCOUNT]]))
        how = data.draw(st.sampled_from(["instead", "into"]))
        file = saved(folder / "work", planted(notebook, path, name, how))
        known = {
            digest_of(mime, part)
            for cell in cells
            for output in cell.get("outputs", ())
            for mime, part in output.get("data", {}).items()
            if isinstance(part, str) and "\0" not in mime
        }
        try:
            publish(file, folder / "public", known=known)
        except ValueError:
            assert not (folder / "public").exists()
        else:
            assert not found_in((folder / "public" / file.name).read_bytes())
