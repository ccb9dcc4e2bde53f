"""Rebuild a capture frame by frame with a clock of our own; print decodes, applies and books' time of each as JSON.

For NUMBA_DISABLE_JIT=1. A decode takes DECODE_NS, an apply APPLY_NS, anything else no time at all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.receive import pipeline
from simbench.receive.offline import open_source
from simbench.receive.receiver import FLOWS, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

DECODE_NS = 1_000
APPLY_NS = 7


def main() -> None:
    """Print [decodes, applies, ns] of every frame."""
    source = open_source(Path(sys.argv[1]))
    receiver = Receiver(source.feed, first_ns=source.first_ns, batch=1, verify=source.verify)
    clock, calls = [1], [0, 0]

    def slow(function: Callable[..., int], which: int, ns: int) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            clock[0] += ns
            calls[which] += 1
            return function(*arguments)

        return call

    pipeline.monotonic_ns = lambda: clock[0]  # type: ignore[attr-defined]
    receiver.decoders = tuple(slow(decode, 0, DECODE_NS) for decode in receiver.decoders)
    receiver.apply = slow(receiver.apply, 1, APPLY_NS)
    words = receiver.state.words
    words[pipeline.TIMED] = int(sys.argv[2])
    dissector = Dissector(capacity=FLOWS)
    found = []
    for block in open_capture(Path(sys.argv[1])).blocks():
        dissector.dissect(block)
        for i in range(len(block.frames)):
            words[pipeline.MARK] = words[pipeline.APPLYING] = 0
            calls[:] = [0, 0]
            receiver.take(block.data, block.frames[i : i + 1], dissector.flows)
            mark = int(words[pipeline.MARK])
            found.append([*calls, int(words[pipeline.APPLYING]) + (clock[0] - mark if mark else 0)])
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
