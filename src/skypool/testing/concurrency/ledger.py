"""The history of a pool, replayed from its log alone.

Written from docs/format/commits.md, with nothing of the catalogue: names, versions, tags and
visibility as of each commit, to be compared with what the pool says and what readers saw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skypool.codec.documents import loads
from skypool.storage.commit_log import CommitLog
from skypool.storage.filelayer import LocalFiles

__all__ = ["Ledger", "State", "fingerprint", "read_ledger"]


def fingerprint(rows: Iterable[tuple[Any, ...]]) -> str:
    """Return a digest of (name, version, number, document, tags) of all live products."""
    return hashlib.sha256(json.dumps([list(row) for row in rows]).encode()).hexdigest()[:24]


@dataclass(slots=True)
class State:
    """What a pool holds as of a commit.

    Attributes
    ----------
    names : dict
        Name of each track that ever had one.
    hidden : set of int
        Tracks out of view.
    versions : dict
        Numbers of the versions of each track, oldest first.
    documents : dict
        Digest of the document of each version.
    tags : dict
        Tags of each version that has any.
    """

    names: dict[int, str | None] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    versions: dict[int, list[int]] = field(default_factory=dict)
    documents: dict[int, str] = field(default_factory=dict)
    tags: dict[int, set[str]] = field(default_factory=dict)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in a commit."""
        for entry in record.get("versions", ()):
            track = self.versions.setdefault(entry["track"], [])
            assert entry["version"] == len(track), "versions of a track have no gaps"
            assert entry["urn"] == len(self.documents) + 1, "numbers of versions have no gaps"
            track.append(entry["urn"])
            self.documents[entry["urn"]] = entry["document"]
        for track, name in record.get("names", ()):
            self.names[track] = name
        for track, removed in record.get("hidden", ()):
            (self.hidden.add if removed else self.hidden.discard)(track)
        for tag, urn, wanted in record.get("tags", ()):
            tags = self.tags.setdefault(urn, set())
            (tags.add if wanted else tags.discard)(tag)

    def live(self) -> list[tuple[str, int]]:
        """Return (name, track) of what is in view, in the order of the names."""
        found = [
            (name, track)
            for track, name in self.names.items()
            if name is not None and track not in self.hidden
        ]
        found.sort()
        assert len({name for name, _ in found}) == len(found), "no name twice"
        return found

    def seen(self, *, tags: bool) -> str:
        """Return the fingerprint of what a reader must see."""
        rows = []
        for name, track in self.live():
            urn = self.versions[track][-1]
            shown = sorted(self.tags.get(urn, ())) if tags else []
            document = self.documents[urn]
            rows.append((name, len(self.versions[track]) - 1, urn, document, shown))
        return fingerprint(rows)


class Ledger:
    """All commits of a log.

    Attributes
    ----------
    records : list
        The records, commit 1 first.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records

    def check(self) -> None:
        """Check that numbers have no gap and times increase strictly."""
        before = None
        for number, record in enumerate(self.records, 1):
            assert (record["commit"], record["parent"]) == (number, number - 1)
            moment = datetime.fromisoformat(record["time"])
            assert before is None or moment > before, f"commit {number} is not later"
            before = moment

    def states(self) -> Iterator[tuple[dict[str, Any], State]]:
        """Return each commit with the state behind it; the state is changed as it goes on."""
        state = State()
        for record in self.records:
            state.apply(record)
            yield record, state


def read_ledger(pool: str) -> Ledger:
    """Read the log of a pool's folder."""
    log = CommitLog(f"{pool}/commits.log", LocalFiles())
    return Ledger([dict(loads(record.payload)) for record in log.records()])
