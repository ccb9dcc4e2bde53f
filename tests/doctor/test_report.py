"""The doctor as a whole: wires tried with frames, cores watched, JSON, and the exit code that follows."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from simbench.doctor import hiccups, report, wires
from simbench.doctor.check import Check, Verdict
from simbench.wire.probe import Capabilities, probe


def test_every_wire_is_tried_with_frames() -> None:
    """Where it may be had, all frames come; a socket does not get those that AF_XDP shows."""
    found = probe()
    if found.veth:
        pytest.skip(found.veth)

    checks = {check.name: check for check in wires.look(found)}

    assert checks["wire veth, AF_XDP generic"].found == "64 of 64 frames came, 64 stamped"
    assert checks["wire veth, AF_XDP native, 2 queues"].found == "128 of 128 frames came, 128 stamped"
    assert checks["wire veth, UDP sockets"].found == "64 of 64 frames came, 64 stamped"
    assert checks["frames with a wrong checksum"].found == "AF_XDP receives 64 of 64, UDP sockets 0"
    assert not any(check.verdict is Verdict.MISSING for check in checks.values())


def test_what_is_missing_is_said_with_its_reason() -> None:
    """A user without rights has the ring."""
    checks = {check.name: check for check in wires.look(Capabilities(namespaces="no rights", tap="no rights"))}

    assert {name: check.verdict for name, check in checks.items()} == {
        "wire ring": Verdict.GOOD,
        "wire veth": Verdict.MISSING,
        "wire tap": Verdict.MISSING,
    }
    assert checks["wire veth"].found == "no rights"


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.0, Verdict.GOOD), (0.001, Verdict.GOOD), (0.01, Verdict.CHANGE), (0.5, Verdict.CHANGE)]
)
def test_hiccups_are_judged_by_their_share(share: float, verdict: Verdict) -> None:
    """A core that loses a thousandth is quiet."""
    check = hiccups.Hiccups(core=1, count=3, longest_ns=20_000, share=share).check()

    assert check.verdict is verdict
    assert bool(check.advice) == (verdict is Verdict.CHANGE)


def test_a_watched_core_counts_what_it_lost() -> None:
    """In a tenth of a second at most all of it."""
    found = hiccups.watch(0, 100_000_000)

    assert 0 <= found.share < 10
    assert (found.count == 0) == (found.longest_ns == 0)
    assert found.longest_ns <= found.share * 100_000_000 + 1


def test_the_verdict_counts_what_cannot_be_done_and_what_to_change() -> None:
    """One line for the whole."""
    missing, change = (Check("x", verdict, "y") for verdict in (Verdict.MISSING, Verdict.CHANGE))
    found = report.Report([missing], [change, change], [], fit=False)

    assert found.verdict == "1 of 1 cannot be done here; it is too busy to measure; 2 changes advised"


def test_json_has_every_section() -> None:
    """As the command prints it; the exit code is that of the verdict."""
    done = subprocess.run(
        [sys.executable, "-m", "simbench", "doctor", "--json", "--seconds", "0.1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)

    missing = any(check["verdict"] == "missing" for check in found["can"])
    assert done.returncode == int(missing or not found["fit"])
    assert done.stderr == ""
    for section in report.SECTIONS:
        assert found[section]
        assert all(set(check) == {"name", "verdict", "found", "advice"} for check in found[section])
