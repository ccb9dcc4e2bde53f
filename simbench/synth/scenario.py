"""Generate a capture of a market that never was: a scenario, a protocol, lines A and B; same seed, same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from simbench.errors import SimbenchError
from simbench.synth.convert import checked_lines, midnight_of, parse_date
from simbench.synth.lines import LineWriter, feed_text
from simbench.synth.packing import LIMIT, WINDOW_NS
from simbench.synth.request import Generator, Request
from simbench.synth.timeline import make_timeline

if TYPE_CHECKING:
    from datetime import date as day_of
    from os import PathLike

GENERATORS: Final = {"nasdaq.itch50": "simbench.synth.itch", "cme.mdp3": "simbench.synth.mdp3"}
DATE: Final = "2025-06-18"  # a Wednesday on which the Federal Reserve announced at 14:00
INSTRUMENTS: Final = 64
SNAPSHOTS_S: Final = 1.0  # from one loop of snapshots to the next
SHORTEST_LOOP_S: Final = 0.001


@dataclass(frozen=True)
class Generated:
    """What came of it.

    Attributes:
        scenario: its name.
        protocol: likewise.
        seed: with which the same arguments give the same bytes.
        messages: of each line.
        datagrams: of each line, heartbeats and the like included.
        recovery: datagrams of the feeds beside the lines.
        frames: of all lines.
        bytes: of one line's payloads.
        first_ns: stamp of the first frame, ns since 1970.
        last_ns: stamp of the last.
        feed: text of a feed.toml for the capture.
    """

    scenario: str
    protocol: str
    seed: int
    messages: int
    datagrams: int
    recovery: int
    frames: int
    bytes: int
    first_ns: int
    last_ns: int
    feed: str


def generate(
    scenario: str,
    output: str | PathLike[str],
    protocol: str = "nasdaq.itch50",
    *,
    seed: int = 1,
    seconds: float | None = None,
    messages: int | None = None,
    rate: float | None = None,
    instruments: int = INSTRUMENTS,
    live_orders: int | None = None,
    lines: int = 2,
    date: str | day_of = DATE,
    window_ns: int = WINDOW_NS,
    limit: int = LIMIT,
    snapshots: float | None = None,
    binary: str | PathLike[str] | None = None,
) -> Generated:
    """Write a capture.

    Args:
        scenario: calm, open or announcement, see timeline.py.
        output: the capture.
        protocol: nasdaq.itch50 or cme.mdp3.
        seed: of everything random.
        seconds: length of the run; 10, or what the messages take.
        messages: exactly so many, openings and ends included.
        rate: messages a second while it is calm.
        instruments: how many.
        live_orders: in the books once they have filled.
        lines: 1 or 2.
        date: the day, local to the venue.
        window_ns: how long a datagram stays open, see packing.py.
        limit: bytes of payload at most.
        snapshots: seconds from one loop of snapshots to the next, 0 for none; 1 where the venue multicasts them.
        binary: where to write the same messages as an ITCH BinaryFILE as well.

    Raises:
        SimbenchError: an argument makes no sense, or nothing can be written.
    """
    if protocol not in GENERATORS:
        raise SimbenchError(f"protocol {protocol!r} cannot be generated; take one of {', '.join(GENERATORS)}")
    if seed < 0:
        raise SimbenchError(f"seed must not be negative, as {seed} is")
    generator = cast("Generator", import_module(GENERATORS[protocol]))
    timeline = make_timeline(scenario, seconds=seconds, messages=messages, rate=rate)
    midnight = midnight_of(parse_date(date), generator.TIMEZONE)
    request = Request(
        timeline=timeline,
        start_ns=timeline.start_ns(midnight),
        midnight_ns=midnight,
        seed=seed,
        instruments=instruments,
        live_orders=live_orders,
        window_ns=window_ns,
        limit=limit,
        snapshot_ns=_snapshot_ns(snapshots, protocol, generator),
        binary=Path(binary) if binary is not None else None,
    )
    channel_lines = generator.LINES[: checked_lines(lines)]
    feeds = generator.FEEDS if request.snapshot_ns else ()
    with LineWriter(output, channel_lines, seed, feeds) as writer:
        for block in generator.datagrams(request):
            writer.write(block)
    written = writer.written
    return Generated(
        scenario=scenario,
        protocol=protocol,
        seed=seed,
        messages=written.messages,
        datagrams=written.datagrams,
        recovery=written.recovery,
        frames=written.frames,
        bytes=written.bytes,
        first_ns=written.first_ns,
        last_ns=written.last_ns,
        feed=feed_text(generator.VENUE, generator.CHANNEL, protocol, channel_lines, generator.TIMEZONE, feeds),
    )


def _snapshot_ns(seconds: float | None, protocol: str, generator: Generator) -> int:
    """Return the cycle of snapshots that is asked for.

    Raises:
        SimbenchError: it makes no sense, or the venue has no multicast of them.
    """
    if seconds is None:
        seconds = SNAPSHOTS_S if generator.FEEDS else 0.0
    if seconds and not generator.FEEDS:
        raise SimbenchError(f"{protocol} has no snapshots on multicast; leave that out")
    if seconds and not SHORTEST_LOOP_S <= seconds < 1e6:
        raise SimbenchError(f"snapshots must be 0 for none, or {SHORTEST_LOOP_S} seconds and more, not {seconds}")
    return round(seconds * 1e9)
