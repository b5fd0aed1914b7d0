"""Settings of the site; `make docs` builds it, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

import skypool

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_site"))

project = "skypool"
author = "the skypool developers"
copyright = author  # noqa: A001  # Sphinx's name
release = version = skypool.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
root_doc = "index"
default_role = "code"  # names in docstrings stand in single backticks
exclude_patterns = ["_site"]
# Words such as `name` in a type of a docstring are several classes' members; they are no links.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, with shapes and units

html_theme = "pydata_sphinx_theme"
html_title = f"skypool {release}"
html_logo = html_favicon = "_site/static/icon.svg"
html_static_path = ["_site/static"]
html_css_files = ["skypool.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "skypool"},
    "header_links_before_dropdown": 5,
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
