"""A book that missed something waits for a snapshot and is right again; the others go on; a bound is a bound."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import MDP3, Frame, frames, ladders, levels, make, rewrite

from simbench.book import layout
from simbench.errors import SimbenchError
from simbench.golden.paranoid import Paranoid
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LINE_GROUPS = (bytes([239, 192, 31, 1]), bytes([239, 192, 32, 1]))
STEP_NS = 250_000_000


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated MDP3 capture with a snapshot loop every 0.3 s."""
    folder = tmp_path_factory.mktemp("recovery") / "clean"
    return make(folder, MDP3, messages=12_000, seed=3, snapshots=0.3, seconds=3.0)


def on_lines(frame: Frame) -> bool:
    """Tell whether a frame is one of lines A and B and not of a snapshot feed."""
    return bytes(frame.data[30:34]) in LINE_GROUPS


def holed(clean: Path, folder: Path, lost: Iterable[int], recover: str) -> Path:
    """Write the capture again without these packets on both lines, and with a way to recover."""
    gone = set(lost)
    kept = [frame for frame in frames(clean, MDP3) if not (on_lines(frame) and frame.sequence in gone)]
    feed = (clean.parent / "feed.toml").read_text(encoding="utf-8")
    return rewrite(folder, kept, feed.replace("[[channel.line]]", f'recover = "{recover}"\n\n[[channel.line]]', 1))


