"""Where an object of a program is kept: its version in each pool."""

from __future__ import annotations

from skypool.pool.ref import Ref

__all__ = ["Places", "key_of"]


def key_of(ref: Ref) -> bytes:
    """Return what tells the pool of a version apart from all others."""
    return ref.view.session.folder.key


class Places:
    """The versions of one object, by pools.

    Attributes
    ----------
    tracks : dict
        The newest version of it that was loaded from or saved in each pool: what is saved
        there continues its track.
    same : dict
        Those of them that hold what was loaded or saved last.
    """

    __slots__ = ("same", "tracks")

    def __init__(self, ref: Ref | None = None) -> None:
        self.tracks: dict[bytes, Ref] = {}
        self.same: dict[bytes, Ref] = {}
        if ref is not None:
            self.note(ref, changed=True)

    def note(self, ref: Ref, *, changed: bool) -> None:
        """Note where it was saved; what else there was is old if it had changed."""
        if changed:
            self.same.clear()
        self.same[key_of(ref)] = self.tracks[key_of(ref)] = ref
