"""Datasets that the quick look shows: found by the hash of their product's document.

A document never changes, so whatever is computed from it can be kept. What is kept here is
bounded: products (which hold no values themselves), and one world coordinate system for each
of their arrays.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import Damaged, NotFound, Purged, StorageError, UsageError
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset, Datasets
from skypool.model.tables import Table
from skypool.server.data_world import World

if TYPE_CHECKING:
    from skypool.model.product import Product
    from skypool.pool.ref import Ref

__all__ = [
    "Shown",
    "ShownData",
    "all_datasets",
    "default_dataset",
    "image_index",
    "quick_of",
    "spectral_columns",
]

_KEPT: Final = 16
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# What a product is looked at for, best first; the others of the same sort come behind.
_FIRST: Final = ("image", "signal", "sci", "flux", "data", "primary", "intensity")
_LAST: Final = re.compile(
    r"err|weight|wht|coverage|exposure|mask|flag|dq|noise|sigma|std|var|con$|context", re.IGNORECASE
)
_SORTS: Final = ("image", "cube", "spectrum", "table")
# Columns of spectra kept as tables: where along the spectrum, and how bright.
_ALONG: Final = re.compile(r"wave|lambda|lam$|loglam|freq|velo|energy|channel", re.IGNORECASE)
_BRIGHT: Final = re.compile(r"flux|intensity|signal|spec|temperature|counts|rate", re.IGNORECASE)


def quick_of(dataset: Dataset) -> str:
    """Return how a dataset is shown: `image`, `cube`, `spectrum`, `table`, or `none`.

    Nothing is read.
    """
    if isinstance(dataset, Table):
        return "table"
    if not isinstance(dataset, Array) or dataset.dtype.kind not in "biufc":
        return "none"
    shape = dataset.shape
    if not shape or 0 in shape:
        return "none"
    if len(shape) == 1:
        return "spectrum"
    return "image" if all(length == 1 for length in shape[:-2]) else "cube"


def all_datasets(datasets: Datasets, under: str = "") -> Iterator[tuple[str, Dataset]]:
    """Yield (path, dataset) of all arrays and tables, those in composites as well."""
    for name, dataset in datasets.items():
        path = f"{under}{name}"
        if isinstance(dataset, Composite):
            yield from all_datasets(dataset, f"{path}/")
        else:
            yield path, dataset


def default_dataset(product: Product) -> str | None:
    """Return the path of the dataset that shows best what a product is; None if there is none.

    Spectra kept as tables come before arrays of one axis; weights, errors and masks come last.
    """
    found = [(path, quick_of(dataset)) for path, dataset in all_datasets(product.datasets)]
    shown = [(path, quick) for path, quick in found if quick != "none"]
    return min(shown, key=lambda item: _rank(*item))[0] if shown else None


def spectral_columns(table: Any) -> tuple[str, str] | None:
    """Return the columns of a spectrum kept as a table; None if it does not look like one."""
    plain = [
        name for name in table.colnames if table[name].ndim == 1 and table[name].dtype.kind in "iuf"
    ]
    x = next((name for name in plain if _ALONG.match(name)), None)
    y = next((name for name in plain if _BRIGHT.match(name) and name != x), None)
    return (x, y) if x and y and len(table) > 1 else None


def _rank(path: str, quick: str) -> tuple[bool, int, int]:
    name = path.rpartition("/")[2].casefold()
    place = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return (_LAST.search(name) is not None and name not in _FIRST, _SORTS.index(quick), place)


class Shown:
    """An array with what is needed to look at it.

    Parameters
    ----------
    array
        Of numbers, with at least one axis.
    planes_at
        Gives values of the leading axis that are in a table of the product, with their name
        and unit; None where there are none.
    """

    def __init__(self, array: Array, planes_at: Callable[[], Any] | None = None) -> None:
        self.array = array
        self.world = World(array, planes_at)

    @property
    def lead(self) -> tuple[int, ...]:
        """Lengths of the axes before the last two."""
        return self.array.shape[:-2]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a plane."""
        height, width = (1, *self.array.shape)[-2:]
        return height, width

    @property
    def planes(self) -> int:
        """How many planes there are."""
        count = 1
        for length in self.lead:
            count *= length
        return count

    def place(self, plane: int) -> tuple[int, ...]:
        """Return where a plane is on the leading axes; planes count with the last fastest.

        Raises
        ------
        UsageError
            If there is no such plane.
        """
        if not 0 <= plane < self.planes:
            raise UsageError(f"there is no plane {plane}: the planes are 0 to {self.planes - 1}")
        place: list[int] = []
        for length in reversed(self.lead):
            plane, here = divmod(plane, length)
            place.insert(0, here)
        return tuple(place)


