"""What a run is to do, and what of the capture and the host it has to know before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.measure.background import StripMaker
from simbench.measure.names import Names
from simbench.recovery.conduct import Conduct

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.feed.definition import Feed
    from simbench.measure.background import Strip
    from simbench.receive.offline import Source
    from simbench.replay.squeeze import Window
    from simbench.steering.rules import Rule
    from simbench.wire.probe import Capabilities, Choice

BURSTS: Final = 0.01  # share of a capture's strip that is called bursts: as simbench stress has it


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        wire: "auto", "ring", "veth" or "tap".
        stack: "xdp" or "udp" at the receiver.
        wait: "spin" or "block".
        mode: of the XDP program.
        speed: a factor, "max" or "flood".
        max_idle_ns: cap on idle time; 0 none.
        windows: of recorded time that pass faster than the rest, in order.
        from_ns: recorded time to start at; None the beginning.
        to_ns: recorded time to stop at, that of the last frames; None the end.
        cold: with from_ns, without what came before.
        loops: times to replay.
        order: "time" or "file".
        as_recorded: frames as they were captured.
        everything: frames that are not the feed's as well.
        recover: "retransmit", "snapshot", "natural" or "none" for all channels; None as each says itself.
        cycle_ns: from one loop of snapshots to the next, where the replayer has to make them.
        exchange: capture that has what the exchange sent; the one that is replayed where None.
        conduct: how the servers that they ask behave.
        only_line: the one line of every channel that the receiver listens to.
        faults: text of a fault script; "" none.
        queues: of the wire, each with a thread and books of its own.
        rules: group and port to queue; None: a hash over addresses and ports, where there are several queues.
        pinned: whether sender and receivers stay on a core each.
        watched: a terminal runs beside it and needs a core now and then.
        slow_ns: ns that the receiver is made to take longer over every frame: a handler that is too slow.
        entries: frames that a slow receiver can fall behind, a power of two.
    """

    wire: str = "auto"
    stack: str = "xdp"
    wait: str = "spin"
    mode: str = "generic"
    speed: str = "1"
    max_idle_ns: int = 0
    windows: tuple[Window, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    cold: bool = False
    loops: int = 1
    order: str = "time"
    as_recorded: bool = False
    everything: bool = False
    recover: str | None = None
    cycle_ns: int = 1_000_000_000
    exchange: Path | None = None
    conduct: Conduct = field(default_factory=Conduct)
    only_line: str | None = None
    faults: str = ""
    queues: int = 1
    rules: tuple[Rule, ...] | None = None
    pinned: bool = True
    watched: bool = False
    slow_ns: int = 0
    entries: int = 4096


@dataclass(frozen=True)
class Extent:
    """How large a capture is: frames, longest IP packet of its datagrams, first and last stamp; where they lie."""

    frames: int
    mtu: int
    first_ns: int
    last_ns: int
    strip: Strip | None = None


def extent(source: Source) -> Extent:
    """Read a capture once for what a wire has to be laid out for."""
    from simbench.capture.dissect import Dissector

    dissector = Dissector(checksums="ignore")
    strip = StripMaker()
    frames = longest = last = 0
    first = np.iinfo(np.int64).max
    for block in source.capture.blocks():
        dissector.dissect(block)
        frames += len(block.frames)
        longest = max(longest, int(block.frames["payload_length"].max()))
        first = min(first, int(block.frames["stamp"].min()))
        last = max(last, int(block.frames["stamp"].max()))
        strip.add(block.frames["stamp"])
    if frames == 0:
        raise SimbenchError(f"{source.capture.path} holds no frames")
    return Extent(frames, max(1500, longest + 48), first, last, strip.strip(BURSTS))


def choice(wire: str, stack: str, found: Capabilities | None = None) -> Choice:
    """Return the wire and the receiver's stack that a plan comes to here.

    Args:
        wire: of the plan.
        stack: likewise; the usual one asks for nothing where the ring may be chosen.
        found: of probe(); probed where None.
    """
    from simbench.wire.probe import choose

    return choose(wire, None if wire in {"auto", "ring"} and stack in {"", "ring", "xdp"} else stack, found)


def title_of(capture: Path) -> str:
    """Return what a capture is called where it is shown: with its folder, since many a file is called capture.pcap."""
    return "/".join(capture.resolve().parts[1:][-2:])


def cores() -> tuple[int | None, int | None]:
    """Return a core for the sender and one for the receiver; none where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def names(feed: Feed) -> Names:
    """Return what the numbers in a receiver's telemetry are called."""
    from simbench.book.layout import ANOMALIES, REASONS, STANDINGS
    from simbench.feed.layout import CHANNEL_STATES, LINE_STATES, OUTCOMES
    from simbench.protocol.registry import load

    return Names(
        channels=tuple(channel.name for channel in feed.channels),
        lines=tuple(tuple((line.name, line.group) for line in channel.lines) for channel in feed.channels),
        text_keys=tuple(load(channel.protocol, channel.schema).text_key for channel in feed.channels),
        outcomes=tuple(OUTCOMES),
        line_states=tuple(LINE_STATES),
        channel_states=tuple(CHANNEL_STATES),
        states=tuple(STANDINGS),
        reasons=tuple(REASONS),
        anomalies=tuple(ANOMALIES),
    )
