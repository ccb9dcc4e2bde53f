"""The pytest plug-in: folders with captures are tests, its fixtures build and replay, and unused it costs nothing."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from golden_folders import load, make_golden, save
from small_feeds import ITCH, MDP3

# Imported here so that the inner runs, which share this process, do not load compiled modules a second time.
import simbench.golden.check
import simbench.session
import simbench.wire.probe  # noqa: F401
from simbench.kernel import cache

if TYPE_CHECKING:
    from collections.abc import Callable

KERNELS = str(cache.directory())  # before pytester moves the home: the processes of a run would compile everything
ROOT = Path(__file__).resolve().parents[2]
ALREADY_LOADED = (
    "ignore:Module already imported"  # where the plug-in is installed, this process has it from the outer run
)
OFFLINE = ("--captures", "captures", "--captures-wire", "none")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a golden folder of each protocol; not to be written to."""
    return make_golden(tmp_path_factory.mktemp("collected"))


@pytest.fixture
def project(pytester: pytest.Pytester, folders: dict[str, Path]) -> Path:
    """Return a project of somebody else's with one test of its own and two captures, below several folders."""
    pytester.makepyfile(test_own="def test_own(): pass")
    shutil.copytree(folders[ITCH], pytester.path / "captures" / "itch")
    shutil.copytree(folders[MDP3], pytester.path / "captures" / "build" / "cme" / "mdp3")
    return pytester.path


@pytest.fixture
def run(pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Return a function that runs pytest in the project with this plug-in alone; warnings are errors there too."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("SIMBENCH_CACHE", KERNELS)
    return lambda *arguments: pytester.runpytest_inprocess(
        "-p", "simbench.pytest", "-p", "no:cacheprovider", "-W", "error", "-W", ALREADY_LOADED, *arguments
    )


def collected(result: pytest.RunResult) -> list[str]:
    """Return the names of the tests that were collected."""
    return sorted(line for line in result.outlines if "::" in line)


EVERY = ["captures/build/cme/mdp3/capture.pcap::verify", "captures/itch/capture.pcap::verify"]
OWN = "test_own.py::test_own"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [OWN]),
        (("--captures", "captures"), [*EVERY, OWN]),
        ((".", "--captures", "captures"), [*EVERY, OWN]),
        (("test_own.py", "--captures", "captures/itch"), [EVERY[1], OWN]),
        (("--captures", "captures/itch", "--captures", "captures/build"), [*EVERY, OWN]),
        (("captures", "--captures", "captures"), EVERY),
        (("captures/itch", "--captures", "captures"), EVERY[1:]),
        ((EVERY[0], "--captures", "captures"), EVERY[:1]),
        (("captures/itch", "--captures", "captures/build/../../captures"), EVERY[1:]),
        (("-k", "mdp3", "--captures", "captures"), EVERY[:1]),
    ],
)
def test_every_folder_with_a_capture_is_one_test(
    run: Callable[..., pytest.RunResult], arguments: tuple[str, ...], expected: list[str]
) -> None:
    """However tests are chosen, each capture is there once, and no test of the project is lost by it."""
    assert collected(run("--collect-only", "-q", *arguments)) == expected


def test_a_folder_without_captures_is_a_mistake(run: Callable[..., pytest.RunResult], project: Path) -> None:
    """Nothing would be checked, and nobody would see it."""
    (project / "empty").mkdir()
    for name in ("empty", "nowhere"):
        result = run("--captures", name)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: --captures *{name}: there is no folder with a capture in it"])


def test_captures_that_are_as_expected_pass(run: Callable[..., pytest.RunResult]) -> None:
    """Both protocols, beside the project's own test."""
    result = run(*OFFLINE)

    result.assert_outcomes(passed=3)
    assert "expectation" not in result.stdout.str()


