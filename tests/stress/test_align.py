"""Captures on one time line: every frame is there, in order, and each feed's books are what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_feeds import digests, rebuilt

from simbench.capture.bursts import BurstProfile
from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.stress.align import merge

if TYPE_CHECKING:
    from pathlib import Path


def stamps(path: Path) -> Any:
    """Return the stamps of a capture in file order."""
    return np.concatenate([block.frames["stamp"] for block in open_capture(path).blocks()])


def peak(path: Path) -> int:
    """Return where its busiest millisecond begins."""
    profile = BurstProfile()
    profile.add(stamps(path))
    return profile.bursts()[1].stamp


@pytest.mark.parametrize("align", ["clock", "start", "peak"])
def test_two_captures_become_one(itch: Path, mdp3: Path, tmp_path: Path, align: str) -> None:
    """Both feeds are rebuilt from it as from their own; the first one's stamps are unmoved."""
    merged = merge([open_source(itch), open_source(mdp3)], align, tmp_path)

    first, second, both = (stamps(path) for path in (itch, mdp3, merged))
    shift = {"clock": 0, "start": first.min() - second.min(), "peak": peak(itch) - peak(mdp3)}[align]
    assert np.array_equal(both, np.sort(np.concatenate([first, second + shift])))
    assert digests(rebuilt(merged)) == digests(rebuilt(itch)) + digests(rebuilt(mdp3))


def test_feeds_that_cannot_be_told_apart_are_refused(itch: Path, tmp_path: Path) -> None:
    """The same capture twice: the group is named."""
    with pytest.raises(SimbenchError, match=r"two of the captures send to \d"):
        merge([open_source(itch), open_source(itch)], "start", tmp_path)
    assert list(tmp_path.iterdir()) == []
