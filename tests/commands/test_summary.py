"""The closing summary of a run, and that of a receiver that sends nothing."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from simbench.commands import show
from simbench.commands.progress import summary


def found(*outcomes: str, **more: Any) -> dict[str, Any]:
    """Return a result in the shape of `run --json` whose gaps ended like this."""
    counts = {"taken": 0, "equal": 0, "old": 0, "unfinished": 0}
    gaps = [{"outcome": outcome} for outcome in outcomes]
    channel = {"name": "340", "protocol": "cme.mdp3", "lines": [], "gaps": gaps, "snapshots": counts}
    book = {"messages": {"total": 1200, "malformed": 0}, "anomalies": {"snapshot_differs": 0, "no_room": 0}}
    return {
        "wire": "nic:eth0",
        "stack": "xdp",
        "wait": "spin",
        "speed": {"asked": "live", "achieved": 1.0},
        "sent": 0,
        "received": 1100,
        "drops": {},
        "stages": {},
        "hiccups": {"watched_ns": 0},
        "recovery": {},
        "book": {**book, "channels": [channel]},
        **more,
    }


def said(result: dict[str, Any]) -> str:
    """Return the summary as text."""
    out = StringIO()
    Console(file=out, width=140).print(summary(result))
    return out.getvalue()


def test_a_receiver_alone_says_nothing_of_sending() -> None:
    """Neither frames sent nor a speed, which nobody had asked for."""
    text = said(found())
    assert "nic:eth0 xdp, spin: 1,100 frames received\n" in text
    assert "sent" not in text
    assert "speed" not in text


def test_a_run_says_what_was_sent() -> None:
    """And at which speed."""
    text = said(found(sent=1100, speed={"asked": "1", "achieved": 0.99999}, replayer={}))
    assert "1,100 frames sent, 1,100 received; speed 1 asked, 0.99999 achieved" in text


@pytest.mark.parametrize(
    ("expected", "outcomes"),
    [
        ("1,200 messages, 0 gaps lost, drops", ()),
        ("2 gaps lost, drops", ("lost", "lost")),
        ("1 gaps lost, 1 recovered (retransmission 1), drops", ("lost", "retransmission")),
        (
            "0 gaps lost, 3 recovered (natural refresh 1, snapshot 2), drops",
            ("snapshot", "natural refresh", "snapshot"),
        ),
    ],
)
def test_gaps_that_were_recovered_are_told_from_the_lost_ones(expected: str, outcomes: tuple[str, ...]) -> None:
    """With how they were."""
    assert expected in said(found(*outcomes))


@pytest.mark.parametrize("what", ["snapshot_differs", "no_room"])
def test_books_that_are_not_what_they_should_be_are_damage(what: str) -> None:
    """A difference from a snapshot, and what was left out for want of room; a gap that was recovered is none."""
    book = found("retransmission")["book"]
    assert not show.damaged(book)
    assert show.damaged({**book, "anomalies": {**book["anomalies"], what: 1}})
