"""The program itself: its verbs, loaded when they are used, and its exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from skypool import __version__
from skypool.cli import failure
from skypool.cli.state import State
from skypool.cli.verb import common_options, write_examples
from skypool.errors import SkypoolError

__all__ = ["VERBS", "app", "run"]

#: Sections of the help: title, then (verb, module, what it does).
VERBS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Put in",
        (
            ("init", "init", "Make a pool."),
            ("add", "add", "Add files and folders; add them again to save what changed."),
            ("watch", "watch", "Add what appears in folders, as it appears."),
            ("herschel", "herschel", "Get observations from the Herschel archive."),
        ),
    ),
    (
        "Look",
        (
            ("ls", "find", "List products by name."),
            ("find", "find", "Find products by a query."),
            ("show", "show", "Show a product: metadata, datasets, versions, tags."),
            ("tree", "tree", "Show a product and what is below it."),
            ("tui", "tui", "Browse pools in the terminal: search, look, tag, export."),
            ("history", "history", "Show commits, or the versions of a product."),
            ("diff", "diff", "Compare two products."),
            ("ui", "ui", "Look at pools in the browser."),
        ),
    ),
    (
        "Change",
        (
            ("tag", "tag", "Put tags on a version."),
            ("collect", "pieces", "Keep what a query finds as a working set."),
            ("untag", "tag", "Take tags away."),
            ("mv", "tag", "Rename a product, or all below a folder."),
            ("rm", "tag", "Remove products from view."),
            ("restore", "tag", "Bring removed products back."),
            ("undo", "tag", "Take a commit back, by a new one."),
            ("trash", "tag", "List removed products that can be restored."),
        ),
    ),
    (
        "Take out",
        (
            ("export", "export", "Write files, byte for byte as they came."),
            ("manifest", "export", "Print check sums of all files, or compare with a list."),
            ("path", "export", "Print the path of a real file, for any program."),
            ("mount", "mount", "See a pool as a folder, for any program."),
            ("unmount", "mount", "End that."),
            ("cutout", "cutout", "Cut a part out of an image, as a FITS file."),
            ("serve", "serve", "Show a pool as a folder over the network (WebDAV)."),
            ("send", "send", "Send products to DS9, Aladin, TOPCAT, a pool, a file."),
            ("receive", "send", "Take what other programs send into a pool."),
        ),
    ),
    (
        "Keep in step",
        (
            ("clone", "sync", "Make a copy of a pool that can be kept in step."),
            ("pull", "sync", "Bring in what another pool has and this one lacks."),
            ("push", "sync", "Bring to another pool what it lacks."),
            ("copy", "pieces", "Copy products to another pool, with all below them."),
        ),
    ),
    (
        "Scripts of HIPE",
        (("hipe", "hipe", "Run old scripts as they are, or write them anew."),),
    ),
    (
        "Look after",
        (
            ("info", "upkeep", "Show what a pool holds."),
            ("doctor", "doctor", "Look at installation, disk and pool, with advice."),
            ("verify", "upkeep", "Check every stored byte."),
            ("gc", "upkeep", "Give back space that nothing uses."),
            ("status", "in_place", "Tell which files kept in place have changed or are gone."),
            ("complete", "in_place", "Read what was added with --headers-only."),
            ("relocate", "in_place", "Follow files kept in place that were moved."),
            ("absorb", "in_place", "Copy files kept in place into the pool."),
            ("du", "space", "Show what the parts of a pool take on disk."),
            ("drop", "drop", "Drop content that is elsewhere; it stays findable."),
            ("get", "drop", "Bring dropped content back."),
            ("purge", "space", "Give up old versions of products."),
            ("forget", "space", "Give up what was replaced or removed by some time."),
            ("reindex", "upkeep", "Rebuild the catalogue from the stored data."),
            ("config", "config", "Show and set what a pool may take, and who may write."),
            ("pools", "init", "List the pools that have names."),
        ),
    ),
    (
        "Help",
        (
            ("completion", "assist", "Print the completion script of a shell."),
            ("help", "assist", "Show help on a verb."),
        ),
    ),
)

_EXAMPLES = (
    ("add 1342182452/", "put a folder of files in; nothing is changed or moved"),
    ("find \"instrument == 'SPIRE'\"", "find by any metadata"),
    ("show 1342182452/level2/PSW.fits", "see what a product is"),
    ("tag 1342182452 'using cal v1'", "put a tag on it"),
    ("export 1342182452 out/", "get the same files back, byte for byte"),
)

# What other programs call it.
_OTHER_WORDS = {
    "browse": "tui",
    "cat": "show",
    "check": "verify",
    "cp": "export",
    "create": "init",
    "delete": "rm",
    "extract": "export",
    "fetch": "pull",
    "fsck": "verify",
    "import": "add",
    "list": "ls",
    "log": "history",
    "merge": "pull",
    "move": "mv",
    "open": "path",
    "prune": "gc",
    "put": "add",
    "query": "find",
    "rebuild": "reindex",
    "remove": "rm",
    "rename": "mv",
    "save": "add",
    "search": "find",
    "sync": "pull",
    "umount": "unmount",
    "undelete": "restore",
}


class App(click.Group):
    """The group of all verbs; a verb's module is imported when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs in the order of the help."""
        return [name for _, verbs in VERBS for name, _, _ in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        for _, verbs in VERBS:
            for name, module, summary in verbs:
                if name == cmd_name:
                    loaded = importlib.import_module(f"skypool.cli.verbs.{module}")
                    command: click.Command = getattr(loaded, f"{name}_verb")
                    command.short_help = summary
                    return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may have been meant."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        near = [_OTHER_WORDS[name]] if name in _OTHER_WORDS else []
        if not near:
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        error = click.UsageError(f"there is no verb {name!r}{meant}", ctx)
        error.possibilities = near  # type: ignore[attr-defined]
        raise error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help: examples, usage, verbs, options."""
        write_examples(_EXAMPLES, formatter)
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by section, without importing them."""
        for title, verbs in VERBS:
            with formatter.section(title):
                formatter.write_dl([(f"{name:<10}", what) for name, _, what in verbs])

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run and leave the interpreter with the exit code, as click does."""
        words = list(sys.argv[1:] if args is None else args)
        sys.exit(run(words))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"skypool {__version__}")
        ctx.exit()


app = App(
    "skypool",
    help="A pool of astronomical data products that keeps your files as they are.",
    epilog="REF is a name, name@2, name@tag, a tag, a URN or the start of a hash."
    " `skypool help VERB` shows more.",
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        *common_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Show the version.",
        ),
        # An option only so that click reads the variable (https://no-color.org).
        click.Option(
            ["--no-colour"],
            envvar="NO_COLOR",
            hidden=True,
            is_flag=False,
            flag_value="1",
            expose_value=False,
            callback=lambda ctx, param, value: setattr(
                ctx.ensure_object(State), "no_colour", bool(value)
            ),
        ),
    ],
    callback=lambda: None,
)


def run(args: list[str]) -> int:
    """Run the program.

    Parameters
    ----------
    args
        The words behind `skypool`.

    Returns
    -------
    int
        The exit code.
    """
    as_json = failure.wants_json(args)
    try:
        code = _invoke(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`)
        return _silence()
    except KeyboardInterrupt:
        return failure.report(failure.Interrupted("interrupted"), as_json)
    except OSError as error:
        return _report_os_error(error, as_json)
    return code


def _invoke(args: list[str]) -> int:
    as_json = failure.wants_json(args)
    # The shell's completion asks through a variable that click reads.
    app._main_shell_completion({}, "skypool")
    try:
        with app.make_context("skypool", args or ["--help"], obj=State()) as ctx:
            result = app.invoke(ctx)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        return failure.report_click(error, as_json)
    except SkypoolError as error:
        return failure.report(error, as_json)


def _silence() -> int:
    # What is still buffered goes nowhere; else Python complains when it ends.
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
    return 0


def _report_os_error(error: OSError, as_json: bool) -> int:
    what = error.strerror or str(error)
    if error.filename is not None:
        what = f"{os.fsdecode(error.filename)}: {what}"
    found = SkypoolError(what)
    try:
        code = failure.report(found, as_json)
        sys.stdout.flush()
    except OSError:  # standard output itself is what failed
        click.echo(f"skypool: {what}", err=True)
        _silence()
        return found.exit_code
    return code
