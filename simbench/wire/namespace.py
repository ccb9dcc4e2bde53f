"""Network namespaces without a name: held by a file descriptor, gone with the last one, also after kill -9.

A thread changes its own namespace only, so whatever has to happen inside one happens in a thread made for it. The
descriptors can be inherited: a child process opens its end in the parent's namespace.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNET: Final = 0x40000000
SIOCETHTOOL: Final = 0x8946
ETHTOOL_STXCSUM: Final = 0x17
TUNSETIFF: Final = 0x400454CA
IFF_TAP_NO_PI: Final = 0x1002
LOCAL_TABLE: Final = 255

# Settings of an interface of ours, under /proc/sys/net. IPv6 stays enabled, or there were no IPv6 feeds.
QUIET: Final = {
    "ipv4/conf/{0}/rp_filter": "0",  # recorded sources are routed nowhere here
    "ipv6/conf/{0}/accept_ra": "0",
    "ipv6/conf/{0}/router_solicitations": "0",  # nobody expects them in a feed
    "ipv6/conf/{0}/accept_dad": "0",
    "ipv6/conf/{0}/addr_gen_mode": "1",  # no link-local address, hence no frames to announce it
}


def create() -> int:
    """Return the descriptor of a new network namespace, which lives until the last descriptor is closed."""

    def enter() -> int:
        if _libc().unshare(CLONE_NEWNET):
            code = ctypes.get_errno()
            if code == errno.EPERM:
                raise SimbenchError("network namespaces need root or CAP_SYS_ADMIN; try --wire ring")
            raise SimbenchError(f"no network namespace: {os.strerror(code)}; try --wire ring")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_a_thread(enter)


def inside(netns_fd: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a namespace and return what it returns; the caller's thread stays where it is.

    Args:
        netns_fd: descriptor of the namespace; -1 for the process's own.
        function: what to call; sockets and files of /proc/net that it opens stay in the namespace.
        *args: its arguments.
        **kwargs: likewise.
    """
    if netns_fd < 0:
        return function(*args, **kwargs)

    def enter() -> T:
        if _libc().setns(netns_fd, CLONE_NEWNET):
            raise SimbenchError(f"cannot enter the network namespace: {os.strerror(ctypes.get_errno())}")
        return function(*args, **kwargs)

    return _in_a_thread(enter)


def create_veth(
    sender_fd: int, receiver_fd: int, names: tuple[str, str] = ("simtx", "simrx"), *, queues: int = 1, mtu: int = 1500
) -> None:
    """Join two namespaces by a veth pair, both ends up, with as many queues each way at both ends.

    Args:
        sender_fd: namespace of the first name.
        receiver_fd: namespace of the second.
        names: of the interfaces.
        queues: a native XDP program is refused where the peer has more of them than this end.
        mtu: bytes; at most 3498 for XDP's native mode.
    """
    inside(sender_fd, _create_veth, receiver_fd, names, queues, mtu)
    for fd, name in zip((sender_fd, receiver_fd), names, strict=True):
        inside(fd, _bring_up, name)


def address_veth(fds: tuple[int, int], names: tuple[str, str], addresses: tuple[str, str]) -> None:
    """Give the ends of a veth pair an IPv4 address each, and tell each the other's MAC, so that nobody has to ask.

    Args:
        fds: namespaces of the ends.
        names: of the interfaces.
        addresses: of one network of four.
    """
    macs = [inside(fd, interface_mac, name) for fd, name in zip(fds, names, strict=True)]
    for this, other in ((0, 1), (1, 0)):
        inside(fds[this], _address, names[this], addresses[this], addresses[other], macs[other])


def bring_up_loopback(netns_fd: int) -> None:
    """Let the sockets of a namespace reach each other."""
    inside(netns_fd, _bring_up_loopback)


def create_tap(netns_fd: int, name: str = "simrx", *, mtu: int = 1500) -> int:
    """Create a TAP device, up, and return its descriptor: a frame written there arrives on the interface."""
    return inside(netns_fd, _create_tap, name, mtu)


