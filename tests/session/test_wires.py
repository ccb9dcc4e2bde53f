"""Every wire brings the same books: at any speed, in loops, from the middle, primed or cold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from growing_feeds import with_channels, with_damage, with_holes, with_long_datagrams
from runs import same
from small_feeds import ITCH, MDP3, digests, frames, levels, rebuilt, rewrite

from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAGES = {"due_send", "send_hook", "hook_app", "app_book"}


def run(path: Path, **plan: Any) -> dict[str, Any]:
    """Replay a capture and receive it; return the result of `run --json`."""
    return run_quietly(open_source(path), **plan)


def test_real_capture_at_max_is_as_offline(wire: dict[str, str], cme: Path) -> None:
    """As fast as the receiver takes them: lossless on every wire, and the books are those of offline."""
    found = run(cme, speed="max", **wire)

    assert (found["sent"], found["received"]) == (10_000, 10_000)
    assert sum(found["drops"].values()) == 0
    same(rebuilt(cme), found)


def test_real_capture_at_its_timing_with_idle_capped_is_as_offline(wire: dict[str, str], cme: Path) -> None:
    """Paced, with the idle time cut: every frame has all its stamps, and the proof of timing is there."""
    found = run(cme, speed="1", max_idle_ns=100_000, **wire)

    same(rebuilt(cme), found)
    assert found["received"] == found["stages"]["due_send"]["n"] == found["stages"]["app_book"]["n"] == 10_000
    assert set(found["stages"]) >= STAGES
    assert set(found["timing"]) >= {"lateness", "gap_error", "drift_ppm", "null"}


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_generated_capture_at_ten_times_is_as_offline(
    wire: dict[str, str], protocol: str, itch: Path, mdp3: Path, offline: dict[Path, dict[str, Any]]
) -> None:
    """Ten times as fast, both protocols, order by order where there are orders."""
    path = itch if protocol == ITCH else mdp3

    found = run(path, speed="10", max_idle_ns=50_000_000, **wire)

    assert found["speed"]["asked"] in {"10", 10}
    same(offline[path], found)


def test_blocking_receiver_is_as_offline(itch: Path, offline: dict[Path, dict[str, Any]]) -> None:
    """A receiver that waits in the kernel gets the same."""
    same(offline[itch], run(itch, speed="10", wait="block", wire="ring"))


def test_one_line_alone_is_as_offline(itch: Path, offline: dict[Path, dict[str, Any]]) -> None:
    """The receiver may listen to one line of what is sent."""
    found = run(itch, speed="max", wire="ring", only_line="B")

    assert found["book"]["books"] == offline[itch]["books"]
    assert [line["datagrams"] > 0 for line in found["book"]["channels"][0]["lines"]] == [False, True]


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_loops_end_with_the_same_books(
    protocol: str, itch: Path, mdp3: Path, offline: dict[Path, dict[str, Any]]
) -> None:
    """Each loop begins a new epoch from nothing, so that the end of the second is the end of the first."""
    path = itch if protocol == ITCH else mdp3

    found = run(path, speed="max", wire="ring", loops=2)

    assert found["received"] == 2 * offline[path]["capture"]["frames"]
    assert digests(found["book"]) == digests(offline[path])
    assert found["book"]["books"] == offline[path]["books"]
    assert found["book"]["messages"]["total"] == 2 * offline[path]["messages"]["total"]
    assert found["book"]["channels"][0]["resets"] >= offline[path]["channels"][0]["resets"] + 1
    assert found["book"]["channels"][0]["gaps"] == []


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_part_of_a_capture_is_primed_by_what_came_before(protocol: str, itch: Path, mdp3: Path) -> None:
    """From a time on and to a time: the books are those of offline at that time."""
    path = itch if protocol == ITCH else mdp3
    stamps = [frame.stamp for frame in frames(path, protocol)]
    start, stop = stamps[len(stamps) // 3], stamps[2 * len(stamps) // 3]
    expected = Offline(open_source(path))
    expected.until(stop)
    assert expected.advance()

    found = run(path, speed="10", wire="ring", from_ns=start, to_ns=stop)

    same(expected.result(), found)


def test_cold_join_starts_where_it_starts(itch: Path, tmp_path: Path) -> None:
    """Without what came before, the books are those of a capture that begins there, and no gap is claimed."""
    every = frames(itch, ITCH)
    start = every[len(every) // 3].stamp
    rest = [frame for frame in every if frame.stamp >= start]
    expected = rebuilt(rewrite(tmp_path / "rest", rest, (itch.parent / "feed.toml").read_text(encoding="utf-8")))

    found = run(itch, speed="max", wire="ring", from_ns=start, cold=True)

    assert levels(expected) > 50
    assert digests(found["book"]) == digests(expected) != digests(rebuilt(itch))
    assert found["book"]["channels"][0]["gaps"] == expected["channels"][0]["gaps"] == []


def test_planted_loss_is_reported_over_a_wire_as_offline(wire: dict[str, str], itch: Path, tmp_path: Path) -> None:
    """A hole on both lines is the same record live; the wrong checksum of a rebuilt frame is not what makes it."""
    every = frames(itch, ITCH)
    hole = next(frame for frame in every[len(every) // 2 :] if frame.units)
    kept = [frame for frame in every if frame.sequence != hole.sequence or not frame.units]
    path = rewrite(tmp_path / "gap", kept, (itch.parent / "feed.toml").read_text(encoding="utf-8"))

    found = run(path, speed="max", **wire)

    ranges = [(gap["first"], gap["last"], gap["outcome"]) for gap in found["book"]["channels"][0]["gaps"]]
    assert ranges == [(hole.sequence, hole.last, "lost")]
    assert digests(found["book"]) == digests(rebuilt(path))


@pytest.mark.parametrize("make", [with_holes, with_damage, with_channels, with_long_datagrams])
def test_sequencer_that_grows_on_the_way_is_as_offline(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """The receiver's loop is left for more room in the middle of a datagram, and goes on where it was."""
    path = make(tmp_path)

    same(rebuilt(path), run(path, speed="max", wire="ring"))
