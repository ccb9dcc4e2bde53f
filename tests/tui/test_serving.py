"""The terminal as a web page: who is let in, what the page loads, and what a process behind it draws and is told."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

aiohttp = pytest.importorskip("aiohttp", reason="--serve needs aiohttp: pip install 'simbench[serve]'")
serving = pytest.importorskip("simbench_tui.serving", reason="--serve needs textual-serve")

from simbench_tui.admission import Admission  # noqa: E402

from simbench.errors import SimbenchError  # noqa: E402 - what is skipped without

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import ClientSession, ClientWebSocketResponse
    from simbench_tui.serving import Serving

# Speaks as Textual's web driver does: begins, draws what it is told, leaves when it is told to.
ECHO = """
import sys
read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
def packet(kind, content):
    write(kind + len(content).to_bytes(4, "big") + content)
    sys.stdout.buffer.flush()
write(b"prelude\\n__GANGLION__\\n")
packet(b"D", b"drawn " * 200)
while head := read(5):
    content = read(int.from_bytes(head[1:], "big"))
    packet(b"D", head[:1] + content)
    if b"quit" in content:
        packet(b"M", b'{"type": "exit"}')
        break
"""
STUBBORN = """
import sys, time
sys.stdout.buffer.write(b"__GANGLION__\\nD\\0\\0\\x08\\0" + bytes(2048))
sys.stdout.buffer.flush()
time.sleep(999)
"""
TITLE = '<script>"&'


@pytest.fixture
def server() -> Iterator[Serving]:
    """A server whose viewers are told everything back."""
    with started("-c", ECHO) as running:
        yield running


def started(*arguments: str) -> Serving:
    """Return a server whose viewers are Python with these arguments."""
    listening = serving.listen("127.0.0.1", 0)
    return serving.Serving(listening, "127.0.0.1", (sys.executable, *arguments), TITLE, lambda: None)


@asynccontextmanager
async def watching(server: Serving, **headers: str) -> AsyncIterator[tuple[ClientSession, ClientWebSocketResponse]]:
    """Open the WebSocket as the page does."""
    headers = {"Origin": server.url.rstrip("/"), **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}ws?width=100&height=30", headers=headers) as websocket,
    ):
        yield session, websocket


async def fetched(url: str, **headers: str) -> tuple[int, str, Any]:
    """Return status, text and headers."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_the_page_loads_nothing_from_elsewhere(server: Serving) -> None:
    """Every address in it is of this server and answers; its title is the capture's, whatever that is called."""
    status, page, headers = await fetched(server.url)
    assert status == 200
    assert "&lt;script&gt;&quot;&amp; - simbench" in page
    assert TITLE not in page
    style = (await fetched(server.url + "page/page.css"))[1]
    assert not re.search(r"(https?:)?//\w", page + style)
    addresses = [*re.findall(r'(?:src|href)="(/[^"]+)"', page)]
    assert len(addresses) == 4
    for address in (*addresses, *re.findall(r'url\("(/[^"]+)"\)', style)):
        async with aiohttp.ClientSession() as session, session.get(server.url + address[1:]) as answer:
            assert (answer.status, len(await answer.read()) > 100) == (200, True), address
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["", "ws", "page/page.js", "static/js/textual.js", "nothing"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "a@127.0.0.1", "192.0.2.1"])
async def test_another_host_is_refused(server: Serving, path: str, host: str) -> None:
    """A name of somebody else's that resolves to this machine gets nothing at all (DNS rebinding)."""
    status, text, _ = await fetched(server.url + path, Host=host, Origin=f"http://{host}")
    assert status in {400, 403}
    assert "simbench" not in text


