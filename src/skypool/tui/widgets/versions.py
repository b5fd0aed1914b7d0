"""Versions of a product, and how it came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from skypool.tui import sheets
from skypool.tui.widgets.grid import Grid
from skypool.tui.widgets.page import Page

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["AboutPage", "VersionsPage"]


class VersionsPage(Page):
    """The versions of a product, and what differs between two of them."""

    title = "Versions"
    DEFAULT_CSS = """
    VersionsPage Grid { height: 40%; min-height: 4; }
    VersionsPage VerticalScroll { height: 1fr; border-top: solid $panel; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "open this version", show=False),
        Binding("b", "base", "compare with this one", show=False),
    ]

    class Compare(Message):
        """Two versions are to be compared; the answer comes to `differ`."""

        def __init__(self, page: VersionsPage, a: Ref, b: Ref) -> None:
            super().__init__()
            self.page, self.a, self.b = page, a, b

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._versions: list[Ref] = []
        self._base: Ref | None = None

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(
            "only differences    b: compare with this one    B: blink    Enter: open it",
            classes="note",
        )
        yield Grid()
        with VerticalScroll():
            yield Static("", id="difference")

    def load(self, ref: Ref) -> Any:
        """Read the versions."""
        return sheets.versions(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show them."""
        self._versions = [version for version, _ in found]
        self._base = None
        titles = ("version", "saved (UTC)", "author", "size", "tags", "message")
        rows = sheets.ListRows(titles, [cells for _, cells in found])
        place = self._versions.index(ref) if ref in self._versions else 0
        self.query_one(Grid).show(rows, cursor=place)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Compare the version with the one before it, or with the chosen one."""
        event.stop()
        self.compare()

    def compare(self) -> None:
        """Ask for what differs."""
        place = self.query_one(Grid).cursor
        if not self._versions:
            return
        b = self._versions[place]
        before = self._versions[place + 1] if place + 1 < len(self._versions) else None
        a = self._base or before
        if a is None or a == b:
            self.differ(b, ["the first version" if a is None else "compared with itself"])
            return
        self.post_message(self.Compare(self, a, b))

    def differ(self, b: Ref, lines: list[str]) -> None:
        """Show what differs, if that is still the version on which the cursor is."""
        place = self.query_one(Grid).cursor
        if place >= len(self._versions) or self._versions[place] != b:
            return
        styles = {"+": "green", "-": "red", "~": "yellow"}
        text = Text()
        for line in lines:
            text.append(line + "\n", styles.get(line[:1], "bold" if line is lines[0] else ""))
        self.query_one("#difference", Static).update(text)

    def action_base(self) -> None:
        """Compare others with this version."""
        if self._versions:
            self._base = self._versions[self.query_one(Grid).cursor]
            self.compare()

    def base_of(self, ref: Ref) -> Ref | None:
        """Return what a version is compared with: the chosen one, else the one before or after."""
        if self._base is not None and self._base.track == ref.track and self._base != ref:
            return self._base
        listed = list(ref.versions)
        place = next((n for n, one in enumerate(listed) if one.number == ref.number), 0)
        others = listed[:place][::-1] or listed[place + 1 :]
        return next((one for one in others if not one.purged), None)

    def action_go(self) -> None:
        """Show this version in all pages."""
        if self._versions:
            self.post_message(self.Went(self._versions[self.query_one(Grid).cursor]))


class AboutPage(Page):
    """What it is, where it is stored, what refers to it, how it came to be."""

    title = "About"
    DEFAULT_CSS = "AboutPage VerticalScroll { height: 1fr; padding: 0 1; }"

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with VerticalScroll():
            yield Static("", id="sections")

    def load(self, ref: Ref) -> Any:
        """Read it."""
        return sheets.about(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show it."""
        text = Text()
        for title, lines in found:
            text.append(f"{title}\n", "bold")
            for line in lines:
                text.append(f"  {line}\n")
            text.append("\n")
        self.query_one("#sections", Static).update(text)
