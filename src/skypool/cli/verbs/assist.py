"""`completion` and `help`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from skypool.cli.state import State
from skypool.cli.text import to_json
from skypool.cli.verb import verb

__all__ = ["completion_verb", "help_verb"]

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@verb(
    "completion",
    examples=[
        ("completion bash >> ~/.bashrc", "for the tab key"),
        ("completion zsh >> ~/.zshrc", ""),
        ("completion fish > ~/.config/fish/completions/skypool.fish", ""),
    ],
)
@click.argument("shell", type=click.Choice(sorted(_SHELLS)))
def completion_verb(state: State, shell: str) -> None:
    """Print the completion script of a shell."""
    program = click.get_current_context().find_root().command
    # The template alone: click's own source() runs bash to ask for its version.
    completion = _SHELLS[shell](program, {}, "skypool", "_SKYPOOL_COMPLETE")
    script = completion.source_template % completion.source_vars()
    click.echo(to_json({"shell": shell, "script": script}) if state.json else script)


@verb("help", examples=[("help", "all verbs"), ("help add", "one of them")])
@click.argument("name", required=False, metavar="VERB")
def help_verb(state: State, name: str | None) -> None:
    """Show help on a verb, or on all."""
    root = click.get_current_context().find_root()
    text = root.get_help()
    if name is not None and isinstance(root.command, click.Group):
        _, command, _ = root.command.resolve_command(root, [name])
        if command is not None:
            with click.Context(command, info_name=name, parent=root) as ctx:
                text = ctx.get_help()
    click.echo(to_json({"help": text}) if state.json else text)
