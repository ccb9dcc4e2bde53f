"""Open a wire: its two specifications here, its ends here or in processes that inherit the descriptors.

with open_wire("veth") as wire:
    child = subprocess.Popen([...], pass_fds=wire.receiver.descriptors)   # open_receiver(spec) over there
    sender = open_sender(wire.sender)
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from simbench.errors import SimbenchError
from simbench.wire import namespace
from simbench.wire.spec import WireSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Words
    from simbench.wire.contract import ReceiverEnd, SenderEnd
    from simbench.wire.handover import HandingEnd
    from simbench.wire.steered import SteeredEnd

SENDER_INTERFACE: Final = "simtx"
RECEIVER_INTERFACE: Final = "simrx"
# Of sockets beside the frames on a veth; in RFC 2544's block for benchmarks, away from the sources of rebuilt frames.
SERVER_ADDRESS: Final = "198.19.255.1"
CLIENT_ADDRESS: Final = "198.19.255.2"
LOOPBACK: Final = "127.0.0.1"
MOST_MTU: Final = 3498  # of a veth whose end has an XDP program in native mode
SMALL_MTU: Final = 1774  # that fits, with header, tag and the kernel's headroom, into a frame of 2048


@dataclass(frozen=True)
class Unicast:
    """Where sockets beside the frames may be: the sender's servers, and the receiver's clients that ask them.

    Attributes:
        server_fd: namespace of the servers; -1 the process's own.
        server: their address.
        client_fd: namespace of the clients.
        client: their address.
    """

    server_fd: int
    server: str
    client_fd: int
    client: str


@dataclass
class Wire:
    """A wire that exists while this object is open, or one of the processes that inherited its descriptors lives.

    Attributes:
        sender: what the sender end is opened from.
        receiver: what the receiver end is opened from.
        unicast: where the sender's side can be asked by the receiver's; None where that was not wanted.
    """

    sender: WireSpec
    receiver: WireSpec
    unicast: Unicast | None
    owned: contextlib.ExitStack

    def close(self) -> None:
        """Close the descriptors; harmless when repeated."""
        self.owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_wire(
    kind: str,
    *,
    stack: str = "xdp",
    mode: str | None = None,
    queues: int = 1,
    groups: Sequence[str] = (),
    entries: int = 4096,
    mtu: int = 1500,
    receive_buffer: int = 4 << 20,
    hook: bool = True,
    unicast: bool = False,
) -> Wire:
    """Make a wire of our own: "ring", "veth" or "tap".

    Args:
        kind: which.
        stack: of the receiver on veth and tap: "xdp" or "udp".
        mode: of the XDP program, "generic" or "native"; the faster one for so many queues where not said.
        queues: each a sender and a receiver end; more than one on veth only, in native mode.
        groups: "group:port" in flow order, for UDP sockets.
        entries: frames that a slow receiver can fall behind, a power of two.
        mtu: of the longest IP packet, bytes.
        receive_buffer: bytes of a UDP socket.
        hook: whether a UDP receiver knows the time at the hook and the serial.
        unicast: whether sockets at the receiver's side can reach such at the sender's.
    """
    if kind == "ring":
        return _open_ring(entries, mtu, Unicast(-1, LOOPBACK, -1, LOOPBACK) if unicast else None)
    if kind not in {"veth", "tap"}:
        raise SimbenchError(f"there is no wire {kind}; choose ring, veth or tap")
    if mtu > MOST_MTU:
        raise SimbenchError(f"{kind} carries packets of at most {MOST_MTU} bytes, not {mtu}; try --wire ring")
    if queues > 1 and (kind == "tap" or mode == "generic" or stack == "udp"):
        raise SimbenchError("several queues need veth, AF_XDP and native mode")
    common: dict[str, Any] = {
        "kind": kind,
        "mode": mode or ("native" if queues > 1 else "generic"),
        "queues": tuple(range(queues)),
        "entries": entries,
        "frame_size": 2048 if mtu <= SMALL_MTU else 4096,
    }
    receiving: dict[str, Any] = {
        "stack": stack,
        "groups": tuple(groups),
        "receive_buffer": receive_buffer,
        "hook": hook,
        "unicast": unicast,
    }
    beside = None
    with contextlib.ExitStack() as owned:
        there = _own(owned, namespace.create())
        receiver = {**common, **receiving, "netns_fd": there, "interface": RECEIVER_INTERFACE}
        if kind == "tap":
            tap = _own(owned, namespace.create_tap(there, RECEIVER_INTERFACE, mtu=mtu))
            sender = {**common, "stack": "tap", "netns_fd": there, "interface": RECEIVER_INTERFACE, "tap_fd": tap}
            if unicast:
                namespace.bring_up_loopback(there)
                beside = Unicast(there, LOOPBACK, there, LOOPBACK)
        else:
            here = _own(owned, namespace.create())
            namespace.create_veth(here, there, (SENDER_INTERFACE, RECEIVER_INTERFACE), queues=queues, mtu=mtu)
            sender = {**common, "stack": "xdp", "netns_fd": here, "interface": SENDER_INTERFACE}
            if unicast:
                names, addresses = (SENDER_INTERFACE, RECEIVER_INTERFACE), (SERVER_ADDRESS, CLIENT_ADDRESS)
                namespace.address_veth((here, there), names, addresses)
                beside = Unicast(here, SERVER_ADDRESS, there, CLIENT_ADDRESS)
        return Wire(_spec(sender), _spec(receiver), beside, owned.pop_all())


def nic_sender(interface: str, *, stack: str = "packet", netns_fd: int = -1, allow_physical: bool = False) -> WireSpec:
    """Return the specification of a sender end on an existing interface.

    Args:
        interface: its name.
        stack: "packet" socket or "xdp".
        netns_fd: its namespace.
        allow_physical: send although frames may leave the machine.
    """
    from simbench.wire.nic import check_may_send

    namespace.inside(netns_fd, check_may_send, interface, allow_physical=allow_physical)
    sender = {"kind": "nic", "stack": stack, "netns_fd": netns_fd, "interface": interface}
    return _spec({**sender, "allow_physical": allow_physical})


def nic_receiver(
    interface: str,
    *,
    stack: str = "xdp",
    mode: str = "generic",
    queues: Sequence[int] = (0,),
    groups: Sequence[str] = (),
    netns_fd: int = -1,
    serials: bool = False,
    entries: int = 4096,
    receive_buffer: int = 4 << 20,
) -> WireSpec:
    """Return the specification of a receiver end on an existing interface: multicast UDP only, the rest is not touched.

    Args:
        interface: its name.
        stack: "xdp" or "udp".
        mode: of the XDP program.
        queues: to open a socket on, each an end.
        groups: "group:port", to be joined.
        netns_fd: its namespace.
        serials: whether a replayer of ours sends there, with serials in the source MACs.
        entries: frames of an AF_XDP socket.
        receive_buffer: bytes of a UDP socket.
    """
    receiver = {"kind": "nic", "stack": stack, "mode": mode, "queues": tuple(queues), "groups": tuple(groups)}
    more = {"netns_fd": netns_fd, "interface": interface, "serials": serials, "hook": serials}
    return _spec({**receiver, **more, "entries": entries, "receive_buffer": receive_buffer})


def open_sender(spec: WireSpec, words: Words | None = None) -> SenderEnd:
    """Open the sender end of a specification with one queue; `words` may be shared memory, int64[WORDS_SIZE]."""
    return open_senders(spec, (words,))[0]


def open_receiver(spec: WireSpec, words: Words | None = None) -> ReceiverEnd:
    """Open the receiver end of a specification with one queue; `words` may be shared memory, int64[WORDS_SIZE]."""
    return open_receivers(spec, (words,))[0]


def open_senders(spec: WireSpec, words: Sequence[Words | None] = ()) -> list[SenderEnd]:
    """Open a sender end for each queue of a specification.

    Args:
        spec: its descriptors have to be open in this process, and stay the caller's.
        words: control words of the caller's, one int64[WORDS_SIZE] for each queue.
    """
    return namespace.inside(spec.netns_fd, _open_senders, spec, words or (None,) * len(spec.queues))


def open_receivers(spec: WireSpec, words: Sequence[Words | None] = ()) -> list[ReceiverEnd]:
    """Open a receiver end for each queue of a specification; arguments as for open_senders()."""
    return namespace.inside(spec.netns_fd, _open_receivers, spec, words or (None,) * len(spec.queues))


def open_steered(spec: WireSpec, table: Words) -> SteeredEnd:
    """Open one sender end over all queues of a specification, which picks a frame's queue by a table of flowtable."""
    from simbench.wire import steered

    return namespace.inside(
        spec.netns_fd,
        steered.open_sender,
        spec.interface,
        spec.queues,
        table,
        entries=spec.entries,
        frame_size=spec.frame_size,
    )


