"""What this user can have, and the line that says why not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simbench.errors import SimbenchError
from simbench.wire.probe import Capabilities, Choice, available, choose, probe

NOBODY = """
import os
from simbench.wire.probe import choose, probe
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(probe().xdp)
print(choose("auto").wire)
"""

REASON = "AF_XDP needs root or CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF; try --wire ring"


def test_the_best_wire_is_chosen_and_the_reason_given() -> None:
    """A veth pair where it is to be had, else the ring, with what was missing."""
    assert choose("auto", found=Capabilities()).wire == "veth"
    fallback = choose("auto", found=Capabilities(xdp=REASON))
    assert fallback == Choice("ring", "ring", REASON.removesuffix("; try --wire ring"))


def test_a_wire_that_was_asked_for_is_not_replaced() -> None:
    """Asking for what is not to be had is an error of one line."""
    for asked in ({"wire": "veth"}, {"wire": "tap"}, {"stack": "udp"}):
        with pytest.raises(SimbenchError, match="try --wire ring"):
            choose(**asked, found=Capabilities(xdp=REASON, tap=REASON))
    assert choose("veth", "udp", found=Capabilities()) == Choice("veth", "udp", "asked for")


def test_all_that_can_be_had_is_listed() -> None:
    """With every right there are four ways, without any there is the ring."""
    assert available(Capabilities()) == [("ring", ""), ("veth", "xdp"), ("veth", "udp"), ("tap", "xdp")]
    assert available(Capabilities(namespaces=REASON, xdp=REASON, tap=REASON)) == [("ring", "")]


@pytest.mark.parametrize("asked", [{"wire": "rope"}, {"stack": "dpdk"}, {"wire": "ring", "stack": "udp"}])
def test_what_does_not_exist_is_refused(asked: dict[str, str]) -> None:
    """A misspelt wire or a stack on the ring is told as such."""
    with pytest.raises(SimbenchError):
        choose(**asked, found=Capabilities())


@pytest.mark.wire
def test_a_user_without_rights_is_told_which(can_veth: None) -> None:
    """Without root the probe names what is missing, and the choice is the ring."""
    done = subprocess.run([sys.executable, "-c", NOBODY], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [REASON, "ring"]


def test_probing_leaves_nothing(no_leak: None) -> None:
    """Whatever the answer, no descriptor stays open."""
    assert isinstance(probe(), Capabilities)
