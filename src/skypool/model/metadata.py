"""Metadata: named parameters with value, unit and description.

Importing this module loads neither numpy nor astropy: metadata alone is often all
that is read.
"""

from __future__ import annotations

import sys
from collections.abc import ItemsView, Iterable, Mapping, ValuesView
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from skypool.errors import InvalidProduct
from skypool.model.immutable import Immutable
from skypool.model.names import NameMap, find_name, missing_name
from skypool.model.times import as_utc, astropy_time
from skypool.model.units import parse_unit, unit_text
from skypool.model.validate import Problems

if TYPE_CHECKING:
    from astropy.units import Quantity

__all__ = ["MetaData", "Parameter", "Value", "parameter_of", "parameters_of"]

Value: TypeAlias = int | float | str | bool | datetime

_PLAIN = frozenset({float, str, bool})
# Python refuses to print longer integers; no header or database holds them either.
_INTEGER_BITS = 4096
_SHORT = 2**63


class Parameter(Immutable):
    """One metadata entry.

    Parameters
    ----------
    value
        Integer, float, text, truth value or time. numpy scalars are converted; a
        `datetime` without zone is UTC; an `astropy.time.Time` becomes UTC; of a
        `Quantity` the unit is kept as well.
    unit
        Text or `astropy.units` object.
    description
        What it means.

    Attributes
    ----------
    value : int, float, str, bool or datetime
        Times are aware and UTC.
    unit : str
        Empty where there is none.
    description : str

    Raises
    ------
    InvalidProduct
        If the value is of no such type.
    """

    __slots__ = ("description", "unit", "value")

    _advice = "use meta.replace(...) or product.replace(meta={...}) to get a changed copy"

    value: Value
    unit: str
    description: str

    def __init__(self, value: Any, unit: Any = "", description: str = "") -> None:
        # Most parameters are plain: this path makes hundreds of thousands a second.
        kind = type(value)
        plain = kind in _PLAIN or (kind is int and value.bit_length() <= _INTEGER_BITS)
        if not plain or type(unit) is not str:
            try:
                value, unit = _normal(value, unit)
            except (TypeError, ValueError) as error:
                problems = Problems()
                problems.add(str(error), "value")
                problems.raise_all()
        if type(description) is not str:
            description = str(description or "")
        _set_value(self, value)
        _set_unit(self, unit)
        _set_description(self, description)

    @property
    def quantity(self) -> Quantity:
        """The value with its unit, as `astropy.units.Quantity`.

        Raises
        ------
        TypeError
            If the value is no number or astropy does not know the unit.
        """
        from astropy import units

        if isinstance(self.value, str | bool | datetime):
            raise TypeError(f"{self.value!r} is no number, so it is no quantity")
        unit = parse_unit(self.unit)
        if isinstance(unit, str):
            raise TypeError(f"astropy does not know the unit {unit!r}")
        return units.Quantity(self.value, unit)

    def replace(self, **changes: Any) -> Parameter:
        """Return a copy with another `value`, `unit` or `description`."""
        fields = {"value": self.value, "unit": self.unit, "description": self.description}
        unknown = set(changes) - set(fields)
        if unknown:
            raise TypeError(f"a parameter has no {', '.join(sorted(unknown))}")
        return Parameter(**(fields | changes))

    def _key(self) -> tuple[object, ...]:
        value: object = self.value
        if type(value) is float:
            value = repr(value)  # NaN equals itself, and -0.0 is not 0.0
        return (type(self.value).__name__, value, self.unit, self.description)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Parameter) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return (Parameter, (self.value, self.unit, self.description))

    def __str__(self) -> str:
        return f"{self.value} {self.unit}".rstrip() if self.unit else str(self.value)

    def __repr__(self) -> str:
        parts = [_shown(self.value)]
        if self.unit or self.description:
            parts.append(repr(self.unit))
        if self.description:
            parts.append(repr(self.description))
        return f"Parameter({', '.join(parts)})"


# The slots themselves: attributes of what is immutable cannot be set.
_set_value = Parameter.__dict__["value"].__set__
_set_unit = Parameter.__dict__["unit"].__set__
_set_description = Parameter.__dict__["description"].__set__


def _shown(value: Value) -> str:
    text = str(value) if isinstance(value, datetime) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _normal(value: Any, unit: Any) -> tuple[Value, str]:
    """Return value and unit text in the types that parameters keep."""
    units = sys.modules.get("astropy.units")
    if units is not None and isinstance(value, units.Quantity):
        if unit in ("", None):
            unit = value.unit
        else:
            value = value.to(unit)
        value = value.value
    return _normal_value(value), unit_text(unit)


def _normal_value(value: Any) -> Value:
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray) and value.ndim == 0:
            value = value[()]
        if isinstance(value, numpy.generic):
            value = _from_numpy(value, numpy)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > _INTEGER_BITS:
            raise ValueError(f"an integer of {value.bit_length()} bits is too long")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, date):
        return as_utc(value)
    times = sys.modules.get("astropy.time")
    if times is not None and isinstance(value, times.Time):
        return astropy_time(value)
    raise TypeError(_refusal(value))


def _from_numpy(value: Any, numpy: Any) -> Any:
    if isinstance(value, numpy.floating):
        return float(value)  # long doubles too, rounded
    if isinstance(value, numpy.datetime64):
        if numpy.isnat(value):
            raise ValueError("NaT is no time; leave the parameter out")
        return value.astype("datetime64[us]").item()
    if isinstance(value, numpy.bytes_ | numpy.complexfloating | numpy.void | numpy.timedelta64):
        raise TypeError(_refusal(value))
    return value.item()


