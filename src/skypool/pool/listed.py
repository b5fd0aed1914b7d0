"""Lists that show themselves well: the versions of a product, the commits of a pool."""

from __future__ import annotations

from typing import Any, SupportsIndex, TypeVar, overload

from skypool.pool.history import Commit
from skypool.pool.ref import Ref

__all__ = ["History", "Versions"]

T = TypeVar("T")

_SHOWN = 20


class _Listed(list[T]):
    """A list; a part of it is one of the same sort."""

    @overload
    def __getitem__(self, place: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return type(self)(found) if isinstance(place, slice) else found

    def _lines(self, title: str, lines: list[str]) -> str:
        text = [f"<{title}>", *(f"  {line}" for line in lines)]
        if len(self) > _SHOWN:
            text.append(f"  ... and {len(self) - _SHOWN} more")
        return "\n".join(text)


class Versions(_Listed[Ref]):
    """All versions of one product, oldest first."""

    def __repr__(self) -> str:
        from skypool.pool.display import version_text

        lines = [version_text(ref) for ref in list(self)[-_SHOWN:]]
        name = f" of {self[-1].name}" if self else ""
        return self._lines(f"Versions: {len(self)}{name}", lines)

    def _repr_html_(self) -> str:
        from skypool.pool.display import versions_html

        return versions_html(self)


class History(_Listed[Commit]):
    """Commits, newest first."""

    def __repr__(self) -> str:
        from skypool.pool.display import commit_text

        lines = [f"{commit.number}  {commit_text(commit)}" for commit in list(self)[:_SHOWN]]
        return self._lines(f"History: {len(self)} commit{'s' if len(self) != 1 else ''}", lines)

    def _repr_html_(self) -> str:
        from skypool.pool.display import history_html

        return history_html(self)
