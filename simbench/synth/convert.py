"""Nasdaq's day files as multicast: a BinaryFILE onto lines A and B at its own timestamps.

A message is due at New York's midnight of the day and its own time. Datagrams follow the packing rule of packing.py,
the lines the skew of lines.py, silence the heartbeats of mold.py (one a second); the session ends once. The sequence of
a message is its place in the file, from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date as day_of
from datetime import datetime, time
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from simbench.errors import SimbenchError
from simbench.synth.binaryfile import BinaryFile
from simbench.synth.itch import CHANNEL, LINES, TIMEZONE, VENUE
from simbench.synth.lines import LineWriter, feed_text
from simbench.synth.mold import packets
from simbench.synth.packing import LIMIT, WINDOW_NS

if TYPE_CHECKING:
    from os import PathLike

FIRST_YEAR: Final = 1971  # a pcap holds 1970 to 2106, and a zone may be behind
LAST_YEAR: Final = 2105


@dataclass(frozen=True)
class Converted:
    """What came of a file.

    Attributes:
        messages: converted.
        by_type: how many of each letter.
        backward: messages with an earlier time than the one before; sent with it.
        datagrams: of each line, heartbeats and the end included.
        frames: of all lines.
        first_ns: stamp of the first frame, ns since 1970.
        last_ns: stamp of the last.
        compression: of the file.
        problem: why the file was not used to its end; "" when it was.
        feed: text of a feed.toml for the capture.
    """

    messages: int
    by_type: dict[str, int] = field(default_factory=dict)
    backward: int = 0
    datagrams: int = 0
    frames: int = 0
    first_ns: int = 0
    last_ns: int = 0
    compression: str = "none"
    problem: str = ""
    feed: str = ""


def convert(
    path: str | PathLike[str],
    output: str | PathLike[str],
    date: str | day_of,
    *,
    lines: int = 2,
    window_ns: int = WINDOW_NS,
    limit: int = LIMIT,
    seed: int = 1,
) -> Converted:
    """Convert a BinaryFILE to a capture of MoldUDP64.

    Args:
        path: plain, gzip or zstd, told by content.
        output: the capture.
        date: of the file, which carries none: "2019-12-30".
        lines: how many: 1 or 2.
        window_ns: how long a datagram stays open.
        limit: bytes of payload at most.
        seed: of the second line's jitter.

    Raises:
        SimbenchError: the file is not one, or the date is none, or nothing can be written.
    """
    day = parse_date(date)
    channel_lines = LINES[: checked_lines(lines)]
    midnight = midnight_of(day, TIMEZONE)
    session = f"I{day:%Y%m%d}"
    with BinaryFile(path, midnight) as file, LineWriter(output, channel_lines, seed) as writer:
        for block in packets(file.blocks(), session, window_ns=window_ns, limit=limit):
            writer.write(block)
    return Converted(
        messages=file.messages,
        by_type={chr(letter): int(file.by_type[letter]) for letter in np.flatnonzero(file.by_type)},
        backward=file.backward,
        datagrams=writer.written.datagrams,
        frames=writer.written.frames,
        first_ns=writer.written.first_ns,
        last_ns=writer.written.last_ns,
        compression=file.compression,
        problem=file.problem,
        feed=feed_text(VENUE, CHANNEL, "nasdaq.itch50", channel_lines, TIMEZONE),
    )


def parse_date(date: str | day_of) -> day_of:
    """Return a day that a pcap can hold.

    Raises:
        SimbenchError: it is none.
    """
    try:
        day = day_of.fromisoformat(date) if isinstance(date, str) else date
    except ValueError:
        raise SimbenchError(f"date {date!r} is none; write it as 2019-12-30") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise SimbenchError(f"date {day} is outside {FIRST_YEAR} to {LAST_YEAR}, which a pcap can hold")
    return day


def midnight_of(day: day_of, timezone: str) -> int:
    """Return the midnight at which a day starts in a zone, ns since 1970; "" is UTC.

    Raises:
        SimbenchError: the zone is not known.
    """
    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SimbenchError(f"timezone {timezone!r} is not known; write it as America/New_York") from None
    return int(datetime.combine(day, time(), zone).timestamp()) * 1_000_000_000


def checked_lines(lines: int) -> int:
    """Return the number of lines, or refuse it."""
    if not 1 <= lines <= len(LINES):
        raise SimbenchError(f"lines must be 1 or {len(LINES)}, not {lines}")
    return lines
