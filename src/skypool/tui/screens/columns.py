"""Choosing the columns of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

__all__ = ["Columns"]

_MOST = 400


class Columns(ModalScreen[tuple[str, ...] | None]):
    """Choose columns, and their order.

    Parameters
    ----------
    chosen
        The columns as they are.
    known
        Keys that there are, with a word about each.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("enter", "done", "done", priority=True),
        Binding("tab", "take", "take or leave", priority=True),
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
        Binding("ctrl+up,shift+up", "shift(-1)", "earlier", priority=True),
        Binding("ctrl+down,shift+down", "shift(1)", "later", priority=True),
        Binding("ctrl+r", "usual", "usual ones", priority=True),
    ]
    DEFAULT_CSS = """
    Columns { align: center middle; }
    Columns > Vertical {
        width: 72; max-width: 96%; height: 80%; border: round $accent; background: $surface;
        padding: 0 2;
    }
    Columns .title { text-style: bold; height: 1; }
    Columns .note { color: $text-muted; height: auto; }
    Columns Input { border: none; height: 1; background: $boost; padding: 0 1; }
    Columns OptionList { height: 1fr; border: none; background: $surface; }
    """

    def __init__(
        self, chosen: Sequence[str], known: Mapping[str, str], usual: Sequence[str]
    ) -> None:
        super().__init__()
        self._chosen = list(chosen)
        self._known = known
        self._usual = list(usual)
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            yield Static("Columns", classes="title")
            yield Input(placeholder="part of a key", compact=True)
            yield OptionList(compact=True)
            yield Static(
                "Tab: take or leave   Shift+up, Shift+down: earlier, later   "
                "Ctrl+r: the usual ones   Enter: done   Esc: as before",
                classes="note",
            )

    def on_mount(self) -> None:
        """Show the keys."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self._fill()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show keys with that in them."""
        event.stop()
        self._fill()

    def _fill(self, at: str = "") -> None:
        wanted = self.query_one(Input).value.casefold().strip()
        others = [key for key in self._known if key not in self._chosen]
        keys = [key for key in [*self._chosen, *others] if wanted in key.casefold()][:_MOST]
        listed = self.query_one(OptionList)
        before = at or self._at()
        listed.clear_options()
        for key in keys:
            line = Text("■ " if key in self._chosen else "□ ")
            line.append(key, "bold" if key in self._chosen else "")
            line.append(f"  {self._known.get(key, '')}", "dim")
            listed.add_option(Option(line))
        self._shown = keys
        if keys:
            listed.highlighted = keys.index(before) if before in keys else 0

    def _at(self) -> str:
        place = self.query_one(OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take or leave what was clicked."""
        event.stop()
        self.action_take()

    def action_move(self, step: int) -> None:
        """Go up or down."""
        listed = self.query_one(OptionList)
        listed.action_cursor_down() if step > 0 else listed.action_cursor_up()

    def action_take(self) -> None:
        """Take a column, or leave it."""
        key = self._at()
        if key in self._chosen:
            self._chosen.remove(key)
        elif key:
            self._chosen.append(key)
        self._fill(key)

    def action_shift(self, step: int) -> None:
        """Put a column earlier or later."""
        key = self._at()
        if key in self._chosen:
            place = self._chosen.index(key)
            self._chosen.insert(max(0, place + step), self._chosen.pop(place))
            self._fill(key)

    def action_usual(self) -> None:
        """Take the columns that are shown where nothing was chosen."""
        self._chosen = list(self._usual)
        self._fill()

    def action_done(self) -> None:
        """Give the columns back."""
        self.dismiss(tuple(self._chosen) or tuple(self._usual))
