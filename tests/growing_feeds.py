"""Captures that need more room than a sequencer starts with: channels, holes, long datagrams; and where it grew."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from small_feeds import ITCH, MDP3, frames, make, rewrite

from simbench.feed import layout as at
from simbench.receive import pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from small_feeds import Frame

    from simbench.receive.offline import Offline

CHANNELS = 20
LATE_NS = 5_000_000  # less than a hole is waited for
HEAD = 20  # bytes of a MoldUDP64 header, which is not kept of a packet that waits
DAMAGE = b"I"  # the longest type: no other message is long enough for it


def feed(path: Path) -> str:
    """Return the definition beside a capture."""
    return (path.parent / "feed.toml").read_text(encoding="utf-8")


def with_holes(folder: Path) -> Path:
    """Make a capture of which neither line has every second datagram, 10 us apart: hundreds are waited for at once."""
    path = make(folder / "whole", ITCH, 4000, rate=100_000.0, window_ns=1)
    return rewrite(folder / "holes", [frame for frame in frames(path, ITCH) if frame.sequence % 2], feed(path))


def with_damage(folder: Path) -> Path:
    """Make a capture in which every second datagram cannot be decoded."""
    path = make(folder / "whole", ITCH, 2000, window_ns=1)
    every = frames(path, ITCH)
    for frame in every:
        if frame.units and frame.sequence % 2:
            frame.patch(HEAD + 2, DAMAGE)
    return rewrite(folder / "damage", every, feed(path))


def with_channels(folder: Path) -> Path:
    """Make a capture of the same market on many channels."""
    path = make(folder / "one", MDP3, 300)
    every: list[Frame] = []
    texts = []
    for number in range(CHANNELS):
        shift = 100 * number
        for frame in frames(path, MDP3):
            frame.data[frame.payload - 6 : frame.payload - 4] = (frame.port + shift).to_bytes(2, "big")
            frame.data[frame.payload - 2 : frame.payload] = b"\0\0"
            every.append(frame)
        ports = {f":{port}": f":{port + shift}" for port in (14999, 15999)}
        text = feed(path).replace('"999"', f'"{number}"')
        texts.append(re.sub("|".join(ports), lambda found, ports=ports: ports[found[0]], text))
    return rewrite(folder / "many", sorted(every, key=lambda frame: frame.stamp), "\n".join(texts))


def with_long_datagrams(folder: Path) -> Path:
    """Make a capture in which short datagrams and then one of several kilobytes wait for one that is late."""
    path = make(folder / "prompt", ITCH, 20_000, rate=30_000.0, window_ns=1_200_000, limit=8000)
    every = frames(path, ITCH)
    long = next(place for place, frame in enumerate(every) if len(frame.data) - frame.payload > HEAD + 2048)
    sequences = sorted({frame.sequence for frame in every[:long] if frame.units})
    assert len(sequences) > 4
    for frame in every:
        if frame.units and frame.sequence == sequences[-3]:
            frame.stamp += LATE_NS
    return rewrite(folder / "long", sorted(every, key=lambda frame: frame.stamp), feed(path))


@dataclass
class Growth:
    """Where a pipeline stood each time its sequencer had to grow.

    Attributes:
        at: "offer", "damage" or "time".
        held: packets that waited then.
    """

    at: list[str] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def watch(self, run: Offline) -> None:
        """Note it of a run that has not begun."""
        words, sequencer = run.receiver.state.words, run.receiver.state.sequencer
        plain = sequencer.grow

        def grow() -> None:
            damaged, offering = words[pipeline.DAMAGED] != at.NIL, words[pipeline.FRAMED] != 0
            self.at.append("damage" if damaged else "offer" if offering else "time")
            self.held.append(int(sequencer.memory[at.SLOT + at.T_USED]))
            plain()

        sequencer.grow = grow  # type: ignore[method-assign]
