"""What is known of single programs: their names, how they are started, and where they lie.

Measured with SAOImage DS9 8.4.1, TOPCAT 4.8.7 and Aladin 12.001 (docs/design/024-samp.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["IMAGES", "PROGRAMS", "TABLES", "Program", "accepted", "program_of", "takes"]

IMAGES = ("image.load.fits",)
TABLES = ("table.load.fits", "table.load.votable")
SPECTRA = ("spectrum.load.ssa-generic",)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that skypool knows.

    Attributes
    ----------
    key : str
        What it is called on the command line.
    title : str
        What people call it.
    names : tuple of str
        What it calls itself in SAMP, lower case, letters and digits only.
    command : tuple of str
        What starts it; empty where skypool does not start it.
    get : str
        How it is got where it is not installed.
    takes : tuple of str
        What is sent to it: of `image`, `cube`, `table`, `spectrum`.
    refuses : frozenset of str
        What it says to take, and does not.
    via : str
        How it gets files where the user does not say: `file` or `http`.
    answers : bool
        Whether it always answers, so that it need not be asked before; DS9, asked while it
        loads, may hang.
    tables_by : str
        The message of its own by which it takes tables; empty where SAMP's do.
    """

    key: str
    title: str
    names: tuple[str, ...]
    command: tuple[str, ...] = ()
    get: str = ""
    takes: tuple[str, ...] = ()
    refuses: frozenset[str] = frozenset()
    via: str = "file"
    answers: bool = True
    tables_by: str = ""


PROGRAMS: dict[str, Program] = {
    program.key: program
    for program in (
        Program(
            "ds9",
            "SAOImage DS9",
            ("saoimageds9", "ds9"),
            ("ds9",),
            "Debian: apt-get install saods9; else https://ds9.si.edu",
            takes=("image", "cube", "table"),
            # It would show points at the wavelengths.
            refuses=frozenset({"spectrum"}),
            # It answers samp.ok to SAMP's messages for tables, and shows an empty catalogue.
            tables_by="ds9.set",
        ),
        Program(
            "aladin",
            "Aladin",
            ("aladin", "aladindesktop"),
            ("aladin",),
            "Debian: apt-get install aladin; else https://aladin.cds.unistra.fr",
            takes=("image", "cube", "table"),
            # A table without positions is nothing to it.
            refuses=frozenset({"spectrum"}),
            answers=False,
        ),
        Program(
            "topcat",
            "TOPCAT",
            ("topcat",),
            ("topcat",),
            "Debian: apt-get install topcat; else https://www.starlink.ac.uk/topcat",
            takes=("table", "spectrum"),
        ),
        Program(
            "vospec",
            "VOSpec",
            ("vospec",),
            get="https://www.cosmos.esa.int/web/vospec",
            takes=("spectrum",),
        ),
    )
}


def program_of(name: str) -> Program | None:
    """Return which known program calls itself so in SAMP."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for program in PROGRAMS.values():
        if plain in program.names:
            return program
    return None


def takes(subscriptions: Iterable[str], mtype: str) -> bool:
    """Say whether subscriptions, wildcards included, contain an mtype."""
    parts = mtype.split(".")
    wanted = {mtype, "*"} | {".".join(parts[:n]) + ".*" for n in range(1, len(parts))}
    return not wanted.isdisjoint(subscriptions)


def accepted(subscriptions: Iterable[str], program: Program | None) -> tuple[str, ...]:
    """Return what a program takes, of `image`, `cube`, `table` and `spectrum`."""
    known = frozenset(subscriptions)
    images = any(takes(known, mtype) for mtype in IMAGES)
    own = program.tables_by if program is not None else ""
    tables = any(takes(known, mtype) for mtype in ((own,) if own else TABLES))
    spectra = tables or any(takes(known, mtype) for mtype in SPECTRA)
    found = [
        what
        for what, there in (
            ("image", images),
            ("cube", images),
            ("table", tables),
            ("spectrum", spectra),
        )
        if there and not (program is not None and what in program.refuses)
    ]
    return tuple(found)
