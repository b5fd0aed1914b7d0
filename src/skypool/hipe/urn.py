"""URNs: `urn:<pool>:<kind>:<number>`, with HIPE's Java classes in the place of kinds too."""

from __future__ import annotations

import re
from typing import Any

from skypool.errors import InvalidName
from skypool.hipe.bean import Bean
from skypool.model.kinds import kind_of_class

__all__ = ["Urn"]

_URN = re.compile(r"urn:([^\s:]*):([^\s:]+):(\d+)")


class Urn(Bean):
    """A URN, taken apart.

    Parameters
    ----------
    text
        Such as `urn:temp1:SimpleImage:12`, or with a class of Java:
        `urn:temp1:herschel.ia.dataset.image.SimpleImage:0`. The pool may be empty.

    Raises
    ------
    InvalidName
        If it is none.
    """

    __slots__ = ("_index", "_pool", "_type")

    def __init__(self, text: Any) -> None:
        match = _URN.fullmatch(str(text))
        if match is None:
            raise InvalidName(f"{text!r} is not a URN: urn:<pool>:<kind>:<number>")
        self._pool, self._type, self._index = match[1], match[2], int(match[3])

    @staticmethod
    def isUrn(text: object) -> bool:
        """Say whether a text is a URN."""
        return _URN.fullmatch(str(text)) is not None

    @property
    def poolId(self) -> str:
        """The pool, empty where it is the one in which it stands."""
        return self._pool

    @property
    def typeName(self) -> str:
        """Kind or class, as it stands there."""
        return self._type

    @property
    def kind(self) -> str:
        """The kind that it means."""
        return kind_of_class(self._type)

    @property
    def isJava(self) -> bool:
        """Whether it names a class of Java with its package."""
        return "." in self._type

    @property
    def type(self) -> Any:
        """The class of the product, one of `skypool.hipe`."""
        from skypool.hipe.classes import class_of_kind

        return class_of_kind(self.kind)

    @property
    def index(self) -> int:
        """The number."""
        return self._index

    @property
    def urnWithoutPoolId(self) -> str:
        """The URN with an empty pool."""
        return f"urn::{self._type}:{self._index}"

    @property
    def urn(self) -> str:
        """The whole text."""
        return str(self)

    def toString(self) -> str:
        """Return the whole text."""
        return str(self)

    def __str__(self) -> str:
        return f"urn:{self._pool}:{self._type}:{self._index}"

    def __repr__(self) -> str:
        return f"Urn({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Urn | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))
