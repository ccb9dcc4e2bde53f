"""The result of a receiver in the shape of `book --json`; documented in docs/json.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.receive import pipeline
from simbench.receive.settle import settle
from simbench.receive.touched import tell_touched

if TYPE_CHECKING:
    from simbench.receive.receiver import Receiver

SCHEMA = 1
RECOVERY_DATAGRAMS = (pipeline.UNASSIGNED, pipeline.SNAPSHOT_DATAGRAMS, pipeline.ANSWERS)


def build(receiver: Receiver, capture: dict[str, Any], *, books: bool = True) -> dict[str, Any]:
    """Return everything that a receiver found.

    Args:
        receiver: after its last frame.
        capture: what is known of the capture or the wire; counts of the feed's datagrams are added.
        books: whether the final books are part of it.
    """
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "capture": {
            **capture,
            "datagrams": receiver.counter(pipeline.DATAGRAMS),
            "recovery_datagrams": sum(map(receiver.counter, RECOVERY_DATAGRAMS)),
            "other_frames": receiver.counter(pipeline.OTHER),
            "checksum_lost": receiver.counter(pipeline.LOST_CHECKSUM),
        },
        "messages": receiver.messages(),
        "channels": [channel(receiver, number) for number in range(len(receiver.feed.channels))],
        "anomalies": receiver.state.books.anomalies(),
    }
    if books:
        found["books"] = receiver.state.books.to_json(since=True)
    return found


def channel(receiver: Receiver, number: int) -> dict[str, Any]:
    """Return one channel: its lines, other flows, snapshots, epochs, gaps and digests."""
    definition, protocol = receiver.feed.channels[number], receiver.protocol(number)
    sequencer, books = receiver.state.sequencer, receiver.state.books
    names = protocol.sessions(receiver.channel_state(number))
    epochs = sequencer.epochs(number, names)
    now = receiver.counter(pipeline.NOW)
    lines = [line.name for line in definition.lines]
    gaps = sequencer.gaps(number, lines, unit=protocol.sequence_unit)
    tell_touched(gaps, sequencer, books, number)
    settle(gaps, books, number, receiver.restored)
    return {
        "venue": definition.venue,
        "name": definition.name,
        "protocol": definition.protocol,
        "sequence_unit": protocol.sequence_unit,
        "state": sequencer.state(number, now),
        "resets": max(0, len(epochs) - 1),
        "digest": books.digest(number),
        "digest_orders": books.digest_orders(number),
        "epochs": epochs,
        "lines": sequencer.lines(number, [(line.name, line.group) for line in definition.lines], now),
        "feeds": [
            {"role": flow.role, "group": flow.group, **counts}
            for flow, counts in zip(definition.feeds, receiver.flow_counts(number), strict=True)
        ],
        "snapshots": books.snapshots(number),
        "gaps": gaps,
        "recovery": sequencer.answers(number),
    }
