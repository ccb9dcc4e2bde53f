"""The terminal that figures of the terminal are taken in."""

from __future__ import annotations

import os
import sys

from simbench.bench.pseudo_terminal import COLUMNS, ROWS, PseudoTerminal

TALK = """
import os, sys
size = os.get_terminal_size()
print(size.columns, size.lines, os.sched_getaffinity(0), flush=True)
print("heard", sys.stdin.readline(), flush=True)
sum(range(3_000_000))
sys.stdin.readline()
"""


def test_a_command_has_a_terminal_of_its_size_and_hears_what_is_pressed() -> None:
    """Its processor time is told, and it is gone at the end."""
    before = os.sched_getaffinity(0)
    core = {min(before)}
    with PseudoTerminal([sys.executable, "-c", TALK], core) as terminal:
        while b"\n" not in terminal.seen and terminal.look(0.1):
            pass
        assert terminal.seen.startswith(f"{COLUMNS} {ROWS} ".encode())
        first = terminal.busy_ns()
        terminal.press(b"yes\n")
        while b"heard yes" not in terminal.seen and terminal.look(0.1):
            pass
        terminal.press(b"\n")
        while terminal.look(0.05):
            pass
        assert not terminal.look(0.01)
    assert first > 0
    assert terminal.process.poll() == 0
    assert os.sched_getaffinity(0) == before


def test_one_that_does_not_end_is_ended() -> None:
    """When the block is left."""
    with PseudoTerminal(["sleep", "1000"], os.sched_getaffinity(0)) as terminal:
        assert terminal.look(0.05)
    assert terminal.process.poll() is not None
