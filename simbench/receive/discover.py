"""Find a capture's feed: the definition given, the one beside it, or by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from simbench.capture.dissect import Dissector
from simbench.capture.summary import group_text, source_text
from simbench.errors import SimbenchError
from simbench.feed.definition import Feed, parse
from simbench.feed.detect import Observation
from simbench.feed.detect import feed as feed_of
from simbench.kernel.pure import hash_bytes
from simbench.protocol.contract import HEADER, Options, new_state
from simbench.protocol.registry import guess, load, names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simbench.capture.reader import Capture
    from simbench.protocol.contract import Protocol

DEFINITION: Final = "feed.toml"
SAMPLES: Final = 16  # datagrams of a flow that tell its protocol
ENOUGH_FRAMES: Final = 40_000  # frames that tell which flows are lines of one channel
TIMEZONES: Final = {"nasdaq.itch50": "America/New_York"}


def find_feed(
    capture: Capture, *, feed: Path | None, protocol: str | None, schema: Path | None
) -> tuple[Feed, tuple[str, ...]]:
    """Return the feed of a capture and what the user should know of how it was found.

    Args:
        capture: opened.
        feed: a feed.toml; the one beside the capture is taken where None, and where there is none, it is looked for.
        protocol: of every channel, instead of what the definition says or looking finds.
        schema: of every channel, likewise.
    """
    beside = capture.path.parent / DEFINITION
    notes: tuple[str, ...] = ()
    path = feed or (beside if beside.is_file() else None)
    if path is not None:
        found = read(path)
        return adapted(found, protocol, schema), notes
    found = look(capture, protocol, schema)
    lines = "; ".join(
        f"{channel.protocol} on "
        + ", ".join(f"{line.name} {line.group}" for line in channel.lines)
        + "".join(f", {other.role} {other.group}" for other in channel.feeds)
        for channel in found.channels
    )
    return found, (f"found by looking: {lines}",)


def look(capture: Capture, protocol: str | None = None, schema: Path | None = None) -> Feed:
    """Find the channels of a capture by looking at the first datagrams of each flow.

    Args:
        capture: opened.
        protocol: that all of them speak; guessed from each flow's payloads where None.
        schema: of the protocol.

    Raises:
        SimbenchError: no flow shows the signs of exactly one protocol.
    """
    dissector = Dissector(checksums="ignore")
    samples: dict[int, list[bytes]] = {}
    watchers: dict[int, _Watcher | None] = {}
    seen = 0
    for block in capture.blocks():
        dissector.dissect(block)
        for frame in block.frames[block.frames["flow"] >= 0]:
            flow, start = int(frame["flow"]), int(frame["payload"])
            end = start + int(frame["payload_length"])
            if flow not in watchers:
                samples.setdefault(flow, []).append(block.data[start:end].tobytes())
                if len(samples[flow]) >= SAMPLES:
                    watchers[flow] = _watch(samples.pop(flow), dissector.flows[flow], protocol, schema)
                continue
            watcher = watchers[flow]
            if watcher is not None:
                watcher.take(block.data[start:end])
        seen += len(block.frames)
        if seen >= ENOUGH_FRAMES:
            break
    for flow, payloads in samples.items():
        watchers[flow] = _watch(payloads, dissector.flows[flow], protocol, schema)
    found = [
        watcher.observation for watcher in watchers.values() if watcher is not None and watcher.observation.packets
    ]
    if not found:
        raise SimbenchError(
            f"no feed of a known protocol in {capture.path}; name one with --protocol ({', '.join(names())}) "
            "or describe it with --feed feed.toml"
        )
    return feed_of(found, TIMEZONES)


class _Watcher:
    """Frames the datagrams of one flow with its protocol and remembers the packets."""

    def __init__(self, group: str, source: str, protocol: Protocol, schema: Path | None) -> None:
        self.observation = Observation(group, source, protocol.name)
        self._protocol = protocol
        self._state = new_state(protocol, Options(schema=None if schema is None else str(schema)))
        self._header = np.zeros(1, HEADER)

    def take(self, payload: NDArray[np.uint8]) -> None:
        """Remember the packets of a datagram, uint8[n]; a malformed header ends it."""
        data = payload.copy()  # contiguous and writable, as kernels are compiled for
        at, header = 0, self._header[0]
        while at < len(data) and self._protocol.frame(data, at, len(data), self._state, self._header) >= 0:
            if header["units"] > 0 and not header["flags"]:
                digest = hash_bytes(data, int(header["start"]), int(header["end"]))
                session, stream, first, units = (int(header[name]) for name in ("session", "stream", "first", "units"))
                self.observation.note(session, stream, first, units, int(digest))
            at = max(at + 1, int(header["end"]))


def _watch(payloads: list[bytes], flow: Any, protocol: str | None, schema: Path | None) -> _Watcher | None:
    """Return who watches a flow, with its first datagrams taken; None where its protocol is not known."""
    spoken = guess(payloads)
    if protocol is not None:
        named = load(protocol)
        if spoken is None and not any(named.detect(payload) for payload in payloads if payload):
            return None
        spoken = named
    if spoken is None:
        return None
    watcher = _Watcher(group_text(flow), source_text(flow), spoken, schema)
    watcher.observation.snapshots = any(spoken.is_snapshot(payload) for payload in payloads)
    for payload in payloads:
        watcher.take(np.frombuffer(payload, np.uint8))
    return watcher


def read(path: Path) -> Feed:
    """Read a feed.toml; a schema that it names lies relative to it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SimbenchError(f"{path} is not text; a feed definition is TOML") from None
    found = parse(text, where=str(path))
    channels = tuple(
        msgspec.structs.replace(channel, schema=str(path.parent / channel.schema)) if channel.schema else channel
        for channel in found.channels
    )
    return msgspec.structs.replace(found, channels=channels)


def adapted(feed: Feed, protocol: str | None, schema: Path | None) -> Feed:
    """Return a feed with the protocol and the schema that the user named, on every channel."""
    changes = {"protocol": protocol, "schema": None if schema is None else str(schema)}
    changes = {key: value for key, value in changes.items() if value is not None}
    if not changes:
        return feed
    channels = tuple(msgspec.structs.replace(channel, **changes) for channel in feed.channels)
    return msgspec.structs.replace(feed, channels=channels)
