"""Lines found by looking: flows whose sequences overlap with the same packets belong to one channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simbench.feed.definition import Channel, Feed, Line, split_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARED: Final = 0.5  # of the sequences that both flows have: as many must carry the same bytes
ENOUGH: Final = 2  # packets that both have, at the least, unless one of the flows has fewer
MOST: Final = 50_000  # packets of a flow that are remembered

Key = tuple[int, int, int]  # session, stream, first sequence


@dataclass
class Observation:
    """What was seen of one flow.

    Attributes:
        group: "a.b.c.d:port".
        source: address it comes from.
        protocol: its name.
        packets: digest by (session, stream, first sequence), of the first packets with messages.
    """

    group: str
    source: str
    protocol: str
    packets: dict[Key, int] = field(default_factory=dict)

    def note(self, session: int, stream: int, first: int, digest: int) -> None:
        """Remember a packet."""
        if len(self.packets) < MOST:
            self.packets.setdefault((session, stream, first), digest)


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
    channels: list[Channel] = []
    shared = _shared_groups(flows)
    for members in join(flows):
        lines = tuple(
            Line(
                name=chr(ord("A") + place),
                group=flows[i].group,
                source=flows[i].source if flows[i].group in shared else None,
            )
            for place, i in enumerate(members)
        )
        first = flows[members[0]]
        channels.append(
            Channel(
                venue=first.protocol.split(".")[0],
                name=_name(first.group, [channel.name for channel in channels]),
                protocol=first.protocol,
                lines=lines,
                timezone=timezones.get(first.protocol),
            )
        )
    return Feed(channels=tuple(channels))


def _shared_groups(flows: Sequence[Observation]) -> set[str]:
    groups = [flow.group for flow in flows]
    return {group for group in groups if groups.count(group) > 1}


def _name(group: str, taken: Sequence[str]) -> str:
    """Name a channel after its port, or after its group where the port is taken."""
    port = group.rpartition(":")[2]
    return port if port not in taken else group


def _endpoint(group: str) -> tuple[int, int, int]:
    address, port = split_group(group)
    return address.version, int(address), port
