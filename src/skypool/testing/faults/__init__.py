"""Calls of the system that fail when they are told to.

`Faults` counts the calls that concern a folder and lets the n-th fail. It reaches the calls
of the file layer (`FaultyCalls`), those that look at files beside it (`Faults.armed`
replaces functions of `os` meanwhile) and those of SQLite (`faulty_sqlite`).
"""

from skypool.testing.faults.calls import FaultyCalls, faulty_os
from skypool.testing.faults.plan import ERRORS, Faults
from skypool.testing.faults.sqlite import SQLITE_CALLS, faulty_sqlite, sqlite_is_reachable

__all__ = [
    "ERRORS",
    "SQLITE_CALLS",
    "Faults",
    "FaultyCalls",
    "faulty_os",
    "faulty_sqlite",
    "sqlite_is_reachable",
]
