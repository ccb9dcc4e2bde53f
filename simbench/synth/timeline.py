"""When messages happen: seeded arrival processes for a calm market, an open and a surprise announcement.

A scenario is a shape over the unit interval, the rate in multiples of the calm one. On it rides a Hawkes process: a
message excites BRANCHING others on average, each after an exponential delay of EXCITEMENT_NS, so that arrivals cluster
at the scale of a millisecond as they do in real feeds, and the mean rate is the shape's. The announcement adds
microbursts: a quarter of what is above the calm rate comes in windows of 100 us, each at ten times the peak rate.

    calm          1 throughout
    open          1/4 before the bell at 0.05, then 25 decaying to 1 with a time constant of 0.15
    announcement  1 before 0.4, then 100 decaying to 1 with a time constant of 0.05
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Words = NDArray[np.int64]

RATE: Final = 2_000.0  # messages a second in a calm market, where nothing else is asked
BRANCHING: Final = 0.5
EXCITEMENT_NS: Final = 400_000.0
MICROBURST_NS: Final = 100_000.0
MICROBURST_SHARE: Final = 0.25
MICROBURST_FACTOR: Final = 10.0  # of the peak rate
BELL: Final = 0.05
NEWS: Final = 0.4
SLICE_S: Final = 0.001  # the rate is constant for so long
BLOCK: Final = 100_000  # messages in a block, about


@dataclass(frozen=True)
class Scenario:
    """A shape of the rate over the run.

    Attributes:
        name: as the user writes it.
        shape: multiples of the calm rate at float64[n] points, 0 the start and 1 the end of the run.
        mean: its mean over the run.
        peak: its maximum.
        bursts: whether a part of what is above calm comes as microbursts.
        clock: local time of `landmark`, seconds since midnight.
        landmark: the point of the run that falls on `clock`.
    """

    name: str
    shape: Callable[[Floats], Floats]
    mean: float
    peak: float
    bursts: bool
    clock: int
    landmark: float


def _calm(at: Floats) -> Floats:
    return np.ones_like(at)


def _open(at: Floats) -> Floats:
    return np.where(at < BELL, 0.25, 1 + 24 * np.exp(np.minimum(BELL - at, 0) / 0.15))


def _announcement(at: Floats) -> Floats:
    return np.where(at < NEWS, 1.0, 1 + 99 * np.exp(np.minimum(NEWS - at, 0) / 0.05))


SCENARIOS: Final = {
    "calm": Scenario("calm", _calm, 1.0, 1.0, bursts=False, clock=11 * 3600, landmark=0.0),
    "open": Scenario(
        "open",
        _open,
        0.25 * BELL + (1 - BELL) + 24 * 0.15 * (1 - float(np.exp((BELL - 1) / 0.15))),
        25.0,
        bursts=False,
        clock=9 * 3600 + 1800,
        landmark=BELL,
    ),
    "announcement": Scenario(
        "announcement",
        _announcement,
        1 + 99 * 0.05 * (1 - float(np.exp((NEWS - 1) / 0.05))),
        100.0,
        bursts=True,
        clock=14 * 3600,
        landmark=NEWS,
    ),
}


@dataclass(frozen=True)
class Timeline:
    """A scenario at a rate and length.

    Attributes:
        scenario: its shape.
        rate: calm messages a second.
        seconds: length of the run.
        messages: exactly so many, however long that takes; None: until the time is over.
    """

    scenario: Scenario
    rate: float
    seconds: float
    messages: int | None = None

    def start_ns(self, midnight: int) -> int:
        """Return when the run starts so that its landmark falls on the scenario's time of day, ns since 1970.

        Args:
            midnight: local midnight of the day, ns since 1970.
        """
        start = self.scenario.clock - self.scenario.landmark * self.seconds
        return midnight + max(round(start * 1e9), 0)

    def shortened(self, messages: int) -> Timeline:
        """Return the same with so many messages less."""
        return replace(self, messages=None if self.messages is None else self.messages - messages)

    def arrivals(self, seed: int) -> Iterator[Words]:
        """Yield blocks of arrival times, ns since the start, sorted; the same for the same seed.

        Args:
            seed: of the process; numpy's PCG64 behind a SeedSequence.
        """
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        waiting = np.zeros(0)
        left = self.messages
        at = 0.0
        while left != 0 and (left is not None or at < self.seconds):
            ahead = float(self.scenario.shape(np.array([at / self.seconds]))[0]) * self.rate
            slices = max(int(min(BLOCK / ahead / SLICE_S, 1e5)), 1)
            if left is None:
                slices = min(slices, max(int(np.ceil((self.seconds - at) / SLICE_S - 1e-9)), 1))
            waiting = np.sort(np.concatenate([waiting, self._block(random, at, slices)]))
            at += slices * SLICE_S
            end = at if left is not None else min(at, self.seconds)
            ready = int(np.searchsorted(waiting, end * 1e9))
            block, waiting = waiting[:ready], waiting[ready:]
            block = block[:left]
            left = None if left is None else left - len(block)
            if len(block):
                yield block.astype(np.int64)

    def _block(self, random: np.random.Generator, at: float, slices: int) -> Floats:
        """Return what is born in the slices from `at`, unsorted; excited messages may lie behind them."""
        starts = at + np.arange(slices) * SLICE_S
        shape = self.scenario.shape((starts + SLICE_S / 2) / self.seconds)
        smooth = shape
        bursts = np.zeros(0)
        if self.scenario.bursts:
            excess = (shape - 1) * MICROBURST_SHARE
            smooth = shape - excess
            size = MICROBURST_FACTOR * self.scenario.peak * self.rate * MICROBURST_NS / 1e9
            windows = _poisson(random, starts, excess * self.rate / size)
            members = np.repeat(windows, random.poisson(size, len(windows)))
            bursts = members + random.random(len(members)) * MICROBURST_NS
        generation = _poisson(random, starts, smooth * self.rate * (1 - BRANCHING))
        family = [bursts, generation]
        while len(generation):
            generation = np.repeat(generation, random.poisson(BRANCHING, len(generation)))
            generation = generation + random.exponential(EXCITEMENT_NS, len(generation))
            family.append(generation)
        return np.concatenate(family)


def _poisson(random: np.random.Generator, starts: Floats, rates: Floats) -> Floats:
    """Return the points of a Poisson process, ns, at so many a second in each slice."""
    points = np.repeat(starts, random.poisson(rates * SLICE_S))
    return (points + random.random(len(points)) * SLICE_S) * 1e9


def make_timeline(
    scenario: str, *, seconds: float | None = None, messages: int | None = None, rate: float | None = None
) -> Timeline:
    """Return the timeline that a user asks for.

    Args:
        scenario: calm, open or announcement.
        seconds: length of the run; without it, what the messages take at the rate.
        messages: exactly so many; with seconds as well, the rate follows.
        rate: calm messages a second.

    Raises:
        SimbenchError: when the scenario is not known or a number makes no sense.
    """
    if scenario not in SCENARIOS:
        raise SimbenchError(f"scenario {scenario!r} is not known; take one of {', '.join(SCENARIOS)}")
    for name, value in (("seconds", seconds), ("messages", messages), ("rate", rate)):
        if value is not None and not 0 < value < 1e12:
            raise SimbenchError(f"{name} must be more than 0, not {value}")
    shape = SCENARIOS[scenario]
    if messages is not None and seconds is not None:
        rate = messages / (seconds * shape.mean)
    rate = rate or RATE
    if seconds is None:
        seconds = messages / (rate * shape.mean) if messages is not None else 10.0
    return Timeline(shape, rate, seconds, messages)
