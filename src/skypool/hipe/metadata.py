"""Metadata that change in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.containers import JavaMap
from skypool.hipe.parameters import (
    FROZEN,
    FROZEN_HINT,
    DoubleParameter,
    LongParameter,
    Parameter,
    parameter_of,
)
from skypool.model.metadata import MetaData as CoreMetaData
from skypool.model.metadata import Parameter as CoreParameter
from skypool.model.names import missing_name

__all__ = ["MetaData"]

# Stands for a parameter that nobody has looked at yet.
_LATER: Any = object()


class MetaData(JavaMap[Parameter]):
    """Parameters by name, in their order; values alone are taken as well.

    Parameters
    ----------
    given
        The first ones.
    """

    def __init__(self, given: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._source: CoreMetaData | None = None
        if isinstance(given, CoreMetaData):
            super().__init__((), parameter_of)
            self._source = given
            # They are wrapped when they are asked for: mostly, few of many are.
            dict.update(self, dict.fromkeys(given, _LATER))
        else:
            super().__init__(given, parameter_of)

    def __getitem__(self, name: Any) -> Parameter:
        found: Any = super().__getitem__(name)
        if found is _LATER:
            assert self._source is not None
            found = parameter_of(self._source[name])
            found._frozen = self._check is not None
            dict.__setitem__(self, name, found)
        return found  # type: ignore[no-any-return]

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a parameter, else *default*."""
        if name not in self:
            return default
        return self[name]

    def values(self) -> Any:
        """Return the parameters, in their order."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Return pairs of names and parameters, in their order."""
        return [(name, self[name]) for name in self]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]

    def __missing__(self, name: str) -> Parameter:
        raise missing_name("parameter", self, name)

    def __setitem__(self, name: Any, value: Any) -> None:
        if not isinstance(name, str) or not name:
            raise UsageError(f"the name of a parameter is text, not {name!r}")
        if isinstance(value, Parameter) and value._frozen:
            value = value.copy()
        old = self.get(name)
        if old is not None and not isinstance(value, Parameter | CoreParameter):
            # A value alone keeps unit and description.
            found = parameter_of(value)
            found._description = old._description
            found._unit = old._unit if isinstance(found, LongParameter | DoubleParameter) else ""
            value = found
        super().__setitem__(name, value)

    def set(self, name: str, value: Any) -> None:
        """Put a parameter in."""
        self[name] = value

    def frozen(self) -> MetaData:
        """Return the metadata themselves, from now on as they are."""
        for parameter in dict.values(self):
            if isinstance(parameter, Parameter):
                parameter._frozen = True
        self._check = _refuse
        return self

    def _check_free(self) -> None:
        if self._check is not None:
            raise UsageError(FROZEN, hint=FROZEN_HINT)

    def __delitem__(self, name: str) -> None:
        self._check_free()
        super().__delitem__(name)

    def pop(self, name: str, *default: Any) -> Any:
        """Take a parameter out and return it."""
        self._check_free()
        if name in self:
            self[name]
        return super().pop(name, *default)

    def popitem(self) -> tuple[str, Parameter]:
        """Take the last parameter out and return it with its name."""
        if not self:
            raise KeyError("there are no parameters")
        name = list(self)[-1]
        return name, self.pop(name)

    def clear(self) -> None:
        """Take all parameters out."""
        self._check_free()
        super().clear()

    def copy(self) -> MetaData:
        """Return metadata with parameters of their own."""
        return MetaData((name, parameter.copy()) for name, parameter in self.items())

    def to_core(self) -> CoreMetaData:
        """Return the metadata as skypool keeps them."""
        source = self._source
        kept: dict[str, Any] = dict(dict.items(self))
        untouched = all(found is _LATER for found in kept.values())
        if source is not None and untouched and list(source) == list(kept):
            return source
        for name, found in kept.items():
            later = found is _LATER and source is not None
            kept[name] = source[name] if later and source is not None else found.to_core()
        return CoreMetaData.of_parameters(kept)

    def toString(self) -> str:
        """Return all parameters as text."""
        return str(self)

    def __str__(self) -> str:
        return "\n".join(f"{name} = {parameter}" for name, parameter in self.items())

    def __repr__(self) -> str:
        return f"MetaData({', '.join(f'{name}={p.value!r}' for name, p in self.items())})"


def _refuse(_name: str, _value: Any) -> None:
    raise UsageError(FROZEN, hint=FROZEN_HINT)
