"""How many products have which value, at the side; choosing some narrows the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from skypool.tui.text import cell, fitted

__all__ = ["FEW", "KEYS", "MANY", "FacetList"]

#: Keys that are counted, where products have them.
KEYS = (
    "kind", "telescope", "instrument", "band", "obs_mode", "object", "product_type", "proposal",
    "type", "tags",
)  # fmt: skip
#: Values shown of a key, and once more are asked for.
FEW, MANY = 6, 60


class FacetList(OptionList):
    """Keys with their values and numbers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
        Binding("space", "select", "choose", show=False),
    ]
    DEFAULT_CSS = """
    FacetList {
        width: 30; height: 1fr; border: none; padding: 0 1 0 0; background: $surface;
        scrollbar-size-vertical: 1;
    }
    FacetList:focus { border: none; }
    """

    class Chosen(Message):
        """A value was chosen, or not any more."""

        def __init__(self, key: str, value: Any) -> None:
            super().__init__()
            self.key, self.value = key, value

    class More(Message):
        """More values of a key are wanted, or fewer."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, **options: Any) -> None:
        super().__init__(compact=True, **options)
        self._what: list[tuple[str, Any, bool]] = []

    def show(
        self, facets: Mapping[str, Any], chosen: Mapping[str, Sequence[Any]], wide: set[str]
    ) -> None:
        """Show numbers.

        Parameters
        ----------
        facets
            For each key how many have which value.
        chosen
            Values that are chosen.
        wide
            Keys of which many values are shown.
        """
        at = self.highlighted
        before = self._what[at][:2] if at is not None and at < len(self._what) else None
        self._what = []
        options: list[Option] = []
        width = max(12, self.size.width - 3)
        for key, facet in facets.items():
            picked = chosen.get(key, ())
            if not picked and facet.different + bool(facet.missing) < 2:
                continue  # what all have tells nothing
            self._add(options, key, facet, picked, key in wide, width)
        self.clear_options()
        self.add_options(options)
        places = [n for n, what in enumerate(self._what) if what[:2] == before]
        self.highlighted = places[0] if places else (0 if options else None)

    def _add(
        self,
        options: list[Option],
        key: str,
        facet: Any,
        picked: Sequence[Any],
        is_wide: bool,
        width: int,
    ) -> None:
        unit = f" [{facet.unit}]" if facet.unit else ""
        more = facet.different > FEW
        note = ("−" if is_wide else f"+{facet.different - FEW:,}") if more else ""
        title = Text(fitted(f"{key}{unit}", width - len(note)) + note, "bold", no_wrap=True)
        options.append(Option(title))
        self._what.append((key, None, True))
        values = {value: count for value, count in facet.items() if value is not None}
        if facet.missing and key != "tags":
            values[None] = facet.missing
        for value in picked:
            values.setdefault(value, 0)
        for value, count in values.items():
            mark = "■" if value in picked else "□"
            number = f"{count:,}"
            text = "(none)" if value is None else cell(value)
            line = f"{mark} {fitted(text, max(3, width - len(number) - 3))} {number}"
            options.append(Option(Text(line, "bold" if value in picked else "", no_wrap=True)))
            self._what.append((key, value, False))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose a value, or show more of a key."""
        event.stop()
        key, value, is_title = self._what[event.option_index]
        self.post_message(self.More(key) if is_title else self.Chosen(key, value))
