"""Which channel and line a flow belongs to, by the feed's definition."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from simbench.receive.pipeline import NOT_FEED, ROLE_LINE, ROLE_OTHER

if TYPE_CHECKING:
    from simbench.feed.definition import Feed

Address = IPv4Address | IPv6Address


class Router:
    """Finds the route of a flow.

    Args:
        feed: the channels, their lines and their recovery feeds.
        only_line: the one line of every channel that is listened to; the others are as if they were not there.
    """

    def __init__(self, feed: Feed, *, only_line: str | None = None) -> None:
        self._candidates: dict[tuple[Address, int], list[tuple[Any, int]]] = {}
        for number, channel in enumerate(feed.channels):
            for place, line in enumerate(channel.lines):
                listened = only_line is None or line.name == only_line
                route = number << 16 | place << 8 | ROLE_LINE if listened else NOT_FEED
                self._candidates.setdefault(endpoint(line.group), []).append((line, route))
            for other in channel.feeds:
                if other.group:
                    route = number << 16 | ROLE_OTHER
                    self._candidates.setdefault(endpoint(other.group), []).append((other, route))

    def route(self, flow: Any) -> int:
        """Return the route of a FLOW record: channel << 16 | line << 8 | role, or NOT_FEED."""
        group = address(flow["group_high"], flow["group_low"], int(flow["version"]))
        source = address(flow["source_high"], flow["source_low"], int(flow["version"]))
        for line, route in self._candidates.get((group, int(flow["port"])), ()):
            if line.source is not None and ip_address(line.source) != source:
                continue
            if getattr(line, "capture", None) is not None and line.capture != int(flow["capture"]):
                continue
            if getattr(line, "interface", None) is not None and line.interface != int(flow["interface"]):
                continue
            return route
        return NOT_FEED

    def of_group(self, group: str) -> int:
        """Return the route of "group:port" alone, as a UDP socket has it."""
        found = self._candidates.get(endpoint(group), ())
        return found[0][1] if found else NOT_FEED


def endpoint(text: str) -> tuple[Address, int]:
    """Split "a.b.c.d:port" or "[v6]:port".

    >>> endpoint("224.0.31.64:14340")
    (IPv4Address('224.0.31.64'), 14340)
    """
    host, _, port = text.rpartition(":")
    return ip_address(host.strip("[]")), int(port)


def address(high: int, low: int, version: int) -> Address:
    """Return the address that two big-endian halves hold."""
    mask = (1 << 64) - 1
    if version == 6:
        return IPv6Address((int(high) & mask) << 64 | int(low) & mask)
    return IPv4Address(int(low) & 0xFFFFFFFF)
