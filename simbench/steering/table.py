"""What a run over several queues needs of a steering: the queue of every flow, and the queue that owns each channel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.feed.definition import split_group
from simbench.steering.toeplitz import hash_flow, queue_of
from simbench.wire.flowtable import FlowQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simbench.address import Address
    from simbench.feed.definition import Channel, Feed
    from simbench.steering.load import Load
    from simbench.steering.rules import Rule

    Group = tuple[Address, int]

RSS: Final = "RSS, addresses and ports"
RULES: Final = "rules"
MOST_QUEUES: Final = 32


@dataclass(frozen=True)
class Steering:
    """Which queue each frame lands on, and which one has to have it.

    Attributes:
        name: of the scheme, as `simbench steer` calls it.
        queues: how many.
        flows: with their queues; what is not among them goes to queue 0.
        by_source: whether source addresses and ports count.
        owners: the queue of each channel, by its number.
        split: names of the channels that do not land on their owner's queue with everything.
    """

    name: str
    queues: int
    flows: tuple[FlowQueue, ...]
    by_source: bool
    owners: tuple[int, ...]
    split: tuple[str, ...]


def by_rules(feed: Feed, rules: Sequence[Rule], queues: int, made: Feed | None = None) -> Steering:
    """Return the steering of a card that was given rules.

    Args:
        feed: the channels.
        rules: group and port to queue; what none of them names lands on queue 0. A channel's owner is the queue that
            they name for most of its lines.
        queues: how many there are.
        made: channels with the flows that the replayer makes, which no rule can know: they go to their channel's owner.

    Raises:
        SimbenchError: two rules name the same group and different queues.
    """
    where: dict[Group, int] = {}
    for rule in rules:
        group = split_group(rule.group)
        if where.setdefault(group, rule.queue) != rule.queue:
            raise SimbenchError(f"two rules for {rule.group}: queue {where[group]} and queue {rule.queue}")
    ours = {split_group(flow.group) for channel in (made.channels if made else ()) for flow in channel.feeds}
    ours -= set(where)
    weights: list[Counter[int]] = [Counter() for _ in feed.channels]
    for channel, counts in zip(feed.channels, weights, strict=True):
        counts.update(where[group] for group in _groups(channel) if group in where)
        for line in channel.lines:  # which weighs more than all flows beside the lines
            group = split_group(line.group)
            if group in where:
                counts[where[group]] += len(channel.feeds)
    owners = owned(feed, weights)
    for channel, owner in zip(feed.channels, owners, strict=True):
        where.update((group, owner) for group in _groups(channel) if group in ours)
    flows = tuple(FlowQueue(str(group), port, queue) for (group, port), queue in where.items())
    return Steering(RULES, queues, flows, False, owners, _split(feed, owners, lambda group: {where.get(group, 0)}))


def by_hash(feed: Feed, load: Load, queues: int, *, as_recorded: bool) -> Steering:
    """Return the steering of a card that hashes addresses and ports: a channel's owner is the queue with most of it.

    Args:
        feed: the channels.
        load: of the capture that is sent; the hash is that of the frames as they were recorded.
        queues: how many there are.
        as_recorded: whether they are sent so, and not from the addresses that rebuilt frames have.
    """
    weights: list[Counter[int]] = [Counter() for _ in feed.channels]
    where: dict[Group, set[int]] = {}
    flows = []
    for flow in load.flows:
        queue = queue_of(hash_flow(flow.source, flow.group, (flow.source_port, flow.port)), queues)
        where.setdefault((flow.group, flow.port), set()).add(queue)
        source = flow.source if as_recorded else flow.rebuilt
        flows.append(FlowQueue(str(flow.group), flow.port, queue, str(source), flow.source_port))
        if flow.channel >= 0:
            weights[flow.channel][queue] += flow.datagrams
    owners = owned(feed, weights)
    return Steering(RSS, queues, tuple(flows), True, owners, _split(feed, owners, lambda group: where.get(group, {0})))


def owned(feed: Feed, weights: Sequence[Mapping[int, int]]) -> tuple[int, ...]:
    """Return the queue that owns each channel: the one with most of it, and one for all that share a group.

    Args:
        feed: the channels.
        weights: by channel: what lands on which queue.
    """
    leader = list(range(len(feed.channels)))

    def find(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    first: dict[Group, int] = {}
    for number, channel in enumerate(feed.channels):
        for group in _groups(channel):
            leader[find(number)] = find(first.setdefault(group, number))
    sums: dict[int, Counter[int]] = {}
    for number, counts in enumerate(weights):
        sums.setdefault(find(number), Counter()).update(counts)
    return tuple(
        max(sorted(counts), key=counts.__getitem__, default=0)
        for counts in (sums[find(number)] for number in range(len(leader)))
    )


def owner_flows(feed: Feed, owners: Sequence[int]) -> list[FlowQueue]:
    """Return the owner of every group of a feed, for a table by group and port."""
    return [
        FlowQueue(str(group), port, owner)
        for channel, owner in zip(feed.channels, owners, strict=True)
        for group, port in _groups(channel)
    ]


def _groups(channel: Channel) -> list[Group]:
    return [split_group(group) for group in channel.groups]


def _split(feed: Feed, owners: Sequence[int], where: Callable[[Group], set[int]]) -> tuple[str, ...]:
    return tuple(
        channel.name
        for channel, owner in zip(feed.channels, owners, strict=True)
        if any(where(group) != {owner} for group in _groups(channel))
    )