def _refusal(value: Any) -> str:
    name = type(value).__name__
    advice = "a parameter is an integer, float, text, truth value or time"
    if value is None:
        advice = "leave the parameter out, or give an empty text"
    elif isinstance(value, bytes):
        advice = "decode it to text"
    elif isinstance(value, complex):
        advice = "give real and imaginary part as two parameters"
    elif isinstance(value, Mapping | list | tuple | set) or hasattr(value, "__array__"):
        advice = "give one parameter for each element, or a dataset"
    return f"a {name} cannot be metadata; {advice}"


class MetaData(NameMap[Parameter]):
    """Immutable ordered mapping of names to parameters.

    Parameters
    ----------
    parameters
        Mapping or pairs; values are parameters or what `Parameter` takes.

    Raises
    ------
    InvalidProduct
        With all parameters that cannot be kept.
    """

    __slots__ = ("_mixed",)

    _what = "parameter"
    _advice = "use replace(...) to get a changed copy, or product.replace(meta={...})"

    # Plain values become parameters when somebody looks at them: of most products of a large
    # commit nobody ever does.
    _values: dict[str, Any]
    _mixed: bool

    def __init__(
        self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None
    ) -> None:
        pairs = parameters.items() if isinstance(parameters, Mapping) else parameters or ()
        problems = Problems()
        values = parameters_of(pairs, problems)
        problems.raise_all()
        self._set(_values=values, _mixed=True)

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Parameter | Value]) -> MetaData:
        """Make metadata of what `parameters_of` gives; the dictionary is kept.

        Parameters
        ----------
        parameters
            Parameters by name.
        """
        made = cls.__new__(cls)
        made._set(_values=parameters, _mixed=True)
        return made

    def __getitem__(self, name: str) -> Parameter:
        found: Parameter | Value = super().__getitem__(name)
        if isinstance(found, Parameter):
            return found
        made = self._values[find_name(self._values, name) or name] = Parameter(found)
        return made

    def items(self) -> ItemsView[str, Parameter]:
        """Return names and parameters, in order."""
        return self._made().items()

    def values(self) -> ValuesView[Parameter]:
        """Return the parameters, in order."""
        return self._made().values()

    def raw_items(self) -> ItemsView[str, Parameter | Value]:
        """Return names and parameters; some of those that are a value alone as that value."""
        return self._values.items()

    def _made(self) -> dict[str, Parameter]:
        if self._mixed:
            for name, value in list(self._values.items()):
                if type(value) is not Parameter:
                    self._values[name] = Parameter(value)
            self._set(_mixed=False)
        return self._values

    def replace(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> MetaData:
        """Return a copy with parameters changed, added or removed.

        Parameters
        ----------
        changes, **more
            New values by exact name. A plain value keeps the unit and the description
            of the parameter that it replaces; a `Parameter` or a `Quantity` brings its
            own; None removes the parameter.

        Raises
        ------
        MissingName
            If a parameter that should be removed is not there.
        """
        values = dict(self._values)
        problems = Problems()
        for name, value in {**(changes or {}), **more}.items():
            if value is None:
                if values.pop(name, None) is None:
                    raise missing_name(self._what, self._values, name)
                continue
            found = parameter_of(name, value, problems)
            if found is None:
                continue
            old = values.get(name)
            if isinstance(old, Parameter) and not isinstance(value, Parameter):
                found = Parameter(found.value, found.unit or old.unit, old.description)
            values[name] = found
        problems.raise_all()
        return MetaData.of_parameters(values)

    def __repr__(self) -> str:
        if len(self) > 8:
            shown = ", ".join(list(self)[:8])
            return f"MetaData({len(self)} parameters: {shown}, ...)"
        inner = ", ".join(f"{name}={_shown(p.value)}" for name, p in self.items())
        return f"MetaData({inner})"

    def _repr_html_(self) -> str:
        from skypool.model.display import meta_html

        return meta_html(self)

    def __str__(self) -> str:
        width = min(24, max((len(name) for name in self), default=0))
        lines = []
        for name, parameter in self.items():
            text = f"{name:<{width}} = {parameter}"
            lines.append(f"{text}  # {parameter.description}" if parameter.description else text)
        return "\n".join(lines)


def parameters_of(
    pairs: Iterable[tuple[object, Any]], problems: Problems
) -> dict[str, Parameter | Value]:
    """Return the parameters for values; those that cannot be kept are noted and left out.

    What is a parameter as it is, a plain value without a unit, is given as that value.
    """
    values: dict[str, Parameter | Value] = {}
    for name, value in pairs:
        kind = type(value)
        plain = kind in _PLAIN or (kind is int and -_SHORT < value < _SHORT)
        if plain and name and type(name) is str:
            values[name] = value
            continue
        found = parameter_of(name, value, problems)
        if found is not None:
            values[str(name)] = found
    return values


def parameter_of(name: object, value: Any, problems: Problems) -> Parameter | None:
    """Return the parameter for a value, or note why there is none."""
    if not isinstance(name, str) or not name:
        problems.add(f"the name of a parameter is text, not {name!r}", "name")
        return None
    if isinstance(value, Parameter):
        return value
    try:
        return Parameter(value)
    except InvalidProduct as error:
        problems.at(name).take(error)
        return None
