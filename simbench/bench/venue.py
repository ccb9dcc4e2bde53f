"""A venue of many channels that never was: as uneven as real ones, and all of them hit by the same news."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.receive.offline import open_source
from simbench.stress.align import merge
from simbench.synth import itch
from simbench.synth.convert import midnight_of, parse_date
from simbench.synth.lines import Line, LineWriter, feed_text
from simbench.synth.request import Request
from simbench.synth.scenario import DATE
from simbench.synth.timeline import make_timeline

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO: Final = "announcement"
SECONDS: Final = 2.0
INSTRUMENTS: Final = 4  # of a channel
LEAST_MESSAGES: Final = 400  # of a channel: its opening and its end are among them
TAIL: Final = 1.2  # shape of the Pareto distribution of channels' sizes: a few have most of the traffic


def write_venue(folder: Path, channels: int, messages: int, seed: int) -> Path:
    """Write a capture of many ITCH channels, lines A and B each, with its feed.toml; return its path.

    Args:
        folder: empty.
        channels: at most 250.
        messages: of all of them, about.
        seed: with which the same arguments give the same bytes.
    """
    parts = folder / "channels"
    parts.mkdir()
    sources = []
    for number, share in enumerate(shares(channels, seed), 1):
        path = parts / str(number) / "capture.pcap"
        path.parent.mkdir()
        lines = tuple(
            Line(name, f"239.{100 + place}.26.{number}:{26_000 + number}", f"10.{100 + place}.26.{number}:26400")
            for place, name in enumerate(("A", "B"))
        )
        _write(path, lines, max(LEAST_MESSAGES, round(messages * share)), seed * 1000 + number)
        text = feed_text(itch.VENUE, f"{number:03}", "nasdaq.itch50", lines, itch.TIMEZONE)
        path.with_name("feed.toml").write_text(text, encoding="utf-8")
        sources.append(open_source(path))
    merged = merge(sources, "clock", folder)
    shutil.rmtree(parts)
    return merged


def shares(channels: int, seed: int) -> list[float]:
    """Return each channel's share of the messages."""
    sizes = np.random.default_rng(seed).pareto(TAIL, channels) + 0.1
    return [float(size) for size in sizes / sizes.sum()]


def _write(path: Path, lines: tuple[Line, ...], messages: int, seed: int) -> None:
    timeline = make_timeline(SCENARIO, seconds=SECONDS, messages=messages)
    midnight = midnight_of(parse_date(DATE), itch.TIMEZONE)
    request = Request(timeline, timeline.start_ns(midnight), midnight, seed, INSTRUMENTS)
    with LineWriter(path, lines, seed) as writer:
        for block in itch.datagrams(request):
            writer.write(block)
