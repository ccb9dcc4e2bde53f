"""What a user may not do: one clear line, exit code 2, and no run that ends in nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from nobody import COMMAND
from small_feeds import make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def sealed(open_folder: Path) -> Iterator[Path]:
    """Return a folder that nobody may write to: a generated capture, its feed.toml, the same day as BinaryFILE."""
    folder = open_folder / "sealed"
    make(folder, "nasdaq.itch50", binary=folder / "day.bin")
    shutil.copyfile(folder / "capture.pcap", folder / "secret.pcap")
    (folder / "secret.pcap").chmod(0)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def refused(nobody: dict[str, Any], *arguments: object) -> str:
    """Run the command as nobody; demand exit 2 and one line, which is returned."""
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **nobody)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("compiling the kernels")]
    assert (arguments, done.returncode, len(lines), done.stdout) == (arguments, 2, 1, ""), done.stderr
    assert lines[0].startswith("simbench: ")
    assert "fault of simbench" not in lines[0]
    return lines[0]


@pytest.mark.parametrize(
    "arguments",
    [("book",), ("info",), ("golden",), ("run", "--headless", "--wire", "ring"), ("replay", "--to", "lo")],
    ids=lambda arguments: arguments[0],
)
def test_capture_that_cannot_be_read_is_named(arguments: tuple[str, ...], sealed: Path, nobody: dict[str, Any]) -> None:
    """A file of somebody else's."""
    line = refused(nobody, arguments[0], sealed / "secret.pcap", *arguments[1:])

    assert line == f"simbench: cannot read {sealed / 'secret.pcap'}: Permission denied"


@pytest.mark.parametrize("command", ["golden", "convert", "generate", "run"])
def test_folder_that_cannot_be_written_is_named(command: str, sealed: Path, nobody: dict[str, Any]) -> None:
    """Nothing is left in it, and a run is refused before it starts."""
    before = sorted(path.name for path in sealed.iterdir())
    arguments: dict[str, tuple[object, ...]] = {
        "golden": (sealed,),
        "convert": (sealed / "day.bin", "-o", sealed / "out.pcap", "--date", "2024-01-02"),
        "generate": ("calm", "-o", sealed / "out.pcap", "--messages", "100"),
        "run": (sealed / "capture.pcap", "--headless", "--wire", "ring", "--json", sealed / "run.json"),
    }

    line = refused(nobody, command, *arguments[command])

    assert str(sealed) in line
    assert before == sorted(path.name for path in sealed.iterdir())


@pytest.mark.parametrize("wire", ["veth", "tap"])
def test_wire_that_needs_rights_says_which(wire: str, sealed: Path, nobody: dict[str, Any]) -> None:
    """And names the one that needs none."""
    line = refused(nobody, "run", sealed / "capture.pcap", "--headless", "--wire", wire)

    assert line == "simbench: network namespaces need root or CAP_SYS_ADMIN; try --wire ring"


def test_queues_that_are_not_to_be_had_say_why(sealed: Path, nobody: dict[str, Any]) -> None:
    """No other wire has several, so none is advised."""
    line = refused(nobody, "run", sealed / "capture.pcap", "--queues", 2, "--headless")

    assert line == "simbench: --queues needs a veth pair: network namespaces need root or CAP_SYS_ADMIN"


def test_interface_that_needs_rights_says_which(sealed: Path, nobody: dict[str, Any]) -> None:
    """Sending and receiving on an interface that is there."""
    for arguments in (
        ("replay", sealed / "capture.pcap", "--to", "lo"),
        ("receive", "--on", "lo", "--feed", sealed / "feed.toml", "--headless", "--seconds", "1"),
    ):
        assert "CAP_NET" in refused(nobody, *arguments)


def cached_in(folder: Path, nobody: dict[str, Any]) -> dict[str, Any]:
    """Return options of Popen under which compiled kernels lie in a folder."""
    return {**nobody, "env": {**nobody["env"], "SIMBENCH_CACHE": str(folder)}}


def test_kernels_that_cannot_be_kept_are_told(sealed: Path, nobody: dict[str, Any]) -> None:
    """A home that is not there or not writable, as in a container: one line that names the way out."""
    folder = sealed / "kernels"

    line = refused(cached_in(folder, nobody), "book", sealed / "capture.pcap")

    assert line == f"simbench: compiled kernels cannot be kept in {folder}; set SIMBENCH_CACHE to a folder of yours"


def test_kernels_that_are_there_need_not_be_writable(sealed: Path, nobody: dict[str, Any], open_folder: Path) -> None:
    """One warm cache, read-only, serves all users of a machine."""
    if os.geteuid():
        pytest.skip("the tests run without rights: there is nobody else to own the kernels")
    words = [*COMMAND, "book", str(sealed / "capture.pcap"), "--json"]
    warm = subprocess.run(words, capture_output=True, check=True, **nobody)
    shared = open_folder / "kernels"
    shutil.copytree(nobody["env"]["SIMBENCH_CACHE"], shared)  # root's: nobody can read it and not write

    found = subprocess.run(words, capture_output=True, check=True, **cached_in(shared, nobody))

    assert found.stdout == warm.stdout
    assert b"digest" in found.stdout
    assert b"compiling" not in found.stderr
