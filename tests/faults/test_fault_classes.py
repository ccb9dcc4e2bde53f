"""The class of each fault, decided beforehand from the schedule alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fault_bench import load, sent, write
from small_feeds import make

from simbench.faults.outcome import CLASSES, SIGNS

if TYPE_CHECKING:
    from pathlib import Path

DROP = '[[fault]]\nkind = "drop"\n'
BOTH_LATE = '[[fault]]\nkind = "delay"\nsequence = 300\ndelay = '
CORRUPT = '[[fault]]\nkind = "corrupt"\nsequence = 300\n'


def classes(path: Path, text: str, **more: Any) -> list[tuple[str, str]]:
    """Return class and sign of each fault of a script, in the order of the log."""
    records = load(path, text, **more).foreseen["records"]
    assert records
    return [(CLASSES[record[12]], SIGNS[record[13]]) for record in records]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DROP + 'line = "A"\nsequence = 300', [("masked", "")]),
        (DROP + "sequence = 300", [("noticeable", "gap")] * 2),
        (DROP + "sequence = 1", [("undetectable", "")] * 2),
        ('[[fault]]\nkind = "dark"\nsequence = [300, 340]', [("noticeable", "gap")] * 2),
        ('[[fault]]\nkind = "dark"\nline = "B"\nsequence = [300, 340]', [("masked", "")]),
        ('[[fault]]\nkind = "duplicate"\nsequence = 300', [("masked", "")] * 2),
        ('[[fault]]\nkind = "reorder"\nsequence = 300', [("masked", "")] * 2),
        ('[[fault]]\nkind = "reorder"\ncount = 1\nby = 2', [("masked", "")] * 2),
        (BOTH_LATE + '"1ms"', [("masked", "")] * 2),
        (BOTH_LATE + '"50ms"', [("noticeable", "gap")] * 2),
        (BOTH_LATE + '"50ms"\nline = "A"', [("masked", "")]),
        (CORRUPT + 'line = "A"', [("masked", "")]),
        (CORRUPT, [("noticeable", "gap")] * 2),
        (CORRUPT + "fix_checksum = true", [("noticeable", "conflict")] * 2),
        (CORRUPT + 'fix_checksum = true\nline = "A"', [("noticeable", "conflict")]),
        ('[[fault]]\nkind = "truncate"\nsequence = 300\nline = "A"', [("masked", "")]),
        ('[[fault]]\nkind = "truncate"\nsequence = 300\nline = "B"', [("masked", "")]),
        ('[[fault]]\nkind = "truncate"\nsequence = 300', [("noticeable", "gap")] * 2),
        ('[[fault]]\nkind = "truncate"\nsequence = 300\nbytes = 9000', [("noticeable", "gap")] * 2),
        ('[[fault]]\nkind = "truncate"\nsequence = 300\nfix_length = false', [("noticeable", "gap")] * 2),
        ('[[fault]]\nkind = "restart"\nsequence = 300', [("noticeable", "epoch")]),
    ],
)
def test_a_fault_is_classed_by_what_is_left(mdp3: Path, text: str, expected: list[tuple[str, str]]) -> None:
    """By the other line, the reorder window, what follows, and copies that can be compared."""
    assert classes(mdp3, text) == expected


def test_the_end_shows_only_where_something_follows(mdp3: Path, itch: Path) -> None:
    """The last packet of a feed without heartbeats is lost in silence; MoldUDP64's end of session tells of it."""
    last = max(int.from_bytes(frame.payload[:4], "little") for frame in sent(load(mdp3)))
    assert classes(mdp3, DROP + f"sequence = {last}") == [("undetectable", "")] * 2
    assert classes(mdp3, DROP + f"sequence = [{last - 3}, {last - 1}]") == [("noticeable", "gap")] * 6
    assert classes(itch, DROP + "sequence = 2000") == [("noticeable", "gap")] * 2


