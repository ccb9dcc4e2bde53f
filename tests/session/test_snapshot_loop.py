"""Over a wire, a replayer that sends the exchange's snapshot loop makes good what both lines lost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import MDP3, frames, ladders, levels, make, rebuilt, rewrite

from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.session import run_quietly

if TYPE_CHECKING:
    from pathlib import Path

STEP_NS = 400_000_000


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """Return a whole capture without snapshot feeds, the same with holes on both lines, and how much is missing."""
    folder = tmp_path_factory.mktemp("loop")
    whole = make(folder / "whole", MDP3, messages=8_000, seed=11, seconds=2.0)
    found = frames(whole, MDP3)
    chance = random.Random(2)
    sequences = sorted({frame.sequence for frame in found})[100:-200]
    lost = set(chance.sample(sequences, 60))
    feed = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    holed = rewrite(folder / "holed", [frame for frame in found if frame.sequence not in lost], feed)
    return whole, holed, len(lost)


@pytest.mark.parametrize("speed", ["max", "2"])
def test_books_are_those_of_the_whole_capture(pair: tuple[Path, Path, int], speed: str) -> None:
    """The loop is made from what the exchange sent, and every gap ends by it; the books are the clean run's."""
    whole, holed, lost = pair
    options: dict[str, Any] = {"exchange": whole, "cycle_ns": STEP_NS, "wire": "ring", "speed": speed}
    found = run_quietly(open_source(holed), recover="snapshot", **options)["book"]
    (channel,) = found["channels"]
    assert sum(gap["last"] - gap["first"] + 1 for gap in channel["gaps"]) == lost
    assert {gap["outcome"] for gap in channel["gaps"]} == {"snapshot"}
    assert channel["snapshots"]["taken"] > 0
    assert {book["state"] for book in found["books"]} == {"current"}
    clean = rebuilt(whole)
    assert levels(clean) > 0
    assert ladders(found) == ladders(clean)


def test_without_recovery_the_gaps_stay_lost(pair: tuple[Path, Path, int]) -> None:
    """No loop is sent then, and the books that missed something say so."""
    found = run_quietly(open_source(pair[1]), recover="none", wire="ring", speed="max")["book"]
    assert {gap["outcome"] for gap in found["channels"][0]["gaps"]} == {"lost"}
    assert "stale" in {book["state"] for book in found["books"]}
    assert found["capture"]["recovery_datagrams"] == 0


def test_books_without_snapshots_are_refused(itch: Path) -> None:
    """One line that says whose books can."""
    with pytest.raises(SimbenchError, match=r"nasdaq\.itch50 cannot"):
        run_quietly(open_source(itch), recover="snapshot", wire="ring", speed="max")
