"""References of a product to others, by role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from skypool.errors import Ambiguous, MissingName, NotFound
from skypool.model.immutable import Immutable
from skypool.model.names import NameMap, missing_name
from skypool.model.validate import Problems

__all__ = ["ExternalRef", "Refs"]


class ExternalRef(Immutable):
    """A reference that could not be resolved, kept as its text.

    Parameters
    ----------
    text
        For example `urn::herschel.ia.dataset.image.SimpleImage:123`.
    """

    __slots__ = ("text",)

    text: str

    def __init__(self, text: str) -> None:
        self._set(text=str(text))

    @property
    def urn(self) -> str:
        """The text of the reference."""
        return self.text

    @property
    def product(self) -> NoReturn:
        """Nothing: what it points at is not in the pool.

        Raises
        ------
        NotFound
            Always.
        """
        raise NotFound(f"the reference {self.text!r} points at nothing in this pool")

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, ExternalRef) else NotImplemented

    def __hash__(self) -> int:
        return hash((ExternalRef, self.text))

    def __repr__(self) -> str:
        return f"ExternalRef({self.text!r})"


def _is_reference(value: object) -> bool:
    # References of pools live in a higher layer. The type is asked, since asking a
    # reference itself for its product would load it.
    return hasattr(type(value), "product")


class Refs(NameMap[Any]):
    """Immutable ordered mapping of roles to references.

    A lookup takes the exact role, else the only one that differs in case alone, else
    the only one of that stem (`PSW` finds `PSW.fits`); an integer counts from the
    first.

    Parameters
    ----------
    refs
        Mapping of roles, pairs, or, for a `ListContext`, references alone, whose
        roles become `0`, `1`, ... Values are references of a pool, `ExternalRef`, or
        products that are not saved yet.

    Raises
    ------
    InvalidProduct
        With all that cannot be references.
    """

    __slots__ = ()

    _what = "reference"
    _advice = "use product.replace(refs={...}) to get a changed copy"

    def __init__(self, refs: Mapping[str, Any] | Iterable[Any] = ()) -> None:
        problems = Problems()
        values: dict[str, Any] = {}
        for role, value in _pairs(refs):
            if not isinstance(role, str) or not role:
                problems.add(f"a role is text, not {role!r}", "name")
            elif not _is_reference(value):
                problems.at(role).add(
                    f"a {type(value).__name__} is no reference; give a Ref, a Product or an "
                    "ExternalRef",
                    "reference",
                )
            else:
                values[role] = value
        problems.raise_all()
        self._set(_values=values)

    def __getitem__(self, role: str | int) -> Any:
        if not isinstance(role, str):
            return self._at(role)
        try:
            return super().__getitem__(role)
        except MissingName:
            stems = [name for name in self._values if _stem(name) == role]
        if len(stems) > 1:
            raise Ambiguous(f"{role!r} could be any of", candidates=stems)
        if not stems:
            raise missing_name(self._what, self._values, role)
        return self._values[stems[0]]

    def __contains__(self, role: object) -> bool:
        try:
            self[role]  # type: ignore[index]
        except (LookupError, TypeError):
            return False
        return True

    def _at(self, position: int) -> Any:
        roles = list(self._values)
        if not -len(roles) <= position < len(roles):
            raise MissingName(f"no reference {position}; there are {len(roles)}")
        return self._values[roles[position]]

    def replace(self, changes: Mapping[str, Any]) -> Refs:
        """Return a copy with references changed, added, or, where None, removed.

        Parameters
        ----------
        changes
            References by role; None removes one.

        Raises
        ------
        MissingName
            If a reference that should be removed is not there.
        """
        values = dict(self._values)
        for role, value in changes.items():
            if value is not None:
                values[role] = value
            elif values.pop(role, None) is None:
                raise missing_name(self._what, self._values, role)
        return Refs(values)

    def __repr__(self) -> str:
        shown = list(self._values)
        more = f", ... ({len(shown)})" if len(shown) > 12 else ""
        return f"Refs({', '.join(shown[:12])}{more})"

    def _repr_html_(self) -> str:
        from skypool.model.display import refs_html

        return refs_html(self)


def _stem(role: str) -> str:
    name = role.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _pairs(refs: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(refs, Mapping):
        yield from refs.items()
        return
    for position, item in enumerate(refs):
        if isinstance(item, tuple) and len(item) == 2:
            yield item
        else:
            yield str(position), item
