"""Names of HIPE that only scripts need: properties of the program, what tasks raised."""

from __future__ import annotations

from typing import Any

from skypool.errors import UnsupportedName

__all__ = ["Configuration", "TaskException"]

# A task that failed raised this; here it may have raised anything.
TaskException = Exception

# Properties that would change where things are; ignoring them would put data elsewhere.
_PLACES = {
    "hcss.ia.pal.pool.lstore.dir": "give poolLocation=..., or set $SKYPOOL_HOME",
    "hcss.ia.pal.pool.hsa.myhsa_dir": "set $SKYPOOL_HOME; the archive's pool is `hsa` there",
}


class Configuration:
    """Properties of HIPE; they are kept, and have no effect."""

    _properties: dict[str, str] = {}  # noqa: RUF012 - the same for all, as in Java

    @classmethod
    def setProperty(cls, name: str, value: Any) -> None:
        """Set a property.

        Raises
        ------
        UnsupportedName
            If it says where pools are.
        """
        if name in _PLACES:
            raise UnsupportedName(
                f"the property {name} is not supported", name=name, hint=_PLACES[name]
            )
        cls._properties[name] = str(value)

    @classmethod
    def getProperty(cls, name: str, default: Any = None) -> Any:
        """Give a property, or what is given for those that are not set."""
        return cls._properties.get(name, default)

    getString = getProperty

    @classmethod
    def hasProperty(cls, name: str) -> bool:
        """Tell whether a property is set."""
        return name in cls._properties

    @classmethod
    def getInteger(cls, name: str, default: int = 0) -> int:
        """Give a property as a number."""
        return int(cls._properties.get(name, default))

    getInt = getLong = getInteger

    @classmethod
    def getBoolean(cls, name: str, default: bool = False) -> bool:
        """Give a property as a truth value."""
        return str(cls._properties.get(name, default)).lower() == "true"
