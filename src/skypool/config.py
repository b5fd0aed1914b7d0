"""Settings; `from_environment` is the only reader of the environment."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings", "from_environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set from outside.

    Attributes
    ----------
    home
        Folder of the pools that are given by a bare name.
    cache
        Folder of the files that `Ref.path` and the like make.
    cache_bytes
        Bytes that those files may take.
    memory_bytes
        Bytes of decoded chunks that a pool keeps in memory.
    processes
        Processes that read files where very many are added or completed; 0 for as many as
        there are processors, at most 8; 1 to read them in the process that has the pool open.
    pool
        The pool that the command line uses where none is given; None to look for one.
    author
        Name that commits carry.
    config
        Folder of settings that are files; it need not be there.
    rules
        Folder of the user's rules for core attributes; it need not be there.
    hcss
        Folder of HIPE, the software of Herschel; it need not be there.
    herschel
        Address of the Herschel archive's services, where it is not the known one.
    samp
        Where the hub of SAMP says how to reach it, `std-lockurl:file:///...`; by default the
        file `.samp` in the home folder.
    """

    home: Path
    cache: Path
    cache_bytes: int = 2 * 1024**3
    memory_bytes: int = 64 * 1024**2
    processes: int = 0
    pool: str | None = None
    author: str = ""
    config: Path | None = None
    rules: Path | None = None
    hcss: Path | None = None
    herschel: str = ""
    samp: str = ""


def from_environment() -> Settings:
    """Read the settings from the environment.

    The variables are `SKYPOOL_HOME`, `SKYPOOL_CACHE`, `SKYPOOL_CACHE_BYTES`,
    `SKYPOOL_MEMORY_BYTES`, `SKYPOOL_PROCESSES`, `SKYPOOL` (the pool), `SKYPOOL_AUTHOR`,
    `SKYPOOL_CONFIG` (folder of settings that are files: rules for core attributes are in
    `attributes` below it, what the browsers remember is beside that), `SKYPOOL_HERSCHEL` (address
    of a mirror of the Herschel archive's services), and that of SAMP, `SAMP_HUB`; the folders
    default to those of the XDG Base Directory Specification.

    Returns
    -------
    Settings
    """
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local/share")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    settings = os.environ.get("SKYPOOL_CONFIG") or os.path.join(config, "skypool")
    return Settings(
        home=Path(os.environ.get("SKYPOOL_HOME") or os.path.join(data, "skypool")),
        cache=Path(os.environ.get("SKYPOOL_CACHE") or os.path.join(cache, "skypool")),
        cache_bytes=_whole_number("SKYPOOL_CACHE_BYTES", 2 * 1024**3),
        memory_bytes=_whole_number("SKYPOOL_MEMORY_BYTES", 64 * 1024**2),
        processes=_whole_number("SKYPOOL_PROCESSES", 0),
        pool=os.environ.get("SKYPOOL") or None,
        author=os.environ.get("SKYPOOL_AUTHOR") or _login(),
        config=Path(settings),
        rules=Path(settings, "attributes"),
        hcss=Path(os.path.expanduser("~"), ".hcss"),
        herschel=os.environ.get("SKYPOOL_HERSCHEL", ""),
        samp=os.environ.get("SAMP_HUB", ""),
    )


def _whole_number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the password database (containers)
        return f"uid{os.getuid()}"
