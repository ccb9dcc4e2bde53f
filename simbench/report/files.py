"""The JSON that a report is made of: recognised by its shape, and checked before anything is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = 1
MOST_BYTES: Final = 256 << 20  # a result with every book of an exchange has some 50 MB

Whole = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Share = Annotated[float, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(max_length=400)]


class Percentiles(msgspec.Struct):
    """Of one stage or error, ns."""

    n: Whole
    p50: Whole
    p90: Whole
    p99: Whole
    max: Whole
    p999: Whole | None = None


class Part(Percentiles, kw_only=True):
    """Of one stage of a budget: with what it adds to the mean."""

    a_frame: float = 0.0
    share: float = 0.0


class Hiccups(msgspec.Struct):
    """What the receiving core lost to others."""

    count: Whole
    longest_ns: Whole
    watched_ns: Whole
    share: Share


class Score(msgspec.Struct):
    """Timing of a replay, real or null."""

    frames: Whole
    lateness: Percentiles
    within_1us: Share
    late_frames: Whole
    gap_error: Percentiles
    drift_ppm: float | None


class Timing(Score, kw_only=True):
    """The proof of timing."""

    null: dict[Name, Score]


class Bucket(msgspec.Struct):
    """A stretch of the run's course."""

    at_ns: Whole
    span_ns: Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
    frames: Whole
    messages: Whole
    away_ns: Whole
    gaps_lost: Whole
    gaps_filled: Whole
    drops: Whole
    stages: dict[Name, tuple[Whole, Whole, Whole, Whole]]


class Run(msgspec.Struct):
    """What `run --json` and `receive --json` have of interest here."""

    wire: Name
    stack: Name
    wait: Name
    host: dict[Name, Any]
    speed: dict[Name, Any]
    sent: Whole
    received: Whole
    drops: dict[Name, Whole]
    stages: dict[Name, Percentiles]
    hiccups: Hiccups
    timing: dict[Name, Any] = {}
    timeline: Annotated[list[Bucket], msgspec.Meta(max_length=240)] = []
    curves: dict[Name, Annotated[list[tuple[Share, Whole]], msgspec.Meta(max_length=1000)]] = {}
    capture: Annotated[str, msgspec.Meta(max_length=1000)] = ""

    def proof(self) -> Timing | None:
        """Return the proof of timing; None where nothing was due at any time."""
        found = msgspec.convert(self.timing, Timing) if self.timing else None
        return found if found is not None and found.frames else None


class CellRun(msgspec.Struct):
    """One run of a cell."""

    hiccups: Hiccups


class Cell(msgspec.Struct):
    """A way to receive, of `stacks --json` or `budget --json`."""

    title: Name
    available: bool = True
    why: Name = ""
    lost: Whole = 0
    stages: dict[Name, Part] = {}
    cpu: dict[Name, float | None] = {}
    runs: list[CellRun] = []


class Cells(msgspec.Struct):
    """`stacks --json` or `budget --json`."""

    capture: Name
    cells: list[Cell]
    host: dict[Name, Any] | None = None


class Scheme(msgspec.Struct):
    """A way of steering."""

    name: Name
    queues: Annotated[list[dict[Name, Whole]], msgspec.Meta(min_length=1, max_length=256)]
    imbalance: dict[Name, Share]
    over_least: dict[Name, Share]
    channels_split: list[Name]


class Steering(msgspec.Struct):
    """`steer --json`."""

    schemes: Annotated[list[Scheme], msgspec.Meta(min_length=1, max_length=8)]


KINDS: Final = (  # the first whose keys are all there
    ("run", Run, {"stages", "hiccups", "timing", "wire"}),
    ("stacks", Cells, {"cells", "effects"}),
    ("budget", Cells, {"cells", "error_bound"}),
    ("steer", Steering, {"schemes", "flows"}),
)


class Document(msgspec.Struct):
    """A file that was understood.

    Attributes:
        name: of the file.
        kind: `run`, `stacks`, `budget` or `steer`.
        found: what it holds.
    """

    name: str
    kind: str
    found: Run | Cells | Steering


def read(path: Path) -> Document:
    """Return what a file holds.

    Raises:
        SimbenchError: it cannot be read, is no JSON, or not of a kind that a report shows.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SimbenchError(f"{path} is larger than any result of simbench")
        raw = path.read_bytes()
    except OSError as error:
        raise SimbenchError(f"cannot read {path}: {error.strerror}") from None
    try:
        whole = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SimbenchError(f"{path} is not JSON, or was cut") from None
    if isinstance(whole, dict):
        for kind, shape, keys in KINDS:
            if keys <= whole.keys():
                return Document(path.name, kind, _checked(path, kind, whole, shape))
    raise SimbenchError(f"{path} is not what run, receive, stacks, budget or steer write as JSON")


def _checked(path: Path, kind: str, whole: dict[str, Any], shape: Any) -> Any:
    if whole.get("schema") != SCHEMA:
        raise SimbenchError(f"{path} is of another version of simbench: schema is not {SCHEMA}")
    try:
        found = msgspec.convert(whole, shape)
        if isinstance(found, Run):
            found.proof()
    except msgspec.ValidationError as error:
        raise SimbenchError(f"{path} is damaged: as {kind} --json, {error}") from None
    return found
