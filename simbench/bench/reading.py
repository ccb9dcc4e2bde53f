"""Reading and indexing a capture: frames a second beside dpkt, from a plain and from a gzip-compressed file."""

from __future__ import annotations

import gzip
import itertools
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dpkt

from simbench.bench.report import Range, Section, Target
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE: Final = "Reading and indexing"
METHOD: Final = (
    "A generated day in the page cache, one process, repeats interleaved, processor time. Reading: where each frame "
    "starts, its length and its stamp. Indexing: that, and its UDP payload and flow (simbench verifies no checksum "
    "here, as dpkt does not). dpkt 1.9.8 reads by dpkt.pcap.UniversalReader and indexes by dpkt.ethernet.Ethernet, of "
    "a gzip file through Python's gzip; it is stopped after so many frames that it takes a second or two."
)
HEADER: Final = ("file", "reader", "M frames/s, median (low to high)", "GB/s of capture")
READ, INDEX = "reading", "reading and indexing"
PLAIN, GZIP = "pcap", "pcap.gz"
MESSAGES: Final = 4_000_000
THEIRS: Final = {READ: 1_000_000, INDEX: 100_000}  # frames at most
BOUNDS: Final = {READ: 20.0, INDEX: 100.0}  # times dpkt, of a plain file


@dataclass
class Reading:
    """Frames a second, one entry a repeat, by (file, what was done).

    Attributes:
        frame_bytes: of the capture, a frame, on average.
        ours: simbench's.
        theirs: dpkt's.
    """

    frame_bytes: float
    ours: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    theirs: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = []
        for (kind, work), rates in self.ours.items():
            for name, each in (("simbench", rates), ("dpkt", self.theirs[kind, work])):
                rate = Range.of(value / 1e6 for value in each)
                gigabytes = f"{rate.median * self.frame_bytes / 1e3:.2f}"
                rows.append((kind, f"{name}, {work}", rate.text(), gigabytes))
        targets = tuple(
            Target(
                f"{work}, simbench / dpkt",
                Range.of_ratios(self.ours[PLAIN, work], self.theirs[PLAIN, work]),
                bound,
                at_most=False,
            )
            for work, bound in BOUNDS.items()
        )
        return Section(TITLE, METHOD, HEADER, tuple(rows), targets)


def reading(*, quick: bool = False) -> Reading:
    """Measure: generate, compress, warm both up, interleave the repeats."""
    part = 10 if quick else 1
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        plain, packed = Path(folder, "day.pcap"), Path(folder, "day.pcap.gz")
        made = generate("calm", plain, messages=MESSAGES // part, rate=100_000.0, instruments=500, lines=1)
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        found = Reading(plain.stat().st_size / made.frames)
        for turn in range(1 + (3 if quick else 5)):
            for kind, path in ((PLAIN, plain), (GZIP, packed)):
                for work in (READ, INDEX):
                    index = work == INDEX
                    ours = _rate(partial(take, path, index=index))
                    theirs = _rate(partial(take_by_dpkt, path, THEIRS[work] // part, index=index))
                    if turn > 0:  # the first one warms up
                        found.ours.setdefault((kind, work), []).append(ours)
                        found.theirs.setdefault((kind, work), []).append(theirs)
    return found


def take(path: Path, *, index: bool) -> int:
    """Read a capture as everything here does; return the number of frames.

    Args:
        path: the capture.
        index: whether each frame's payload and flow are found as well.
    """
    frames = 0
    dissector = Dissector(checksums="ignore")
    for block in open_capture(path).blocks():
        if index:
            dissector.dissect(block)
        frames += len(block.frames)
    return frames


def take_by_dpkt(path: Path, most: int, *, index: bool) -> int:
    """Likewise with dpkt, up to so many frames."""
    frames = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        flows: dict[tuple[bytes, bytes, int], int] = {}
        for _stamp, data in itertools.islice(dpkt.pcap.UniversalReader(stream), most):
            frames += 1
            if index:
                packet = dpkt.ethernet.Ethernet(data).data
                flow = (packet.src, packet.dst, packet.data.dport)
                flows[flow] = flows.get(flow, 0) + len(packet.data.data)
    return frames


def _rate(work: Callable[[], int]) -> float:
    start = time.process_time()
    frames = work()
    return frames / (time.process_time() - start)
