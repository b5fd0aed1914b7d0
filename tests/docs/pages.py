"""The pages of the documentation, and the blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: Languages of blocks that do not run, and why.
NOT_RUN = {
    "text": "a layout, or what stands on a screen: no program reads it",
    "toml": "settings: read by the tests of what they set, see test_blocks.py",
    "ebnf": "grammar",
    "http": "messages as they go over the line",
}
#: Languages of blocks that run; see run.py for what each means.
RUN = ("python", "console", "sh", "json", "jython")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code.

    Attributes
    ----------
    language
        Its first word.
    line
        Number of its first line on the page, from 1.
    text
        What is in it.
    """

    language: str
    line: int
    text: str


def pages() -> list[Path]:
    """Return all pages."""
    return sorted(DOCS.rglob("*.md"))


def page(name: str) -> Path:
    """Return the one page of that file name, wherever it is."""
    (found,) = DOCS.rglob(name)
    return found


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; directives of Sphinx are none."""
    lines = path.read_text("utf-8").splitlines()
    start, fence, language, indent = 0, "", "", 0
    for number, line in enumerate(lines):
        match = re.match(r"( *)(`{3,}|~{3,})(.*)$", line)
        if not fence and match:
            indent, fence, language = len(match[1]), match[2], match[3].strip()
            start = number + 1
        elif fence and match and match[2] == fence and not match[3].strip():
            if not language.startswith("{"):
                text = "".join(f"{each[indent:]}\n" for each in lines[start:number])
                yield Block((language.split() or [""])[0], start + 1, text)
            fence = ""
    assert not fence, f"{path}: a block that does not end, from line {start}"
