"""What each kind of fault does to the frames that are scheduled: their bytes, times and order, not the log of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fault_bench import Sent, load, sent
from small_feeds import ITCH, MDP3

from simbench.capture.seal import fits, is_sound

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
PROTOCOLS = pytest.mark.parametrize("protocol", [ITCH, MDP3])


@pytest.fixture
def path(protocol: str, itch: Path, mdp3: Path) -> Path:
    """Return the generated capture of a protocol."""
    return itch if protocol == ITCH else mdp3


def faulted(path: Path, *keys: str) -> tuple[list[Sent], list[Sent], list[Any]]:
    """Return the schedule without and with one fault, and the log; the fault has happened and frames are sent."""
    loader = load(path, "seed = 9\n[[fault]]\n" + "\n".join(keys))
    clean, found = sent(load(path)), sent(loader)
    assert found != clean
    assert len(found) > 500
    assert loader.foreseen["records"]
    return clean, found, loader.foreseen["records"]


def sequence(frame: Sent, protocol: str) -> int:
    """Return the first sequence of a frame as its protocol writes it."""
    return (
        int.from_bytes(frame.payload[10:18], "big") if protocol == ITCH else int.from_bytes(frame.payload[:4], "little")
    )


def sound(frame: Sent) -> bool:
    """Tell whether a receiver takes it."""
    data = np.frombuffer(bytearray(frame.data), np.uint8)
    return bool(is_sound(data, 0, len(data)))


def lines(frames: list[Sent]) -> dict[int, list[Sent]]:
    """Return the frames of each line in their order, by port."""
    return {port: [frame for frame in frames if frame.port == port] for port in sorted({f.port for f in frames})}


@PROTOCOLS
def test_drop_leaves_datagrams_out(path: Path, protocol: str) -> None:
    """What is chosen is not there, everything else is as it was."""
    clean, found, records = faulted(path, 'kind = "drop"', "sequence = [100, 120]", 'line = "A"')
    gone = [frame for frame in clean if frame not in found]
    assert found == [frame for frame in clean if frame not in gone]
    assert len(gone) == len(records) > 3
    assert {frame.port for frame in gone} == {min(lines(clean))}
    assert all(80 < sequence(frame, protocol) <= 120 for frame in gone), "a datagram holds up to 20 messages"


@PROTOCOLS
def test_dark_silences_a_line_from_to(path: Path, protocol: str) -> None:
    """Nothing of the line in that time, everything else; a run of datagrams is one record."""
    clean, found, records = faulted(path, 'kind = "dark"', 'line = "B"', 'from = "+0.3s"', 'to = "+0.4s"')
    start, port = clean[0].when, max(lines(clean))
    gone = [frame for frame in clean if frame.port == port and 300 * MS <= frame.when - start < 400 * MS]
    assert found == [frame for frame in clean if frame not in gone]
    assert len(records) == 1
    assert records[0][8] == len(gone) > 20


@PROTOCOLS
def test_duplicate_sends_copies_behind(path: Path, protocol: str) -> None:
    """Copies are equal, come when they should, and have parts of the same ordinal."""
    clean, found, _ = faulted(path, 'kind = "duplicate"', "every = 50", "copies = 2", 'delay = "1ms"')
    copies = [frame for frame in found if frame.part]
    originals = {frame.ordinal: frame for frame in clean}
    assert [frame for frame in found if not frame.part] == clean
    assert len(copies) == 2 * len({frame.ordinal for frame in copies}) > 20
    for copy in copies:
        original = originals[copy.ordinal]
        assert copy.data == original.data
        assert copy.when == original.when + copy.part * MS
    assert [frame.when for frame in found] == sorted(frame.when for frame in found)


@PROTOCOLS
def test_a_copy_without_delay_follows_at_once(path: Path, protocol: str) -> None:
    """Directly behind the datagram, with its time."""
    _, found, _ = faulted(path, 'kind = "duplicate"', "every = 50")
    places = [place for place, frame in enumerate(found) if frame.part]
    assert len(places) > 20
    for place in places:
        assert found[place] == found[place - 1]._replace(part=1)


@PROTOCOLS
def test_reorder_lets_the_next_ones_of_the_line_overtake(path: Path, protocol: str) -> None:
    """A datagram chosen comes directly behind the k-th that followed it on its line, at its time."""
    clean, found, records = faulted(path, 'kind = "reorder"', 'line = "A"', "every = 20", "by = 3")
    before, after = lines(clean)[min(lines(clean))], lines(found)[min(lines(clean))]
    assert lines(found)[max(lines(clean))] == lines(clean)[max(lines(clean))]
    expected = list(before)
    for place in range(0, len(before) - 3, 20):
        moved = expected.pop(place)
        expected.insert(place + 3, moved._replace(when=before[place + 3].when))
    if len(before) % 20 in {1, 2, 3}:  # the last one chosen has too few behind it: it is the last of all
        moved = expected.pop(len(before) - len(before) % 20)
        expected.append(moved._replace(when=clean[-1].when))
    assert after == expected
    assert len(records) >= len(before) // 20 > 10
    for place, frame in enumerate(found[1:]):
        if frame.when == found[place].when and frame.port == found[place].port and frame.ordinal < found[place].ordinal:
            break
    else:
        pytest.fail("nothing was overtaken")


@PROTOCOLS
def test_reordering_everything_holds_one_back_at_a_time(path: Path, protocol: str) -> None:
    """With every datagram chosen, neighbours of a line change places."""
    clean, found, _ = faulted(path, 'kind = "reorder"', 'line = "B"')
    port = max(lines(clean))
    before = [frame.ordinal for frame in lines(clean)[port]]
    swapped = [before[place ^ 1] if place ^ 1 < len(before) else before[place] for place in range(len(before))]
    assert [frame.ordinal for frame in lines(found)[port]] == swapped != before


@PROTOCOLS
def test_delay_moves_in_time_and_nothing_else(path: Path, protocol: str) -> None:
    """Chosen ones are late by what was asked, the jitter added; the schedule stays in order, equals as they were."""
    clean, found, records = faulted(path, 'kind = "delay"', "probability = 0.1", 'delay = "2ms"', 'jitter = "1ms"')
    times = {frame.ordinal: frame.when for frame in clean}
    late = {frame.ordinal: frame.when - times[frame.ordinal] for frame in found if frame.when != times[frame.ordinal]}
    assert len(late) == len(records) > 50
    assert all(2 * MS <= delay <= 3 * MS for delay in late.values())
    assert len(set(late.values())) > len(late) // 2
    assert sorted((f.ordinal, f.data) for f in found) == sorted((f.ordinal, f.data) for f in clean)
    order = sorted(clean, key=lambda frame: frame.when + late.get(frame.ordinal, 0))
    assert [frame.ordinal for frame in found] == [frame.ordinal for frame in order]


@PROTOCOLS
def test_skew_makes_a_line_late_and_keeps_its_order(path: Path, protocol: str) -> None:
    """The whole line, while it lasts; behind its end nothing overtakes."""
    clean, found, records = faulted(
        path, 'kind = "skew"', 'line = "B"', 'from = "+0.2s"', 'to = "+0.5s"', 'delay = "20ms"'
    )
    start, port = clean[0].when, max(lines(clean))
    before, after = lines(clean)[port], lines(found)[port]
    assert [frame.ordinal for frame in after] == [frame.ordinal for frame in before]
    assert [frame.data for frame in after] == [frame.data for frame in before]
    latest = 0
    for old, new in zip(before, after, strict=True):
        asked = old.when + 20 * MS * (200 * MS <= old.when - start < 500 * MS)
        latest = max(latest, asked)
        assert new.when == latest
    assert sum(old.when != new.when for old, new in zip(before, after, strict=True)) == records[0][8] > 50
    assert [frame.when for frame in found] == sorted(frame.when for frame in found)


@PROTOCOLS
@pytest.mark.parametrize("fix", [False, True])
@pytest.mark.parametrize("part", ["messages", "header", "payload"])
def test_corrupt_turns_so_many_bits_over(path: Path, protocol: str, fix: bool, part: str) -> None:
    """In the part that was asked for; the checksum is right exactly where it was to be fixed."""
    keys = (
        'kind = "corrupt"',
        "probability = 0.2",
        "bits = 3",
        f'part = "{part}"',
        f"fix_checksum = {str(fix).lower()}",
    )
    clean, found, records = faulted(path, *keys)
    header = 20 if protocol == ITCH else 12
    changed = 0
    for old, new in zip(clean, found, strict=True):
        assert (old.when, old.ordinal, len(old.data)) == (new.when, new.ordinal, len(new.data))
        turned = [at for at, (a, b) in enumerate(zip(old.payload, new.payload, strict=True)) if a != b]
        bits = sum((a ^ b).bit_count() for a, b in zip(old.payload, new.payload, strict=True))
        if not turned:
            assert old.data == new.data
            continue
        changed += 1
        assert bits == 3 or (bits == 4 and not fix)  # one more where three made up for each other in the checksum
        assert sound(new) is fix
        first, behind = {"messages": (header, 1 << 20), "header": (0, header), "payload": (0, 1 << 20)}[part]
        assert first <= min(turned)
        assert max(turned) < behind
        assert old.data[:40] == new.data[:40]
    assert changed == len(records) > 50


@PROTOCOLS
@pytest.mark.parametrize("fix", [False, True])
def test_truncate_cuts_the_end_off(path: Path, protocol: str, fix: bool) -> None:
    """With lengths and checksum that fit what is left, or with those of the whole."""
    keys = ('kind = "truncate"', "every = 10", "bytes = 7", f"fix_length = {str(fix).lower()}")
    clean, found, records = faulted(path, *keys)
    shorter = [(old, new) for old, new in zip(clean, found, strict=True) if old.data != new.data]
    assert len(shorter) == len(records) > 50
    for old, new in shorter:
        assert new.payload == old.payload[:-7]
        assert sound(new) is fix
        data = np.frombuffer(bytearray(new.data), np.uint8)
        assert bool(fits(data, 0, len(data))) is fix
        if not fix:
            assert new.data == old.data[:-7]


def messages(payload: bytes) -> list[bytes]:
    """Return the messages of a MoldUDP64 packet, as its count and lengths say."""
    found, at = [], 20
    for _ in range(int.from_bytes(payload[18:20], "big") % 0xFFFF):
        size = int.from_bytes(payload[at : at + 2], "big")
        found.append(payload[at + 2 : at + 2 + size])
        at += 2 + size
    assert at == len(payload)
    return found


def numbered(frames: list[Sent]) -> list[tuple[int, bytes]]:
    """Return the messages of frames with their sequences."""
    return [
        (sequence(frame, ITCH) + number, message)
        for frame in frames
        for number, message in enumerate(messages(frame.payload))
    ]


def test_split_cuts_between_messages(itch: Path) -> None:
    """Every piece is a packet of its own; the same messages come under the same sequences at the same time."""
    clean, found, records = faulted(itch, 'kind = "split"', "pieces = 3")
    assert all(sound(frame) for frame in found)
    assert numbered(found) == numbered(clean)
    assert {old.when for old in clean} == {new.when for new in found}
    assert max(frame.part for frame in found) == 2
    pieces = {frame.ordinal: 0 for frame in found if frame.part}
    for frame in found:
        if frame.ordinal in pieces:
            pieces[frame.ordinal] += 1
            assert 1 <= len(messages(frame.payload)) <= 6
    assert [pieces[record[1]] for record in sorted(records, key=lambda r: r[1])] == [pieces[k] for k in sorted(pieces)]
    assert len(pieces) > 20
    assert {len(messages(f.payload)) for f in clean if f.ordinal in pieces} > {2, 3}


def test_merge_sends_several_in_one(itch: Path) -> None:
    """As many as were asked for, at the time of the last; the same messages under the same sequences on each line."""
    clean, found, records = faulted(itch, 'kind = "merge"', "every = 2", "datagrams = 3", 'within = "50ms"')
    assert all(sound(frame) for frame in found)
    assert max(len(frame.data) for frame in found) <= 1514
    merged = 0
    for port, before in lines(clean).items():
        assert numbered(lines(found)[port]) == numbered(before)
        left = iter(before)
        for frame in lines(found)[port]:
            parts = [next(left)]
            while sum(len(messages(part.payload)) for part in parts) < len(messages(frame.payload)):
                parts.append(next(left))
            assert (frame.ordinal, frame.when) == (parts[0].ordinal, parts[-1].when)
            assert len(parts) <= 3
            merged += len(parts) > 1
        assert next(left, None) is None
    assert merged == len(records)
    assert len(clean) - len(found) == sum(record[11] - 1 for record in records) > 100
    assert {record[11] for record in records} == {2, 3}


@PROTOCOLS
def test_restart_begins_again_with_1_on_every_line(path: Path, protocol: str) -> None:
    """From the same unit on, whichever line is ahead; nothing but numbers and checksums changes."""
    clean, found, records = faulted(path, 'kind = "restart"', 'at = "+0.5s"')
    first = records[0][11]
    field = slice(10, 18) if protocol == ITCH else slice(0, 4)
    changed = 0
    for old, new in zip(clean, found, strict=True):
        assert sound(new)
        before, after = sequence(old, protocol), sequence(new, protocol)
        assert after == (before - first + 1 if before >= first else before)
        rest = bytearray(old.payload)
        rest[field] = new.payload[field]
        assert bytes(rest) == new.payload
        changed += before != after
    starts = [new for new in found if sequence(new, protocol) == 1 and new.when >= clean[0].when + 500 * MS]
    assert {frame.port for frame in starts} == set(lines(clean))
    assert changed > 200


def test_session_gives_another_name_and_begins_with_1(itch: Path) -> None:
    """The new name, padded, from the unit on that was asked for."""
    clean, found, _ = faulted(itch, 'kind = "session"', "sequence = 1000", 'name = "NEXT"')
    renamed = 0
    for old, new in zip(clean, found, strict=True):
        assert sound(new)
        assert new.payload[18:] == old.payload[18:]
        if sequence(old, ITCH) < 1000:
            assert new.data == old.data
        else:
            renamed += 1
            assert new.payload[:10] == b"NEXT      "
            assert sequence(new, ITCH) == sequence(old, ITCH) - 999
    assert renamed > 200


def test_faults_take_what_the_ones_before_them_left(itch: Path) -> None:
    """A copy can be dropped, a piece can be late, and each has an ordinal of its own."""
    text = """
    seed = 1
    [[fault]]
    kind = "split"
    pieces = 2
    [[fault]]
    kind = "duplicate"
    every = 3
    [[fault]]
    kind = "delay"
    probability = 0.3
    delay = "3ms"
    """
    clean, found = sent(load(itch)), sent(load(itch, text))
    identities = [(frame.ordinal, frame.part) for frame in found]
    assert len(identities) == len(set(identities)) > len(clean) * 1.3
    assert {part for _, part in identities} == {0, 1, 2, 3}
    assert sum(frame.when not in {f.when for f in clean} for frame in found) > 100
