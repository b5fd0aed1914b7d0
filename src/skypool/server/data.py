"""Routes of the quick look: images as tiles, pixels, spectra, tables, differences, thumbnails.

Addresses have the hash of a document, so answers are kept by clients for ever; here those are
kept that are asked for again soon.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from skypool.server.answers import IMMUTABLE, JsonResponse, bytes_answer
from skypool.server.data_changes import Difference, changed
from skypool.server.data_images import describe, pixel, scaling_in
from skypool.server.data_plots import histogram, plot, spectrum
from skypool.server.data_sources import Shown, ShownData, default_dataset
from skypool.server.data_tables import Arranged, page
from skypool.server.data_tiles import Scaling, tile
from skypool.server.endpoint import Asked, Endpoint, Parameter, integer, items, text
from skypool.server.kept import Kept
from skypool.server.thumbnails import RECIPE, Thumbnails

if TYPE_CHECKING:
    from starlette.responses import Response

    from skypool.model.tables import Table
    from skypool.server.block_means import Floats
    from skypool.server.context import Context

__all__ = ["Data", "routes"]

_GROUP: Final = "Data"
_TILE_BYTES: Final = 48 * 1024**2
_MOST: Final = 2**31
_MOST_POINTS: Final = 100_000

_DATASET: Final = text("dataset", "", summary="path of the dataset; by default the best to show")
_OTHER: Final = text("with", required=True, summary="hash of the other document")
_PLANE: Final = integer("plane", 0, 0, _MOST, "number of the plane, the last axis fastest")
_XY: Final = [
    integer("x", 0, 0, _MOST, "column, counted from 0"),
    integer("y", 0, 0, _MOST, "row, counted from 0"),
]
_TILE: Final = [
    _PLANE,
    integer("level", 0, 0, 62, "0 for the pixels, each further one halves their number"),
    integer("row", 0, 0, _MOST, "of tiles, from the bottom"),
    integer("column", 0, 0, _MOST, "of tiles, from the left"),
]
_WHERE: Final = text("where", "", summary="condition on the rows, in the query language")


class Data:
    """What the routes of data share."""

    def __init__(self, context: Context) -> None:
        self.shown = ShownData(lambda: context.pools.all().values())
        self.arranged = Arranged()
        self.thumbnails = Thumbnails(context.settings.cache / "thumbnails")
        self._described: Kept[dict[str, Any]] = Kept(256)
        self._tiles: Kept[Floats] = Kept(_TILE_BYTES, lambda values: values.nbytes + 200)
        self._differences: Kept[Difference] = Kept(8)
        self._changes: Kept[dict[str, Any]] = Kept(64)
        # More threads than cores would take turns in the middle of each tile.
        self._cores = threading.Semaphore(os.cpu_count() or 1)

    def path(self, asked: Asked) -> str:
        """Return the path of the dataset that is meant."""
        given: str = asked["dataset"]
        return given or default_dataset(self.shown.product(asked["hash"])) or ""

    def image(self, asked: Asked) -> Shown:
        """Return the array that is meant."""
        return self.shown.array(asked["hash"], self.path(asked))

    def table(self, asked: Asked, where: str = "", order: str = "") -> tuple[Table, Table]:
        """Return the table that is meant, and its rows as they are wanted."""
        path = self.path(asked)
        whole = self.shown.table(asked["hash"], path)
        return whole, self.arranged.get((asked["hash"], path), whole, where, order)

    def described(self, asked: Asked) -> dict[str, Any]:
        """Return the description of an image."""
        shown = self.image(asked)
        return self._described.get((asked["hash"], self.path(asked)), lambda: describe(shown))

    def tile(self, asked: Asked) -> Floats:
        """Return a tile; those of reduced levels are kept."""
        shown = self.image(asked)
        place = (asked["plane"], asked["level"], asked["row"], asked["column"])
        scaling = Scaling()
        if shown.array.dtype.itemsize > 2 and shown.array.dtype.name != "float32":
            scaling = scaling_in(self.described(asked))

        def make() -> Floats:
            with self._cores:
                return tile(shown, *place, scaling)

        if not asked["level"] and hasattr(shown.array.source, "tile"):
            return make()
        return self._tiles.get((asked["hash"], self.path(asked), *place), make)

    def both(self, asked: Asked) -> tuple[Shown, Shown]:
        """Return the two arrays that are compared."""
        path = self.path(asked)
        return self.shown.array(asked["hash"], path), self.shown.array(asked["with"], path)

    def difference(self, asked: Asked) -> Floats:
        """Return a tile of a difference."""
        first, second = self.both(asked)
        which = (asked["hash"], asked["with"], self.path(asked))
        source = self._differences.get(which, lambda: Difference(first.array, second.array))
        place = (asked["plane"], asked["level"], asked["row"], asked["column"])
        return self._tiles.get((*which, *place), lambda: tile(first, *place, source=source))

    def changes(self, asked: Asked) -> dict[str, Any]:
        """Return which pixels differ."""
        first, second = self.both(asked)
        key = (asked["hash"], asked["with"], self.path(asked), asked["plane"])
        return self._changes.get(key, lambda: changed(first, second, asked["plane"]))


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of data."""
    data = context.part(Data)

    def get(path: str, answer: Any, summary: str, *parameters: Parameter, **more: Any) -> Endpoint:
        def kept(asked: Asked) -> Response:
            tag = f'"{RECIPE}-{asked["hash"]}"'
            if asked.request.headers.get("if-none-match") == tag:
                # What an address with a hash says never changes: it is as it was.
                return _unchanged(tag)
            made: Response = answer(data, asked)
            made.headers["ETag"] = tag
            return made

        return Endpoint(
            method="GET", path=f"data/{{hash}}/{path}", answer=kept, summary=summary,
            parameters=[_DATASET, *parameters], group=_GROUP, **more,
        )  # fmt: skip

    numbers = {"media": "application/octet-stream"}
    return [
        get("image", _image, "Levels, limits, unit and coordinates of an image or cube"),
        get("tile", _tile, "A tile: float32, little-endian, from the bottom", *_TILE, **numbers),
        get("pixel", _pixel, "Exact value of a pixel, and where it is", _PLANE, *_XY),
        get(
            "spectrum", _spectrum, "Values of a cube at a pixel, or of a one-dimensional array",
            _PLANE, *_XY, integer("count", 4000, 2, _MOST_POINTS, "most points"),
            integer("start", 0, 0, _MOST, "first value"), integer("stop", None, 0, _MOST, "end"),
        ),
        get(
            "difference", _difference, "A tile of this image minus another one", _OTHER, *_TILE,
            **numbers,
        ),
        get("changed", _changed, "Which pixels differ between two images", _OTHER, _PLANE),
        get(
            "table", _table, "Rows of a table, filtered and in an order",
            integer("start", 0, 0, _MOST, "first row"), integer("count", 100, 0, 1000, "rows"),
            items("columns", "names; by default the first thirty"),
            text("order", "", summary="columns with commas between them, `-` before falling ones"),
            _WHERE,
        ),
        get(
            "plot", _plot, "Two columns to plot, thinned with their extremes",
            text("x", "", summary="name of a column; empty for the number of the row"),
            text("y", required=True, summary="name of a column"),
            integer("count", 4000, 2, _MOST_POINTS, "most points"), _WHERE,
        ),
        get(
            "histogram", _histogram, "How the values of a column are spread",
            text("column", required=True, summary="its name"),
            integer("bins", 50, 1, 1000, "how many"), _WHERE,
        ),
        Endpoint(
            method="GET", path="products/{pool}/{n}/thumbnail", answer=_thumbnail, group=_GROUP,
            media="image/webp", summary="A small picture; none where there is nothing to show",
            parameters=[integer("size", 256, 16, 1024, "largest height and width")],
            statuses={204: "there is nothing to show", 304: "as it was"},
        ),
    ]  # fmt: skip


