"""Draw the layers of the program, docs/images/layers.svg: `python scripts/layers.py`.

The layers are those that `make lint` holds (pyproject.toml); what a layer does is the first
sentence of its docstring. A test compares the picture with what this draws.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/images/layers.svg"
WIDTH, HEIGHT, GAP, LETTER = 1000, 62, 8, 6.6
COLOURS = ("#e8eef7", "#dfe9f5")


def layers() -> list[list[str]]:
    """Return the layers, the uppermost first; siblings stand in one list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = (
        each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"
    )
    return [[name.strip() for name in line.split("|")] for line in contract["layers"]]


def purpose(name: str) -> str:
    """Return the first sentence of a layer's docstring."""
    folder = ROOT / "src/skypool" / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    sentence = " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return re.sub(r"`| \(docs/[^)]*\)", "", sentence)


def box(name: str, x: float, y: float, width: float, colour: str) -> list[str]:
    """Return a layer: its name, and below what it does."""
    lines = textwrap.wrap(purpose(name), int((width - 20) / LETTER))
    if len(lines) > 2:
        raise ValueError(f"the first sentence of {name} is too long: {purpose(name)}")
    made = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{HEIGHT}" rx="5" fill="{colour}"/>',
        f'<text x="{x + 10:g}" y="{y + 20:g}" class="name">{escape(name)}</text>',
    ]
    for number, line in enumerate(lines):
        made.append(f'<text x="{x + 10:g}" y="{y + 37 + 16 * number:g}">{escape(line)}</text>')
    return made


def draw() -> str:
    """Return the picture."""
    rows = layers()
    height = len(rows) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="The layers of skypool">',
        "<style>text { font: 12px sans-serif; fill: #1d2733 } "
        ".name { font: bold 14px monospace; fill: #123c69 }</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, row in enumerate(rows):
        width = (WIDTH - GAP * (len(row) + 1)) / len(row)
        for place, name in enumerate(row):
            x, y = GAP + place * (width + GAP), GAP + number * (HEIGHT + GAP)
            parts += box(name, round(x, 1), y, round(width, 1), COLOURS[number % 2])
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
