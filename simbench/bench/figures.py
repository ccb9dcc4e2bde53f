"""The figures of the README, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from simbench.bench import (
    bursts,
    drift,
    handler_time,
    memory,
    offline_cme,
    offline_itch,
    offline_scale,
    queues,
    reading,
    recovery,
    recovery_cost,
    replay_timing,
    ring_lateness,
    slow_receiver,
    startup,
    steering,
    terminal_cost,
    terminal_effect,
    top_speed,
    two_stacks,
    wire_equality,
    wire_to_application,
)
from simbench.bench.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable


class Measured(Protocol):
    """What a figure hands back."""

    def section(self) -> Section:
        """Return it ready to be shown."""


FIGURES: Final[dict[str, Callable[..., Measured]]] = {
    "timing": replay_timing.replay_timing,
    "drift": drift.drift,
    "ring": ring_lateness.ring_lateness,
    "speed": top_speed.top_speed,
    "latency": wire_to_application.wire_to_application,
    "handler": handler_time.handler_time,
    "stacks": two_stacks.two_stacks,
    "queues": queues.queues,
    "steering": steering.steering,
    "offline": offline_itch.offline_itch,
    "entries": offline_cme.offline_cme,
    "scale": offline_scale.offline_scale,
    "reading": reading.reading,
    "memory": memory.memory,
    "startup": startup.startup,
    "day": wire_equality.wire_equality,
    "recovery": recovery.recovery,
    "cost": recovery_cost.recovery_cost,
    "bursts": bursts.bursts,
    "slow": slow_receiver.slow_receiver,
    "terminal": terminal_effect.terminal_effect,
    "screens": terminal_cost.terminal_cost,
}
NEED_VETH: Final = {
    "timing": replay_timing.TITLE,
    "drift": drift.TITLE,
    "speed": top_speed.TITLE,
    "latency": wire_to_application.TITLE,
    "handler": handler_time.TITLE,
    "stacks": two_stacks.TITLE,
    "queues": queues.TITLE,
    "recovery": recovery.TITLE,
    "bursts": bursts.TITLE,
    "terminal": terminal_effect.TITLE,
}


def take(name: str, missing: str, *, quick: bool) -> Section:
    """Take a figure.

    Args:
        name: of FIGURES.
        missing: why there is no veth here; "" there is.
        quick: fewer repeats and shorter captures: to try it.
    """
    if missing and name in NEED_VETH:
        return Section(NEED_VETH[name], f"not taken: {missing}", (), ())
    return FIGURES[name](quick=quick).section()
