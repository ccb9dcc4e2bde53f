"""The way from frames to books on small generated captures: what is lost, what is damaged, where it stops."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_feeds import ITCH, MDP3, checked, digests, finish, frames, levels, make, rebuilt, rewrite

from simbench.event import ADD, EVENT, LEVEL_CHANGE
from simbench.golden.paranoid import Paranoid
from simbench.receive import pipeline
from simbench.receive.offline import Offline, open_source
from simbench.receive.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from small_feeds import Frame

PROTOCOLS = (ITCH, MDP3)


@pytest.fixture
def capture(request: pytest.FixtureRequest) -> Path:
    """Return the generated capture of the protocol that the test is run for."""
    path: Path = request.getfixturevalue("itch" if request.param == ITCH else "mdp3")
    return path


each = pytest.mark.parametrize(
    ("capture", "protocol"), [(p, p) for p in PROTOCOLS], indirect=["capture"], ids=PROTOCOLS
)


def feed(path: Path) -> str:
    """Return the definition beside a capture."""
    return (path.parent / "feed.toml").read_text(encoding="utf-8")


def without(all_frames: list[Frame], dropped: Callable[[Frame], bool]) -> list[Frame]:
    """Return the frames that are left, and make sure that some are gone."""
    kept = [frame for frame in all_frames if not dropped(frame)]
    assert len(kept) < len(all_frames)
    return kept


def middle(all_frames: list[Frame]) -> Frame:
    """Return a datagram with messages from the middle."""
    return next(frame for frame in all_frames[len(all_frames) // 2 :] if frame.units > 0)


def line_range(found: dict[str, Any], line: int) -> list[list[int]]:
    """Return what a line alone missed."""
    return [list(pair) for pair in found["channels"][0]["lines"][line]["missing"]]


def lost(found: dict[str, Any]) -> list[tuple[int, int, str]]:
    """Return the gap records."""
    return [(gap["first"], gap["last"], gap["outcome"]) for gap in found["channels"][0]["gaps"]]


@each
def test_books_are_those_of_the_reference(capture: Path, protocol: str) -> None:
    """Engine and naive reference agree on every book and on every order, and there is something to agree on."""
    found = checked(capture)

    assert found["messages"]["total"] == 2000
    assert found["channels"][0]["gaps"] == []
    assert levels(found) > 50
    assert all(book["bids"] and book["asks"] for book in found["books"][:3])


@each
def test_one_changed_quantity_is_seen_by_reference_and_digest(capture: Path, protocol: str) -> None:
    """The comparison can fail: one share more in one level changes the digest and is named as a difference."""
    source = open_source(capture)
    paranoid = Paranoid(source)
    run = Offline(source, on_events=paranoid.apply)
    finish(run)
    books = run.receiver.state.books
    before = books.digest(0)
    index = next(i for i in range(len(books.instruments)) if len(books.levels(i, 0)))
    best = books.levels(index, 0)[0]
    event = np.zeros(1, EVENT)
    event["instrument"] = int(books.instruments["key"][index]) & (1 << 64) - 1
    event["price"], event["side"] = best["price"], 0
    if protocol == ITCH:
        event["kind"], event["order"], event["quantity"] = ADD, 1 << 60, 1
    else:
        event["kind"], event["level"] = LEVEL_CHANGE, 1
        event["quantity"], event["orders"] = best["quantity"] + 1, best["orders"]

    books.apply(0, event)

    assert best["quantity"] + 1 == books.levels(index, 0)[0]["quantity"]
    assert books.digest(0) != before
    assert any(books.key(index) in line for line in paranoid.differences(run.receiver))


@each
def test_one_line_alone_gives_the_same_books(capture: Path, protocol: str) -> None:
    """Both lines carry everything, so either alone is enough."""
    both, a, b = (rebuilt(capture, only_line=line) for line in (None, "A", "B"))

    assert levels(both) > 50
    assert both["books"] == a["books"] == b["books"]
    assert digests(both) == digests(a) == digests(b)


@each
def test_gap_on_both_lines_is_reported_to_the_unit(capture: Path, protocol: str, tmp_path: Path) -> None:
    """Datagrams that neither line carries are missing on both, and one gap record says exactly which."""
    every = frames(capture, protocol)
    first, last = middle(every).sequence, middle(every).last + 4
    hole = [frame for frame in every if frame.units and first <= frame.sequence <= last]
    last = max(frame.last for frame in hole)
    kept = without(every, lambda frame: bool(frame.units) and first <= frame.sequence <= last)

    found = checked(rewrite(tmp_path / "gap", kept, feed(capture)))

    assert [(first, last, "lost")] == lost(found)
    assert [[first, last]] == line_range(found, 0) == line_range(found, 1)
    assert levels(found) > 0


@each
def test_a_gap_names_the_lines_as_the_feed_does(capture: Path, protocol: str, tmp_path: Path) -> None:
    """Who revealed it, and how each line stood, by the names of feed.toml and not by the lines' numbers."""
    every = frames(capture, protocol)
    hole = middle(every).sequence
    kept = without(every, lambda frame: frame.sequence == hole)
    named = feed(capture).replace('name = "A"', 'name = "left"').replace('name = "B"', 'name = "right"')

    (gap,) = rebuilt(rewrite(tmp_path / "gap", kept, named))["channels"][0]["gaps"]

    assert gap["revealed_by"] in {"left", "right"}
    assert list(gap["lines"]) == ["left", "right"]


