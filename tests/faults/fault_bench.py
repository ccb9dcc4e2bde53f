"""Fault scripts without processes: what a loader would send is written as a capture and rebuilt offline."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from small_feeds import finish

from simbench.capture.writer import write_pcap
from simbench.faults.faults import Faults
from simbench.receive.offline import Offline, open_source
from simbench.replay.loader import Loader
from simbench.replay.schedule import FOREVER, UNBOUND, Options, endpoints

if TYPE_CHECKING:
    from pathlib import Path


class Sent(NamedTuple):
    """A frame as it is scheduled."""

    when: int
    ordinal: int
    part: int
    data: bytes

    @property
    def port(self) -> int:
        """Port it is sent to, which tells the line."""
        return int.from_bytes(self.data[36:38], "big")

    @property
    def payload(self) -> bytes:
        """Its UDP payload, as far as the frame reaches."""
        return self.data[42:]


def load(path: Path, text: str = "", **more: Any) -> Loader:
    """Return a loader of a capture with a fault script; without faults where there is none."""
    source = open_source(path)
    options = {name: more.pop(name) for name in list(more) if name in Options.__dataclass_fields__}
    window = (
        (options.get("from_ns", UNBOUND) if not options.get("primed", True) else UNBOUND),
        options.get("to_ns", FOREVER),
    )
    faults = None
    if text:
        faults = Faults(text, source.feed, source.first_ns, only_line=more.pop("only_line", None), window=window)
    return Loader(
        path,
        Options(verify=source.verify, max_frame=1514, **options),
        endpoints(source.feed),
        faults=faults,
        **more,
    )


def sent(loader: Loader) -> list[Sent]:
    """Return the frames of a loaded schedule in their order."""
    assert loader.resident
    return [
        Sent(
            int(row["recorded"]),
            int(row["ordinal"]) & (1 << 40) - 1,
            int(row["ordinal"]) >> 40,
            loader.data[row["source"] : row["source"] + row["length"]].tobytes(),
        )
        for row in loader.rows
    ]


def offline(loader: Loader, path: Path, folder: Path) -> dict[str, Any]:
    """Return what a receiver makes of a loaded schedule, offline.

    Args:
        loader: of the schedule.
        path: of the capture, beside whose feed.toml it is read.
        folder: that does not exist yet.
    """
    folder.mkdir()
    shutil.copy(path.parent / "feed.toml", folder / "feed.toml")
    lengths = loader.rows["length"].astype(np.int64)
    write_pcap(folder / "capture.pcap", loader.rows["recorded"], loader.data, loader.rows["source"], lengths)
    run = Offline(open_source(folder / "capture.pcap", checksum="verify"))
    finish(run)
    return run.result()


def write(folder: Path, records: list[tuple[int, bytes]], like: Path) -> Path:
    """Write (stamp, frame) records as a capture with the feed.toml of another."""
    shutil.copy(like.parent / "feed.toml", folder / "feed.toml")
    sizes = np.array([len(data) for _, data in records], np.int64)
    data = np.frombuffer(b"".join(data for _, data in records), np.uint8)
    stamps = np.array([stamp for stamp, _ in records], np.int64)
    write_pcap(folder / "capture.pcap", stamps, data, np.cumsum(sizes) - sizes, sizes)
    return folder / "capture.pcap"


def gaps(found: dict[str, Any]) -> list[tuple[int, int, int, int]]:
    """Return (channel, epoch, first, last) of the lost ranges that a receiver reports, neighbours joined."""
    ranges = [
        (number, gap["epoch"], gap["first"], gap["last"])
        for number, channel in enumerate(found["channels"])
        for gap in channel["gaps"]
    ]
    return joined(ranges)


def foreseen(loader: Loader) -> list[tuple[int, int, int, int]]:
    """Return the same as it is foreseen of a schedule, of channels with one stream."""
    return joined([
        (stream["channel"], number, first, last)
        for stream in loader.foreseen["streams"]
        for number, era in enumerate(stream["eras"])
        for first, last in era["gaps"]
    ])  # fmt: skip


def joined(ranges: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return ranges in their order, those that go on from one another as one."""
    found: list[tuple[int, int, int, int]] = []
    for channel, epoch, first, last in sorted(ranges):
        if found and found[-1][:2] == (channel, epoch) and found[-1][3] == first - 1:
            found[-1] = (channel, epoch, found[-1][2], last)
        else:
            found.append((channel, epoch, first, last))
    return found
