"""The figure of steering, and the venue of many channels that it is taken on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simbench.bench.steering import RUN_AT, Run, Steering
from simbench.bench.venue import shares, write_venue
from simbench.receive.offline import Offline, open_source
from simbench.steering.load import weigh
from simbench.steering.schemes import Scheme, schemes
from simbench.steering.table import RSS, RULES

if TYPE_CHECKING:
    from pathlib import Path


def test_a_venue_has_channels_whose_books_are_whole(tmp_path: Path) -> None:
    """Each with two lines of its own, no gap and a market; the same seed gives the same bytes."""
    paths = []
    for name in ("one", "same"):
        (tmp_path / name).mkdir()
        paths.append(write_venue(tmp_path / name, 5, 8_000, seed=3))
    source = open_source(paths[0])
    run = Offline(source)
    while run.advance():
        pass
    found = run.result()

    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert [channel["name"] for channel in found["channels"]] == ["001", "002", "003", "004", "005"]
    assert all(channel["gaps"] == [] and len(channel["lines"]) == 2 for channel in found["channels"])
    assert {book["channel"] for book in found["books"] if book["bids"]} == {c["name"] for c in found["channels"]}
    assert found["messages"]["total"] >= 8_000


def test_channels_are_uneven() -> None:
    """A few have most of the traffic."""
    each = sorted(shares(64, 1), reverse=True)

    assert sum(each) == pytest.approx(1.0)
    assert sum(each[:8]) > 0.5
    assert each[-1] > 0


def scheme(name: str, busiest: float, split: tuple[str, ...] = ()) -> Scheme:
    """Return a scheme whose busiest queue has so much of a least of 100, in all and in the busiest millisecond."""
    loads = np.array([[busiest, busiest / 2], [100.0, 50.0]])
    return Scheme(name, (0, 1), loads, np.array([100.0, 50.0]), split)


def figure(planned: list[float], runs: list[Run], missing: str = "", hashes: tuple[str, ...] = ()) -> Steering:
    """Return the figure of captures that were planned so well."""
    found = Steering(missing, hashes, runs={} if missing else {RSS: [Run(7, ("gaps",))], RULES: runs})
    for busiest in planned:
        found.add(RUN_AT, [scheme(RSS, 160.0, ("1", "2")), scheme(RULES, busiest)])
    return found


def test_the_worst_capture_decides() -> None:
    """For both loads; what RSS does is shown and not judged."""
    section = figure([101.0, 104.0, 109.0], [Run(0, ())] * 2).section()

    assert [target.met for target in section.targets] == [True] * 4
    assert section.rows[0][:3] == (str(RUN_AT), RSS, "1.60 (1.60 to 1.60)")
    assert section.rows[0][6:] == ("2", "7", "gaps")
    assert section.rows[1][2] == "1.04 (1.01 to 1.09)"
    assert section.rows[1][6:] == ("0", "0", "equal")
    assert len(section.rows[0]) == len(section.header)
    assert [target.met for target in figure([101.0, 111.0], []).section().targets[:2]] == [False, False]


def test_a_wrong_hash_and_other_books_are_missed() -> None:
    """Each by name."""
    section = figure([100.0], [Run(0, ("digest",))], hashes=("a to b: wrong",)).section()

    assert [target.met for target in section.targets] == [True, True, False, False]
    assert section.rows[1][-1] == "digest"
    assert "a to b: wrong" in section.notes


def test_without_a_veth_nothing_is_run() -> None:
    """Planning and hashing are judged all the same, and the notes say why the rest is not."""
    section = figure([100.0], [], missing="needs root").section()

    assert len(section.targets) == 3
    assert section.rows[1][-2:] == ("-", "-")
    assert section.notes[-1] == "not run over four queues: needs root"


def test_plans_of_a_venue_are_even(tmp_path: Path) -> None:
    """A capture of sixteen channels on four queues: within a tenth of the least, both ways."""
    source = open_source(write_venue(tmp_path, 16, 20_000, seed=1))
    found, _ = schemes(weigh(source.capture.path, source.feed), source.feed, 4)

    assert max(found[-1].excess()) <= 1.1
    assert found[-1].split == ()
