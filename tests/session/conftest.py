"""What the tests of whole runs share: the wires there are, and what the captures come to offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import ITCH, make, rebuilt

from simbench.wire.probe import Capabilities, probe

if TYPE_CHECKING:
    from pathlib import Path

WIRES = [("ring", "xdp"), ("veth", "xdp"), ("veth", "udp"), ("tap", "xdp")]


@pytest.fixture(scope="session")
def capabilities() -> Capabilities:
    """Return what this user can have."""
    return probe()


@pytest.fixture(params=WIRES, ids=["ring", "veth-xdp", "veth-udp", "tap"])
def wire(request: pytest.FixtureRequest, capabilities: Capabilities) -> dict[str, str]:
    """Return each wire and stack in turn as options of a plan; skip, with the reason, what is not to be had."""
    name, stack = request.param
    missing = {"ring": "", "veth": capabilities.veth, "tap": capabilities.tap or capabilities.xdp}[name]
    if missing:
        pytest.skip(missing)
    return {"wire": name, "stack": stack}


@pytest.fixture(params=["ring", "veth"])
def some_wire(request: pytest.FixtureRequest, capabilities: Capabilities) -> dict[str, str]:
    """Return a wire in memory and one in the kernel: the processes end in the same way on the others."""
    if request.param == "veth" and capabilities.veth:
        pytest.skip(capabilities.veth)
    return {"wire": request.param}


@pytest.fixture(scope="session")
def offline(itch: Path, mdp3: Path) -> dict[Path, dict[str, Any]]:
    """Return what the generated captures come to offline."""
    return {path: rebuilt(path) for path in (itch, mdp3)}


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated ITCH capture that lasts for minutes at its recorded speed."""
    return make(tmp_path_factory.mktemp("generated") / "slow", ITCH, 4000, rate=20.0)
