"""One who watches in a browser: a process of `simbench attach` that draws into a WebSocket.

Textual's web driver speaks on standard input and output: a line that says it begins, then packets of a letter (D what a
terminal would be sent, M JSON about it), the length as 4 bytes, big endian, and the content
(textual/drivers/web_driver.py). The page speaks JSON (textual_serve/static/js/textual.js).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

    from aiohttp import web

BEGINS: Final = b"__GANGLION__\n"
DRIVER: Final = "textual.drivers.web_driver:WebDriver"
PICTURE: Final = 1000  # bytes that are more than the terminal's modes being set
GRACE_S: Final = 3.0  # for a process that was told to end
SMALLEST: Final = 10  # cells a side that a page may ask for
LARGEST: Final = 1000
LONGEST_REASON: Final = 123  # bytes in a closing frame (RFC 6455, section 5.5)
LEFT: Final = "you left; the run goes on"
MALFORMED: Final = "the page sent what is not of its protocol"


class Viewer:
    """A process that draws, and the WebSocket that it draws into.

    Args:
        command: words that start the process; no shell sees them.
        websocket: of the page, not yet prepared.

    Attributes:
        drawn: whether a picture has gone out.
    """

    def __init__(self, command: Sequence[str], websocket: web.WebSocketResponse) -> None:
        self._command = command
        self._websocket = websocket
        self._why = LEFT
        self.drawn = asyncio.Event()

    async def watch(self, width: int, height: int) -> None:
        """Carry pictures to the page and keys to the process until one of them has ended, or `part` is called.

        Args:
            width: of the page, in cells.
            height: likewise.
        """
        errors = os.memfd_create("simbench-viewer-errors", os.MFD_CLOEXEC)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=_environment(_cells(width), _cells(height)),
                start_new_session=True,  # Ctrl-C is the command's to handle
            )
            try:
                await self._carry(process)
                await self._leave(process)
                if process.returncode:
                    self._why = _last_line(errors) or f"the viewer ended with status {process.returncode}"
                await self.part(self._why)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        finally:
            os.close(errors)

    async def part(self, why: str, code: int = WSCloseCode.OK) -> None:
        """Close the page's WebSocket; the page keeps its last picture and says why.

        Args:
            why: in a few words.
            code: GOING_AWAY where nothing can be joined any more.
        """
        self._why = why
        with contextlib.suppress(ConnectionError):
            await self._websocket.close(code=code, message=why.encode()[:LONGEST_REASON])

    async def _carry(self, process: Process) -> None:
        tasks = {asyncio.create_task(self._draw(process)), asyncio.create_task(self._listen(process))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    async def _draw(self, process: Process) -> None:
        """Carry what the process draws to the page."""
        assert process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await process.stdout.readuntil(BEGINS)
            while True:
                head = await process.stdout.readexactly(5)
                content = await process.stdout.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == b"D":
                    await self._websocket.send_bytes(content)
                    if len(content) >= PICTURE:
                        self.drawn.set()
                elif head[:1] == b"M" and msgspec.json.decode(content).get("type") == "exit":
                    return

    async def _listen(self, process: Process) -> None:
        """Carry what is typed into the page to the process."""
        async for message in self._websocket:
            try:
                said = msgspec.json.decode(message.data) if message.type is WSMsgType.TEXT else None
            except (msgspec.DecodeError, UnicodeError):
                said = None
            match said:
                case ["stdin", str(text)]:
                    await _send(process, b"D", text.encode(errors="replace"))
                case ["resize", {"width": int(width), "height": int(height)}]:
                    await _tell(process, type="resize", width=_cells(width), height=_cells(height))
                case ["focus" | "blur" as what]:
                    await _tell(process, type=what)
                case ["ping", str(text)]:
                    with contextlib.suppress(ConnectionError):
                        await self._websocket.send_json(["pong", text])
                case _:
                    self._why = MALFORMED
                    return

    async def _leave(self, process: Process) -> None:
        """Let the process end by itself, so that it gives back what it holds of the run."""
        await _tell(process, type="quit")
        assert process.stdout is not None
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(GRACE_S):
                while await process.stdout.read(1 << 16):  # one that waits for room in its pipe would never end
                    pass
                await process.wait()


async def _tell(process: Process, **what: str | int) -> None:
    await _send(process, b"M", msgspec.json.encode(what))


async def _send(process: Process, kind: bytes, content: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError, RuntimeError):  # it has ended, which whoever reads from it notices
        process.stdin.write(kind + len(content).to_bytes(4, "big") + content)
        await process.stdin.drain()


def _cells(wanted: int) -> int:
    return min(max(wanted, SMALLEST), LARGEST)


def _environment(width: int, height: int) -> dict[str, str]:
    return {
        **os.environ,
        "TEXTUAL_DRIVER": DRIVER,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "PYTHONIOENCODING": "utf-8",  # of a pipe it would be the locale's
        "COLUMNS": str(width),
        "ROWS": str(height),
    }


def _last_line(errors: int) -> str:
    said = os.pread(errors, os.fstat(errors).st_size, 0).decode(errors="replace").strip()
    return said.splitlines()[-1] if said else ""
