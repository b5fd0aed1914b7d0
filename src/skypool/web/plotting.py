"""Figures of datasets with matplotlib: `plot()` of products, references and datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from astropy.visualization import (
    AsinhStretch,
    BaseStretch,
    ImageNormalize,
    LinearStretch,
    LogStretch,
    SqrtStretch,
)
from matplotlib import pyplot as plt

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.product import Product
from skypool.model.tables import Column, Table
from skypool.pool.ref import Ref
from skypool.server.previews import BUDGET, limits, preview
from skypool.sky.roles import AUXILIARY
from skypool.web.plot_lines import draw_array, draw_column, draw_spectrum_at, draw_table, numbers_of
from skypool.web.plot_text import label, plain, plane_text, sky_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot"]

# With the same shapes as the pictures of the Product Browser (`skypool.server.colours`).
_STRETCHES: Final[dict[str, BaseStretch]] = {
    "asinh": AsinhStretch(a=0.1),
    "linear": LinearStretch(),
    "log": LogStretch(a=1000),
    "sqrt": SqrtStretch(),
}
_PREFERRED: Final = ("image", "cube", "signal", "flux", "sci", "primary")
_LEAST_PIXELS: Final = 512
_MOST_PIXELS: Final = 4096


def plot(thing: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a product or one of its datasets.

    Parameters
    ----------
    thing
        Product, reference, array, table or column.
    ax
        Axes to draw in; by default those of a new figure.
    **options
        Those of the `plot` methods of `Product`, `Array` and `Table`.

    Returns
    -------
    matplotlib.axes.Axes
        A `WCSAxes` where an image has celestial coordinates.
    """
    if isinstance(thing, Ref | Product):
        return _product(thing, ax, **options)
    if isinstance(thing, Table):
        return draw_table(thing, _axes(ax), **options)
    if isinstance(thing, Column):
        return draw_column(thing, _axes(ax), **options)
    if isinstance(thing, Array):
        return _array(thing, ax, **options)
    raise UsageError(
        f"a {type(thing).__name__} holds datasets; plot one of them",
        candidates=[path for path, _ in _walk(thing)][:20],
    )


def _axes(ax: Axes | None, **how: Any) -> Axes:
    if ax is not None:
        return ax
    made: Axes = plt.figure(layout="constrained").add_subplot(**how)
    return made


# -- products


