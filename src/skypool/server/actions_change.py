"""Actions that change names, tags and what is in view: one commit a pool, each can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import SkypoolError, UsageError
from skypool.pool.resolve import check_name, check_tag
from skypool.server.action_results import SHOWN
from skypool.server.code_lines import search_code
from skypool.server.cursors import Results
from skypool.server.echo import code, command_of, each_command, each_python, pool_expression
from skypool.server.facts import label_of
from skypool.server.jobs import Job, Jobs
from skypool.server.pools import split_ref
from skypool.server.selections import Selected, count_of, selected

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.transaction import Transaction
    from skypool.server.context import Context

__all__ = ["CHANGES", "Plan", "lines_of"]


@dataclass(frozen=True)
class Plan:
    """What a job is to do.

    Attributes
    ----------
    text : str
        For people.
    work : callable
    code : dict
    quick : bool
        Whether it is soon done, so that the answer may wait for it.
    download : callable or None
        Instead of work: what sends it when a client fetches it.
    stays : bool
        Whether it goes on until it is ended: it waits for nothing, and nothing for it.
    """

    text: str
    work: Callable[[Job], Any]
    code: dict[str, str]
    quick: bool = False
    download: Callable[[Job], Any] | None = None
    stays: bool = False


def lines_of(
    context: Context,
    parts: list[Selected],
    body: Mapping[str, Any],
    call: str,
    words: Iterable[str],
    message: str = "",
) -> dict[str, str]:
    """Return an action on a selection as code, pool by pool; see `each_python`."""
    python, command = [], []
    words = list(words)
    for part in parts:
        search = {"python": "", "command": ""}
        if body.get("all") and not body.get("except"):
            asking = context.part(Results).get(body["cursor"]).asking
            search = search_code(asking, [part.pool])
        first = list(islice(part.refs(), 8))
        total = len(part.numbers)
        python.append(each_python(part.pool, first, total, search["python"], message, call))
        command.append(each_command(part.pool, first, total, search["command"], words))
    return code("\n".join(python), "\n".join(command))


def _products(count: int) -> str:
    return "1 product" if count == 1 else f"{count:,} products"


# -- tags


def _tag(context: Context, body: Mapping[str, Any]) -> Plan:
    return _tags(context, body, wanted=True)


def _untag(context: Context, body: Mapping[str, Any]) -> Plan:
    return _tags(context, body, wanted=False)


def _tags(context: Context, body: Mapping[str, Any], *, wanted: bool) -> Plan:
    parts = selected(context, body["selection"], change=True)
    tags = [check_tag(tag) for tag in dict.fromkeys(body["tags"])]
    word = "tag" if wanted else "untag"
    listed = ", ".join(tags)
    message = body.get("message") or f"{word} {listed}"

    def work(job: Job) -> Any:
        return _commit_each(job, parts, message, lambda c, part: _put_tags(job, c, part))

    def _put_tags(job: Job, commit: Transaction, part: Selected) -> int:
        known = part.tags()
        changed = 0
        for place, ref in enumerate(part.refs()):
            here = set(known.get(ref.number, ()))
            todo = [tag for tag in tags if (tag in here) != wanted]
            if todo:
                (commit.tag if wanted else commit.untag)(ref, *todo)
                changed += 1
            if place % 500 == 0:
                job.tell(place, len(part.numbers), "products", ref.name)
        return changed

    count = count_of(parts)
    call = f"c.{word}({{}}, {', '.join(map(repr, tags))})"
    verb = "tag" if wanted else "take tags from"
    return Plan(
        f"{verb} {_products(count)}: {listed}",
        work,
        lines_of(context, parts, body["selection"], call, [word, "{}", *tags], message),
        quick=True,
    )


def _commit_each(
    job: Job,
    parts: list[Selected],
    message: str,
    change: Callable[[Transaction, Selected], int],
) -> dict[str, Any]:
    """Make one commit a pool; what was committed stays, should a later pool refuse."""
    count = 0
    for part in parts:
        with part.pool.commit(message) as commit:
            count += change(commit, part)
            job.check()
        _note(job, part.label, commit)
    return {"count": count}


def _note(job: Job, label: str, commit: Transaction) -> None:
    if commit.published is not None and commit.published.commit is not None:
        job.commits.append((label, commit.published.commit))


# -- names


def _rename(context: Context, body: Mapping[str, Any]) -> Plan:
    label, number = split_ref(body["ref"])
    pool = context.pools.changeable(label)
    ref = context.pools.ref(label, number)
    name = check_name(body["name"])
    was = ref.name

    def work(job: Job) -> Any:
        with pool.commit(body.get("message") or f"rename {was} to {name}") as commit:
            commit.rename(pool.view.number(number), name)
        _note(job, label, commit)
        return {"ref": body["ref"], "was": was, "name": name}

    python = f"{pool_expression(pool)}.rename({was!r}, {name!r})"
    return Plan(
        f"rename {was} to {name}", work, code(python, command_of(pool, "mv", was, name)), quick=True
    )


# -- out of view and back


def _remove(context: Context, body: Mapping[str, Any]) -> Plan:
    parts = selected(context, body["selection"], change=True)
    children = bool(body.get("children"))
    count = count_of(parts)
    message = body.get("message") or f"remove {_named(parts)}"
    dry = bool(body.get("dry_run"))

    def work(job: Job) -> Any:
        removed: list[str] = []
        spared: list[str] = []
        for part in parts:
            commit = part.pool.commit(message)
            reports = []
            for place, ref in enumerate(_going(part, children)):
                reports.append(commit.remove(ref, alone=not children))
                if place % 100 == 0:
                    job.tell(place, len(part.numbers), "products", ref.name)
            job.check()
            if not dry:
                commit.finish()
                _note(job, part.label, commit)
            gone = {name for report in reports for name in report.removed}
            removed += sorted(gone)
            spared += sorted({name for report in reports for name in report.spared} - gone)
        return {
            "count": len(removed),
            "removed": removed[:SHOWN],
            "spared": spared[:SHOWN],
            "spared_count": len(spared),
            "dry_run": dry,
        }

    call = "c.remove({})" if children else "c.remove({}, alone=True)"
    text = f"{'what would go with' if dry else 'remove'} {_products(count)}"
    lines = lines_of(context, parts, body["selection"], call, ["rm", "{}"], message)
    if not children:  # the command line removes what is below, always
        lines["command"] = ""
    return Plan(text, work, lines, quick=True)


def _named(parts: list[Selected]) -> str:
    names = [ref.name for part in parts for ref in islice(part.refs(), 5)]
    more = count_of(parts) - len(names[:5])
    return ", ".join(names[:5])[:200] + (f" and {more:,} more" if more > 0 else "")


def _going(part: Selected, children: bool) -> Iterable[Ref]:
    """Return the products that are removed: each track once, with children that only they have."""
    tracks = {ref.track: ref for ref in part.refs()}
    if not children:
        return tracks.values()
    view = part.pool.view
    at = view.at
    own = set(tracks)
    for ref in tracks.values():
        own.update(track for _, track in view.identity.names(at, ref.name))
    below: dict[int, Ref] = {}
    for ref in tracks.values():
        for number, track, _ in view.identity.descendants(ref.number):
            child = view.number(number)
            if track not in own and child.row.name is not None:
                below.setdefault(track, child)
    while True:
        kept = [
            track
            for track in below
            if any(
                parent.track not in own and parent.track not in below
                for parent in view.identity.live_parents(track, at)
            )
        ]
        if not kept:
            return [*tracks.values(), *below.values()]
        for track in kept:
            del below[track]


def _restore(context: Context, body: Mapping[str, Any]) -> Plan:
    wanted: dict[str, list[int]] = {}
    for text in dict.fromkeys(body["refs"]):
        label, number = split_ref(text)
        wanted.setdefault(label, []).append(number)
    pools = {label: context.pools.changeable(label) for label in wanted}
    refs = {label: [context.pools.ref(label, n) for n in wanted[label]] for label in wanted}
    names = [ref.name for each in refs.values() for ref in each]

    def work(job: Job) -> Any:
        back: list[str] = []
        for label, pool in pools.items():
            with pool.commit(f"restore {', '.join(names)[:200]}") as commit:
                for track in dict.fromkeys(ref.track for ref in refs[label]):
                    commit.restore(track)
            _note(job, label, commit)
            back += [label_of(pool.view.number(n).latest, label) for n in wanted[label]]
        return {"count": len(back), "refs": back}

    python = "\n".join(
        f"{pool_expression(pool)}.restore({ref.name!r})"
        for label, pool in pools.items() for ref in refs[label][:8]
    )  # fmt: skip
    command = "\n".join(
        command_of(pool, "restore", *(ref.name for ref in refs[label][:8]))
        for label, pool in pools.items()
    )
    return Plan(f"restore {_products(len(names))}", work, code(python, command), quick=True)


def _undo(context: Context, body: Mapping[str, Any]) -> Plan:
    before: Job | None = None
    if "job" in body:
        before = context.part(Jobs)[body["job"]]
        if not before.to_json()["undo"]:
            raise UsageError(f"there is nothing to undo of the job {before.id}")
        commits = list(before.commits)
        text = f"undo: {before.text}"
    elif "pool" in body and "commit" in body:
        commits = [(body["pool"], body["commit"])]
        text = f"undo commit {body['commit']}"
    else:
        raise UsageError("undo needs a job, or a pool and a commit")
    pools = {label: context.pools.changeable(label) for label, _ in commits}

    def work(job: Job) -> Any:
        for label, number in reversed(commits):
            try:
                job.commits.append((label, pools[label].undo(number)))
            except SkypoolError:
                if not job.commits:
                    raise
                done = ", ".join(f"{where} {made}" for where, made in job.commits)
                job.fail(
                    "partial", f"only a part was undone, by {done}", "undo that part to redo it"
                )
                raise
        if before is not None:
            before.undone = True
            context.hub.publish("job", before.to_json())
        return {"count": len(commits)}

    lines = [(pools[label], number) for label, number in reversed(commits)]
    return Plan(
        text,
        work,
        code(
            "\n".join(f"{pool_expression(pool)}.undo({number})" for pool, number in lines),
            "\n".join(command_of(pool, "undo", str(number)) for pool, number in lines),
        ),
        quick=True,
    )


#: What makes the plan of each action.
CHANGES: Final[Mapping[str, Callable[[Context, Mapping[str, Any]], Plan]]] = {
    "tag": _tag,
    "untag": _untag,
    "rename": _rename,
    "remove": _remove,
    "restore": _restore,
    "undo": _undo,
}
