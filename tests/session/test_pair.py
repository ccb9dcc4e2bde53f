"""`replay` and `receive` as two commands that know nothing of each other, at the ends of a veth pair."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pyroute2 import IPRoute
from runs import children, command, frames_of, same, until
from small_feeds import ITCH, MDP3, ladders, levels

from simbench.wire import namespace

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.wire.probe import Capabilities

pytestmark = pytest.mark.wire

NEAR, FAR = "near0", "far0"  # the replayer's end and the receiver's


@pytest.fixture
def ends(capabilities: Capabilities) -> Iterator[tuple[int, int]]:
    """Return the namespaces of the replayer and of the receiver, joined by a veth pair; skip where there are none."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)
    near, far = namespace.create(), namespace.create()
    try:
        namespace.create_veth(near, far, (NEAR, FAR))
        yield near, far
    finally:
        os.close(near)
        os.close(far)


def listens(receiver: subprocess.Popen[str]) -> bool:
    """Wait for the line that says so, as a script would; false where the command ends without it."""
    assert receiver.stderr is not None
    return f"listening on {FAR}\n" in iter(receiver.stderr.readline, "")


def definition(path: Path) -> Path:
    """Return the feed.toml beside a capture."""
    return path.parent / "feed.toml"


@pytest.mark.parametrize(
    ("stack", "protocol", "number"), [("xdp", ITCH, signal.SIGINT), ("udp", MDP3, signal.SIGTERM)], ids=["xdp", "udp"]
)
def test_two_commands_come_to_what_offline_comes_to(
    stack: str,
    protocol: str,
    number: signal.Signals,
    ends: tuple[int, int],
    itch: Path,
    mdp3: Path,
    offline: dict[Path, dict[str, Any]],
    tmp_path: Path,
) -> None:
    """One sends, the other receives until it is told to end: its report has the books of offline, no gap, its clock."""
    path = itch if protocol == ITCH else mdp3
    frames = offline[path]["capture"]["frames"]
    target = tmp_path / "received.json"
    began = time.time_ns()
    options = ("--on", FAR, "--feed", definition(path), "--stack", stack, "--headless", "--json", target)
    exports = ("--hgrm", tmp_path / "tables", "--hlog", tmp_path / "seconds.hlog")
    with command("receive", *options, *exports, netns_fd=ends[1]) as receiver:
        assert listens(receiver)
        pace = ("--speed", "10", "--max-idle", "10ms")
        with command("replay", path, "--to", NEAR, *pace, netns_fd=ends[0]) as replayer:
            sent, err = replayer.communicate()
        assert (replayer.returncode, err) == (0, "")
        assert f"{frames:,} of {frames:,} frames sent on {NEAR}" in sent
        assert until(lambda: frames_of(receiver.pid) == frames or receiver.poll() is not None)
        receiver.send_signal(number)
        out, err = receiver.communicate()

    found = msgspec.json.decode(target.read_bytes(), type=dict[str, Any])
    assert (receiver.returncode, "Traceback" in out + err) == (0, False)
    assert f"nic:{FAR} {stack}, spin" in out
    assert (found["received"], found["drops"]) == (frames, {})
    same(offline[path], found)
    assert f"Total count    = {frames:12d}]" in (tmp_path / "tables" / "app_book.hgrm").read_text(encoding="utf-8")
    assert "Tag=app_book," in (tmp_path / "seconds.hlog").read_text(encoding="utf-8")
    moments = [began, found["book"]["capture"]["first_ns"], found["book"]["channels"][0]["epochs"][0]["opened_ns"]]
    moments += [found["book"]["capture"]["last_ns"], time.time_ns()]
    assert sorted(map(int, moments)) == [int(moment) for moment in moments]


def test_a_served_snapshot_feed_is_enough_for_the_final_books(
    ends: tuple[int, int], mdp3: Path, offline: dict[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """One sends the loop behind the last frame and ends; a receiver that has heard no line has every level by then."""
    target, waiting = tmp_path / "received.json", tmp_path / "feed.toml"
    snapshots = '\n[[channel.feed]]\nrole = "snapshot"\ngroup = "239.192.31.9:14999"\n'
    waiting.write_text(definition(mdp3).read_text(encoding="utf-8") + snapshots, encoding="utf-8")
    options = ("--on", FAR, "--feed", waiting, "--recover", "snapshot", "--headless", "--json", target)
    with command("receive", *options, netns_fd=ends[1]) as receiver:
        assert listens(receiver)
        with command("serve", mdp3, "--feed", waiting, "--on", NEAR, "--cycle", "1100ms", netns_fd=ends[0]) as server:
            sent, err = server.communicate()
        assert (server.returncode, err) == (0, "")
        said = re.search(
            rf"snapshots to 239\.192\.31\.9:14999 on {NEAR}, every 1\.1 s\n.*snapshot packets (\d+)", sent, re.DOTALL
        )
        assert said is not None, sent
        assert until(lambda: frames_of(receiver.pid) == int(said[1]) or receiver.poll() is not None)
        receiver.send_signal(signal.SIGINT)
        receiver.communicate()

    found = msgspec.json.decode(target.read_bytes(), type=dict[str, Any])
    assert levels(offline[mdp3]) > 50
    assert ladders(found["book"]) == ladders(offline[mdp3])
    assert {line["datagrams"] for line in found["book"]["channels"][0]["lines"]} == {0}


def test_a_snapshot_feed_that_is_interrupted_says_what_it_sent(ends: tuple[int, int], mdp3: Path) -> None:
    """Ctrl-C ends it between two loops, with exit code 0."""
    with command("serve", mdp3, "--on", NEAR, "--cycle", "1h", netns_fd=ends[0]) as server:
        assert server.stdout is not None
        assert "Ctrl-C ends\n" in iter(server.stdout.readline, "")
        server.send_signal(signal.SIGINT)
        out, err = server.communicate()
    assert (server.returncode, out, err) == (0, "nothing was sent\n", "")


def test_receiver_ends_when_its_time_is_up(ends: tuple[int, int], itch: Path) -> None:
    """On a silent interface as well: nothing received, nothing lost, exit 0."""
    options = ("--on", FAR, "--feed", definition(itch), "--seconds", "0.1", "--headless")
    with command("receive", *options, netns_fd=ends[1]) as receiver:
        out, err = receiver.communicate()

    assert (receiver.returncode, "Traceback" in out + err) == (0, False)
    assert f"listening on {FAR}" in err
    assert "0 frames received" in out


def test_receiver_that_is_interrupted_before_it_listens_ends_at_once(ends: tuple[int, int], itch: Path) -> None:
    """There is nothing to report then, and nothing is left of its process."""
    options = ("--on", FAR, "--feed", definition(itch), "--headless")
    with command("receive", *options, netns_fd=ends[1]) as receiver:
        assert until(lambda: children(receiver.pid) or receiver.poll() is not None)
        (child,) = children(receiver.pid)
        receiver.send_signal(signal.SIGINT)
        out, err = receiver.communicate()

    assert (receiver.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert children(child) == children(receiver.pid) == []


def test_interface_that_may_lead_out_is_refused(ends: tuple[int, int], itch: Path) -> None:
    """A bridge may have a real card behind it: one line that names the option, exit 2, and nothing is sent."""

    def bridge() -> None:
        with IPRoute() as route:
            route.link("add", ifname="br0", kind="bridge")

    namespace.inside(ends[0], bridge)
    with command("replay", itch, "--to", "br0", netns_fd=ends[0]) as replayer:
        out, err = replayer.communicate()

    assert (replayer.returncode, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("simbench: br0 is a bridge: ")
    assert "--allow-physical" in line
