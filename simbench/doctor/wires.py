"""What the wires do here, tried with frames: between two ends of our own, in namespaces that end with the trial."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Final

import dpkt
import numpy as np

from simbench.doctor.check import Check, Verdict
from simbench.errors import SimbenchError
from simbench.frame import FRAME
from simbench.wire import namespace, xsk
from simbench.wire.open import open_receivers, open_senders, open_wire
from simbench.wire.probe import Capabilities, probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.wire.contract import ReceiverEnd, SenderEnd
    from simbench.wire.open import Wire

GROUP: Final = "239.192.255.1"
PORT: Final = 31_415
FRAMES: Final = 64
PATIENCE_NS: Final = 300_000_000  # of silence, after which what has not come does not come
MULTICAST_MAC: Final = bytes([0x01, 0x00, 0x5E, 64, 255, 1])


def look(found: Capabilities | None = None) -> list[Check]:
    """Try every wire, stack and mode, and the traps that change what a receiver sees.

    Args:
        found: what probe() returned, to spare a second probe.
    """
    found = probe() if found is None else found
    checks = [Check("wire ring", Verdict.GOOD, "shared memory: for everybody")]
    if found.veth:
        checks.append(Check("wire veth", Verdict.MISSING, found.veth))
    else:
        for stack, mode, queues in (("xdp", "generic", 1), ("xdp", "native", 1), ("xdp", "native", 2), ("udp", "", 1)):
            checks.append(_carries(stack, mode, queues))
        checks += [_zero_copy(), _wrong_checksum()]
    missing = found.tap or found.xdp
    if missing:
        checks.append(Check("wire tap", Verdict.MISSING, missing))
    else:
        checks.append(_tried("wire tap, AF_XDP", lambda: _compare(_through(open_wire("tap")), FRAMES)))
    return checks


def frame(payload: bytes, *, broken: bool = False) -> bytes:
    """Return an Ethernet frame for the trial's group; broken: with a wrong UDP checksum."""
    datagram = dpkt.udp.UDP(sport=PORT, dport=PORT, data=payload, ulen=8 + len(payload))
    packet = dpkt.ip.IP(
        src=bytes([198, 18, 0, 1]), dst=bytes(map(int, GROUP.split("."))), p=dpkt.ip.IP_PROTO_UDP, ttl=1, data=datagram
    )
    packet.len = 20 + len(datagram)
    whole = bytearray(bytes(dpkt.ethernet.Ethernet(src=b"\x02" + bytes(5), dst=MULTICAST_MAC, data=packet)))
    if broken:
        whole[40] ^= 0x11
    return bytes(whole)


def _tried(name: str, trial: Callable[[], tuple[Verdict, str]], advice: str = "") -> Check:
    try:
        verdict, found = trial()
    except (SimbenchError, OSError) as error:
        return Check(name, Verdict.MISSING, str(error), "try another mode, or --wire ring")
    return Check(name, verdict, found, advice if verdict is not Verdict.GOOD else "")


def _compare(got: tuple[int, int], wanted: int) -> tuple[Verdict, str]:
    came, stamped = got
    found = f"{came} of {wanted} frames came, {stamped} stamped"
    return (Verdict.GOOD if came == stamped == wanted else Verdict.CHANGE), found


def _carries(stack: str, mode: str, queues: int) -> Check:
    name = f"wire veth, {'UDP sockets' if stack == 'udp' else f'AF_XDP {mode}'}" + (
        f", {queues} queues" if queues > 1 else ""
    )

    def trial() -> tuple[Verdict, str]:
        groups = (f"{GROUP}:{PORT}",) if stack == "udp" else ()
        wire = open_wire("veth", stack=stack, mode=mode or None, queues=queues, groups=groups)
        return _compare(_through(wire), FRAMES * queues)

    return _tried(name, trial, "frames are lost on the way: another program holds the queue, or the kernel is too busy")


def _zero_copy() -> Check:
    """Ask for what veth refuses: the reason why every frame is copied, and only real cards can do without."""
    near, far = namespace.create(), namespace.create()
    try:
        namespace.create_veth(near, far)
        allowed = namespace.inside(near, xsk.allows_zero_copy, "simtx", 0)
    except OSError as error:
        return Check("AF_XDP without copies", Verdict.NOTE, os.strerror(error.errno or errno.EIO))
    finally:
        os.close(near)
        os.close(far)
    if allowed:
        return Check("AF_XDP without copies", Verdict.NOTE, "veth accepts it here; simbench copies all the same")
    return Check("AF_XDP without copies", Verdict.NOTE, "veth refuses it: every frame is copied")


def _wrong_checksum() -> Check:
    """Show what AF_XDP sees and a socket does not."""

    def seen(stack: str) -> int:
        groups = (f"{GROUP}:{PORT}",) if stack == "udp" else ()
        return _through(open_wire("veth", stack=stack, groups=groups), broken=True)[0]

    def trial() -> tuple[Verdict, str]:
        bypass, kernel = seen("xdp"), seen("udp")
        return Verdict.NOTE, f"AF_XDP receives {bypass} of {FRAMES}, UDP sockets {kernel}"

    return _tried(
        "frames with a wrong checksum", trial, "the kernel drops them silently: the two stacks see different feeds"
    )


def _through(wire: Wire, *, broken: bool = False) -> tuple[int, int]:
    """Send frames through every queue of a wire and close it; return how many came and how many were stamped."""
    with contextlib.ExitStack() as owned:
        owned.enter_context(wire)
        senders = [owned.enter_context(end) for end in open_senders(wire.sender)]
        receivers = [owned.enter_context(end) for end in open_receivers(wire.receiver)]
        for end in senders:
            _send(end, broken=broken)
        found = [_receive(end) for end in receivers]
    return sum(came for came, _ in found), sum(stamped for _, stamped in found)


def _send(end: SenderEnd, *, broken: bool) -> None:
    one = frame(b"simbench trial", broken=broken)
    source = np.frombuffer(bytearray(one), np.uint8)
    for serial in range(FRAMES):
        end.prepare(end.words, end.memory, source, 0, len(one), serial)
    end.commit(end.words, FRAMES)
    for _ in range(FRAMES):  # the kernel takes some at a time
        end.commit(end.words, 0)


def _receive(end: ReceiverEnd) -> tuple[int, int]:
    frames = np.zeros(FRAMES, FRAME)
    came = stamped = 0
    last = time.monotonic_ns()
    while came < FRAMES and time.monotonic_ns() - last < PATIENCE_NS:
        n = end.poll(end.words, end.memory, frames)
        if n > 0:
            came += n
            stamped += int(np.count_nonzero(frames["stamp"][:n]))
            end.release(end.words, frames, n)
            last = time.monotonic_ns()
    return came, stamped
