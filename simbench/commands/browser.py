"""What `--serve` says and does: the terminal of a run as a web page."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import sys
from typing import TYPE_CHECKING, Final

from simbench.commands import show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

WHERE: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^][:/@\s]+)):([0-9]{1,5})")
Door = tuple[str, "socket.socket"]  # what the user called the address, and the socket that listens there


@contextlib.contextmanager
def opened(where: str | None) -> Iterator[Door | None]:
    """Listen where `--serve` says, before anything is started that would have been for nothing.

    Args:
        where: ADDRESS:PORT; None does nothing.

    Raises:
        SimbenchError: that is no address and port, is taken, or what serves is not installed.
    """
    if where is None:
        yield None
        return
    name, port = _split(where)
    try:
        from simbench_tui.serving import listen
    except ModuleNotFoundError as error:
        raise SimbenchError(f"--serve needs {error.name}, which is not here: pip install 'simbench[serve]'") from None
    listening = listen(name, port)
    with contextlib.closing(listening):
        address = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0])
        if not address.is_loopback:
            show.complain(f"whoever can reach {where} can watch this run, and drive it")
        yield name, listening


@contextlib.contextmanager
def served(door: Door | None, *, pid: int, title: str, receiver_core: int | None) -> Iterator[None]:
    """Serve a run while it goes on, and say where.

    Args:
        door: from `opened`; None does nothing.
        pid: of the process that started the run.
        title: of the page.
        receiver_core: kept free of those who watch.
    """
    if door is None:
        yield
        return
    from simbench_tui.serving import Serving

    from simbench.commands.run import keep_off

    name, listening = door
    command = (sys.executable, "-m", "simbench", "attach", str(pid))
    with Serving(listening, name, command, title, lambda: keep_off(receiver_core)) as serving:
        show.complain(f"serving on {serving.url}")
        yield


def _split(where: str) -> tuple[str, int]:
    """Return address and port."""
    match = WHERE.fullmatch(where)
    if match is None or int(match[3]) >= 1 << 16:
        raise SimbenchError(f"{where!r} is no address and port; write --serve 127.0.0.1:8000 or --serve [::1]:8000")
    return match[1] or match[2], int(match[3])