def some_holes(clean: Path, count: int = 12) -> set[int]:
    """Return the packets of a few bursts in the middle of the capture, the same ones every time."""
    chance = random.Random(5)
    sequences = sorted({frame.sequence for frame in frames(clean, MDP3) if on_lines(frame)})
    middle = sequences[100 : -len(sequences) // 3]
    lost: set[int] = set()
    for first in chance.sample(middle, count):
        lost |= set(range(first, first + chance.randrange(1, 9)))
    return lost


def moments(path: Path) -> list[dict[str, Any]]:
    """Return the results at every STEP_NS of a capture and at its end."""
    run = Offline(open_source(path))
    found, at = [], open_source(path).first_ns
    while True:
        at += STEP_NS
        run.until(at)
        more = run.advance()
        run.receiver.state.books.check()
        found.append(run.result())
        if not more:
            return found


def test_books_are_right_again_after_the_next_loop(clean: Path, tmp_path: Path) -> None:
    """Two thirds of the capture have holes; the last third is long enough for two loops."""
    lost = some_holes(clean)
    truth = moments(clean)
    alone = moments(holed(clean, tmp_path / "none", lost, "none"))
    found = moments(holed(clean, tmp_path / "snapshot", lost, "snapshot"))
    gaps = found[-1]["channels"][0]["gaps"]
    assert sum(gap["last"] - gap["first"] + 1 for gap in gaps) == len(lost)
    assert any(ladders(a) != ladders(b) for a, b in zip(alone, truth, strict=True))  # the holes do harm
    assert any(book["state"] == "stale" for book in alone[-1]["books"])
    late = len(truth) - 3
    assert levels(truth[late]) > 0
    for expected, result in zip(truth[late:], found[late:], strict=True):
        assert ladders(expected) == ladders(result)
    assert {book["state"] for book in found[-1]["books"]} == {"current"}
    assert {gap["outcome"] for gap in gaps} == {"snapshot"}
    assert any(gap["instruments"] > 0 for gap in gaps)
    assert found[-1]["channels"][0]["snapshots"]["taken"] > 0


def test_instruments_that_a_gap_did_not_touch_stay_current(clean: Path, tmp_path: Path) -> None:
    """After one lost packet only the instruments of that packet wait."""
    sequence = sorted({frame.sequence for frame in frames(clean, MDP3) if on_lines(frame)})[400]
    found = moments(holed(clean, tmp_path / "one", [sequence], "snapshot"))
    (gap,) = found[-1]["channels"][0]["gaps"]
    assert 0 < gap["instruments"] < len(found[-1]["books"])


def test_natural_refresh_empties_what_missed_something_and_goes_on(clean: Path, tmp_path: Path) -> None:
    """Levels are unknown until they are sent again; the state says how the book came to be."""
    lost = some_holes(clean)
    found = moments(holed(clean, tmp_path / "natural", lost, "natural"))
    assert "naturally refreshed" in {book["state"] for book in found[-1]["books"]}
    assert found[-1]["channels"][0]["snapshots"]["taken"] == 0
    assert {gap["outcome"] for gap in found[-1]["channels"][0]["gaps"]} == {"natural refresh"}


def test_a_queue_that_finds_no_room_waits_for_a_later_snapshot(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot older than what was given up is left out; the books come right all the same, by a later one."""
    monkeypatch.setattr("simbench.book.block.WAIT_ROWS", 600)
    lost = some_holes(clean)
    truth, found = moments(clean), moments(holed(clean, tmp_path / "small", lost, "snapshot"))
    counts = found[-1]["channels"][0]["snapshots"]
    assert counts["overflowed"] > 0
    assert counts["old"] > 0
    assert ladders(truth[-1]) == ladders(found[-1])
    assert {book["state"] for book in found[-1]["books"]} == {"current"}


def test_joining_in_the_middle_reaches_the_same_books(clean: Path, tmp_path: Path) -> None:
    """Without the first half nothing is known; snapshots and what follows them make every book whole."""
    halves = frames(clean, MDP3)
    feed = (clean.parent / "feed.toml").read_text(encoding="utf-8")
    feed = feed.replace("[[channel.line]]", 'recover = "snapshot"\n\n[[channel.line]]', 1)
    joined = moments(rewrite(tmp_path / "joined", halves[len(halves) // 2 :], feed))
    truth = moments(clean)
    assert joined[0]["books"][0]["state"] == "unsynchronised" or joined[0]["channels"][0]["snapshots"]["taken"] > 0
    assert ladders(truth[-1]) == ladders(joined[-1])
    assert {book["state"] for book in joined[-1]["books"]} == {"current"}
    assert joined[-1]["anomalies"]["instrument_gap"] == 0


def test_a_protocol_without_snapshots_says_so(itch: Path, tmp_path: Path) -> None:
    """One line that names what it can do."""
    feed = (itch.parent / "feed.toml").read_text(encoding="utf-8")
    (tmp_path / "feed.toml").write_text(
        feed.replace("[[channel.line]]", 'recover = "snapshot"\n\n[[channel.line]]', 1), encoding="utf-8"
    )
    with pytest.raises(SimbenchError, match=r"nasdaq\.itch50 cannot recover by snapshot"):
        Offline(open_source(itch, feed=tmp_path / "feed.toml"))


def test_a_checkpoint_holds_what_waits(clean: Path, tmp_path: Path) -> None:
    """A copy of the state in the middle of waiting goes on as the original does."""
    path = holed(clean, tmp_path / "copied", some_holes(clean), "snapshot")
    run = Offline(open_source(path))
    at = open_source(path).first_ns
    while not (run.receiver.state.books.memory[layout.WAIT_TOP] > 1):
        at += STEP_NS // 10
        run.until(at)
        assert run.advance()
    copied = run.receiver.state.copy()
    assert (copied.books.memory[layout.WAITING :] != 0).any()
    run.receiver.state.books.grow()
    while run.advance():
        run.until(1 << 62)
    assert ladders(run.result()) == ladders(moments(path)[-1])


@pytest.mark.parametrize("recover", ["snapshot", "natural"])
def test_the_reference_recovers_alike(clean: Path, tmp_path: Path, recover: str) -> None:
    """What --paranoid compares: books that waited, and books that were emptied, are those of the reference."""
    source = open_source(holed(clean, tmp_path / recover, some_holes(clean), recover))
    checker = Paranoid(source)
    run = Offline(source, on_events=checker.apply)
    run.advance()
    assert run.result()["anomalies"]["instrument_gap"] > 0
    assert checker.differences(run.receiver) == []
