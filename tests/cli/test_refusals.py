"""Every verb with input of every bad sort: what it says, what it returns, what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import skypool as sp
from skypool.cli.app import VERBS, app, run
from skypool.storage.filelayer import LocalFiles
from skypool.testing.faults import Faults, FaultyCalls

from .conftest import image

# P: the pool. R: what is in it. F, D: a file and a folder to add. O: where to write. Q: a pool.
WORDS: dict[str, str] = {
    "init": "init P",
    "add": "-p P add F",
    "watch": "-p P watch --once D",
    "ls": "-p P ls",
    "find": "-p P find object=='M83'",
    "show": "-p P show R",
    "tree": "-p P tree R",
    "tui": "tui P",
    "history": "-p P history R",
    "diff": "-p P diff R obs/notes.txt",
    "ui": "ui --no-browser P",
    "tag": "-p P tag R t",
    "collect": "-p P collect set object=='M83'",
    "untag": "-p P untag R t",
    "mv": "-p P mv R other",
    "rm": "-p P rm R",
    "restore": "-p P restore R",
    "undo": "-p P undo 1",
    "trash": "-p P trash",
    "export": "-p P export R O",
    "export --all": "-p P export --all O",
    "export --bag": "-p P export --all --bag O",
    "manifest": "-p P manifest",
    "path": "-p P path R",
    "mount": "mount P O",
    "unmount": "unmount O",
    "cutout": "-p P cutout R 204.25 -29.87 1arcmin -o O.fits",
    "serve": "serve --webdav P",
    "send": "-p P send R --to file:O.fits",
    "receive": "-p P receive --count 1",
    "clone": "clone P O",
    "pull": "-p P pull Q",
    "push": "-p P push Q",
    "copy": "-p P copy R --to O",
    "hipe": "-p P hipe run F",
    "herschel": "-p P herschel get --level 2 x",
    "info": "-p P info",
    "doctor": "doctor P",
    "verify": "-p P verify",
    "gc": "-p P gc",
    "status": "-p P status R",
    "complete": "-p P complete R",
    "relocate": "-p P relocate D O",
    "absorb": "-p P absorb R",
    "du": "-p P du",
    "drop": "-p P drop R",
    "get": "-p P get R",
    "purge": "-p P purge R",
    "forget": "-p P forget --before 1",
    "reindex": "-p P reindex",
    "config": "-p P config max_size 1GB",
    "pools": "pools",
}
# Verbs that make a pool, need none, serve until they are stopped, or need a terminal.
MAKING = {"init", "add", "watch", "receive", "hipe", "herschel"}
ELSEWHERE = {"pools", "doctor", "unmount", "tui", "hipe", "herschel"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a pool, what is in it, and another pool."""
    base = tmp_path_factory.mktemp("refusals")
    (base / "obs").mkdir()
    image().writeto(base / "obs" / "map.fits")
    (base / "obs" / "notes.txt").write_text("clouds")
    with sp.Pool(base / "pool") as pool:
        pool.add(base / "obs")
        pool.add(base / "obs" / "map.fits", name="m83.fits")
    with sp.Pool(base / "second") as pool:
        pool.save(sp.Product(meta={"a": np.float64(1)}), "a")
    return base


