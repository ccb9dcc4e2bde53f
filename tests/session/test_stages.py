"""The stages of a run add up: what lies between two moments is the sum of what lies between those in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.receive.offline import open_source
from simbench.session.repeats import Cell, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.session.repeats import Measured


def total(run: Measured, *names: str) -> int:
    """Return the sum of all values of some stages."""
    return sum(run.histograms[name].total for name in names)


def test_stages_add_up_on_every_wire(wire: dict[str, str], cme: Path) -> None:
    """To the nanosecond: every stage of a run without losses is of the same frames."""
    run = run_cell(open_source(cme), Cell(stack=wire["stack"], wire=wire["wire"], speed="max"))
    count = {name: histogram.count for name, histogram in run.histograms.items()}

    assert count["app_decoded"] == count["decoded_book"] > 1000
    assert count["app_decoded"] + count["app_done"] == count["app_book"] == count["due_book"] == run.found["received"]
    assert total(run, "app_decoded", "decoded_book", "app_done") == total(run, "app_book")
    assert total(run, "send_app", "app_book") == total(run, "send_book")
    assert total(run, "due_send", "send_book") == total(run, "due_book")
    assert total(run, "due_app", "app_book") == total(run, "due_book")
    if wire["wire"] != "ring":
        assert count["send_hook"] == count["hook_app"] == run.found["received"]
        assert total(run, "send_hook", "hook_app") == total(run, "send_app")
        assert total(run, "hook_app", "app_book") == total(run, "hook_book")


def test_only_what_reached_the_books_has_the_books_stages(itch: Path) -> None:
    """Both lines bring every datagram: of each pair one reaches the books, the other has nothing for them."""
    run = run_cell(open_source(itch), Cell(stack="", wire="ring", speed="max"))
    lines = run.found["book"]["channels"][0]["lines"]

    assert run.histograms["decoded_book"].count == sum(line["won"] for line in lines)
