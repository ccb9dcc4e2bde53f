"""The pipeline asks for what both lines lost, takes the answers between two frames, and the books come out whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_feeds import ITCH, MDP3, digests, finish, frames, levels, make, rebuilt, rewrite

from simbench.event import EVENT
from simbench.feed.sequencer import Request, Settings
from simbench.golden.paranoid import Paranoid
from simbench.protocol.contract import EVENT_BUFFER, Options, new_state
from simbench.protocol.registry import load
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from small_feeds import Frame

SERVER = '\n[[channel.feed]]\nrole = "retransmission"\ngroup = "10.0.0.1:17000"\n'
HOLES = 8
ASKING = Settings(recover="retransmit")


class Server:
    """Answers at once, out of the frames that were sent.

    Args:
        sent: all frames, of both lines.
        most: messages of an answer.
        silent: the first so many requests get no answer.
    """

    def __init__(self, sent: list[Frame], *, most: int = 1000, silent: int = 0) -> None:
        self.requests: list[Request] = []
        self.run: Offline | None = None
        self._most = most
        self._silent = silent
        self._datagrams = {frame.sequence: bytes(frame.data[frame.payload :]) for frame in sent if frame.units > 0}
        self._messages: dict[int, bytes] = {}
        for first, payload in self._datagrams.items():
            at = 20
            for sequence in range(first, first + int.from_bytes(payload[18:20], "big")):
                size = 2 + int.from_bytes(payload[at : at + 2], "big")
                self._messages[sequence] = payload[at : at + size]
                at += size
        self._session = next(iter(self._datagrams.values()))[:10]

    def answer(self, request: Request) -> None:
        """Take a request, as a client would send it, and give back what the server sends."""
        self.requests.append(request)
        if len(self.requests) > self._silent and self.run is not None:
            units = min(request.units, self._most)
            body = b"".join(self._messages[request.first + i] for i in range(units))
            head = self._session + request.first.to_bytes(8, "big") + units.to_bytes(2, "big")
            self.run.receiver.take_answers(request.channel, [head + body])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generated ITCH capture on two lines."""
    return make(tmp_path_factory.mktemp("whole") / "itch", ITCH)


@pytest.fixture(scope="module")
def sent(whole: Path) -> list[Frame]:
    """Return its frames."""
    return frames(whole, ITCH)