class ShownData:
    """Products and arrays by the hash of a document, from whichever pool has it.

    Parameters
    ----------
    pools
        Gives the open pools.
    """

    def __init__(self, pools: Callable[[], Iterable[Any]]) -> None:
        self._pools = pools
        self._products: OrderedDict[str, tuple[Ref, Product]] = OrderedDict()
        self._shown: OrderedDict[tuple[str, str], Shown] = OrderedDict()
        self._lock = threading.Lock()

    def product(self, digest: str) -> Product:
        """Return the product with a document of that hash.

        Raises
        ------
        NotFound
            If none of the pools has it.
        Purged, Damaged, StorageError
            If it is there and cannot be read, in any of them.
        """
        if not _HASH.fullmatch(digest):
            raise UsageError(f"{digest!r} is no hash of a document: 64 hexadecimal digits are")
        pools = [pool for pool in self._pools() if pool.exists]
        kept = self._kept(digest, pools)
        if kept is not None:
            return kept
        problem: Exception | None = None
        for ref in _refs(pools, bytes.fromhex(digest)):
            try:
                product = ref.product
            except (Damaged, Purged, StorageError) as error:
                problem = problem or error
                continue
            with self._lock:
                self._products[digest] = (ref, product)
                for old in list(self._shown):
                    if old[0] == digest:
                        del self._shown[old]
                while len(self._products) > _KEPT:
                    gone, _ = self._products.popitem(last=False)
                    for old in [key for key in self._shown if key[0] == gone]:
                        del self._shown[old]
            return product
        raise problem or NotFound(
            f"none of the open pools has a product with the hash {digest}",
            hint="it may be in a pool that was closed",
        )

    def _kept(self, digest: str, pools: list[Any]) -> Product | None:
        with self._lock:
            found = self._products.get(digest)
            if found is None:
                return None
            self._products.move_to_end(digest)
        ref, product = found
        if any(pool.view.session is ref.view.session for pool in pools):
            try:
                ref.view.check_there(ref.row)
            except Purged:
                pass  # another version with the same content may be there
            else:
                return product
        with self._lock:
            self._products.pop(digest, None)
        return None

    def dataset(self, digest: str, path: str) -> Dataset:
        """Return a dataset by its path.

        Raises
        ------
        MissingName
            If the product has none of that name.
        """
        return self.product(digest).datasets[path]

    def array(self, digest: str, path: str) -> Shown:
        """Return an array that can be shown.

        Raises
        ------
        UsageError
            If the dataset is no array of numbers.
        """
        product = self.product(digest)
        with self._lock:
            known = self._shown.get((digest, path))
        if known is not None:
            return known
        found = product.datasets[path]
        if not isinstance(found, Array) or quick_of(found) == "none":
            raise UsageError(
                f"{path!r} is no array of numbers: there is nothing to show as image",
                hint="tables are shown by `table`",
            )
        shown = Shown(found, lambda: image_index(product, found))
        with self._lock:
            return self._shown.setdefault((digest, path), shown)

    def table(self, digest: str, path: str) -> Table:
        """Return a table.

        Raises
        ------
        UsageError
            If the dataset is none.
        """
        found = self.dataset(digest, path)
        if not isinstance(found, Table):
            raise UsageError(f"{path!r} is no table", hint="arrays are shown by `image`")
        return found


def _refs(pools: Iterable[Any], digest: bytes) -> Iterator[Ref]:
    """Yield the versions with that document, those first whose content is still there."""
    for pool in pools:
        view = pool.view
        rows = view.identity.hashed(digest, digest, view.at)
        for row in sorted(rows, key=lambda row: bool(row.purged)):
            if row.document == digest:
                yield view.ref(row)


def image_index(product: Product, array: Array) -> Any:
    """Return the values of the planes of a cube of HCSS, which has them in a table.

    Parameters
    ----------
    product
        Whose.
    array
        The cube.

    Returns
    -------
    (name, unit, values) or None
    """
    table = product.datasets.get("ImageIndex")
    if not isinstance(table, Table) or array.ndim != 3 or "DepthIndex" not in table:
        return None
    column = table["DepthIndex"]
    if column.shape != array.shape[:1] or column.dtype.kind not in "iuf":
        return None
    return column.description or "DepthIndex", column.unit_text, column[:]
