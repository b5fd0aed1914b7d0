"""What all parts of a product have in common: they never change in place."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Immutable"]


class Immutable:
    """Base of objects whose attributes and items cannot be set.

    Sub-classes declare `__slots__` and set them in `__init__` through
    `_set`.
    """

    __slots__ = ()

    _advice = "use replace(...) to get a changed copy"

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"a {type(self).__name__} never changes in place, so {name!r} cannot be set; "
            f"{self._advice}"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a {type(self).__name__} never changes in place, so {name!r} cannot be deleted; "
            f"{self._advice}"
        )

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} never changes in place, so items cannot be set; "
            f"{self._advice}"
        )

    def __delitem__(self, key: object) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} never changes in place, so items cannot be deleted; "
            f"{self._advice}"
        )

    # Pickling and copying would otherwise go through __setattr__.
    def __getstate__(self) -> dict[str, Any]:
        names = [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
