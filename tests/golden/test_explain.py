"""A planted fault is found: the message after which the books differ, and the ladders of the instrument."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest
from golden_folders import events_of, load, make_golden, plant, save
from small_feeds import ITCH, MDP3, frames, rebuilt, rewrite

from simbench import event
from simbench.commands.verify import verify
from simbench.feed.definition import dump
from simbench.golden.check import check
from simbench.golden.expectation import write
from simbench.golden.walk import Walk
from simbench.protocol.contract import unpack_text
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OFFLINE = ["none"]
ELSEWHERE = 1 << 40  # added to the id of an order: a queue differs, and no level


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a golden folder of each protocol; not to be written to."""
    return make_golden(tmp_path_factory.mktemp("explained"))


@pytest.fixture
def golden(folders: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that gives a golden folder that a test may spoil."""
    return lambda protocol: shutil.copytree(folders[protocol], tmp_path / protocol)


def offline(folder: Path) -> list[str]:
    """Return what the first check of a folder says."""
    name, lines = next(iter(check(folder, OFFLINE)))
    assert name in {"offline", "beside the reference book"}
    return lines


def more(what: Any) -> None:
    """Change the quantity of an event."""
    what["quantity"] += 7


def renamed(what: Any) -> None:
    """Change the order of an event."""
    what["order"] += ELSEWHERE


def lasting_order(path: Path, checkpoint: int) -> Any:
    """Return the last event that adds an order before a checkpoint and that no later one is about."""
    events = events_of(path)
    return next(
        one
        for one in reversed(events)
        if one["kind"] == event.ADD
        and one["sequence"] <= checkpoint
        and not any(other["order"] == one["order"] and other["kind"] != event.ADD for other in events)
    )


def templates_of(path: Path, sequence: int) -> tuple[int, list[int]]:
    """Return how many messages line A has before an MDP3 packet, and the templates of those in it."""
    before, found = 0, []
    for frame in frames(path, MDP3):
        if frame.port == 14_999 and frame.sequence <= sequence:
            body, at = bytes(frame.data[frame.payload :]), 12
            before, found = before + len(found), []
            while at < len(body):
                found.append(int.from_bytes(body[at + 4 : at + 6], "little"))
                at += int.from_bytes(body[at : at + 2], "little")
    return before, found


def test_message_of_a_fault_in_the_engine_is_named(
    golden: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One quantity of one order: its message, type and instrument, and the one level beside each other."""
    folder = golden(ITCH)
    points = load(folder)["checkpoints"]
    wrong = lasting_order(folder / "capture.pcap", points[3]["sequence"])
    assert wrong["sequence"] > points[2]["sequence"]
    plant(monkeypatch, wrong, more)

    assert verify(folders=[folder], wires=OFFLINE) == 1

    said = capsys.readouterr().out.splitlines()
    sequence, key = int(wrong["sequence"]), unpack_text(int(wrong["instrument"]))
    assert f"sequence {points[3]['sequence']}, the first checkpoint that does" in said[1]
    (named,) = [line for line in said if "engine and reference book differ" in line]
    assert f"after message {sequence} of itch: epoch 0, sequence {sequence}, " in named
    assert f"(add order), event 1 (add), instrument {key}" in named.replace(" with attribution", "")
    marked = [line for line in said if "<>" in line]
    assert len(marked) == 1
    ours, theirs = (side.split()[-2] for side in marked[0].split("<>"))
    assert int(ours) == int(theirs) + 7


def test_event_of_a_message_with_several_is_named(
    golden: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last level that a checkpoint saw, in a packet of many entries: channel, packet, template and entry."""
    folder = golden(MDP3)
    points = load(folder)["checkpoints"]
    levels = [
        one
        for one in events_of(folder / "capture.pcap")
        if one["kind"] in {event.LEVEL_NEW, event.LEVEL_CHANGE} and one["sequence"] <= points[2]["sequence"]
    ]
    wrong = levels[-1]
    plant(monkeypatch, wrong, more)

    lines = offline(folder)

    assert f"sequence {points[2]['sequence']}, the first checkpoint that does" in lines[0]
    (named,) = [line for line in lines if "engine and reference book differ" in line]
    assert f"epoch 0, sequence {wrong['sequence']}, " in named
    before, templates = templates_of(folder / "capture.pcap", int(wrong["sequence"]))
    ordinal = int(named.partition("after message ")[2].partition(" ")[0])
    assert f", {templates[ordinal - before - 1]} (MDIncrementalRefreshBook" in named
    assert named.endswith(f"instrument {wrong['instrument']}")
    assert sum("<>" in line for line in lines) == 1


def test_fault_that_no_level_shows_is_found_where_it_was_made(
    golden: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order under another id shows in no digest of levels before it is deleted, checkpoints later."""
    folder = golden(ITCH)
    points = [point["sequence"] for point in load(folder)["checkpoints"]]
    events = events_of(folder / "capture.pcap")
    added = {int(one["order"]): one for one in events if one["kind"] == event.ADD}
    wrong = next(
        added[int(one["order"])]
        for one in events
        if one["kind"] == event.DELETE
        and int(one["order"]) in added
        and any(added[int(one["order"])]["sequence"] <= point < one["sequence"] for point in points)
    )
    plant(monkeypatch, wrong, renamed)

    lines = offline(folder)

    (named,) = [line for line in lines if "engine and reference book differ" in line]
    assert f"after message {wrong['sequence']} of itch" in named
    assert not any("<>" in line for line in lines)
    assert [line for line in lines if "from place" in line and str(int(wrong["order"]) + ELSEWHERE) in line]


def test_fault_without_an_expectation_is_found(golden: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference book alone says it."""
    folder = golden(ITCH)
    wrong = lasting_order(folder / "capture.pcap", 300)
    (folder / "expected.json").unlink()
    assert offline(folder) == []

    plant(monkeypatch, wrong, more)

    assert f"engine and reference book differ after message {wrong['sequence']} of itch" in offline(folder)[0]


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_expectation_of_other_code_is_called_that(protocol: str, golden: Callable[[str], Path]) -> None:
    """A changed digest, engine and reference book of one mind: the messages in between, and no blame for them."""
    folder = golden(protocol)
    expected = load(folder)
    point = expected["checkpoints"][2]
    point["digest"] = "0" * 32
    save(folder, expected)

    lines = offline(folder)

    good, bad = expected["checkpoints"][1]["sequence"], point["sequence"]
    assert f"differ at sequence {bad}" in lines[0]
    assert f"agree on every event of {point['channel']} after sequence {good} to sequence {bad}" in lines[1]
    assert "made by other code" in lines[2]
    assert f"(sequence {good + 1}) to " in lines[3]
    assert f"(sequence {bad}) of {point['channel']}" in lines[3]
    assert "they change " in lines[4]
    assert "final books of these are as expected" in lines[5]
    assert len(lines) == 6


def test_final_ladders_show_what_an_expectation_of_other_code_had(golden: Callable[[str], Path]) -> None:
    """A book that is another one in the expectation stands beside ours; only the levels that differ are marked."""
    folder = golden(ITCH)
    expected = load(folder)
    expected["checkpoints"][4]["digest"] = "0" * 32
    book = max(expected["books"], key=lambda book: len(book["bids"]))
    gone = book["bids"].pop(1)
    save(folder, expected)

    lines = offline(folder)

    assert f"{book['key']} on itch" in lines
    assert [line.split() for line in lines if "<>" in line] == [["bid", *map(str, gone), "<>"]]


def test_outcome_that_changes_with_the_batch_is_not_blamed_on_the_expectation(
    golden: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the same events one by one come to other books, that is what is said."""
    folder = golden(ITCH)
    wrong = lasting_order(folder / "capture.pcap", load(folder)["checkpoints"][3]["sequence"])
    lines = []
    with monkeypatch.context() as fault:
        plant(fault, wrong, more)
        from simbench.golden import check as module

        explained = module.explain

        def repaired(*arguments: Any) -> list[str]:
            fault.undo()
            return explained(*arguments)

        fault.setattr(module, "explain", repaired)
        lines = offline(folder)

    assert any("does not do the same every time" in line for line in lines)
    assert not any("made by other code" in line for line in lines)


def test_every_message_is_told_from_the_others(folders: dict[str, Path]) -> None:
    """In ITCH each message is an event: stepping counts every type as often as the receiver does."""
    path = folders[ITCH] / "capture.pcap"
    expected = rebuilt(path)["messages"]["by_type"]
    walk = Walk(open_source(path), 0)
    walk.step_to(None)

    assert walk.found is None
    assert (walk.first, walk.last) == ((1, 1), (600, 600))
    assert {name.partition(" ")[0]: count for name, count in walk.messages.items()} == expected
    assert len(expected) > 10


def test_messages_with_several_events_count_once(folders: dict[str, Path]) -> None:
    """Of MDP3 messages some have many events and some none: no type comes out more often than it is there."""
    path = folders[MDP3] / "capture.pcap"
    expected = rebuilt(path)["messages"]["by_type"]
    walk = Walk(open_source(path), 0)
    walk.step_to(None)

    counted = {name.partition(" ")[0]: count for name, count in walk.messages.items()}
    assert walk.found is None
    assert all(count <= expected[key] for key, count in counted.items())
    assert sum(counted.values()) > 300
    assert any(counted[key] == expected[key] > 50 for key in counted)


def test_messages_of_packets_that_were_held_are_told_too(folders: dict[str, Path], tmp_path: Path) -> None:
    """Line A alone with every two packets swapped: one waits for the other, and the messages are the same."""
    feed = (folders[ITCH] / "feed.toml").read_text(encoding="utf-8")
    of_a = [frame for frame in frames(folders[ITCH] / "capture.pcap", ITCH) if frame.port == 26_400]
    kept = of_a[:2]
    for one, other in zip(of_a[2::2], of_a[3::2], strict=False):
        one.stamp, other.stamp = other.stamp, one.stamp
        kept += [other, one]
    path = rewrite(tmp_path / "swapped", [*kept, *of_a[len(kept) :]], feed)
    expected = rebuilt(path)
    walk = Walk(open_source(path), 0)
    walk.step_to(None)

    assert walk.found is None
    assert expected["channels"][0]["lines"][0]["reordered"] > 50
    counted = {name.partition(" ")[0]: count for name, count in walk.messages.items()}
    assert counted == expected["messages"]["by_type"]
    assert sum(counted.values()) == 600


def test_fault_in_the_second_of_two_channels_is_named(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two protocols in one capture, frame by frame in turn: the fault is that of its own channel."""
    feed = "\n".join((folders[protocol] / "feed.toml").read_text(encoding="utf-8") for protocol in (MDP3, ITCH))
    first, second = (frames(folders[protocol] / "capture.pcap", protocol) for protocol in (MDP3, ITCH))
    both = [frame for pair in zip_longest(first, second) for frame in pair if frame is not None]
    for number, frame in enumerate(both):
        frame.stamp = first[0].stamp + 1000 * number
    folder = rewrite(tmp_path / "both", both, feed).parent
    write(folder, 5)
    point = load(folder)["checkpoints"][7]
    wrong = lasting_order(folders[ITCH] / "capture.pcap", point["sequence"])
    plant(monkeypatch, wrong, more)

    lines = offline(folder)

    assert point["channel"] == "itch"
    assert f"itch: the books differ at sequence {point['sequence']}, " in lines[0]
    (named,) = [line for line in lines if "engine and reference book differ" in line]
    assert f"after message {wrong['sequence']} of itch" in named


def test_messages_of_a_protocol_that_remembers_are_told_too(real_captures: Path, tmp_path: Path) -> None:
    """Deribit defines an instrument once and sends snapshots beside its lines: every message with events is told."""
    whole = real_captures / "deribit-sbe" / "capture.pcapng"
    path = rewrite(tmp_path / "deribit", frames(whole, "deribit.sbe")[:1000], dump(open_source(whole).feed))
    source = open_source(path)
    expected = rebuilt(path)["messages"]["by_type"]
    counted: Counter[str] = Counter()
    for number in range(len(source.feed.channels)):
        walk = Walk(source, number)
        walk.step_to(None)
        assert walk.found is None
        counted.update({name.partition(" ")[0]: count for name, count in walk.messages.items()})

    assert counted == {key: count for key, count in expected.items() if key in counted}
    assert min(counted[key] for key in ("1000", "1003", "1004")) > 20
