"""simbench serve: says where it listens, answers a stranger's handler, ends cleanly, and says what it was asked."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from small_feeds import ITCH, MDP3, frames

from simbench.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60.0


def test_served_messages_are_those_of_the_capture(itch: Path) -> None:
    """A handler asks for what it missed at the address that is printed; Ctrl-C ends it, with its counters."""
    first = next(frame for frame in frames(itch, ITCH) if frame.units)
    body = bytes(first.data[first.payload :])
    arguments = [sys.executable, "-m", "simbench", "serve", str(itch), "--bind", "127.0.0.1:0", "--limit", "1400"]
    with (
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handler,
    ):
        assert served.stdout is not None
        try:
            said = served.stdout.readline()
            where = re.search(r"re-requests on (127\.0\.0\.1):(\d+); ([\d,]+) messages: session", said)
            assert where is not None, said
            handler.settimeout(PATIENCE_S)
            handler.sendto(body[:20], (where[1], int(where[2])))
            answer = handler.recv(2000)
            served.send_signal(signal.SIGINT)
            rest, errors = served.communicate(timeout=PATIENCE_S)
        finally:
            served.kill()

    assert answer == body
    assert served.returncode == 0
    assert f"requests 1, answered 1, resent {first.units}" in rest
    assert "Traceback" not in errors


def test_what_cannot_be_served_is_one_line(
    itch: Path, mdp3: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed whose exchange resends nothing, no interface, no cycle, no address, a foreign or any one, no time."""
    mistakes = {
        (mdp3,): (
            f"nothing to serve: messages of {MDP3} cannot be asked for again; MoldUDP64's can; "
            "their snapshots are sent with --on INTERFACE"
        ),
        (mdp3, "--on", "no-such0"): "no-such0",
        (mdp3, "--on", "lo", "--cycle", "0s"): "--cycle 0s: a loop takes some time",
        (mdp3, "--on", "lo", "--cycle", "now"): "'now' is no duration",
        (itch, "--bind", "here"): "'here' is no address and port; write 127.0.0.1:31000 or [::1]:31000",
        (itch, "--bind", "192.0.2.1:5000"): "no interface of this machine has the address 192.0.2.1",
        (itch, "--bind", "0.0.0.0:0"): "--allow-physical",
        (itch, "--delay", "soon"): "'soon' is no duration",
    }
    for arguments, line in mistakes.items():
        monkeypatch.setattr(sys, "argv", ["simbench", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (2, "")
        assert line in err.splitlines()[-1]