@pytest.fixture(scope="module")
def holed(whole: Path, sent: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the capture without some datagrams on both lines, and with a server in its feed."""
    firsts = sorted({frame.sequence for frame in sent if frame.units > 0})
    starts = range(20, len(firsts) - 20, (len(firsts) - 40) // HOLES)[:HOLES]
    gone = {firsts[start + i] for start in starts for i in range(3)}
    assert len(gone) == 3 * HOLES
    kept = [frame for frame in sent if frame.units == 0 or frame.sequence not in gone]
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8") + SERVER
    return rewrite(tmp_path_factory.mktemp("holed") / "itch", kept, definition)


def recovered(path: Path, server: Server, settings: Settings = ASKING) -> dict[str, Any]:
    """Rebuild a capture with a server to ask, beside the reference book, and return the result."""
    source = open_source(path)
    paranoid = Paranoid(source)
    server.run = run = Offline(source, on_events=paranoid.apply, settings=settings)
    run.receiver.on_request = server.answer
    finish(run)
    assert paranoid.differences(run.receiver) == []
    return run.result()


def test_every_hole_is_closed_by_a_retransmission(whole: Path, holed: Path, sent: list[Frame]) -> None:
    """One request a hole, one record each that says so, and the books of the capture without holes."""
    server = Server(sent)
    found, expected = recovered(holed, server), rebuilt(whole)
    assert levels(expected) > 50
    assert digests(found) == digests(expected)
    gaps = found["channels"][0]["gaps"]
    assert [gap["messages"] for gap in gaps] == [gap["units"] for gap in gaps]
    assert [(gap["outcome"], gap["attempts"]) for gap in gaps] == [("retransmission", 1)] * HOLES
    assert [(request.first, request.units) for request in server.requests] == [
        (gap["first"], gap["last"] - gap["first"] + 1) for gap in gaps
    ]
    assert found["channels"][0]["recovery"]["requests"] == HOLES
    assert found["messages"]["total"] == expected["messages"]["total"]


def test_without_recovery_they_are_lost(whole: Path, holed: Path) -> None:
    """The same capture: the holes matter, and nothing is asked for."""
    found, expected = rebuilt(holed), rebuilt(whole)
    assert [gap["outcome"] for gap in found["channels"][0]["gaps"]] == ["lost"] * HOLES
    assert digests(found) != digests(expected)
    assert found["channels"][0]["recovery"]["requests"] == 0


def test_answers_of_one_message_are_put_together(whole: Path, holed: Path, sent: list[Frame]) -> None:
    """Each leaves a rest, which is asked for at once; order and books are right all the same."""
    server = Server(sent, most=1)
    found = recovered(holed, server)
    assert digests(found) == digests(rebuilt(whole))
    assert len(server.requests) == sum(gap["last"] - gap["first"] + 1 for gap in found["channels"][0]["gaps"]) > HOLES


def test_a_server_that_refuses_costs_the_gap_and_nothing_else(whole: Path, holed: Path, sent: list[Frame]) -> None:
    """After three requests in vain the hole is given up; the others are closed."""
    server = Server(sent, silent=3)
    found = recovered(holed, server, Settings(recover="retransmit", request_ns=1))
    ends = [(gap["outcome"], gap["cause"], gap["attempts"]) for gap in found["channels"][0]["gaps"]]
    assert ends[0] == ("lost", "unanswered", 3)
    assert ends[1:] == [("retransmission", "filled", 1)] * (HOLES - 1)
    assert digests(found) != digests(rebuilt(whole))


def test_a_channel_without_a_server_asks_nobody(whole: Path, holed: Path, sent: list[Frame]) -> None:
    """Recovery is on, and the feed names no server: the holes are lost as without it."""
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    (holed.parent / "alone.toml").write_text(definition, encoding="utf-8")
    run = Offline(open_source(holed, feed=holed.parent / "alone.toml"), settings=ASKING)
    server = Server(sent)
    run.receiver.on_request = server.answer
    finish(run)
    assert server.requests == []
    assert [gap["cause"] for gap in run.result()["channels"][0]["gaps"]] == ["time"] * HOLES


def test_without_holes_nothing_changes(whole: Path, sent: list[Frame], tmp_path: Path) -> None:
    """Recovery that has nothing to do is not to be seen in any result but its own counters."""
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8") + SERVER
    path = rewrite(tmp_path / "itch", sent, definition)
    server = Server(sent)
    found, expected = recovered(path, server), rebuilt(path)
    assert server.requests == []
    assert levels(found) > 50
    assert found == expected


def instruments_in(datagram: bytes) -> set[int]:
    """Return the instruments that an MDP 3 packet names."""
    data = np.frombuffer(datagram, np.uint8).copy()
    spoken, events = load(MDP3), np.zeros(EVENT_BUFFER, EVENT)
    count = spoken.decode(data, 12, len(data), 0, new_state(spoken, Options()), events)
    return set(events["instrument"][:count].tolist()) - {0}


def messages_in(datagram: bytes) -> int:
    """Count the messages of an MDP 3.0 packet by their sizes."""
    at = count = 0
    while 12 + at < len(datagram):
        at += int.from_bytes(datagram[12 + at : 14 + at], "little")
        count += 1
    return count


def test_a_gap_of_packets_tells_how_many_messages_were_in_it(tmp_path: Path) -> None:
    """Where a sequence counts packets: what filled the hole is counted, line or server; of a lost one nobody knows."""
    sent = frames(make(tmp_path / "mdp3", MDP3), MDP3)
    first_line = min(frame.port for frame in sent)
    for frame in sent:
        frame.stamp += 0 if frame.port == first_line else 9_000_000  # so that line A reveals what it lost itself
    sent.sort(key=lambda frame: frame.stamp)
    places = {(frame.port == first_line, frame.sequence): place for place, frame in enumerate(sent)}
    datagrams = {frame.sequence: bytes(frame.data[frame.payload :]) for frame in sent}
    firsts = sorted(datagrams)
    lost = firsts[120:122]
    asked = next([n, n + 1, n + 2] for n in firsts[20:110] if messages_in(datagrams[n]) > 1)
    alone = next([n, n + 1] for n in firsts[130:] if places[True, n + 2] < places[False, n])
    kept = [
        frame
        for frame in sent
        if frame.sequence not in {*asked, *lost} and not (frame.sequence in alone and frame.port == first_line)
    ]
    definition = (tmp_path / "mdp3" / "feed.toml").read_text(encoding="utf-8") + SERVER
    path = rewrite(tmp_path / "holed", kept, definition)
    run = Offline(open_source(path), settings=Settings(recover="retransmit", request_ns=1))

    def answer(request: Request) -> None:
        found = [datagrams[request.first + i] for i in range(request.units) if request.first + i in asked]
        run.receiver.take_answers(request.channel, found)

    run.receiver.on_request = answer
    finish(run)
    told = {
        gap["first"]: (gap["last"], gap["outcome"], gap["messages"])
        for gap in run.receiver.state.sequencer.records(0)
        if gap["first"] in (alone[0], asked[0], lost[0])
    }
    assert told == {
        alone[0]: (alone[-1], "other line", sum(messages_in(datagrams[first]) for first in alone)),
        asked[0]: (asked[-1], "retransmission", sum(messages_in(datagrams[first]) for first in asked)),
        lost[0]: (lost[-1], "lost", None),
    }
    assert told[asked[0]][2] > len(asked)
    touched = {gap["first"]: gap["instruments"] for gap in run.result()["channels"][0]["gaps"]}
    assert touched[asked[0]] == len(set.union(*(instruments_in(datagrams[first]) for first in asked)))
    assert 1 <= touched[lost[0]] <= len(set.union(*(instruments_in(datagrams[first]) for first in lost)))
