"""What scripts use of ``java.lang``."""

from __future__ import annotations

import builtins
import math
import os
import platform
import random
import sys
import time
from typing import Any, NoReturn

from skypool.hipe.jython.formatting import modulo, text
from skypool.hipe.numeric_text import java_text

__all__ = [
    "ArithmeticException",
    "Boolean",
    "Byte",
    "Character",
    "Double",
    "Error",
    "Exception",
    "Float",
    "Getters",
    "IllegalArgumentException",
    "IllegalStateException",
    "IndexOutOfBoundsException",
    "Integer",
    "Long",
    "Math",
    "NullPointerException",
    "NumberFormatException",
    "Object",
    "Runtime",
    "RuntimeException",
    "Short",
    "String",
    "StringBuffer",
    "StringBuilder",
    "System",
    "Thread",
    "Throwable",
    "UnsupportedOperationException",
]

ArithmeticException = ArithmeticError
Error = Exception = builtins.Exception
IllegalArgumentException = ValueError
IllegalStateException = RuntimeError
IndexOutOfBoundsException = LookupError
NullPointerException = AttributeError
NumberFormatException = ValueError
RuntimeException = Exception
Throwable = Exception
UnsupportedOperationException = TypeError
Object = object


class Getters:
    """Gives `x.name` for `x.getName()`, as Jython does for objects of Java."""

    def __getattr__(self, name: str) -> Any:
        for start in ("get", "is"):
            method = getattr(type(self), f"{start}{name[:1].upper()}{name[1:]}", None)
            if method is not None and name[:1].islower():
                return method(self)
        raise AttributeError(f"a {type(self).__name__} has no {name!r}")


class Math:
    """``java.lang.Math``."""

    PI = math.pi
    E = math.e
    abs = staticmethod(builtins.abs)
    acos = staticmethod(math.acos)
    asin = staticmethod(math.asin)
    atan = staticmethod(math.atan)
    atan2 = staticmethod(math.atan2)
    cbrt = staticmethod(lambda x: math.copysign(abs(x) ** (1 / 3), x))
    ceil = staticmethod(lambda x: float(math.ceil(x)))
    cos = staticmethod(math.cos)
    cosh = staticmethod(math.cosh)
    exp = staticmethod(math.exp)
    floor = staticmethod(lambda x: float(math.floor(x)))
    hypot = staticmethod(math.hypot)
    log = staticmethod(lambda x: math.log(x) if x > 0 else -math.inf if x == 0 else math.nan)
    log10 = staticmethod(lambda x: math.log10(x) if x > 0 else -math.inf if x == 0 else math.nan)
    max = staticmethod(builtins.max)
    min = staticmethod(builtins.min)
    pow = staticmethod(lambda x, y: float(x) ** y)
    random = staticmethod(random.random)
    rint = staticmethod(lambda x: float(builtins.round(x)))
    round = staticmethod(lambda x: math.floor(x + 0.5))
    signum = staticmethod(lambda x: 0.0 if x == 0 else math.copysign(1.0, x))
    sin = staticmethod(math.sin)
    sinh = staticmethod(math.sinh)
    sqrt = staticmethod(lambda x: math.sqrt(x) if x >= 0 else math.nan)
    tan = staticmethod(math.tan)
    tanh = staticmethod(math.tanh)
    toDegrees = staticmethod(math.degrees)
    toRadians = staticmethod(math.radians)


