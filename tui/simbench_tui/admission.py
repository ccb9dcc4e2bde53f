"""Who may have the page: a browser that means this server, and a page that came from it.

A site elsewhere could have its own name resolve to this machine and so read what is served here (DNS rebinding): its
name is then in Host. Or its script could open a WebSocket to here, which browsers permit: its address is then in
Origin (RFC 6454; RFC 6455, section 10.2). No page can set either of them.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Admission:
    """Which Host and which Origin a server takes.

    Args:
        name: by which the user called it: an address or a host's name.
        address: that it listens on; one that is unspecified takes every address for its own, and its host's name.
    """

    def __init__(self, name: str, address: str) -> None:
        bound = ipaddress.ip_address(address.partition("%")[0])
        self._any_address = bound.is_unspecified
        names = {bracketed(name).lower(), bracketed(address).lower()}
        if bound.is_loopback or bound.is_unspecified:
            names |= LOOPBACK
        if not bound.is_loopback:
            names.add(socket.gethostname().lower())
        self._names = frozenset(names)

    def host(self, headers: CIMultiDictProxy[str]) -> str | None:
        """Return what a request calls the server, where that is its name; the port is the user's, who may tunnel."""
        said = headers.getall("Host", [])
        match = HOST.fullmatch(said[0].lower()) if len(said) == 1 else None
        if match is None or not (match[1] in self._names or (self._any_address and _is_address(match[1]))):
            return None
        return match[0]

    def same_origin(self, headers: CIMultiDictProxy[str]) -> bool:
        """Tell whether a request comes from a page of this server, as every WebSocket of a browser says."""
        host = self.host(headers)
        said = headers.getall("Origin", [])
        return host is not None and len(said) == 1 and said[0].lower() in {f"http://{host}", f"https://{host}"}


def bracketed(address: str) -> str:
    """Return an address as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
