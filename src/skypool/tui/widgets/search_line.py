"""The line in which a query is typed, with completion and errors in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from skypool.errors import QueryError
from skypool.tui.completion import Completion, Known, complete, problem

__all__ = ["QueryInput", "SearchLine"]

_PROMPT = 2
_SHOWN = 8
_EXAMPLE = (
    "instrument == 'SPIRE' and covers('13:25:27 -43:01:09')      Tab completes, Enter searches"
)


class QueryInput(Input):
    """The input itself; keys go to the list of completions while that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+u", "delete_left_all", "clear", show=False),
    ]

    def __init__(self, line: SearchLine) -> None:
        super().__init__(placeholder=_EXAMPLE, id="query", select_on_focus=False, compact=True)
        self._line = line

    async def _on_key(self, event: events.Key) -> None:
        if self._line.handle(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    def on_blur(self) -> None:
        """Close the completions."""
        self._line.close()


class SearchLine(Vertical):
    """Prompt, input, what is wrong with the query, and ways to go on."""

    DEFAULT_CSS = """
    SearchLine { height: auto; }
    SearchLine #prompt { width: 2; color: $accent; text-style: bold; }
    SearchLine #row { height: 1; background: $boost; }
    SearchLine #query { width: 1fr; background: $boost; border: none; height: 1; padding: 0; }
    SearchLine #problem { height: auto; max-height: 4; color: $error; display: none; }
    SearchLine #ways {
        display: none; overlay: screen; constrain: none inside; width: 60; height: auto;
        max-height: 12; border: round $accent; padding: 0 1; background: $surface;
    }
    """

    class Asked(Message):
        """The query is to be asked."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The user is done with the line."""

    def __init__(self, known: Callable[[], Known], **options: Any) -> None:
        super().__init__(**options)
        self._known = known
        self._completion: Completion | None = None
        self._moved = False

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Horizontal(id="row"):
            yield Static("/ ", id="prompt")
            yield QueryInput(self)
        yield Static("", id="problem")
        yield OptionList(id="ways")

    @property
    def input(self) -> QueryInput:
        """The input."""
        return self.query_one(QueryInput)

    @property
    def ways(self) -> OptionList:
        """The list of completions."""
        return self.query_one("#ways", OptionList)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.input.value

    def set_text(self, text: str) -> None:
        """Put a text in, as if it had been asked."""
        with self.input.prevent(Input.Changed):
            self.input.value = text
            self.input.cursor_position = len(text)
        self.close()
        self.blame(problem(text))

    # -- what is wrong

    def blame(self, error: Exception | None) -> None:
        """Show what is wrong with the query, below its place."""
        shown = self.query_one("#problem", Static)
        shown.display = error is not None
        if error is None:
            shown.update("")
            return
        message = str(getattr(error, "message", error))
        hint = getattr(error, "hint", "")
        near = getattr(error, "candidates", ())
        if near:
            message += f"; did you mean {' or '.join(near[:4])}?"
        elif hint:
            message += f"; {hint}"
        column = error.column if isinstance(error, QueryError) else 0
        if not column:
            shown.update(Text(f"  {message}"))
            return
        place = max(0, _PROMPT + column - 1 - int(self.input.scroll_offset.x))
        if place + len(message) + 2 <= self.size.width or place < self.size.width // 2:
            shown.update(Text(f"{' ' * place}▲ {message}"))
        else:
            shown.update(Text(f"{' ' * place}▲\n  {message}"))

    # -- completion

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look at what is typed."""
        event.stop()
        self.complete()
        # A word that can be completed is not wrong yet.
        self.blame(None if self.ways.display else problem(event.value))

    def complete(self) -> None:
        """Show the ways to go on, if the line has the focus."""
        if not self.input.has_focus:
            return
        found = complete(self.text, self.input.cursor_position, self._known())
        self._completion, self._moved = found, False
        ways = self.ways
        ways.clear_options()
        # Without anything typed everything would be offered: only when asked by Tab.
        if not found.items or (found.start == found.end and not self._after_operator(found)):
            ways.display = False
            return
        ways.add_options([Option(self._line_of(item)) for item in found.items])
        ways.highlighted = 0
        ways.styles.offset = (min(_PROMPT + found.start, max(0, self.size.width - 62)), 0)
        ways.display = True

    def _after_operator(self, found: Completion) -> bool:
        return found.items[0].kind in ("value", "tag")

    def _line_of(self, item: Any) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(item.text, "bold" if item.kind in ("key", "value", "tag") else "")
        line.append(f"  {item.detail}", "dim")
        return line

    def close(self) -> None:
        """Close the list."""
        if self.ways.display:
            self.ways.display = False
            self.blame(problem(self.text))
        self._completion = None

    def handle(self, key: str) -> bool:
        """Take a key; return whether it was for the list, or for leaving."""
        ways = self.ways
        is_open = bool(ways.display)
        if key in ("down", "up") and is_open:
            self._moved = True
            ways.action_cursor_down() if key == "down" else ways.action_cursor_up()
        elif key == "tab":
            self._tab()
        elif key == "enter" and is_open and self._moved:
            self._accept()
        elif key == "enter":
            self.close()
            self.post_message(self.Asked(self.text))
        elif key == "escape" and is_open:
            self.close()
        elif key == "escape" or (key == "down" and not is_open):
            self.post_message(self.Left())
        else:
            return False
        return True

    def _tab(self) -> None:
        if self.ways.display:
            self._accept()
            return
        found = complete(self.text, self.input.cursor_position, self._known())
        if found.items:
            self._completion = found
            self.ways.clear_options()
            self.ways.add_options([Option(self._line_of(item)) for item in found.items])
            self.ways.highlighted = 0
            self.ways.display = True

    def _accept(self) -> None:
        found, place = self._completion, self.ways.highlighted
        if found is None or place is None or place >= len(found.items):
            return
        item = found.items[place]
        text = item.text
        before, after = self.text[: found.start], self.text[found.end :]
        closed = after[:1] == text[-1:] and text[-1:] in "'\""
        after = after[1:] if closed else after
        # A space behind a word, so that the next one is offered at once.
        if not after and item.kind in ("key", "word", "value", "tag") and text[-1] not in "[(":
            text += ")" if item.kind == "tag" else " "
        self.close()
        self.input.value = before + text + after
        self.input.cursor_position = len(before) + len(text)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take a completion that was clicked."""
        event.stop()
        self._accept()
        self.input.focus()
