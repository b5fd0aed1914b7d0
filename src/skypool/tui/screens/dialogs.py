"""Questions to the user: a text, yes or no, columns; and help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from skypool.tui.text import clean

__all__ = ["Ask", "Choose", "Code", "Confirm", "Help"]

_CSS: Final = """
    {name} {{ align: center middle; }}
    {name} > * {{
        width: {width}; max-width: 96%; height: auto; max-height: 90%;
        border: round $accent; background: $surface; padding: 0 2;
    }}
    {name} .title {{ text-style: bold; height: auto; margin: 0 0 1 0; }}
    {name} .note {{ color: $text-muted; height: auto; margin: 1 0 0 0; }}
    {name} Input {{ border: none; height: 1; background: $boost; padding: 0 1; }}
"""


class Ask(ModalScreen[str | None]):
    """Ask for a text.

    Parameters
    ----------
    title
        What is asked.
    value
        What is there already.
    note
        How it is written.
    known
        Texts that are completed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]
    DEFAULT_CSS = _CSS.format(name="Ask", width=72)

    def __init__(
        self, title: str, value: str = "", note: str = "", known: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._title, self._value, self._note, self._known = title, value, note, known

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            suggester = SuggestFromList(self._known, case_sensitive=False) if self._known else None
            yield Input(self._value, suggester=suggester, compact=True)
            yield Static(
                f"{self._note}  Enter: go on  Esc: leave it".strip(), classes="note", markup=False
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text back."""
        self.dismiss(event.value)


class Choose(ModalScreen[str | None]):
    """Choose one of several.

    Parameters
    ----------
    title
        What is chosen.
    entries
        Names, and a line about each.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "cancel"),
        Binding("j", "move('down')", "down", show=False),
        Binding("k", "move('up')", "up", show=False),
    ]
    DEFAULT_CSS = _CSS.format(name="Choose", width=84) + "Choose OptionList { max-height: 60vh; }"

    def __init__(self, title: str, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._entries = title, entries

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            options = []
            for name, about in self._entries:
                line = Text(no_wrap=True, overflow="ellipsis")
                line.append(clean(name), "bold")
                line.append(f"  {clean(about)}", "dim")
                options.append(Option(line))
            yield OptionList(*options, compact=True)
            yield Static("Enter: take it    Esc: leave", classes="note")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the name back."""
        event.stop()
        self.dismiss(self._entries[event.option_index][0])

    def action_move(self, way: str) -> None:
        """Go up or down."""
        getattr(self.query_one(OptionList), f"action_cursor_{way}")()


class Confirm(ModalScreen[bool]):
    """Ask whether to do something."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "dismiss(True)", "yes"),
        Binding("n,escape", "dismiss(False)", "no"),
    ]
    DEFAULT_CSS = _CSS.format(name="Confirm", width=64)

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._text, markup=False)
            yield Static("y or Enter: do it    n or Esc: leave it", classes="note", markup=False)


class Help(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "close")]
    DEFAULT_CSS = _CSS.format(name="Help", width=86)

    def __init__(self, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        """Make the parts."""
        text = Text()
        for title, keys in self._sections:
            text.append(f"{title}\n", "bold")
            for key, what in keys:
                text.append(f"  {key:<14}", "bold cyan")
                text.append(f"{what}\n")
            text.append("\n")
        with VerticalScroll():
            yield Static(text)

    def on_mount(self) -> None:
        """Let the keys scroll."""
        self.query_one(VerticalScroll).focus()


class Code(ModalScreen[None]):
    """The search, and what was done, as code for copying."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "close"),
        Binding("y,enter", "copy", "copy"),
    ]
    DEFAULT_CSS = _CSS.format(name="Code", width=100) + "Code OptionList { max-height: 60vh; }"

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._entries = entries

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            yield Static("The same, elsewhere", classes="title")
            options = []
            for title, code in self._entries:
                line = Text()
                line.append(f"{title}\n", "dim")
                line.append(code)
                options.append(Option(line))
            yield OptionList(*options, compact=True)
            yield Static(
                "y or Enter: copy to the clipboard of your terminal    Esc: close", classes="note"
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Copy what was chosen."""
        event.stop()
        self.action_copy()

    def action_copy(self) -> None:
        """Copy what is chosen."""
        place = self.query_one(OptionList).highlighted
        if place is not None:
            title, code = self._entries[place]
            self.app.copy_to_clipboard(code)
            self.app.notify(f"copied: {title}", markup=False)
            self.dismiss()
