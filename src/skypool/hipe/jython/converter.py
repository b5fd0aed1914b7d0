"""Modern Python of a script of HIPE: the same statements and comments, with skypool.hipe.

The syntax is translated by the fixers of fissix (2to3); what is left is names, imports and
division, which `rewriting` does on the result.
"""

from __future__ import annotations

import ast
import functools
import keyword
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from skypool.hipe.jython.reading import prepare, read_script, unsupported_syntax
from skypool.hipe.jython.rewriting import Converted, rewrite
from skypool.hipe.jython.syntax import plain_literals

__all__ = ["convert", "convert_file"]

_FIXERS = """
    apply basestring dict except exec execfile filter funcattrs getcwdu has_key imports input
    intern isinstance itertools itertools_imports long map metaclass methodattrs ne next nonzero
    numliterals operator paren print raise raw_input renames repr standarderror sys_exc
    throw tuple_params types unicode urllib xrange xreadlines zip
"""


@functools.cache
def _tool() -> Any:
    import fissix

    # The fixers load the grammar through a cache in the user's home; give them another place.
    with tempfile.TemporaryDirectory() as folder:
        fissix.CACHE_DIR = Path(folder)
        from fissix import refactor

        return refactor.RefactoringTool([f"fissix.fixes.fix_{name}" for name in _FIXERS.split()])


def convert_file(path: str) -> Converted:
    """Write a script of HIPE anew in modern Python.

    Parameters
    ----------
    path
        Of the script.

    Returns
    -------
    Converted

    Raises
    ------
    ScriptError
        If it is no Jython 2.
    """
    return convert(read_script(path), path)


def convert(text: str, name: str) -> Converted:
    """Write a text of Jython 2 anew in modern Python.

    Parameters
    ----------
    text
        The script.
    name
        Its name, for errors.

    Returns
    -------
    Converted

    Raises
    ------
    ScriptError
        If it is no Jython 2.
    """
    from fissix.pgen2 import parse

    from skypool.hipe.jython.semantics import compile_script

    # What cannot be run cannot be converted; this gives the errors, with their lines.
    compile_script(text, name)
    prepared = prepare(_narrow(text))
    features = prepared.features
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            modern = str(_tool().refactor_string(plain_literals(prepared, name), name))
            modern = _plain(modern, name)
            tree = ast.parse(modern)
        except SyntaxError as error:
            raise unsupported_syntax(name, error.lineno or 1, f"{error.msg}") from None
        except (RecursionError, MemoryError):
            raise unsupported_syntax(name, 1, "the text is nested too deeply") from None
        except parse.ParseError as error:
            raise unsupported_syntax(name, error.context[1][0], "cannot be converted") from None
    return rewrite(modern, tree, true_division="division" in features)


_KEYWORD = re.compile(r"__jy_kw_(\w+?)__")
_COOKIE = re.compile(r"\A((?:#!.*\n)?)#.*?coding[:=][ \t]*[-\w.]+.*\n")


def _plain(text: str, name: str) -> str:
    def one(match: re.Match[str]) -> str:
        if keyword.iskeyword(match[1]):
            line = text[: match.start()].count("\n") + 1
            raise unsupported_syntax(
                name, line, f"{match[1]} cannot be a name in modern Python; give it another"
            )
        return match[1]

    # The new text is UTF-8, whatever the old one was.
    return _COOKIE.sub(r"\1", _KEYWORD.sub(one, text))


def _narrow(text: str) -> str:
    """Indent by four blanks what was indented by tabs alone."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    indented = [line for line in lines if line[:1] in (" ", "\t") and line.strip()]
    starts = [line[: len(line) - len(line.lstrip(" \t"))] for line in indented]
    if not starts or any(" " in start.rstrip(" ") or not start.strip(" ") for start in starts):
        return "\n".join(lines)
    from fissix.pgen2 import token

    from skypool.hipe.jython.reading import token_list

    inside: set[int] = set()
    for kind, _, start, end, _ in token_list("\n".join(lines)):
        if kind == token.STRING:
            inside.update(range(start[0] + 1, end[0] + 1))
    for row, line in enumerate(lines):
        if row + 1 not in inside:
            rest = line.lstrip("\t")
            lines[row] = "    " * (len(line) - len(rest)) + rest
    return "\n".join(lines)
