"""The first run on a machine: say that kernels are compiled, and let every core compile its share of them."""

from __future__ import annotations

from typing import Final

from simbench.commands import show

DISSECTOR: Final = "simbench.capture.dissect"
PIPELINE: Final = "simbench.receive.pipeline"
BOOKS: Final = "simbench.book.engine"
RECEIVER: Final = "simbench.receive.live"  # imports the pipeline: after it, in the same process
REPLAYER: Final = "simbench.replay.pacing"
SNAPSHOTS: Final = ("simbench.synth.mbp10_tops", "simbench.synth.mbp10_spans")


def for_looking() -> None:
    """Compile what dissects frames and frames packets."""
    _compile(DISSECTOR, [[DISSECTOR], _protocols()])


def for_building() -> None:
    """Compile what makes books of a capture."""
    _compile(PIPELINE, [[PIPELINE], [BOOKS], [DISSECTOR, *_protocols()]])


def for_replaying() -> None:
    """Compile what replays a capture and receives it."""
    _compile(RECEIVER, [[PIPELINE, RECEIVER], [BOOKS, REPLAYER], [DISSECTOR, *_protocols()]])


def for_snapshots() -> None:
    """Compile what makes full snapshots of a capture's books."""
    tops, spans = SNAPSHOTS
    _compile(tops, [[PIPELINE, spans], [BOOKS, tops], [DISSECTOR, *_protocols()]])


def _protocols() -> list[str]:
    from simbench.protocol.registry import modules

    return modules()


def _compile(last: str, shares: list[list[str]]) -> None:
    from simbench.kernel import cache
    from simbench.kernel.compile import compile_apart

    if cache.is_warm(last):
        return
    show.complain("compiling the kernels for this machine, once: this takes up to a minute")
    compile_apart(shares)
