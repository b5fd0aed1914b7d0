"""`mount` and `unmount`: a pool as a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import click

from skypool.cli.state import State
from skypool.cli.text import shown, to_json
from skypool.cli.verb import at_option, verb
from skypool.errors import StorageError, UsageError

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["mount_verb", "unmount_verb"]

_PARTIAL = 3


@verb(
    "mount",
    examples=[
        ("mount temp1 ~/sky", "see the pool temp1 as the folder ~/sky"),
        ("mount temp1 ~/sky --write", "save what programs write there"),
        ("unmount ~/sky", "end it"),
    ],
)
@click.argument("places", metavar="[POOL] DIR", nargs=-1, required=True)
@click.option("-w", "--write", is_flag=True, help="Save what is written, renamed and removed.")
@click.option("-f", "--foreground", is_flag=True, help="Stay until it is unmounted, or Ctrl-C.")
@click.option("--plain", is_flag=True, help="Only the names: no @versions, @tags, @at, @search.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="allow_other",
    type=click.Choice(["allow_other"]),
    help="As `mount` has it: allow_other lets other users see it.",
)
@at_option
def mount_verb(
    state: State,
    places: tuple[str, ...],
    write: bool,
    foreground: bool,
    plain: bool,
    options: tuple[str, ...],
    at: str | None,
) -> None:
    """Mount a pool at an empty folder.

    Where there is none it is made, and removed when it is unmounted.

    Names are folders and files; @versions/PATH, @tags/TAG, @at/DATE and @search/QUERY are
    beside them. Needs FUSE 3 and skypool[mount].
    """
    if len(places) > 2:
        raise UsageError("there are too many words", hint="skypool mount POOL DIR")
    *named, folder = places
    if named:
        state.pools = (*state.pools, *named)
    if write and at is not None:
        raise UsageError(
            "the pool as it was cannot be written to", hint="leave out --at or --write"
        )
    from skypool.files.fuse import load_library

    load_library()
    if not foreground:
        _in_background(state, folder, write, plain, options, at)
        return
    pool = state.open(write=write, at=at)
    # Nobody answers questions about the folder while it is being mounted.
    place = os.path.realpath(folder)
    from skypool.files.mount import mount

    mount(
        pool,
        folder,
        write=write,
        special=not plain,
        allow_other="allow_other" in options,
        ready=lambda made: _tell(state, pool, folder, place, write, made),
        tell=state.note,
    )


def _tell(state: State, pool: Pool, folder: str, place: str, write: bool, made: bool) -> None:
    if state.json:
        found = {"folder": place, "pool": pool.path, "write": write, "made": made}
        click.echo(to_json(found | {"pid": os.getpid()}))
    else:
        what = ", a folder that was made and will be removed" if made else ""
        click.echo(f"{pool.name} is at {folder}{what}{', to be written to' if write else ''}")
    sys.stdout.flush()


def _in_background(
    state: State, folder: str, write: bool, plain: bool, options: tuple[str, ...], at: str | None
) -> None:
    """Start the same command in a process of its own, and wait until it has mounted."""
    from skypool.files.mount_place import check_place

    # Most of what can be wrong is found here, where its errors are told.
    pool = state.open(write=write, at=at)
    path = pool.path
    pool.close()
    check_place(folder, path)
    words = [sys.executable, "-m", "skypool", "-p", path, "mount", "--foreground"]
    words += [word for word, wanted in (("--write", write), ("--plain", plain)) if wanted]
    words += [word for option in options for word in ("-o", option)]
    words += ["--at", at] if at is not None else []
    words += ["--json"] if state.json else []
    line = _first_line([*words, "--", folder])
    click.echo(line.decode().rstrip("\n"))
    if not state.json:
        state.note(f"`skypool unmount {folder}` ends it")
    sys.stdout.flush()


def _first_line(words: list[str]) -> bytes:
    """Start a command, wait for the first line that it prints, and let it go on by itself."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(  # noqa: S603 (this very program)
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as child,
    ):
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
        except BaseException:  # Ctrl-C: it unmounts and ends
            child.terminate()
            raise
        if not line:
            child.wait()
            log.seek(0)
            text = log.read().decode(errors="replace").strip()
            # What FUSE says comes before what the child says, and its advice behind that.
            said, _, own = text.rpartition("skypool: ")
            message, *hint = own.split("\n")
            raise StorageError(
                message or "it cannot be mounted",
                hint="; ".join([*hint, *said.split("\n")]).strip("; "),
            )
        # The child goes on; nobody waits for it here, also not where nothing can be said of it.
        child.returncode = 0
        return line


@verb("unmount", examples=[("unmount ~/sky", "end what `skypool mount` began")])
@click.argument("folder", metavar="DIR")
@click.option("--force", is_flag=True, help="Even if programs use it.")
def unmount_verb(state: State, folder: str, force: bool) -> int:
    """Unmount a pool, and wait until all that was written is saved.

    What was not saved is listed, and the exit code is 3.
    """
    from skypool.files.mount import unmount

    said = unmount(folder, state.settings, force=force)
    if state.json:
        click.echo(to_json({"folder": os.path.abspath(folder), "not_saved": said}))
    for text in said:
        state.note(shown(text))
    return _PARTIAL if said else 0
