"""Names of a pool as WebDAV can say them, and back.

WebDAV writes names in XML and in UTF-8. What these cannot hold stands there as characters for
private use: a byte that is no UTF-8 from U+EF80 on, a control character from U+F000 on, as other
programs do that meet them. A name of a pool that has such characters itself cannot be told from it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from skypool.files.changes import clean

__all__ = ["place_of", "readable", "shown_name"]

# Python has a byte that is no UTF-8 as U+DC80 and up.
_BYTES: Final = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
# XML 1.0, 2.2: of the control characters it takes tab, line feed and carriage return.
_CONTROLS: Final = {code: 0xF000 + code for code in range(1, 0x20) if code not in (9, 10, 13)}
_SHOWN: Final = _BYTES | _CONTROLS
_BACK: Final = {there: here for here, there in _SHOWN.items()}


def shown_name(name: str) -> str:
    """Return a name, or a path, as it is said."""
    return name.translate(_SHOWN)


def place_of(path: str) -> str:
    """Return the path in the pool of one that was said."""
    return clean(path).translate(_BACK)


def readable(environ: dict[str, Any]) -> None:
    """Have paths that a client asks for in other bytes than UTF-8 as it was told them."""
    path = environ.get("PATH_INFO", "").encode("latin-1")
    found = _text(path)
    if found.encode() != path:
        environ["PATH_INFO"] = found.encode().decode("latin-1")
    there = environ.get("HTTP_DESTINATION", "")
    named = unquote_to_bytes(there)
    found = _text(named)
    if found.encode() != named:
        environ["HTTP_DESTINATION"] = quote(found, safe=":/")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape").translate(_BYTES)