def open_handing(spec: WireSpec, table: Words) -> list[HandingEnd]:
    """Open a receiver end for each queue of a specification that hand each other what a table says is another's."""
    from simbench.wire import handover

    return namespace.inside(
        spec.netns_fd,
        handover.open_receivers,
        spec.interface,
        spec.queues,
        table,
        mode=spec.mode,
        entries=spec.entries,
        frame_size=spec.frame_size,
        serials=spec.serials,
    )


def _open_senders(spec: WireSpec, words: Sequence[Words | None]) -> list[SenderEnd]:
    if spec.kind == "nic":
        from simbench.wire.nic import check_may_send

        check_may_send(spec.interface, allow_physical=spec.allow_physical)
    match spec.stack:
        case "ring":
            from simbench.wire import ring

            return [ring.attach_sender(spec.ring_fd, words[0])]
        case "tap":
            from simbench.wire import slots

            return [slots.open_tap_sender(spec.tap_fd, spec.interface, words=words[0])]
        case "packet":
            from simbench.wire import slots

            return [slots.open_packet_sender(spec.interface, words=words[0])]
        case "xdp":
            from simbench.wire import xdp

            return [
                xdp.open_sender(spec.interface, queue, entries=spec.entries, frame_size=spec.frame_size, words=each)
                for queue, each in zip(spec.queues, words, strict=True)
            ]
    raise SimbenchError(f"{spec.stack} sockets do not send")


