"""Which channel and line a flow belongs to, by the feed's definition."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from simbench.address import address_of
from simbench.feed.definition import split_group
from simbench.receive.pipeline import NOT_FEED, ROLE_LINE, ROLE_OTHER, ROLE_SNAPSHOT, retransmission_route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.address import Address
    from simbench.feed.definition import Feed, FeedRole, Line


class Router:
    """Finds the route of a flow.

    Args:
        feed: the channels, their lines and their recovery feeds.
        only_line: the one line of every channel that is listened to; the others are as if they were not there.
        snapshots: whether the snapshot flows of a channel are decoded, by its number.
    """

    def __init__(self, feed: Feed, *, only_line: str | None = None, snapshots: Sequence[bool]) -> None:
        self._candidates: dict[tuple[Address, int], list[tuple[Line | FeedRole, int]]] = {}
        for number, channel in enumerate(feed.channels):
            for place, line in enumerate(channel.lines):
                listened = only_line is None or line.name == only_line
                route = number << 16 | place << 8 | ROLE_LINE if listened else NOT_FEED
                self._candidates.setdefault(split_group(line.group), []).append((line, route))
            for place, other in enumerate(channel.feeds):
                decoded = other.role == "snapshot" and snapshots[number]
                route = number << 16 | place << 8 | (ROLE_SNAPSHOT if decoded else ROLE_OTHER)
                if other.role == "retransmission":
                    route = retransmission_route(number)
                self._candidates.setdefault(split_group(other.group), []).append((other, route))

    def route(self, flow: Any) -> int:
        """Return the route of a FLOW record as pipeline.py describes it, or NOT_FEED."""
        group = address_of(flow, "group")
        source = address_of(flow, "source")
        for line, route in self._candidates.get((group, int(flow["port"])), ()):
            if line.source is not None and ip_address(line.source) != source:
                continue
            if line.capture is not None and line.capture != int(flow["capture"]):
                continue
            if line.interface is not None and line.interface != int(flow["interface"]):
                continue
            return route
        return NOT_FEED

    def of_group(self, group: str) -> int:
        """Return the route of "group:port" alone, as a UDP socket has it."""
        found = self._candidates.get(split_group(group), ())
        return found[0][1] if found else NOT_FEED
