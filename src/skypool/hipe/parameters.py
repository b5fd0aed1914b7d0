"""The five sorts of parameters of HCSS, which change in place."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from skypool.errors import UsageError
from skypool.hipe.bean import Bean
from skypool.hipe.finetime import FineTime
from skypool.model.metadata import Parameter as CoreParameter
from skypool.model.units import unit_text

__all__ = [
    "FROZEN",
    "FROZEN_HINT",
    "BooleanParameter",
    "DateParameter",
    "DoubleParameter",
    "LongParameter",
    "Parameter",
    "StringParameter",
    "parameter_of",
]

FROZEN = "the metadata of a reference are those of the saved product, which do not change"
FROZEN_HINT = "change ref.product.meta, and save the product"


class Parameter(Bean):
    """One metadata entry; `Parameter(value)` gives the sort that fits the value.

    Parameters
    ----------
    value
        An integer, float, text, truth value or time.
    description
        What it is.
    unit
        Text or an `astropy.units` object; of numbers only.
    """

    __slots__ = ("_description", "_frozen", "_unit", "_value")

    _sort: ClassVar[str] = "value"

    def __new__(cls, value: Any = None, description: Any = "", unit: Any = None) -> Parameter:
        """Choose the sort."""
        if cls is not Parameter:
            return object.__new__(cls)
        return object.__new__(_sort_of(value))

    def __init__(self, value: Any = None, description: Any = "", unit: Any = None) -> None:
        if description is not None and not isinstance(description, str):
            description, unit = "", description  # some constructors of HCSS have the unit second
        self._frozen = False
        self._value = self._checked(value)
        self._description: str = description or ""
        self._unit = ""
        if unit is not None:
            self.unit = unit

    @classmethod
    def _checked(cls, value: Any) -> Any:
        raise NotImplementedError

    def _check_free(self) -> None:
        if self._frozen:
            raise UsageError(FROZEN, hint=FROZEN_HINT)

    @classmethod
    def _refuse(cls, value: Any) -> UsageError:
        return UsageError(f"{value!r} is no {cls._sort}, which a {cls.__name__} holds")

    @property
    def value(self) -> Any:
        """The value; of a `DateParameter` a `FineTime`."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._check_free()
        self._value = self._checked(value)

    @property
    def description(self) -> str:
        """What it is."""
        return self._description

    @description.setter
    def description(self, text: str) -> None:
        self._check_free()
        self._description = str(text or "")

    @property
    def unit(self) -> str | None:
        """The unit as text; None where there is none."""
        return self._unit or None

    @unit.setter
    def unit(self, unit: Any) -> None:
        self._check_free()
        if unit and not isinstance(self, LongParameter | DoubleParameter):
            raise UsageError(f"a {type(self).__name__} has no unit")
        self._unit = unit_text(unit)

    @property
    def long(self) -> int:
        """The value as an integer."""
        return int(self._value)

    @property
    def int(self) -> Any:
        """The value as an integer."""
        return self.long

    @property
    def double(self) -> float:
        """The value as a floating point number."""
        return float(self._value)

    @property
    def string(self) -> str:
        """The value as text."""
        return str(self._value)

    @property
    def boolean(self) -> bool:
        """The value as truth value."""
        return bool(self._value)

    @property
    def date(self) -> FineTime:
        """The value as time."""
        return FineTime(self._value)

    def copy(self) -> Parameter:
        """Return a parameter of its own."""
        made = object.__new__(type(self))
        made._value, made._description, made._unit = self._value, self._description, self._unit
        made._frozen = False
        return made

    def to_core(self) -> CoreParameter:
        """Return the parameter as skypool keeps it."""
        return CoreParameter(self._value, self._unit, self._description)

    def toString(self) -> str:
        """Return value and unit as text."""
        return str(self)

    def _key(self) -> tuple[Any, ...]:
        value = repr(self._value) if isinstance(self._value, float) else self._value
        return (type(self), value, self._unit, self._description)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Parameter) else NotImplemented

    def __hash__(self) -> Any:
        return hash(self._key())

    def __str__(self) -> str:
        return f"{self._value} {self._unit}".rstrip()

    def __repr__(self) -> str:
        more = [repr(self._description)] if self._description or self._unit else []
        more += [repr(self._unit)] if self._unit else []
        return f"{type(self).__name__}({', '.join([repr(self._value), *more])})"


class LongParameter(Parameter):
    """An integer, with a unit."""

    __slots__ = ()
    _sort = "integer"

    @classmethod
    def _checked(cls, value: Any) -> Any:
        if value is None:
            return 0
        try:
            found = int(value)
        except (TypeError, ValueError, OverflowError):
            raise cls._refuse(value) from None
        if isinstance(value, str) or found != value:
            raise cls._refuse(value)
        return found


class DoubleParameter(Parameter):
    """A floating point number, with a unit."""

    __slots__ = ()
    _sort = "number"

    @classmethod
    def _checked(cls, value: Any) -> Any:
        if value is None:
            return 0.0
        try:
            if not isinstance(value, str):
                return float(value)
        except (TypeError, ValueError):
            pass
        raise cls._refuse(value)


class StringParameter(Parameter):
    """A text."""

    __slots__ = ()
    _sort = "text"

    @classmethod
    def _checked(cls, value: Any) -> Any:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise cls._refuse(value)
        return str(value)


class BooleanParameter(Parameter):
    """A truth value."""

    __slots__ = ()
    _sort = "truth value"

    @classmethod
    def _checked(cls, value: Any) -> Any:
        if value is None:
            return False
        if isinstance(value, str) or value not in (0, 1):
            raise cls._refuse(value)
        return bool(value)


class DateParameter(Parameter):
    """A time."""

    __slots__ = ()
    _sort = "time"

    @classmethod
    def _checked(cls, value: Any) -> Any:
        return FineTime(value)

    @property
    def time(self) -> FineTime:
        """The value."""
        return FineTime(self._value)

    def to_core(self) -> CoreParameter:
        """Return the parameter as skypool keeps it."""
        return CoreParameter(self._value.utc, "", self._description)


def _sort_of(value: Any) -> type[Parameter]:
    if isinstance(value, bool):
        return BooleanParameter
    if hasattr(value, "__index__"):
        return LongParameter
    if isinstance(value, str):
        return StringParameter
    if isinstance(value, FineTime | date) or hasattr(value, "isscalar"):
        return DateParameter
    name = getattr(getattr(value, "dtype", None), "kind", "")
    if name == "b":
        return BooleanParameter
    if isinstance(value, float) or hasattr(value, "__float__"):
        return DoubleParameter
    raise UsageError(
        f"a {type(value).__name__} cannot be metadata",
        hint="a parameter is an integer, float, text, truth value or time",
    )


def parameter_of(value: Any) -> Parameter:
    """Return the parameter for a value, of whatever sort it is."""
    if isinstance(value, Parameter):
        return value
    if isinstance(value, CoreParameter):
        made = Parameter(value.value, value.description)
        # Units that others wrote to texts and times are kept.
        made._unit = value.unit
        return made
    return Parameter(value)
