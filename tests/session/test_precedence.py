"""The processes of a run come before the terminal, where the kernel schedules by session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simbench.session.precedence import AS_ALL, FIRST, first

SLEEP = [sys.executable, "-c", "import time; time.sleep(100)"]


def value(pid: int) -> int:
    """Return the value of a process's session."""
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


@pytest.fixture
def able() -> None:
    """Skip where sessions have no value, or it cannot be raised."""
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel does not schedule by session")
    if os.geteuid():
        pytest.skip("raising the value of a session needs root")


def test_a_process_that_leads_a_session_comes_first_meanwhile(able: None) -> None:
    """And one that is in this session is left as it is: its value would be that of whoever runs this."""
    with (
        subprocess.Popen(SLEEP, start_new_session=True) as leads,
        subprocess.Popen(SLEEP) as follows,
    ):
        mine = value(os.getpid())
        with first([leads.pid, follows.pid]):
            assert value(leads.pid) == FIRST
            assert value(follows.pid) == mine
        assert value(leads.pid) == AS_ALL
        leads.kill()
        follows.kill()


def test_one_that_is_gone_is_no_matter(able: None) -> None:
    """Before, and meanwhile."""
    with subprocess.Popen(SLEEP, start_new_session=True) as leads:
        with first([leads.pid]):
            leads.kill()
            leads.wait()
        with first([leads.pid]):
            pass
