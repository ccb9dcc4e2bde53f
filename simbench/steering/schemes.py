"""What each way of steering does to a capture: queues, their loads, and the channels that it tears apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.feed.definition import join_group
from simbench.steering.plan import floor, plan
from simbench.steering.rules import Rule
from simbench.steering.toeplitz import hash_flow, queue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.feed.definition import Feed
    from simbench.steering.load import Flow, Load

MEASURES: Final = ("mean", "busiest")  # of the whole capture, and of its busiest millisecond


@dataclass(frozen=True)
class Scheme:
    """A way of steering, on one capture.

    Attributes:
        name: of it.
        queues: of each flow, in the order of the load's.
        loads: float64[queues, 2]: datagrams in all, and in the busiest millisecond.
        least: float64[2]: what the busiest queue carries at least, whatever the steering.
        split: names of the channels whose lines or recovery groups land on several queues.
    """

    name: str
    queues: tuple[int, ...]
    loads: NDArray[np.float64]
    least: NDArray[np.float64]
    split: tuple[str, ...]

    def imbalance(self) -> tuple[float, float]:
        """Return the busiest queue over the mean, for both measures."""
        mean = np.maximum(self.loads.mean(axis=0), 1e-9)
        worst = self.loads.max(axis=0) / mean
        return float(worst[0]), float(worst[1])

    def excess(self) -> tuple[float, float]:
        """Return the busiest queue over the least that it can be, for both measures."""
        worst = self.loads.max(axis=0) / self.least
        return float(worst[0]), float(worst[1])

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "name": self.name,
            "queues": [dict(zip(MEASURES, map(int, row), strict=True)) for row in self.loads],
            "imbalance": dict(zip(MEASURES, self.imbalance(), strict=True)),
            "over_least": dict(zip(MEASURES, self.excess(), strict=True)),
            "channels_split": list(self.split),
        }


def schemes(load: Load, feed: Feed, queues: int) -> tuple[list[Scheme], list[Rule]]:
    """Return RSS over addresses and ports, RSS over addresses, and planned rules, which come with the rules.

    Args:
        load: of the capture.
        feed: whose channels must stay together.
        queues: how many there are.
    """
    flows = load.flows
    units = _units(flows)
    weights = np.zeros((max(units) + 1, 2))
    for unit, flow in zip(units, flows, strict=True):
        weights[unit] += flow.datagrams, flow.busiest
    planned = plan(weights, queues)
    least = floor(weights, queues)
    each = {
        "RSS, addresses and ports": [
            queue_of(hash_flow(flow.source, flow.group, (flow.source_port, flow.port)), queues) for flow in flows
        ],
        "RSS, addresses": [queue_of(hash_flow(flow.source, flow.group, None), queues) for flow in flows],
        "rules": [planned[unit] for unit in units],
    }
    found = [_scheme(name, chosen, flows, feed, queues, least) for name, chosen in each.items()]
    return found, _rules(flows, each["rules"], feed)


def _units(flows: Sequence[Flow]) -> list[int]:
    """Number what has to stay together: a channel with all its flows, and every foreign group by itself."""
    numbers: dict[object, int] = {}
    return [
        numbers.setdefault(
            ("channel", flow.channel) if flow.channel >= 0 else (flow.group, flow.port),
            len(numbers),
        )
        for flow in flows
    ]


def _scheme(
    name: str, chosen: list[int], flows: Sequence[Flow], feed: Feed, queues: int, least: NDArray[np.float64]
) -> Scheme:
    loads = np.zeros((queues, 2))
    where: dict[int, set[int]] = {}
    for queue, flow in zip(chosen, flows, strict=True):
        loads[queue] += flow.datagrams, flow.busiest
        if flow.channel >= 0:
            where.setdefault(flow.channel, set()).add(queue)
    split = tuple(feed.channels[channel].name for channel, found in sorted(where.items()) if len(found) > 1)
    return Scheme(name, tuple(chosen), loads, least, split)


def _rules(flows: Sequence[Flow], queues: Sequence[int], feed: Feed) -> list[Rule]:
    """Return a rule for every flow, and for the groups of their channels that were silent in this capture."""
    found: dict[str, Rule] = {}
    for flow, queue in zip(flows, queues, strict=True):
        group = join_group(flow.group, flow.port)
        channel = feed.channels[flow.channel] if flow.channel >= 0 else None
        found[group] = Rule(group, queue, channel.name if channel else "")
        for silent in channel.groups if channel is not None else ():
            found.setdefault(silent, Rule(silent, queue, found[group].channel))
    return sorted(found.values(), key=lambda rule: (rule.queue, rule.channel, rule.group))
