"""All errors that skypool raises, as one tree.

::

    SkypoolError
    ├── UsageError (ValueError)          what was asked makes no sense          exit 2
    │   ├── InvalidProduct               all problems of a product at once
    │   ├── InvalidName                  a name, tag or URN that cannot be
    │   ├── QueryError                   a query, with the column
    │   ├── ContextRuleException         a reference that the context's rule refuses
    │   └── MissingDependency (ImportError)   an optional package is needed
    ├── NotFound (LookupError)           nothing of that name                   exit 4
    │   ├── MissingName (KeyError)       no such parameter, dataset, column or role
    │   ├── PoolNotFound                 no pool there                          exit 10
    │   ├── Dropped                      its content is elsewhere
    │   └── Purged                       it was there, its content was given up
    ├── Conflict                         contradicts what is there              exit 5
    │   ├── Ambiguous                    several answers where one was asked
    │   ├── EditConflict                 another changed it meanwhile (exclusive)
    │   ├── NameConflict                 the name is taken, or holds other data
    │   ├── PoolExists                   mode "x" on a pool that exists
    │   └── ReferencedError              others still refer to it
    ├── ScriptError                      a script of HIPE stopped               exit 1
    │   └── UnsupportedName              it uses what skypool has not
    ├── Locked                           another process holds it               exit 11
    ├── Damaged                          bytes are not what they were           exit 12
    │   └── RecipeMismatch               a file could not be rebuilt exactly
    └── StorageError                     the system below refused               exit 1
        ├── ReadOnly                     the pool was opened for reading
        ├── DiskFull                     no room
        │   └── QuotaExceeded            the pool may not take more
        ├── FormatTooNew                 written by a newer skypool
        ├── SourceChanged                a file kept in place has changed
        ├── SourceMissing                a file kept in place is gone
        └── Unreachable                  no connection to a server

Handlers choose by class; scripts by `code`, which never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Ambiguous",
    "Conflict",
    "ContextRuleException",
    "Damaged",
    "DiskFull",
    "Dropped",
    "EditConflict",
    "FormatTooNew",
    "InvalidName",
    "InvalidProduct",
    "Locked",
    "MissingDependency",
    "MissingName",
    "NameConflict",
    "NotFound",
    "PoolExists",
    "PoolNotFound",
    "Purged",
    "QueryError",
    "QuotaExceeded",
    "ReadOnly",
    "RecipeMismatch",
    "ReferencedError",
    "ScriptError",
    "SkypoolError",
    "SourceChanged",
    "SourceMissing",
    "StorageError",
    "Unreachable",
    "UnsupportedName",
    "UsageError",
]


class SkypoolError(Exception):
    """Base of all errors of skypool.

    Parameters
    ----------
    message
        What is wrong and where, as one sentence.
    hint
        What the user can do about it.
    candidates
        Names that may have been meant.

    Attributes
    ----------
    code : str
        Stable name of the kind of error, for programs.
    exit_code : int
        Exit code of the command line.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.candidates = tuple(candidates)

    #: Whether line breaks in the message are meant; else they are those of names.
    lines_are_meant: ClassVar[bool] = False

    def __str__(self) -> str:
        text = self.message if self.lines_are_meant else _on_one_line(self.message)
        if self.candidates:
            text += "\n  " + "\n  ".join(map(_on_one_line, self.candidates))
        if self.hint:
            text += f"\n{_on_one_line(self.hint)}"
        return text


def _on_one_line(text: str) -> str:
    """Write out the line breaks that names of files may have."""
    return text.replace("\n", "\\n").replace("\r", "\\r")


class UsageError(SkypoolError, ValueError):
    """What was asked makes no sense."""

    code = "usage"
    exit_code = 2


