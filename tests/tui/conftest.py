"""Fixtures of the terminal's tests: no thread, no wall clock, no animation."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from moments import Clock, FixedSource, RecordingControl, moment
from simbench_tui import BenchApp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, so that no plug-in is needed for it."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual without animation, cursor blinking or colours of the environment."""
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")
    for name in ("NO_COLOR", "SIMBENCH_ASCII"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def source() -> FixedSource:
    """A source that always gives the same moment."""
    return FixedSource(moment())


@pytest.fixture
def control() -> RecordingControl:
    """A control that records."""
    return RecordingControl()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def make_app(source: FixedSource, control: RecordingControl, clock: Clock, tmp_path: Path) -> Callable[..., BenchApp]:
    """Makes the application over the fixtures, any of them replaced."""

    def make(**changes: Any) -> BenchApp:
        settings: dict[str, Any] = {
            "ascii_only": False,
            "clock": clock,
            "live": False,
            "folder": tmp_path,
            "capture": "a.pcap",
        }
        return BenchApp(changes.pop("source", source), changes.pop("control", control), **{**settings, **changes})

    return make
