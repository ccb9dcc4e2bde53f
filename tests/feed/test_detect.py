"""Which flows are lines of one channel, by what they carry."""

from pathlib import Path

import dpkt
import pytest

from simbench.feed.definition import dump, parse
from simbench.feed.detect import Observation, feed

A, B, OTHER = "224.0.31.64:14340", "224.0.32.64:15340", "224.0.31.9:14341"


def flow(
    group: str, sequences: range, *, salt: int = 0, protocol: str = "cme.mdp3", source: str = "10.0.0.1"
) -> Observation:
    """Return a flow whose packets' bytes depend on sequence and salt."""
    seen = Observation(group, source, protocol)
    for first in sequences:
        seen.note(0, 0, first, 1, hash((first, salt)))
    return seen


def lines(*flows: Observation) -> list[list[tuple[str, str]]]:
    """Return the lines found, by channel."""
    return [[(line.name, line.group) for line in channel.lines] for channel in feed(flows, {}).channels]


def test_flows_with_the_same_messages_are_lines_named_by_their_addresses() -> None:
    """Seen in any order, the lower address is A; port and protocol name channel and venue."""
    found = feed([flow(B, range(10, 60)), flow(A, range(1, 50))], {"cme.mdp3": "UTC"})
    assert [(line.name, line.group) for line in found.channels[0].lines] == [("A", A), ("B", B)]
    assert (found.channels[0].venue, found.channels[0].name, found.channels[0].timezone) == ("cme", "14340", "UTC")
    assert parse(dump(found)) == found


@pytest.mark.parametrize(
    "other",
    [
        flow(OTHER, range(1, 50), salt=1),
        flow(OTHER, range(50, 99)),
        flow(OTHER, range(1, 50), protocol="nasdaq.itch50"),
    ],
    ids=["other bytes", "other sequences", "other protocol"],
)
def test_flows_that_carry_something_else_are_channels_of_their_own(other: Observation) -> None:
    """Equal sequences alone say nothing: most channels count from 1."""
    assert lines(flow(A, range(1, 50)), other) == [[("A", OTHER)], [("A", A)]]


def test_a_few_conflicts_do_not_part_two_lines() -> None:
    """Damage on one line leaves most packets equal."""
    damaged = flow(B, range(1, 50))
    for first in range(1, 20):
        damaged.packets[0, 0, first, 1] = -1
    assert lines(flow(A, range(1, 50)), damaged) == [[("A", A), ("B", B)]]


def test_lines_may_cut_the_same_messages_into_other_packets() -> None:
    """Few packets are cut alike, and those are what is compared: equal bytes join the flows, other bytes do not."""
    cuts = {A: (1, 2, 3), B: (2, 1, 1, 4), OTHER: (2, 1, 1, 4)}
    flows = []
    for group, sizes in cuts.items():
        seen, first = Observation(group, "10.0.0.1", "iex.tops"), 1
        for size in sizes * 20:
            seen.note(0, 0, first, size, hash((first, size, group == OTHER)))
            first += size
        flows.append(seen)
    assert 2 <= len(flows[0].packets.keys() & flows[1].packets.keys()) < len(flows[0].packets) / 2
    assert lines(*flows) == [[("A", OTHER)], [("A", A), ("B", B)]]


def test_three_lines_and_one_group_with_two_senders() -> None:
    """A group seen from two sources is two lines, told apart by the source."""
    found = feed([flow(A, range(1, 9), source=f"10.0.0.{i}") for i in (2, 1)] + [flow(B, range(1, 9))], {})
    (channel,) = found.channels
    assert [(line.name, line.group, line.source) for line in channel.lines] == [
        ("A", A, "10.0.0.1"),
        ("B", A, "10.0.0.2"),
        ("C", B, None),
    ]
    assert parse(dump(found)) == found


def test_a_loop_is_a_snapshot_feed_of_the_channel_next_to_it() -> None:
    """The same sequences over and over are no line, even where nothing else tells."""
    loop = flow("224.0.31.43:14341", range(1, 9))
    for first in (*range(1, 9), *range(1, 9)):
        loop.note(0, 0, first, 1, 7)
    found = feed([loop, flow(A, range(1, 50)), flow("224.0.99.1:20000", range(1, 50), salt=3)], {})
    assert [[(other.role, other.group) for other in channel.feeds] for channel in found.channels] == [
        [("snapshot", "224.0.31.43:14341")],
        [],
    ]
    assert lines(loop) == [[("A", "224.0.31.43:14341")]], "alone it is still what the user has"


def test_snapshot_flows_that_show_themselves_belong_to_the_line_at_their_address() -> None:
    """One at an address of its own is of a channel that was not seen; sequences that go on do not make it a line."""
    flows = [
        flow(f"239.0.0.{n}:{port}", range(1, 50), salt=port + n, protocol="deribit.sbe")
        for port, numbers in ((6100, (1, 4)), (6101, (1, 4, 5)))
        for n in numbers
    ]
    for one in flows[2:]:
        one.snapshots = True
    found = feed(flows, {})
    assert [(channel.name, [other.group for other in channel.feeds]) for channel in found.channels] == [
        ("239.0.0.1:6100", ["239.0.0.1:6101"]),
        ("239.0.0.4:6100", ["239.0.0.4:6101"]),
    ]
    assert parse(dump(found)) == found
    (alone,) = feed([flows[0], flows[4]], {}).channels
    assert [other.group for other in alone.feeds] == ["239.0.0.5:6101"], (
        "where none is at a line's address: the nearest"
    )


def test_a_channel_is_named_after_its_port_where_no_other_has_it() -> None:
    """Otherwise after its group, each of them."""
    same = [flow(f"239.0.0.{n}:{port}", range(1, 50), salt=n) for n, port in ((1, 50), (2, 50), (3, 51))]
    assert [channel.name for channel in feed(same, {}).channels] == ["239.0.0.1:50", "239.0.0.2:50", "51"]


def test_the_names_of_many_lines_go_on() -> None:
    """Behind Z comes AA, as in a spreadsheet."""
    many = [flow(f"224.0.0.{i}:1", range(5)) for i in range(28)]
    assert [name for name, _ in lines(*many)[0]][24:] == ["Y", "Z", "AA", "AB"]


def test_the_recorded_cme_channel_has_two_lines(real_captures: Path) -> None:
    """Two flows, one channel; read by another reader than ours."""
    flows: dict[str, Observation] = {}
    with (real_captures / "cme-mdp3-340" / "capture.pcap").open("rb") as file:
        for _, frame in dpkt.pcapng.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame).data
            group = f"{'.'.join(map(str, packet.dst))}:{packet.data.dport}"
            payload = bytes(packet.data.data)
            seen = flows.setdefault(group, Observation(group, "", "cme.mdp3"))
            seen.note(0, 0, int.from_bytes(payload[:4], "little"), 1, hash(payload))
    assert lines(*flows.values()) == [[("A", A), ("B", B)]]
