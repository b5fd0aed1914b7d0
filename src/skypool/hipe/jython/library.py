"""Modules of Python 2 that are gone, moved, or lost functions."""

from __future__ import annotations

import functools
import importlib
import io
import string
import types
from collections.abc import Callable
from typing import Any

__all__ = ["RENAMED", "module"]

#: Modules that only have another name today.
RENAMED = {
    "BaseHTTPServer": "http.server",
    "ConfigParser": "configparser",
    "Cookie": "http.cookies",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "UserDict": "collections",
    "UserList": "collections",
    "__builtin__": "builtins",
    "cStringIO": "io",
    "commands": "subprocess",
    "copy_reg": "copyreg",
    "dummy_thread": "_thread",
    "htmlentitydefs": "html.entities",
    "httplib": "http.client",
    "md5": "hashlib",
    "repr": "reprlib",
    "sha": "hashlib",
    "thread": "_thread",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}

_METHODS_TEXT = """
    capitalize center count expandtabs find index ljust lower lstrip replace rfind rindex
    rjust rsplit rstrip split strip swapcase title translate upper zfill
"""
_METHODS = _METHODS_TEXT.split()


def _string() -> dict[str, Any]:
    found: dict[str, Any] = {name: _method(name) for name in _METHODS}
    found.update(
        join=lambda words, between=" ": between.join(words),
        joinfields=lambda words, between=" ": between.join(words),
        splitfields=lambda text, *given: text.split(*given),
        atoi=int,
        atol=int,
        atof=float,
        letters=string.ascii_letters,
        lowercase=string.ascii_lowercase,
        uppercase=string.ascii_uppercase,
        maketrans=str.maketrans,
    )
    return found


def _method(name: str) -> Callable[..., Any]:
    return lambda text, *given: getattr(text, name)(*given)


def _itertools() -> dict[str, Any]:
    import itertools

    return {
        "izip": functools.partial(zip, strict=False),
        "imap": map,
        "ifilter": filter,
        "ifilterfalse": itertools.filterfalse,
        "izip_longest": itertools.zip_longest,
    }


def _types() -> dict[str, Any]:
    return {
        "BooleanType": bool,
        "ComplexType": complex,
        "DictType": dict,
        "DictionaryType": dict,
        "FileType": io.IOBase,
        "FloatType": float,
        "InstanceType": object,
        "IntType": int,
        "ListType": list,
        "LongType": int,
        "NoneType": type(None),
        "ObjectType": object,
        "SliceType": slice,
        "StringType": str,
        "StringTypes": (str,),
        "TupleType": tuple,
        "TypeType": type,
        "ClassType": type,
        "UnicodeType": str,
    }


def _sets() -> dict[str, Any]:
    return {"Set": set, "ImmutableSet": frozenset}


def _operator() -> dict[str, Any]:
    from skypool.hipe.jython.arithmetic import divide

    return {"div": divide, "isCallable": callable, "sequenceIncludes": lambda a, b: b in a}


def _time() -> dict[str, Any]:
    import time

    return {"clock": time.process_time}


def _subprocess() -> dict[str, Any]:
    import subprocess

    class Popen(subprocess.Popen[str]):
        """A process whose output is text, as a `str` of Python 2 was."""

        def __init__(self, *given: Any, **options: Any) -> None:
            options.setdefault("encoding", "latin-1")
            super().__init__(*given, **options)

    def check_output(*given: Any, **options: Any) -> str:
        options.setdefault("encoding", "latin-1")
        return str(subprocess.check_output(*given, **options))  # noqa: S603 - the script's own

    return {"Popen": Popen, "check_output": check_output}


def _urllib2() -> dict[str, Any]:
    import urllib.error
    import urllib.parse
    import urllib.request

    def urlopen(*given: Any, **options: Any) -> io.TextIOWrapper:
        opened = urllib.request.urlopen(*given, **options)  # noqa: S310 - the script's own
        # Bytes were a `str` of Python 2.
        return io.TextIOWrapper(opened, encoding="latin-1", newline="\n")

    return {
        "urlopen": urlopen,
        "Request": urllib.request.Request,
        "URLError": urllib.error.URLError,
        "HTTPError": urllib.error.HTTPError,
        "urlretrieve": urllib.request.urlretrieve,
        "urlencode": urllib.parse.urlencode,
        "quote": urllib.parse.quote,
        "quote_plus": urllib.parse.quote_plus,
        "unquote": urllib.parse.unquote,
        "unquote_plus": urllib.parse.unquote_plus,
        "build_opener": urllib.request.build_opener,
        "install_opener": urllib.request.install_opener,
    }


def _pickle() -> dict[str, Any]:
    import pickle

    # Files of scripts are texts of characters that are bytes; pickles go to what is below.
    def dump(value: Any, file: Any, *given: Any) -> None:
        pickle.dump(value, getattr(file, "buffer", file), *given)

    def load(file: Any) -> Any:
        # Python's own module, with what it says about pickles of strangers.
        return pickle.load(getattr(file, "buffer", file))  # noqa: S301 - the script's own

    def dumps(value: Any, *given: Any) -> str:
        return pickle.dumps(value, *given).decode("latin-1")

    def loads(data: str) -> Any:
        return pickle.loads(data.encode("latin-1"))  # noqa: S301 - the script's own

    return {"dump": dump, "load": load, "dumps": dumps, "loads": loads}


def _jarray() -> dict[str, Any]:
    def array(values: Any, kind: Any) -> list[Any]:
        return list(values)

    def zeros(length: int, kind: Any) -> list[Any]:
        texts = kind == "c" or getattr(kind, "__name__", "") == "String"
        return [None if texts else False if kind == "z" else 0] * length

    return {"array": array, "zeros": zeros}


# Name of the module that scripts import: (today's module below, what is added).
_ADDED: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "cPickle": ("pickle", _pickle),
    "itertools": ("itertools", _itertools),
    "jarray": ("", _jarray),
    "operator": ("operator", _operator),
    "pickle": ("pickle", _pickle),
    "sets": ("", _sets),
    "string": ("string", _string),
    "subprocess": ("subprocess", _subprocess),
    "time": ("time", _time),
    "types": ("types", _types),
    "urllib": ("urllib.parse", _urllib2),
    "urllib2": ("urllib.request", _urllib2),
}


@functools.cache
def module(name: str) -> types.ModuleType | None:
    """Give a module of Python 2 that is another today.

    Parameters
    ----------
    name
        Of the module.

    Returns
    -------
    module or None
        None where today's module of that name does.
    """
    if name not in _ADDED:
        return None
    below, added = _ADDED[name]
    made = types.ModuleType(name)
    if below:
        vars(made).update(
            {
                key: value
                for key, value in vars(importlib.import_module(below)).items()
                if not key.startswith("__")
            }
        )
    vars(made).update(added())
    return made
