"""What an end is opened from: small, serialisable, and good in another process that inherited its descriptors."""

from __future__ import annotations

from typing import Literal

import msgspec


class WireSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One end of a wire, as msgspec.json carries it to the process that opens it.

    Attributes:
        kind: of the wire.
        stack: what sends or receives: "ring", AF_XDP, UDP sockets (receiver only), "packet" socket or "tap" (sender).
        mode: of the XDP program.
        netns_fd: descriptor of the namespace, inherited; -1 the process's own.
        interface: its name.
        queues: of the interface, one end each; a sender of UDP sockets, tap or ring has one.
        ring_fd: descriptor of the ring's memory, inherited.
        tap_fd: descriptor of the TAP device, inherited; of the sender.
        entries: frames of a ring, an AF_XDP socket, or held by UDP sockets.
        frame_size: bytes of a frame of an AF_XDP socket.
        groups: "group:port" in flow order: the sockets of a UDP receiver, what an AF_XDP receiver joins on a nic.
        receive_buffer: bytes of a UDP socket.
        serials: whether source MACs that begin with 02 hold a serial.
        hook: whether a UDP receiver knows the time at the hook and the serial.
        unicast: whether an AF_XDP receiver leaves what is sent to the interface's own MAC to the kernel's sockets.
        allow_physical: whether a sender may use an interface that leads out of the machine.
    """

    kind: Literal["ring", "veth", "tap", "nic"]
    stack: Literal["ring", "xdp", "udp", "packet", "tap"]
    mode: Literal["generic", "native"] = "generic"
    netns_fd: int = -1
    interface: str = ""
    queues: tuple[int, ...] = (0,)
    ring_fd: int = -1
    tap_fd: int = -1
    entries: int = 4096
    frame_size: int = 2048
    groups: tuple[str, ...] = ()
    receive_buffer: int = 4 << 20
    serials: bool = True
    hook: bool = True
    unicast: bool = False
    allow_physical: bool = False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Return what the process that opens this end has to inherit: subprocess's pass_fds."""
        return tuple(fd for fd in (self.netns_fd, self.ring_fd, self.tap_fd) if fd >= 0)
