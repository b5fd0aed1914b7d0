"""The tasks of HIPE's scripts: observations and products from pools and to them."""

from __future__ import annotations

import logging
import os
import tempfile
import zipfile
from typing import Any

from skypool.errors import NotFound, UsageError
from skypool.hipe.finding import Wanted, look_for
from skypool.hipe.managers import LocalStoreFactory, PoolManager
from skypool.hipe.observations import ObservationContext
from skypool.hipe.pools import LocalStoreContext, ProductPool
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.hipe.storage import ProductStorage
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

__all__ = [
    "exportObservation",
    "getObservation",
    "localStoreCopier",
    "readSliced",
    "saveObservation",
    "saveProduct",
    "saveSlicedCopy",
]

_log = logging.getLogger(__name__)


def getObservation(
    obsid: Any = None,
    instrument: str | None = None,
    od: int | None = None,
    poolName: str | None = None,
    poolLocation: Any = None,
    path: Any = None,
    urn: Any = None,
    tag: str | None = None,
    useHsa: Any = None,
    save: Any = None,
    version: int | None = None,
    spgVersion: str | None = None,
    creationDate: Any = None,
    latest: Any = False,
    allVersions: Any = False,
    verbose: Any = False,
    useCache: Any = None,
) -> Any:
    """Return an observation.

    Where no pool is named, all local pools are asked, and then, with *useHsa*, the archive; what
    it sends is kept in the pool `hsa`, or, with *save*, in the pool named.

    Parameters
    ----------
    obsid
        Its number, or that as text (decimal or `0x...`).
    instrument
        Of the two of a parallel-mode observation, or of several found.
    od
        Operational day.
    poolName
        The only pool to ask.
    poolLocation
        The folder in which that pool's folder is; its name is then by default the obsid.
    path
        A folder, archive or descriptor of an observation instead of a pool.
    urn, tag
        Of the observation, instead of its number.
    useHsa
        Whether the archive is asked if no pool has it.
    save
        Whether what the archive sends is kept in the pool *poolName*.
    version
        Number of the version.
    spgVersion
        Part of its `creator`.
    creationDate
        When it was made.
    latest
        Of several, take the one that was made last.
    allVersions
        Whether old versions are looked at too.
    verbose
        Whether the log says more.
    useCache
        Ignored, as in HIPE.

    Returns
    -------
    ObservationContext

    Raises
    ------
    NotFound
        If there is none.
    Ambiguous
        If there are several; they are listed.
    """
    wanted = Wanted(
        None if obsid is None else number_of(obsid), instrument, od, urn, tag, version,
        spgVersion, creationDate, bool(latest), bool(allVersions),
    )  # fmt: skip
    if path is not None:
        if poolLocation is not None:
            raise UsageError("give path or poolLocation, not both")
        return _product(_from_path(os.path.expanduser(str(path)), wanted))
    pools = _pools(wanted, poolName, poolLocation)
    try:
        return _product(look_for(wanted, pools))
    except NotFound:
        if not useHsa or wanted.obsid is None:
            raise
    named = poolName is not None or poolLocation is not None
    target = pools[0] if save and named else PoolManager.getPool("hsa")
    target.check_writable()
    _from_archive(target.pool, wanted)
    return _product(look_for(wanted, [target]))


