"""A table of any number of rows, of which only those on the screen are loaded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from skypool.errors import SkypoolError
from skypool.tui.columns import Head
from skypool.tui.text import clean, fitted

__all__ = ["Grid", "NoRows", "Rows"]

_BLOCK: Final = 32
_BLOCKS_KEPT: Final = 24
_WIDEST: Final = 28
_WIDEST_NAME: Final = 56
_MARK: Final = 2


class Rows(Protocol):
    """What a grid shows."""

    @property
    def heads(self) -> Sequence[Head]:
        """The columns."""
        ...

    def __len__(self) -> int: ...

    def cells(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        """Return the texts of some rows."""
        ...


class _Trouble(tuple[str, ...]):
    """Why a row cannot be read, in place of its cells."""

    __slots__ = ()


class NoRows:
    """Nothing to show."""

    heads: Sequence[Head] = ()

    def __len__(self) -> int:
        return 0

    def cells(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        """Return nothing."""
        return []


class Grid(ScrollView, can_focus=True):
    """A table whose lines are drawn when they come on the screen.

    The first line, with the titles, stays. A page is a slice of the rows: it costs the same
    wherever it is.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--head",
        "grid--head-chosen",
        "grid--cursor",
        "grid--cursor-away",
        "grid--marked",
        "grid--odd",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("shift+down,J", "extend(1)", "extend", show=False),
        Binding("shift+up,K", "extend(-1)", "extend", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("home,g", "ends(0)", "first", show=False),
        Binding("end,G", "ends(1)", "last", show=False),
        Binding("left,h", "column(-1)", "column left", show=False),
        Binding("right,l", "column(1)", "column right", show=False),
    ]
    DEFAULT_CSS = """
    Grid {
        height: 1fr; width: 1fr; overflow-x: auto; overflow-y: auto;
        scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1;
    }
    Grid > .grid--head { background: $panel; color: $foreground; text-style: bold; }
    Grid > .grid--head-chosen { background: $primary-darken-1; color: $text; text-style: bold; }
    Grid > .grid--cursor { background: $primary; color: $text; }
    Grid > .grid--cursor-away { background: $primary 35%; }
    Grid > .grid--marked { background: $warning 25%; }
    Grid > .grid--odd { background: $foreground 3%; }
    """

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, grid: Grid) -> None:
            super().__init__()
            self.grid = grid

        @property
        def control(self) -> Grid:
            """The grid."""
            return self.grid

    class Opened(Moved):
        """A row was clicked twice."""

    class HeadClicked(Moved):
        """The title of a column was clicked; it is the chosen column now."""

    class Extended(Moved):
        """Rows were to be selected from one to another."""

        def __init__(self, grid: Grid, first: int, last: int) -> None:
            super().__init__(grid)
            self.first, self.last = first, last

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rows: Rows = NoRows()
        self.cursor = 0
        self.chosen = 0
        self.marked: Callable[[int], bool] | None = None
        self.empty = ""
        self._order: dict[str, bool] = {}
        self._widths: list[int] = []
        self._blocks: OrderedDict[int, Sequence[Sequence[str]]] = OrderedDict()

    # -- what is shown

    def show(self, rows: Rows, *, cursor: int = 0, order: Iterable[tuple[str, bool]] = ()) -> None:
        """Show other rows.

        Parameters
        ----------
        rows
            The rows.
        cursor
            Row of the cursor.
        order
            Keys by which they are sorted, and whether that is descending.
        """
        key = self.chosen_key
        self.rows = rows
        self._order = dict(order)
        self._blocks.clear()
        keys = [head.key for head in rows.heads]
        self.chosen = keys.index(key) if key in keys else 0
        self._measure()
        self.cursor = max(0, min(cursor, len(rows) - 1))
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self))

    def forget(self) -> None:
        """Read the rows on the screen again."""
        self._blocks.clear()
        self.refresh()

    def _measure(self) -> None:
        """Choose widths by the first rows; the last column gets what room is left."""
        room = self.scrollable_content_region.width
        read = self._cells_of(0, min(len(self.rows), 2 * _BLOCK))
        first = [row for row in read if not isinstance(row, _Trouble)]
        self._widths = []
        for place, head in enumerate(self.rows.heads):
            longest = max((cell_len(row[place]) for row in first), default=0)
            title = len(head.title) + (2 if head.key in self._order else 0)
            most = _WIDEST
            if head.middle:
                most = max(24, min(_WIDEST_NAME, room - 4 if room < 60 else room * 2 // 3))
            if place == len(self.rows.heads) - 1:
                most = max(most, room - _MARK - sum(self._widths) - len(self._widths))
            self._widths.append(min(most, max(3, longest, min(title, most))))
        width = sum(self._widths) + len(self._widths) + _MARK
        self.virtual_size = Size(width, len(self.rows) + 1)

    def _cells_of(self, start: int, stop: int) -> list[Sequence[str]]:
        return [self._row(place) for place in range(start, stop)]

    def _row(self, place: int) -> Sequence[str]:
        number = place // _BLOCK
        block = self._blocks.get(number)
        if block is None:
            start = number * _BLOCK
            block = self._read(start, min(len(self.rows), start + _BLOCK))
            self._blocks[number] = block
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block[place % _BLOCK]

    def _read(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        try:
            return self.rows.cells(start, stop)
        except SkypoolError as error:  # told in their place; others may be sound
            return [_Trouble((clean(error.message),))] * (stop - start)

    @property
    def chosen_key(self) -> str:
        """Key of the chosen column; empty where there are none."""
        heads = self.rows.heads
        return heads[self.chosen].key if self.chosen < len(heads) else ""

    @property
    def lines(self) -> int:
        """How many rows fit."""
        return max(1, self.scrollable_content_region.height - 1)

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        width = self.scrollable_content_region.width
        left, top = self.scroll_offset
        if y == 0:
            return self._head_line().crop_extend(left, left + width, self.rich_style)
        place = top + y - 1
        if place >= len(self.rows):
            text = self.empty if not len(self.rows) and y == 2 else ""
            return Strip([Segment(fitted("  " + text, width), self.rich_style)])
        style = self._row_style(place)
        mark = "▌ " if self._is_marked(place) else "  "
        row = self._row(place)
        if isinstance(row, _Trouble):
            return Strip([Segment(fitted(mark + row[0], width), style)])
        parts = [mark] + [
            fitted(text, size, head.right, head.middle) + " "
            for text, size, head in zip(row, self._widths, self.rows.heads, strict=True)
        ]
        return Strip([Segment("".join(parts), style)]).crop_extend(left, left + width, style)

    def _is_marked(self, place: int) -> bool:
        return self.marked is not None and self.marked(place)

    def _row_style(self, place: int) -> Style:
        name = ""
        if place == self.cursor:
            name = "grid--cursor" if self.has_focus else "grid--cursor-away"
        elif self._is_marked(place):
            name = "grid--marked"
        elif place % 2:
            name = "grid--odd"
        base = self.rich_style
        return base + self.get_component_rich_style(name) if name else base

    def _head_line(self) -> Strip:
        plain = self.rich_style + self.get_component_rich_style("grid--head")
        chosen = self.rich_style + self.get_component_rich_style("grid--head-chosen")
        segments = [Segment(" " * _MARK, plain)]
        for place, (head, width) in enumerate(zip(self.rows.heads, self._widths, strict=True)):
            arrow = {None: "", False: " ▲", True: " ▼"}[self._order.get(head.key)]
            title = fitted(head.title, max(1, width - len(arrow))).rstrip() + arrow
            style = chosen if place == self.chosen and self.has_focus else plain
            segments.append(Segment(fitted(title, width, head.right) + " ", style))
        line = Strip(segments)
        return line.extend_cell_length(
            max(line.cell_length, self.scrollable_content_region.width + self.scroll_offset.x),
            plain,
        )

    # -- moving

    def go(self, place: int) -> None:
        """Put the cursor on a row."""
        place = max(0, min(place, len(self.rows) - 1))
        if place == self.cursor:
            return
        self.cursor = place
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self))

    def _follow(self) -> None:
        """Bring the cursor on the screen."""
        top = self.scroll_offset.y
        if self.cursor < top:
            top = self.cursor
        elif self.cursor >= top + self.lines:
            top = self.cursor - self.lines + 1
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True, immediate=True)

    def _show_column(self) -> None:
        start = _MARK + sum(self._widths[: self.chosen]) + self.chosen
        stop = start + self._widths[self.chosen]
        left, width = self.scroll_offset.x, self.scrollable_content_region.width
        if start - _MARK < left or stop > left + width:
            wanted = 0 if self.chosen == 0 else max(0, min(start - _MARK, stop - width // 2))
            self.scroll_to(x=wanted, animate=False, force=True, immediate=True)

    def action_move(self, step: int) -> None:
        """Go up or down."""
        self.go(self.cursor + step)

    def action_extend(self, step: int) -> None:
        """Go up or down, and select what is passed."""
        first = self.cursor
        self.go(self.cursor + step)
        self.post_message(self.Extended(self, min(first, self.cursor), max(first, self.cursor)))

    def action_page(self, step: int) -> None:
        """Go a page up or down."""
        self.go(self.cursor + step * max(1, self.lines - 1))

    def action_ends(self, last: int) -> None:
        """Go to the first row, or to the last."""
        self.go(len(self.rows) - 1 if last else 0)

    def action_column(self, step: int) -> None:
        """Choose the column at the left or right."""
        if self._widths:
            self.chosen = max(0, min(self.chosen + step, len(self._widths) - 1))
            self._show_column()
            self.refresh()

    # -- the mouse

    def on_click(self, event: events.Click) -> None:
        """Choose a row or a column."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            column = self._column_at(offset.x + self.scroll_offset.x)
            if column is not None:
                self.chosen = column
                self.refresh()
                self.post_message(self.HeadClicked(self))
            return
        place = self.scroll_offset.y + offset.y - 1
        if place >= len(self.rows):
            return
        before = self.cursor
        self.go(place)
        if event.shift:
            self.post_message(self.Extended(self, min(before, place), max(before, place)))
        elif event.chain > 1:
            self.post_message(self.Opened(self))

    def _column_at(self, x: int) -> int | None:
        right = _MARK
        for place, width in enumerate(self._widths):
            right += width + 1
            if x < right:
                return place
        return None

    def on_resize(self) -> None:
        """Fit the columns to the new width, and keep the cursor on the screen."""
        self._measure()
        self._follow()

    def on_focus(self) -> None:
        """Show the cursor as that of the keyboard."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as one that is left alone."""
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw all lines again: the first one stays."""
        super().watch_scroll_y(old_value, new_value)
        self.refresh()
