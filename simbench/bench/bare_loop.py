"""The peer of the receive path: an AF_XDP loop over veth that does nothing but move and stamp frames.

    python -m simbench.bench.bare_loop --count 100000 --gap-ns 20000 --mode generic

One core sends a frame at each deadline, another spins on the rx ring. What is measured is the time from just before
the send to the hook and to the payload in the receiving loop: the floor for anything that receives over this wire.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import socket
import struct
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from simbench.kernel.host import acquire32, kick, monotonic_ns, peek32, peek64, poke64, release32
from simbench.wire import bpf, namespace, programs
from simbench.wire.xsk import Ring, Xsk, open_xsk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Times = NDArray[np.int64]

ENTRIES: Final = 2048
FRAME_SIZE: Final = 2048
LENGTH: Final = 100
SENT_AT: Final = 42  # where the payload starts: the time just before the send
PATIENCE_NS: Final = 2_000_000_000
FRAME: Final = b"\xff" * 6 + bytes(6) + b"\x08\x00" + bytes(LENGTH - 14)
MASK: Final = ENTRIES - 1


def measure(count: int, gap_ns: int, mode: str) -> dict[str, Any]:
    """Send `count` frames, `gap_ns` apart, and return percentiles in ns: {"n", "send_hook", "send_app"}.

    Args:
        count: frames.
        gap_ns: between deadlines; 0 is back to back.
        mode: of the XDP program, "generic" or "native".
    """
    hook, app = np.zeros(count, np.int64), np.zeros(count, np.int64)
    got: list[int] = []
    with contextlib.ExitStack() as owned:
        near, far = namespace.create(), namespace.create()
        owned.callback(os.close, near)
        owned.callback(os.close, far)
        namespace.create_veth(near, far)
        sender = namespace.inside(near, open_xsk, "simtx", 0, entries=ENTRIES, frame_size=FRAME_SIZE, sends=True)
        owned.callback(sender.close)
        receiver = namespace.inside(far, _open_receiver, owned, mode)
        for slot in range(ENTRIES):
            start = slot * FRAME_SIZE
            sender.memory[start : start + LENGTH] = np.frombuffer(FRAME, np.uint8)

        def take() -> None:
            pin(1)
            umem = receiver.memory.ctypes.data
            got.append(_receive(*_flat(receiver.work), *_flat(receiver.fill), umem, hook, app, PATIENCE_NS))

        def give() -> None:
            pin(0)
            umem = sender.memory.ctypes.data
            _send(sender.socket.fileno(), *_flat(sender.work), *_flat(sender.completion), umem, count, gap_ns)

        run_together(take, give)
    return {"n": got[0], "send_hook": percentiles(hook[: got[0]]), "send_app": percentiles(app[: got[0]])}


@njit(cache=True, nogil=True)
def _receive(
    producer: int,
    consumer: int,
    ring: int,
    fill_producer: int,
    _fill_consumer: int,
    fill_ring: int,
    umem: int,
    hook: Times,
    app: Times,
    patience: int,
) -> int:
    got, taken, given, last = 0, 0, ENTRIES, monotonic_ns()
    while got < len(hook):
        available = (acquire32(producer) - taken) & 0xFFFFFFFF
        if available == 0:
            if monotonic_ns() - last > patience:
                break
            continue
        now = last = monotonic_ns()
        for _ in range(min(available, len(hook) - got)):
            frame = peek64(ring + 16 * (taken & MASK))
            sent = peek64(umem + frame + SENT_AT)
            hook[got] = peek64(umem + frame - 8) - sent
            app[got] = now - sent
            got += 1
            poke64(fill_ring + 8 * (given & MASK), frame & -FRAME_SIZE)
            taken, given = taken + 1, given + 1
        release32(consumer, taken)
        release32(fill_producer, given)
    return got


@njit(cache=True, nogil=True)
def _send(
    fd: int,
    producer: int,
    _consumer: int,
    ring: int,
    done_producer: int,
    done_consumer: int,
    _done_ring: int,
    umem: int,
    count: int,
    gap_ns: int,
) -> None:
    deadline = monotonic_ns() + 1_000_000
    for k in range(count):
        while monotonic_ns() < deadline:
            pass
        deadline += gap_ns
        frame = (k & MASK) * FRAME_SIZE
        poke64(umem + frame + SENT_AT, monotonic_ns())
        poke64(ring + 16 * (k & MASK), frame)
        poke64(ring + 16 * (k & MASK) + 8, LENGTH)
        release32(producer, k + 1)
        kick(fd)
        release32(done_consumer, peek32(done_producer))


def percentiles(times: Times) -> dict[str, int]:
    """Return p50, p90, p99, p999 and max of times in ns; empty where there are none."""
    if not len(times):
        return {}
    names = ("p50", "p90", "p99", "p999", "max")
    return dict(zip(names, (int(value) for value in np.percentile(times, [50, 90, 99, 99.9, 100])), strict=True))


def pin(core: int) -> None:
    """Keep the calling thread on one of the cores that this process may use, where it may use two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def run_together(*functions: Callable[[], None]) -> None:
    """Run functions in a thread each and wait for all."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _flat(ring: Ring) -> tuple[int, int, int]:
    return ring.producer, ring.consumer, ring.entries


def _open_receiver(owned: contextlib.ExitStack, mode: str) -> Xsk:
    xsk = open_xsk("simrx", 0, entries=ENTRIES, frame_size=FRAME_SIZE, sends=False)
    owned.callback(xsk.close)
    (ctypes.c_uint64 * ENTRIES).from_address(xsk.fill.entries)[:] = [slot * FRAME_SIZE for slot in range(ENTRIES)]
    ctypes.c_uint32.from_address(xsk.fill.producer).value = ENTRIES
    xsk_map = bpf.create_map(bpf.XSKMAP, 4, 4, 1)
    owned.callback(os.close, xsk_map)
    bpf.update_map(xsk_map, struct.pack("I", 0), struct.pack("I", xsk.socket.fileno()))
    program = bpf.load_program(programs.redirect(xsk_map, only_multicast=False))
    owned.callback(os.close, program)
    owned.callback(os.close, bpf.attach_xdp(program, socket.if_nametoindex("simrx"), mode))
    return xsk


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--gap-ns", type=int, default=20_000)
    parser.add_argument("--mode", choices=("generic", "native"), default="generic")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs = [measure(options.count, options.gap_ns, options.mode) for _ in range(options.repeats)]
    median = {name: int(np.median([run[name]["p50"] for run in runs])) for name in ("send_hook", "send_app")}
    sys.stdout.write(
        json.dumps({"peer": "bare AF_XDP loop", "mode": options.mode, "median_p50_ns": median, "runs": runs}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()
