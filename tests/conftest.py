"""What every room's tests share: the real captures, and a word at the end on how many tests used them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nobody as no_rights
import pytest
from small_feeds import CME_FEED, ITCH, MDP3, make

pytest_plugins = ["pytester"]  # runs pytest on tests that the plug-in's tests write


@pytest.fixture(scope="session")
def real_captures() -> Path:
    """Return the folder of real captures, or skip: they are no part of the project."""
    folder = os.environ.get("SIMBENCH_CAPTURES")
    if not folder:
        pytest.skip("SIMBENCH_CAPTURES is not set: no real captures")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"SIMBENCH_CAPTURES is {folder}, which is no folder: no real captures")
    return path


@pytest.fixture(scope="session")
def cme(real_captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the real CME capture beside a feed.toml for it; the capture itself stays where it is."""
    folder = tmp_path_factory.mktemp("cme")
    (folder / "feed.toml").write_text(CME_FEED, encoding="utf-8")
    (folder / "capture.pcap").symlink_to(real_captures / "cme-mdp3-340" / "capture.pcap")
    return folder / "capture.pcap"


@pytest.fixture(scope="session")
def itch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated ITCH capture of 2,000 messages beside its feed.toml; not to be written to."""
    return make(tmp_path_factory.mktemp("generated") / "itch", ITCH)


@pytest.fixture(scope="session")
def mdp3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated MDP3 capture of 2,000 messages beside its feed.toml; not to be written to."""
    return make(tmp_path_factory.mktemp("generated") / "mdp3", MDP3)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can reach; pytest's own are its user's alone."""
    with tempfile.TemporaryDirectory(prefix="simbench-tests-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def nobody(open_folder: Path) -> dict[str, Any]:
    """Return options of Popen for commands of a user without any right; skip, with the reason, where there is none."""
    found = no_rights.options(open_folder / "home")
    why = no_rights.missing(found)
    if why:
        pytest.skip(f"nobody cannot run simbench here: {why}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran on real captures."""
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []) if r.when == "call"]
    ran = sum(("uses_real_captures", True) in report.user_properties for report in reports)
    terminalreporter.write_line(f"{ran} tests used real captures (SIMBENCH_CAPTURES)")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Mark the tests that use real captures, in a way that also comes back from worker processes."""
    if "real_captures" in getattr(item, "fixturenames", ()):
        item.user_properties.append(("uses_real_captures", True))
