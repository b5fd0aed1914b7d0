"""The terminal browser: search, results, details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, Static

from skypool.tui.finding import Pools
from skypool.tui.help import KEYS
from skypool.tui.memory import Memory
from skypool.tui.screens.dialogs import Code, Help
from skypool.tui.searching import Searches
from skypool.tui.sending import Sends
from skypool.tui.text import count_text
from skypool.tui.widgets.details import Details
from skypool.tui.widgets.facet_list import FacetList
from skypool.tui.widgets.grid import Grid
from skypool.tui.widgets.look import LookPage
from skypool.tui.widgets.search_line import SearchLine
from skypool.tui.widgets.versions import VersionsPage
from skypool.tui.working import Works

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool

__all__ = ["Browser"]

# Columns from which on results and quick look, and the numbers too, are beside each other.
_NARROW, _WIDE = 100, 170
_NEWS = 2.0


class Browser(Searches, Works, Sends, App[None]):
    """The browser.

    Parameters
    ----------
    pools
        Open pools by what the user calls them.
    settings
        Where what the user chose is remembered.
    query
        What to begin with.
    at
        Commit or time as of which to ask.
    read_only
        Whether nothing may be changed.
    """

    TITLE = "skypool"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    #head { height: 1; background: $primary-darken-2; color: $text; padding: 0 1; }
    #chips { height: auto; padding: 0 2; color: $warning; display: none; }
    #body { height: 1fr; }
    #hits { background: $background; }
    #code { height: 1; color: $text-muted; padding: 0 1; background: $panel; }
    Details { display: none; border-left: solid $panel; }
    .looking Details { display: block; width: 55%; }
    .open Details { display: block; width: 1fr; border-left: none; }
    .open #hits, .open FacetList { display: none; }
    .narrow.looking #hits { display: none; }
    .narrow.looking Details { width: 1fr; }
    .nofacets FacetList, .middling.looking FacetList { display: none; }
    Footer { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search"),
        Binding("p", "presets", "ways in"),
        Binding("enter", "open", "open", key_display="Enter"),
        Binding("space", "look", "quick look", key_display="Space"),
        Binding("x", "select", "select"),
        Binding("t", "tag", "tag"),
        Binding("s", "sort", "sort"),
        Binding("c", "columns", "columns"),
        Binding("e", "export", "export"),
        Binding("z", "send", "send to"),
        Binding("r", "rename", "rename", show=False),
        Binding("d,delete", "remove", "remove", show=False),
        Binding("u", "undo", "undo", show=False),
        Binding("y", "code", "as code"),
        Binding("R", "refresh", "refresh", show=False),
        Binding("o", "searches", "kept searches", show=False),
        Binding("w", "save_search", "keep this search", show=False),
        Binding("f", "facets", "facets", show=False),
        Binding("v", "versions", "all versions", show=False),
        Binding("at,a", "as_of", "as of", show=False),
        Binding("ctrl+a", "select_all", "select all", show=False),
        Binding("less_than_sign", "column_move(-1)", "column left", show=False),
        Binding("greater_than_sign", "column_move(1)", "column right", show=False),
        Binding("escape", "leave", "back", show=False),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        *[Binding(str(n), f"page({n - 1})", f"page {n}", show=False) for n in range(1, 7)],
        Binding("m", "picture('colours', 1)", "colours", show=False),
        Binding("M", "picture('colours', -1)", "colours", show=False),
        Binding("S", "picture('stretch')", "stretch", show=False),
        Binding("n", "picture('dataset', 1)", "dataset", show=False),
        Binding("N", "picture('dataset', -1)", "dataset", show=False),
        Binding("full_stop,right_square_bracket", "picture('plane', 1)", "plane", show=False),
        Binding("comma,left_square_bracket", "picture('plane', -1)", "plane", show=False),
        Binding("F", "picture('full')", "all pixels", show=False),
        Binding("B", "blink", "blink", show=False),
    ]

    def __init__(
        self,
        pools: Mapping[str, Pool],
        settings: Settings | None = None,
        *,
        query: str = "",
        at: str = "",
        read_only: bool = False,
    ) -> None:
        super().__init__()
        self.pools = Pools(pools)
        self.memory = Memory(settings.config if settings else None)
        self.given = settings
        self.read_only = read_only
        self.begin(query, at)

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static("", id="head")
        yield SearchLine(self.known)
        yield Static("", id="chips")
        with Horizontal(id="body"):
            yield FacetList(id="facets")
            yield Grid(id="hits")
            yield Details(id="details")
        yield Static("", id="code")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Ask the first question."""
        theme = self.memory.get("theme", "textual-dark")
        self.theme = theme if theme in self.available_themes else "textual-dark"
        self.theme_changed_signal.subscribe(self, lambda t: self.memory.put("theme", t.name))
        look = self.query_one(LookPage)
        look.picture.restyle(
            self.memory.get("stretch", "asinh"), self.memory.get("colour_map", "gray")
        )
        self.set_class(not self.memory.get("facets", True), "nofacets")
        self.hits_grid.marked = self.selection.__contains__
        self.hits_grid.empty = "asking…"
        self.hits_grid.focus()
        self.search_line.set_text(self.question.text)
        self.ask(self.question)
        self.set_interval(_NEWS, self.look_for_news)

    def on_resize(self, event: events.Resize) -> None:
        """Give up what there is no room for."""
        self.set_class(event.size.width < _NARROW, "narrow")
        self.set_class(event.size.width < _WIDE, "middling")

    # -- parts

    @property
    def hits_grid(self) -> Grid:
        """The results."""
        return self.screen_stack[0].query_one("#hits", Grid)

    @property
    def details(self) -> Details:
        """The details."""
        return self.screen_stack[0].query_one(Details)

    @property
    def search_line(self) -> SearchLine:
        """The query."""
        return self.screen_stack[0].query_one(SearchLine)

    @property
    def facet_list(self) -> FacetList:
        """The numbers."""
        return self.screen_stack[0].query_one(FacetList)

    def tell(self) -> None:
        """Say what is shown, in the first line and the last."""
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append(" + ".join(self.pools.named), "bold")
        if self.found is not None:
            hits, total = len(self.found.hits), self.total
            number = count_text(hits, "version" if self.found.question.all_versions else "product")
            head.append(f"   {number}")
            if self.found.question.query and not self.found.question.all_versions:
                head.append(f" of {total:,}")
            selected = self.selection.count(hits)
            if selected:
                head.append(f"   {selected:,} selected", "bold yellow")
        if self.asking:
            head.append("   asking…", "italic")
        if self.read_only:
            head.append("   read only", "italic")
        if self.job:
            head.append(f"   {self.job}  Esc stops", "bold")
        if self.news:
            head.append(f"   {self.news:,} new, press R", "bold green")
        self.screen_stack[0].query_one("#head", Static).update(head)
        self._tell_chips()
        self.screen_stack[0].query_one("#code", Static).update(Text(self.code_line, no_wrap=True))

    def _tell_chips(self) -> None:
        chips = self.screen_stack[0].query_one("#chips", Static)
        text = "   ".join(self.chips())
        chips.display = bool(text)
        chips.update(Text(text))

    # -- looking

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(Help(KEYS))

    def action_code(self) -> None:
        """Show the search, and what was done, as code."""
        self.push_screen(Code(self.code_entries()))

    def action_look(self) -> None:
        """Show the quick look beside the results, or close it."""
        self.remove_class("open")
        self.toggle_class("looking")
        self.call_after_refresh(self.follow)

    def action_open(self) -> None:
        """Show the details in place of the results."""
        if self.current is None:
            return
        self.add_class("open")
        self.call_after_refresh(self._enter)

    def _enter(self) -> None:
        self.follow()
        self.details.page.focus_inside()

    def action_page(self, number: int) -> None:
        """Show a page of the details."""
        self.details.open_page(number)
        if self.has_class("open"):
            # It may show a product that was reached from that of the cursor: that one stays.
            self.details.load()
            self.call_after_refresh(self.details.page.focus_inside)
            return
        self.add_class("looking")
        self.call_after_refresh(self.follow)

    def action_picture(self, action: str, *arguments: Any) -> None:
        """Change the picture, wherever the keyboard is."""
        look = self.query_one(LookPage)
        getattr(look, f"action_{action}")(*arguments)
        self.memory.put("stretch", look.picture.stretch)
        self.memory.put("colour_map", look.picture.colour_map)

    def action_blink(self) -> None:
        """Show the picture of the version that it is compared with, and of this one again."""
        ref = self.details.ref
        if ref is None:
            return
        other = self.query_one(VersionsPage).base_of(ref)
        if other is None:
            self.notify("it has one version only: nothing to blink with", markup=False)
            return
        if not isinstance(self.details.page, LookPage):
            self.action_page(0)
        self.query_one(LookPage).action_blink(other)

    def action_leave(self) -> None:
        """Go back: from a job, from the details to the results, from a selection."""
        if self.job:
            self.stop_job()
        elif self.has_class("open"):
            self.remove_class("open")
            self.hits_grid.focus()
        elif self.focused is not self.hits_grid:
            self.hits_grid.focus()
        elif self.selection.count(len(self.hits_grid.rows)):
            self.selection.clear()
            self.hits_grid.refresh()
            self.tell()
        else:
            self.remove_class("looking")

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Open what was clicked twice."""
        if event.grid is self.hits_grid:
            self.action_open()

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Let the details follow the cursor."""
        if event.grid is self.hits_grid:
            self.follow()

    def follow(self) -> None:
        """Show the product of the cursor in the details, if they are on the screen."""
        if self.details.display:
            self.details.show(self.current)
            self.details.load()
