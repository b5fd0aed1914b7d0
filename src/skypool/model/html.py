"""HTML of objects for notebooks: escaped, and never larger than its bounds.

Names and values come from files of anybody: they become text, never elements or attributes.
Nothing is loaded from elsewhere, and no script is in it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

__all__ = ["MOST_BYTES", "MOST_NODES", "Page", "clipped", "escaped", "shares", "size_text"]

MOST_BYTES = 50_000
MOST_NODES = 100
# What the frame and the lines "... more" may still need after the last entry.
_RESERVED_BYTES = 2_000
_NAME = 80
_TEXT = 160

_UNPRINTABLE = re.compile(
    # Controls, marks that turn the direction of text, and halves of characters (odd file names).
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe"
    "\uffff\u061c\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")

# Colours are those of the notebook's theme where it tells them, else follow the system.
_CSS = """\
.skypool-view{--a:#fff;--f:#1f2328;--m:#59636e;--l:#d1d9e0;--g:#1a7f37;--r:#b3261e;--y:#7a5200}
@media(prefers-color-scheme:dark){.skypool-view{--a:#111418;--f:#e6edf3;--m:#9da7b3;--l:#3d444d;\
--g:#56d364;--r:#ff8f87;--y:#e3b341}}
[data-jp-theme-light=true] .skypool-view,.vscode-light .skypool-view,[data-theme=light] \
.skypool-view{--a:#fff;--f:#1f2328;--m:#59636e;--l:#d1d9e0;--g:#1a7f37;--r:#b3261e;--y:#7a5200}
[data-jp-theme-light=false] .skypool-view,.vscode-dark .skypool-view,[data-theme=dark] \
.skypool-view{--a:#111418;--f:#e6edf3;--m:#9da7b3;--l:#3d444d;--g:#56d364;--r:#ff8f87;--y:#e3b341}
.skypool-view{background:var(--jp-layout-color0,var(--vscode-editor-background,var(--a)));\
color:var(--jp-content-font-color0,var(--vscode-editor-foreground,var(--f)));\
font:13px/1.45 var(--jp-content-font-family,system-ui,sans-serif);max-width:70em;padding:.2em .4em}
.skypool-view p{margin:.1em 0}
.skypool-view summary{cursor:pointer;color:var(--m);margin:.3em 0 .1em}
.skypool-view dl{display:grid;grid-template-columns:minmax(6em,max-content) 1fr;\
gap:0 1.2em;margin:0 0 0 1.1em}
.skypool-view dt{font-weight:600;overflow-wrap:anywhere}
.skypool-view dd{margin:0;overflow-wrap:anywhere}
.skypool-view dt.added{color:var(--g)}
.skypool-view dt.removed{color:var(--r)}
.skypool-view dt.changed{color:var(--y)}
.skypool-view .more{color:var(--m)}
.skypool-view table{border-collapse:collapse;margin:.3em 0;color:inherit;font:inherit}
.skypool-view th,.skypool-view td{text-align:left;padding:.1em .9em .1em 0;border:0;\
border-bottom:1px solid var(--l);background:none;color:inherit;overflow-wrap:anywhere}
"""
_CLASSES = frozenset({"added", "removed", "changed"})


def clipped(text: object, most: int = _TEXT) -> str:
    """Return a text on one line, with its unprintable characters written out, at most so long."""
    # Of a long text only the start is looked at.
    shown = _SPACES.sub(" ", str(text)[: 4 * most]).strip()
    shown = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def escaped(text: object, most: int = _TEXT) -> str:
    """Return a text of anybody as text of HTML, at most so many characters of it."""
    return html.escape(clipped(text, most))


def size_text(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """Divide room among sections: what one does not need, others get.

    Parameters
    ----------
    wanted
        How many entries each section has.
    room
        How many there is room for.

    Returns
    -------
    list of int
        How many entries of each are shown.
    """
    given = [0] * len(wanted)
    while room > 0:
        hungry = [place for place, number in enumerate(wanted) if given[place] < number]
        if not hungry:
            break
        each = max(1, room // len(hungry))
        for place in hungry:
            more = min(each, wanted[place] - given[place], room)
            given[place] += more
            room -= more
    return given


class Page:
    """The HTML of one object: a title, and sections of entries or a table.

    What there is no room for is counted, and a hint says how to see it.

    Parameters
    ----------
    title
        What the object is.
    *facts
        Short texts behind the title.
    """

    def __init__(self, title: object, *facts: object) -> None:
        self._parts: list[str] = []
        self._nodes = 0
        self._bytes = 0
        behind = " &middot; ".join(
            escaped(fact) for fact in facts if str(fact) not in ("", "Unknown")
        )
        # `mathjax_ignore`: dollar signs in data are no formulas.
        self._put('<div class="skypool-view tex2jax_ignore mathjax_ignore">', 1)
        self._put(f"<style>{_CSS}</style>", 1)
        self._put(f'<p><b>{escaped(title)}</b> <span class="more">{behind}</span></p>', 3)

    @property
    def room(self) -> int:
        """How many more entries of two elements there is room for."""
        return (MOST_NODES - self._nodes) // 2

    def _put(self, text: str, nodes: int) -> None:
        self._parts.append(text)
        self._nodes += nodes
        self._bytes += len(text.encode())

    def _fits(self, text: str, nodes: int) -> bool:
        return (
            self._nodes + nodes <= MOST_NODES
            and self._bytes + len(text.encode()) <= MOST_BYTES - _RESERVED_BYTES
        )

    def note(self, text: object) -> None:
        """Add a line of text."""
        line = _line(text)
        if self._fits(line, 1):
            self._put(line, 1)

    def entries(
        self,
        heading: str,
        rows: Iterable[tuple[str, str, str]],
        total: int,
        hint: str = "",
        most: int | None = None,
        *,
        shut: bool = False,
    ) -> None:
        """Add a section of names with texts, which can be folded.

        Parameters
        ----------
        heading
            What the entries are.
        rows
            Name, text, and `added`, `removed`, `changed` or nothing; no more are taken than
            are shown.
        total
            How many there are.
        hint
            How to see those that are left out.
        most
            How many to show at most.
        shut
            Folded at first.
        """
        if not total:
            return
        # The section has three elements, the line about the rest one more.
        room = min(total, (MOST_NODES - self._nodes - 4) // 2, total if most is None else most)
        state = "" if shut else " open"
        count = f" ({total:,})" if total > 1 else ""
        start = f"<details{state}><summary>{escaped(heading)}{count}</summary><dl>"
        if room < 1 or not self._fits(start, 3):
            self.note(f"{heading}: {total:,}{_advice(hint)}")
            return
        self._put(start, 3)
        shown = 0
        for name, text, state in rows:
            mark = f' class="{state}"' if state in _CLASSES else ""
            line = f"<dt{mark}>{escaped(name, _NAME)}</dt><dd>{escaped(text)}</dd>"
            if shown == room or not self._fits(line, 2):
                break
            self._put(line, 2)
            shown += 1
        self._put("</dl>", 0)
        if shown < total:
            self._put(_line(_rest(total - shown, hint)), 1)
        self._put("</details>", 0)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        total: int,
        hint: str = "",
    ) -> None:
        """Add a table; columns and rows beyond the bounds are left out and counted.

        Parameters
        ----------
        columns
            Headings.
        rows
            Values as text; no more are taken than are shown.
        total
            How many rows there are.
        hint
            How to see those that are left out.
        """
        head = "".join(f"<th>{escaped(name, _NAME)}</th>" for name in columns)
        nodes = 1 + len(columns)
        if not self._fits(head, nodes + 2):
            return
        self._put(f"<table><tr>{head}</tr>", nodes + 1)
        shown = 0
        for row in rows:
            cells = "".join(f"<td>{escaped(value, _NAME)}</td>" for value in row)
            line = f"<tr>{cells}</tr>"
            if shown == total or not self._fits(line, nodes + 1):
                break
            self._put(line, nodes)
            shown += 1
        self._put("</table>", 0)
        if shown < total:
            self._put(_line(_rest(total - shown, hint)), 1)

    def html(self) -> str:
        """Return all of it."""
        return "".join(self._parts) + "</div>"


def _line(text: object) -> str:
    return f'<p class="more">{escaped(text, 400)}</p>'


def _rest(number: int, hint: str) -> str:
    return f"... {number:,} more{_advice(hint)}"


def _advice(hint: str) -> str:
    return f": {hint}" if hint else ""
