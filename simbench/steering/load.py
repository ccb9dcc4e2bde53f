"""What a capture's flows weigh: datagrams in all, and in the busiest millisecond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.address import address_of
from simbench.capture.bursts import BurstProfile
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.receive.pipeline import NOT_FEED, ROLE_LINE
from simbench.receive.routes import Router
from simbench.replay.rebuild import sources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simbench.address import Address
    from simbench.feed.definition import Feed

BUSIEST_NS: Final = 1_000_000
UDP_HEADER: Final = 8
MOST_PORTS: Final = 1 << 16


@dataclass(frozen=True)
class Flow:
    """Packets that every hash sends to the same queue.

    Attributes:
        source: address.
        source_port: likewise.
        group: destination address.
        port: likewise.
        channel: number of the channel whose line or recovery feed it is; -1 none of the feed's.
        role: "A", "B", ...: the line's name; else the role of the feed, or "other".
        datagrams: in all.
        busiest: in the busiest millisecond.
        rebuilt: source address that its frames are rebuilt with.
    """

    source: Address
    source_port: int
    group: Address
    port: int
    channel: int
    role: str
    datagrams: int
    busiest: int
    rebuilt: Address


@dataclass(frozen=True)
class Load:
    """A capture's flows.

    Attributes:
        flows: in order of sight.
        busiest_ns: stamp of the first frame of the busiest millisecond.
    """

    flows: tuple[Flow, ...]
    busiest_ns: int


def weigh(path: Path, feed: Feed) -> Load:
    """Read a capture twice: for its busiest millisecond, and for what each flow had then and in all.

    Args:
        path: of the capture.
        feed: whose channels the flows are of.
    """
    profile = BurstProfile()
    for block in open_capture(path).blocks():
        profile.add(block.frames["stamp"].copy())
    first = next(burst.stamp for burst in profile.bursts() if burst.span_ns == BUSIEST_NS)

    dissector = Dissector(checksums="ignore")
    counted: dict[int, list[int]] = {}
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        frames = block.frames[block.frames["flow"] >= 0]
        frames = frames[dissector.flow_table["port"][frames["flow"]] > 0]  # port 0 is nobody's
        at = frames["payload"] - UDP_HEADER
        ports = block.data[at].astype(np.int64) << 8 | block.data[at + 1]
        _count(counted, frames["flow"].astype(np.int64) * MOST_PORTS + ports, frames["stamp"] - first)
    router = Router(feed, snapshots=[True] * len(feed.channels))
    known = dissector.flows, sources(dissector.flows)
    flows = tuple(_flow(*known, router, feed, key, *counts) for key, counts in sorted(counted.items()))
    return Load(flows, first)


def _count(counted: dict[int, list[int]], keys: NDArray[np.int64], since: NDArray[np.int64]) -> None:
    then = (since >= 0) & (since < BUSIEST_NS)
    found, inverse = np.unique(keys, return_inverse=True)
    everything = np.bincount(inverse, minlength=len(found))
    busiest = np.bincount(inverse[then], minlength=len(found))
    for key, whole, part in zip(found.tolist(), everything.tolist(), busiest.tolist(), strict=True):
        counts = counted.setdefault(key, [0, 0])
        counts[0] += whole
        counts[1] += part


def _flow(
    table: NDArray[Any], rebuilt: NDArray[Any], router: Router, feed: Feed, key: int, datagrams: int, busiest: int
) -> Flow:
    flow = table[key // MOST_PORTS]
    route = router.route(flow)
    channel, role = -1, "other"
    if route != NOT_FEED:
        channel, place = route >> 16, route >> 8 & 0xFF
        here = feed.channels[channel]
        if route & 0xFF == ROLE_LINE:
            role = here.lines[place].name
        else:
            role = here.feeds[place].role if place < len(here.feeds) else "retransmission"
    return Flow(
        source=address_of(flow, "source"),
        source_port=key % MOST_PORTS,
        group=address_of(flow, "group"),
        port=int(flow["port"]),
        channel=channel,
        role=role,
        datagrams=datagrams,
        busiest=busiest,
        rebuilt=address_of(rebuilt[key // MOST_PORTS], "source"),
    )
