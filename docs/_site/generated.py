"""Puts what the program itself says into pages of the reference.

A page has a line `% generated: NAME`, a comment of MyST; where the site is built, the text of
`TEXTS[NAME]()` comes behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pygments.lexers import Python2Lexer


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _option_row(parameter: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    value = ""
    if not parameter.is_flag and not parameter.count:
        if isinstance(parameter.type, click.Choice):
            value = " ".join(f"`{choice}`" for choice in parameter.type.choices)
        else:
            value = f"`{_cell(parameter.metavar or parameter.type.name.upper())}`"
    notes = [parameter.help or ""]
    default = parameter.default
    if value and isinstance(default, str | int | float) and str(default):
        notes.append(f"By default `{default}`.")
    if parameter.multiple and "repeated" not in notes[0] and "everal times" not in notes[0]:
        notes.append("May be given several times.")
    return f"| {names} | {value} | {_marked(_cell(' '.join(notes)))} |"


def _marked(text: str) -> str:
    """Mark options and variables as code, where the text has not done it."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [
        re.sub(r"(?<![\w-])(--[a-z][\w-]*|\$[A-Za-z]\w*)", r"`\1`", part) for part in parts[::2]
    ]
    return "".join(parts)


def _verb(name: str, command: click.Command, level: int) -> list[str]:
    context = click.Context(command, info_name=f"skypool {name}")
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"{'#' * level} {name}", "", "```text", usage, "```", ""]
    lines += [_marked(" ".join((command.help or "").split()).replace("\b", "")), ""]
    examples = getattr(command, "examples", ())
    if examples:
        width = max(len(words) for words, _ in examples)
        rows = [f"skypool {words:<{width}}  # {what}" for words, what in examples]
        lines += ["```sh", *rows, "```", ""]
    shared = {"pool_option", "json_option", "debug_option"}
    own = [each for each in command.params if isinstance(each, click.Option)]
    options = [each for each in own if not each.hidden and each.name not in shared]
    if options:
        lines += ["| option | value | |", "|---|---|---|", *map(_option_row, options), ""]
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            assert found is not None
            lines += _verb(f"{name} {part}", found, level + 1)
    return lines


def verbs() -> str:
    """Return all verbs with their options, as the program knows them."""
    from skypool.cli.app import VERBS, app

    context = click.Context(app)
    lines: list[str] = []
    for title, parts in VERBS:
        lines += [f"## {title}", ""]
        for name, _, _ in parts:
            command = app.get_command(context, name)
            assert command is not None
            lines += _verb(name, command, 3)
    return "\n".join(lines)


def routes() -> str:
    """Return all routes of the HTTP API, as its OpenAPI description has them."""
    from skypool.server.app import endpoints, make_context
    from skypool.server.description import described

    context = make_context([])
    try:
        paths = described(endpoints(context))["paths"]
    finally:
        context.close()
    lines = ["| route | what it does |", "|---|---|"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            lines.append(f"| `{method.upper()} {path}` | {_cell(operation.get('summary', ''))} |")
    return "\n".join(lines)


TEXTS: dict[str, Callable[[], str]] = {"verbs": verbs, "routes": routes}


def expand(app: Any, name: str, source: list[str]) -> None:
    """Put the texts into a page that asks for them."""
    source[0] = re.sub(
        r"^% generated: (\w+)$", lambda match: f"\n{TEXTS[match[1]]()}\n", source[0], flags=re.M
    )


def outdated(
    app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Make pages anew that hold what the program says: their own text has not changed."""
    pages = (name for name in env.found_docs if name.startswith("reference/"))
    return [name for name in pages if "% generated:" in Path(env.doc2path(name)).read_text("utf-8")]


def signature(
    app: Any, what: str, name: str, member: Any, options: Any, arguments: str | None, *_: Any
) -> tuple[str, None] | None:
    """Show no signature of a class that methods return and nobody makes."""
    import skypool

    module, _, short = name.rpartition(".")
    if what != "class" or not arguments or short in set(skypool.__all__) - {"Ref"}:
        return None
    return (
        ("", None)
        if short == "Ref" or module.startswith("skypool.pool") or short.startswith("Watch")
        else None
    )


def skipped(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples: the class has told them."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field") else None


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("source-read", expand)
    app.connect("env-get-outdated", outdated)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skipped)
    app.add_lexer("jython", Python2Lexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
