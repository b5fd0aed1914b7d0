"""Query text to tokens, in one pass and in time proportional to its length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from skypool.errors import QueryError

__all__ = ["MAX_DIGITS", "MAX_TEXT", "MAX_TOKENS", "Token", "tokenize"]

MAX_TEXT: Final = 200_000
MAX_TOKENS: Final = 50_000
MAX_DIGITS: Final = 400

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[^\W\d]\w*)
      | (?P<binding>\$[^\W\d]\w*)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<wrong>&&|\|\||<>|===|!==|:=|=>|=<|[&|^~!?;:{}@`](?!=))
      | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>()\[\],.])
      | (?P<assign>=)
    """,
    re.VERBOSE | re.DOTALL,
)
_ADVICE: Final = {
    "&&": "write 'and'",
    "&": "write 'and'",
    "||": "write 'or'",
    "|": "write 'or'",
    "!": "write 'not'",
    "~": "write 'not'",
    "<>": "write '!='",
    "!==": "write '!='",
    "===": "write '=='",
    ":=": "write '=='",
    "=>": "write '>='",
    "=<": "write '<='",
    "^": "write '**' for a power",
    "`": "write meta['...'] for a key that is no plain name",
    "{": "write lists as [1, 2]",
}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query.

    Parameters
    ----------
    kind
        ``number``, ``name``, ``binding``, ``text``, ``operator``, ``assign`` or ``end``.
    text
        As written; the content without quotes and escapes for a text, the name for a binding.
    column
        Where it begins, counted from 1.
    end
        Where the next could begin, counted from 1.
    """

    kind: str
    text: str
    column: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Cut a query into tokens, the last of kind ``end``.

    Raises
    ------
    QueryError
        If the text is longer than `MAX_TEXT`, or holds what is no token.
    """
    if len(text) > MAX_TEXT:
        raise QueryError(
            f"the query has {len(text):,} characters; {MAX_TEXT:,} are the most",
            hint="bind long lists of values to a $name",
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        # the text itself could not be printed, so the error goes without it
        raise QueryError(f"no valid Unicode at column {error.start + 1}") from None
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            _refuse(text, place)
        kind, start, place = match.lastgroup or "", place, match.end()
        if kind == "blank":
            continue
        tokens.append(_token(kind, match.group(), start, text))
        if len(tokens) > MAX_TOKENS:
            raise QueryError(f"the query has more than {MAX_TOKENS:,} words and signs")
    tokens.append(Token("end", "", len(text) + 1, len(text) + 1))
    return tokens


def _token(kind: str, written: str, start: int, text: str) -> Token:
    column, end = start + 1, start + 1 + len(written)
    if kind == "wrong":
        raise QueryError(
            f"{written!r} is not part of the query language",
            text=text,
            column=column,
            hint=_ADVICE.get(written, ""),
        )
    if kind == "number" and len(written) > MAX_DIGITS:
        raise QueryError(
            f"a number of {len(written):,} characters; {MAX_DIGITS} are the most",
            text=text,
            column=column,
        )
    if kind == "text":
        return Token(kind, _unquote(written, text, column), column, end)
    return Token(kind, written[1:] if kind == "binding" else written, column, end)


def _refuse(text: str, place: int) -> NoReturn:
    character = text[place]
    if character in "'\"":
        problem, hint = "a text without its closing quote", ""
    elif character == "$":
        problem, hint = "'$' without a name", "write $name and give its value beside the query"
    else:
        problem, hint = f"{character!r} is not part of the query language", ""
    raise QueryError(problem, text=text, column=place + 1, hint=hint)


def _unquote(written: str, text: str, column: int) -> str:
    def character(match: re.Match[str]) -> str:
        plain = match.group(4)
        if plain is None:
            number = int(match.group(1) or match.group(2) or match.group(3), 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise QueryError(
                    f"{match.group()} is no character", text=text, column=column + match.start() + 1
                )
            return chr(number)
        if plain in "xuU":
            raise QueryError(
                f"\\{plain} without its digits", text=text, column=column + match.start() + 1
            )
        if plain in _SIMPLE:
            return _SIMPLE[plain]
        # like Python, an unknown escape keeps its backslash: patterns need them
        return plain if plain in "\\'\"" else "\\" + plain

    body = written[1:-1]
    return _ESCAPE.sub(character, body) if "\\" in body else body