class _Out:
    """``System.out`` and ``System.err``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, words: Any) -> None:
        getattr(sys, self._name).write(text(words))

    def print(self, value: Any = "") -> None:
        self.write(java_text(value))

    def println(self, value: Any = "") -> None:
        self.write(java_text(value) + "\n")

    def printf(self, form: str, *values: Any) -> None:
        self.write(String.format(form, *values))

    def flush(self) -> None:
        getattr(sys, self._name).flush()


_PROPERTIES = {
    "file.separator": os.sep,
    "line.separator": "\n",
    "path.separator": os.pathsep,
    "os.name": platform.system(),
    "os.arch": platform.machine(),
    "java.version": "1.8.0",
    "java.io.tmpdir": "/tmp",  # noqa: S108 - as Java says
}


class System:
    """``java.lang.System``."""

    out = _Out("stdout")
    err = _Out("stderr")

    @staticmethod
    def currentTimeMillis() -> int:
        return time.time_ns() // 1_000_000

    @staticmethod
    def nanoTime() -> int:
        return time.monotonic_ns()

    @staticmethod
    def gc() -> None:
        """Do nothing: what nobody holds is free already."""

    @staticmethod
    def exit(code: int = 0) -> NoReturn:
        raise SystemExit(code)

    @staticmethod
    def getProperty(name: str, default: Any = None) -> Any:
        if name == "user.home":
            return os.path.expanduser("~")
        if name == "user.dir":
            return os.path.abspath(os.curdir)
        if name == "user.name":
            return os.path.basename(os.path.expanduser("~"))
        return _PROPERTIES.get(name, default)

    @staticmethod
    def setProperty(name: str, value: Any) -> Any:
        old = _PROPERTIES.get(name)
        _PROPERTIES[name] = value
        return old

    @staticmethod
    def arraycopy(source: Any, start: int, target: Any, place: int, length: int) -> None:
        target[place : place + length] = source[start : start + length]


class _Number:
    """What the classes of numbers share; called, they make numbers of Python."""

    _type: Any = int
    MAX_VALUE: Any = 0
    MIN_VALUE: Any = 0

    def __new__(cls, value: Any = 0) -> Any:
        return cls._type(value)

    @classmethod
    def valueOf(cls, value: Any, base: int = 10) -> Any:
        if isinstance(value, str) and cls._type is int:
            return int(value.strip(), base)
        return cls._type(value)

    @staticmethod
    def toString(value: Any) -> str:
        return java_text(value)


class Integer(_Number):
    """``java.lang.Integer``."""

    MAX_VALUE = 2**31 - 1
    MIN_VALUE = -(2**31)

    @classmethod
    def parseInt(cls, value: str, base: int = 10) -> int:
        return int(value, base)

    @staticmethod
    def toHexString(value: int) -> str:
        return f"{value & 0xFFFFFFFF:x}"

    @staticmethod
    def toBinaryString(value: int) -> str:
        return f"{value & 0xFFFFFFFF:b}"

    @staticmethod
    def decode(value: str) -> int:
        return int(value, 0)


class Long(_Number):
    """``java.lang.Long``."""

    MAX_VALUE = 2**63 - 1
    MIN_VALUE = -(2**63)

    @classmethod
    def parseLong(cls, value: str, base: int = 10) -> int:
        return int(value, base)

    @staticmethod
    def toHexString(value: int) -> str:
        return f"{value & 0xFFFFFFFFFFFFFFFF:x}"

    @staticmethod
    def decode(value: str) -> int:
        return int(value, 0)


class Short(_Number):
    """``java.lang.Short``."""

    MAX_VALUE = 2**15 - 1
    MIN_VALUE = -(2**15)


class Byte(_Number):
    """``java.lang.Byte``."""

    MAX_VALUE = 127
    MIN_VALUE = -128


class Double(_Number):
    """``java.lang.Double``."""

    _type = float
    MAX_VALUE = sys.float_info.max
    MIN_VALUE = 5e-324
    NaN = math.nan
    POSITIVE_INFINITY = math.inf
    NEGATIVE_INFINITY = -math.inf

    @staticmethod
    def parseDouble(value: str) -> float:
        return float(value)

    @staticmethod
    def isNaN(value: float) -> bool:
        return math.isnan(value)

    @staticmethod
    def isInfinite(value: float) -> bool:
        return math.isinf(value)


class Float(Double):
    """``java.lang.Float``."""

    MAX_VALUE = 3.4028234663852886e38
    MIN_VALUE = 1.401298464324817e-45

    @staticmethod
    def parseFloat(value: str) -> float:
        return float(value)


class Boolean:
    """``java.lang.Boolean``."""

    TRUE = True
    FALSE = False

    def __new__(cls, value: Any = False) -> Any:
        return cls.parseBoolean(value)

    @staticmethod
    def parseBoolean(value: Any) -> bool:
        return value.strip().lower() == "true" if isinstance(value, str) else bool(value)

    valueOf = parseBoolean


class Character:
    """``java.lang.Character``."""

    isDigit = staticmethod(str.isdigit)
    isLetter = staticmethod(str.isalpha)
    toUpperCase = staticmethod(str.upper)
    toLowerCase = staticmethod(str.lower)


class String:
    """``java.lang.String``; called, it makes a text of Python."""

    def __new__(cls, value: Any = "") -> Any:
        return text(value)

    @staticmethod
    def valueOf(value: Any) -> str:
        return java_text(value)

    @staticmethod
    def format(form: str, *values: Any) -> str:
        given = tuple(values[0]) if len(values) == 1 and isinstance(values[0], list) else values
        form = form.replace("%n", "\n").replace("%b", "%s")
        return str(modulo(form, given))


class StringBuffer(Getters):
    """``java.lang.StringBuffer``."""

    def __init__(self, value: Any = "") -> None:
        self._text = "" if isinstance(value, int) else text(value)

    def append(self, value: Any) -> StringBuffer:
        self._text += java_text(value)
        return self

    def length(self) -> int:
        return len(self._text)

    def toString(self) -> str:
        return self._text

    __str__ = toString


StringBuilder = StringBuffer


class Thread:
    """``java.lang.Thread``, as far as waiting goes."""

    @staticmethod
    def sleep(milliseconds: float) -> None:
        time.sleep(milliseconds / 1000)


class Runtime(Getters):
    """``java.lang.Runtime``."""

    @classmethod
    def getRuntime(cls) -> Runtime:
        return cls()

    def availableProcessors(self) -> int:
        return os.cpu_count() or 1

    def gc(self) -> None:
        """Do nothing: what nobody holds is free already."""

    def _pages(self, name: str) -> int:
        return int(os.sysconf(name)) * int(os.sysconf("SC_PAGE_SIZE"))

    def totalMemory(self) -> int:
        return self._pages("SC_PHYS_PAGES")

    maxMemory = totalMemory

    def freeMemory(self) -> int:
        return self._pages("SC_AVPHYS_PAGES")
