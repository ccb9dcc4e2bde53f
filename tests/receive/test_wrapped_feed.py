"""A feed whose sequences wrap builds the books that it would without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from small_feeds import ITCH, digests, frames, levels, make, rebuilt, rewrite

from simbench.protocol.registry import load
from simbench.receive import receiver
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path

TOP = 0xFFFF_FFFF
BEFORE = 700  # messages before the wrap


def on_wire(sequence: int) -> int:
    """Return what the wrapped feed has in the place of a sequence that counts from 1."""
    return (sequence + TOP - BEFORE - 1) % TOP + 1


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture that counts from 1."""
    return make(tmp_path_factory.mktemp("plain") / "itch", ITCH)


@pytest.fixture
def wrapped(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the same with sequences that wrap in the middle, of a protocol that says so; one datagram is lost."""
    kept = frames(plain, ITCH)
    lost = next(frame.sequence for frame in kept if frame.units and frame.last >= BEFORE)
    kept = [frame for frame in kept if frame.sequence != lost]
    for frame in kept:
        frame.patch(10, on_wire(frame.sequence).to_bytes(8, "big"))
    itch = replace(load(ITCH), sequence_wrap=TOP)
    monkeypatch.setattr(receiver, "load", lambda *_: itch)
    return rewrite(tmp_path / "itch", kept, (plain.parent / "feed.toml").read_text(encoding="utf-8"))


def test_a_feed_across_the_wrap_is_the_feed_without_one(plain: Path, wrapped: Path, tmp_path: Path) -> None:
    """Equal books, and every range that is reported is that of the wire: first above last across the wrap."""
    kept = frames(plain, ITCH)
    lost = next(frame.sequence for frame in kept if frame.units and frame.last >= BEFORE)
    same = [frame for frame in kept if frame.sequence != lost]
    definition = (plain.parent / "feed.toml").read_text(encoding="utf-8")
    expected = rebuilt(rewrite(tmp_path / "plain", same, definition))
    found = rebuilt(wrapped)

    assert levels(found) > 50
    assert digests(found) == digests(expected)
    assert found["messages"] == expected["messages"]
    ours, theirs = found["channels"][0], expected["channels"][0]
    assert len(theirs["gaps"]) == 1
    for gap in theirs["gaps"]:
        gap["first"], gap["last"] = on_wire(gap["first"]), on_wire(gap["last"])
    assert ours["gaps"] == theirs["gaps"]
    assert [line["missing_units"] for line in ours["lines"]] == [line["missing_units"] for line in theirs["lines"]]
    (epoch,) = ours["epochs"]
    assert (epoch["first"], epoch["last"]) == (on_wire(1), on_wire(theirs["epochs"][0]["last"]))
    assert epoch["first"] > epoch["last"]


@pytest.mark.parametrize("sequence", [BEFORE - 200, BEFORE + 300])
def test_a_stop_before_or_behind_the_wrap_is_where_the_wire_has_it(plain: Path, wrapped: Path, sequence: int) -> None:
    """--at-seq is asked in the wire's sequences; what is before the wrap is not behind it."""
    stops = []
    for path, at in ((plain, sequence), (wrapped, on_wire(sequence))):
        run = Offline(open_source(path))
        run.receiver.stop_after(0, at)
        assert run.advance()
        stops.append(run.result())
    assert levels(stops[0]) > 20
    lost = sum(gap["units"] for gap in stops[1]["channels"][0]["gaps"])
    assert (lost > 0) == (sequence > BEFORE)
    assert stops[0]["messages"]["total"] - stops[1]["messages"]["total"] == lost
    assert (digests(stops[0]) == digests(stops[1])) == (lost == 0)
