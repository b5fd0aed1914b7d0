"""What the pages of a product's details have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["Page"]


class Page(Vertical):
    """One page.

    `load` is called in another thread, and gives what `fill` shows.
    """

    title: ClassVar[str] = ""
    DEFAULT_CSS = """
    Page { height: 1fr; width: 1fr; }
    Page Input { border: none; height: 1; background: $boost; padding: 0 1; }
    Page .note { height: auto; color: $text-muted; padding: 0 1; }
    """

    class Went(Message):
        """Another product is to be shown."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    class DatasetChosen(Message):
        """A dataset is to be looked at."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class Filter(Message):
        """A condition is to be added to the query."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Column(Message):
        """A key is to become a column of the results."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def load(self, ref: Ref) -> Any:
        """Read what the page shows; in another thread."""
        raise NotImplementedError

    def fill(self, ref: Ref, found: Any) -> None:
        """Show what was read."""
        raise NotImplementedError

    def focus_inside(self) -> None:
        """Give the keyboard to what is in the page."""
        for widget in self.query("*"):
            if widget.focusable and not isinstance(widget, Input):
                widget.focus()
                return
