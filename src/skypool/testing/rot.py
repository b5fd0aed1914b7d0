"""Damage to the files of a pool, and what must hold whatever was damaged.

A `Survey` asks a pool everything that its readers can ask, each question for itself: the
answer, or the class of the error. Damage never changes an answer into another one; it may
only take answers away, with an error of `skypool.errors`.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from types import FrameType
from typing import Any

import numpy as np

from skypool.config import Settings
from skypool.errors import SkypoolError
from skypool.model.composite import Composite
from skypool.model.tables import Table
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

__all__ = ["DAMAGES", "Survey", "Wrong", "flipped", "is_part", "limited", "survey"]

SECTOR = 512
PAGE = 4096


class Wrong(AssertionError):
    """A pool said something that is not so."""


@dataclass
class Survey:
    """What a pool answers.

    Attributes
    ----------
    answers : dict
        By question: its kind, the product it is about (`name@version`, or empty), and more.
    errors : dict
        The errors of the questions that have no answer.
    """

    answers: dict[tuple[str, ...], Any] = field(default_factory=dict)
    errors: dict[tuple[str, ...], SkypoolError] = field(default_factory=dict)

    def ask(self, question: tuple[str, ...], answer: Callable[[], Any]) -> Any:
        """Note an answer, or the error; errors of other trees go through."""
        try:
            found = answer()
        except SkypoolError as error:
            self.errors[question] = error
            return None
        self.answers[question] = found
        return found

    def check(self, sound: Survey, *, less: bool = False) -> None:
        """Compare with the answers of the pool before it was damaged.

        Parameters
        ----------
        sound
            Those answers.
        less
            Whether lists may lack something. That is what a damaged catalogue may do to names,
            tags and searches: SQLite passes over rows that its indexes do not lead to. A search
            may also find a product by a value that changed.

        Raises
        ------
        Wrong
            If an answer is another one.
        """
        for question, answer in self.answers.items():
            before = sound.answers.get(question, answer)
            if less and question[0] == "find":
                continue
            if before != answer and not (less and is_part(answer, before)):
                raise Wrong(f"{question}: {answer!r}, and it was {before!r}")
        if any(question[0] == "open" for question in self.errors):
            return
        closed = {question[1] for question in self.errors if len(question) > 1}
        for question in sound.answers.keys() - self.answers.keys() - self.errors.keys():
            if question[1] not in closed:
                raise Wrong(f"{question}: not answered, and no error says why")

    def hurt(self) -> set[str]:
        """Return the products of which something could not be answered."""
        return {question[1] for question in self.errors if len(question) > 1 and question[1]}


def survey(path: str | os.PathLike[str], versions: list[str], settings: Settings) -> Survey:
    """Ask a pool everything.

    Parameters
    ----------
    path
        The pool.
    versions
        `name@version` of all that is to be asked for.
    settings
        Settings from outside.
    """
    found = Survey()
    try:
        pool = Pool(path, "r", settings=settings)
    except SkypoolError as error:
        for name in versions:
            found.errors["open", name] = error
        found.errors["open",] = error
        return found
    with pool:
        found.ask(("names",), lambda: [(r.name, r.version, r.urn) for r in pool.ls()])
        found.ask(("tags",), lambda: pool.tags)
        found.ask(("history",), lambda: [str(commit) for commit in pool.history()])
        for query in ("seed == 1", "wavelength > 251", "kind == 'MapContext'"):
            found.ask(("find", "", query), partial(_found, pool, query))
        for name in versions:
            ref = found.ask(("ref", name), partial(pool.__getitem__, name))
            if ref is not None:
                _ask_product(found, name, ref)
                found.answers["ref", name] = ref.urn
    return found


def is_part(answer: Any, before: Any) -> bool:
    """Return whether a list or mapping is another one without some of its entries."""
    if isinstance(answer, dict) and isinstance(before, dict):
        return answer.items() <= before.items()
    if isinstance(answer, list | tuple) and type(answer) is type(before):
        rest = iter(before)
        return all(item in rest for item in answer)
    return False


def _found(pool: Pool, query: str) -> list[str]:
    return [ref.urn for ref in pool.find(query)]


def _ask_product(found: Survey, name: str, ref: Ref) -> None:
    found.ask(("facts", name), lambda: _facts(ref))
    found.ask(("versions", name), lambda: [old.urn for old in ref.versions])
    found.ask(("tags", name), lambda: ref.tags)
    found.ask(("refs", name), lambda: {role: _urn(item) for role, item in ref.refs.items()})
    found.ask(("meta", name), lambda: str(ref.meta))
    if not ref.is_context:
        found.ask(("file", name), lambda: _file(ref))
    product = found.ask(("product", name), lambda: ref.product)
    if product is not None:
        found.answers["product", name] = (product.kind, tuple(product.datasets))
        for path, dataset in _leaves(product.datasets, ""):
            found.ask(("values", name, path), partial(_values, dataset))


def _urn(item: Any) -> str:
    return item.urn if isinstance(item, Ref) else str(item)


def _facts(ref: Ref) -> tuple[Any, ...]:
    return (
        (ref.urn, ref.kind, ref.type, ref.size, ref.total_size, ref.hash, ref.commit),
        (ref.saved, str(ref.origin.get("path", ""))[-20:]),
    )


def _leaves(datasets: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, dataset in datasets.items():
        if isinstance(dataset, Composite):
            yield from _leaves(dataset, f"{above}{name}/")
        else:
            yield f"{above}{name}", dataset


def _values(dataset: Any) -> Any:
    if isinstance(dataset, Table):
        return [(name, _digest(np.asarray(dataset[name]))) for name in dataset.colnames]
    values = np.asarray(dataset)
    return (_digest(values), str(dataset.unit))


def _digest(values: np.ndarray[Any, Any]) -> str:
    text = f"{values.dtype} {values.shape} ".encode()
    data = repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes()
    return hashlib.sha256(text + data).hexdigest()


def _file(ref: Ref) -> Any:
    document = ref.document
    if "tree" in document:
        sources = ref.view.files(ref)
    elif "file" in document:
        sources = {"": ref.view.content(ref)}
    else:
        return None
    return {
        path: hashlib.sha256(source.pread(0, source.size)).hexdigest()
        for path, source in sources.items()
    }


# -- damage


def flipped(data: bytes, place: int, mask: int) -> bytes:
    """Return bytes of which one has some bits turned over."""
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))] if data else data


def _cut_at_page(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) // SECTOR + 1) * SECTOR]


def _empty(data: bytes, rng: Random) -> bytes:
    return b""


def _zero_page(data: bytes, rng: Random) -> bytes:
    start = rng.randrange(max(1, -(-len(data) // PAGE))) * PAGE
    return data[:start] + bytes(min(PAGE, len(data) - start)) + data[start + PAGE :]


def _exchange(data: bytes, rng: Random) -> bytes:
    """Exchange two blocks of the same size."""
    size = min(rng.choice((SECTOR, PAGE)), len(data) // 2)
    if not size:
        return data
    a, b = sorted(rng.sample(range(len(data) // size), 2))
    parts = [data[at * size : (at + 1) * size] for at in (a, b)]
    middle = data[(a + 1) * size : b * size]
    return data[: a * size] + parts[1] + middle + parts[0] + data[(b + 1) * size :]


def _grow(data: bytes, rng: Random) -> bytes:
    return data + rng.randbytes(rng.randrange(1, 5000))


def _grow_zeros(data: bytes, rng: Random) -> bytes:
    return data + bytes(rng.randrange(1, 9000))


def _repeat(data: bytes, rng: Random) -> bytes:
    return data + data


def _noise(data: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(data) or 1)
    length = rng.randrange(1, 600)
    return (data[:start] + rng.randbytes(length) + data[start + length :])[: len(data)]


def _shifted(data: bytes, rng: Random) -> bytes:
    """Lose some bytes in the middle."""
    start = rng.randrange(len(data) or 1)
    return data[:start] + data[start + rng.randrange(1, 200) :]


def _several(data: bytes, rng: Random) -> bytes:
    for _ in range(rng.randrange(2, 9)):
        data = flipped(data, rng.randrange(len(data)), rng.randrange(1, 256)) if data else data
    return data


DAMAGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "cut": _cut,
    "cut at a sector": _cut_at_page,
    "emptied": _empty,
    "a page of zeros": _zero_page,
    "two blocks exchanged": _exchange,
    "grown by noise": _grow,
    "grown by zeros": _grow_zeros,
    "written twice": _repeat,
    "noise": _noise,
    "bytes lost": _shifted,
    "several bytes": _several,
}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Let work fail that does not end: a damaged file must not hang its reader."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Wrong(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
