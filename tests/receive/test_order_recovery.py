"""Books order by order that may have missed something wait for a snapshot; no packet that is lost goes unheard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import MDP3, digests, frames, levels, make, rewrite
from test_snapshot_recovery import STEP_NS, holed, moments, on_lines, some_holes

from simbench.book import layout
from simbench.golden.paranoid import Paranoid
from simbench.golden.walk import Walk
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path

ORDERS_GROUP = "239.192.31.3"  # of the generator's snapshots order by order


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated MDP3 capture with a snapshot loop every 0.3 s, to be read order by order."""
    path = make(tmp_path_factory.mktemp("orders") / "clean", MDP3, messages=12_000, seed=3, snapshots=0.3, seconds=3.0)
    return by_order(path)


def by_order(path: Path) -> Path:
    """Let a capture be read order by order."""
    feed = path.parent / "feed.toml"
    feed.write_text(feed.read_text(encoding="utf-8").replace(f'"{MDP3}"', f'"{MDP3}.orders"'), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def truth(clean: Path) -> list[dict[str, Any]]:
    """Return what the whole capture comes to, moment by moment."""
    found = moments(clean)
    assert levels(found[-1]) > 0
    return found


def sequences(clean: Path) -> list[int]:
    """Return the packets of the lines."""
    return sorted({frame.sequence for frame in frames(clean, MDP3) if on_lines(frame)})


def of_orders(data: bytes | bytearray) -> bool:
    """Tell whether a frame is of the snapshots order by order."""
    return ".".join(map(str, data[30:34])) == ORDERS_GROUP


def test_books_are_right_again_after_the_next_loop(clean: Path, truth: list[dict[str, Any]], tmp_path: Path) -> None:
    """Two thirds of the capture have holes; the last third is long enough for two loops."""
    lost = some_holes(clean)
    alone = moments(holed(clean, tmp_path / "none", lost, "none"))
    found = moments(holed(clean, tmp_path / "snapshot", lost, "snapshot"))
    gaps = found[-1]["channels"][0]["gaps"]
    assert sum(gap["last"] - gap["first"] + 1 for gap in gaps) == len(lost)
    assert digests(alone[-1]) != digests(truth[-1])  # the holes do harm
    assert any({book["state"] for book in moment["books"]} == {"stale"} for moment in found)
    late = len(truth) - 3
    assert [digests(result) for result in found[late:]] == [digests(expected) for expected in truth[late:]]
    assert {book["state"] for book in found[-1]["books"]} == {"current"}
    assert {gap["outcome"] for gap in gaps} == {"snapshot"}
    assert found[-1]["channels"][0]["snapshots"]["taken"] > len(found[-1]["books"])
    assert not any(count for name, count in found[-1]["anomalies"].items() if name != "crossed")


def test_one_lost_packet_touches_every_instrument(clean: Path, truth: list[dict[str, Any]], tmp_path: Path) -> None:
    """What was in it nobody knows."""
    lost = sequences(clean)[400]
    found = moments(holed(clean, tmp_path / "one", [lost], "snapshot"))
    (gap,) = found[-1]["channels"][0]["gaps"]
    assert (gap["outcome"], gap["instruments"]) == ("snapshot", len(found[-1]["books"]))
    assert int(gap["closed_ns"]) > int(gap["detected_ns"]) + 10_000_000
    assert digests(found[-1]) == digests(truth[-1])


def test_a_chunk_that_is_lost_leaves_its_book_to_the_next_loop(
    clean: Path, truth: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Every third packet of the loops is missing, none of the last two loops; no book is current without its chunks."""
    sparse = holed(clean, tmp_path / "holed", some_holes(clean), "snapshot")
    kept, count = [], 0
    all_frames = frames(sparse, MDP3)
    end = all_frames[-1].stamp - 800_000_000
    for frame in all_frames:
        count += of_orders(frame.data)
        if not of_orders(frame.data) or count % 3 or frame.stamp > end:
            kept.append(frame)
    path = rewrite(tmp_path / "sparse", kept, (sparse.parent / "feed.toml").read_text(encoding="utf-8"))
    source = open_source(path)
    checker = Paranoid(source)
    run = Offline(source, on_events=checker.apply)
    run.advance()
    found = run.result()
    assert checker.differences(run.receiver) == []
    assert found["channels"][0]["snapshots"]["unfinished"] > 0
    assert digests(found) == digests(truth[-1])
    assert {book["state"] for book in found["books"]} == {"current"}


def test_packets_that_cannot_be_decoded_are_lost(clean: Path, truth: list[dict[str, Any]], tmp_path: Path) -> None:
    """As those that never came; what could be decoded of one is in no book that is current."""
    lost = set(sequences(clean)[400:800:40])
    cut = holed(clean, tmp_path / "snapshot", [], "snapshot")
    kept = frames(cut, MDP3)
    for frame in kept:
        if on_lines(frame) and frame.sequence in lost:
            frame.data[frame.payload + 14 : frame.payload + 16] = b"\xff\xff"  # a root longer than its message
            frame.data[40:42] = b"\0\0"  # without a checksum
    path = rewrite(tmp_path / "cut", kept, (cut.parent / "feed.toml").read_text(encoding="utf-8"))
    found = moments(path)
    assert found[-1]["messages"]["malformed"] == len(lost)
    assert any({book["state"] for book in moment["books"]} == {"stale"} for moment in found)
    assert {gap["outcome"] for gap in found[-1]["channels"][0]["gaps"]} == {"snapshot"}
    assert digests(found[-1]) == digests(truth[-1])


def test_a_queue_that_finds_no_room_waits_for_a_later_snapshot(
    clean: Path, truth: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books come right all the same."""
    monkeypatch.setattr("simbench.book.block.WAIT_ROWS", 800)
    found = moments(holed(clean, tmp_path / "small", some_holes(clean), "snapshot"))
    assert found[-1]["channels"][0]["snapshots"]["overflowed"] > 0
    assert digests(found[-1]) == digests(truth[-1])
    assert {book["state"] for book in found[-1]["books"]} == {"current"}


def test_joining_in_the_middle_reaches_the_same_books(clean: Path, truth: list[dict[str, Any]], tmp_path: Path) -> None:
    """Without the first half nothing is known until snapshots say it."""
    halves = frames(clean, MDP3)
    feed = (clean.parent / "feed.toml").read_text(encoding="utf-8")
    feed = feed.replace("[[channel.line]]", 'recover = "snapshot"\n\n[[channel.line]]', 1)
    joined = moments(rewrite(tmp_path / "joined", halves[len(halves) // 2 :], feed))
    assert joined[-1]["channels"][0]["gaps"] == []
    assert joined[-1]["channels"][0]["snapshots"]["taken"] >= len(joined[-1]["books"])
    assert digests(joined[-1]) == digests(truth[-1])
    assert {book["state"] for book in joined[-1]["books"]} == {"current"}


def test_a_checkpoint_holds_what_waits_and_where_the_channel_stands(
    clean: Path, truth: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A copy in the middle of waiting goes on as the original would have."""
    source = open_source(holed(clean, tmp_path / "copied", some_holes(clean), "snapshot"))
    run = Offline(source)
    at = source.first_ns
    while not (run.receiver.state.books.memory[layout.WAIT_TOP] > 1):
        at += STEP_NS // 10
        run.until(at)
        assert run.advance()
    state = run.receiver.state
    state.words[:] = state.copy().words
    state.books = state.books.copy()
    state.books.grow()
    run.until(1 << 62)
    run.advance()
    assert digests(run.result()) == digests(truth[-1])


def test_the_reference_recovers_alike(clean: Path, tmp_path: Path) -> None:
    """What --paranoid compares, queue by queue."""
    source = open_source(holed(clean, tmp_path / "paranoid", some_holes(clean), "snapshot"))
    checker = Paranoid(source)
    run = Offline(source, on_events=checker.apply)
    run.advance()
    assert run.result()["channels"][0]["snapshots"]["taken"] > 0
    assert checker.differences(run.receiver) == []


@pytest.mark.parametrize("level", [True, False], ids=["by level", "by order"])
def test_event_by_event_nothing_differs(tmp_path: Path, *, level: bool) -> None:
    """Also behind a snapshot, before what has waited is in the books, and at what no packet says."""
    whole = make(tmp_path / "whole", MDP3, messages=800, seed=3, snapshots=0.2, seconds=1.0, instruments=3)
    whole = whole if level else by_order(whole)
    walk = Walk(open_source(holed(whole, tmp_path / "holed", some_holes(whole, 3), "snapshot")), 0)
    walk.step_to(None)
    assert walk.found is None
    found = walk.run.result()
    assert found["channels"][0]["snapshots"]["taken"] > 0
    assert sum(walk.messages.values()) > 500