@each
def test_gap_on_one_line_is_filled_by_the_other(capture: Path, protocol: str, tmp_path: Path) -> None:
    """What one line alone lacks is its own loss and nobody's gap; the books are as if nothing had happened."""
    every = frames(capture, protocol)
    one = middle(every)
    kept = without(every, lambda frame: frame.sequence == one.sequence and frame.units > 0 and frame.port == one.port)

    found = rebuilt(rewrite(tmp_path / "one", kept, feed(capture)))

    ports = [int(line["group"].rpartition(":")[2]) for line in found["channels"][0]["lines"]]
    line = ports.index(one.port)
    assert [[one.sequence, one.last]] == line_range(found, line)
    assert [] == line_range(found, 1 - line) == lost(found)
    assert digests(rebuilt(capture)) == digests(found)
    assert levels(found) > 50


@each
def test_bad_checksum_is_loss(capture: Path, protocol: str, tmp_path: Path) -> None:
    """A datagram with a wrong checksum on both lines is dropped as a kernel would, counted, and is a gap."""
    every = frames(capture, protocol)
    one = middle(every)
    for frame in every:
        if frame.sequence == one.sequence and frame.units:
            frame.data[frame.payload - 2] ^= 0x55
    path = rewrite(tmp_path / "bad", every, feed(capture))

    found = checked(path)

    assert found["capture"]["checksum_lost"] == 2
    assert [(one.sequence, one.last, "lost")] == lost(found)
    ignored = checked(path, checksum="ignore")
    assert (ignored["capture"]["checksum_lost"], lost(ignored)) == (0, [])
    assert digests(rebuilt(capture)) == digests(ignored)


@each
def test_bad_checksum_on_one_line_is_covered_by_the_other(capture: Path, protocol: str, tmp_path: Path) -> None:
    """Flipped bits in one line's datagram cost that line the datagram and nothing else."""
    every = frames(capture, protocol)
    one = middle(every)
    one.data[-1] ^= 0xFF

    found = rebuilt(rewrite(tmp_path / "one", every, feed(capture)))

    assert (found["capture"]["checksum_lost"], lost(found)) == (1, [])
    assert digests(rebuilt(capture)) == digests(found)
    assert levels(found) > 50


def last_message(frame: Frame) -> int:
    """Return where the last message of an MDP 3 packet begins; 0 where it has none."""
    payload, at, last = bytes(frame.data[frame.payload :]), 12, 0
    while at < len(payload):
        last, at = at, at + int.from_bytes(payload[at : at + 2], "little")
    return last


