"""The schedule: order, windows, idle time, and the same rows whether the capture fits into memory or not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_bench import until
from replay_files import frame, write

from simbench.errors import SimbenchError
from simbench.feed.definition import parse
from simbench.replay import control as c
from simbench.replay import schedule as s
from simbench.replay.control import Control
from simbench.replay.loader import Loader
from simbench.replay.rows import END, LOADED, NEVER, ROW, TAKEN

if TYPE_CHECKING:
    from pathlib import Path

STAMP = 1_478_961_025_000_000_000
STAMPS = st.lists(st.integers(0, 10**10), min_size=1, max_size=60)


def capture(folder: Path, stamps: list[int]) -> Path:
    """Write a capture whose frames say their position in the file."""
    return write(folder / "c.pcap", [(STAMP + t, frame(k.to_bytes(4, "big"))) for k, t in enumerate(stamps)])


def timed(stamps: list[int], max_idle_ns: int = 0, pieces: int = 1) -> Any:
    """Return rows of these stamps with their due times, worked out in so many pieces."""
    rows = np.zeros(len(stamps), ROW)
    rows["recorded"] = stamps
    words = s.new_timetable()
    for part in np.array_split(np.arange(len(rows)), pieces):
        piece = rows[part]
        s.timetable(piece, np.ascontiguousarray(piece["recorded"]), words, max_idle_ns)
        rows[part] = piece
    return rows


@given(stamps=STAMPS, pieces=st.integers(1, 7))
@settings(deadline=None)
def test_due_times_never_fall_and_do_not_depend_on_the_pieces(stamps: list[int], pieces: int) -> None:
    """Due times follow the running maximum of the stamps, from 0 on, however the capture is cut."""
    rows = timed(stamps, pieces=pieces)
    expected = np.maximum.accumulate(stamps) - stamps[0]
    assert rows["due"].tolist() == expected.tolist()
    assert rows["index"].tolist() == list(range(len(stamps)))


@given(stamps=STAMPS, cap=st.integers(1, 10**10))
@settings(deadline=None)
def test_idle_time_is_capped_and_nothing_else(stamps: list[int], cap: int) -> None:
    """Every gap is the recorded one or the cap, whichever is shorter."""
    ordered = sorted(stamps)
    rows = timed(ordered, cap)
    assert np.diff(rows["due"]).tolist() == np.minimum(np.diff(ordered), cap).tolist()


@given(stamps=STAMPS)
@settings(deadline=None, max_examples=40)
def test_time_order_is_stable_and_says_how_many_moved(
    tmp_path_factory: pytest.TempPathFactory, stamps: list[int]
) -> None:
    """Frames are sorted by stamp, equals in file order; those that overtake an earlier one are counted."""
    loader = Loader(capture(tmp_path_factory.getbasetemp(), stamps), s.Options())
    assert loader.rows["ordinal"].tolist() == sorted(range(len(stamps)), key=lambda k: (stamps[k], k))
    assert loader.plan.moved == sum(t < max(stamps[:k], default=0) for k, t in enumerate(stamps))
    assert loader.plan.span_ns == max(stamps) - min(stamps)


def test_file_order_moves_nothing(tmp_path: Path) -> None:
    """In file order a frame with an earlier stamp is due together with the one before it."""
    loader = Loader(capture(tmp_path, [0, 500, 200, 900]), s.Options(order="file"))
    assert loader.rows["ordinal"].tolist() == [0, 1, 2, 3]
    assert loader.rows["due"].tolist() == [0, 500, 500, 900]
    assert (loader.plan.moved, loader.plan.backward) == (0, 1)


def test_a_window_is_cold_or_primed(tmp_path: Path) -> None:
    """Cold leaves out what comes before; primed keeps it and says until when it is unpaced; the end is open."""
    path = capture(tmp_path, [0, 100, 200, 300])
    cold = Loader(path, s.Options(from_ns=STAMP + 100, to_ns=STAMP + 300, primed=False))
    primed = Loader(path, s.Options(from_ns=STAMP + 100, to_ns=STAMP + 300))
    assert cold.rows["ordinal"].tolist() == [1, 2]
    assert cold.plan.left_out == {"outside_window": 2}
    assert cold.options.prime_until < STAMP
    assert primed.rows["ordinal"].tolist() == [0, 1, 2]
    assert primed.options.prime_until == STAMP + 100


@pytest.mark.parametrize(
    "wrong", [{"order": "size"}, {"max_idle_ns": -1}, {"from_ns": 5, "to_ns": 5}], ids=["order", "idle", "window"]
)
def test_an_impossible_schedule_is_one_clear_error(wrong: dict[str, Any]) -> None:
    """Options that contradict themselves are refused when they are made."""
    with pytest.raises(SimbenchError):
        s.Options(**wrong)


def test_nothing_to_replay_is_one_clear_error(tmp_path: Path) -> None:
    """A capture without a frame of the feed says what it holds instead."""
    with pytest.raises(SimbenchError, match=r"nothing to replay \(2 not_feed\)"):
        Loader(capture(tmp_path, [0, 1]), s.Options(), [s.Endpoint("239.1.1.1:1")])
    with pytest.raises(SimbenchError, match="is not a group"):
        s.chooser([s.Endpoint("nonsense")])


def test_a_feeds_lines_and_flows_are_its_endpoints() -> None:
    """Every line and every flow beside the lines is sent, with the source and interface that the feed asks for."""
    feed = parse(
        """
        [[channel]]
        venue = "cme"
        name = "340"
        protocol = "cme.mdp3"
        [[channel.line]]
        name = "A"
        group = "224.0.31.64:14340"
        source = "10.0.0.1"
        [[channel.feed]]
        role = "snapshot"
        group = "224.0.31.43:14340"
        interface = 1
        """
    )
    assert s.endpoints(feed) == (
        s.Endpoint("224.0.31.64:14340", source="10.0.0.1"),
        s.Endpoint("224.0.31.43:14340", interface=1),
    )


def drain(loader: Loader, count: int) -> list[tuple[int, ...]]:
    """Take so many rows out of a loader's rings as the sender does; return what they say and the bytes' position."""
    taken = []
    for position in range(count):
        until(lambda position=position: loader.feed[LOADED] > position or loader.error is not None)
        assert loader.error is None
        row = loader.rows[position % len(loader.rows)]
        data = loader.data[row["source"] : row["source"] + row["length"]].tobytes()
        taken.append((int(row["recorded"]), int(row["due"]), int(row["ordinal"]), int(row["index"]), data))
        loader.feed[TAKEN] = position + 1
    return taken


def test_a_streamed_capture_gives_the_rows_of_a_loaded_one(tmp_path: Path) -> None:
    """With a budget far below its size the same frames come in the same order, from rings filled on the way."""
    rng = np.random.default_rng(5)
    stamps = (np.arange(9_000) * 1_000 + rng.integers(0, 30_000, 9_000)).tolist()
    path = write(tmp_path / "c.pcap", [(STAMP + t, frame(rng.bytes(int(rng.integers(1, 900))))) for t in stamps])
    options = s.Options(max_frame=1514)
    whole, part = Loader(path, options), Loader(path, options, budget=1 << 17)
    control = Control.create()
    part.start(control.words)
    try:
        assert (whole.resident, part.resident) == (True, False)
        assert part.rows.nbytes + part.data.nbytes < whole.data.nbytes // 10
        expected = drain(whole, len(stamps)) if whole.feed[LOADED] == NEVER else []
        assert drain(part, len(stamps)) == expected
        until(lambda: part.feed[END] == len(stamps))
    finally:
        part.stop()
    assert threading.active_count() < 10


def test_a_streamed_capture_loops_and_starts_anywhere(tmp_path: Path) -> None:
    """Loops start again with index 0; a start at a recorded time passes over what comes before."""
    stamps = [k * 1_000 for k in range(3_000)]
    loader = Loader(capture(tmp_path, stamps), s.Options(max_frame=1514), budget=1)
    control = Control.create()
    control.words[c.LOOPS] = 2
    loader.start(control.words, from_ns=STAMP + 2_500_000)
    try:
        assert not loader.resident
        rows = drain(loader, 3_500)
        until(lambda: loader.feed[END] == 3_500)
    finally:
        loader.stop()
    assert [row[3] for row in rows] == [*range(2_500, 3_000), *range(3_000)]


def test_the_cme_capture_moves_581_frames(real_captures: Path) -> None:
    """The file's 581 backward steps are the frames that time order moves, and nothing is left out."""
    loader = Loader(real_captures / "cme-mdp3-340" / "capture.pcap", s.Options(max_idle_ns=10**9))
    plan = loader.plan
    assert (plan.frames, plan.moved, plan.backward) == (10_000, 581, 581)
    assert plan.left_out == {}
    assert np.all(np.diff(loader.rows["recorded"]) >= 0)
    assert np.diff(loader.rows["due"]).max() == 10**9
    assert 38 * 10**9 < plan.span_ns < 44 * 10**9
