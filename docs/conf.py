"""Sphinx settings of the documentation: Markdown pages through MyST, the furo theme, API pages from docstrings."""

from __future__ import annotations

from importlib import metadata

project = "Muscles in Action"
author = "the Muscles in Action authors"
try:
    release = metadata.version("muscles-in-action")
except metadata.PackageNotFoundError:
    release = "from source"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.doctest"]
exclude_patterns = ["_build", "hardware/**"]

html_theme = "furo"
html_title = "Muscles in Action"
html_static_path = ["_static"]
html_css_files = ["print.css"]
html_copy_source = False
html_show_sphinx = False

# A link to a heading that does not exist is a warning, and warnings are errors.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