def crowded(every: list[Frame], units: int) -> Frame:
    """Return a datagram from the middle that carries at least so many messages."""
    return next(frame for frame in every[len(every) // 2 :] if frame.units >= units)


LENGTH, TYPE = 0, 2  # of a MoldUDP64 block


def damage(every: list[Frame], one: Frame, at: int, new: bytes, lines: int = 2) -> None:
    """Write over the second message of a packet, on so many of its lines."""
    second = 20 + 2 + int.from_bytes(bytes(one.data[one.payload + 20 : one.payload + 22]), "big")
    copies = [frame for frame in every if frame.sequence == one.sequence and frame.units]
    for frame in copies[:lines]:
        frame.patch(second + at, new)


def test_damage_inside_an_itch_packet_costs_what_is_behind_it(itch: Path, tmp_path: Path) -> None:
    """A message too short for its type: those before it count; from it on, the packet is a gap."""
    every = frames(itch, ITCH)
    one = crowded(every, 3)
    damage(every, one, TYPE, b"I")

    found = checked(rewrite(tmp_path / "damage", every, feed(itch)))

    assert (found["messages"]["malformed"], found["messages"]["bad_headers"]) == (1, 0)
    assert [(one.sequence + 1, one.last, "lost")] == lost(found)
    assert [gap["cause"] for gap in found["channels"][0]["gaps"]] == ["malformed"]
    assert levels(found) > 0


def test_a_length_that_points_behind_an_itch_packet_costs_the_packet(itch: Path, tmp_path: Path) -> None:
    """Its blocks do not fit into it: nothing of it is believed."""
    every = frames(itch, ITCH)
    one = crowded(every, 3)
    damage(every, one, LENGTH, b"\xff\xf0")

    found = checked(rewrite(tmp_path / "damage", every, feed(itch)))

    assert (found["messages"]["malformed"], found["messages"]["bad_headers"]) == (0, 2)
    assert [(one.sequence, one.last, "lost")] == lost(found)


@pytest.mark.parametrize(("at", "new"), [(LENGTH, b"\xff\xf0"), (TYPE, b"I")])
def test_damage_on_one_line_is_made_up_for_by_the_other(at: int, new: bytes, itch: Path, tmp_path: Path) -> None:
    """Whoever notices it, the framing or the decoder: the other line's copy fills the hole."""
    every = frames(itch, ITCH)
    one = crowded(every, 3)
    damage(every, one, at, new, lines=1)

    found = checked(rewrite(tmp_path / "damage", every, feed(itch)))

    assert found["messages"]["malformed"] + found["messages"]["bad_headers"] == 1
    assert found["channels"][0]["gaps"] == []
    assert digests(found) == digests(rebuilt(itch))
    assert min(line["missing_units"] for line in found["channels"][0]["lines"]) == 0


def test_damage_inside_an_mdp3_packet_costs_the_packet(mdp3: Path, tmp_path: Path) -> None:
    """A message size that points behind the packet's end: nothing of it is believed, and the packet is a gap."""
    every = frames(mdp3, MDP3)
    one = middle(every)
    for frame in every:
        if frame.sequence == one.sequence:
            frame.patch(12, b"\xff\xff")

    found = checked(rewrite(tmp_path / "damage", every, feed(mdp3)))

    assert (found["messages"]["malformed"], found["messages"]["bad_headers"]) == (0, 2)
    assert [(one.sequence, one.sequence, "lost")] == lost(found)


@pytest.mark.parametrize("lines", [1, 2])
def test_an_mdp3_packet_that_cannot_be_decoded_to_its_end_is_not_applied_by_half(
    lines: int, mdp3: Path, tmp_path: Path
) -> None:
    """Its last message has a root block of no length: the messages before it come again with the other line's copy."""
    every = frames(mdp3, MDP3)
    one, last = next((frame, at) for frame in every[len(every) // 2 :] if (at := last_message(frame)) > 12)
    copies = [frame for frame in every if frame.sequence == one.sequence]
    for frame in copies[:lines]:
        frame.patch(last + 2, b"\0\0")

    found = checked(rewrite(tmp_path / "damage", every, feed(mdp3)))

    assert found["messages"]["malformed"] == 1
    assert lost(found) == ([] if lines == 1 else [(one.sequence, one.sequence, "lost")])
    assert (digests(found) == digests(rebuilt(mdp3))) == (lines == 1)


@each
@pytest.mark.parametrize("length", [0, 1, 3, 11])
def test_datagram_shorter_than_its_header_is_counted(capture: Path, protocol: str, length: int, tmp_path: Path) -> None:
    """A payload cut to nothing or to less than a header is counted as malformed and is a gap; the rest goes on."""
    every = frames(capture, protocol)
    one = middle(every)
    for frame in every:
        if frame.sequence == one.sequence and frame.units:
            del frame.data[frame.payload + length :]
            head = frame.payload - 28
            frame.data[head + 2 : head + 4] = (28 + length).to_bytes(2, "big")
            frame.data[head + 10 : head + 12] = b"\0\0"
            words = np.frombuffer(bytes(frame.data[head : head + 20]), ">u2").astype(np.int64)
            total = int(words.sum())
            frame.data[head + 10 : head + 12] = (0xFFFF - (total % 0xFFFF)).to_bytes(2, "big")
            frame.data[frame.payload - 4 : frame.payload - 2] = (8 + length).to_bytes(2, "big")
            frame.data[frame.payload - 2 : frame.payload] = b"\0\0"

    found = checked(rewrite(tmp_path / "cut", every, feed(capture)))

    assert [(one.sequence, one.last, "lost")] == lost(found)
    assert found["messages"]["bad_headers"] == 2


@each
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_never_raise(capture: Path, protocol: str, seed: int, tmp_path: Path) -> None:
    """Bits flipped all over the payloads, with no checksum to catch them: engine and reference still agree."""
    every = frames(capture, protocol)
    random = np.random.default_rng(seed)
    for frame in every:
        if random.random() < 0.05:
            at = int(random.integers(0, len(frame.data) - frame.payload))
            frame.patch(at, bytes([frame.data[frame.payload + at] ^ 1 << int(random.integers(0, 8))]))

    found = checked(rewrite(tmp_path / "flipped", every, feed(capture)))

    assert levels(found) > 0


@each
def test_stop_at_a_sequence_equals_a_capture_that_ends_there(capture: Path, protocol: str, tmp_path: Path) -> None:
    """Books at a sequence are those of what had been sent until then, in the middle of a datagram too."""
    every = frames(capture, protocol)
    one = crowded(every, 2) if protocol == ITCH else middle(every)
    run = Offline(open_source(capture))
    run.receiver.stop_after(0, one.last)
    assert run.advance()
    kept = without(every, lambda frame: frame.sequence > one.sequence)

    expected = rebuilt(rewrite(tmp_path / "cut", kept, feed(capture)))

    assert digests(expected) == digests(run.result())
    assert expected["books"] == run.result()["books"]
    assert levels(expected) > 50
    assert digests(rebuilt(capture)) != digests(expected)


def test_stop_in_the_middle_of_a_datagram_leaves_the_rest_for_later(itch: Path) -> None:
    """Each message of a packed datagram can be stopped at, and going on ends where an undisturbed run does."""
    one = crowded(frames(itch, ITCH), 3)
    run = Offline(open_source(itch))
    applied = []
    for sequence in range(one.sequence, one.last + 1):
        run.receiver.stop_after(0, sequence)
        assert run.advance()
        applied.append(run.receiver.counter(pipeline.EVENTS_APPLIED))
    finish(run)

    assert sorted(set(applied)) == applied
    assert digests(rebuilt(itch)) == digests(run.result())


@each
def test_stop_at_a_time_equals_a_capture_that_ends_there(capture: Path, protocol: str, tmp_path: Path) -> None:
    """A stop at a recorded time has seen every frame up to it and none behind it."""
    every = frames(capture, protocol)
    when = middle(every).stamp
    run = Offline(open_source(capture))
    run.until(when)
    assert run.advance()
    kept = without(every, lambda frame: frame.stamp > when)

    expected = rebuilt(rewrite(tmp_path / "cut", kept, feed(capture)))

    assert digests(expected) == digests(run.result())
    assert expected["messages"] == run.result()["messages"]
    assert levels(expected) > 50


@each
def test_going_on_after_stops_ends_where_an_undisturbed_run_does(capture: Path, protocol: str) -> None:
    """A hundred stops by time change nothing: not the books, not a counter."""
    source = open_source(capture)
    run = Offline(source)
    undisturbed = rebuilt(capture)
    first, last = source.first_ns, int(undisturbed["capture"]["last_ns"])
    stops = 0
    for when in np.linspace(first, last, 100, endpoint=False, dtype=np.int64):
        run.until(int(when))
        stops += run.advance()
    run.until(pipeline.NEVER)
    finish(run)

    assert stops == 100
    assert undisturbed == run.result()


@each
def test_checkpoint_goes_on_to_the_same_end(capture: Path, protocol: str) -> None:
    """A copy of the receiver's arrays, taken in the middle and put back after the end, gives the end once more."""
    every = frames(capture, protocol)
    run = Offline(open_source(capture))
    run.receiver.stop_after(0, middle(every).last)
    assert run.advance()
    middle_digest = run.receiver.state.books.digest(0)
    saved = run.receiver.state.copy()
    finish(run)
    end = run.receiver.state.books.digest(0)

    assert middle_digest == saved.books.digest(0)
    assert end != middle_digest


@each
def test_growth_loses_nothing(capture: Path, protocol: str) -> None:
    """Blocks that start with hardly any room grow on the way, and the result is the same to the last counter."""
    source = open_source(capture)
    run = Offline(source)
    run.receiver = Receiver(source.feed, first_ns=source.first_ns, verify=source.verify, orders=1)
    small = len(run.receiver.state.books.memory)
    finish(run)

    assert rebuilt(capture) == run.result()
    assert levels(run.result()) > 50
    if protocol == ITCH:
        assert len(run.receiver.state.books.memory) > small
    run.receiver.state.books.check()


def test_two_protocols_in_one_feed_do_not_touch_each_other(itch: Path, mdp3: Path, tmp_path: Path) -> None:
    """Channels of different protocols, frame by frame interleaved, come out as each does alone."""
    first, second = frames(itch, ITCH), frames(mdp3, MDP3)
    shift = second[0].stamp - first[0].stamp
    for frame in first:
        frame.stamp += shift
    both = sorted((*first, *second), key=lambda frame: frame.stamp)
    switches = sum(one.port != other.port for one, other in itertools.pairwise(both))
    alone = rebuilt(rewrite(tmp_path / "itch", first, feed(itch)))

    found = rebuilt(rewrite(tmp_path / "both", both, feed(itch) + "\n" + feed(mdp3)))

    assert switches > 1000
    assert [*digests(alone), *digests(rebuilt(mdp3))] == digests(found)
    assert found["messages"]["total"] == 4000
    assert [*alone["books"], *rebuilt(mdp3)["books"]] == found["books"]


def test_same_protocol_on_two_channels_keeps_them_apart(mdp3: Path, tmp_path: Path) -> None:
    """Equal instruments and equal sequences on two channels are two books."""
    path = make(tmp_path / "other", MDP3, seed=2)
    other = frames(path, MDP3)
    text = feed(path).replace('"999"', '"998"').replace(":14999", ":24999").replace(":15999", ":25999")
    for frame in other:
        port = frame.port + 10_000
        frame.data[frame.payload - 6 : frame.payload - 4] = port.to_bytes(2, "big")
        frame.data[frame.payload - 2 : frame.payload] = b"\0\0"
    both = sorted((*frames(mdp3, MDP3), *other), key=lambda frame: frame.stamp)

    found = rebuilt(rewrite(tmp_path / "both", both, feed(mdp3) + "\n" + text))

    assert [channel["name"] for channel in found["channels"]] == ["999", "998"]
    assert [*digests(rebuilt(mdp3)), *digests(rebuilt(path))] == digests(found)
    assert len({channel["digest"] for channel in found["channels"]}) == 2


def delayed(path: Path, by_ns: int, folder: Path) -> tuple[Path, Frame]:
    """Write a capture in which one datagram comes later on both lines; return it and the datagram."""
    every = frames(path, ITCH)
    one = middle(every)
    late = [frame for frame in every if frame.sequence == one.sequence and frame.units]
    for frame in late:
        frame.stamp += by_ns
    every.sort(key=lambda frame: frame.stamp)
    assert every.index(late[0]) > 0
    return rewrite(folder, every, feed(path)), one


def test_datagram_that_is_a_little_late_is_waited_for(itch: Path, tmp_path: Path) -> None:
    """Out of order by less than the wait: what came before is held, and the books are as if nothing had happened."""
    path, _ = delayed(itch, 5_000_000, tmp_path / "late")

    found = checked(path)

    assert lost(found) == []
    assert digests(rebuilt(itch)) == digests(found)
    assert levels(found) > 50


def test_datagram_that_is_too_late_is_a_gap(itch: Path, tmp_path: Path) -> None:
    """Later than the wait: given up, on record to the unit, and not applied to books that have gone on."""
    path, one = delayed(itch, 100_000_000, tmp_path / "late")

    found = checked(path)

    assert [(one.sequence, one.last, "lost")] == lost(found)
    assert 2000 - one.units == found["messages"]["total"]
    assert sum(line["late"] for line in found["channels"][0]["lines"]) > 0


def test_traffic_that_is_not_the_feed_is_counted_and_left_alone(itch: Path, tmp_path: Path) -> None:
    """Frames to a port that no line has are others; nothing of them reaches the books."""
    every = frames(itch, ITCH)
    stranger = frames(itch, ITCH)[len(every) // 2]
    stranger.data[stranger.payload - 6 : stranger.payload - 4] = (9).to_bytes(2, "big")
    stranger.data[stranger.payload - 2 : stranger.payload] = b"\0\0"
    place = len(every) // 2

    found = rebuilt(rewrite(tmp_path / "s", [*every[:place], stranger, *every[place:]], feed(itch)))

    assert found["capture"]["other_frames"] == 1
    assert len(every) == found["capture"]["datagrams"]
    assert digests(rebuilt(itch)) == digests(found)
