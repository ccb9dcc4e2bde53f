"""What a user asks a generator for, and what a generator of one protocol offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simbench.synth.packing import LIMIT, WINDOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.synth.lines import Line, SideFeed
    from simbench.synth.packing import Datagrams
    from simbench.synth.timeline import Timeline


@dataclass(frozen=True)
class Request:
    """A feed to be generated.

    Attributes:
        timeline: when messages happen.
        start_ns: the beginning of the run, ns since 1970.
        midnight_ns: local midnight before it, ns since 1970.
        seed: of everything random.
        instruments: how many.
        live_orders: orders in the books once they have filled; None: the generator's own.
        window_ns: how long a datagram stays open, see packing.
        limit: bytes of payload at most.
        snapshot_ns: from one loop of snapshots to the next, where the generator has FEEDS; 0: none.
        binary: where to write the same messages in the venue's file format as well, where it has one.
    """

    timeline: Timeline
    start_ns: int
    midnight_ns: int
    seed: int = 1
    instruments: int = 64
    live_orders: int | None = None
    window_ns: int = WINDOW_NS
    limit: int = LIMIT
    snapshot_ns: int = 0
    binary: Path | None = None


class Generator(Protocol):
    """A module that generates one protocol's feed."""

    VENUE: str
    CHANNEL: str
    TIMEZONE: str  # in which the protocol counts time; "" where it does not
    LINES: tuple[Line, ...]
    FEEDS: tuple[SideFeed, ...]  # of snapshots, beside the lines; none where the venue has no such multicast

    @staticmethod
    def datagrams(request: Request) -> Iterator[Datagrams]:
        """Yield the datagrams of one line, in order of time; a block is valid until the next.

        What the feeds beside it send comes in blocks of their own, each before the block of the line that it lies
        within.
        """
