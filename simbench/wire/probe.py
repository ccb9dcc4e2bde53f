"""What this host gives this user, tried for real: each wire, or one line that says what is missing."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.wire import bpf, namespace
from simbench.wire.xsk import AF_XDP

if TYPE_CHECKING:
    from collections.abc import Callable

HINT: Final = "; try --wire ring"


@dataclass(frozen=True)
class Capabilities:
    """Why a part is not to be had, in one line each; empty where it is.

    Attributes:
        namespaces: network namespaces of our own.
        xdp: AF_XDP sockets and the program that feeds them.
        tap: TAP devices.
    """

    namespaces: str = ""
    xdp: str = ""
    tap: str = ""

    @property
    def veth(self) -> str:
        """Why there is no veth wire with AF_XDP; empty where there is one."""
        return self.namespaces or self.xdp


@dataclass(frozen=True)
class Choice:
    """A wire, a receiving stack, and why these.

    Attributes:
        wire: "ring", "veth" or "tap".
        stack: "ring", "xdp" or "udp".
        why: one line.
    """

    wire: str
    stack: str
    why: str


def probe() -> Capabilities:
    """Try each part and give it back at once; takes a few milliseconds and leaves nothing."""
    namespaces = _try(_probe_namespace)
    return Capabilities(namespaces=namespaces, xdp=_try(_probe_xdp), tap=namespaces or _try(_probe_tap))


def choose(wire: str = "auto", stack: str | None = None, found: Capabilities | None = None) -> Choice:
    """Choose the best wire that this user can have, or check the one that was asked for.

    Args:
        wire: "auto", "ring", "veth" or "tap".
        stack: "xdp" or "udp"; the best there is, where not said.
        found: what probe() returned, to spare a second probe.

    Raises:
        SimbenchError: what was asked for is not to be had, with the reason.
    """
    if wire not in {"auto", "ring", "veth", "tap"}:
        raise SimbenchError(f"there is no wire {wire}; choose auto, ring, veth or tap")
    if stack not in {None, "xdp", "udp"}:
        raise SimbenchError(f"there is no stack {stack}; choose xdp or udp")
    if wire == "ring":
        if stack is not None:
            raise SimbenchError(f"the ring has no stack: leave --stack {stack} away, or choose --wire veth")
        return Choice("ring", "ring", "asked for")
    found = probe() if found is None else found
    # A UDP receiver too is sent to by AF_XDP and watched by an XDP program.
    missing = found.tap or found.xdp if wire == "tap" else found.veth
    if not missing:
        chosen = "veth" if wire == "auto" else wire
        why = "the best wire there is: a veth pair in namespaces of our own" if wire == "auto" else "asked for"
        return Choice(chosen, stack or "xdp", why)
    if wire == "auto" and stack is None:
        return Choice("ring", "ring", missing.removesuffix(HINT))
    raise SimbenchError(missing)


def need_veth(what: str, found: Capabilities | None = None) -> None:
    """Refuse, in one line, what this user can have no veth pair with AF_XDP for.

    Args:
        what: needs it: the line's beginning.
        found: of probe(); probed where None.
    """
    missing = (probe() if found is None else found).veth
    if missing:
        raise SimbenchError(f"{what}: {missing.removesuffix(HINT)}")


def available(found: Capabilities | None = None) -> list[tuple[str, str]]:
    """Return every wire and receiving stack that this user can have, the ring first; its stack is "".

    Args:
        found: what probe() returned, to spare a second probe.
    """
    found = probe() if found is None else found
    wires = [("ring", "")]
    if not found.veth:
        wires += [("veth", "xdp"), ("veth", "udp")]
    if not (found.tap or found.xdp):
        wires.append(("tap", "xdp"))
    return wires


def _try(part: Callable[[], None]) -> str:
    try:
        part()
    except SimbenchError as error:
        return str(error)
    except OSError as error:
        if error.errno in {errno.EPERM, errno.EACCES}:
            return f"AF_XDP {bpf.NEEDS}{HINT}"
        return f"{error.strerror or error}{HINT}"
    return ""


def _probe_namespace() -> None:
    os.close(namespace.create())


def _probe_xdp() -> None:
    try:
        socket.socket(AF_XDP, socket.SOCK_RAW).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise SimbenchError(f"this kernel has no AF_XDP{HINT}") from None
        raise
    os.close(bpf.create_map(bpf.XSKMAP, 4, 4, 1))
    code = bpf.Assembler()
    code.move(bpf.R0, 2)
    code.exit()
    os.close(bpf.load_program(code.assemble()))
    if not _may_administer():
        raise SimbenchError(f"AF_XDP {bpf.NEEDS}{HINT}")


def _may_administer() -> bool:
    """Tell whether CAP_NET_ADMIN, which attaching needs, is effective."""
    status = Path("/proc/thread-self/status").read_text(encoding="ascii")
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    return bool(effective >> 12 & 1)


def _probe_tap() -> None:
    fd = namespace.create()
    try:
        os.close(namespace.inside(fd, namespace.open_tap, "probe"))
    finally:
        os.close(fd)
