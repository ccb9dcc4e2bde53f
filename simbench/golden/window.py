"""A golden of what somebody looks at: frames of a capture, its feed and its expectation, in a folder of its own.

The frames of the feed are kept as they were captured. Books are made of everything before, so the new capture begins
where the old one does, unless a beginning is asked for: then what must come out are the books of a receiver that joins
there, knowing nothing. A terminal cuts in a process of its own, beside a run.
"""

from __future__ import annotations

import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.capture.writer import PcapWriter
from simbench.errors import SimbenchError
from simbench.feed.definition import Feed, dump, parse
from simbench.golden.expectation import write
from simbench.replay.schedule import chooser, endpoints

if TYPE_CHECKING:
    from simbench.capture.reader import Capture

CHECKPOINTS: Final = 16
FOREVER: Final = (1 << 63) - 1  # ns
USAGE: Final = 2  # exit code of what cannot be done


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be cut.

    Attributes:
        capture: path.
        feed: text of its feed.toml.
        until_ns: recorded time; frames that are later are left out.
        folder: new; made by this.
        since_ns: recorded time; frames that are earlier are left out; 0 none.
    """

    capture: str
    feed: str
    until_ns: int
    folder: str
    since_ns: int = 0


@dataclass(frozen=True)
class Cut:
    """What was written: how many frames, from when to when."""

    frames: int
    first_ns: int
    last_ns: int


def cut(config: Config, checkpoints: int = CHECKPOINTS, *, schema: Path | None = None, checksum: str = "auto") -> Cut:
    """Write the folder; nothing is left of it where that fails.

    Args:
        config: what is to be cut.
        checkpoints: moments on the way at which books are compared as well.
        schema: SBE schema of the user's own.
        checksum: what a wrong one means: auto, verify, ignore.

    Raises:
        SimbenchError: it is there already, the disk is full, there is nothing to cut, or the books would be empty.
    """
    folder = Path(config.folder)
    if folder.exists():
        raise SimbenchError(f"{folder} exists already; name a new folder")
    feed = parse(config.feed)
    part = folder.with_name(f".{folder.name}.part")
    try:
        part.mkdir(parents=True)
        done = _frames(open_capture(config.capture), feed, config, part / "capture.pcap")
        (part / "feed.toml").write_text(dump(feed), encoding="utf-8")
        write(part, checkpoints, schema=schema, checksum=checksum)
        part.rename(folder)
    except FileExistsError:
        raise SimbenchError(f"{folder} is being written already, or {part} is left of an attempt") from None
    except OSError as error:
        _remove(part)
        raise SimbenchError(f"cannot write {folder}: {error.strerror}") from None
    except SimbenchError as error:
        _remove(part)
        raise SimbenchError(str(error).replace(str(part), str(folder))) from None
    except BaseException:
        _remove(part)
        raise
    return done


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _frames(capture: Capture, feed: Feed, config: Config, path: Path) -> Cut:
    """Copy the frames of a feed that are wanted, in the order of the file."""
    ends = endpoints(feed)
    if any(end.interface is not None or end.capture is not None for end in ends):
        raise SimbenchError("lines that are told apart by interface or capture cannot be cut into one pcap")
    choose, dissector = chooser(ends), Dissector(checksums="ignore")
    links = {interface.link for interface in capture.interfaces}
    wanted = np.zeros(0, np.bool_)
    count, first_ns, last_ns = 0, 0, 0
    with PcapWriter(path, next(iter(links))) as writer:
        for block in capture.blocks():
            dissector.dissect(block)
            flows = dissector.flows
            if len(flows) > len(wanted):
                wanted = np.array([choose(flow) for flow in flows], np.bool_)
            frames = block.frames
            within = (frames["stamp"] >= config.since_ns) & (frames["stamp"] <= config.until_ns)
            kept = frames[(frames["flow"] >= 0) & within]
            kept = kept[wanted[kept["flow"]]]
            if len(kept) == 0:
                continue
            links |= set(kept["link"].tolist())
            if len(links) > 1:
                raise SimbenchError("a capture of several link types cannot be cut into one pcap")
            writer.write(kept["stamp"], block.data, kept["offset"], kept["captured"], kept["wire"])
            first_ns = min(first_ns or FOREVER, int(kept["stamp"].min()))
            last_ns = max(last_ns, int(kept["stamp"].max()))
            count += len(kept)
    if count == 0:
        raise SimbenchError(
            "there is no frame of the feed " + ("in that time" if config.since_ns else "up to that time")
        )
    return Cut(count, first_ns, last_ns)


def _interrupted(_number: int, _frame: object) -> None:
    raise SystemExit(USAGE)


def main() -> int:
    """Cut what the JSON on stdin says; say in a line what was written, or on stderr why nothing was."""
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config)
        done = cut(config)
    except (SimbenchError, msgspec.MsgspecError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - what this process says to the user
        return USAGE
    print(msgspec.json.encode(done).decode())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
