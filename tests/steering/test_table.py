"""Who owns a channel, and where flows land that no rule can know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.errors import SimbenchError
from simbench.feed.definition import parse
from simbench.receive.offline import open_source
from simbench.steering.load import weigh
from simbench.steering.rules import Rule
from simbench.steering.schemes import schemes
from simbench.steering.table import by_hash, by_rules, owned, owner_flows

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.feed.definition import Feed

CHANNEL = """
[[channel]]
venue = "x"
name = "{name}"
protocol = "cme.mdp3"
[[channel.line]]
name = "A"
group = "{a}"
source = "10.0.0.{name}"
[[channel.line]]
name = "B"
group = "{b}"
[[channel.feed]]
role = "snapshot"
group = "{snapshot}"
"""


def feed(*groups: tuple[str, str, str]) -> Feed:
    """Return a feed of channels 1, 2, ... with these groups for lines A and B and snapshots."""
    text = [CHANNEL.format(name=number, a=a, b=b, snapshot=s) for number, (a, b, s) in enumerate(groups, 1)]
    return parse("".join(text))


WHOLE = feed(("224.0.0.1:1", "224.0.0.2:1", "224.0.0.3:1"), ("224.0.1.1:1", "224.0.1.2:1", "224.0.1.3:1"))


def test_what_no_rule_names_lands_on_queue_0() -> None:
    """A channel belongs to the queue that is named for most of its lines; the rest of it is torn off."""
    rules = [Rule("224.0.0.1:1", 2), Rule("224.0.1.1:1", 1), Rule("224.0.1.2:1", 1), Rule("224.0.1.3:1", 1)]
    found = by_rules(WHOLE, rules, 3)

    assert found.owners == (2, 1)
    assert found.split == ("1",)
    assert by_rules(WHOLE, [], 3).owners == (0, 0)
    assert by_rules(WHOLE, [], 3).split == ()


def test_snapshots_do_not_outweigh_lines() -> None:
    """A channel whose lines are on one queue is that queue's, wherever its snapshots are."""
    rules = [Rule("224.0.0.1:1", 1), Rule("224.0.0.2:1", 1), Rule("224.0.0.3:1", 0)]

    assert by_rules(WHOLE, rules, 2).owners == (1, 0)


def test_flows_that_the_replayer_makes_go_to_their_owner() -> None:
    """No rule can know them, so a channel is whole without one."""
    rules = [Rule("224.0.0.1:1", 1), Rule("224.0.0.2:1", 1), Rule("224.0.1.1:1", 1), Rule("224.0.1.2:1", 1)]
    found = by_rules(WHOLE, rules, 2, made=WHOLE)

    assert found.split == ()
    assert {(flow.group, flow.queue) for flow in found.flows} >= {("224.0.0.3", 1), ("224.0.1.3", 1)}
    assert by_rules(WHOLE, rules, 2).split == ("1", "2")


def test_two_rules_for_a_group_are_refused() -> None:
    """The same one twice is none too many."""
    rule = Rule("224.0.0.1:1", 1)

    assert by_rules(WHOLE, [rule, rule], 3).owners == (1, 0)
    with pytest.raises(SimbenchError, match=r"two rules for 224\.0\.0\.1:1: queue 1 and queue 2"):
        by_rules(WHOLE, [rule, Rule("224.0.0.1:1", 2)], 3)


def test_channels_that_share_a_group_have_one_owner() -> None:
    """Only the source tells their datagrams apart, and that is not looked at when they are handed over."""
    shared = feed(
        ("224.0.0.1:1", "224.0.0.2:1", "224.0.0.3:1"),
        ("224.0.1.1:1", "224.0.1.2:1", "224.0.1.3:1"),
        ("224.0.0.1:1", "224.0.2.2:1", "224.0.2.3:1"),
    )

    assert owned(shared, [{1: 5}, {0: 3}, {2: 9}]) == (2, 0, 2)
    assert owned(shared, [{}, {}, {}]) == (0, 0, 0)


@given(st.lists(st.dictionaries(st.integers(0, 7), st.integers(1, 100)), min_size=2, max_size=2))
def test_an_owner_has_most_of_its_channel(weights: list[dict[int, int]]) -> None:
    """And the lowest of those that have as much; without anything it is queue 0."""
    for counts, owner in zip(weights, owned(WHOLE, weights), strict=True):
        assert counts.get(owner, 0) == max(counts.values(), default=0)
        assert owner == min((queue for queue in counts if counts[queue] == counts[owner]), default=0)


@pytest.mark.parametrize("queues", [1, 3, 8])
def test_a_hash_lands_flows_where_steer_says(queues: int, itch: Path) -> None:
    """Flows keep the queue of their recorded source whatever they are sent from, and torn channels are the same."""
    source = open_source(itch)
    load = weigh(itch, source.feed)
    scheme = schemes(load, source.feed, queues)[0][0]
    for as_recorded in (True, False):
        found = by_hash(source.feed, load, queues, as_recorded=as_recorded)
        assert tuple(flow.queue for flow in found.flows) == scheme.queues
        assert found.split == scheme.split
        sources = [flow.source if as_recorded else flow.rebuilt for flow in load.flows]
        assert [flow.source for flow in found.flows] == [str(each) for each in sources]
        assert found.owners[0] in scheme.queues


def test_every_group_of_a_feed_has_its_owner() -> None:
    """Lines and what is beside them."""
    flows = owner_flows(WHOLE, (1, 0))

    assert [(flow.group, flow.queue) for flow in flows] == [
        *((f"224.0.0.{number}", 1) for number in (1, 2, 3)),
        *((f"224.0.1.{number}", 0) for number in (1, 2, 3)),
    ]
