"""What the browser does to pools, each with its line of Python and its way back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.errors import Unreachable, UsageError
from skypool.tui.text import count_text

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool
    from skypool.pool.progress import OnProgress
    from skypool.pool.ref import Ref
    from skypool.pool.transaction import Transaction
    from skypool.tui.question import Question

__all__ = ["Deed", "export", "remove", "rename", "save_search", "send", "tag", "tag_words"]

# Told how many of how many are done; False stops.
OnStep = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done.

    Attributes
    ----------
    text : str
        What, in words.
    code : str
        The same in Python.
    undo : callable or None
        Takes it back.
    """

    text: str
    code: str
    undo: Callable[[], None] | None = None


def tag_words(text: str) -> tuple[list[str], list[str]]:
    """Return tags to put and tags to take away, from a text such as ``good, -checked``."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    put = [word for word in words if not word.startswith("-")]
    take = [word[1:].strip() for word in words if word.startswith("-")]
    return put, [word for word in take if word]


def _by_pool(refs: Iterable[Ref], pool_of: Callable[[Ref], Pool]) -> list[tuple[Pool, list[Ref]]]:
    found: dict[int, tuple[Pool, list[Ref]]] = {}
    for ref in refs:
        pool = pool_of(ref)
        found.setdefault(id(pool), (pool, []))[1].append(ref)
    return list(found.values())


def _what(refs: Sequence[Ref]) -> str:
    return refs[0].name if len(refs) == 1 else count_text(len(refs), "product")


class _Commits:
    """The commits of one deed: each changes one pool, as a whole or not at all."""

    def __init__(self) -> None:
        self._made: list[tuple[Pool, int]] = []

    def note(self, pool: Pool, transaction: Transaction) -> None:
        """Note a commit that was made."""
        number = transaction.published.commit if transaction.published else None
        if number is not None:
            self._made.append((pool, number))

    @property
    def undo(self) -> Callable[[], None] | None:
        """What takes them back; None if nothing was changed."""
        return self._undo if self._made else None

    def _undo(self) -> None:
        while self._made:
            pool, number = self._made[-1]
            pool.undo(number)
            self._made.pop()


def tag(refs: Sequence[Ref], text: str, pool_of: Callable[[Ref], Pool]) -> Deed:
    """Put tags on versions, and take others away, in one commit of each pool.

    Parameters
    ----------
    refs
        The versions.
    text
        See `tag_words`.
    pool_of
        Gives the pool of a ref.
    """
    put, take = tag_words(text)
    if not put and not take:
        raise UsageError(
            "no tags", hint="write some, with commas between them; -tag takes one away"
        )
    commits = _Commits()
    changed = 0
    for pool, own in _by_pool(refs, pool_of):
        steps = list(_retagged(own, put, take))
        if not steps:
            continue
        with pool.commit(f"tag {text.strip()}") as commit:
            for ref, new, old in steps:
                if new:
                    commit.tag(ref, *new)
                if old:
                    commit.untag(ref, *old)
        commits.note(pool, commit)
        changed += len(steps)
    lines = [f"pool.tag(ref, {', '.join(map(repr, put))})"] if put else []
    lines += [f"pool.untag(ref, {', '.join(map(repr, take))})"] if take else []
    what = _what(refs)
    if changed != len(refs):
        what = f"{changed:,} of {count_text(len(refs), 'product')}"
    return Deed(f"tagged {what}", _loop(refs, lines), commits.undo)


def _retagged(
    refs: Sequence[Ref], put: Sequence[str], take: Sequence[str]
) -> Iterator[tuple[Ref, list[str], list[str]]]:
    """Yield the versions that change, with the tags that are new and those to take away."""
    for ref in refs:
        had = set(ref.tags)
        new, old = [t for t in put if t not in had], [t for t in take if t in had]
        if new or old:
            yield ref, new, old


def _loop(refs: Sequence[Ref], lines: Sequence[str]) -> str:
    if len(refs) == 1:
        name = repr(f"{refs[0].name}@{refs[0].version}")
        return "; ".join(line.replace("(ref", f"({name}", 1) for line in lines)
    return "for ref in hits: " + "; ".join(lines)


def rename(ref: Ref, name: str, pool: Pool) -> Deed:
    """Give a product, and what is named below it, another name."""
    old, new = ref.name, name.strip()
    commits = _Commits()
    with pool.commit(f"rename {old} to {new}") as commit:
        commit.rename(ref, new)
    commits.note(pool, commit)
    return Deed(f"renamed {old} to {new}", f"pool.rename({old!r}, {new!r})", commits.undo)


def remove(refs: Sequence[Ref], pool_of: Callable[[Ref], Pool]) -> Deed:
    """Remove products from view, in one commit of each pool; children of others stay."""
    commits = _Commits()
    removed = spared = 0
    for pool, own in _by_pool(refs, pool_of):
        first = {ref.track: ref for ref in own}
        # What is named below one that goes too needs no removal of its own.
        chosen = _tops(first.values())
        with pool.commit(f"remove {_what(own)}") as commit:
            reports = [commit.remove(ref) for ref in chosen]
        commits.note(pool, commit)
        removed += sum(len(report.removed) for report in reports)
        spared += sum(len(report.spared) for report in reports)
    text = f"removed {_what(refs)}"
    if removed != len(refs):
        text += f", {count_text(removed, 'name')} in all"
    if spared:
        text += f"; {spared:,} stay, as others refer to them"
    return Deed(text, _loop(refs, ["pool.remove(ref)"]), commits.undo)


def _tops(refs: Iterable[Ref]) -> list[Ref]:
    chosen: list[Ref] = []
    for ref in sorted(refs, key=lambda ref: ref.name):
        if not (chosen and ref.name.startswith(chosen[-1].name + "/")):
            chosen.append(ref)
    return chosen


def save_search(pool: Pool, name: str, question: Question, columns: Sequence[str]) -> Deed:
    """Keep a search in a pool; what chose values at the side becomes part of its text."""
    name = name.strip()
    options = question.options() | ({"at": question.at} if question.at else {})
    pool.save_search(name, question.query, columns=columns, **options)
    words = "".join(f", {key}={value!r}" for key, value in options.items())
    code = f"pool.save_search({name!r}, {question.query!r}{words})"
    return Deed(f"kept the search {name}", code)


def export(
    refs: Iterable[Ref], total: int, folder: str, pool_of: Callable[[Ref], Pool], step: OnStep
) -> Deed:
    """Write products into a folder, byte for byte as they were added.

    Parameters
    ----------
    refs, total
        The versions, and how many they are.
    folder
        Made where it does not exist; several contexts get a folder each in it.
    pool_of
        Gives the pool of a ref.
    step
        Told how far it is.
    """
    from skypool.pool.exporting import is_folder

    where = os.path.expanduser(folder.strip())
    if not where:
        raise UsageError("no folder", hint="write where to put the files")
    done = 0
    last = ""
    for ref in refs:
        if not step(done, total):
            break
        # Several keep their names as folders, so that equal ones do not meet.
        own = where
        if total > 1:
            own = os.path.join(where, ref.name if is_folder(ref) else os.path.dirname(ref.name))
        pool_of(ref).export(ref, own)
        done += 1
        last = ref.name
    what = last if done == 1 else count_text(done, "product")
    text = f"exported {what} to {where}"
    if done < total:
        text += f"; stopped before the other {total - done:,}"
    code = f"pool.export({last!r}, {where!r})"
    if total > 1:
        code = f"for ref in hits: pool.export(ref, {where!r})"
    return Deed(text, code)


def send(
    refs: Sequence[Ref],
    target: str,
    settings: Settings | None,
    *,
    start: bool = False,
    told: OnProgress | None = None,
) -> Deed:
    """Send products to a program, a pool or files, as `skypool send` does.

    Parameters
    ----------
    refs
        The versions.
    target
        What `Sender.send` takes.
    settings
        Settings from outside.
    start
        Start the program, and a hub, where they do not run.
    told
        Told how far it is.

    Raises
    ------
    Unreachable
        If nothing arrived; it says why.
    """
    from skypool.vo import Sender

    with Sender(hub=start, settings=settings) as sender:
        replies = sender.send(refs, target, told, start=start)
    good = [reply for reply in replies if reply.ok]
    bad = [reply for reply in replies if not reply.ok]
    reasons = dict.fromkeys(reply.detail or reply.state for reply in bad)
    if not good:
        raise Unreachable("nothing arrived: " + ("; ".join(reasons) or "no program takes it"))
    what = good[0].ref if len(good) == 1 else count_text(len(good), "product")
    text = f"sent {what} to {good[0].name}"
    if bad:
        text += f"; {len(bad):,} not: {'; '.join(reasons)}"
    code = f"pool[{refs[0].name!r}].send({target!r})"
    if len(refs) > 1:
        code = f"for ref in hits: ref.send({target!r})"
    return Deed(text, code)
