"""A picture of coloured half blocks: two pixels in each character, in any terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from skypool.server.previews import Preview

__all__ = ["Picture", "half_blocks"]


def half_blocks(rgba: Any, background: Style) -> list[list[Segment]]:
    """Return the lines of a picture.

    Parameters
    ----------
    rgba
        Array of shape (height, width, 4), the first row at the top; of an opacity of 0 shows
        the background.
    background
        Style of what is behind it.
    """
    height, width = rgba.shape[:2]
    if height % 2:
        rgba = np.concatenate([rgba, np.zeros((1, width, 4), np.uint8)])
    lines = []
    # Equal styles are made once: a picture has few hundred colours, and thousands of cells.
    styles: dict[tuple[int, ...], tuple[str, Style]] = {}
    for upper, lower in zip(rgba[::2].tolist(), rgba[1::2].tolist(), strict=True):
        line = []
        for top, bottom in zip(upper, lower, strict=True):
            key = (*top, *bottom)
            found = styles.get(key)
            if found is None:
                found = styles[key] = _cell(top, bottom, background)
            line.append(Segment(*found))
        lines.append(line)
    return lines


def _cell(top: list[int], bottom: list[int], background: Style) -> tuple[str, Style]:
    if not top[3] and not bottom[3]:
        return " ", background
    upper, lower = Color.from_rgb(*top[:3]), Color.from_rgb(*bottom[:3])
    if not bottom[3]:
        return "▀", background + Style(color=upper)
    if not top[3]:
        return "▄", background + Style(color=lower)
    return "▀", Style(color=upper, bgcolor=lower)


class Picture(Widget):
    """A preview, the first row of the array at the bottom, as images of the sky are shown."""

    DEFAULT_CSS = """
    Picture { height: 1fr; width: 1fr; }
    """

    class Resized(Message):
        """There is room for another size."""

    class Pointed(Message):
        """A pixel was clicked.

        Attributes
        ----------
        y, x
            Array indices of the middle of its block.
        """

        def __init__(self, y: int, x: int) -> None:
            super().__init__()
            self.y, self.x = y, x

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.preview: Preview | None = None
        self.stretch = "asinh"
        self.colour_map = "gray"
        self.message = ""
        self._lines: list[list[Segment]] | None = None

    def show(self, preview: Preview | None, message: str = "") -> None:
        """Show a preview, or words instead of one."""
        self.preview, self.message = preview, message
        self.restyle()

    def restyle(self, stretch: str | None = None, colour_map: str | None = None) -> None:
        """Show the same in other colours."""
        self.stretch = stretch or self.stretch
        self.colour_map = colour_map or self.colour_map
        self._lines = None
        self.refresh()

    @property
    def room(self) -> tuple[int, int]:
        """Height and width that a preview may have, in pixels."""
        return max(2, 2 * self.size.height), max(2, self.size.width)

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        width = self.size.width
        if self.preview is None or not self.preview.values.size:
            text = self.message if y == 1 else ""
            return Strip([Segment(f"  {text}"[:width].ljust(width), self.rich_style)])
        if self._lines is None:
            rgba = self.preview.rgba(self.stretch, self.colour_map)[::-1]
            rgba = rgba.repeat(self._zoom, axis=0).repeat(self._zoom, axis=1)
            self._lines = half_blocks(rgba, self.rich_style)
        top = self._top
        if not top <= y < top + len(self._lines):
            return Strip.blank(width, self.rich_style)
        left = max(0, (width - self._zoom * self.preview.values.shape[1]) // 2)
        line = [Segment(" " * left, self.rich_style), *self._lines[y - top]]
        return Strip(line).adjust_cell_length(width, self.rich_style)

    @property
    def _zoom(self) -> int:
        """How large a pixel of a small image is shown."""
        if self.preview is None or not self.preview.values.size:
            return 1
        (height, width), (most_high, most_wide) = self.preview.values.shape, self.room
        return int(max(1, min(most_high // height, most_wide // width)))

    @property
    def _top(self) -> int:
        if self.preview is None:
            return 0
        lines = (self._zoom * self.preview.values.shape[0] + 1) // 2
        return int(max(0, (self.size.height - lines) // 2))

    def on_resize(self, event: events.Resize) -> None:
        """Ask for a preview of the new size."""
        self._lines = None
        self.refresh()
        self.post_message(self.Resized())

    def on_click(self, event: events.Click) -> None:
        """Tell which pixel was clicked."""
        offset = event.get_content_offset(self)
        if self.preview is None or offset is None:
            return
        zoom = self._zoom
        height, width = self.preview.values.shape
        column = (offset.x - max(0, (self.size.width - zoom * width) // 2)) // zoom
        row = height - 1 - 2 * (offset.y - self._top) // zoom
        if 0 <= column < width and 0 <= row < height:
            down, across = self.preview.step
            self.post_message(self.Pointed(row * down + down // 2, column * across + across // 2))