def number_of(obsid: Any) -> int:
    """Return the number of an observation.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        return int(obsid, 0) if isinstance(obsid, str) else int(obsid)
    except (TypeError, ValueError):
        raise UsageError(f"{obsid!r} is no number of an observation") from None


def _pools(wanted: Wanted, name: str | None, location: Any) -> list[ProductPool]:
    """Return the pools to ask, those of the archive last."""
    if name is not None or location is not None:
        name = str(wanted.obsid) if name is None else name
        return [_pool(name, location)]
    names = PoolManager.getIDList()
    return [PoolManager.getPool(name) for name in sorted(names, key=lambda name: name == "hsa")]


def _pool(pool: Any, location: Any = None) -> ProductPool:
    if isinstance(pool, ProductPool):
        return pool
    if isinstance(pool, Pool):
        return ProductPool(pool)
    if location is None:
        return PoolManager.getPool(str(pool))
    return LocalStoreFactory.getStore(LocalStoreContext(str(pool), location))


def _from_path(path: str, wanted: Wanted) -> Ref:
    """Take a folder, an archive or what a descriptor stands beside into a pool of its own."""
    from skypool.pool.folder import is_pool

    if path.lower().endswith(".xml"):
        path = os.path.dirname(os.path.abspath(path))
    if is_pool(path):
        return look_for(wanted, [ProductPool(Pool(path, "r"))])
    from skypool.hipe.managers import TemporalPool

    pool = TemporalPool.createTmpPool("path")
    pool.pool.add(path)
    return look_for(wanted, [pool])


def _from_archive(pool: Pool, wanted: Wanted) -> None:
    """Fetch an observation from the archive."""
    import importlib

    archive = importlib.import_module("skypool.files.herschel")
    archive.get_observation(pool, wanted.obsid, instrument=wanted.instrument)


def _product(ref: Ref) -> Any:
    return ProductRef(ref).product


def saveObservation(
    obs: Any,
    poolName: Any = None,
    poolLocation: Any = None,
    saveCalTree: Any = False,
    verbose: Any = False,
) -> ProductRef:
    """Save an observation; what the pool has already is not written again.

    Parameters
    ----------
    obs
        The observation.
    poolName
        The pool; by default one named after the obsid.
    poolLocation
        The folder in which that pool's folder is.
    saveCalTree
        Whether calibration that the pool does not have is saved as well.
    verbose
        Whether the log says more.

    Returns
    -------
    ProductRef
    """
    if isinstance(obs, ProductRef):
        obs = obs.product
    if not isinstance(obs, ObservationContext):
        raise UsageError(f"a {type(obs).__name__} is no observation")
    pool = _pool(str(obs.obsid) if poolName is None else poolName, poolLocation)
    _continue(obs, pool)
    calibration = obs.refs.get("calibration")
    if calibration is None or saveCalTree or pool.key in calibration._places.same:
        return ProductStorage(pool).save(obs)
    if obs.instrument.upper() in ("SPIRE", "HIFI"):
        _log.warning("without saveCalTree=True the observation cannot be processed again")
    roles = list(obs.refs.items())
    obs.refs.remove("calibration")
    try:
        return ProductStorage(pool).save(obs)
    finally:
        obs.refs.clear()
        for role, ref in roles:
            dict.__setitem__(obs.refs, role, ref)


def _continue(obs: ObservationContext, pool: ProductPool) -> None:
    """Let an observation that is new to a pool continue the one of its number that is there."""
    if pool.key in obs._places.tracks or obs.obsid is None:
        return
    try:
        found = look_for(Wanted(number_of(obs.obsid), obs.instrument), [pool])
    except LookupError:  # none, or several
        return
    if found.type == obs.type and found.kind == obs.kind:
        obs._places.tracks[pool.key] = found


def saveProduct(
    product: Any, pool: Any = None, tag: str | None = None, poolLocation: Any = None
) -> ProductRef:
    """Save a product in a pool.

    Parameters
    ----------
    product
        The product.
    pool
        A pool, or its name.
    tag
        A label, which leaves what carried it.
    poolLocation
        The folder in which the pool's folder is.
    """
    if pool is None:
        raise UsageError("say in which pool: saveProduct(product=p, pool='temp1')")
    return ProductStorage(_pool(pool, poolLocation)).save(product, tag)


def exportObservation(
    pool: Any = None, urn: Any = None, dirout: Any = ".", warn: Any = True, obs: Any = None
) -> str:
    """Write an observation as a folder, as the archive lays it out.

    Parameters
    ----------
    pool
        The pool, or its name.
    urn
        Of the observation.
    dirout
        Where the folder `<obsid>` is made.
    warn
        Whether files that are there are refused; with False they are replaced.
    obs
        The observation, or its reference, instead of pool and URN.

    Returns
    -------
    str
        The folder.
    """
    if obs is not None:
        found = (obs if isinstance(obs, ProductRef) else ProductRef(obs)).core
    else:
        if pool is None:
            raise UsageError("give pool and urn, or obs")
        found = ProductStorage(_pool(pool)).load(urn).core
    if not isinstance(found, Ref):
        raise UsageError(f"{found} is in no pool")
    name = str(found.meta["obsid"].value) if "obsid" in found.meta else f"{found.number}"
    folder = out = os.path.join(os.path.expanduser(str(dirout)), name)
    paths = found.document.get("paths", ())
    if any(str(path).split("/")[0] == name for _, path in paths):
        out = os.path.dirname(folder)  # it came with a folder of that name, and files beside it
    held = Pool(found.view.session.folder.path, "r")
    held.export(held.view.number(found.number), out, overwrite=not warn)
    return folder


def localStoreCopier(poolName: Any, filename: Any, compression: str = "ZIP") -> str:
    """Copy a pool into a ZIP archive, or, with `NONE`, into a folder.

    Parameters
    ----------
    poolName
        The pool, or its name.
    filename
        The archive or folder, which must be new.
    compression
        `ZIP` or `NONE`.

    Returns
    -------
    str
        The archive or folder.
    """
    from skypool.pool.sync.cloning import clone

    source = _pool(poolName).pool
    target = os.path.abspath(os.path.expanduser(str(filename)))
    if os.path.lexists(target):
        raise UsageError(f"{target!r} is there already")
    if str(compression).upper() != "ZIP":
        clone(source.path, target)
        return target
    with tempfile.TemporaryDirectory() as folder:
        inner = os.path.join(folder, os.path.basename(source.path))
        clone(source.path, inner)
        with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
            for place, _, names in os.walk(inner):
                for name in names:
                    path = os.path.join(place, name)
                    archive.write(path, os.path.relpath(path, folder))
    return target


def saveSlicedCopy(product: Any, poolName: Any, poolLocation: Any = None) -> ProductRef:
    """Save a list of slices in a pool; a pool that has some gets a new version.

    Parameters
    ----------
    product
        A `ListContext`, such as sliced frames or cubes.
    poolName
        The pool.
    poolLocation
        The folder in which its folder is.
    """
    pool = _pool(poolName, poolLocation)
    if not isinstance(product, Product):
        raise UsageError(f"a {type(product).__name__} is no product")
    old = _sliced(pool, type(product).kind)
    if old is not None and pool.key not in product._places.tracks and old.type == product.type:
        product._places.tracks[pool.key] = old
    return ProductStorage(pool).save(product)


def readSliced(poolName: Any, poolLocation: Any = None) -> Any:
    """Return the list of slices that was saved last in a pool."""
    pool = _pool(poolName, poolLocation)
    found = _sliced(pool, "ListContext")
    if found is None:
        raise NotFound(f"there are no slices in the pool {pool.id}")
    return _product(found)


def _sliced(pool: ProductPool, kind: str) -> Ref | None:
    found = [ref for ref in pool.pool.find(kind=kind, all_names=True) if not ref.purged]
    return max(found, key=lambda ref: ref.number) if found else None
