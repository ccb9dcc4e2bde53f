"""Lines found by looking: flows whose sequences overlap with the same packets belong to one channel.

Only packets that are cut alike are compared: lines of some exchanges put the same messages into other datagrams.

A flow that sends the same sequences over and over is the loop of a snapshot feed, and no line; neither is one whose
messages are those of a snapshot feed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simbench.feed.definition import Channel, Feed, FeedRole, Line, split_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARED: Final = 0.5  # of the packets of equal sequences that both flows have: as many must carry the same bytes
ENOUGH: Final = 2  # packets that both have, at the least, unless one of the flows has fewer
MOST: Final = 50_000  # packets of a flow that are remembered

Key = tuple[int, int, int, int]  # session, stream, first sequence, units


@dataclass
class Observation:
    """What was seen of one flow.

    Attributes:
        group: "a.b.c.d:port".
        source: address it comes from.
        protocol: its name.
        packets: digest by (session, stream, first sequence, units), of the first packets with messages.
        again: packets whose sequence was there already.
        snapshots: whether its messages are those of a snapshot flow.
    """

    group: str
    source: str
    protocol: str
    packets: dict[Key, int] = field(default_factory=dict)
    again: int = 0
    snapshots: bool = False

    def note(self, session: int, stream: int, first: int, units: int, digest: int) -> None:
        """Remember a packet."""
        key = (session, stream, first, units)
        if key in self.packets:
            self.again += 1
        elif len(self.packets) < MOST:
            self.packets[key] = digest

    @property
    def loops(self) -> bool:
        """Whether it came back to each of its sequences at least once, on average: lines repeat a few at most."""
        return self.again >= len(self.packets) > 0

    @property
    def is_line(self) -> bool:
        """Whether it can be a line."""
        return not self.loops and not self.snapshots


def join(flows: Sequence[Observation]) -> list[list[int]]:
    """Return which flows are lines of one channel: lists of their numbers, in the order of their addresses.

    Args:
        flows: of any protocols; those without packets are a channel of their own.
    """
    order = sorted(range(len(flows)), key=lambda i: (*_endpoint(flows[i].group), flows[i].source))
    channels: list[list[int]] = []
    for i in order:
        home = next((channel for channel in channels if any(same(flows[i], flows[j]) for j in channel)), None)
        if home is None:
            channels.append([i])
        else:
            home.append(i)
    return channels


def same(one: Observation, other: Observation) -> bool:
    """Tell whether two flows carry the same messages under the same sequences."""
    if one.protocol != other.protocol:
        return False
    common = one.packets.keys() & other.packets.keys()
    if len(common) < min(ENOUGH, len(one.packets), len(other.packets)) or not common:
        return False
    equal = sum(one.packets[key] == other.packets[key] for key in common)
    return equal >= SHARED * len(common)


def feed(flows: Sequence[Observation], timezones: Mapping[str, str]) -> Feed:
    """Return the feed that the flows are: a channel for each that belong together, lines named A, B, ... in order.

    Args:
        flows: with packets.
        timezones: of the protocols that count from a local midnight.
    """
    speaking = {flow.protocol for flow in flows if flow.is_line}
    lines = [flow for flow in flows if flow.is_line or flow.protocol not in speaking]
    loops = [flow for flow in flows if not flow.is_line and flow.protocol in speaking]
    shared = _shared_groups(flows)
    joined = [[lines[i] for i in members] for members in join(lines)]
    homes = _homes(loops, joined)
    firsts = [members[0].group for members in joined]
    channels: list[Channel] = []
    for number, members in enumerate(joined):
        first = members[0]
        channels.append(
            Channel(
                venue=first.protocol.split(".")[0],
                name=_name(first.group, firsts),
                protocol=first.protocol,
                lines=tuple(
                    Line(name=_letters(place), group=flow.group, source=_source(flow, shared))
                    for place, flow in enumerate(members)
                ),
                feeds=tuple(
                    FeedRole(role="snapshot", group=loop.group, source=_source(loop, shared))
                    for loop, home in zip(loops, homes, strict=True)
                    if home == number
                ),
                timezone=timezones.get(first.protocol),
            )
        )
    return Feed(channels=tuple(channels))


def _homes(loops: Sequence[Observation], channels: Sequence[Sequence[Observation]]) -> list[int]:
    """Return the channel of each loop: the one that has a line at its address, -1 where there is none.

    Where no loop of a protocol is at the address of a line, each belongs to the nearest channel.
    """
    places = {
        (flow.protocol, _endpoint(flow.group)[:2]): number
        for number, members in reversed(list(enumerate(channels)))
        for flow in members
    }
    found = [places.get((loop.protocol, _endpoint(loop.group)[:2]), -1) for loop in loops]
    placed = {loop.protocol for loop, home in zip(loops, found, strict=True) if home >= 0}
    return [
        home if loop.protocol in placed else _nearest(loop, channels) for loop, home in zip(loops, found, strict=True)
    ]


def _nearest(loop: Observation, channels: Sequence[Sequence[Observation]]) -> int:
    """Return the channel of the same protocol whose first line's group is next to a loop's: exchanges number so."""
    _, address, _ = _endpoint(loop.group)
    return min(
        (number for number, members in enumerate(channels) if members[0].protocol == loop.protocol),
        key=lambda number: abs(_endpoint(channels[number][0].group)[1] - address),
    )


def _source(flow: Observation, shared: set[str]) -> str | None:
    return flow.source if flow.group in shared else None


def _letters(place: int) -> str:
    """Name a line as a spreadsheet names its columns: A to Z, then AA."""
    before, last = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _shared_groups(flows: Sequence[Observation]) -> set[str]:
    groups = [flow.group for flow in flows]
    return {group for group in groups if groups.count(group) > 1}


def _name(group: str, groups: Sequence[str]) -> str:
    """Name a channel after its port, or after its group where another channel has this port."""
    port = group.rpartition(":")[2]
    return port if [other.rpartition(":")[2] for other in groups].count(port) == 1 else group


def _endpoint(group: str) -> tuple[int, int, int]:
    address, port = split_group(group)
    return address.version, int(address), port
