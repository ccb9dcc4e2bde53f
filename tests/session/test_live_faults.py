"""Faults switched on while a run goes on: what the receiver makes of them, and what the run says of it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from runs import until
from small_feeds import digests, rebuilt

from simbench.commands.progress import summary
from simbench.commands.run import outcome
from simbench.receive.offline import open_source
from simbench.session import Plan, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simbench.replay.control import Control

MS = 1_000_000
SECOND = 1_000 * MS


def run(path: Path, switch: Callable[[Control], object], **plan: Any) -> dict[str, Any]:
    """Run a capture to its end, its faults switched on before the first frame."""
    session = Session(open_source(path), Plan(**plan))
    switch(session.control)
    with session:
        return session.finish()


def lines(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of the first channel."""
    return list(found["book"]["channels"][0]["lines"])


def test_a_dark_line_is_made_up_for_by_the_other(
    some_wire: dict[str, str], itch: Path, offline: dict[Path, dict[str, Any]]
) -> None:
    """Nothing of it arrives, and the books are those of the whole capture."""
    found = run(itch, lambda control: control.switch("dark", [0]), speed="max", **some_wire)
    assert digests(found["book"]) == digests(offline[itch])
    assert found["book"]["books"] == offline[itch]["books"]
    a, b = lines(found)
    assert (a["datagrams"], b["datagrams"]) == (0, found["sent"])
    (live,) = found["live_faults"]
    assert (live["kind"], live["line"], live["last_ns"]) == ("dark", "A", None)
    assert live["frames"] + found["sent"] == found["replayer"]["frames"]
    assert found["replayer"]["loops"] == 1
    assert found["drops"] == {} or not any(found["drops"].values())


def test_where_both_lines_are_dark_for_a_while_there_is_a_gap(some_wire: dict[str, str], itch: Path) -> None:
    """Reported as lost; the run ends as one that lost something, and its summary says what was switched on."""
    found = run(
        itch,
        lambda control: control.switch("dark", [0, 1], for_ns=20 * MS),
        speed="10",
        max_idle_ns=5 * MS,
        from_ns=open_source(itch).first_ns,
        **some_wire,
    )
    frames = sum(live["frames"] for live in found["live_faults"])
    assert frames > 0
    assert all(live["last_ns"] for live in found["live_faults"])
    assert found["sent"] == found["received"] == found["replayer"]["frames"] - frames
    assert found["timing"]["frames"] <= found["sent"]
    said = StringIO()
    Console(file=said, width=200).print(summary(found))
    assert "line A: dark, from 20" in said.getvalue()


def test_damaged_datagrams_are_counted_and_made_up_for(
    some_wire: dict[str, str], itch: Path, offline: dict[Path, dict[str, Any]]
) -> None:
    """Under a wrong checksum a datagram is lost; each is one that was damaged, and the other line has it."""
    found = run(itch, lambda control: control.switch("corrupt", [0], 200_000), speed="max", **some_wire)
    (live,) = found["live_faults"]
    assert found["book"]["capture"]["checksum_lost"] == live["frames"] > 0
    assert found["received"] == found["sent"] == found["replayer"]["frames"]
    assert found["book"]["books"] == offline[itch]["books"]


def test_a_delayed_line_comes_second(
    some_wire: dict[str, str], itch: Path, offline: dict[Path, dict[str, Any]]
) -> None:
    """The other one wins wherever both bring the same, and nothing is lost."""
    found = run(itch, lambda control: control.switch("delay", [0], 3 * MS), speed="max", **some_wire)
    a, b = lines(found)
    (live,) = found["live_faults"]
    assert live["frames"] == a["datagrams"] > 0
    assert a["won"] == 0
    assert b["won"] >= b["datagrams"] - 1  # the end of the session is nobody's
    assert found["sent"] == found["received"] == found["replayer"]["frames"]
    assert found["book"]["books"] == offline[itch]["books"]


def test_what_is_lost_of_both_lines_is_lost_again_in_another_run(itch: Path) -> None:
    """The draw knows frames, not time: two runs over different wires at different speeds lose the same."""

    def lossy(control: Control) -> None:
        control.switch("lose", [0, 1], 100_000)

    one, other = (run(itch, lossy, wire="ring", speed=speed, max_idle_ns=MS) for speed in ("max", "10"))
    assert one["live_faults"] == other["live_faults"]
    assert digests(one["book"]) == digests(other["book"])
    assert one["sent"] == other["sent"] < one["replayer"]["frames"]


def test_a_script_is_not_judged_where_somebody_threw_a_switch(itch: Path) -> None:
    """Nobody could foresee that; what is lost decides, as without a script."""
    script = 'seed = 1\n[[fault]]\nkind = "drop"\nline = "A"\nprobability = 0.1\n'
    found = run(itch, lambda control: control.switch("lose", [1], 500_000), wire="ring", speed="max", faults=script)
    assert not found["faults"]["judged"]
    assert "by hand" in found["faults"]["why"]
    assert outcome(found) == 1


def test_switches_are_told_while_they_are_on(slow: Path) -> None:
    """By snapshots and in the log, with the line's name; and that they are off again."""
    with Session(open_source(slow), Plan(wire="ring", speed="100")) as session:
        reader = session.reader()
        assert until(lambda: session.snapshot().cursor > 0)
        session.control.switch("lose", [1], 1_000_000)
        assert until(lambda: any(each.frames > 20 for each in session.snapshot().switches))
        (on,) = reader.snapshot().switches
        assert (on.kind, on.line, on.words, on.until_ns) == ("lose", "B", "lose 100 %", 0)
        session.control.all_off()
        assert until(lambda: session.snapshot().switches[0].until_ns)
        log = [line.text for line in reader.snapshot().log if line.text.startswith("line B: lose")]
        assert len(log) == 2
        assert log[0] == "line B: lose 100 %, from here on"
        assert log[1].endswith("frames hit")
        session.stop()
        assert session.finish()["live_faults"][0]["frames"] > 20


@pytest.mark.parametrize("line", ["A", "B"])
def test_one_dark_line_of_a_real_capture(some_wire: dict[str, str], cme: Path, line: str) -> None:
    """Books and digests as offline, unless the other line alone has lost something."""
    found = run(cme, lambda control: control.switch("dark", [line == "B"]), speed="max", **some_wire)
    expected = rebuilt(cme, only_line="B" if line == "A" else "A")
    assert digests(found["book"]) == digests(expected)
    assert found["book"]["books"] == expected["books"]
