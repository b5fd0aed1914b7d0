"""Where products can be sent, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Reply", "Target", "several"]


def several(whats: Iterable[str]) -> str:
    """Return what programs take in words, such as ``tables and spectra``; empty for nothing."""
    words = ["spectra" if what == "spectrum" else f"{what}s" for what in whats]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


@dataclass(frozen=True, slots=True)
class Target:
    """Something that products can be sent to.

    Attributes
    ----------
    id : str
        What `Sender.send` takes: `samp:<id at the hub>`, `program:<name>` for one that does not
        run, `pool:<name>`; `file:` and `text:`, which need a path behind the colon.
    name : str
        For people.
    kind : str
        `samp`, `program`, `pool`, `file` or `text`.
    accepts : tuple of str
        Of `image`, `cube`, `table`, `spectrum`, `context`.
    alive : bool
        Whether it answers; a program that does not run is not alive.
    start : str
        The command that starts it; empty where it runs, or is not installed.
    get : str
        How it is got, where it is not installed.
    """

    id: str
    name: str
    kind: str
    accepts: tuple[str, ...] = ()
    alive: bool = True
    start: str = ""
    get: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "accepts": list(self.accepts),
            "alive": self.alive,
            "start": self.start,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of sending one product to one target.

    Attributes
    ----------
    ref : str
        `name@version` of the product.
    urn : str
        Its URN.
    target : str
        Id of the target.
    name : str
        Name of the target.
    state : str
        `arrived`: it was checked that the target has it; `accepted`: the program says that it
        has; `unanswered`: sent, and no answer came; `refused`: the program could not take it;
        `skipped`: it was not sent.
    detail : str
        What the program said, or why it was not sent.
    mtype : str
        SAMP's name of the message; empty where none was sent.
    url : str
        Address of what was sent.
    dataset : str
        The dataset that was sent; empty for the whole file.
    offers : tuple of str
        URNs of what can be sent instead of a context.
    """

    ref: str
    urn: str
    target: str
    name: str
    state: str
    detail: str = ""
    mtype: str = ""
    url: str = ""
    dataset: str = ""
    offers: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the target has it, as far as can be known."""
        return self.state in ("arrived", "accepted")

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "ref": self.ref,
            "urn": self.urn,
            "target": self.target,
            "name": self.name,
            "state": self.state,
            "detail": self.detail,
            "mtype": self.mtype,
            "url": self.url,
            "dataset": self.dataset,
            "offers": list(self.offers),
        }
