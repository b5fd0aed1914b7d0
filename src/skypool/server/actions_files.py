"""Actions that bring files in and out: add, export, zip, copy to another pool, send, verify."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import (
    MissingDependency,
    NotFound,
    ReadOnly,
    SkypoolError,
    UsageError,
)
from skypool.pool.exporting import check_outside, exporter_of, is_folder
from skypool.pool.named import locate
from skypool.pool.resolve import check_name, check_tag
from skypool.server.action_results import SHOWN
from skypool.server.actions_change import Plan, lines_of
from skypool.server.code_lines import pool_name
from skypool.server.copies import copy_products
from skypool.server.echo import code, command_of, full_name, pool_expression
from skypool.server.facts import label_of
from skypool.server.receiving import receive
from skypool.server.selections import Selected, count_of, refs_of, selected
from skypool.server.uploads import Uploads
from skypool.server.zips import top_name, zip_stream

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport
    from skypool.pool.exporting import Exporter
    from skypool.pool.pool import Pool
    from skypool.server.context import Context
    from skypool.server.jobs import Job

__all__ = ["FILES"]


def _products(count: int) -> str:
    return "1 product" if count == 1 else f"{count:,} products"


def _options(**given: Any) -> str:
    """Return keywords of a call in Python, those that are empty left out."""
    return "".join(f", {key}={value!r}" for key, value in given.items() if value)


# -- add


def _add(context: Context, body: Mapping[str, Any]) -> Plan:
    label = body["pool"]
    pool = context.pools.changeable(label)
    tags = [check_tag(tag) for tag in body.get("tags", ())]
    under = body.get("under", "").strip("/")
    if under:
        check_name(under)
    given: dict[str, Any] = {"under": under, "tags": tags, "message": body.get("message", "")}
    uploads = context.part(Uploads)
    if ("upload" in body) == ("paths" in body):
        raise UsageError("say what to add: an upload, or paths on the server")
    upload = uploads.take(body["upload"]) if "upload" in body else None
    if upload is not None:
        paths = upload.entries()
        names = [os.path.basename(path) for path in paths]
        # Where it came from is what the browser called it, not a folder that is gone soon.
        origins = {path: {"path": os.path.basename(path)} for path in paths}
    else:
        paths = names = [context.pools.places.whole(path) for path in body["paths"]]
        origins = {}

    def work(job: Job) -> Any:
        try:
            report = pool.add_report(paths, progress=job.progress, origins=origins, **given)
        finally:
            if upload is not None:
                uploads.drop(upload.id)
        if report.commit is not None:
            job.commits.append((label, report.commit))
        return _added(report, label)

    shown = names[0] if len(names) == 1 else names[:8]
    options = [f"--under={under}"] if under else []
    options += [f"--tag={tag}" for tag in tags]
    return Plan(
        f"add {names[0] if len(names) == 1 else f'{len(names):,} files and folders'}",
        work,
        code(
            f"{pool_expression(pool)}.add({shown!r}{_options(under=under, tags=tags)})",
            command_of(pool, "add", *options, *names[:8]),
        ),
    )


def _added(report: AddReport, label: str) -> dict[str, Any]:
    base = os.sep + "tree" + os.sep
    return {
        "count": len(report.saved),
        "unchanged": report.unchanged,
        "refs": [label_of(ref, label) for ref in report.refs[:SHOWN]],
        "names": [ref.name for ref in report.refs[:SHOWN]],
        "skipped": [
            [path.partition(base)[2] or path, reason] for path, reason in report.skipped[:SHOWN]
        ],
        "opaque": [list(each) for each in report.opaque[:SHOWN]],
        "notes": [list(each) for each in report.notes[:SHOWN]],
        "bytes_in": report.bytes_in,
        "bytes_added": report.bytes_added,
    }


# -- out


def _export(context: Context, body: Mapping[str, Any]) -> Plan:
    if context.read_only:
        raise ReadOnly(
            "this server is read-only, and writes no files", hint="download a zip file instead"
        )
    parts = selected(context, body["selection"], change=False)
    folder = context.pools.places.whole(body["folder"])
    form = body.get("format") or None
    make = exporter_of(form)
    overwrite = bool(body.get("overwrite"))
    check_outside(folder)

    def work(job: Job) -> Any:
        export = _Export(job, folder, count_of(parts), lambda: make(overwrite=overwrite))
        for part in parts:
            export.take(part)
        return {
            "folder": folder,
            "count": export.count,
            "files": len(export.files),
            "paths": export.files[:SHOWN],
            "bytes": export.bytes,
            "inexact": export.inexact[:SHOWN],
        }

    options = _options(overwrite=overwrite, format=form)
    words = ["export", "{}", folder, *(["--overwrite"] if overwrite else [])]
    words += ["--format", form] if form else []
    call = f"pool.export({{}}, {folder!r}{options})"
    return Plan(
        f"export {_products(count_of(parts))} to {folder}",
        work,
        lines_of(context, parts, body["selection"], call, words),
    )


class _Export:
    """Writes products into a folder; takes back what it wrote where the job ends early."""

    def __init__(self, job: Job, folder: str, total: int, make: Callable[[], Exporter]) -> None:
        self._job, self._folder, self._total, self._make = job, folder, total, make
        self.files: list[str] = []
        self.bytes = self.count = 0
        self.inexact: list[tuple[str, str]] = []
        self._names: set[str] = set()

    def take(self, part: Selected) -> None:
        """Write the products of one pool."""
        for ref in part.refs():
            self._job.tell(self.count, self._total, "products", ref.name)
            exporter = self._make()
            exporter.on_progress = lambda progress: self._job.check()
            target = self._folder
            top = top_name(ref)
            if is_folder(ref) or top in self._names:
                target = os.path.join(self._folder, top if is_folder(ref) else f"{ref.number}")
            self._names.add(top)
            try:
                exporter.export(ref, target)
            except BaseException:
                self.files += exporter.report.files
                self._take_back()
                raise
            self.files += exporter.report.files
            self.bytes += exporter.report.bytes
            self.inexact += exporter.report.inexact
            self.count += 1

    def _take_back(self) -> None:
        for path in reversed(self.files):
            with contextlib.suppress(OSError):
                os.unlink(path)
                os.removedirs(os.path.dirname(path))


def _zip(context: Context, body: Mapping[str, Any]) -> Plan:
    parts = selected(context, body["selection"], change=False)
    total = count_of(parts)

    def stream(job: Job) -> Any:
        done = [0, 0]

        def told(ref: Any, size: int) -> None:
            done[0] += 1
            done[1] += size
            job.result = {"count": done[0], "bytes": done[1]}
            job.tell(done[0], total, "products", ref.name)

        return zip_stream(refs_of(parts), told)

    call = "pool.export({}, 'folder')"
    return Plan(
        f"download {_products(total)} as a zip file",
        lambda job: None,
        lines_of(context, parts, body["selection"], call, ["export", "{}", "folder"]),
        download=stream,
    )


# -- to other pools and programs


def _copy(context: Context, body: Mapping[str, Any]) -> Plan:
    parts = selected(context, body["selection"], change=False)
    tags = [check_tag(tag) for tag in body.get("tags", ())]
    label, target = _target(context, body["pool"], create=bool(body.get("create")))
    message = body.get("message") or f"copy {_products(count_of(parts))}"
    if any(part.pool is target for part in parts):
        raise UsageError(f"they are in the pool {label!r} already", hint="tag them there")

    def work(job: Job) -> Any:
        copied = copy_products(job, parts, target, tags, message)
        if copied.commit is not None:
            job.commits.append((label, copied.commit))
        return {
            "pool": label,
            "count": len(copied.refs),
            "unchanged": copied.unchanged,
            "refs": [label_of(ref, label) for ref in copied.refs[:SHOWN]],
        }

    names = ", ".join(repr(full_name(ref)) for ref in islice(refs_of(parts), 8))
    source = pool_expression(parts[0].pool)
    tagged = f", tags=[*source[name].tags, {', '.join(map(repr, tags))}]" if tags else (
        ", tags=source[name].tags")  # fmt: skip
    python = (
        f"source, target = {source}, {pool_expression(target)}\n"
        f"for name in [{names}]:\n"
        f"    target.save(source[name].product, name{tagged})"
    )
    return Plan(f"copy {_products(count_of(parts))} to {label}", work, code(python))


def _target(context: Context, where: str, *, create: bool) -> tuple[str, Pool]:
    """Return an open pool by its label, or one that is opened, or made, for this."""
    pools = context.pools
    if where not in pools.all():
        if context.read_only:
            raise ReadOnly("this server is read-only", hint="start it without --read-only")
        where = pools.open(where, create=create)
    return where, pools.changeable(where)


def _send(context: Context, body: Mapping[str, Any]) -> Plan:
    sender = context.senders
    if sender is None:
        raise MissingDependency(
            "this server cannot send to other programs",
            hint="start it with `skypool ui`, with pyvo installed: pip install 'skypool[vo]'",
        )
    parts = selected(context, body["selection"], change=False)
    target = body["target"]
    if target.startswith(("file:", "text:", "pool:")):
        target = _local_target(context, target)
    total = count_of(parts)

    def work(job: Job) -> Any:
        replies = sender.send(
            list(refs_of(parts)),
            target,
            job.progress,
            dataset=body.get("dataset") or None,
            force=bool(body.get("force")),
            start=bool(body.get("start")),
        )
        found = []
        for reply in replies:
            found.append({key: getattr(reply, key) for key in _REPLY})
            if reply.state in ("refused", "unanswered", "skipped"):
                job.fail(reply.state, f"{reply.ref}: {reply.detail}")
        arrived = [each for each in found if each["state"] in ("arrived", "accepted")]
        if found and not arrived:
            raise Unsent(f"nothing arrived: {found[0]['detail'] or found[0]['state']}")
        return {"count": len(arrived), "replies": found}

    first = next(refs_of(parts))
    words = ["send", *(full_name(ref) for ref in islice(refs_of(parts), 8)), "--to", target]
    if body.get("dataset"):
        words += ["--dataset", body["dataset"]]
    python = f"{pool_expression(parts[0].pool)}[{full_name(first)!r}].send({target!r})"
    return Plan(
        f"send {_products(total)} to {target}",
        work,
        code(python, command_of(parts[0].pool, *words)),
    )


def _local_target(context: Context, target: str) -> str:
    """Return a target on the server's disk, with its whole path, that clients may write."""
    if context.read_only:
        raise ReadOnly("this server is read-only, and writes no pools and files")
    kind, _, where = target.partition(":")
    places = context.pools.places
    if kind == "pool":
        if "\0" in where:
            raise UsageError("a path holds no character 0")
        places.check(locate(where, context.settings))
        return target
    if not where:
        raise UsageError(f"{target!r} does not say where to", hint=f"write {kind}:PATH")
    folder = os.sep if where.endswith(os.sep) else ""
    return f"{kind}:{places.whole(where)}{folder}"


