"""The four ways in of HIPE's Product Browser, as forms."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TabbedContent, TabPane

from skypool.tui.completion import problem
from skypool.tui.presets import PRESETS, Preset, query_of

__all__ = ["Presets"]


class Presets(ModalScreen[str | None]):
    """Fill in a form; the query that it makes is shown, and given back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("ctrl+right", "turn(1)", "next form", priority=True),
        Binding("ctrl+left", "turn(-1)", "form before", priority=True),
        Binding("ctrl+r", "reset", "empty the fields", priority=True),
        Binding("down", "app.focus_next", "down", show=False),
        Binding("up", "app.focus_previous", "up", show=False),
    ]
    DEFAULT_CSS = """
    Presets { align: center middle; }
    Presets > Vertical {
        width: 84; max-width: 96%; height: 22; max-height: 96%; border: round $accent;
        background: $surface; padding: 0 2;
    }
    Presets .field { height: 1; margin: 0; }
    Presets .field Static { width: 18; color: $text-muted; }
    Presets Input { border: none; height: 1; width: 1fr; background: $boost; padding: 0 1; }
    Presets TabbedContent { height: 1fr; }
    Presets #made { height: 3; margin: 1 0 0 0; }
    Presets .note { color: $text-muted; height: auto; }
    """

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        #: Number of the form on the screen.
        self.number = first if 0 <= first < len(PRESETS) else 0

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical():
            with TabbedContent(initial=f"way-{self.number}"):
                for number, preset in enumerate(PRESETS):
                    with TabPane(preset.title, id=f"way-{number}"), VerticalScroll(can_focus=False):
                        for place, field in enumerate(preset.fields):
                            with Horizontal(classes="field"):
                                yield Static(field.label)
                                yield Input(
                                    placeholder=field.hint, compact=True, id=f"f{number}-{place}"
                                )
            yield Static("", id="made", markup=False)
            yield Static(
                "Enter: search   Ctrl+←, Ctrl+→: other forms   Ctrl+r: empty   Esc: leave",
                classes="note",
            )

    def on_mount(self) -> None:
        """Begin in the first field."""
        self._begin()

    @property
    def preset(self) -> Preset:
        """The form on the screen."""
        return PRESETS[self.number]

    def _field(self, place: int) -> Input:
        return self.query_one(f"#f{self.number}-{place}", Input)

    @property
    def query_text(self) -> str:
        """What the form asks."""
        values = {
            field.name: self._field(place).value for place, field in enumerate(self.preset.fields)
        }
        return query_of(self.preset, values)

    def _begin(self) -> None:
        self._field(0).focus()
        self._tell()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Begin in the first field of the form."""
        event.stop()
        self.number = int((event.pane.id or "way-0").removeprefix("way-"))
        self._begin()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the query."""
        event.stop()
        self._tell()

    def _tell(self) -> None:
        query = self.query_text
        error = problem(query)
        text = Text(query or "everything", "bold" if query else "dim")
        if error is not None:
            text.append(f"\n{error.message}", "red")
        self.query_one("#made", Static).update(text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search, if the query can be understood."""
        event.stop()
        if problem(self.query_text) is None:
            self.dismiss(self.query_text)

    def action_turn(self, step: int) -> None:
        """Show another form."""
        number = (self.number + step) % len(PRESETS)
        self.query_one(TabbedContent).active = f"way-{number}"

    def action_reset(self) -> None:
        """Empty the fields."""
        for place in range(len(self.preset.fields)):
            self._field(place).value = ""
