"""Several workers as one receiver: they start together, end together, and a failure of one is the failure of all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simbench.measure import telemetry as t
from simbench.receive.offline import open_source
from simbench.receive.receiver import Receiver
from simbench.receive.several import Several
from simbench.replay import control as c
from simbench.wire.open import open_receiver, open_wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUES = 2


@pytest.fixture
def several(itch: Path) -> Iterator[tuple[Several, Any, Any]]:
    """Return workers on rings that nobody sends on, with their control block and telemetry."""
    feed = open_source(itch).feed
    control, telemetry = c.Control.create().words, np.zeros(t.WORDS, np.int64)
    wires = [open_wire("ring", entries=64) for _ in range(QUEUES)]
    ends = [open_receiver(wire.receiver) for wire in wires]
    made = Several(
        [Receiver(feed, batch=1) for _ in ends],
        ends,
        (1,),
        (-1,) * QUEUES,
        control=control,
        side=np.zeros(0, np.int64),
        telemetry=telemetry,
        block=True,
        trace=0,
    )
    yield made, control, telemetry
    for each in (*ends, *wires):
        each.close()


def test_they_are_ready_together_and_end_when_all_is_drained(several: tuple[Several, Any, Any]) -> None:
    """Nothing was sent, so nothing is waited for; every channel is in the report once, as its owner has it."""
    made, control, telemetry = several
    states: list[int] = []

    def stopped() -> bool:
        if control[c.RECEIVER_READY]:
            states.append(int(telemetry[t.STATE]))
            control[c.PHASE] = c.ENDED
        return False

    made.run(stopped)
    found = made.report({"first_ns": "0"})

    assert set(states) == {t.RUNNING}
    assert telemetry[t.STATE] == t.ENDED
    assert control[c.RECEIVER_DONE] == 1
    assert [queue["channels"] for queue in found["queues"]] == [[], [found["book"]["channels"][0]["name"]]]
    assert (found["received"], found["drops"], found["book"]["messages"]["total"]) == (0, {}, 0)
    assert len(made.traced()) == 0


def test_a_failure_of_one_ends_all(several: tuple[Several, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the run hears of it, and no thread is left."""
    made, _, telemetry = several

    def fail(*_: object) -> int:
        raise OSError("no more memory")

    monkeypatch.setattr(made.workers[1], "_call", fail)
    with pytest.raises(OSError, match="no more memory"):
        made.run(lambda: False)

    assert telemetry[t.STATE] == t.FAILED
    assert not any(worker.running() for worker in made.workers)
    assert not [thread for thread in threading.enumerate() if thread.name == "receive"]
