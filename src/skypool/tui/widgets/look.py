"""Quick look: images, planes of cubes, spectra, tables."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from skypool.errors import SkypoolError
from skypool.server.data_sources import image_index
from skypool.server.data_world import World
from skypool.server.previews import BUDGET, COLOUR_MAPS, STRETCHES, Preview, preview
from skypool.tui import sheets, traces
from skypool.tui.plots import plot
from skypool.tui.text import cell, clean, percent, with_unit
from skypool.tui.widgets.grid import Grid
from skypool.tui.widgets.page import Page
from skypool.tui.widgets.picture import Picture

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["Look", "LookPage"]

_PLOT_LINES = 14


class Look(NamedTuple):
    """What was read of a dataset.

    Attributes
    ----------
    path : str
        The dataset; empty where there is none.
    paths : list of str
        All that can be shown.
    dataset : Array or Table or None
    preview : Preview or None
        Of an image.
    trace : Trace or None
        Of a spectrum or column.
    where : str
        Values on the axes of the plane that is shown.
    """

    path: str
    paths: list[str]
    dataset: Any = None
    preview: Preview | None = None
    trace: traces.Trace | None = None
    where: str = ""


class LookPage(Page):
    """A picture of what a product holds; it never reads more than a picture needs."""

    title = "Look"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "dataset(1)", "next dataset", show=False),
        Binding("N", "dataset(-1)", "dataset before", show=False),
        Binding("m", "colours(1)", "next colour map", show=False),
        Binding("M", "colours(-1)", "colour map before", show=False),
        Binding("S", "stretch", "next stretch", show=False),
        Binding("full_stop,right_square_bracket", "plane(1)", "next plane", show=False),
        Binding("comma,left_square_bracket", "plane(-1)", "plane before", show=False),
        Binding("F", "full", "read all pixels", show=False),
    ]
    DEFAULT_CSS = """
    LookPage #plot { height: auto; padding: 0 1; display: none; color: $accent; }
    LookPage Grid { display: none; }
    LookPage #words { height: auto; padding: 0 1; }
    """

    class Again(Message):
        """The page is to be loaded again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wanted = ""
        self.plane: int | None = None
        self.budget: int | None = BUDGET
        self.column = ""
        self.look: Look | None = None
        self._ref: Ref | None = None
        self._other: Ref | None = None
        self._limits: tuple[float, float] | None = None
        self._point = ""
        self._room = (40, 40)

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static("", id="words")
        yield Static("", id="plot")
        yield Picture()
        yield Grid()

    @property
    def picture(self) -> Picture:
        """The picture."""
        return self.query_one(Picture)

    # -- loading

    def prepare(self, ref: Ref) -> None:
        """Note what the other thread needs to know of the screen."""
        if ref != self._ref:
            self.plane, self.budget, self.column, self._point = None, BUDGET, "", ""
            self._ref, self._other, self._limits = ref, None, None
        self._room = self.picture.room
        if not self.picture.display:
            self._room = (2 * max(4, self.size.height - 4), max(8, self.size.width))

    def load(self, ref: Ref) -> Look:
        """Read what is to be shown."""
        product = (self._other or ref).product
        known = dict(sheets.datasets_of(product.datasets))
        paths = [path for path, dataset in known.items() if _shows(dataset)]
        path = self.wanted if self.wanted in paths else sheets.first_dataset(product)
        if path not in known:
            return Look("", paths)
        dataset = known[path]
        width = 2 * max(8, self._room[1] - 12)
        if hasattr(dataset, "colnames"):
            columns = traces.plottable(dataset)
            column = self.column if self.column in columns else _first_column(columns)
            trace = traces.of_column(dataset, column, width) if column and len(dataset) else None
            return Look(path, paths, dataset, None, trace)
        if dataset.ndim == 1:
            return Look(path, paths, dataset, None, traces.of_array(dataset, width))
        plane = None if self.plane is None else _unravelled(self.plane, dataset.shape[:-2])
        found = preview(dataset, self._room, plane, self.budget)
        if self._limits is not None:  # so that what blinks is what differs
            found = replace(found, low=self._limits[0], high=self._limits[1])
        return Look(path, paths, dataset, found, where=_where(product, dataset, found.plane))

    def fill(self, ref: Ref, found: Look) -> None:
        """Show it."""
        self.look = found
        is_table = hasattr(found.dataset, "colnames")
        self.picture.display = found.preview is not None or found.dataset is None
        self.query_one("#plot").display = found.trace is not None
        grid = self.query_one(Grid)
        grid.display = is_table
        if is_table:
            grid.show(sheets.TableRows(found.dataset))
        if found.dataset is None:
            self.picture.show(None, "no image, spectrum or table in this product")
        elif found.preview is not None:
            self.picture.show(found.preview)
        self._draw_plot()
        self._tell()

    def _draw_plot(self) -> None:
        trace = self.look.trace if self.look else None
        if trace is None or self.look is None:
            return
        is_table = hasattr(self.look.dataset, "colnames")
        lines = _PLOT_LINES if is_table else max(8, self.size.height - 4)
        made = plot(
            trace.low,
            trace.high,
            (min(lines, max(8, self.size.height // 2 if is_table else lines)), self.size.width - 2),
            x_range=trace.x_range,
            x_label=trace.x_label,
            y_label=clean(trace.y_label),
        )
        self.query_one("#plot", Static).update(Text("\n".join(made), no_wrap=True))

    # -- words

    def _tell(self) -> None:
        look = self.look
        text = Text(no_wrap=True, overflow="ellipsis")
        if look is not None and look.dataset is not None:
            place = f" ({look.paths.index(look.path) + 1}/{len(look.paths)})"
            if self._other is not None:
                text.append(f"{sheets.title(self._other)}  ", "bold yellow")
            text.append(clean(look.path), "bold")
            text.append(place if len(look.paths) > 1 else "", "dim")
            text.append(f"  {sheets.dataset_text(look.dataset)}")
            if look.preview is not None:
                text.append("\n" + self._image_words(look.preview, look.dataset, look.where), "dim")
            text.append(f"\n{self._point}" if self._point else "")
        self.query_one("#words", Static).update(text)

    def _image_words(self, found: Preview, dataset: Any, where: str) -> str:
        words = [
            f"{cell(found.low)} … {cell(found.high)} {clean(dataset.unit_text)}".rstrip(),
            self.picture.stretch,
            self.picture.colour_map,
            f"1:{max(found.step)}",
        ]
        if found.plane:
            number = int(np.ravel_multi_index(found.plane, dataset.shape[:-2]))
            words.append(f"plane {number + 1} of {int(np.prod(dataset.shape[:-2]))}{where}")
        if found.read < 1:
            words.append(f"sampled from {percent(found.read)} of the pixels, F reads all")
        return "  ".join(words)

    def on_picture_pointed(self, event: Picture.Pointed) -> None:
        """Tell the value and the place of a pixel."""
        event.stop()
        look = self.look
        if look is None or look.preview is None:
            return
        y, x = min(event.y, look.dataset.shape[-2] - 1), min(event.x, look.dataset.shape[-1] - 1)
        try:
            value = look.dataset[(*look.preview.plane, y, x)]
            self._point = f"[{y}, {x}] = {cell(value.item())} {look.dataset.unit_text}".rstrip()
            self._point += _sky(look.dataset, y, x)
        except SkypoolError as error:
            self._point = clean(error.message)
        self._tell()

    def on_picture_resized(self, event: Picture.Resized) -> None:
        """Read a picture that fits."""
        event.stop()
        found = self.look.preview if self.look else None
        if found is None or not self.picture.display or not self.size.height:
            return
        shape = found.values.shape
        room = self.picture.room
        finer = found.step != (1, 1) and (shape[0] * 2 <= room[0] and shape[1] * 2 <= room[1])
        if shape[0] > room[0] or shape[1] > room[1] or finer:
            self.post_message(self.Again())

    # -- keys

    def action_dataset(self, step: int) -> None:
        """Show another dataset."""
        if self.look is not None and self.look.paths:
            paths = self.look.paths
            place = paths.index(self.look.path) if self.look.path in paths else 0
            self.show_dataset(paths[(place + step) % len(paths)])

    def show_dataset(self, path: str) -> None:
        """Show a dataset."""
        self.wanted, self.plane, self.column, self._point = path, None, "", ""
        self.post_message(self.Again())

    def action_colours(self, step: int) -> None:
        """Use another colour map."""
        place = COLOUR_MAPS.index(self.picture.colour_map)
        self.picture.restyle(colour_map=COLOUR_MAPS[(place + step) % len(COLOUR_MAPS)])
        self._tell()

    def action_stretch(self) -> None:
        """Use another stretch."""
        names = list(STRETCHES)
        place = names.index(self.picture.stretch)
        self.picture.restyle(stretch=names[(place + 1) % len(names)])
        self._tell()

    def action_plane(self, step: int) -> None:
        """Show another plane of a cube, or plot another column of a table."""
        look = self.look
        if look is None or look.dataset is None:
            return
        if hasattr(look.dataset, "colnames"):
            columns = traces.plottable(look.dataset)
            if columns:
                now = columns.index(self.column or _first_column(columns))
                self.column = columns[(now + step) % len(columns)]
                self.post_message(self.Again())
        elif look.preview is not None and look.preview.plane:
            lead = look.dataset.shape[:-2]
            now = int(np.ravel_multi_index(look.preview.plane, lead))
            self.plane = (now + step) % int(np.prod(lead))
            self.post_message(self.Again())

    def action_blink(self, other: Ref) -> None:
        """Show another version by the same limits, or go back to this one."""
        look = self.look
        if self._other is not None:
            self._other = None
        else:
            self._other = other
            if look is not None and look.preview is not None:
                self._limits = self._limits or (look.preview.low, look.preview.high)
            self.wanted = look.path if look is not None else self.wanted
        self.post_message(self.Again())

    def action_full(self) -> None:
        """Read all pixels."""
        if self.look is not None and self.look.preview is not None and self.look.preview.read < 1:
            self.budget = None
            self.post_message(self.Again())


def _shows(dataset: Any) -> bool:
    if hasattr(dataset, "colnames"):
        return True
    return hasattr(dataset, "dtype") and dataset.dtype.kind in "biufc" and dataset.ndim > 0


def _first_column(columns: list[str]) -> str:
    for part in ("flux", "signal", "counts", "value", "intensity"):
        for column in columns:
            if part in column.casefold():
                return column
    return columns[min(1, len(columns) - 1)] if columns else ""


def _unravelled(number: int, lead: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(place) for place in np.unravel_index(number, lead))


def _where(product: Any, dataset: Any, plane: tuple[int, ...]) -> str:
    """Return the values of a plane on its axes, such as `, frequency 503 GHz`."""
    from astropy.wcs import NoConvergence

    world = World(dataset, lambda: image_index(product, dataset))
    words = ""
    for axis, place in enumerate(plane):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                known = world.along(axis, [place]) if dataset.shape[axis] > 1 else None
            except (ValueError, TypeError, NoConvergence):  # those that astropy cannot work out
                known = None
        if known is not None and np.isfinite(known[2][0]):
            words += f", {clean(known[0])} {with_unit(float(known[2][0]), clean(known[1]))}"
    return words


def _sky(dataset: Any, y: int, x: int) -> str:
    """Return where a pixel of an image is on the sky, if that is known."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs import NoConvergence

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wcs = dataset.wcs if dataset.may_have_wcs else None
            if wcs is None or not wcs.has_celestial:
                return ""
            place = wcs.celestial.pixel_to_world(x, y)
        except (ValueError, TypeError, NoConvergence):  # those that astropy cannot work out
            return ""
    if not isinstance(place, SkyCoord):
        return ""
    icrs = place.icrs
    return f"   {icrs.to_string('hmsdms', precision=1)}  ({icrs.ra.deg:.5f}, {icrs.dec.deg:+.5f})"
