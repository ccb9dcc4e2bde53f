"""A receiver that is slowed on purpose: it says so, takes so long, loses what it has no time for, and counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner
from runs import same
from small_feeds import rebuilt

from simbench.cli import cli
from simbench.receive.offline import open_source
from simbench.session import run_quietly

if TYPE_CHECKING:
    from pathlib import Path

SLOW_NS = 20_000


def test_every_frame_takes_so_much_longer(itch: Path) -> None:
    """No frame less than that; where nothing is lost, the books are the same."""
    found = run_quietly(open_source(itch), wire="ring", speed="max", slow_ns=SLOW_NS)

    same(rebuilt(itch), found)
    assert found["slow_handler_ns"] == SLOW_NS
    assert found["stages"]["app_book"]["p50"] >= SLOW_NS
    assert "slow_handler_ns" not in run_quietly(open_source(itch), wire="ring", speed="max")


def test_what_it_has_no_time_for_is_lost_at_the_ring(itch: Path) -> None:
    """Into a ring of a few entries, at twice the rate that it bears; what is lost is counted, and noticed as gaps."""
    found = run_quietly(open_source(itch), wire="ring", speed="5", slow_ns=5 * SLOW_NS, entries=64)
    frames = rebuilt(itch)["capture"]["frames"]

    assert found["drops"]["ring_full"] > 0
    assert found["received"] + found["drops"]["ring_full"] == frames
    assert any(gap["outcome"] == "lost" for gap in found["book"]["channels"][0]["gaps"])


def test_the_command_says_that_it_was_slowed(itch: Path, tmp_path: Path) -> None:
    """In the summary and in JSON, so that nobody takes its figures for the receiver's own."""
    target = tmp_path / "run.json"
    options = ["--wire", "ring", "--speed", "max", "--headless", "--slow-handler", "5000", "--json", str(target)]
    done = CliRunner().invoke(cli, ["run", str(itch), *options], standalone_mode=False)

    assert "slowed on purpose: 5,000 ns busy-waited on every frame received" in done.output
    assert msgspec.json.decode(target.read_bytes(), type=dict[str, Any])["slow_handler_ns"] == 5_000


@pytest.mark.wire
def test_queues_are_slowed_as_well(itch: Path, capabilities: Any) -> None:
    """Each queue's thread."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)
    found = run_quietly(open_source(itch), wire="veth", speed="max", queues=2, slow_ns=SLOW_NS)

    same(rebuilt(itch), found)
    assert found["stages"]["app_book"]["p50"] >= SLOW_NS