def _open_receivers(spec: WireSpec, words: Sequence[Words | None]) -> list[ReceiverEnd]:
    if spec.stack == "ring":
        from simbench.wire import ring

        return [ring.attach_receiver(spec.ring_fd, words[0])]
    if spec.stack == "udp":
        from simbench.wire import udp

        end = udp.open_receiver(
            spec.interface,
            spec.groups,
            mode=spec.mode,
            receive_buffer=spec.receive_buffer,
            slots=spec.entries,
            hook=spec.hook,
            words=words[0],
        )
        return [end]
    if spec.stack != "xdp":
        raise SimbenchError(f"{spec.stack} does not receive; choose xdp or udp")
    from simbench.wire import nic, xdp

    with contextlib.ExitStack() as owned:
        if spec.kind == "nic":
            owned.enter_context(nic.ask_for_multicast(spec.interface, spec.groups))
        ends = xdp.open_receivers(
            spec.interface,
            spec.queues,
            mode=spec.mode,
            entries=spec.entries,
            frame_size=spec.frame_size,
            serials=spec.serials,
            only_multicast=spec.kind == "nic",
            unicast=spec.unicast,
            words=words,
        )
        _close_after(ends[0], owned.pop_all())
    return ends


def _close_after(end: ReceiverEnd, membership: contextlib.ExitStack) -> None:
    shut = end.shut

    def both() -> None:
        shut()
        membership.close()

    end.shut = both


def _open_ring(entries: int, mtu: int, beside: Unicast | None) -> Wire:
    from simbench.wire import ring

    frame_size = max(2048, ring.slot_for(mtu + 18))
    with contextlib.ExitStack() as owned:
        fd = _own(owned, ring.create(entries, frame_size))
        spec = _spec({"kind": "ring", "stack": "ring", "ring_fd": fd, "entries": entries, "frame_size": frame_size})
        return Wire(spec, spec, beside, owned.pop_all())


def _own(owned: contextlib.ExitStack, fd: int) -> int:
    owned.callback(os.close, fd)
    return fd


def _spec(fields: dict[str, Any]) -> WireSpec:
    try:
        return msgspec.convert(fields, WireSpec)
    except msgspec.ValidationError as error:
        raise SimbenchError(f"no such wire: {error}") from None
