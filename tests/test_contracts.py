"""The contracts between the rooms hold, and the tool that says so catches a breach."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of a copy of the project."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tui'}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the packages and of the contracts."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "simbench", tmp_path / "simbench", ignore=ignore)
    shutil.copytree(ROOT / "tui", tmp_path / "tui", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(project: Path) -> None:
    """Every contract of pyproject.toml is kept."""
    done = lint(project)

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("room", "planted", "broken"),
    [
        ("feed", "simbench.kernel.host", "Protocols, feed and book"),
        ("book", "socket", "Protocols, feed and book"),
        ("protocol", "time", "Protocols, feed and book"),
        ("capture", "simbench.wire.spec", "do not know each other"),
        ("kernel", "simbench.book.layout", "imports nothing of the rest"),
        ("receive", "textual", "imports textual"),
        ("session", "simbench_tui", "Only commands open the terminal"),
        ("measure", "simbench.report.page", "Only commands make reports"),
    ],
)
def test_breach_through_another_module_is_caught(project: Path, room: str, planted: str, broken: str) -> None:
    """An import that a room must not have is found where a module in between hides it, and inside a function."""
    folder = project / "simbench" / room
    (folder / "hidden.py").write_text(
        f'"""In between."""\n\n\ndef load() -> None:\n    """Import."""\n    import {planted}\n', encoding="utf-8"
    )
    (folder / "innocent.py").write_text(f'"""A breach."""\n\nfrom simbench.{room} import hidden\n', encoding="utf-8")

    done = lint(project)

    assert done.returncode == 1
    verdicts = " ".join(done.stdout.split()).partition("Broken contracts")[0]
    assert re.search(f"{broken}[^.]*? BROKEN", verdicts), done.stdout
    assert " 1 broken" in done.stdout


def test_breach_through_a_module_of_another_room_is_caught(project: Path) -> None:
    """A module outside the room in between hides nothing either."""
    (project / "simbench" / "innocent.py").write_text('"""In between."""\n\nimport simbench.kernel.host\n', "utf-8")
    (project / "simbench" / "feed" / "planted.py").write_text('"""A breach."""\n\nimport simbench.innocent\n', "utf-8")

    done = lint(project)

    assert done.returncode == 1
    assert "simbench.innocent -> simbench.kernel.host" in done.stdout
