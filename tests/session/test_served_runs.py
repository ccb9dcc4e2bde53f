"""Runs whose terminal is a web page: `run --serve` and `attach --serve`, who watches, how they end; in a browser."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runs import alive, command, until

from simbench.replay.control import SPEED
from simbench.session.joined import Joined
from simbench.session.registry import running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

aiohttp = pytest.importorskip("aiohttp", reason="--serve needs aiohttp: pip install 'simbench[serve]'")
pytest.importorskip("textual_serve", reason="--serve needs textual-serve: pip install 'simbench[serve]'")
import chromium  # noqa: E402 - needs aiohttp

RUN = ("--wire", "ring", "--wait", "block")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the runs of a test a folder of their own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@contextmanager
def served(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command that serves; yield it and the address that it says."""
    with command(*arguments) as process:
        assert process.stderr is not None
        while line := process.stderr.readline():
            if found := re.fullmatch(r"serving on (http://127\.0\.0\.1:\d+/)\n", line):
                yield process, found[1]
                break
        else:
            pytest.fail(f"it serves nothing: {process.communicate()}")


def viewers(pid: int) -> list[int]:
    """Return the processes of those who watch."""
    return [each for each in family(pid) if b"attach" in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")]


def family(pid: int) -> list[int]:
    """Return what any thread of a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text("ascii").split()]


async def watched(url: str, wanted: str) -> None:
    """Watch until the terminal has drawn a text, and leave."""
    seen = b""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}ws?width=120&height=40", headers={"Origin": url.rstrip("/")}) as websocket,
    ):
        while wanted.encode() not in seen:
            seen += await websocket.receive_bytes(timeout=60)


def test_a_run_is_seen_by_two_and_ends_with_its_summary(slow: Path) -> None:
    """Each has a terminal of their own; Ctrl-C ends the run as a headless one, and every process with it."""

    async def both(url: str) -> None:
        await asyncio.gather(watched(url, "RUNNING"), watched(url, "RUNNING"))

    with served("run", slow, *RUN, "--serve") as (process, url):
        asyncio.run(both(url))
        assert until(lambda: not viewers(process.pid))
        mine = family(process.pid)
        assert mine
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith("ring, block: ")
    assert "Traceback" not in err
    assert not any(alive(each) for each in mine)


def test_attach_serves_and_leaves_the_run_running(slow: Path) -> None:
    """SIGTERM ends who serves, not what is served."""
    with command("run", slow, *RUN, "--headless") as run:
        assert until(running)
        with served("attach", run.pid, "--serve", "127.0.0.1:0") as (process, url):
            asyncio.run(watched(url, "RUNNING"))
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in err) == (0, False)
        assert [note.pid for note in running()] == [run.pid]


def test_nothing_is_left_where_it_is_killed(slow: Path) -> None:
    """Kill -9 of the run while somebody watches: their process ends too."""

    async def watch(url: str, pid: int) -> list[int]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}ws", headers={"Origin": url.rstrip("/")}) as websocket,
        ):
            await websocket.receive_bytes()
            watching = viewers(pid)
            os.kill(pid, signal.SIGKILL)
            return watching

    with served("run", slow, *RUN, "--serve") as (process, url):
        watching = asyncio.run(watch(url, process.pid))
        assert len(watching) == 1
        assert until(lambda: not any(alive(each) for each in watching))
        process.wait()


@pytest.mark.parametrize("where", ["nonsense:80:80", "127.0.0.1:99999", "[::1:80", "::1:80", ":80"])
def test_what_is_no_address_is_said_before_anything_starts(slow: Path, where: str) -> None:
    """One line with one that is right."""
    with command("run", slow, "--serve", where) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1)
    assert "write --serve 127.0.0.1:8000" in err


def test_a_capture_behind_the_option_is_not_its_address(slow: Path) -> None:
    """The option's value may be left out; what stands behind it then is said to be wrong."""
    with command("run", "--serve", slow) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--serve stands behind everything else" in " ".join(err.replace("│", " ").split())


@pytest.mark.skipif(chromium.found() is None, reason="no Chromium here")
def test_in_a_browser(slow: Path, tmp_path: Path) -> None:
    """The terminal is drawn, keys drive it, nothing comes from elsewhere, and the last picture stays."""

    async def look(process: subprocess.Popen[str], url: str) -> None:
        async with chromium.page_of(url, tmp_path / "profile") as page:
            await page.until("document.body.classList.contains('-first-byte')")
            (note,) = running()
            with Joined(note) as joined:
                assert joined.control is not None
                asked = int(joined.control.words[SPEED])
                async with asyncio.timeout(chromium.PATIENCE_S):
                    while int(joined.control.words[SPEED]) == asked:
                        await page.press("+")
                        await asyncio.sleep(0.1)
            before = await page.picture()
            process.send_signal(signal.SIGINT)
            await page.until("document.body.classList.contains('-closed')")
            assert await page.value("document.getElementById('why').textContent") == (
                "the run has ended; this was its last moment"
            )
            assert await page.value("document.getElementById('again').hidden")
            assert len(before) > 10_000
            assert len(await page.picture()) > 10_000
            assert {address.split("/")[2] for address in page.requested if "://" in address} == {url.split("/")[2]}
            assert page.complaints == []

    with served("run", slow, *RUN, "--serve") as (process, url):
        asyncio.run(look(process, url))
        process.communicate(timeout=60)
    assert process.returncode == 0