class InvalidProduct(UsageError):
    """A product that cannot be saved; lists every problem found.

    Parameters
    ----------
    problems
        One text per problem, each with its place in the product.
    """

    code = "invalid_product"

    def __init__(self, problems: Sequence[object]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(
            f"the product has {count} problem{'s' if count != 1 else ''}:",
            candidates=[str(problem) for problem in self.problems],
        )


class InvalidName(UsageError):
    """A name, tag or URN that cannot be used."""

    code = "invalid_name"


class QueryError(UsageError):
    """A query that cannot be understood.

    Parameters
    ----------
    message
        What is wrong.
    text
        The query.
    column
        Where in the query, counted from 1; 0 where it has no place.
    """

    code = "query"

    def __init__(
        self,
        message: str,
        *,
        text: str = "",
        column: int = 0,
        hint: str = "",
        candidates: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint, candidates=candidates)
        self.text = text
        self.column = column

    def __str__(self) -> str:
        text = self.message
        if self.text and self.column:
            start = max(0, self.column - 41)
            line = self.text[start : start + 80].replace("\n", " ").replace("\t", " ")
            text += f"\n  {line}\n  {' ' * (self.column - 1 - start)}^ column {self.column}"
        if self.candidates:
            text += f"\ndid you mean {' or '.join(map(_on_one_line, self.candidates))}?"
        if self.hint:
            text += f"\n{self.hint}"
        return text


class ContextRuleException(UsageError):
    """A context refuses a reference, a state, or to be saved as it is."""

    code = "context_rule"


class MissingDependency(UsageError, ImportError):
    """An optional package is needed for what was asked."""

    code = "missing_dependency"
    exit_code = 1


class NotFound(SkypoolError, LookupError):
    """Nothing of that name is there."""

    code = "not_found"
    exit_code = 4


class MissingName(NotFound, KeyError):
    """A product has no parameter, dataset, column or role of that name."""

    code = "missing_name"


class PoolNotFound(NotFound):
    """There is no pool at that place."""

    code = "pool_not_found"
    exit_code = 10


class Purged(NotFound):
    """The version was there; its content was given up."""

    code = "purged"


class Dropped(NotFound):
    """The content of the version was dropped here; `candidates` say where it can be had.

    Attributes
    ----------
    coverage : bytes
        What the catalogue keeps of its place on the sky.
    """

    code = "dropped"
    coverage: bytes = b""


class Conflict(SkypoolError):
    """What was asked contradicts what is there."""

    code = "conflict"
    exit_code = 5


class Ambiguous(Conflict, LookupError):
    """Several answers where one was asked for."""

    code = "ambiguous"


class EditConflict(Conflict):
    """Another changed what an exclusive commit was to change; nothing was committed.

    Parameters
    ----------
    message
        What is wrong.
    name
        Name of the product.
    expected
        The version that was to be the newest; None where none was to be.
    commit, author, time
        The commit that changed it last: its number, by whom, when (UTC).
    hint
        What the user can do about it.
    """

    code = "edit_conflict"

    def __init__(
        self,
        message: str,
        *,
        name: str,
        expected: int | None,
        commit: int,
        author: str,
        time: datetime,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.expected = expected
        self.commit = commit
        self.author = author
        self.time = time


class NameConflict(Conflict):
    """The name is taken, or holds data of another observation.

    Parameters
    ----------
    message
        What is wrong.
    hint
        What the user can do about it.
    path
        The file whose name it is to be; empty where there is none.
    """

    code = "name_conflict"

    def __init__(self, message: str, *, hint: str = "", path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class PoolExists(Conflict):
    """A new pool was asked for where one exists."""

    code = "pool_exists"


class ReferencedError(Conflict):
    """Other products still refer to it."""

    code = "referenced"


class ScriptError(SkypoolError):
    """A script of HIPE stopped: it cannot be read, or raised an exception.

    Parameters
    ----------
    message
        What is wrong, with the file and line.
    file
        Name of the script.
    line
        Line in it, counted from 1; 0 where it has no place.
    hint
        What the user can do about it.
    """

    code = "script"
    lines_are_meant = True  # a traceback

    def __init__(self, message: str, *, file: str = "", line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class UnsupportedName(ScriptError):
    """A script uses a name of HIPE that skypool has not.

    Parameters
    ----------
    message
        What is wrong, with the file and line where they are known.
    name
        The name, as HIPE calls it.
    file, line, hint
        As for `ScriptError`.
    """

    code = "unsupported"

    def __init__(
        self, message: str, *, name: str = "", file: str = "", line: int = 0, hint: str = ""
    ) -> None:
        super().__init__(message, file=file, line=line, hint=hint)
        self.name = name


class Locked(SkypoolError):
    """Another process holds what is needed."""

    code = "locked"
    exit_code = 11


class Damaged(SkypoolError):
    """Stored bytes are not what they were when they were written."""

    code = "damaged"
    exit_code = 12


class RecipeMismatch(Damaged):
    """The bytes of a file could not be rebuilt exactly."""

    code = "recipe_mismatch"


class StorageError(SkypoolError):
    """The file system or server below refused."""

    code = "storage"


class ReadOnly(StorageError):
    """The pool was opened for reading, or cannot be written to."""

    code = "read_only"


class DiskFull(StorageError):
    """There is no room for what should be written."""

    code = "disk_full"


class QuotaExceeded(DiskFull):
    """The pool may not take that much (`max_size`); nothing was stored."""

    code = "quota_exceeded"


class FormatTooNew(StorageError):
    """The pool was written by a newer skypool."""

    code = "format_too_new"


class SourceChanged(StorageError):
    """A file that is kept in place is not as it was when it was added."""

    code = "source_changed"


class SourceMissing(StorageError):
    """A file that is kept in place is gone."""

    code = "source_missing"


class Unreachable(StorageError):
    """There is no connection to a server, or it ended again and again."""

    code = "unreachable"
