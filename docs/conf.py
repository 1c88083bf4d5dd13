"""Sphinx builds the site of this folder: ``make docs``.

The pages are the Markdown files that GitHub shows as well, so links between them are relative and must work in both. A
link that leads nowhere, here or to a heading, ends the build. Nothing is fetched: fonts, styles and scripts are the
site's own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import dms_relay  # noqa: E402 -- found by the line above

project = "dms-relay"
author = "the dms_relay maintainers"
copyright = author  # noqa: A001 -- Sphinx calls it so
release = dms_relay.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "attrs_inline"]
# As GitHub names them, down to ####.
myst_heading_anchors = 4

# Types stand in the signatures; those of other libraries and private ones have no page here.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
nitpick_ignore_regex = [("py:.*", r".*")]

# What `make links` does not ask for: hosts of examples. A page that is slow or in trouble for a moment has more tries.
linkcheck_ignore = [r"https?://([^/]+\.)?example\.(com|org|net)([/:]|$)", r"https?://(localhost|127\.0\.0\.1)([/:]|$)"]
linkcheck_timeout = 30
linkcheck_retries = 3
# The consoles of services answer who is not logged in with a page of theirs, or with 401 or 403.
linkcheck_allow_unauthorized = True

html_theme = "furo"
html_title = f"dms-relay {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
# A console's prompt is not what one types.
copybutton_prompt_text = "$ "


def fields_of(
    _app: Sphinx, kind: str, _name: str, found: object, _options: object, *_given: object
) -> tuple[str, str] | None:
    """Show the fields of a class that says only which slots it has."""
    fields = getattr(found, "__slots__", None) if kind == "class" and not hasattr(found, "__signature__") else None
    known = getattr(found, "__annotations__", {})
    if not fields or not set(fields) <= set(known):
        return None
    return f"({', '.join(f'{name}: {known[name]}' for name in fields)})", ""


def setup(app: Sphinx) -> None:
    """Add what is ours to the build."""
    app.connect("autodoc-process-signature", fields_of)