_REPLY: Final = ("ref", "urn", "target", "name", "state", "detail", "mtype", "url", "offers")


class Unsent(SkypoolError):
    """None of what was sent arrived."""

    code = "unsent"


# -- upkeep


def _verify(context: Context, body: Mapping[str, Any]) -> Plan:
    pool = context.pools[body["pool"]]
    quick = bool(body.get("quick"))
    if not pool.exists:
        raise NotFound(f"the pool {body['pool']!r} is empty")

    def work(job: Job) -> Any:
        report = pool.verify(quick=quick, progress=job.progress)
        problems = [str(problem) for problem in report.problems]
        for text in problems[:SHOWN]:
            job.fail("damaged", text, "`skypool verify --repair` heals what can be healed")
        for item in report.unreadable[:SHOWN]:
            job.fail("unreadable", str(item), "whoever may read it can verify what it holds")
        return {"sound": report.ok, "problems": len(problems)}

    return Plan(
        f"verify {pool_name(pool)}",
        work,
        code(
            f"{pool_expression(pool)}.verify({'quick=True' if quick else ''})",
            command_of(pool, "verify", *(["--quick"] if quick else [])),
        ),
    )


#: What makes the plan of each action.
FILES: Final[Mapping[str, Callable[[Context, Mapping[str, Any]], Plan]]] = {
    "add": _add,
    "export": _export,
    "zip": _zip,
    "copy": _copy,
    "send": _send,
    "receive": receive,
    "verify": _verify,
}
