"""The whole is divided among the stages, and nothing is left over that is not said."""

from __future__ import annotations

import pytest

from simbench.measure.budget import budget, title
from simbench.measure.histogram import Histogram
from simbench.measure.telemetry import STAGES


def measured(*frames: dict[str, int]) -> dict[str, Histogram]:
    """Return the histograms of all stages from what each frame spent in some of them."""
    found = {name: Histogram() for name, _ in STAGES}
    for frame in frames:
        for name, ns in frame.items():
            found[name].record(ns)
    return found


NEW = {"due_send": 10, "send_hook": 20, "hook_app": 30, "app_decoded": 40, "decoded_book": 100, "due_book": 200}
SEEN = {"due_send": 10, "send_hook": 20, "hook_app": 30, "app_done": 40, "due_book": 100}


def test_parts_add_up_to_the_mean_of_the_whole() -> None:
    """A frame that has nothing for the books takes part as well, with a stage of its own."""
    found = budget(measured(NEW, SEEN))

    assert [part.name for part in found.parts] == [
        "due_send", "send_hook", "hook_app", "app_decoded", "decoded_book", "app_done",
    ]  # fmt: skip
    assert [part.a_frame for part in found.parts] == [10, 20, 30, 20, 50, 20]
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    assert (found.frames, found.rest_a_frame) == (2, 0)


def test_wire_and_stack_are_one_where_there_was_no_hook() -> None:
    """As on the ring."""
    found = budget(measured({"due_send": 10, "send_app": 50, "app_done": 40, "due_book": 100}))

    assert [(part.name, part.a_frame) for part in found.parts if part.histogram.count] == [
        ("due_send", 10), ("send_app", 50), ("app_done", 40),
    ]  # fmt: skip
    assert found.rest_a_frame == 0


def test_what_no_stage_has_is_said() -> None:
    """A frame whose hook is not known spent time that is in no stage."""
    found = budget(measured(NEW, {"due_send": 10, "send_app": 50, "app_done": 40, "due_book": 100}))

    assert found.rest_a_frame == 25


def test_nothing_at_all_is_nothing() -> None:
    """Without a frame no share is divided by zero."""
    found = budget(measured())

    assert (found.frames, found.rest_a_frame) == (0, 0)
    assert {part.share for part in found.parts} == {0}


def test_titles_are_the_stages_own() -> None:
    """Without their explanations, and no two alike."""
    assert title("app_done") == "application to done"
    assert len({title(name) for name, _ in STAGES}) == len(STAGES)
