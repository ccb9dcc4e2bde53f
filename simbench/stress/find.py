"""Find the windows in which a market burst: the busiest ones of a capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.measure.background import busiest
from simbench.replay.squeeze import Window
from simbench.times import UNITS, duration_ns, span, time_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.capture.reader import Capture

MOST_WINDOWS: Final = 1 << 26  # of a capture: a count each, 512 MiB
MOST_FACTOR: Final = 1e6
TOP: Final = 0.01  # share of the windows with frames that are bursts, where nothing is said


@dataclass(frozen=True)
class Burst:
    """What is compressed.

    Attributes:
        window_ns: length of the windows that are looked at.
        factor: how much faster they pass.
        top: the busiest share of the windows that hold frames.
        at: recorded times, as users write them, at which a window begins instead of where looking finds one.
    """

    window_ns: int
    factor: float
    top: float = TOP
    at: tuple[str, ...] = ()


def parse(text: str) -> Burst:
    """Return the burst that "window=2ms,factor=100" asks for; "top=1%" and "at=+1.5s" (as often as wanted) besides.

    >>> parse("window=2ms,factor=100")
    Burst(window_ns=2000000, factor=100.0, top=0.01, at=())

    Raises:
        SimbenchError: it is none.
    """
    said: dict[str, str] = {}
    at: list[str] = []
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in {"window", "factor", "top", "at"} or name in said:
            raise SimbenchError(f"{text!r} is no burst; write window=2ms,factor=100 and, if wanted, top=1% or at=+1.5s")
        if name == "at":
            at.append(value)
        else:
            said[name] = value
    if not {"window", "factor"} <= said.keys():
        raise SimbenchError("a burst has a window and a factor: window=2ms,factor=100")
    if at and "top" in said:
        raise SimbenchError("a burst is found (top) or given (at), not both")
    window_ns, factor = duration_ns(said["window"]), _number(said["factor"])
    top = _number(said["top"].removesuffix("%")) / (100 if said["top"].endswith("%") else 1) if "top" in said else TOP
    if window_ns <= 0 or not 0 < factor <= MOST_FACTOR or not 0 < top <= 1:
        raise SimbenchError("a burst has a window longer than 0, a factor up to 1,000,000 and a top above 0 up to 100%")
    return Burst(window_ns, factor, top, tuple(at))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SimbenchError(f"{text!r} is no number") from None


def windows(capture: Capture, burst: Burst) -> tuple[Window, ...]:
    """Return the windows of a capture that a burst is about, in order, those that touch as one.

    Args:
        capture: read once where they have to be found.
        burst: which.

    Raises:
        SimbenchError: the window is too short for a capture of this length, or there are no frames.
    """
    first, last = extent(capture)
    if burst.at:
        starts = np.array(sorted(time_ns(text, first) for text in burst.at), np.int64)
        return _joined(starts, burst)
    length = burst.window_ns
    number = (last - first) // length + 1
    if number > MOST_WINDOWS:
        raise SimbenchError(f"windows of {span(length)} are too short for {span(last - first)} of capture")
    counts = np.zeros(number, np.int64)
    for block in capture.blocks():
        np.add.at(counts, (block.frames["stamp"] - first) // length, 1)
    return _joined(first + length * busiest(counts, burst.top), burst)


def extent(capture: Capture) -> tuple[int, int]:
    """Return the earliest and the latest stamp of a capture, ns; a SimbenchError where it has none, or absurd ones."""
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for block in capture.blocks():
        if len(stamps := block.frames["stamp"]):
            first, last = min(first, int(stamps.min())), max(last, int(stamps.max()))
    if last < first:
        raise SimbenchError("the capture holds no frames")
    if last - first >= UNITS["h"] << 20:
        raise SimbenchError("the capture's stamps are centuries apart")
    return first, last


def _joined(starts: NDArray[np.int64], burst: Burst) -> tuple[Window, ...]:
    found: list[Window] = []
    for start in starts.tolist():
        if found and start <= found[-1].end_ns:
            found[-1] = Window(found[-1].start_ns, start + burst.window_ns, burst.factor)
        else:
            found.append(Window(start, start + burst.window_ns, burst.factor))
    return tuple(found)
