"""Names of chunks: BLAKE3-256 of their raw bytes."""

from __future__ import annotations

from blake3 import blake3

from skypool.codec.buffers import Buffer

__all__ = ["DIGEST_SIZE", "Hasher", "digest"]

DIGEST_SIZE = 32


def digest(data: Buffer) -> bytes:
    """Return the BLAKE3-256 digest of *data* (32 bytes)."""
    return blake3(data).digest()


class Hasher:
    """A digest made piece by piece.

    Attributes
    ----------
    length : int
        Bytes taken in so far.
    """

    def __init__(self) -> None:
        self._state = blake3()
        self.length = 0

    def update(self, data: Buffer) -> None:
        """Take in the next bytes."""
        self._state.update(data)
        self.length += memoryview(data).nbytes

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        return self._state.digest()
