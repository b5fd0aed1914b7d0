"""Metadata of a product and headers of its file, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from skypool.tui import sheets
from skypool.tui.widgets.grid import Grid, NoRows
from skypool.tui.widgets.page import Page

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["HeaderPage", "MetadataPage"]


class _Listed(Page):
    """A page with a grid and a line that filters it."""

    DEFAULT_CSS = "_Listed Grid { height: 1fr; }"
    hint: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "type", "filter these", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Input(placeholder=f"i  {self.hint}", compact=True)
        yield Grid()

    @property
    def grid(self) -> Grid:
        """The grid."""
        return self.query_one(Grid)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show those that have the words in them."""
        event.stop()
        self.narrow(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the rows."""
        event.stop()
        self.grid.focus()

    def narrow(self, text: str) -> None:
        """Show the rows with some words in them."""
        raise NotImplementedError

    def action_type(self) -> None:
        """Go to the line that filters."""
        self.query_one(Input).focus()


def _fits(cells: tuple[str, ...], text: str) -> bool:
    line = " ".join(cells).casefold()
    return all(word in line for word in text.casefold().split())


class MetadataPage(_Listed):
    """Parameters of the product and of its datasets."""

    title = "Metadata"
    hint = "part of a name, value or description    Enter: use as filter    c: use as column"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "use", "use as filter", show=False),
        Binding("c", "column", "use as column", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._all: list[sheets.MetaRow] = []
        self._shown: list[sheets.MetaRow] = []

    def load(self, ref: Ref) -> Any:
        """Read the metadata."""
        return sheets.metadata(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show them."""
        self._all = found
        self.narrow(self.query_one(Input).value)

    def narrow(self, text: str) -> None:
        """Show those with some words in them."""
        self._shown = [row for row in self._all if _fits(row.cells, text)]
        rows = [row.cells for row in self._shown]
        titles = ("name", "value", "unit", "description")
        self.grid.show(sheets.ListRows(titles, rows), cursor=self.grid.cursor)

    def _row(self) -> sheets.MetaRow | None:
        return self._shown[self.grid.cursor] if self._shown else None

    def action_use(self) -> None:
        """Search for products that have the same value."""
        row = self._row()
        if row is not None:
            self.post_message(self.Filter(row.query))

    def action_column(self) -> None:
        """Show the value of all results."""
        row = self._row()
        if row is not None:
            self.post_message(self.Column(row.name))


class HeaderPage(_Listed):
    """The headers of a FITS file, card by card."""

    title = "Header"
    hint = "part of a keyword, value or comment    [ ]: other HDUs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("[", "hdu(-1)", "HDU before", show=False),
        Binding("]", "hdu(1)", "next HDU", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._hdus: list[tuple[str, list[tuple[str, str, str]]]] = []
        self._number = 0

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static("", classes="note", id="hdu")
        yield from super().compose()

    def load(self, ref: Ref) -> Any:
        """Read the headers."""
        return sheets.headers(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show the first, or the one of the same number as before."""
        self._hdus = found
        self._number = min(self._number, max(0, len(found) - 1))
        self.narrow(self.query_one(Input).value)

    def narrow(self, text: str) -> None:
        """Show the cards with some words in them."""
        shown = self.query_one("#hdu", Static)
        if not self._hdus:
            shown.update("no FITS file: what was made in memory has metadata, and no header")
            self.grid.show(NoRows())
            return
        line = Text(no_wrap=True)
        for number, (title, _) in enumerate(self._hdus):
            line.append(f" {title} ", "reverse" if number == self._number else "")
        shown.update(line)
        cards = [card for card in self._hdus[self._number][1] if _fits(card, text)]
        self.grid.show(sheets.ListRows(("keyword", "value", "comment"), cards))

    def action_hdu(self, step: int) -> None:
        """Show another HDU."""
        if self._hdus:
            self._number = (self._number + step) % len(self._hdus)
            self.narrow(self.query_one(Input).value)
