"""The command's own process keeps off the receiver's core while a run lasts, and has it back afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simbench.cli import cli
from simbench.commands import progress
from simbench.commands.run import aside
from simbench.session import cores


def test_a_run_without_a_terminal_is_followed_from_another_core(itch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver still has its own: the children were started before."""
    before, receiver = os.sched_getaffinity(0), cores()[1]
    if receiver is None:
        pytest.skip("there is one core alone")
    seen: list[tuple[set[int], bool]] = []
    follow = progress.follow

    def look(session: Any, *arguments: Any, **options: Any) -> None:
        session.wait_until_ready()
        threads = Path(f"/proc/{session.child('receive').pid}/task").iterdir()
        pinned = any(os.sched_getaffinity(int(thread.name)) == {receiver} for thread in threads)
        seen.append((os.sched_getaffinity(0), pinned))
        follow(session, *arguments, **options)

    monkeypatch.setattr(progress, "follow", look)
    command = ["run", str(itch), "--wire", "ring", "--speed", "max", "--headless"]
    CliRunner().invoke(cli, command, standalone_mode=False, catch_exceptions=False)

    assert seen == [(before - {receiver}, True)]
    assert os.sched_getaffinity(0) == before


def test_the_only_core_is_nobodys() -> None:
    """Where there is no other, it stays."""
    before = os.sched_getaffinity(0)
    only = {min(before)}
    try:
        os.sched_setaffinity(0, only)
        with aside(min(only)):
            assert os.sched_getaffinity(0) == only
    finally:
        os.sched_setaffinity(0, before)
