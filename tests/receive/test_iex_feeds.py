"""IEX feeds from frames to books: lines that are cut differently, restarts, heartbeats, damage."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from iex_feeds import (
    LINES,
    STEP_NS,
    Sent,
    deep_messages,
    deep_plus_messages,
    heartbeat,
    sends,
    tops_messages,
    write,
)
from iex_samples import NOON, quote, read_message
from small_feeds import checked, digests, levels, rebuilt

if TYPE_CHECKING:
    from pathlib import Path

MAKERS = {"iex.tops": tops_messages, "iex.deep": deep_messages, "iex.deep_plus": deep_plus_messages}
COUNT = 600
CUT_A, CUT_B = (1, 3, 2, 7), (4, 1, 1, 5, 2, 3)

each = pytest.mark.parametrize("protocol", MAKERS)


def both_lines(messages: list[bytes], protocol: str) -> list[Sent]:
    """Return the segments of both lines, which cut the messages each in its own way."""
    return sends(messages, 0, CUT_A, protocol) + sends(messages, 1, CUT_B, protocol)


def gaps(found: dict[str, Any]) -> list[tuple[int, int, str, str]]:
    """Return the gap records."""
    return [(gap["first"], gap["last"], gap["outcome"], gap["cause"]) for gap in found["channels"][0]["gaps"]]


def line(found: dict[str, Any], number: int, *keys: str) -> list[Any]:
    """Return what a line brought."""
    return [found["channels"][0]["lines"][number][key] for key in keys]


@each
def test_books_are_those_of_the_reference_from_lines_that_cut_differently(protocol: str, tmp_path: Path) -> None:
    """Every message counts once, wherever its segment overlaps with what the other line brought; nothing is odd."""
    messages = MAKERS[protocol](COUNT)
    found = checked(write(tmp_path / "both", both_lines(messages, protocol), protocol))

    assert len(messages) == found["messages"]["total"]
    assert gaps(found) == []
    assert line(found, 0, "conflicts") == line(found, 1, "conflicts") == [0]
    assert line(found, 0, "won")[0] > 20 < line(found, 1, "won")[0]
    assert set(found["anomalies"].values()) == {0}
    assert levels(found) > 5


@each
def test_one_line_alone_gives_the_same_books(protocol: str, tmp_path: Path) -> None:
    """Both lines carry everything, so either alone is enough."""
    path = write(tmp_path / "both", both_lines(MAKERS[protocol](COUNT), protocol), protocol)
    both, a, b = (rebuilt(path, only_line=name) for name in (None, "A", "B"))

    assert levels(both) > 5
    assert both["books"] == a["books"] == b["books"]
    assert digests(both) == digests(a) == digests(b)


@each
def test_holes_of_one_line_are_filled_out_of_the_middle_of_the_others_segments(protocol: str, tmp_path: Path) -> None:
    """Each line loses every third segment, never the same message as the other: no gap, and the whole line's books."""
    messages = MAKERS[protocol](COUNT)
    whole = both_lines(messages, protocol)
    kept, missing = [], set[int]()
    for number, one in enumerate(sorted(whole)):
        units = set(range(one.first, one.first + one.units))
        if number % 3 == 1 and not units & missing:
            missing |= units
        else:
            kept.append(one)
    assert len(missing) > 100
    path = write(tmp_path / "holes", kept, protocol)
    found = checked(path)

    assert len(messages) == found["messages"]["total"]
    assert gaps(found) == []
    assert all(found["channels"][0]["lines"][number]["missing_units"] > 20 for number in (0, 1))
    assert digests(rebuilt(write(tmp_path / "whole", whole, protocol))) == digests(found)


def test_the_last_quote_is_the_book(tmp_path: Path) -> None:
    """One level a side, or none where the size is 0."""
    messages = tops_messages(COUNT)
    found = checked(write(tmp_path / "tops", both_lines(messages, "iex.tops"), "iex.tops"))

    last = {}
    for message in messages:
        fields = read_message(message)
        if fields["type"] == "Q":
            last[fields["symbol"]] = fields
    names = ("bid", "ask")
    expected = {
        symbol: [
            [] if not fields[f"{name}_size"] else [(fields[f"{name}_price"], fields[f"{name}_size"])] for name in names
        ]
        for symbol, fields in last.items()
    }
    assert expected == {
        book["key"]: [
            [(round(float(price) * 10_000), int(size)) for price, size, _ in book[f"{name}s"]] for name in names
        ]
        for book in found["books"]
    }
    assert [] in expected["AAPL"] + expected["ZIEXT"] + expected["BRK.A"] + expected["ABCDEFGH"]


def test_a_book_between_the_updates_of_an_event_is_not_judged(tmp_path: Path) -> None:
    """The updates of one event cross the book for a moment; with every update complete that would be an anomaly."""
    messages = deep_messages(COUNT)
    complete = [message[:1] + b"\1" + message[2:] if message[:1] in b"85" else message for message in messages]
    inside = checked(write(tmp_path / "events", sends(messages, 0, CUT_A, "iex.deep"), "iex.deep"))
    alone = checked(write(tmp_path / "alone", sends(complete, 0, CUT_A, "iex.deep"), "iex.deep"))

    assert inside["anomalies"]["crossed"] == 0 < alone["anomalies"]["crossed"]
    assert inside["books"] == alone["books"]


