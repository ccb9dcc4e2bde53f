"""What a loop or a jump of the replayer leaves of the books: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_feeds import ITCH, MDP3, digests, finish, frames, levels, rebuilt, rewrite

from simbench.receive import pipeline
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_a_second_pass_over_a_capture_that_begins_in_the_middle_ends_as_the_first(
    protocol: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """What came before the capture is as unknown as it was: no hole in instrument sequences, no book that is stale."""
    whole: Path = request.getfixturevalue("itch" if protocol == ITCH else "mdp3")
    every = frames(whole, protocol)
    feed = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    source = open_source(rewrite(tmp_path / "rest", every[len(every) // 2 :], feed))
    first = Offline(source)
    finish(first)
    found = first.result()
    second = Offline(source)
    second.receiver = first.receiver

    second.receiver.begin_epoch(second.receiver.counter(pipeline.NOW))
    assert levels(first.result()) == 0
    finish(second)

    assert levels(found) > 50
    assert found["books"] == second.result()["books"]
    assert digests(found) == digests(second.result()) != digests(rebuilt(whole))
    anomalies = second.result()["anomalies"]
    assert {name: 2 * count for name, count in found["anomalies"].items()} == anomalies
    assert anomalies["instrument_gap"] == anomalies["unknown_level"] == 0
