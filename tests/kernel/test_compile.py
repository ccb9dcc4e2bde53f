"""Shares of modules are imported in processes of their own, and what fails in one is nobody else's matter."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from simbench.kernel.compile import compile_apart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with modules that leave the number of the process that imported them, and one that fails."""
    for name in ("one", "two", "three"):
        source = f"import os, pathlib\npathlib.Path({str(tmp_path / name)!r}).write_text(str(os.getpid()))\n"
        (tmp_path / f"share_{name}.py").write_text(source)
    (tmp_path / "share_broken.py").write_text("raise RuntimeError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_each_share_has_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind a broken module of the same share is imported all the same."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    compile_apart([["share_one", "share_broken", "share_two"], ["share_three"]])

    one, two, three = ((folder / name).read_text() for name in ("one", "two", "three"))
    assert one == two != three
    assert str(os.getpid()) not in {one, three}


def test_one_core_is_left_to_who_needs_the_kernels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be done beside, nothing is done before."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    compile_apart([["share_one"]])

    assert not (folder / "one").exists()
