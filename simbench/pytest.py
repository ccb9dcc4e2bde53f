"""The pytest plug-in: `pytest --captures DIR` makes a test of every folder with a capture; fixtures for other tests.

Pytest imports this at every start where simbench is installed, so it imports nothing else before it is used.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from os import PathLike

    from simbench.api import Outcome

WIRES: Final = ("ring", "veth", "tap", "none")
UNPROVEN: Final = "simbench: no expectation"  # a report's property: the folder of a capture that has none


class DifferenceError(Exception):
    """What came out is not what has to; its text is what `simbench verify` says."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what chooses captures and wires."""
    group = parser.getgroup("simbench", "captures of exchange market data (simbench)")
    group.addoption(
        "--captures",
        action="append",
        default=[],
        metavar="DIR",
        dest="simbench_captures",
        help="Every folder under DIR with a capture is a test: rebuilt, and compared with its expected.json.",
    )
    group.addoption(
        "--captures-wire",
        action="append",
        default=[],
        choices=WIRES,
        dest="simbench_wires",
        help="Replay captures only over this wire (none: offline alone); otherwise over every one there is.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a folder that holds nothing: no capture would be checked, and nobody would see it."""
    for folder in _folders(config):
        if not _captures(folder):
            raise pytest.UsageError(f"--captures {folder}: there is no folder with a capture in it")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a capture under one of the folders that were named."""
    if not any(file_path.is_relative_to(folder) for folder in _folders(parent.config)):
        return None
    from simbench.capture.folder import NAMES, capture_of

    if file_path.name not in NAMES or capture_of(file_path.parent) != file_path:
        return None
    return CaptureFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the captures to the tests, unless an argument names some of them: then only these are meant.

    They are no arguments of their own because pytest 8 loses the tests of a folder when a file in it is named as well.
    """
    named = [_absolute(config, argument.partition("::")[0]) for argument in config.args]
    there = {item.path for item in items if isinstance(item, CaptureItem)}
    for folder in _folders(config):
        if not any(path != folder and path.is_relative_to(folder) for path in named):
            for path in [path for path in _captures(folder) if path not in there]:
                items.extend(session.genitems(CaptureFile.from_parent(session, path=path)))
                there.add(path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which captures passed with nothing to be compared with."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, folder in report.user_properties:
            if name == UNPROVEN:
                terminalreporter.write_line(
                    f"{folder} has no expectation: rebuilt twice and beside the reference book, all came out the same; "
                    f"simbench golden {folder} writes one"
                )


class CaptureFile(pytest.File):
    """A capture in its folder."""

    def collect(self) -> Iterable[pytest.Item]:
        """Return the one test that it is."""
        return [CaptureItem.from_parent(self, name="verify")]


class CaptureItem(pytest.Item):
    """Does what `simbench verify` does for one folder."""

    def runtest(self) -> None:
        """Rebuild and compare.

        Raises:
            DifferenceError: with every difference, the first message that made one and the ladders.
        """
        folder = self.path.parent
        with _quiet():
            from simbench.golden.check import check
            from simbench.golden.expectation import EXPECTED

            if not (folder / EXPECTED).is_file():
                self.user_properties.append((UNPROVEN, str(folder)))
            checked = list(check(folder, self.config.getoption("simbench_wires")))
        lines = [line for name, wrong in checked if wrong for line in (f"{folder} {name}: differs", *_indented(wrong))]
        if lines:
            raise DifferenceError("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the differences alone: a traceback through simbench says nothing about a feed."""
        if isinstance(excinfo.value, DifferenceError | SimbenchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the headline of a failure."""
        return self.path, None, f"capture {self.path.parent.name}"


@pytest.fixture(scope="session")
def feed_replay() -> Callable[..., dict[str, Any]]:
    """Return a function that replays a capture over a wire to a receiver and returns the result of `run --json`.

    feed_replay(path, wire="ring", speed="max", feed=None, protocol=None, schema=None, checksum="auto", ...):
    a capture or a golden folder; what `simbench.open` takes; and any attribute of session.plan.Plan. Replayer and
    receiver are processes of their own. Digests are in result["book"]["channels"], books in result["book"]["books"].
    """

    def replay(
        path: str | PathLike[str],
        *,
        wire: str = "ring",
        speed: str | float = "max",
        feed: str | PathLike[str] | None = None,
        protocol: str | None = None,
        schema: str | PathLike[str] | None = None,
        checksum: str = "auto",
        **plan: Any,
    ) -> dict[str, Any]:
        with _quiet():
            from simbench.api import open as open_capture
            from simbench.session import run_quietly

            source = open_capture(Path(path), feed=feed, protocol=protocol, schema=schema, checksum=checksum)
            return run_quietly(source, wire=wire, speed=str(speed), **plan)

    return replay


@pytest.fixture(scope="session")
def golden_book() -> Callable[..., Outcome]:
    """Return a function that builds books offline as `simbench.book` does, of a capture or of a golden folder."""

    def build(path: str | PathLike[str], **options: Any) -> Outcome:
        with _quiet():
            from simbench.api import book

            return book(path, **options)

    return build


def _folders(config: pytest.Config) -> list[Path]:
    return [_absolute(config, folder) for folder in config.getoption("simbench_captures")]


def _absolute(config: pytest.Config, path: str) -> Path:
    return Path(os.path.normpath(config.invocation_params.dir / path))  # links are left as they are, as pytest does


def _captures(folder: Path) -> Sequence[Path]:
    from simbench.capture.folder import captures_under

    return captures_under(folder) if folder.is_dir() else ()


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Numba's word on experiments from becoming the error that a suite makes of warnings (kernel/__init__.py)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="First-class function type feature is experimental")
        yield
