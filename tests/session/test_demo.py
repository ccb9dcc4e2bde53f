"""The demo: the shipped burst over the best wire that its user can have."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from nobody import COMMAND
from runs import command, frames_of, until

if TYPE_CHECKING:
    from simbench.wire.probe import Capabilities


def begun(*arguments: str, **options: Any) -> tuple[int, str, str]:
    """Run the demo until frames have arrived, interrupt it, and return exit code, report and remarks."""
    with command("demo", *arguments, **options) as running:
        assert until(lambda: frames_of(running.pid) > 20 or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    return running.returncode, out, err


@pytest.mark.wire
def test_demo_is_over_veth_for_who_may(capabilities: Capabilities) -> None:
    """With the rights for it: AF_XDP on a veth pair, nothing lost; without a terminal it needs no --headless."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)

    status, out, err = begun()

    assert (status, "Traceback" in err) == (0, False)
    assert out.startswith("veth xdp, spin: ")
    assert "0 gaps lost, drops: none" in out
    assert "ring" not in err


def test_demo_is_over_the_ring_for_everybody_else(nobody: dict[str, Any]) -> None:
    """Without any right: shared memory, and one line that says why."""
    status, out, err = begun("--headless", words=COMMAND, **nobody)

    assert (status, "Traceback" in err) == (0, False)
    assert out.startswith("ring, spin: ")
    assert "0 gaps lost, drops: none" in out
    assert "over the shared-memory ring: network namespaces need root or CAP_SYS_ADMIN\n" in err
