"""What scripts use of ``java.io`` and ``java.text``."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skypool.hipe.jython.java_lang import Getters
from skypool.hipe.jython.java_util import Date
from skypool.hipe.jython.streams import open_file

__all__ = [
    "BufferedReader",
    "BufferedWriter",
    "DecimalFormat",
    "File",
    "FileNotFoundException",
    "FileReader",
    "FileWriter",
    "IOException",
    "PrintWriter",
    "SimpleDateFormat",
]

FileNotFoundException = FileNotFoundError
IOException = OSError


class File(Getters):
    """``java.io.File``."""

    separator = os.sep
    pathSeparator = os.pathsep

    def __init__(self, *parts: Any) -> None:
        self.path = os.path.join(*(str(part) for part in parts if part is not None))

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    __repr__ = toString = getPath = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def getName(self) -> str:
        return os.path.basename(self.path)

    def getParent(self) -> str | None:
        return os.path.dirname(self.path) or None

    def getParentFile(self) -> File | None:
        above = self.getParent()
        return File(above) if above else None

    def getAbsolutePath(self) -> str:
        return os.path.abspath(self.path)

    getCanonicalPath = getAbsolutePath

    def getAbsoluteFile(self) -> File:
        return File(self.getAbsolutePath())

    def exists(self) -> bool:
        return os.path.exists(self.path)

    def isDirectory(self) -> bool:
        return os.path.isdir(self.path)

    def isFile(self) -> bool:
        return os.path.isfile(self.path)

    def canRead(self) -> bool:
        return os.access(self.path, os.R_OK)

    def canWrite(self) -> bool:
        return os.access(self.path, os.W_OK)

    def length(self) -> int:
        return os.path.getsize(self.path) if self.exists() else 0

    def lastModified(self) -> int:
        return os.stat(self.path).st_mtime_ns // 1_000_000 if self.exists() else 0

    def list(self, *_: Any) -> list[str] | None:
        return sorted(os.listdir(self.path)) if self.isDirectory() else None

    def listFiles(self, *_: Any) -> Any:
        names = self.list()
        return None if names is None else [File(self.path, name) for name in names]

    def _done(self, function: Any, *given: Any) -> bool:
        try:
            function(self.path, *given)
        except OSError:  # Java says false
            return False
        return True

    def mkdir(self) -> bool:
        return self._done(os.mkdir)

    def mkdirs(self) -> bool:
        return self._done(os.makedirs)

    def delete(self) -> bool:
        return self._done(os.rmdir if self.isDirectory() else os.remove)

    def renameTo(self, other: Any) -> bool:
        return self._done(shutil.move, str(other))

    def createNewFile(self) -> bool:
        try:
            Path(self.path).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class FileReader:
    """``java.io.FileReader``."""

    _mode = "r"

    def __init__(self, file: Any, more: bool = False) -> None:
        self._file = open_file(file, "a" if more else self._mode)

    def close(self) -> None:
        self._file.close()


class BufferedReader(FileReader):
    """``java.io.BufferedReader``."""

    def __init__(self, reader: Any) -> None:
        self._file = reader._file

    def readLine(self) -> str | None:
        line = self._file.readline()
        return line.rstrip("\r\n") if line else None


class FileWriter(FileReader):
    """``java.io.FileWriter``, and the writers around it."""

    _mode = "w"

    def write(self, words: Any) -> None:
        self._file.write(chr(words) if isinstance(words, int) else str(words))

    print = append = write

    def println(self, words: Any = "") -> None:
        self._file.write(f"{words}\n")

    def newLine(self) -> None:
        self._file.write("\n")

    def flush(self) -> None:
        self._file.flush()


class BufferedWriter(FileWriter):
    """``java.io.BufferedWriter``."""

    def __init__(self, writer: Any) -> None:
        if isinstance(writer, FileWriter):
            self._file = writer._file
        else:
            super().__init__(writer)


PrintWriter = BufferedWriter

_LETTERS = {
    "yyyy": "%Y", "yy": "%y", "MMM": "%b", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M",
    "ss": "%S", "SSS": "%f", "EEE": "%a", "DDD": "%j", "hh": "%I", "a": "%p", "z": "%Z", "Z": "%z",
}  # fmt: skip
_PATTERN = re.compile(r"'([^']*)'|" + "|".join(sorted(_LETTERS, key=len, reverse=True)))


class SimpleDateFormat:
    """``java.text.SimpleDateFormat`` with the usual letters."""

    def __init__(self, pattern: str = "yyyy-MM-dd'T'HH:mm:ss") -> None:
        self._pattern = pattern
        self._utc = False

    def setTimeZone(self, zone: Any) -> None:
        self._utc = True

    def _one(self, moment: datetime | None, match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1] or "'"
        if moment is None:
            return _LETTERS[match[0]]
        if match[0] == "SSS":
            return f"{moment.microsecond // 1000:03d}"
        return moment.strftime(_LETTERS[match[0]])

    def format(self, date: Any) -> str:
        seconds = date.getTime() / 1000
        moment = datetime.fromtimestamp(seconds, UTC)
        local = moment if self._utc else moment.astimezone()
        return _PATTERN.sub(lambda match: self._one(local, match), self._pattern)

    def parse(self, words: str) -> Date:
        form = _PATTERN.sub(lambda match: self._one(None, match), self._pattern)
        found = datetime.strptime(words, form)
        found = found.replace(tzinfo=UTC) if self._utc else found.astimezone()
        return Date(int(found.timestamp() * 1000))


class DecimalFormat:
    """``java.text.DecimalFormat`` with the digits 0 and # ."""

    def __init__(self, pattern: str = "#.###") -> None:
        whole, _, rest = pattern.partition(".")
        self._whole = whole.count("0")
        self._comma = "," in whole
        self._least, self._most = rest.count("0"), len(rest)

    def format(self, value: Any) -> str:
        found = f"{float(value):{',' if self._comma else ''}.{self._most}f}"
        whole, _, rest = found.partition(".")
        while len(rest) > self._least and rest.endswith("0"):
            rest = rest[:-1]
        sign = "-" if whole.startswith("-") else ""
        whole = sign + whole.lstrip("-").rjust(self._whole, "0")
        return f"{whole}.{rest}" if rest else whole
