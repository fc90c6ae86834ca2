"""Build the site: python -m docs.build build/site."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from sphinx.cmd.build import build_main

from docs import pages
from toolkit.references import read_reference

ROOT = Path(__file__).parents[1]
PROSE = ["CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff"]
PROSE += ["data/README.md", "benchmarks/README.md", "benchmarks/growth.png"]
CONTENTS = """
```{toctree}
:hidden:
:caption: The series
:glob:

notebooks/*
gallery
```

```{toctree}
:hidden:
:caption: The toolkit

api
dictionary
data/README
benchmarks/README
CONTRIBUTING
CHANGELOG
```
"""


def lay_out(root, source):
    """Put all that Sphinx is to read into a folder: what is committed, and the pages made of it."""
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    figures = source / "notebooks" / "figures"
    shutil.copytree(root / "notebooks" / "figures", figures)
    for path in figures.glob("*.json"):
        table, _ = read_reference(path.read_text(encoding="utf-8"))
        table.to_csv(path.with_suffix(".csv"), index=False)
    for path in [*notebooks, *(root / name for name in PROSE)]:
        copy = source / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    readme = (root / "README.md").read_text(encoding="utf-8")
    made = {"index.md": readme + CONTENTS, "gallery.md": pages.gallery(notebooks)}
    made["dictionary.md"] = pages.dictionary(nbformat.read(notebooks[0], as_version=4))
    made |= {f"{name}.rst": text for name, text in pages.reference().items()}
    for name, text in made.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")


def build(root, site):
    """Lay out the pages, let Sphinx render them, and put what it made in the place of `site`."""
    with TemporaryDirectory() as scratch:
        source, html = Path(scratch, "source"), Path(scratch, "html")
        lay_out(root, source)
        options = ["--quiet", "--fail-on-warning", "--keep-going"]
        folders = ["-c", str(ROOT / "docs"), "-d", str(Path(scratch, "read"))]
        failed = build_main([*options, *folders, str(source), str(html)])
        if not failed:
            shutil.rmtree(site, ignore_errors=True)
            shutil.copytree(html, site)
    return failed


if __name__ == "__main__":
    sys.exit(build(ROOT, Path(sys.argv[1])))
