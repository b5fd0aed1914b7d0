"""How a hub of SAMP is found: the lock file of the standard profile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.config import Settings

__all__ = ["HubPlace", "hub_variable", "lockfile_path", "read_lockfile"]

_PROFILE = "std-lockurl:"
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class HubPlace:
    """Where a hub listens, and the secret that lets a program of this user register.

    Attributes
    ----------
    url : str
        Of its XML-RPC service.
    secret : str
    """

    url: str
    secret: str

    @property
    def host(self) -> str:
        """The host part of the address."""
        return urlsplit(self.url).hostname or "127.0.0.1"


def lockfile_path(settings: Settings) -> str:
    """Return the path of the lock file: what `SAMP_HUB` says, else `~/.samp`.

    Raises
    ------
    UsageError
        If `SAMP_HUB` names something else than a file on this machine.
    """
    if not settings.samp:
        return os.path.join(os.path.expanduser("~"), ".samp")
    address = urlsplit(settings.samp.removeprefix(_PROFILE))
    if not settings.samp.startswith(_PROFILE) or address.scheme != "file" or not address.path:
        raise UsageError(
            f"SAMP_HUB is {settings.samp!r}, which names no lock file on this machine",
            hint=f"unset it, or set it to {_PROFILE}file:///path",
        )
    return unquote(address.path)


def hub_variable(path: str) -> str:
    """Return what `SAMP_HUB` is for a lock file."""
    from urllib.parse import quote

    return f"{_PROFILE}file://{quote(path)}"


def read_lockfile(path: str) -> HubPlace | None:
    """Read a lock file.

    Returns
    -------
    HubPlace or None
        None where there is none, or one that is not complete: a hub is about to write it, or
        it is garbage. Whether a hub listens there is another question.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(_LONGEST).splitlines()
    except OSError:
        return None
    values = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            values[key.strip()] = value.strip()
    # Java's property files escape colons, and some hubs write such.
    url = values.get("samp.hub.xmlrpc.url", "").replace("\\", "")
    secret = values.get("samp.secret", "")
    if not secret or urlsplit(url).scheme not in ("http", "https"):
        return None
    return HubPlace(url, secret)
