"""The Product Browser in a notebook: a widget whose page talks through the kernel's own channel.

There is no port and no token: whoever reaches the kernel may do all that it may do. The page
is the one of `skypool ui`, its requests go to the same application, within this process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import anywidget
import traitlets

from skypool.errors import MissingDependency, SkypoolError, UsageError
from skypool.model.html import Page
from skypool.pool.display import hits_html, pool_html
from skypool.server.app import make_api, make_context
from skypool.server.cursors import Results
from skypool.web.channel import Channel
from skypool.web.variables import Variables, routes, user_namespace

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits
    from skypool.server.context import Context

__all__ = ["ProductBrowser", "browse"]

STATIC: Final = Path(__file__).parent / "static"
_HEIGHTS: Final = (240, 4000)

_log = logging.getLogger("skypool.web")


@cache
def _static(name: str) -> str:
    try:
        return (STATIC / name).read_text("utf-8")
    except FileNotFoundError:
        raise MissingDependency(
            f"the page of the Product Browser is not built: {name} is missing",
            hint="in a checkout, `npm ci && npm run build` in frontend/ builds it",
        ) from None


class ProductBrowser(anywidget.AnyWidget):
    """The Product Browser over pools, as a widget.

    Parameters
    ----------
    pools
        Open pools; they stay open when the widget is closed.
    query
        What is searched for at first.
    height
        Of the widget, in pixels.
    read_only
        Refuse everything that changes a pool.
    namespace
        Gives the variables among which there are products to save.

    Attributes
    ----------
    selected : sequence of Ref
        What is selected in the page: a list, or `Hits` where all of a result are. Functions
        that should hear of changes: `browser.observe(function, "selected")`.
    result : Hits or None
        What the page's search found.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(640).tag(sync=True)
    address = traitlets.Unicode("").tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Any()
    result = traitlets.Any(None, allow_none=True)

    _channel: Channel | None = None
    _context: Context | None = None

    def __init__(
        self,
        pools: Iterable[Pool],
        query: str = "",
        *,
        height: int = 640,
        read_only: bool = False,
        namespace: Callable[[], Mapping[str, Any]] = user_namespace,
    ) -> None:
        self._cursor: object = None
        self._pools = list(pools)
        if not self._pools:
            raise UsageError("there is no pool to browse")
        context = make_context((pool.shared() for pool in self._pools), read_only=read_only)
        application = make_api(context, routes(context, Variables(namespace)))
        self._context, self._channel = context, Channel(application, self._tell)
        low, high = _HEIGHTS
        super().__init__(
            height=min(max(int(height), low), high),
            address=urlencode({"query": query}) if query else "",
            summary=self._pools[0]._repr_html_(),
            selected=[],
        )
        self.on_msg(self._heard)

    @traitlets.default("_esm")
    def _load_page(self) -> str:
        return _static("widget.js")

    @traitlets.default("_css")
    def _load_style(self) -> str:
        return _static("widget.css")

    def _running(self) -> tuple[Context, Channel]:
        assert self._context is not None
        assert self._channel is not None
        return self._context, self._channel

    # -- messages

    def _tell(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if self.comm is not None:
            self.send(content, buffers)

    def _heard(self, _: object, content: Any, buffers: Sequence[Any]) -> None:
        kind = content.get("kind") if isinstance(content, Mapping) else None
        if kind == "hello":
            self._tell({"kind": "welcome", "id": content.get("id")}, [])
        elif kind == "state":
            self._follow(content)
        else:
            self._running()[1].take(content, buffers)

    def _follow(self, state: Mapping[str, Any]) -> None:
        """Take over what the page shows; what it names may be gone by now."""
        try:
            cursor = state.get("cursor")
            if cursor != self._cursor:
                found = (
                    None if cursor is None else self._running()[0].part(Results).get(str(cursor))
                )
                self.result = None if found is None else found.hits
                self._cursor = cursor
            self.selected = self._chosen(state.get("selection") or {})
        except SkypoolError as error:
            _log.info("the state of the page: %s", error)

    def _chosen(self, selection: Mapping[str, Any]) -> list[Ref] | Hits:
        if not selection.get("all"):
            pools = self._running()[0].pools
            return [pools.ref_of(str(text)) for text in selection.get("refs") or ()]
        found = self._running()[0].part(Results).get(str(selection.get("cursor")))
        places = {found.place_of(str(text)) for text in selection.get("except") or ()}
        hits: Hits = found.hits
        if not places - {None}:
            return hits
        return hits.taken(place for place in range(len(hits)) if place not in places)

    def show(self, ref: Ref) -> None:
        """Select a product in the page, and show it there."""
        for label, pool in self._running()[0].pools.all().items():
            if pool.exists and pool.view.session.folder.key == ref.view.session.folder.key:
                data = {"ref": f"{label}/{ref.number}"}
                self._tell({"kind": "event", "name": "selected", "data": data}, [])
                return
        raise UsageError(f"{ref!r} is of a pool that is not browsed")

    def close(self) -> None:
        """End it; the pools stay open."""
        if self._channel is None or self._context is None:
            return  # it was never made
        super().close()
        self._channel.close()
        self._context.close()

    # -- without a page

    def __repr__(self) -> str:
        names = ", ".join(pool.name for pool in self._pools)
        found = "" if self.result is None else f", {len(self.result)} found"
        return f"<ProductBrowser of {names}{found}, {len(self.selected)} selected>"

    def _repr_html_(self) -> str:
        """Return what stands in a notebook that was saved, where no kernel runs."""
        page = Page("Product Browser")
        page.note("It is here while the kernel runs: run the cell again. What was found in it:")
        shown = pool_html(self._pools[0]) if self.result is None else hits_html(self.result)
        return page.html() + shown

    def _repr_mimebundle_(self, **_: Any) -> Any:
        made = super()._repr_mimebundle_()
        if made is None:
            return None
        data, metadata = made
        return {**data, "text/plain": repr(self), "text/html": self._repr_html_()}, metadata


def browse(
    pool: Pool,
    query: str = "",
    *,
    pools: Iterable[Pool] = (),
    height: int = 640,
    read_only: bool = False,
) -> ProductBrowser:
    """Return the Product Browser over a pool, and over others beside it; see `Pool.browse`."""
    return ProductBrowser([pool, *pools], query, height=height, read_only=read_only)