@pytest.fixture
def base(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it, for one test."""
    shutil.copytree(made, tmp_path / "base")
    return tmp_path / "base"


def listed(base: Path) -> set[str]:
    """Return what is there but for what pools keep beside their content."""
    own = ("catalogue.", "lock", ".pack", "remotes.json", ".samp", "commits.log.")
    return {
        os.path.join(where, name)
        for where, folders, files in os.walk(base)
        for name in folders + files
        if not any(part in name for part in own)
    }


def places(base: Path) -> dict[str, str]:
    return {
        "P": f"{base}/pool",
        "R": "m83.fits",
        "F": f"{base}/obs/notes.txt",
        "D": f"{base}/obs",
        "O": f"{base}/out",
        "Q": f"{base}/second",
    }


class Verbs:
    """Runs verbs and looks at what they say."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def words(self, verb: str, **given: str) -> list[str]:
        """Return the words of a verb."""
        base = self.base
        values = places(base) | given
        found = [values.get(word, word) for word in WORDS[verb].split()]
        return [word.replace("O.fits", f"{values['O']}.fits") for word in found]

    def refused(self, words: list[str], codes: set[int], *, clean: bool = True) -> str:
        """Run a verb that has to refuse; return what it says."""
        before = listed(self.base)
        found: Result = CliRunner().invoke(app, ["--json", *words])
        assert found.exception is None or isinstance(found.exception, SystemExit), (
            words, found.exception,
        )  # fmt: skip
        assert found.exit_code in codes, (words, found.exit_code, found.stderr)
        first = found.stderr.split("skypool: ", 1)
        assert len(first) == 2, (words, found.stderr)
        error = json.loads(found.stdout.splitlines()[-1])["error"]
        assert error["code"] not in ("unexpected", "internal", "error"), (words, error)
        said = error["message"]
        assert said, words
        assert len(said) < 1000, words
        assert "Traceback" not in found.stderr
        assert "Errno" not in said, (words, said)
        assert ".tmp" not in said, (words, said)
        assert error["hint"] or error["candidates"] or error.get("column"), (words, said)
        if clean:
            assert listed(self.base) == before, words
        return said


@pytest.fixture
def verbs(base: Path) -> Verbs:
    return Verbs(base)


def all_but(*names: str) -> Iterator[str]:
    yield from (verb for verb in WORDS if verb.split()[0] not in names)


def with_word(word: str) -> Iterator[str]:
    for verb, words in WORDS.items():
        if word in words.split() or f"{word}.fits" in words.replace(":", " ").split():
            yield verb


def test_every_verb_is_here() -> None:
    names = {name for _, parts in VERBS for name, _, _ in parts}
    assert names - {verb.split()[0] for verb in WORDS} == {"completion", "help"}


def test_pools_that_are_not_there(verbs: Verbs) -> None:
    for verb in all_but(*MAKING, *ELSEWHERE):
        said = verbs.refused(verbs.words(verb, P=f"{verbs.base}/nothing"), {10})
        assert "nothing" in said
        said = verbs.refused(verbs.words(verb, P=f"{verbs.base}/no/such/pool"), {10})
        assert "there is no pool" in said


def test_files_and_folders_that_are_no_pools(verbs: Verbs) -> None:
    for verb in all_but(*ELSEWHERE):
        codes = {2} if verb in MAKING else {10}
        said = verbs.refused(verbs.words(verb, P=f"{verbs.base}/obs/map.fits"), codes)
        assert "is a file" in said
        said = verbs.refused(verbs.words(verb, P=f"{verbs.base}/obs"), codes)
        assert "folder" in said


@pytest.mark.parametrize(
    ("ref", "codes"),
    [
        ("no/such", {2, 4}),
        pytest.param("m83.fits@7", {2, 4}, marks=pytest.mark.campaign),
        ("m83.fits@99999999999999999999999999", {2, 4}),
        pytest.param(
            "urn:pool:Product:99999999999999999999999999", {2, 4}, marks=pytest.mark.campaign
        ),
        pytest.param("urn:x", {2}, marks=pytest.mark.campaign),
        ("", {2, 4}),
        pytest.param("/", {2, 4}, marks=pytest.mark.campaign),
        pytest.param("../x", {2, 4}, marks=pytest.mark.campaign),
        ("x" * 50_000, {2, 4}),
        (os.fsdecode(b"caf\xe9"), {2, 4}),
    ],
)
def test_products_that_are_not_there(verbs: Verbs, ref: str, codes: set[int]) -> None:
    for verb in with_word("R"):
        verbs.refused(verbs.words(verb, R=ref), codes)


def test_places_that_cannot_be_written(verbs: Verbs) -> None:
    (verbs.base / "file").write_text("x")
    for verb in with_word("O"):
        if verb not in ("unmount", "relocate", "send"):
            said = verbs.refused(verbs.words(verb, O=f"{verbs.base}/file/below"), {1, 2, 5})
            assert f"{verbs.base}/file" in said
    words = verbs.words("send", O=f"{verbs.base}/file/below")
    sent = CliRunner().invoke(app, words)
    assert sent.exit_code == 1
    assert f"cannot write {verbs.base}/file/below.fits: Not a directory" in sent.stdout
    (verbs.base / "out").mkdir()
    (verbs.base / "out" / "x").write_text("x")
    for verb in ("export --bag", "mount", "clone", "copy"):
        verbs.refused(verbs.words(verb), {2, 5})
    for verb in ("export", "export --all", "export --bag", "mount"):
        verbs.refused(verbs.words(verb, O=f"{verbs.base}/pool/packs"), {2})
    assert (verbs.base / "out" / "x").read_text() == "x"


def damage(pool: Path, pattern: str) -> None:
    for path in pool.glob(pattern):
        path.chmod(0o644)
        path.write_bytes(b"\0" * path.stat().st_size)


def test_a_pool_that_has_lost_its_content(verbs: Verbs) -> None:
    """What reads content tells of the damage, and what it began to write is gone again."""
    damage(verbs.base / "pool", "packs/*")
    for verb in ("show", "diff", "export", "export --all", "export --bag", "manifest", "path",
                 "cutout", "clone", "copy", "gc", "du"):  # fmt: skip
        verbs.refused(verbs.words(verb), {12})


def test_a_pool_without_a_readable_marker(verbs: Verbs) -> None:
    damage(verbs.base / "pool", "skypool.json")
    for verb in all_but(*ELSEWHERE, "mount", "ui", "serve", "reindex"):
        verbs.refused(verbs.words(verb), {12})


def test_a_catalogue_that_cannot_be_read(verbs: Verbs) -> None:
    for path in (verbs.base / "pool").glob("catalogue*"):
        path.write_bytes(b"garbage" * 1000)
    for verb in ("ls", "find", "show", "tree", "history", "diff", "trash", "export", "manifest",
                 "path", "cutout", "send", "clone", "copy", "info", "verify", "du"):  # fmt: skip
        verbs.refused(verbs.words(verb), {12})


HUGE = "9" * 40
WRONG: dict[str, str] = {
    "a query": "find object==",
    "a bracket": "find ((((",
    "a function": "find nofunc(1)",
    "nested": "find " + "(" * 3000,
    "two words": "find a b",
    "a unit": "find object==3deg",
    "a saved search": "find --saved nope",
    "an order": "find --order-by a?b",
    "a value": "find $x==3",
    "no near": "find --radius 1deg",
    "a format": "find -f xml",
    "a table": "find --near /no/such --radius 1deg",
    "place": "find -o /no/such/x.csv -f csv",
    "a commit": f"undo {HUGE}",
    "text for a commit": "undo x",
    "at": f"ls --at {HUGE}",
    "no time": "ls --at yesterday",
    "a date": "ls --at 2999-13-45",
    "before": "forget --before x",
    "keep": f"purge obs --keep {HUGE}",
    "none": "purge obs --keep 0",
    "size": "config max_size x",
    "a setting": "config nope 1",
    "sharing": "config shared all",
    "versions": "copy R --versions x",
    "no versions": f"copy R --to O --versions {HUGE}..",
    "to itself": "copy R --to P",
    "a span": "gc --grace -1",
    "time": "gc --max-time x",
    "threads": "complete -j 0",
    "port": f"ui --port {HUGE}",
    "position": "cutout R x y 1arcmin -o O",
    "far": "cutout R 1 2 3' -o O",
    "a huge position": f"cutout R {HUGE} 2 1arcmin -o O",
    "of text": "cutout obs/notes.txt 1 2 3px",
    "a dataset": "cutout R 204.25 -29.87 1arcmin -d no -o O",
    "count": "receive --count 0",
    "a tag": "untag R nope",
    "taken": "mv R obs/map.fits",
    "a name": "mv R ../x",
    "slash": "mv R a/",
    "not removed": "restore R",
    "nowhere": "send R --to file:",
    "nobody": "send R",
    "no folder": "export R",
    "two": "export --all R O",
    "a bag of one": "export --bag R O",
    "no hcss": "export obs/notes.txt --format hcss O",
    "a list": "manifest --check /no/such",
    "no list": "manifest --check D",
    "moved": "relocate /no /where",
    "same": "relocate D D",
    "itself": "drop R --from P",
    "no pool": "drop R --from /no/such",
    "not there": "pull /no/such",
    "nothing": "pull",
    "unrelated": "pull Q",
    "verb": "nope",
    "option": "ls --nope",
    "file": "add /no/such",
    "device": "add /dev/null",
    "waiting": "add F --headers-only",
    "several": "add D F --name a",
    "under": "add F --under ../x",
    "exclusive": "add F --exclusive -n R",
    "a set": "collect R object=='M83'",
    "an empty set": "collect set object=='nothing'",
}


@pytest.mark.parametrize("what", WRONG)
def test_words_that_make_no_sense(verbs: Verbs, what: str) -> None:
    given = places(verbs.base)
    words = [given.get(word, word) for word in WRONG[what].split(" ")]
    verbs.refused(["-p", given["P"], *words], {1, 2, 4, 5, 10})


def test_empty_names(verbs: Verbs) -> None:
    pool = ["-p", f"{verbs.base}/pool"]
    for words in (
        ["init", ""],
        ["-p", "", "ls"],
        [*pool, "mv", "m83.fits", ""],
        [*pool, "tag", "m83.fits", ""],
        [*pool, "export", "m83.fits", ""],
    ):
        assert "empty" in verbs.refused(words, {2})


@pytest.mark.parametrize(
    "verb", ["add", "collect", "tag", "mv", "rm", "undo", "purge", "config", "pull"]
)
def test_a_disk_that_may_only_be_read(
    verbs: Verbs, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = verbs.base / "pool"
    faults = Faults(pool)
    words = verbs.words(verb) if verb != "purge" else verbs.words("purge", R="obs")
    if verb == "purge":
        with sp.Pool(pool) as opened:
            (verbs.base / "obs" / "notes.txt").write_text("rain")
            opened.add(verbs.base / "obs")
    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "system", FaultyCalls(faults))
        with faults.armed("EROFS", 1, call="open", lasting=True):
            code = run([*words, "--json"])
    told = capsys.readouterr()
    assert faults.fired
    assert code == 1, told.err
    error = json.loads(told.out.splitlines()[-1])["error"]
    assert error["code"] == "read_only"
    assert error["hint"]
    assert str(pool) in error["message"]


@pytest.mark.parametrize("verb", ["hipe", "herschel"])
def test_verbs_without_words_print_their_help(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("Examples:")
    assert not told.out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_permission(verbs: Verbs) -> None:
    """What a pool of somebody else says: nothing of it can be read, or it can only be read."""
    writing = ("add", "collect", "tag", "mv", "rm", "purge", "gc", "reindex", "config", "pull")
    reading = ("ls", "find", "show", "tree", "history", "diff", "export", "info", "clone", "copy")
    pool = verbs.base / "pool"
    shutil.copytree(pool, verbs.base / "tried")
    for verb in (*writing, *reading):  # others may not be able to read the program
        CliRunner().invoke(app, verbs.words(verb, P=f"{verbs.base}/tried"))
    shutil.rmtree(verbs.base / "out")
    above = [verbs.base, *list(verbs.base.parents)[:4]]
    before = [(folder, folder.stat().st_mode) for folder in above]
    try:
        for folder in above:
            folder.chmod(folder.stat().st_mode | 0o055)
        for readable in (False, True):
            for found in [pool, *pool.rglob("*")]:
                mode = 0o555 if found.is_dir() else 0o444
                found.chmod(mode if readable else mode & 0o700)
            os.setresuid(65534, 65534, 0)
            try:
                for verb in writing if readable else (*writing, *reading):
                    said = verbs.refused(verbs.words(verb), {1})
                    assert str(pool) in said
                if readable:
                    found = CliRunner().invoke(app, ["-p", str(pool), "ls"])
                    assert (found.exit_code, found.stderr) == (0, "")
            finally:
                os.setresuid(0, 0, 0)
    finally:
        for folder, mode in before:
            folder.chmod(mode)