def test_a_heartbeat_carries_nothing_that_could_be_missed(tmp_path: Path) -> None:
    """It is lost in silence."""
    path = make(tmp_path / "slow", "nasdaq.itch50", 48, rate=0.5)
    frames = sent(load(path))
    line_a = min(frame.port for frame in frames)
    beats = [frame for frame in frames if frame.payload[18:20] == b"\0\0" and frame.port == line_a]
    assert len(beats) > 4
    seconds = (beats[0].when - frames[0].when) / 1e9
    assert classes(path, DROP + f'line = "A"\nat = "+{seconds:.9f}"') == [("undetectable", "")]


def test_damage_that_nobody_compares_is_undetectable(mdp3: Path) -> None:
    """Under a right checksum, on the one line that is heard: undetectable, unless it cannot be whole or be decoded."""
    fixed = '[[fault]]\nkind = "corrupt"\nevery = 5\nfix_checksum = true\nline = "A"'
    found = classes(mdp3, fixed, only_line="A")
    assert set(found) == {("undetectable", ""), ("noticeable", "malformed"), ("noticeable", "gap")}
    assert found.count(("undetectable", "")) > 50
    cut = classes(mdp3, '[[fault]]\nkind = "truncate"\nevery = 5\nbytes = 5\nline = "A"', only_line="A")
    assert set(cut) == {("noticeable", "gap"), ("undetectable", "")}
    assert cut.count(("undetectable", "")) <= 2, "the first and the last packet"


def test_one_line_alone_has_nobody_to_make_up_for_it(mdp3: Path) -> None:
    """What the other line would cover is a gap for a receiver that listens to one line."""
    assert classes(mdp3, DROP + 'line = "A"\nsequence = 300') == [("masked", "")]
    assert classes(mdp3, DROP + 'line = "A"\nsequence = 300', only_line="A") == [("noticeable", "gap")]


def test_a_restart_that_too_little_follows_is_not_believed(mdp3: Path) -> None:
    """Two packets a line are not enough to tell a restart from old ones."""
    last = max(int.from_bytes(frame.payload[:4], "little") for frame in sent(load(mdp3)))
    assert classes(mdp3, f'[[fault]]\nkind = "restart"\nsequence = {last - 1}') == [("undetectable", "")]
    assert classes(mdp3, f'[[fault]]\nkind = "restart"\nsequence = {last - 5}') == [("noticeable", "epoch")]


def test_a_restart_in_a_gap_keeps_both_epochs_apart(itch: Path) -> None:
    """What is lost on both sides of a new session is told by the sequences of each."""
    text = (
        '[[fault]]\nkind = "drop"\nsequence = [990, 1010]\n[[fault]]\nkind = "session"\nsequence = 1000\nname = "NEXT"'
    )
    loader = load(itch, text)
    (stream,) = loader.foreseen["streams"]
    lost = [era["gaps"] for era in stream["eras"]]
    first = next(record[11] for record in loader.foreseen["records"] if record[0] == 2)
    assert first > 1010, "the session begins with the first datagram that is sent"
    assert [era["first"] for era in stream["eras"]] == [1, 1]
    assert lost == [[], []]
    assert stream["eras"][0]["last"] < 990, "nothing tells the receiver of what the old session still had"
    assert {(CLASSES[r[12]], SIGNS[r[13]]) for r in loader.foreseen["records"]} == {
        ("undetectable", ""),
        ("noticeable", "epoch"),
    }


def test_gaps_of_the_capture_are_told_apart(itch: Path, tmp_path: Path) -> None:
    """What the capture itself lacks on both lines is expected, and not the script's doing."""
    frames = [f for f in sent(load(itch)) if not 500 <= int.from_bytes(f.payload[10:18], "big") <= 540]
    path = write(tmp_path, [(f.when, f.data) for f in frames], itch)
    (era,) = load(path, DROP + "sequence = [100, 110]").foreseen["streams"][0]["eras"]
    assert len(era["gaps"]) == 2
    assert era["own"] == [era["gaps"][1]]
    assert era["gaps"][0][0] <= 100