def open_tap(name: str) -> int:
    """Create a TAP device, down, in the calling thread's namespace; it is gone with the returned descriptor."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SimbenchError(f"no TAP device: /dev/net/tun: {error.strerror}; try --wire ring") from None
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP_NO_PI))
    except OSError as error:
        os.close(fd)
        raise SimbenchError(f"a TAP device needs root or CAP_NET_ADMIN ({error.strerror}); try --wire ring") from None
    return fd


def link_kind(name: str) -> str:
    """Tell an interface of the calling thread's namespace: "veth", "tun", "loopback" ..., "" for a real device."""
    from pyroute2 import IPRoute

    with IPRoute() as route:
        found = [link for link in route.get_links() if link.get_attr("IFLA_IFNAME") == name]
    if not found:
        raise SimbenchError(f"there is no interface {name}; see /sys/class/net for those there are")
    if found[0]["flags"] & 0x8:
        return "loopback"
    info = found[0].get_attr("IFLA_LINKINFO")
    return str(info.get_attr("IFLA_INFO_KIND") or "") if info else ""


def interface_of(address: str) -> str:
    """Return the interface of the calling thread's namespace that has an address; "" where none has."""
    from pyroute2 import IPRoute

    wanted = ip_address(address)
    with IPRoute() as route:
        for found in route.get_addr():
            own = found.get_attr("IFA_LOCAL") or found.get_attr("IFA_ADDRESS")
            if ip_address(own) == wanted:
                return socket.if_indextoname(found["index"])
    return ""


def interface_mtu(name: str) -> int:
    """Return an interface's MTU, in bytes, in the calling thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, 0x8921, struct.pack("16s24x", name.encode()))  # SIOCGIFMTU
    return int(struct.unpack_from("i", answer, 16)[0])


def interface_mac(name: str) -> bytes:
    """Return an interface's MAC in the calling thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, 0x8927, struct.pack("16s24x", name.encode()))  # SIOCGIFHWADDR
    return answer[18:24]


class LinkDrops:
    """What an interface dropped before any socket saw it, since this object was made."""

    def __init__(self, name: str) -> None:
        """Open the counters of an interface of the calling thread's namespace; they can be read in any thread."""
        self._name = name
        self._file = Path("/proc/thread-self/net/dev").open(encoding="ascii")  # noqa: SIM115 (kept: it is the way in)
        self._before = self._read()

    def __call__(self) -> int:
        """Return the frames dropped."""
        return self._read() - self._before

    def _read(self) -> int:
        self._file.seek(0)
        for line in self._file:
            name, _, fields = line.partition(":")
            if name.strip() == self._name:
                return int(fields.split()[3])
        return 0

    def close(self) -> None:
        """Close the counters, which hold the namespace."""
        self._file.close()


def _create_veth(receiver_fd: int, names: tuple[str, str], queues: int, mtu: int) -> None:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    many = {"num_tx_queues": queues, "num_rx_queues": queues, "mtu": mtu}
    peer = {"ifname": names[1], "net_ns_fd": receiver_fd, **many}
    with IPRoute() as route:
        try:
            route.link("add", ifname=names[0], kind="veth", peer=peer, **many)
        except NetlinkError as error:
            raise SimbenchError(f"no veth pair: {error.args[-1]}; try --wire ring") from None


def _create_tap(name: str, mtu: int) -> int:
    fd = open_tap(name)
    try:
        _bring_up(name, mtu)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _bring_up(name: str, mtu: int = 0) -> None:
    from pyroute2 import IPRoute

    for which in ("all", "default", name):
        for path, value in QUIET.items():
            setting = Path("/proc/sys/net", path.format(which))
            if setting.exists():
                setting.write_text(value, encoding="ascii")
    _checksum_in_software(name)
    with IPRoute() as route:
        index = socket.if_nametoindex(name)
        route.link("set", index=index, state="up", **({"mtu": mtu} if mtu else {}))
        # The kernel would add this route itself, up to a second later, when it has noticed that the link is up.
        route.route("replace", family=socket.AF_INET6, dst="ff00::/8", oif=index, table=LOCAL_TABLE, type="multicast")


def _address(name: str, address: str, other: str, other_mac: bytes) -> None:
    from pyroute2 import IPRoute

    with IPRoute() as route:
        index = socket.if_nametoindex(name)
        route.addr("add", index=index, address=address, prefixlen=30)
        route.neigh("replace", dst=other, lladdr=other_mac.hex(":"), ifindex=index, state="permanent")


def _bring_up_loopback() -> None:
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("set", index=socket.if_nametoindex("lo"), state="up")


def _checksum_in_software(name: str) -> None:
    """Switch tx checksum offload off: a kernel socket's datagram would cross with a partial checksum."""
    request = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sQ16x", name.encode(), ctypes.addressof(request)))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _in_a_thread(function: Callable[[], T]) -> T:
    outcome: list[Any] = [None, None]

    def run() -> None:
        try:
            outcome[0] = function()
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            outcome[1] = error

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if outcome[1] is not None:
        raise outcome[1]
    result: T = outcome[0]
    return result
