"""What all verbs share: their options, their help, and how a REF is completed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from skypool.cli.state import State

__all__ = ["REF", "Verb", "VerbGroup", "at_option", "common_options", "verb"]


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        state = ctx.find_object(State)
        if (
            value not in (None, False) and state is not None
        ):  # none while a shell asks for completions
            setattr(state, name, value)
        return value

    return callback


def _add_pools(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Any:
    state = ctx.find_object(State)
    if state is not None:
        state.pools = (*state.pools, *value)
    return value


def common_options() -> list[click.Parameter]:
    """Make the options that stand before the verb or anywhere behind it.

    Returns
    -------
    list of click.Parameter
    """
    return [
        click.Option(
            ["-p", "--pool", "pool_option"],
            metavar="POOL",
            multiple=True,
            callback=_add_pools,
            expose_value=False,
            help="Name, path or URL of the pool; `find` takes several.",
        ),
        click.Option(
            ["--json", "json_option"],
            is_flag=True,
            callback=_set("json"),
            expose_value=False,
            help="Print JSON, errors too.",
        ),
        click.Option(
            ["--debug", "debug_option"],
            is_flag=True,
            callback=_set("debug"),
            expose_value=False,
            hidden=True,
            help="Show the traceback of an unexpected error.",
        ),
    ]


def at_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a reading verb the option `--at`.

    Parameters
    ----------
    function
        The function of the verb; it gets the parameter `at`.

    Returns
    -------
    callable
    """
    return click.option(
        "--at", metavar="COMMIT|TIME", help="The pool as it was then; a date means its end, UTC."
    )(function)


class Verb(click.Command):
    """A verb of the program; its help starts with examples.

    Parameters
    ----------
    examples
        Pairs of the words behind `skypool` and what they do.
    """

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or ()), *common_options()]
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help: examples, usage, text, options."""
        write_examples(self.examples, formatter)
        super().format_help(ctx, formatter)


class VerbGroup(Verb, click.Group):
    """A verb that has verbs of its own, such as `hipe run`."""


def write_examples(examples: Sequence[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    """Write examples as aligned lines.

    Parameters
    ----------
    examples
        Pairs of the words behind `skypool` and what they do.
    formatter
        Where to write.
    """
    if not examples:
        return
    width = max(len(words) for words, _ in examples)
    formatter.write("Examples:\n")
    for words, what in examples:
        formatter.write(f"  skypool {words:<{width}}  {what}".rstrip() + "\n")
    formatter.write("\n")


def verb(
    name: str, examples: Sequence[tuple[str, str]], cls: type[Verb] = Verb
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a verb; it gets the `State` first.

    Parameters
    ----------
    name
        The verb.
    examples
        Pairs of the words behind `skypool` and what they do.
    cls
        Class of the command.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        # The help is what stands before the sections of the docstring.
        text = re.split(r"\n\s*Parameters\n", function.__doc__ or "")[0]
        return click.command(name, cls=cls, examples=examples, help=text)(
            click.make_pass_decorator(State)(function)
        )

    return decorate


class RefType(click.types.StringParamType):
    """What `pool[...]` takes: URN, name, name@version, name@tag, tag, hash."""

    name = "ref"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name of the pool, for the shell."""
        from skypool.cli.pools import complete_names

        return [CompletionItem(name) for name in complete_names(ctx, incomplete)]


REF = RefType()
