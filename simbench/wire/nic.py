"""Existing interfaces: receiving is for anyone, sending only where nothing can leave the machine, or if allowed."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.wire.namespace import interface_of, link_kind
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


def check_may_answer(address: str, *, allow_physical: bool) -> None:
    """Refuse a server that somebody outside this machine could ask.

    Args:
        address: that it is to listen on, in the calling thread's namespace.
        allow_physical: the user knows who that is.

    Raises:
        SimbenchError: it is neither loopback nor on a virtual interface, nor allowed.
    """
    asked = ip_address(address)
    if asked.is_loopback or allow_physical:
        return
    if asked.is_unspecified:
        raise SimbenchError(
            f"{address} is every interface of this machine: anybody on its networks could ask; "
            "name one address, or say --allow-physical if you mean it"
        )
    interface = interface_of(address)
    if not interface:
        raise SimbenchError(f"no interface of this machine has the address {address}; for tests here, 127.0.0.1 does")
    kind = link_kind(interface)
    if kind not in VIRTUAL:
        what = f"a {kind}" if kind else "a physical interface"
        raise SimbenchError(
            f"{address} is on {interface}, {what}: anybody on that network could ask; "
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
