"""Existing interfaces: receiving is for anyone, sending only where nothing can leave the machine, or if allowed."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.wire.namespace import link_kind
from simbench.wire.udp import split_group

if TYPE_CHECKING:
    from collections.abc import Sequence

VIRTUAL: Final = frozenset({"veth", "tun", "dummy", "ifb", "loopback", "netkit"})
SOL_PACKET: Final = 263
PACKET_ADD_MEMBERSHIP: Final = 1
PACKET_MR_ALLMULTI: Final = 2


def check_may_send(interface: str, *, allow_physical: bool) -> None:
    """Refuse to send recorded multicast on what may lead out of this machine.

    Args:
        interface: its name, in the calling thread's namespace.
        allow_physical: the user knows what hangs on it.

    Raises:
        SimbenchError: it is neither virtual nor allowed.
    """
    kind = link_kind(interface)
    if kind not in VIRTUAL and not allow_physical:
        what = f"a {kind}" if kind else "a physical interface"
        raise SimbenchError(
            f"{interface} is {what}: exchange multicast on a network in use is an incident; "
            "say --allow-physical if you mean it"
        )


def ask_for_multicast(interface: str, groups: Sequence[str]) -> contextlib.ExitStack:
    """Make an interface and the switch behind it deliver the groups; ends when the returned stack is closed.

    Args:
        interface: its name, in the calling thread's namespace.
        groups: "group:port" each; without any, all multicast that reaches the interface is let in, and none joined.
    """
    index = socket.if_nametoindex(interface)
    with contextlib.ExitStack() as owned:
        if not groups:
            packet = owned.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0))
            membership = struct.pack("IHH8x", index, PACKET_MR_ALLMULTI, 0)
            packet.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        for host in sorted({split_group(group)[0] for group in groups}):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            member = owned.enter_context(socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
            address = socket.inet_pton(family, host)
            if family == socket.AF_INET6:
                member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, address + struct.pack("I", index))
            else:
                membership = address + struct.pack("4xI", index)
                member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        return owned.pop_all()
