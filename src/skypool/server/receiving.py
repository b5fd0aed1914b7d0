"""The action that takes what other programs send into a pool, until it is ended."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import Conflict, MissingDependency, Unreachable
from skypool.pool.resolve import check_name
from skypool.server.actions_change import Plan
from skypool.server.code_lines import pool_name
from skypool.server.echo import code, command_of, pool_expression
from skypool.server.facts import label_of
from skypool.server.jobs import Cancelled

if TYPE_CHECKING:
    from skypool.server.context import Context
    from skypool.server.jobs import Job

__all__ = ["receive"]

_UNDER: Final = "received"
# How soon the end of a job is noticed, in seconds.
_LOOK: Final = 0.2
# Names that the result holds.
_TOLD: Final = 100


class _Taking:
    """Which pool takes what is sent: one of a server, as programs tell them by one name."""

    def __init__(self, _: Context) -> None:
        self.lock = threading.Lock()


def receive(context: Context, body: Mapping[str, Any]) -> Plan:
    """Return the plan of a job that takes what is sent, until it is cancelled.

    Parameters
    ----------
    context
        What the routes share.
    body
        `pool`, `under`, and `count`, after how many it ends.
    """
    senders = context.senders
    if senders is None or not hasattr(senders, "receiver"):
        raise MissingDependency(
            "this server cannot receive from other programs",
            hint="start it with `skypool ui`, with pyvo installed: pip install 'skypool[vo]'",
        )
    label = body["pool"]
    pool = context.pools.changeable(label)
    under = body.get("under", _UNDER).strip("/")
    if under:
        check_name(under)
    lock = context.part(_Taking).lock

    def work(job: Job) -> Any:
        if not lock.acquire(blocking=False):
            raise Conflict("this server receives already", hint="end that job first")
        try:
            with senders.receiver(pool, under=under) as receiver:
                return _take(job, receiver, label, body.get("count", 0))
        finally:
            lock.release()

    return Plan(
        f"receive from other programs into {pool_name(pool)}",
        work,
        code(
            "from skypool.vo import Receiver\n"
            f"with Receiver({pool_expression(pool)}) as receiver:\n"
            "    received = receiver.wait()",
            command_of(pool, "receive"),
        ),
        stays=True,
    )


def _take(job: Job, receiver: Any, label: str, wanted: int) -> dict[str, Any]:
    """Tell of what comes, until the job is cancelled or so many came."""
    refs: list[str] = []
    count = 0
    try:
        job.tell(0, wanted, "products", "waiting")
        while not wanted or count < wanted:
            came = receiver.wait(_LOOK)
            job.check()
            if came is None and not receiver.connected:
                raise Unreachable("the SAMP hub has ended", hint="receive once more")
            if came is None:
                continue
            if came.ref is None:
                why = f"from {came.sender}: {came.problem}"
                job.fail("not_taken", why)
                job.tell(count, name=f"not taken {why}")
                continue
            count += 1
            refs = [*refs, label_of(came.ref, label)][-_TOLD:]
            job.tell(count, name=f"{came.ref.name} from {came.sender}", now=True)
    except Cancelled:
        pass  # what came stays: it ends as it should
    return {"count": count, "refs": refs}
