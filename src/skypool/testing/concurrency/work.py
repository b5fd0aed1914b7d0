"""Workers: mixed work at a pool that others work at too, journalled."""

from __future__ import annotations

import os
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import skypool as sp
from skypool.config import from_environment
from skypool.errors import Ambiguous, EditConflict, Locked, NameConflict, NotFound
from skypool.testing.concurrency.content import check_ref, edited, file_bytes, new_product
from skypool.testing.concurrency.journal import Journal
from skypool.testing.concurrency.ledger import fingerprint

__all__ = ["GUARD", "MIXED", "READ", "WRITE", "Weights", "Worker", "open_pool", "until"]

Weights = Mapping[str, float]

MIXED: Weights = {
    "save": 6, "edit": 6, "exclusive": 2, "tree": 3, "file": 3, "folder_again": 2, "many": 2,
    "tag": 4, "untag": 1, "rename": 2, "remove": 2, "restore": 2,
    "read": 2, "look": 1, "gc": 0.5, "verify": 0.15, "reindex": 0.15,
}  # fmt: skip
WRITE: Weights = {key: value for key, value in MIXED.items() if key not in
                  ("read", "look", "gc", "verify", "reindex")}  # fmt: skip
READ: Weights = {"read": 4, "look": 3, "values": 3, "find": 1}
GUARD: Weights = {"gc": 4, "verify": 1, "quick": 2}

_NAMES = [f"shared/{n}" for n in range(10)]
_FOLDERS = ["obs/0", "obs/1", "obs/2"]
_TAGS = ["good", "bad", "using cal v1", "using cal v2"]
# What may happen where several change the same things; nothing is committed then.
_REFUSED = (NotFound, NameConflict, EditConflict, Ambiguous)


