"""Where the nanoseconds of a run go: the stages that follow each other, and what each of them adds to a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simbench.measure.telemetry import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.measure.histogram import Histogram

FROM_DUE: Final = "due_send"
WIRE: Final = ("send_hook", "hook_app")
WIRE_AS_ONE: Final = "send_app"  # where there is no hook, or nobody could tell a frame's
HANDLER: Final = ("app_decoded", "decoded_book", "app_done")
WHOLE: Final = "due_book"
TOTALS: Final = ("app_book", "send_book", "due_book")  # what is measured beside the parts, over several of them
ROWS: Final = (FROM_DUE, *WIRE, WIRE_AS_ONE, *HANDLER)


@dataclass(frozen=True)
class Part:
    """A stage's part in the whole.

    Attributes:
        name: of the stage.
        histogram: of its values, ns.
        a_frame: its values' sum over all frames, divided by these: what it adds to the mean of the whole, ns.
        share: of the whole.
    """

    name: str
    histogram: Histogram
    a_frame: float
    share: float


@dataclass(frozen=True)
class Budget:
    """The stages of some runs, from when a frame is due to the books.

    Attributes:
        parts: in the order in which they follow each other; those of a frame that reaches the books, and, for one that
            has nothing for them, app_done instead of the last two.
        totals: what is measured over several parts, by name.
        frames: whose whole way is known.
        rest_a_frame: what of the whole lies in no part, ns; 0 where every frame has all its stamps.
    """

    parts: tuple[Part, ...]
    totals: Mapping[str, Histogram]
    frames: int
    rest_a_frame: float

    def to_json(self) -> dict[str, Any]:
        """Return it as `budget --json` has it."""
        stages = {
            part.name: {**_summary(part.histogram), "a_frame": part.a_frame, "share": part.share} for part in self.parts
        }
        totals = {name: _summary(histogram) for name, histogram in self.totals.items()}
        return {"frames": self.frames, "stages": stages, "totals": totals, "rest_a_frame": self.rest_a_frame}


def budget(histograms: Mapping[str, Histogram]) -> Budget:
    """Divide the whole among the stages.

    Args:
        histograms: of all stages by name, each over the same runs.
    """
    whole = histograms[WHOLE]
    frames = max(1, whole.count)
    hooked = all(histograms[name].count for name in WIRE)
    names = (FROM_DUE, *(WIRE if hooked else (WIRE_AS_ONE,)), *HANDLER)
    parts = tuple(
        Part(name, each, each.total / frames, each.total / whole.total if whole.total else 0.0)
        for name, each in ((name, histograms[name]) for name in names)
    )
    rest = (whole.total - sum(part.histogram.total for part in parts)) / frames
    return Budget(parts, {name: histograms[name] for name in TOTALS}, whole.count, rest)


def title(name: str) -> str:
    """Return what a stage is called where there is no room for its explanation: "due to send"."""
    return dict(STAGES)[name].split(":")[0]


def _summary(histogram: Histogram) -> dict[str, float]:
    return {**histogram.summary(), "mean": histogram.mean}