def test_a_restart_with_the_same_session_is_an_epoch(tmp_path: Path) -> None:
    """The sequence starts again at 1 with later sent times: both lines move on, nothing is lost and nothing is late."""
    before, after = tops_messages(300, seed=1), tops_messages(200, seed=2)
    start = NOON + 400 * STEP_NS
    segments = both_lines(before, "iex.tops")
    for number, cut in enumerate((CUT_A, CUT_B)):
        segments += sends(after, number, cut, "iex.tops", start=start)
    found = checked(write(tmp_path / "restart", segments, "iex.tops"))

    epochs = found["channels"][0]["epochs"]
    keys = ("session", "restart", "first", "last", "cause")
    assert [tuple(epoch[key] for key in keys) for epoch in epochs] == [
        ("77", 0, 1, 300, "start"),
        ("77", 1, 1, 200, "restart"),
    ]
    assert found["messages"]["total"] == 500
    assert gaps(found) == []
    assert line(found, 0, "late", "conflicts") == line(found, 1, "late", "conflicts") == [0, 0]


def test_a_heartbeat_at_the_tail_reveals_a_gap(tmp_path: Path) -> None:
    """Both lines lost the end; the heartbeat says which sequence would be next."""
    segments = [one for one in both_lines(tops_messages(100), "iex.tops") if one.first + one.units <= 91]
    last = max(one.first + one.units for one in segments) - 1
    end = NOON + 200 * STEP_NS
    path = write(tmp_path / "silent", segments, "iex.tops")
    told = write(tmp_path / "told", [*segments, heartbeat(end, 0, 101, "iex.tops")], "iex.tops")

    assert gaps(rebuilt(path)) == []
    assert [gap[:3] for gap in gaps(rebuilt(told))] == [(last + 1, 100, "lost")]


@pytest.mark.parametrize("cut", [1, 43, 44, 45, 100])
def test_a_segment_that_is_cut_is_a_gap(cut: int, tmp_path: Path) -> None:
    """Nothing of it is believed, as if it had not come; a cut between two messages is one too."""
    whole = sends([quote("AAPL", (1, 1), (2, 2))] * 12, 0, (4,), "iex.tops")
    broken = whole[1]._replace(payload=whole[1].payload[:-cut])
    found = checked(write(tmp_path / "cut", [whole[0], broken, whole[2]], "iex.tops"))

    assert gaps(found) == [(5, 8, "lost", "end of data")]
    assert (found["messages"]["bad_headers"], found["messages"]["malformed"]) == (1, 0)
    assert found["messages"]["total"] == 8


@pytest.mark.parametrize("line", [0, 1])
def test_a_segment_that_is_cut_on_one_line_is_filled_by_the_other(line: int, tmp_path: Path) -> None:
    """Lines that cut their segments differently: the copies of the messages fill the hole."""
    segments = both_lines(deep_messages(COUNT), "iex.deep")
    clean = write(tmp_path / "clean", segments, "iex.deep")
    mine = [place for place, one in enumerate(segments) if one.line == line and one.units]
    for place in mine[5:-5:7]:
        segments[place] = segments[place]._replace(payload=segments[place].payload[:-9])
    found = checked(write(tmp_path / "cut", segments, "iex.deep"))

    assert gaps(found) == []
    assert digests(found) == digests(rebuilt(clean))
    assert found["messages"]["bad_headers"] == len(mine[5:-5:7]) > 5


def test_both_lines_are_found_by_looking(tmp_path: Path) -> None:
    """Segments tell the protocol, and those that are cut alike tell that two flows are lines of one channel."""
    segments = both_lines(deep_messages(COUNT), "iex.deep")
    path = write(tmp_path / "unknown", segments, "iex.deep", feed=False)
    found = rebuilt(path)

    assert [(one["name"], one["group"]) for one in found["channels"][0]["lines"]] == [
        (known.name, known.group) for known in LINES
    ]
    assert found["channels"][0]["protocol"] == "iex.deep"
    assert digests(rebuilt(write(tmp_path / "known", segments, "iex.deep"))) == digests(found)


def test_the_made_up_lines_are_cut_differently() -> None:
    """What these tests are about is in their data: few segments of the lines begin and end together."""
    ends = [
        {(one.first, one.units) for one in sends(tops_messages(COUNT), number, cut, "iex.tops")}
        for number, cut in enumerate((CUT_A, CUT_B))
    ]
    assert 2 <= len(ends[0] & ends[1]) < min(map(len, ends)) / 4
    assert all(a.first + a.units == b.first for a, b in pairwise(sends(tops_messages(COUNT), 0, CUT_A, "iex.tops")))
