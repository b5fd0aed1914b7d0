"""The engine `skypool` of xarray: products as data sets, by their address in a pool.

    xarray.open_dataset("skypool://temp1/1342182452/level2/PSW.fits")
    xarray.open_dataset("temp1/maps/m83@2", engine="skypool")
    xarray.open_dataset(ref, engine="skypool")

See docs/howto/arrays.md.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Any

import xarray
from xarray.backends import BackendEntrypoint

from skypool.config import from_environment
from skypool.errors import NotFound, UsageError
from skypool.files.tree import Tree
from skypool.model.bridges.xarrays import build_groups
from skypool.model.product import Product
from skypool.pool.folder import is_pool
from skypool.pool.named import locate
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

__all__ = ["SkypoolEngine", "split_address"]

SCHEME = "skypool://"
_PATHS = ("/", "./", "../", "~")


class SkypoolEngine(BackendEntrypoint):  # type: ignore[misc]  # see pyproject.toml
    """Opens products of pools as `xarray.Dataset`, read where they are looked at."""

    description = "Open products in pools (skypool://POOL/NAME)"
    url = "https://pypi.org/project/skypool/"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "group", "at", "coordinates")
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Say whether this is a product, a ref, or an address that begins with `skypool://`."""
        if isinstance(filename_or_obj, str):
            return filename_or_obj.startswith(SCHEME)
        return isinstance(filename_or_obj, Ref | Product)

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        at: Any = None,
        coordinates: bool = True,
    ) -> xarray.Dataset:
        """Open a product.

        Parameters
        ----------
        filename_or_obj
            `skypool://POOL/REF` or `POOL/REF`, where POOL is a name or the path of a folder
            that is a pool, and REF what `pool[...]` takes; or a `Ref` or `Product`.
        drop_variables
            Names of datasets to leave out.
        group
            A table or composite, instead of the arrays.
        at
            The pool as of this commit or time.
        coordinates
            False for the names of the axes alone.
        """

        def made(product: Product) -> xarray.Dataset:
            return product.to_xarray(group or "", coordinates=coordinates)

        found, source, close = _opened(filename_or_obj, at, made)
        finished = _finished(found, drop_variables, source)
        finished.set_close(close)
        return finished

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        at: Any = None,
        coordinates: bool = True,
    ) -> dict[str, xarray.Dataset]:
        """Open the arrays of a product (`/`), and each of its tables and composites.

        The options are those of `open_dataset`.
        """

        def made(product: Product) -> dict[str, xarray.Dataset]:
            return build_groups(product, coordinates=coordinates)

        found, source, close = _opened(filename_or_obj, at, made)
        groups = {path: _finished(part, drop_variables, source) for path, part in found.items()}
        groups["/"].set_close(close)
        return groups

    def open_datatree(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        at: Any = None,
        coordinates: bool = True,
    ) -> xarray.DataTree:
        """Open a product with all its tables and composites as a tree.

        The options are those of `open_dataset`.
        """
        groups = self.open_groups_as_dict(
            filename_or_obj, drop_variables=drop_variables, at=at, coordinates=coordinates
        )
        made = xarray.DataTree.from_dict(groups)
        made.set_close(groups["/"].close)
        return made


def _opened(thing: Any, at: Any, make: Callable[[Product], Any]) -> tuple[Any, str, Any]:
    """Return what is made of a product, where it came from, and what closes its pool."""
    if isinstance(thing, Product):
        return make(thing), repr(thing), None
    if isinstance(thing, Ref):
        return make(thing.product), thing.urn, None
    address = os.fspath(thing)
    where, inner = split_address(address)
    pool = Pool(where, "r")
    try:
        ref = _found(pool, inner) if at is None else pool.at(at)[inner]
        return make(ref.product), address, _Closing(pool)
    except BaseException:
        pool.close()
        raise


def _found(pool: Pool, inner: str) -> Ref:
    """Return what an address names in a pool; as a file of its folder view, if nothing else."""
    try:
        return pool[inner]
    except NotFound:
        with contextlib.suppress(NotFound):
            entry = Tree(pool).entry(inner)
            if entry.ref is not None:
                return entry.ref
        raise


class _Closing:
    """Closes a pool. In another process there is nothing to close: arrays open theirs there."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool

    def __call__(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Closing, ()


def split_address(address: str) -> tuple[str, str]:
    """Return what an address says of the pool, and the ref in it.

    Raises
    ------
    NotFound
        If no folder of a path is a pool.
    UsageError
        If it names nothing in the pool.
    """
    text = address.removeprefix(SCHEME)
    if text.startswith(_PATHS):
        parts = os.path.expanduser(text).split("/")
        ends = range(2, len(parts) + 1)
        end = next((n for n in ends if is_pool("/".join(parts[:n]))), None)
        if end is None:
            raise NotFound(f"no folder of {text!r} is a pool", hint="`skypool init` makes one")
        where, inner = "/".join(parts[:end]), "/".join(parts[end:])
    else:
        name, _, inner = text.partition("/")
        where = locate(name, from_environment())
    if not inner.strip("/"):
        raise UsageError(
            f"{address!r} is a pool, not a product in it", hint=f"{address.rstrip('/')}/NAME"
        )
    return where, inner.strip("/")


class _ByContent(xarray.Variable):  # type: ignore[misc]
    """A variable whose parts in dask are named by content.

    xarray names them by the address alone, and the product of an address changes: two versions
    of it in one computation would be taken for one.
    """

    __slots__ = ()

    def chunk(self, *args: Any, from_array_kwargs: Any = None, **options: Any) -> Any:
        options["from_array_kwargs"] = dict(from_array_kwargs or {})
        name = options["from_array_kwargs"].get("name")
        if name:
            from dask.base import tokenize

            options["from_array_kwargs"]["name"] = f"{name}-{tokenize(self._data)}"
        return super().chunk(*args, **options)


def _finished(made: xarray.Dataset, dropped: str | Iterable[str] | None, source: str) -> Any:
    if dropped is not None:
        made = made.drop_vars(dropped, errors="ignore")
    found = {name: _by_content(variable) for name, variable in made.variables.items()}
    coords = {name: found.pop(name) for name in made.coords}
    made = xarray.Dataset(found, xarray.Coordinates(coords, indexes={}), made.attrs)
    made.encoding["source"] = source
    return made


def _by_content(variable: xarray.Variable) -> xarray.Variable:
    if isinstance(variable, xarray.IndexVariable):
        return variable.to_base_variable()
    return _ByContent(
        variable.dims, variable._data, variable.attrs, variable.encoding, fastpath=True
    )