def _product(thing: Ref | Product, ax: Axes | None, dataset: str = "", **options: Any) -> Axes:
    product = thing.product
    path = dataset or _chosen(product)
    drawn = plot(product[path], ax, **options)
    origin = thing if isinstance(thing, Ref) else product.origin
    name = f"{_short(origin.name)}@{origin.version}" if isinstance(origin, Ref) else product.type
    behind = f", {drawn.get_title()}" if drawn.get_title() else ""
    drawn.set_title(f"{plain(f'{name}: {path}')}{behind}", fontsize="medium", wrap=True)
    return drawn


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _walk(datasets: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, dataset in datasets.items():
        if isinstance(dataset, Composite):
            yield from _walk(dataset, f"{before}{name}/")
        else:
            yield f"{before}{name}", dataset


def _chosen(product: Product) -> str:
    """Return the path of the dataset that is shown where none is named."""
    found = {path: dataset for path, dataset in _walk(product.datasets) if _can_show(dataset)}
    plain_names = {path: path.rpartition("/")[2].casefold() for path in found}
    for wanted in _PREFERRED:
        for path, name in plain_names.items():
            if name == wanted and isinstance(found[path], Array):
                return path
    main = [path for path, name in plain_names.items() if name not in AUXILIARY]
    arrays = [path for path in main if isinstance(found[path], Array)]
    for path in [*arrays, *main, *found]:
        return path
    raise UsageError(
        f"the {product.kind} has nothing that can be drawn",
        hint="plot one of its references" if product.is_context else "",
        candidates=list(product.refs)[:20],
    )


def _can_show(dataset: Any) -> bool:
    if isinstance(dataset, Table):
        return len(dataset) > 0 and bool(numbers_of(dataset))
    return dataset.ndim > 0 and dataset.size > 0 and dataset.dtype.kind in "biufc"


# -- arrays


def _array(array: Array, ax: Axes | None, **options: Any) -> Axes:
    if array.dtype.kind not in "biufc" or not array.ndim or not array.size:
        raise UsageError(f"there is nothing to draw in {array!r}")
    if array.ndim == 1:
        return draw_array(array, _axes(ax), **options)
    if options.get("pixel") is not None:
        return draw_spectrum_at(array, _axes(ax), **options)
    return _image(array, ax, **options)


def _image(
    array: Array,
    ax: Axes | None,
    *,
    plane: Any = None,
    pixel: None = None,
    stretch: str = "asinh",
    percentiles: tuple[float, float] = (0.5, 99.5),
    low: float | None = None,
    high: float | None = None,
    colorbar: bool = True,
    full: bool = False,
    cmap: Any = "inferno",
    **more: Any,
) -> Axes:
    """Draw an image, or a plane of a cube; see `Array.plot`."""
    if stretch not in _STRETCHES:
        raise UsageError(f"there is no stretch {stretch!r}", candidates=list(_STRETCHES))
    place = _place(array.shape[:-2], plane)
    wcs = array.wcs
    if ax is None:
        ax = _axes(None, **_projection(wcs, place))
    size = (array.shape[-2], array.shape[-1]) if full else _resolution(ax)
    made = preview(array, size, place, None if full else BUDGET)
    bounds = limits(made.values, percentiles)
    first, last = (bounds[0] if low is None else low), (bounds[1] if high is None else high)
    if not first < last:
        last = first + (abs(first) * 1e-6 or 1.0)
    rows, columns = made.values.shape
    down, across = made.step
    extent = (-0.5, columns * across - 0.5, -0.5, rows * down - 0.5)
    shown = ax.imshow(
        made.values,
        origin="lower",
        extent=extent,
        norm=ImageNormalize(vmin=first, vmax=last, stretch=_STRETCHES[stretch], clip=False),
        cmap=cmap,
        **{"interpolation": "nearest", **more},
    )
    # The last blocks may reach beyond the edges of the image.
    ax.set_xlim(-0.5, array.shape[-1] - 0.5)
    ax.set_ylim(-0.5, array.shape[-2] - 0.5)
    _name_axes(ax, wcs)
    if place:
        ax.set_title(plain(plane_text(wcs, place, array.shape)))
    if colorbar:
        ax.figure.colorbar(shown, ax=ax, label=label("", array.unit_text), shrink=0.9)
    return ax


def _place(lead: tuple[int, ...], plane: Any) -> tuple[int, ...]:
    """Return the place on the leading axes, counted from 0; the middle where none is given."""
    if plane is None:
        return tuple(length // 2 for length in lead)
    wanted = tuple(plane) if isinstance(plane, tuple | list) else (plane,)
    if len(wanted) != len(lead) or any(not -n <= p < n for p, n in zip(wanted, lead, strict=True)):
        shape = " x ".join(map(str, lead)) or "no"
        raise UsageError(f"there is no plane {plane!r} among {shape} planes")
    return tuple(int(p) % n for p, n in zip(wanted, lead, strict=True))


def _projection(wcs: Any, place: tuple[int, ...]) -> dict[str, Any]:
    """Return what makes axes with the coordinates of an image; nothing for one without."""
    if wcs is None or not wcs.has_celestial:
        return {}
    if wcs.naxis == 2:
        return {"projection": wcs}
    # Axes of the coordinates in the order of FITS; those that the array lacks have one pixel.
    others = [*place[::-1], *([0] * wcs.naxis)][: wcs.naxis - 2]
    return {"projection": wcs, "slices": ("x", "y", *others)}


def _resolution(ax: Axes) -> tuple[int, int]:
    """Return how many pixels a figure can show, with some to spare for larger copies of it."""
    box = ax.get_window_extent()
    return (_pixels(box.height), _pixels(box.width))


def _pixels(length: float) -> int:
    return int(min(_MOST_PIXELS, max(_LEAST_PIXELS, 2 * length)))


def _name_axes(ax: Axes, wcs: Any) -> None:
    coords = getattr(ax, "coords", None)
    if coords is None:
        ax.set_xlabel(ax.get_xlabel() or "x [pixel]")
        ax.set_ylabel(ax.get_ylabel() or "y [pixel]")
        return
    if wcs is None:
        return
    for number, kind in enumerate(wcs.world_axis_physical_types):
        name = sky_label(kind, wcs.wcs.radesys)
        if name and number < len(list(coords)):
            coords[number].set_axislabel(name)
