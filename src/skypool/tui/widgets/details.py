"""The details of a product: pages that are loaded in the background, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, TabbedContent, TabPane

from skypool.errors import SkypoolError
from skypool.tui import sheets
from skypool.tui.widgets.contents import ContentsPage
from skypool.tui.widgets.listed import HeaderPage, MetadataPage
from skypool.tui.widgets.look import LookPage
from skypool.tui.widgets.page import Page
from skypool.tui.widgets.versions import AboutPage, VersionsPage

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["PAGES", "Details"]

#: The pages in order; their numbers are their keys.
PAGES: tuple[type[Page], ...] = (
    LookPage,
    ContentsPage,
    MetadataPage,
    HeaderPage,
    VersionsPage,
    AboutPage,
)


class Details(Vertical):
    """One product, page by page.

    While something is read, what is wanted meanwhile waits; only the last of it is read then. So a
    cursor that runs over many products starts few readings.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "back", "back", show=False),
    ]
    DEFAULT_CSS = """
    Details { width: 1fr; height: 1fr; background: $surface; }
    Details #title { height: 1; background: $panel; text-style: bold; padding: 0 1; }
    Details #trouble { height: auto; color: $error; padding: 1 2; display: none; }
    Details TabbedContent { height: 1fr; }
    Details TabPane { padding: 0; height: 1fr; }
    """

    class Shown(Message):
        """Another product is shown than that of the cursor."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ref: Ref | None = None
        self._before: list[Ref] = []
        self._loaded: dict[str, Ref] = {}
        self._busy = False
        self._waiting = False

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static("", id="title", markup=False)
        yield Static("", id="trouble", markup=False)
        with TabbedContent(id="pages"):
            for number, page in enumerate(PAGES, 1):
                with TabPane(f"{number} {page.title}", id=page.title.lower()):
                    yield page()

    @property
    def tabs(self) -> TabbedContent:
        """The pages."""
        return self.query_one("#pages", TabbedContent)

    @property
    def page(self) -> Page:
        """The page on the screen."""
        return self.query_one(PAGES[self._number])

    @property
    def _number(self) -> int:
        names = [page.title.lower() for page in PAGES]
        return names.index(self.tabs.active) if self.tabs.active in names else 0

    # -- what is shown

    def show(self, ref: Ref | None) -> None:
        """Show a product, as the cursor is on it."""
        self._before.clear()
        self._show(ref)

    def _show(self, ref: Ref | None) -> None:
        if ref == self.ref:
            return
        self.ref = ref
        self.query_one("#title", Static).update("" if ref is None else sheets.title(ref))
        self.load()

    def go(self, ref: Ref) -> None:
        """Show another product; Backspace comes back."""
        if self.ref is not None:
            self._before.append(self.ref)
        self._show(ref)

    def action_back(self) -> None:
        """Show the product from which this one was reached."""
        if self._before:
            self._show(self._before.pop())

    def open_page(self, number: int) -> None:
        """Show a page, by its number from 0."""
        self.tabs.active = PAGES[number].title.lower()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Load the page that came on the screen."""
        event.stop()
        self.load()

    # -- loading

    def again(self) -> None:
        """Read everything again."""
        self._loaded.clear()
        self.load()

    def load(self) -> None:
        """Read the page on the screen, if it is not that of the product yet."""
        page, ref = self.page, self.ref
        if ref is None or not self.display:
            return
        if self._loaded.get(page.title) == ref:
            self.query_one("#trouble", Static).display = False
            page.display = True
            return
        if self._busy:
            self._waiting = True
            return
        self._busy = True
        if isinstance(page, LookPage):
            page.prepare(ref)
        self._read(page, ref)

    @work(thread=True, group="details", exit_on_error=False)
    def _read(self, page: Page, ref: Ref) -> None:
        found: Any = None
        # What is said of a file that a library fails on in a way of its own.
        trouble = "This page cannot be made of this product."
        try:
            found = page.load(ref)
            trouble = ""
        except SkypoolError as error:
            trouble = str(error)
        finally:
            self.app.call_from_thread(self._fill, page, ref, found, trouble)

    def _fill(self, page: Page, ref: Ref, found: Any, trouble: str) -> None:
        self._busy = False
        if not self.is_attached:
            return
        if ref == self.ref:
            shown = self.query_one("#trouble", Static)
            shown.display = bool(trouble)
            shown.update(trouble)
            page.display = not trouble
            if not trouble:
                page.fill(ref, found)
                self._loaded[page.title] = ref
        if self._waiting or ref != self.ref:
            self._waiting = False
            self.load()

    # -- what pages ask for

    def on_look_page_again(self, event: LookPage.Again) -> None:
        """Read the picture again."""
        event.stop()
        self._loaded.pop(LookPage.title, None)
        self.load()

    def on_page_went(self, event: Page.Went) -> None:
        """Show another product."""
        event.stop()
        self.go(event.ref)

    def on_page_dataset_chosen(self, event: Page.DatasetChosen) -> None:
        """Look at a dataset."""
        event.stop()
        look = self.query_one(LookPage)
        look.wanted = event.path
        self._loaded.pop(LookPage.title, None)
        self.open_page(0)
        self.load()

    def on_versions_page_compare(self, event: VersionsPage.Compare) -> None:
        """Compare two versions."""
        event.stop()
        self._compare(event.page, event.a, event.b)

    @work(thread=True, exclusive=True, group="compare")
    def _compare(self, page: VersionsPage, a: Ref, b: Ref) -> None:
        try:
            lines = sheets.difference(a, b)
        except SkypoolError as error:
            lines = [error.message]
        self.app.call_from_thread(page.differ, b, lines)
