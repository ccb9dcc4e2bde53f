"""The wires' own send and receive functions beside the bare loop, in interleaved repeats.

    python -m simbench.bench.wire_latency --count 50000 --gap-ns 20000 --repeats 5

Both ends are driven as the replayer and the receiver drive them: first-class functions, one frame prepared ahead of
its deadline, the time taken just before the commit, frames polled in batches and given back.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, types

from simbench.bench import bare_loop
from simbench.bench.bare_loop import percentiles, pin, run_together
from simbench.frame import FRAME
from simbench.kernel.host import monotonic_ns
from simbench.wire.contract import (
    BYTES,
    COMMIT_FUNCTION,
    FRAMES,
    POLL_FUNCTION,
    PREPARE_FUNCTION,
    RELEASE_FUNCTION,
    WAIT_FUNCTION,
    WORDS,
)
from simbench.wire.open import open_receiver, open_sender, open_wire

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

GROUP: Final = "239.1.2.3:5000"
LENGTH: Final = 100
PATIENCE_NS: Final = 2_000_000_000
CELLS: Final = ("xdp generic spin", "xdp native spin", "xdp generic block", "udp spin", "udp bare spin", "udp block")


def measure(cell: str, count: int, gap_ns: int) -> dict[str, Any]:
    """Return percentiles in ns of one cell of CELLS: {"n", "send_hook", "send_app"}."""
    stack, *words = cell.split()
    options: dict[str, Any] = {"stack": stack, "mode": "native" if "native" in words else "generic"}
    if stack == "udp":
        options |= {"groups": (GROUP,), "hook": "bare" not in words}
    sent, hook, app = (np.zeros(count, np.int64) for _ in range(3))
    got: list[int] = []
    with open_wire("veth", **options) as wire, open_sender(wire.sender) as near, open_receiver(wire.receiver) as far:
        source = np.frombuffer(bytearray(plain_frame()), np.uint8)
        frames = np.zeros(64, FRAME)

        def take() -> None:
            pin(1)
            functions = far.poll, far.release, far.wait
            block = 10_000_000 if "block" in words else 0
            got.append(_receive(*functions, far.words, far.memory, frames, hook, app, PATIENCE_NS, block))

        def give() -> None:
            pin(0)
            _send(near.prepare, near.commit, near.words, near.memory, source, sent, gap_ns)

        run_together(take, give)
        lost = {name: n for name, n in (near.counters() | far.counters()).items() if n}
    n = got[0]
    hook[:n] -= sent[:n]
    app[:n] -= sent[:n]
    known = hook[:n][hook[:n] > 0]
    return {"n": n, "lost": lost, "send_hook": percentiles(known), "send_app": percentiles(app[:n])}


@njit(
    types.int64(
        POLL_FUNCTION,
        RELEASE_FUNCTION,
        WAIT_FUNCTION,
        WORDS,
        BYTES,
        FRAMES,
        types.int64[::1],
        types.int64[::1],
        types.int64,
        types.int64,
    ),
    cache=True,
    nogil=True,
)
def _receive(
    poll: Any,
    release: Any,
    wait: Any,
    words: Words,
    memory: Bytes,
    frames: Frames,
    hook: Words,
    app: Words,
    patience: int,
    block_ns: int,
) -> int:
    got, last = 0, monotonic_ns()
    while got < len(app):
        n = poll(words, memory, frames)
        now = monotonic_ns()
        if n == 0:
            if now - last > patience:
                break
            if block_ns > 0:
                wait(words, block_ns)
            continue
        last = now
        for i in range(min(n, len(app) - got)):
            hook[got] = frames[i]["stamp"]
            app[got] = now
            got += 1
        release(words, frames, n)
    return got


@njit(
    types.void(PREPARE_FUNCTION, COMMIT_FUNCTION, WORDS, BYTES, BYTES, types.int64[::1], types.int64),
    cache=True,
    nogil=True,
)
def _send(prepare: Any, commit: Any, words: Words, memory: Bytes, source: Bytes, sent: Words, gap_ns: int) -> None:
    deadline = monotonic_ns() + 1_000_000
    for k in range(len(sent)):
        prepare(words, memory, source, 0, len(source), k)
        while monotonic_ns() < deadline:
            pass
        deadline += gap_ns
        sent[k] = monotonic_ns()
        commit(words, 1)


def plain_frame() -> bytes:
    """Return a frame of LENGTH bytes that a UDP socket accepts: its UDP checksum is absent."""
    host, port = GROUP.split(":")
    group, length = socket.inet_aton(host), LENGTH - 14
    head = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + socket.inet_aton("10.1.2.3") + group
    total = sum(struct.unpack(">10H", head))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    ip = head[:10] + struct.pack(">H", checksum) + head[12:]
    udp = struct.pack(">HHHH", 5000, int(port), length - 20, 0)
    return (
        b"\x01\x00\x5e" + bytes([group[1] & 0x7F]) + group[2:] + bytes(6) + b"\x08\x00" + ip + udp + bytes(LENGTH - 42)
    )


def main() -> None:
    """Measure all cells, interleaved with the bare loop, and print JSON with the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--gap-ns", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cells", nargs="*", default=list(CELLS), choices=CELLS)
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.repeats):
        for mode in ("generic", "native"):
            runs.setdefault(f"bare {mode}", []).append(bare_loop.measure(options.count, options.gap_ns, mode))
        for cell in options.cells:
            runs.setdefault(cell, []).append(measure(cell, options.count, options.gap_ns))
    report = {}
    for name, each in runs.items():
        peer = "bare native" if "native" in name else "bare generic"
        ratios = [
            run["send_app"]["p50"] / other["send_app"]["p50"] for run, other in zip(each, runs[peer], strict=True)
        ]
        report[name] = {
            "send_hook_p50_ns": int(np.median([run["send_hook"].get("p50", 0) for run in each])),
            "send_app_p50_ns": int(np.median([run["send_app"]["p50"] for run in each])),
            "send_app_p99_ns": int(np.median([run["send_app"]["p99"] for run in each])),
            "of_bare": round(float(np.median(ratios)), 3),
            "of_bare_range": [round(min(ratios), 3), round(max(ratios), 3)],
            "lost": [run.get("lost", {}) for run in each],
        }
    sys.stdout.write(json.dumps({"cores": os.cpu_count(), "cells": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