class Worker:
    """Does one thing after the other, chosen by chance.

    Parameters
    ----------
    pool
        The pool, or how it is opened.
    journal
        Where it is noted.
    folder
        For the files to be added.
    seed
        Of its choices.
    weights
        How often it does what.
    """

    def __init__(
        self,
        pool: sp.Pool | Callable[[], sp.Pool],
        journal: Journal,
        folder: Path,
        seed: int,
        weights: Weights = MIXED,
    ) -> None:
        self._journal = journal
        self._folder = folder / journal.worker
        self._random = random.Random(seed)
        self._weights = weights
        self._files: dict[str, dict[str, str]] = {}
        self._removed: list[str] = []
        self._known: list[sp.Ref] = []
        self.failed = False
        if isinstance(pool, sp.Pool):
            self._pool = pool
        else:
            token = journal.begin("open")
            self._pool = pool()
            journal.end(token, "done")

    def run(self, go_on: Callable[[int], bool]) -> bool:
        """Work as long as *go_on*, asked with the number of things done, says so.

        Returns
        -------
        bool
            Whether nothing went wrong.
        """
        count = 0
        while go_on(count) and not self.failed:
            what = self._random.choices(list(self._weights), weights=list(self._weights.values()))[
                0
            ]
            self._do(what)
            count += 1
        return not self.failed

    def _do(self, what: str) -> None:
        token = ""
        try:
            prepared: Callable[[str], dict[str, Any]] | None
            intent, prepared = getattr(self, f"_{what}")()
            if prepared is None:
                return
            token = self._journal.begin(what, **intent)
            result = prepared(token)
            self._journal.end(token, "done", **result)
        except _REFUSED as error:
            if token:  # else it went before it was looked at
                self._journal.end(token, "refused", error=error.code, text=str(error))
        except Locked as error:
            # A collection ends where the catalogue is rebuilt beside it; nothing else may.
            if what != "gc":
                self._fail(token, what)
            self._journal.end(token, "refused", error=error.code, text=str(error))
        except BaseException:  # noqa: BLE001 - the judge is told, whatever it is
            self._fail(token, what)

    def _fail(self, token: str, what: str) -> None:
        self.failed = True
        token = token or self._journal.begin(what)
        self._journal.end(token, "failed", error=traceback.format_exc())

    # -- choices

    def _name(self) -> str:
        if self._random.random() < 0.6:
            return self._random.choice(_NAMES)
        return f"own/{self._journal.worker}/{self._random.randrange(5)}"

    def _some(self, *, made: bool = False) -> sp.Ref | None:
        """Return a live product; *made* are those that were made here, no files or folders."""
        if not self._known or self._random.random() < 0.1:
            self._known = self._pool.ls()
        refs = self._known  # not always fresh, like what a user has on the screen
        if made:
            refs = [ref for ref in refs if ref.type == "MADE"]
        return self._random.choice(refs) if refs else None

    # -- saves; each returns what it intends, and what does it

    def _save(self) -> Any:
        name = self._name()
        tags = [self._random.choice(_TAGS)] if self._random.random() < 0.3 else []

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                saved = commit.save(new_product(token), name=name, tags=tags)
            return _told(commit, [saved])

        return {"name": name, "tags": tags, "count": 1}, do

    def _edit(self, exclusive: bool = False) -> Any:
        ref = self._some(made=True)
        if ref is None:
            return {}, None
        product = ref.product

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token, exclusive=exclusive) as commit:
                saved = commit.save(edited(product, token))
            return _told(commit, [saved])

        return {"track": ref.track, "of": ref.version, "count": 1}, do

    def _exclusive(self) -> Any:
        return self._edit(exclusive=True)

    def _tree(self) -> Any:
        name, other = self._name(), self._some()

        def do(token: str) -> dict[str, Any]:
            refs: dict[str, Any] = {"new": new_product(f"{token}/0")}
            if other is not None:
                refs["old"] = other
            with self._pool.commit(token) as commit:
                saved = commit.save(new_product(token, refs), name=name)
            return _told(commit, [saved])

        return {"name": name, "count": 2}, do

    def _many(self) -> Any:
        names = list(dict.fromkeys(self._name() for _ in range(6)))
        ref = self._some()

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                saved = [
                    commit.save(new_product(f"{token}/{n}"), name=name, tags=["of many"])
                    for n, name in enumerate(names)
                ]
                commit.tag(saved[0], "first of many")
                if ref is not None:
                    commit.tag(ref, f"seen by {self._journal.worker}")
            return _told(commit, saved)

        return {"names": names, "count": len(names)}, do

    def _file(self) -> Any:
        name = f"files/{self._random.randrange(6)}.dat"
        path = self._folder / name.replace("/", "-")
        content = f"{self._journal.worker}-{self._random.randrange(10**9)}"

        def do(token: str) -> dict[str, Any]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file_bytes(content))
            report = self._pool.add_report(path, name=name, message=token)
            return {"commit": report.commit, "saved": [_of(ref) for ref in report.saved]}

        return {"name": name, "tokens": [content]}, do

    def _folder_of(self, name: str) -> Path:
        return self._folder / name.replace("/", "-")

    def _change_files(self, name: str) -> dict[str, str]:
        """Change a file or two of a folder of this worker's; return path and token of each."""
        files = self._files.setdefault(name, {})
        paths = [f"{folder}{n}.dat" for folder in ("", "level1/", "level2/") for n in range(3)]
        for path in self._random.sample(paths, 3 if not files else 1):
            if path in files and self._random.random() < 0.3:
                del files[path]
                (self._folder_of(name) / path).unlink()
                continue
            files[path] = f"{self._journal.worker}-{self._random.randrange(10**9)}"
            target = self._folder_of(name) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file_bytes(files[path]))
        return files

    def _folder_again(self) -> Any:
        name = self._random.choice(_FOLDERS)
        files = dict(self._change_files(name))

        def do(token: str) -> dict[str, Any]:
            folder = self._folder_of(name)
            folder.mkdir(parents=True, exist_ok=True)
            report = self._pool.add_report(folder, name=name, message=token)
            return {"commit": report.commit, "saved": [_of(ref) for ref in report.saved]}

        return {"name": name, "tokens": sorted(files.values())}, do

    # -- changes of labels and names

    def _tag(self) -> Any:
        ref, tag = self._some(), self._random.choice(_TAGS)
        if ref is None:
            return {}, None

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                commit.tag(ref, tag)
            return _told(commit)

        return {"urn": ref.number, "tag": tag, "wanted": True}, do

    def _untag(self) -> Any:
        tag = self._random.choice(_TAGS)
        refs = self._pool.tagged(tag)
        if not refs:
            return {}, None
        ref = self._random.choice(refs)

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                commit.untag(ref, tag)
            return _told(commit)

        return {"urn": ref.number, "tag": tag, "wanted": False}, do

    def _rename(self) -> Any:
        ref = self._some()
        if ref is None:
            return {}, None
        name = f"renamed/{self._random.randrange(12)}"

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                commit.rename(ref, name)
            return _told(commit)

        return {"track": ref.track, "name": name}, do

    def _remove(self) -> Any:
        ref = self._some()
        if ref is None:
            return {}, None
        self._removed.append(ref.name)

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                commit.remove(ref)
            return _told(commit)

        return {"track": ref.track}, do

    def _restore(self) -> Any:
        if not self._removed:
            return {}, None
        name = self._removed.pop(self._random.randrange(len(self._removed)))
        view = self._pool.view
        track = view.identity.removed(name, view.at)
        if track is None:
            return {}, None

        def do(token: str) -> dict[str, Any]:
            with self._pool.commit(token) as commit:
                commit.restore(track)
            return _told(commit)

        return {"track": track}, do

    # -- reading

    def _read(self) -> Any:
        """Look at the pool as of a commit: all of it, by many questions."""
        head = self._pool.view.at if self._pool.exists else 0
        if not head:
            return {}, None
        number = self._random.randint(max(1, head - 20), head)

        def do(token: str) -> dict[str, Any]:
            pinned = self._pool.at(number)
            rows = [(r.name, r.version, r.number, r.hash, r.tags) for r in pinned.ls()]
            for name, version, *_ in self._random.sample(rows, min(3, len(rows))):
                found = pinned[f"name:{name}"]
                assert (found.name, found.version) == (name, version)
                check_ref(found)
            return {"number": number, "seen": fingerprint(rows)}

        return {}, do

    def _look(self) -> Any:
        """Look at the newest, by one question, while others commit."""

        def do(token: str) -> dict[str, Any]:
            if not self._pool.exists:
                return {}
            before = self._pool.view.at
            rows = [(r.name, r.version, r.number, r.hash, ()) for r in self._pool.ls()]
            after = self._pool.view.at
            return {"between": [before, after], "seen": fingerprint(rows)}

        return {}, do

    def _values(self) -> Any:
        """Read values of old and new versions."""
        ref = self._some()
        if ref is None:
            return {}, None

        def do(token: str) -> dict[str, Any]:
            versions = ref.versions
            chosen = self._random.sample(versions, min(4, len(versions)))
            return {"tokens": [[found.number, check_ref(found)] for found in chosen]}

        return {}, do

    def _find(self) -> Any:
        limit = self._random.randrange(1000)

        def do(token: str) -> dict[str, Any]:
            hits = self._pool.find("n < $most", most=limit)
            assert all(int(str(hit.meta["n"].value)) < limit for hit in hits)
            return {"count": len(hits)}

        return {}, do

    # -- maintenance

    def _gc(self) -> Any:
        def do(token: str) -> dict[str, Any]:
            report = self._pool.gc(grace=0)
            assert report.damaged == 0
            return {"reclaimed": report.reclaimed, "busy": report.busy}

        return {}, do if self._pool.exists else None

    def _verify(self, quick: bool = False) -> Any:
        def do(token: str) -> dict[str, Any]:
            report = self._pool.verify(quick=quick)
            assert report.ok, report.problems
            return {"checked": report.checked}

        return {}, do if self._pool.exists else None

    def _quick(self) -> Any:
        return self._verify(quick=True)

    def _reindex(self) -> Any:
        def do(token: str) -> dict[str, Any]:
            self._pool.reindex()
            return {}

        return {}, do if self._pool.exists else None


def _of(ref: sp.Ref) -> list[Any]:
    return [ref.number, ref.name, ref.version]


def _told(commit: Any, saved: Any = ()) -> dict[str, Any]:
    return {
        "commit": commit.published.commit,
        "saved": [_of(pending.ref) for pending in saved],
    }


# Pieces of work that a worker does however slow the machine is.
_LEAST = 20


def until(seconds: float) -> Callable[[int], bool]:
    """Return what lets a worker go on for some seconds, longer where it has hardly begun."""
    end = time.monotonic() + seconds
    return lambda count: count < _LEAST or time.monotonic() < end


def open_pool(path: str | os.PathLike[str], author: str) -> Callable[[], sp.Pool]:
    """Return what opens a pool for a worker."""
    return lambda: sp.Pool(path, settings=replace(from_environment(), author=author))
