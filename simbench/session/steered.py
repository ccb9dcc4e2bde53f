"""A run over several queues: what it cannot be joined with, its steering, and its cores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from simbench.errors import SimbenchError
from simbench.steering.table import MOST_QUEUES, by_hash, by_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.feed.definition import Feed
    from simbench.receive.offline import Source
    from simbench.session.plan import Plan
    from simbench.steering.table import Steering


def check_queues(plan: Plan, recovered: Sequence[int]) -> None:
    """Refuse, in one line, what several queues cannot be joined with.

    Args:
        plan: of the run.
        recovered: channels whose missing messages are asked for.
    """
    if plan.queues > MOST_QUEUES:
        raise SimbenchError(f"--queues {plan.queues}: a run takes at most {MOST_QUEUES}")
    if plan.wire not in {"auto", "veth"}:
        raise SimbenchError(f"--queues needs --wire veth: {plan.wire} has one queue")
    if plan.stack != "xdp":
        raise SimbenchError(f"--queues needs --stack xdp: {plan.stack} sockets do not know which queue a frame came on")
    if recovered:
        raise SimbenchError("--queues and --recover retransmit cannot be joined; say --recover none")


def steering_of(plan: Plan, source: Source, feed: Feed, made: Feed | None) -> Steering:
    """Return the steering of a plan with several queues.

    Args:
        plan: of the run.
        source: the capture.
        feed: the channels, with the flows that the replayer makes.
        made: channels with these flows alone; None without any.
    """
    if plan.rules is not None:
        return by_rules(feed, plan.rules, plan.queues, made)
    from simbench.steering.load import weigh

    return by_hash(feed, weigh(source.capture.path, feed), plan.queues, as_recorded=plan.as_recorded)


def receiving_cores(queues: int, *, pinned: bool) -> tuple[int, ...]:
    """Return the core of each queue's thread, the sender's left out, in turns; -1 where it is not pinned."""
    usable = sorted(os.sched_getaffinity(0))[1:]
    if not pinned or not usable:
        return (-1,) * queues
    return tuple(usable[queue % len(usable)] for queue in range(queues))


def crowded(queues: int) -> bool:
    """Tell whether threads share a core: then one that spins would keep the others from theirs."""
    return queues > 1 and len(os.sched_getaffinity(0)) - 1 < queues


def queues_told(steering: Steering, sent: dict[str, Any], received: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what `run --json` says of the steering and of each queue.

    Args:
        steering: of the run.
        sent: what the sender end says of its queues.
        received: what the receiver says of its.
    """
    return {
        "steering": {"name": steering.name, "split": list(steering.split), "unnamed": sent["unnamed"]},
        "queues": [{**queue, "sent": count} for queue, count in zip(received, sent["sent"], strict=True)],
    }
