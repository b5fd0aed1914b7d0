"""Compare what workers were told, what the log says, and what the pool gives back."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, fields
from typing import Any

import skypool as sp
from skypool.errors import SkypoolError
from skypool.testing.concurrency.content import Torn, check_ref
from skypool.testing.concurrency.journal import Operation
from skypool.testing.concurrency.ledger import Ledger, State, fingerprint, read_ledger

__all__ = ["Verdict", "catalogue_content", "judge"]

_SILENT = frozenset({"open", "read", "look", "values", "find", "gc", "verify", "quick", "reindex"})
_STATES_COMPARED = 60


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes
    ----------
    acknowledged : int
        Operations that were told to be committed.
    saves : int
        Versions that were told to be saved.
    commits, versions : int
        Of the pool.
    lost, doubled, unreadable, torn, false : list of str
        What went wrong: acknowledged commits that are not there; commits that are there
        twice; versions that cannot be read; what is neither whole nor absent, or was seen as it
        never was; errors that should not have been.
    refused : Counter
        Typed errors that were to be expected.
    seen : int
        Readings that were compared with the history.
    """

    acknowledged: int = 0
    saves: int = 0
    commits: int = 0
    versions: int = 0
    seen: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def take_in(self, other: Verdict) -> None:
        """Add what was found of another pool."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.doubled or self.unreadable or self.torn or self.false)


def judge(path: str, operations: Iterable[Operation]) -> Verdict:
    """Judge a pool by its workers' journals.

    Parameters
    ----------
    path
        The pool's folder.
    operations
        All that was ever done to it.
    """
    verdict = Verdict()
    known = {operation.token: operation for operation in operations}
    # Opening it for writing completes a log whose writer died; nothing else is done by it.
    with sp.Pool(path) as pool:
        ledger = read_ledger(path)
        try:
            ledger.check()
            _compare_history(pool, ledger)
        except AssertionError as error:
            verdict.torn.append(f"history: {error}")
        _match(verdict, ledger, known)
        _compare_seen(verdict, ledger, known.values())
        _compare_states(verdict, pool, ledger)
        _read_all(verdict, pool, ledger, known)
    return verdict


def _compare_history(pool: sp.Pool, ledger: Ledger) -> None:
    history = [(c.number, c.message) for c in reversed(pool.history())]
    logged = [(record["commit"], record["message"]) for record in ledger.records]
    assert history == logged, "the pool tells another history than its log"


def _match(verdict: Verdict, ledger: Ledger, known: dict[str, Operation]) -> None:
    """Find the commit of each operation, and what each was told, in the log."""
    commits: dict[str, dict[str, Any]] = {}
    for record in ledger.records:
        message = record["message"]
        if message in commits:
            verdict.doubled.append(f"{message}: commits {commits[message]['commit']} and "
                                   f"{record['commit']}")  # fmt: skip
        if message not in known:
            verdict.false.append(f"commit {record['commit']} ({message}) is nobody's")
        commits[message] = record
    for token, operation in known.items():
        found = commits.get(token)
        told = operation.result.get("commit")
        if operation.outcome == "failed":
            verdict.false.append(f"{operation.what} {token}: {operation.result['error']}")
        elif operation.outcome == "refused":
            verdict.refused[f"{operation.what}: {operation.result['error']}"] += 1
            if found is not None:
                verdict.torn.append(f"{operation.what} {token} was refused, and committed")
        elif operation.outcome == "done" and operation.what not in _SILENT:
            _match_told(verdict, operation, found, told)
        if found is not None:
            _match_intent(verdict, operation, found)


def _match_told(verdict: Verdict, operation: Operation, record: Any, told: int | None) -> None:
    if told is None:
        if record is not None:
            verdict.torn.append(f"{operation.token} was told that nothing was new")
        return
    verdict.acknowledged += 1
    verdict.saves += len(operation.result.get("saved", ()))
    if record is None or record["commit"] != told:
        verdict.lost.append(f"{operation.what} {operation.token}: commit {told}")
        return
    made = {(entry["urn"], entry["version"]) for entry in record.get("versions", ())}
    for urn, _, version in operation.result.get("saved", ()):
        if (urn, version) not in made:
            verdict.lost.append(f"{operation.what} {operation.token}: version {urn}")


def _match_intent(verdict: Verdict, operation: Operation, record: dict[str, Any]) -> None:
    """Check that a commit has all of what was intended, acknowledged or not."""
    intent, token = operation.intent, operation.token
    versions = record.get("versions", ())
    problem = ""
    if "count" in intent and len(versions) != intent["count"]:
        problem = f"{len(versions)} versions instead of {intent['count']}"
    elif operation.what == "exclusive" and versions[0]["version"] != intent["of"] + 1:
        problem = "another version came between"
    elif operation.what in ("edit", "exclusive") and versions[0]["track"] != intent["track"]:
        problem = "a version of another track"
    else:
        problem = _problem_of_change(operation.what, intent, record)
    if problem:
        verdict.torn.append(f"{operation.what} {token}, commit {record['commit']}: {problem}")


def _problem_of_change(what: str, intent: dict[str, Any], record: dict[str, Any]) -> str:
    """Return what is wrong with a commit that changed names or tags; empty if nothing is."""
    hidden = record.get("hidden", ())
    if what in ("tag", "untag"):
        right = record.get("tags") == [[intent["tag"], intent["urn"], intent["wanted"]]]
    elif what == "rename":
        right = [intent["track"], intent["name"]] in record.get("names", ())
    elif what == "remove":
        right = [intent["track"], True] in hidden
    elif what == "restore":
        # Where a save has brought it back meanwhile, only what was removed with it comes back.
        right = bool(hidden) and not any(removed for _, removed in hidden)
    else:
        right = True
    return "" if right else "other changes than were asked for"


def _compare_seen(verdict: Verdict, ledger: Ledger, operations: Iterable[Operation]) -> None:
    """Compare what readers saw with the state as of the commit that they looked at."""
    pinned: dict[int, list[Operation]] = {}
    looks = []
    for operation in operations:
        if "number" in operation.result:
            pinned.setdefault(operation.result["number"], []).append(operation)
        elif "between" in operation.result:
            looks.append(operation)
    wanted = {n for look in looks for n in range(look.result["between"][0],
                                                 look.result["between"][1] + 1)}  # fmt: skip
    plain: dict[int, str] = {}
    if 0 in wanted:
        plain[0] = State().seen(tags=False)
    for record, state in ledger.states():
        number = record["commit"]
        if number in wanted:
            plain[number] = state.seen(tags=False)
        if number in pinned:
            expected = state.seen(tags=True)
            for operation in pinned[number]:
                verdict.seen += 1
                if operation.result["seen"] != expected:
                    verdict.torn.append(f"{operation.token} saw no state of commit {number}")
    for look in looks:
        first, last = look.result["between"]
        verdict.seen += 1
        if look.result["seen"] not in {plain.get(n) for n in range(first, last + 1)}:
            verdict.torn.append(f"{look.token} saw none of the commits {first} to {last}")


def _compare_states(verdict: Verdict, pool: sp.Pool, ledger: Ledger) -> None:
    """Compare the pool as of some commits, the last among them, with the log."""
    count = len(ledger.records)
    step = max(1, count // _STATES_COMPARED)
    for record, state in ledger.states():
        number = record["commit"]
        if number % step and number != count:
            continue
        rows = [(r.name, r.version, r.number, r.hash, r.tags) for r in pool.at(number).ls()]
        if fingerprint(rows) != state.seen(tags=True):
            verdict.torn.append(f"the pool at commit {number} is not what the log says")


def _read_all(verdict: Verdict, pool: sp.Pool, ledger: Ledger, known: dict[str, Operation]) -> None:
    """Read every version of every commit, acknowledged or not, and compare all values."""
    verdict.commits = len(ledger.records)
    tokens: dict[int, str] = {}
    for record in ledger.records:
        operation = known.get(record["message"])
        for entry in record.get("versions", ()):
            verdict.versions += 1
            urn = entry["urn"]
            try:
                tokens[urn] = token = check_ref(pool.view.number(urn))
            except (SkypoolError, Torn, KeyError, ValueError) as error:
                verdict.unreadable.append(f"version {urn}: {type(error).__name__}: {error}")
                continue
            if operation is None:
                continue
            own = token == operation.token or token.startswith(f"{operation.token}/")
            files = operation.intent.get("tokens")
            if not own if files is None else token and token not in files:
                verdict.torn.append(f"version {urn} of {operation.token} holds {token}")
    for operation in known.values():
        for urn, token in operation.result.get("tokens", ()):
            if tokens.get(urn) != token:
                verdict.torn.append(f"{operation.token} read {token} in version {urn}")


_IDENTITY = (
    "SELECT number, time_us, author, message, changes FROM commits ORDER BY number",
    "SELECT v.urn, v.track, v.version, d.digest, v.total, v.since, v.until, v.origin"
    " FROM versions v JOIN documents d ON d.id = v.document ORDER BY v.urn",
    "SELECT track, name, since, until, removed FROM names ORDER BY name, since, track",
    "SELECT tag, urn, since, until FROM tags ORDER BY tag, urn, since",
    "SELECT parent, position, role, child, external FROM refs ORDER BY parent, position",
    "SELECT d.digest, d.kind, d.type, d.size, d.file_hash FROM documents d WHERE d.id IN"
    " (SELECT document FROM versions) ORDER BY d.digest",
    "SELECT d.digest, k.name, t.value, t.place, u.text FROM terms t JOIN keys k ON k.id = t.key"
    " JOIN units u ON u.id = t.unit JOIN documents d ON d.id = t.document WHERE d.id IN"
    " (SELECT document FROM versions) ORDER BY d.digest, k.name, t.place, t.value",
)


def catalogue_content(path: str) -> list[list[tuple[Any, ...]]]:
    """Return what a catalogue says of commits, versions, names, tags, references and terms."""
    with closing(sqlite3.connect(f"{path}/catalogue.sqlite")) as connection:
        return [connection.execute(sql).fetchall() for sql in _IDENTITY]
