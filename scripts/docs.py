"""Turn the pages of docs/ and the docstrings into a site: `make docs`.

The pages are written to be read as they are; what Sphinx needs beside them, its settings, the
order of the pages and the list of the public names, is added to a copy.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")

CONF = """\
project = "skypool"
author = copyright = "the skypool developers"
release = version = {version!r}
extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"
]
root_doc = "index"
html_theme = "furo"
html_title = f"skypool {{release}}"
myst_heading_anchors = 4
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, with shapes and units
"""

API = """\
# Python

```{{eval-rst}}
.. currentmodule:: skypool

{entries}
```
"""


def stem(name: str) -> str:
    """Return the site's name of a page of the repository's top."""
    return name.removesuffix(".md").lower()


def copy_pages(target: Path) -> None:
    """Copy all pages, those of the repository's top beside the others, with links that fit."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target)
    for name in TOP:
        text = (ROOT / name).read_text().replace("(docs/", "(")
        for other in TOP:
            text = text.replace(f"({other}", f"({stem(other)}.md")
        title = "# Licence\n\n" if name == "LICENSE" else ""
        (target / f"{stem(name)}.md").write_text(title + text)
    for page in target.rglob("*.md"):
        text = page.read_text()
        for name in TOP:
            for up in ("../../", "../"):
                text = text.replace(f"({up}{name}", f"({up[3:]}{stem(name)}.md")
        page.write_text(text)


def toctree(caption: str, pages: list[str]) -> str:
    """Return a part of the table of contents."""
    lines = ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]
    return "\n".join(lines)


def add_what_sphinx_needs(source: Path) -> None:
    """Add the settings, the order of the pages and the public names."""
    import skypool

    (source / "conf.py").write_text(CONF.format(version=skypool.__version__))
    entries = []
    for name in skypool.__all__:
        value = getattr(skypool, name)
        if isinstance(value, type):
            entries.append(f".. autoclass:: {name}\n   :members:\n   :inherited-members: object\n")
        elif callable(value):
            entries.append(f".. autofunction:: {name}\n")
    # Last: it changes what the module is that later entries are looked for in.
    entries.append(".. automodule:: skypool.errors\n   :members:\n")
    (source / "python.md").write_text(API.format(entries="\n".join(entries)))
    index = source / "index.md"
    listed = [line.split("](")[1].split(")")[0] for line in index.read_text().splitlines()
              if line.startswith("| [")]  # fmt: skip
    first = [page.removesuffix(".md") for page in listed if "/" not in page]
    design = source / "design"
    # A folder has no page of its own: its links lead to the first of its pages.
    first_design = min(page.name for page in design.glob("*.md"))
    index.write_text(
        index.read_text().replace("(design/)", f"(design/{first_design})")
        + toctree("Guide", ["readme", *(page for page in first if page != "contributing")])
        + toctree("Reference", ["python", "changelog", "contributing", "license"])
        + toctree("Format", ["format/README", *others(source / "format")])
        + toctree("Design", others(design))
    )


def others(folder: Path) -> list[str]:
    """Return the pages of a folder but its first one."""
    pages = sorted(page.stem for page in folder.glob("*.md"))
    return [f"{folder.name}/{page}" for page in pages if page != "README"]


def main() -> int:
    """Build the site, below the folder that is named or in build/docs."""
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build/docs"
    source = target / "source"
    copy_pages(source)
    add_what_sphinx_needs(source)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html",
               str(source), str(target / "html")]  # fmt: skip
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        print(f"open {target / 'html/index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
