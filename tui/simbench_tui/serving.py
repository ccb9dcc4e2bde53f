"""The terminal as a web page: a server in a thread, and a process of `simbench attach` for each who watches.

The browser's half of textual-serve (xterm.js, its style and its font) is served from where it is installed. Its page
loads a font from another site, and its server runs a shell and looks at neither Host nor Origin: both are ours here.
"""

from __future__ import annotations

import asyncio
import html
import socket
import threading
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final, Self

import textual_serve
from aiohttp import WSCloseCode, web

from simbench.errors import SimbenchError
from simbench_tui.admission import Admission, bracketed
from simbench_tui.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

MOST_VIEWERS: Final = 8  # each is a process that draws ten times a second
LAST_LOOK_S: Final = 1.0  # ten snapshots, so that every page that draws shows the end
PARTING_S: Final = 5.0  # for a page and its process to be done; then they are ended
HEARTBEAT_S: Final = 15.0  # after which a browser that does not answer counts as gone
LONGEST: Final = 1 << 16  # bytes of a message from the page: keys, or what is pasted
ENDED: Final = "the run has ended; this was its last moment"
OURS: Final = Path(__file__).parent / "web"
THEIRS: Final = Path(textual_serve.__file__ or "").parent / "static"
HEADERS: Final = {
    # 'unsafe-inline' for styles alone: xterm.js sets its cells' by script.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def listen(name: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        name: address, or a name that has one.
        port: 0 for any that is free.

    Raises:
        SimbenchError: there is no such address here, or the port is taken.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise SimbenchError(f"cannot serve on {bracketed(name)}:{port}: {error.strerror}") from None
    return listening


class Serving:
    """A context manager around a server in a thread; on leaving, no page is connected and no process is left.

    Args:
        listening: the socket; the server closes it.
        name: by which the user called its address.
        command: words that start a viewer's process.
        title: of the page.
        begin: called first in the thread whose children the viewers are.

    Attributes:
        url: of the page.
    """

    def __init__(
        self, listening: socket.socket, name: str, command: Sequence[str], title: str, begin: Callable[[], None]
    ) -> None:
        address, port = listening.getsockname()[:2]
        self.url = f"http://{bracketed(name)}:{port}/"
        self._listening = listening
        self._admission = Admission(name, address)
        self._command = command
        self._page = Template((OURS / "page.html").read_text("utf-8")).substitute(title=html.escape(title))
        self._begin = begin
        self._watching: dict[asyncio.Task[None], Viewer] = {}
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="simbench-serving", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        self._begin()
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(self._application(), handle_signals=False, access_log=None, shutdown_timeout=PARTING_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening).start()
            await self._over.wait()
            await self._part()
        finally:
            await runner.cleanup()

    async def _part(self) -> None:
        """Leave every page when it shows the end, also one whose browser no longer takes anything."""
        if self._watching:
            drawn: list[asyncio.Task[Any]] = [
                asyncio.create_task(viewer.drawn.wait()) for viewer in self._watching.values()
            ]
            _, late = await asyncio.wait(drawn, timeout=PARTING_S)
            for task in late:
                task.cancel()
            await asyncio.sleep(LAST_LOOK_S)
        parting = [
            asyncio.create_task(viewer.part(ENDED, WSCloseCode.GOING_AWAY)) for viewer in self._watching.values()
        ]
        for tasks in ([*parting, *self._watching], [*parting, *self._watching]):
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=PARTING_S)
                for task in late:
                    task.cancel()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._admit])
        application.add_routes(
            [
                web.get("/", self._index),
                web.get("/ws", self._watch),
                web.static("/static", THEIRS),
                web.static("/page", OURS),
            ]
        )
        application.on_response_prepare.append(_protect)
        return application

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self._admission.host(request.headers) is None:
            raise web.HTTPForbidden(text="this server has another name\n")
        return await handler(request)

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html")

    async def _watch(self, request: web.Request) -> web.WebSocketResponse:
        if not self._admission.same_origin(request.headers):
            raise web.HTTPForbidden(text="a page of another site, or none, asked for the terminal\n")
        if self._over.is_set() or len(self._watching) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"the run is over, or {MOST_VIEWERS} pages watch it already\n")
        websocket = web.WebSocketResponse(
            timeout=PARTING_S / 2, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=LONGEST
        )
        viewer = Viewer(self._command, websocket)
        width, height = (_whole(request.query.get(name, "")) for name in ("width", "height"))

        async def watch() -> None:
            await websocket.prepare(request)
            await viewer.watch(width or 80, height or 24)

        task = asyncio.create_task(watch())
        self._watching[task] = viewer
        try:
            await task
        finally:
            del self._watching[task]
        return websocket


async def _protect(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
