"""The archive's pools: what was fetched from there is kept in the pool `hsa`."""

from __future__ import annotations

from typing import Any, ClassVar

from skypool.hipe.pools import LocalStoreContext, ProductPool
from skypool.hipe.urn import Urn
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

__all__ = ["HsaReadPool", "MyHSAConnection", "MyHSAPool", "archive_pool"]


class MyHSAConnection:
    """Whether the archive is asked for what is not here."""

    ON: ClassVar[str] = "ON"
    OFF: ClassVar[str] = "OFF"
    ONCACHED: ClassVar[str] = "ONCACHED"


class HsaReadPool(ProductPool):
    """What was fetched from the archive; for reading.

    Products are also found by the URNs that the archive gave them.
    """

    def __init__(self) -> None:
        super().__init__(Pool(LocalStoreContext("hsa").storeDir), "hsa")
        self._read_only = True

    def find(self, urn: Any) -> Ref | None:
        """Return the version of a URN, of this pool or of the archive."""
        wanted = Urn(getattr(urn, "urn", urn))
        if not self.pool.exists or not wanted.isJava or wanted.poolId not in ("", "hsa"):
            return super().find(urn)
        texts = [str(wanted), f"urn:hsa:{wanted.typeName}:{wanted.index}"]
        for ref in self.pool.find(kind=wanted.kind, all_names=True):
            if ref.origin.get("urn") in texts or _archive_urn(ref) in texts:
                return ref
        return super().find(urn)


def _archive_urn(ref: Ref) -> str:
    for key in ("HCSS_URN", "hcssUrn", "urn"):
        if key in ref.meta:
            return str(ref.meta[key].value)
    return ""


class MyHSAPool(HsaReadPool):
    """What was fetched from the archive."""

    def __init__(self, mode: str = MyHSAConnection.ON) -> None:
        super().__init__()
        self._mode = mode

    @staticmethod
    def getNewInstance(mode: str = MyHSAConnection.ON) -> MyHSAPool:
        """Return the pool."""
        return MyHSAPool(mode)

    @property
    def mode(self) -> str:
        """Whether the archive is asked for what is not here; `getObservation` does that."""
        return self._mode


def archive_pool() -> ProductPool:
    """Return the pool that takes what is fetched from the archive."""
    from skypool.hipe.managers import PoolManager

    return PoolManager.getPool("hsa")
