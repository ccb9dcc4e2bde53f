"""The result of several receivers, each of which owns some channels of one feed, in the shape of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.receive import result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.receive.receiver import Receiver

COUNTS = ("datagrams", "recovery_datagrams", "other_frames", "checksum_lost")


def build(receivers: Sequence[Receiver], owners: Sequence[int], capture: dict[str, Any]) -> dict[str, Any]:
    """Return everything that the receivers found, each channel as its owner has it.

    Args:
        receivers: by queue, after their last frames.
        owners: the queue of each channel, by its number.
        capture: what is known of the wire; counts of the feed's datagrams are added.
    """
    parts = [result.build(receiver, capture) for receiver in receivers]
    books: list[tuple[int, dict[str, Any]]] = []
    for receiver, part in zip(receivers, parts, strict=True):
        channels = np.sort(receiver.state.books.instruments["channel"], kind="stable")  # as the books are sorted
        books += zip(channels.tolist(), part["books"], strict=True)
    return {
        **parts[0],
        "capture": {**capture, **{name: sum(part["capture"][name] for part in parts) for name in COUNTS}},
        "messages": _messages([part["messages"] for part in parts]),
        "channels": [parts[owner]["channels"][number] for number, owner in enumerate(owners)],
        "anomalies": {name: sum(part["anomalies"][name] for part in parts) for name in parts[0]["anomalies"]},
        "books": [book for _, book in sorted(books, key=lambda each: each[0])],
    }


def _messages(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found = {name: sum(part[name] for part in parts) for name in parts[0] if name != "by_type"}
    kinds = sorted({kind for part in parts for kind in part["by_type"]})
    by_type = {kind: sum(part["by_type"].get(kind, 0) for part in parts) for kind in kinds}
    return {name: by_type if name == "by_type" else found[name] for name in parts[0]}
