"""The part of the browser that asks and shows results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import App

from skypool.errors import SkypoolError
from skypool.pool.results.ordering import parse_order
from skypool.tui.completion import Known
from skypool.tui.finding import Found, Pools, facets_of, find, unsortable
from skypool.tui.memory import Memory
from skypool.tui.question import Question, condition
from skypool.tui.screens.columns import Columns
from skypool.tui.screens.dialogs import Ask, Choose
from skypool.tui.screens.presets import Presets
from skypool.tui.selection import Selection
from skypool.tui.widgets.details import Details
from skypool.tui.widgets.facet_list import FacetList
from skypool.tui.widgets.grid import Grid
from skypool.tui.widgets.page import Page
from skypool.tui.widgets.search_line import SearchLine

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.saved import SavedSearch

__all__ = ["Searches"]


class Searches(App[None]):
    """Questions and their answers; a part of `Browser`."""

    pools: Pools
    memory: Memory
    read_only: bool
    hits_grid: Any
    search_line: Any
    facet_list: Any

    def begin(self, query: str, at: str) -> None:
        """Start with a question that is not asked yet."""
        self.question = Question(query, at=at)
        self.found: Found | None = None
        self.selection = Selection()
        self.total = 0
        self.news = 0
        self.asking = False
        self.code_line = ""
        self._wide: set[str] = set()
        self._seen: tuple[int, ...] = ()
        self._counting: set[str] = set()

    # -- asking

    def ask(self, question: Question, keep: Ref | None = None) -> None:
        """Ask a question; the answer comes later.

        Parameters
        ----------
        question
            The question.
        keep
            The product on which the cursor is to be then.
        """
        self.question = question
        self.asking = True
        self.tell()
        self._ask(question, keep)

    def tell(self) -> None:
        """Say what is shown."""
        raise NotImplementedError

    @work(thread=True, exclusive=True, group="ask")
    def _ask(self, question: Question, keep: Ref | None) -> None:
        found: Found | None = None
        error: SkypoolError | None = None
        seen: tuple[int, ...] = ()
        total = 0
        try:
            seen = self.pools.heads()
            found = find(self.pools, question, self.memory.get("columns", {}))
            total = self.pools.total()
        except SkypoolError as caught:
            error = caught
        self.call_from_thread(self._answer, question, found, error, keep, seen, total)

    def _answer(
        self,
        question: Question,
        found: Found | None,
        error: SkypoolError | None,
        keep: Ref | None,
        seen: tuple[int, ...],
        total: int,
    ) -> None:
        if question is not self.question:
            return  # another was asked meanwhile
        self.asking = False
        if found is None:
            self.search_line.blame(error)
            if not self.hits_grid.rows.heads:
                self.hits_grid.empty = "the query cannot be asked"
                self.hits_grid.refresh()
            self.tell()
            return
        # The line of what was done stays until something else is asked.
        if self.found is None or self.found.question != question or not self.code_line:
            self.code_line = question.python(self._paths()).rpartition("\n")[2]
        self.found, self._seen, self.total, self.news = found, seen, total, 0
        self.selection.clear()
        self.search_line.blame(None)
        self.hits_grid.empty = self._nothing()
        place = _place_of(found, keep) if keep is not None else 0
        self.hits_grid.show(
            found.rows,
            cursor=self.hits_grid.cursor if place is None else place,
            order=question.order,
        )
        self.tell()
        self.count()

    def _nothing(self) -> str:
        if self.question.query:
            return "nothing found"
        return "nothing here yet: `skypool add FILES` puts some in"

    def _paths(self) -> list[str]:
        return list(self.pools.named)

    @property
    def current(self) -> Ref | None:
        """The product of the cursor."""
        if self.found is None or not len(self.found.hits):
            return None
        place: int = min(self.hits_grid.cursor, len(self.found.hits) - 1)
        return self.found.hits[place]

    # -- numbers at the side

    def count(self) -> None:
        """Count the values of the result; the numbers come later."""
        if self.found is not None:
            self._count(self.found, set(self._wide))

    @work(thread=True, exclusive=True, group="count")
    def _count(self, found: Found, wide: set[str]) -> None:
        try:
            counted = facets_of(self.pools, found, wide)
        except SkypoolError:  # the result stands without its numbers
            return
        self.call_from_thread(self._counted, found, counted)

    def _counted(self, found: Found, counted: dict[str, Any]) -> None:
        if found is self.found:
            self.facet_list.show(counted, self.question.filters, self._wide)

    def on_facet_list_chosen(self, event: FacetList.Chosen) -> None:
        """Narrow the result to a value, or not any more."""
        self.ask(self.question.toggled(event.key, event.value), self.current)

    def on_facet_list_more(self, event: FacetList.More) -> None:
        """Show many values of a key, or few."""
        self._wide ^= {event.key}
        self.count()

    # -- the query

    def known(self) -> Known:
        """Return what there is, for completion."""
        return Known(self.pools.keys(), self.pools.tags(), self._values_of)

    def _values_of(self, key: str) -> list[tuple[Any, int]]:
        found = self.pools.known_values(key)
        if found is None:
            if key not in self._counting:
                self._counting.add(key)
                self._count_values(key)
            return []
        return found

    @work(thread=True, group="values")
    def _count_values(self, key: str) -> None:
        self.pools.count_values(key)
        self._counting.discard(key)
        self.call_from_thread(self.search_line.complete)

    def on_search_line_asked(self, event: SearchLine.Asked) -> None:
        """Ask what was typed."""
        self.hits_grid.focus()
        self.ask(replace(self.question, text=event.text))

    def on_search_line_left(self, event: SearchLine.Left) -> None:
        """Go to the results."""
        self.hits_grid.focus()

    def chips(self) -> list[str]:
        """Return what narrows the search beside the query."""
        found = [condition(key, values) for key, values in self.question.filters.items()]
        if self.question.all_versions:
            found.append("all versions")
        if self.question.at:
            found.append(f"as of {self.question.at}")
        return found

    def action_search(self) -> None:
        """Go to the query."""
        self.remove_class("open")
        self.search_line.input.focus()

    def action_presets(self) -> None:
        """Show the ways in."""
        screen = Presets(self.memory.get("way", 0))
        self.push_screen(screen, lambda query: self._preset(screen.number, query))

    def _preset(self, way: int, query: str | None) -> None:
        if query is not None:
            self.memory.put("way", way)
            self.set_query(query)

    def set_query(self, query: str) -> None:
        """Put a query in the line, and ask it."""
        self.search_line.set_text(query)
        self.hits_grid.focus()
        self.ask(replace(self.question, text=query, filters={}))

    def on_page_filter(self, event: Page.Filter) -> None:
        """Add a condition to the query."""
        question = self.question.narrowed(event.query)
        self.search_line.set_text(question.text)
        self.remove_class("open")
        self.hits_grid.focus()
        self.ask(question, self.current)

    def action_searches(self) -> None:
        """Show the searches that are kept in the pools."""
        kept = {name: found for pool in self.pools.all for name, found in pool.searches().items()}
        if not kept:
            self.notify("no search is kept in the pool; w keeps this one", markup=False)
            return
        entries = [(name, search.query or "everything") for name, search in sorted(kept.items())]
        self.push_screen(
            Choose("Kept searches", entries), lambda name: self._kept(kept.get(name or ""))
        )

    def _kept(self, search: SavedSearch | None) -> None:
        if search is None:
            return
        options = search.options
        order = tuple((each.key, each.descending) for each in parse_order(options.get("order_by")))
        text = search.query
        if options.get("kind"):
            text = Question(text).narrowed(condition("kind", (options["kind"],))).text
        question = Question(
            text,
            order=order,
            all_versions=bool(options.get("all_versions")),
            all_names=bool(options.get("all_names")),
            at=str(options.get("at") or ""),
        )
        self.search_line.set_text(text)
        self.hits_grid.focus()
        self.ask(question)

    # -- switches

    def action_versions(self) -> None:
        """Search old versions too, or the newest alone."""
        self.ask(replace(self.question, all_versions=not self.question.all_versions), self.current)

    def action_as_of(self) -> None:
        """Ask as of which commit or time to search."""
        self.push_screen(
            Ask(
                "The pool as of",
                self.question.at,
                "a commit's number, a date (its end, UTC), a time; empty: now.",
            ),
            self._as_of,
        )

    def _as_of(self, at: str | None) -> None:
        if at is None:
            return
        question = replace(self.question, at=at.strip())
        try:
            for pool in self.pools.all:
                if question.at:
                    pool.at(question.at)
        except SkypoolError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.ask(question, self.current)

    def action_sort(self) -> None:
        """Sort by the chosen column: up, down, not."""
        key = self.hits_grid.chosen_key
        if not key:
            return
        if unsortable(key):
            self.notify(f"results cannot be sorted by {key}", severity="warning", markup=False)
            return
        before = dict(self.question.order)
        order: tuple[tuple[str, bool], ...] = ((key, False),)
        if key in before:
            order = () if before[key] else ((key, True),)
        self.ask(replace(self.question, order=order), self.current)

    def on_grid_head_clicked(self, event: Grid.HeadClicked) -> None:
        """Sort by the column whose title was clicked."""
        if event.grid is self.hits_grid:
            self.action_sort()

    def action_refresh(self) -> None:
        """Ask again."""
        self.ask(self.question, self.current)

    def look_for_news(self) -> None:
        """See whether somebody committed something since the answer."""
        if self.found is None or self.asking or self.question.at:
            return
        try:
            news = 0 if self.pools.heads() == self._seen else self.pools.new_since(self._seen)
        except SkypoolError:  # looked for again soon
            return
        if news != self.news:
            self.news = news
            self.tell()

    # -- columns

    def action_columns(self) -> None:
        """Choose columns."""
        if self.found is not None:
            keys = [head.key for head in self.found.rows.heads]
            screen = Columns(keys, self.pools.columns(), self.found.usual)
            self.push_screen(screen, self._set_columns)

    def _set_columns(self, keys: tuple[str, ...] | None) -> None:
        if keys is None or self.found is None:
            return
        kept = dict(self.memory.get("columns", {}))
        kept[self.found.sort] = [] if keys == self.found.usual else list(keys)
        self.memory.put("columns", kept)
        self.ask(self.question, self.current)

    def on_page_column(self, event: Page.Column) -> None:
        """Show a key as a column."""
        if self.found is not None:
            keys = [head.key for head in self.found.rows.heads]
            if event.key not in keys:
                self._set_columns((*keys, event.key))
            self.notify(f"column {event.key}", markup=False)

    def action_column_move(self, step: int) -> None:
        """Put the chosen column further left or right."""
        if self.found is None or not self.found.rows.heads:
            return
        keys = [head.key for head in self.found.rows.heads]
        place = self.hits_grid.chosen
        keys.insert(max(0, place + step), keys.pop(place))
        self._set_columns(tuple(keys))

    def action_facets(self) -> None:
        """Go to the numbers at the side; from there, hide them."""
        if self.has_class("nofacets"):
            self.remove_class("nofacets")
            self.facet_list.focus()
        elif self.facet_list.has_focus:
            self.add_class("nofacets")
            self.hits_grid.focus()
        else:
            self.facet_list.focus()
        self.memory.put("facets", not self.has_class("nofacets"))

    @property
    def details_pane(self) -> Details:
        """The details."""
        return self.screen_stack[0].query_one(Details)


def _place_of(found: Found, ref: Ref) -> int | None:
    """Return where a product is in a result: that version, else another of its line."""
    try:
        place = found.hits.numbers.index(ref.number)
    except ValueError:
        newest = ref.latest.number
        if newest == ref.number or newest not in found.hits.numbers:
            return None
        place = found.hits.numbers.index(newest)
    return place