def test_a_failure_is_what_verify_says_and_nothing_else(run: Callable[..., pytest.RunResult], project: Path) -> None:
    """The checkpoint, the messages before it and the ladders; no line of a traceback."""
    folder = project / "captures" / "itch"
    expected = load(folder)
    expected["checkpoints"][2]["digest"] = "0" * 32
    book = max(expected["books"], key=lambda book: len(book["bids"]))
    book["bids"][0][1] = "1"
    save(folder, expected)

    result = run(*OFFLINE)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ capture itch _*",
            "*captures/itch offline: differs",
            f"  itch: the books differ at sequence {expected['checkpoints'][2]['sequence']}, *",
            "  engine and reference book agree on every event of itch *",
            f"  {book['key']} on itch",
            "  bid *<>*",
            "FAILED captures/itch/capture.pcap::verify*",
        ]
    )
    assert not re.search(r"Traceback|\.py:\d", result.stdout.str())


def test_a_capture_without_an_expectation_is_checked_against_itself(
    run: Callable[..., pytest.RunResult], project: Path
) -> None:
    """It passes, and the run says what that is worth."""
    (project / "captures" / "itch" / "expected.json").unlink()

    result = run(*OFFLINE)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*captures/itch has no expectation: *simbench golden *captures/itch writes one"])


def test_what_is_no_capture_is_one_line(run: Callable[..., pytest.RunResult], project: Path) -> None:
    """A file that only has the name."""
    (project / "captures" / "itch" / "capture.pcap").write_bytes(b"no capture")

    result = run(*OFFLINE, "-k", "itch")

    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*captures/itch/capture.pcap is not a capture: *"])
    assert not re.search(r"Traceback|\.py:\d", result.stdout.str())


def test_captures_go_over_the_wire_that_is_asked_for(run: Callable[..., pytest.RunResult], project: Path) -> None:
    """A book that is expected otherwise differs offline and over the ring, and over no other wire."""
    folder = project / "captures" / "itch"
    expected = load(folder)
    expected["books"].pop()
    save(folder, expected)

    result = run("--captures", "captures/itch", "--captures-wire", "ring", "-k", "itch")

    said = [line for line in result.outlines if line.endswith(": differs")]
    assert [line.partition("captures/itch ")[2] for line in said] == ["offline: differs", "over ring: differs"]


def test_the_example_of_the_documentation_passes(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, project: Path
) -> None:
    """The fixtures, as the page shows them, on a capture of the same name, in a module whose name is free here."""
    (project / "captures" / "itch").rename(project / "captures" / "itch-open")
    shutil.copy(ROOT / "docs" / "examples" / "test_books.py", project / "test_example_of_the_page.py")

    run("test_example_of_the_page.py").assert_outcomes(passed=4)


def test_the_page_shows_the_example() -> None:
    """Every snippet that the page says is of the file stands in it, word for word."""
    source = (ROOT / "docs" / "examples" / "test_books.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    snippets = re.findall(r"<!-- of test_books\.py -->\n```python\n(.*?)```", page, re.DOTALL)

    assert len(snippets) > 0
    assert [snippet for snippet in snippets if snippet not in source] == []
    assert all(name in page for name in ("golden_book", "feed_replay", "--captures-wire", "no:simbench.pytest"))


@pytest.fixture
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the plug-in found as an installed package's is: by the entry point of pyproject.toml."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]
    info = pytester.path / "site" / "simbench_pytest-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: simbench_pytest\nVersion: 1\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{info.parent}:{ROOT}", prepend=":")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.mark.usefixtures("installed")
def test_unused_it_imports_nothing(pytester: pytest.Pytester) -> None:
    """Loaded by its entry point, it has brought neither Numba nor NumPy nor any other room of simbench."""
    pytester.makepyfile(
        """
        import sys

        def test_modules(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("simbench.pytest")
            rooms = {name for name in sys.modules if name.startswith("simbench")}
            assert rooms == {"simbench", "simbench.errors", "simbench.pytest"}
            assert not {"numba", "numpy"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)


@pytest.mark.usefixtures("installed")
def test_it_can_be_loaded_twice_or_not_at_all(pytester: pytest.Pytester) -> None:
    """By entry point and by -p at once it is one plug-in; with -p no:... its options are unknown."""
    pytester.makepyfile("def test_own(): pass")

    pytester.runpytest_subprocess("-p", "simbench.pytest").assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("-p", "no:simbench.pytest", "--captures", ".")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --captures*"])
