"""`hipe run` and `hipe convert`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

import click

from skypool.cli.state import State
from skypool.cli.text import to_json
from skypool.cli.verb import Verb, VerbGroup, verb
from skypool.errors import Conflict, SkypoolError

__all__ = ["hipe_verb"]

_EXAMPLES = (
    ("hipe run script.py", "run a Jython 2 script of HIPE as it is"),
    ("hipe run script.py 1342182452", "with arguments, its sys.argv[1:]"),
    ("hipe convert script.py -o new.py", "write it anew in modern Python"),
)


class _Run(Verb):
    """The verb, with --json last as every verb takes it; behind -- all is the script's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words."""
        own, behind = args, []
        if "--" in args:
            place = args.index("--")
            own, behind = args[:place], args[place + 1 :]
        first = [word for word in own if word == "--json"][:1]
        rest = [word for word in own if word != "--json"]
        return super().parse_args(ctx, [*first, *rest, *behind])


@verb("run", examples=_EXAMPLES[:2], cls=_Run)
@click.argument("script", metavar="SCRIPT", type=click.Path())
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def _run(state: State, script: str, arguments: tuple[str, ...]) -> int:
    """Run a Jython 2 script of HIPE as it is.

    All names of skypool.hipe are there without an import; imports of herschel and java work.
    Standard output is the script's own. It exits as the script does; what skypool cannot do
    stops it with the line, the name, and the modern way. Options of the script that skypool
    has too go behind --.
    """
    from skypool.hipe.jython.runner import run_script

    caught = io.StringIO()
    # --json promises one object on standard output, so the script's lines go into it.
    try:
        with contextlib.redirect_stdout(caught) if state.json else contextlib.nullcontext():
            outcome = run_script(script, arguments)
            sys.stdout.flush()
    except SkypoolError:
        click.echo(caught.getvalue(), err=True, nl=False)
        raise
    for remark in outcome.remarks:
        state.note(f"skypool: {remark}")
    if outcome.words:
        click.echo(outcome.words, err=True)
    if state.json:
        found = {"script": script, "output": caught.getvalue(), "exit_code": outcome.code}
        click.echo(to_json(found))
    return outcome.code


_run.context_settings = {**_run.context_settings, "allow_interspersed_args": False}


@verb("convert", examples=_EXAMPLES[2:])
@click.argument("script", metavar="SCRIPT", type=click.Path())
@click.option("-o", "--output", metavar="FILE", help="The file to write; without it, print.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def _convert(state: State, script: str, output: str | None, overwrite: bool) -> int:
    """Write a Jython 2 script of HIPE anew, in modern Python with skypool.hipe.

    Comments and layout stay. What skypool cannot do is marked by a comment above its line and
    told on standard error; then the exit code is 3.
    """
    from skypool.hipe.jython.converter import convert_file

    if output is not None and os.path.lexists(output) and not overwrite:
        raise Conflict(f"{output} is there already", hint="--overwrite replaces it")
    made = convert_file(script)
    if output is not None:
        with open(output, "w", encoding="utf-8") as file:
            file.write(made.text)
    remarks: list[dict[str, Any]] = [
        {"line": line, "name": name, "hint": hint} for line, name, hint in made.remarks
    ]
    if state.json:
        facts = {"script": script, "output": output, "remarks": remarks}
        click.echo(to_json(facts if output is not None else facts | {"text": made.text}))
    else:
        if output is None:
            click.echo(made.text, nl=False)
        for remark in remarks:
            state.note(f"{script}, line {remark['line']}: {remark['name']}: {remark['hint']}")
    return 3 if remarks else 0


_run.short_help = "Run a script as it is."
_convert.short_help = "Write a script anew, in modern Python."

hipe_verb = VerbGroup(
    "hipe",
    commands={"run": _run, "convert": _convert},
    examples=_EXAMPLES,
    help="Run the scripts of HIPE, Herschel's software, or write them anew.",
    subcommand_metavar="VERB [ARGS]...",
)
