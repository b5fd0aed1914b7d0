"""The routes of work: jobs of all actions, where to send to, the trash."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from skypool.errors import Conflict, NotFound, ReadOnly, SkypoolError
from skypool.server.action_bodies import BODY
from skypool.server.action_results import JOB, JOBS
from skypool.server.actions_change import CHANGES
from skypool.server.actions_files import FILES
from skypool.server.answers import download_headers
from skypool.server.endpoint import Asked, Endpoint, Parameter, items
from skypool.server.facts import label_of
from skypool.server.jobs import Cancelled, Job, Jobs
from skypool.server.schema import listing, record

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["ACTIONS", "routes"]

ACTIONS: Final = {**CHANGES, **FILES}
# These leave pools as they are, so that a read-only server does them too.
_HARMLESS: Final = ("zip", "send", "verify", "export")
# An answer waits so long for what is soon done, in seconds.
_PATIENCE: Final = 2.0
_GROUP: Final = "Work"
_ID: Final = Parameter(name="id", place="path", required=True, summary="of a job")
_JOB: Final = record(["job"], job=JOB)


def _start(asked: Asked) -> Any:
    action = asked.body["action"]
    if action not in _HARMLESS:
        _check_changeable(asked.context)
    body = {key: each for key, each in asked.body.items() if key != "action"}
    plan = ACTIONS[action](asked.context, body)
    jobs = asked.context.part(Jobs)
    if plan.download is not None:
        job = jobs.new(action, plan.text, plan.code)
        job.download = lambda: plan.download(job)
        job.tell(0, 0)
    else:
        job = jobs.start(
            action, plan.work, text=plan.text, code=plan.code, quick=plan.quick, stays=plan.stays
        )
        if plan.quick:
            job.wait(_PATIENCE)
    return {"job": job.to_json()}


def _check_changeable(context: Context) -> None:
    if context.read_only:
        raise ReadOnly("this server is read-only", hint="start it without --read-only")


def _all(asked: Asked) -> Any:
    return {"jobs": [job.to_json() for job in asked.context.part(Jobs).all()]}


def _one(asked: Asked) -> Any:
    return {"job": asked.context.part(Jobs)[asked["id"]].to_json()}


def _cancel(asked: Asked) -> Any:
    return {"job": asked.context.part(Jobs).cancel(asked["id"]).to_json()}


# -- downloads


def _download(asked: Asked) -> Response:
    job = asked.context.part(Jobs)[asked["id"]]
    if job.download is None:
        raise NotFound(f"the job {job.id} has nothing to fetch")
    if job.state != "waiting":
        raise Conflict(f"what the job {job.id} made was fetched already", hint="start another")
    made = job.download()
    job.state = "running"
    headers = download_headers("products.zip")
    return StreamingResponse(_sent(job, made), media_type="application/zip", headers=headers)


async def _sent(job: Job, made: Generator[bytes]) -> AsyncIterator[bytes]:
    """Pass a file on; the job ends with it, or is cancelled where the client goes away."""
    state = "failed"
    try:
        async for piece in iterate_in_threadpool(made):
            if piece:
                yield piece
            job.check()
        state = "done"
    except (Cancelled, CancelledError, GeneratorExit) as ended:
        state = "cancelled"
        if isinstance(ended, Cancelled):
            raise OSError("the download was cancelled") from None
        raise
    except SkypoolError as error:
        job.fail(error.code, error.message, error.hint)
        raise OSError(error.message) from error
    finally:
        made.close()
        job.end(state)


# -- what there is to act on


def _targets(asked: Asked) -> Any:
    sender = asked.context.senders
    if sender is None:
        return {"targets": []}
    return {
        "targets": [
            {
                "id": each.id,
                "name": each.name,
                "kind": each.kind,
                "accepts": list(each.accepts),
                "alive": each.alive,
                "start": each.start,
            }
            for each in sender.targets()
        ]
    }


def _trash(asked: Asked) -> Any:
    pools = asked.context.pools.chosen(asked["pools"])
    return {
        "trash": [
            {
                "ref": label_of(item.ref, label),
                "pool": label,
                "name": item.name,
                "kind": item.ref.kind,
                "type": item.ref.type,
                "version": item.ref.version,
                "size": item.ref.size,
                "commit": item.commit,
                "removed": item.time,
                "author": item.author,
            }
            for label, pool in pools.items()
            for item in pool.trash()
        ]
    }


def _tags(asked: Asked) -> Any:
    counted: dict[str, int] = {}
    for pool in asked.context.pools.chosen(asked["pools"]).values():
        for tag, count in pool.tags.items():
            counted[tag] = counted.get(tag, 0) + count
    return {"tags": [[tag, counted[tag]] for tag in sorted(counted)]}


_POOLS: Final = items("pools", "labels with commas; without it all that are open")


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of work."""
    return [
        Endpoint(
            method="POST", path="jobs", answer=_start, summary="Do something.", status=202,
            body=BODY, result=_JOB, group=_GROUP, body_limit=64 << 20,
        ),
        Endpoint(
            method="GET", path="jobs", answer=_all, summary="Jobs, the newest first.",
            result=JOBS, group=_GROUP,
        ),
        Endpoint(
            method="GET", path="jobs/{id}", answer=_one, summary="A job.", parameters=[_ID],
            result=_JOB, group=_GROUP,
        ),
        Endpoint(
            method="DELETE", path="jobs/{id}", answer=_cancel, summary="Cancel a job.",
            parameters=[_ID], result=_JOB, group=_GROUP,
        ),
        Endpoint(
            method="GET", path="jobs/{id}/download", answer=_download,
            summary="The zip file of a job, made while it is sent.", parameters=[_ID],
            media="application/zip", group=_GROUP,
        ),
        Endpoint(
            method="GET", path="targets", answer=_targets, summary="Where products can be sent.",
            result=record(["targets"], targets=listing(record(more=True))), group=_GROUP,
        ),
        Endpoint(
            method="GET", path="trash", answer=_trash, parameters=[_POOLS],
            summary="Removed products that can be restored, the last removed first.",
            result=record(["trash"], trash=listing(record(more=True))), group=_GROUP,
        ),
        Endpoint(
            method="GET", path="tags", answer=_tags, parameters=[_POOLS],
            summary="All tags, with how many versions carry each.",
            result=record(["tags"], tags=listing(listing())), group=_GROUP,
        ),
    ]  # fmt: skip
