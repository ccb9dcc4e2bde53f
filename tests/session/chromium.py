"""A headless Chromium, driven over its DevTools protocol: no package is needed for it but aiohttp."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from runs import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientWebSocketResponse


def found() -> str | None:
    """Return where it is, None where it is not."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """A page of the browser.

    Attributes:
        requested: every address that it asked for.
        complaints: what its console said that is no log, and what its scripts did not catch.
    """

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._number = 0
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def open(self, url: str) -> Self:
        """Go to an address."""
        for domain in ("Network", "Runtime", "Page", "Log"):
            await self._call(f"{domain}.enable")
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=1200, height=760, deviceScaleFactor=1, mobile=False
        )
        await self._call("Page.navigate", url=url)
        return self

    async def value(self, expression: str) -> Any:
        """Return what an expression comes to in the page."""
        return (await self._call("Runtime.evaluate", expression=expression))["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.value(expression):  # noqa: ASYNC110 - the condition is another process's
                await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            await self._call(
                "Input.dispatchKeyEvent", type=kind, key=key, text=key, windowsVirtualKeyCode=ord(key.upper())
            )

    async def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode((await self._call("Page.captureScreenshot"))["data"])

    async def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._websocket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            said = await self._websocket.receive_json()
            if said.get("id") == self._number:
                return said["result"]
            self._hear(said.get("method"), said.get("params"))

    def _hear(self, event: str, what: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(what["request"]["url"])
        elif event == "Network.webSocketCreated":
            self.requested.append(what["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(what["exceptionDetails"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.complaints.append(what["entry"]["text"])


@asynccontextmanager
async def page_of(url: str, folder: Path) -> AsyncIterator[Page]:
    """Open an address in a browser of its own; ended at the end.

    Args:
        url: to open.
        folder: for its profile.
    """
    program = found()
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = await asyncio.to_thread(_port, folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                target = next(each for each in await answer.json() if each["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as websocket:
                yield await Page(websocket).open(url)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _port(path: Path) -> int:
    assert until(lambda: path.exists() and path.read_text("ascii").splitlines()), "the browser does not start"
    return int(path.read_text("ascii").splitlines()[0])