def _unchanged(tag: str) -> Response:
    from starlette.responses import Response

    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": IMMUTABLE})


def _json(content: Any) -> Response:
    return JsonResponse(content, headers={"Cache-Control": IMMUTABLE})


def _numbers(values: Floats) -> Response:
    shape = f"{values.shape[0]},{values.shape[1]}"
    return bytes_answer(values.astype("<f4").tobytes(), headers={"Skypool-Shape": shape})


def _image(data: Data, asked: Asked) -> Response:
    return _json(data.described(asked))


def _tile(data: Data, asked: Asked) -> Response:
    return _numbers(data.tile(asked))


def _pixel(data: Data, asked: Asked) -> Response:
    return _json(pixel(data.image(asked), asked["plane"], asked["x"], asked["y"]))


def _spectrum(data: Data, asked: Asked) -> Response:
    given = {name: asked[name] for name in ("x", "y", "plane", "count", "start", "stop")}
    return _json(spectrum(data.image(asked), **given))


def _difference(data: Data, asked: Asked) -> Response:
    return _numbers(data.difference(asked))


def _changed(data: Data, asked: Asked) -> Response:
    return _json(data.changes(asked))


def _table(data: Data, asked: Asked) -> Response:
    whole, shown = data.table(asked, asked["where"], asked["order"])
    return _json(page(whole, shown, asked["start"], asked["count"], asked["columns"]))


def _plot(data: Data, asked: Asked) -> Response:
    _, shown = data.table(asked, asked["where"])
    return _json(plot(shown, asked["x"], asked["y"], asked["count"]))


def _histogram(data: Data, asked: Asked) -> Response:
    _, shown = data.table(asked, asked["where"])
    return _json(histogram(shown, asked["column"], asked["bins"]))


def _thumbnail(asked: Asked) -> Response:
    from starlette.responses import Response

    data = asked.context.part(Data)
    ref = asked.context.pools.ref(asked["pool"], asked["n"])
    # Labels of pools are given again, so clients ask whether it is still the same.
    tag = f'"{RECIPE}-{ref.hash}-{asked["size"]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=60"}
    if asked.request.headers.get("if-none-match") == tag and not ref.is_context:
        return Response(status_code=304, headers=headers)
    made = data.thumbnails.get(ref, asked["size"])
    if made is None:
        return Response(status_code=204, headers=headers)
    return Response(made, media_type="image/webp", headers=headers)
