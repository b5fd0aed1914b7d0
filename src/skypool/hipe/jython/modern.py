"""Where names of scripts are found today, and which have a plain form in Python."""

from __future__ import annotations

from skypool.hipe.jython import java_io, java_lang, java_util, share
from skypool.hipe.names import HOMES
from skypool.model.kinds import PARENTS

__all__ = ["JAVA", "MOVED", "PLAIN", "home_of"]

#: Classes of Java and of HIPE that scripts alone need: by name, their modules.
JAVA = {
    name: f"skypool.hipe.jython.{home}"
    for home, module in (
        ("java_io", java_io),
        ("java_util", java_util),
        ("java_lang", java_lang),
        ("share", share),
    )
    for name in module.__all__
}
_MATH = "acos asin atan atan2 cos cosh exp hypot sin sinh sqrt tan tanh pow"
#: What has a plain form in Python: of a call or value, the text, and the module that it needs.
PLAIN: dict[str, tuple[str, str]] = {
    "Math.PI": ("math.pi", "math"),
    "Math.E": ("math.e", "math"),
    "Math.toRadians": ("math.radians", "math"),
    "Math.toDegrees": ("math.degrees", "math"),
    "Math.abs": ("abs", ""),
    "Integer.parseInt": ("int", ""),
    "Long.parseLong": ("int", ""),
    "Double.parseDouble": ("float", ""),
    "Float.parseFloat": ("float", ""),
    "System.exit": ("sys.exit", "sys"),
    "System.gc": ("gc.collect", "gc"),
    "Double.NaN": ("math.nan", "math"),
    "Double.isNaN": ("math.isnan", "math"),
    "java.lang.Exception": ("Exception", ""),
}
PLAIN |= {f"Math.{name}": (f"math.{name}", "math") for name in _MATH.split()}
PLAIN |= {
    f"string.{name}": (f"string.ascii_{name}", "") for name in ("letters", "lowercase", "uppercase")
}
#: Functions that are in modules today.
MOVED = {
    "reduce": "from functools import reduce",
    "reload": "from importlib import reload",
}


def home_of(name: str) -> str:
    """Give the module from which a name of HIPE or Java is imported.

    Parameters
    ----------
    name
        Such as ``MetaQuery``.

    Returns
    -------
    str
        Empty where there is none.
    """
    if name in HOMES or (name in PARENTS and name != "File"):
        return "skypool.hipe"
    return JAVA.get(name, "")
