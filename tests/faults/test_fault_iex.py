"""Faults of a feed whose lines cut the same messages differently by themselves, and whose headers count their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fault_bench import foreseen, gaps, load, offline, sent
from iex_feeds import sends, tops_messages, write
from iex_samples import TOPS
from small_feeds import digests, levels, rebuilt

if TYPE_CHECKING:
    from pathlib import Path

CUT = (
    '[[fault]]\nkind = "split"\nline = "A"\npieces = 2\n'
    '[[fault]]\nkind = "merge"\nline = "B"\nprobability = 0.5\ndatagrams = 3\n'
)


@pytest.fixture
def iex(tmp_path: Path) -> Path:
    """Return a capture of TOPS whose lines cut 900 messages into segments of their own."""
    messages = tops_messages(900)
    segments = sends(messages, 0, (3, 1, 4), TOPS.name) + sends(messages, 1, (2, 5), TOPS.name)
    return write(tmp_path / "iex", segments, TOPS.name)


def test_segments_cut_anew_carry_the_same(iex: Path, tmp_path: Path) -> None:
    """Split and merged, every level is as without it: lengths and counts fit the messages."""
    loader, clean = load(iex, CUT), rebuilt(iex)
    assert min(fault["records"] for fault in loader.foreseen["faults"]) > 30
    found = offline(loader, iex, tmp_path / "cut")
    assert levels(clean) > 5
    assert digests(found) == digests(clean)
    assert (gaps(found), found["messages"]["malformed"], found["messages"]["bad_headers"]) == ([], 0, 0)
    lengths = {(len(frame.payload) - 40, int.from_bytes(frame.payload[12:14], "little")) for frame in sent(loader)}
    assert len(lengths) > 5
    assert all(has == says for has, says in lengths)


def test_what_lines_that_differ_lose_together_is_foreseen(iex: Path, tmp_path: Path) -> None:
    """Only messages that are lost in the segments of both lines are a gap."""
    loader = load(iex, CUT + '[[fault]]\nkind = "drop"\nprobability = 0.2')
    found = offline(loader, iex, tmp_path / "lost")
    assert gaps(found) == foreseen(loader)
    assert len(gaps(found)) > 5


def test_a_restart_is_seen_by_its_sent_times(iex: Path, tmp_path: Path) -> None:
    """One new epoch, the same books."""
    loader = load(iex, '[[fault]]\nkind = "restart"\nsequence = 400')
    found = offline(loader, iex, tmp_path / "again")
    assert [epoch["cause"] for epoch in found["channels"][0]["epochs"]] == ["start", "restart"]
    assert [(era["first"], era["last"]) for era in loader.foreseen["streams"][0]["eras"]] == [
        (epoch["first"], epoch["last"]) for epoch in found["channels"][0]["epochs"]
    ]
    assert gaps(found) == []
    assert digests(found) == digests(rebuilt(iex))
