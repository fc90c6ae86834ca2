"""What Sphinx has to know. The pages it reads are laid out by `docs/build.py`."""

import docutils.nodes
import nbformat

import toolkit

project = "viewing-toolkit"
version = release = toolkit.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# The series is shown as it is stored, and never run here.
nb_execution_mode = "off"
myst_heading_anchors = 3

# Backticks in docstrings stand for names: a link where the name is public, plain code elsewhere.
default_role = "py:obj"
add_module_names = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
napoleon_google_docstring = False
napoleon_use_rtype = False
# A reference that is named by its author; levels that the benchmarks skip.
suppress_warnings = ["ref.footnote", "myst.header"]

# Quotes are part of what is to be typed: only dashes are set in type.
smartquotes_action = "D"
highlight_language = "none"

html_theme = "furo"
html_title = "viewing-toolkit"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_copyright = False
# Opened from a folder, a page can't fetch others to quote from what was found in them.
html_show_search_summary = False


def anchor_cells(app, doctree):
    """Let every code cell be linked to by its id."""
    source = app.env.doc2path(app.env.docname)
    if source.suffix == ".ipynb":
        cells = nbformat.read(source, as_version=4).cells
        for node in doctree.findall(docutils.nodes.container):
            if node.get("nb_element") == "cell_code":
                node["ids"].append(cells[node["cell_index"]].id)


def setup(app):
    """Add the above to Sphinx."""
    app.connect("doctree-read", anchor_cells)