async def test_no_folder_is_listed_and_none_left(server: Serving) -> None:
    """Static files are those of the two folders, by their names."""
    for path in ("static/", "page/", "page/..%2fserving.py", "static/%2e%2e/server.py", "download/1"):
        assert (await fetched(server.url + path))[0] in {403, 404}, path


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://", ""]
)
async def test_a_websocket_from_another_origin_is_refused(server: Serving, origin: str) -> None:
    """A page of another site, or of another port, is not let in."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with watching(server, Origin=origin):
            pass
    assert refused.value.status == 403


async def test_a_tunnel_has_a_port_of_its_own(server: Serving) -> None:
    """Behind `ssh -L` the page is at another port: name and port of Origin are those of Host, and that is enough."""
    async with watching(server, Host="localhost:9999", Origin="http://localhost:9999") as (_, websocket):
        assert (await websocket.receive_bytes()).startswith(b"drawn")


async def test_pictures_go_out_and_keys_come_in(server: Serving) -> None:
    """What the process draws is sent as it is; keys, size and focus reach it; it ends with its page."""
    async with watching(server) as (_, websocket):
        assert (await websocket.receive_bytes()).startswith(b"drawn")
        await websocket.send_json(["stdin", "q\u20ac"])
        assert await websocket.receive_bytes() == "Dq\u20ac".encode()
        await websocket.send_json(["resize", {"width": 10**9, "height": -1}])
        size = json.loads((await websocket.receive_bytes())[1:])
        assert size == {"type": "resize", "width": 1000, "height": 10}
        await websocket.send_json(["focus"])
        assert json.loads((await websocket.receive_bytes())[1:]) == {"type": "focus"}
        await websocket.send_json(["ping", "1"])
        assert await websocket.receive_json() == ["pong", "1"]
        assert len(server._watching) == 1
    while server._watching:  # noqa: ASYNC110 - the condition is another thread's
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", '["stdin"]', '["resize", {"width": "1", "height": 2}]', "[[[[", b"\xff"]
)
async def test_what_is_no_message_ends_that_page_alone(server: Serving, said: str | bytes) -> None:
    """One line says why, and the next page is served."""
    async with watching(server) as (_, websocket):
        await websocket.receive_bytes()
        await (websocket.send_bytes(said) if isinstance(said, bytes) else websocket.send_str(said))
        reason = await ending(websocket)
        assert reason == "the page sent what is not of its protocol"
    async with watching(server) as (_, websocket):
        assert (await websocket.receive_bytes()).startswith(b"drawn")


async def ending(websocket: ClientWebSocketResponse) -> str:
    """Return the reason that a WebSocket was closed for."""
    while (message := await websocket.receive()).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type is aiohttp.WSMsgType.BINARY
    return str(message.extra)


async def test_a_process_that_fails_says_why_on_the_page() -> None:
    """The last line that it wrote, and no traceback anywhere."""
    with started("-c", "import sys; sys.exit('simbench: no run of yours goes on here')") as server:
        async with watching(server) as (_, websocket):
            assert await ending(websocket) == "simbench: no run of yours goes on here"


async def test_the_end_is_said_and_nothing_is_left() -> None:
    """Also of a process that would not leave: it is killed."""
    server = started("-c", STUBBORN).__enter__()
    async with watching(server) as (_, websocket):
        await websocket.receive_bytes()
        left = asyncio.create_task(asyncio.to_thread(server.__exit__))
        assert await ending(websocket) == "the run has ended; this was its last moment"
        await left
    assert not server._watching
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetched(server.url)


async def test_there_are_only_so_many(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page in a loop does not fill the machine with processes."""
    monkeypatch.setattr(serving, "MOST_VIEWERS", 1)
    async with watching(server):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with watching(server):
                pass
    assert refused.value.status == 503


def test_a_port_that_is_taken_is_said() -> None:
    """In one line, before anything else is started."""
    with serving.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(SimbenchError, match=rf"cannot serve on 127\.0\.0\.1:{port}: Address already in use"):
            serving.listen("127.0.0.1", port)
    with pytest.raises(SimbenchError, match="cannot serve on"):
        serving.listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("name", "address", "host", "taken"),
    [
        ("127.0.0.1", "127.0.0.1", "LocalHost:80", True),
        ("::1", "::1", "[::1]:8000", True),
        ("127.0.0.1", "127.0.0.1", "10.0.0.1", False),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1:8000", True),
        ("10.0.0.1", "10.0.0.1", "localhost", False),
        ("bench.lan", "10.0.0.1", "bench.lan:8000", True),
        ("0.0.0.0", "0.0.0.0", "10.0.0.1:8000", True),  # noqa: S104 - asked for
        ("0.0.0.0", "0.0.0.0", "evil.example", False),  # noqa: S104 - likewise
        ("::", "::", "[2001:db8::1]", True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:80:80", False),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1/", False),
    ],
)
def test_which_names_are_the_servers(name: str, address: str, host: str, taken: bool) -> None:
    """Those of the address; with any address, every address (which needs no name that could be somebody's)."""
    from multidict import CIMultiDict, CIMultiDictProxy

    headers = CIMultiDictProxy(CIMultiDict({"Host": host}))
    assert (Admission(name, address).host(headers) is not None) is taken
