"""The store of a re-request server: every message once, whatever the lines were cut like, and none before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mold_packets import SESSION, block, packet, read
from small_feeds import ITCH, frames, rewrite

from simbench.capture.reader import open_capture
from simbench.recovery import store as s
from simbench.recovery.store import Store, gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOREVER = (1 << 63) - 1
WANTED = np.ones(1, np.uint8)


@pytest.fixture
def store() -> Iterator[Store]:
    """Return an empty store, closed in the end."""
    with Store() as made:
        yield made


def filled(store: Store, payloads: Sequence[tuple[int, bytes]], at_once: int = 1000) -> Store:
    """Give a store datagrams, (stamp, payload) each, in blocks."""
    for start in range(0, max(len(payloads), 1), at_once):
        data, rows = block(payloads[start : start + at_once])
        store.take(data, rows, WANTED, verify=True)
    store.finish()
    return store


def ask(
    store: Store, first: int, count: int, session: bytes = SESSION, until: int = FOREVER, limit: int = 1400
) -> list[bytes]:
    """Return the messages of an answer."""
    out = np.zeros(65_507, np.uint8)
    units, length = store.pack(session, first, count, until=until, limit=limit, out=out)
    assert length <= limit or units == 1
    out[10:18] = np.frombuffer(first.to_bytes(8, "big"), np.uint8)
    out[18:20] = np.frombuffer(units.to_bytes(2, "big"), np.uint8)
    return read(out[:length].tobytes())[2]


def message(session: int, sequence: int) -> bytes:
    """Return the one message that this sequence of a session is."""
    return f"{session}/{sequence}/".encode() * (1 + sequence % 5)


def named(session: int) -> bytes:
    """Return the name of a session."""
    return b"SESSION%03d" % session


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 60), st.integers(0, 9)),
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_every_message_once_in_any_cut_and_order(sent: list[tuple[int, int, int]], at_once: int) -> None:
    """However datagrams overlap, repeat and are disordered: what is asked for comes, up to the first that never did."""
    payloads = [
        (0, packet(first, [message(session, first + k) for k in range(units)], named(session)))
        for session, first, units in sent
    ]
    known = {(session, first + k) for session, first, units in sent for k in range(units)}
    with Store() as store:
        filled(store, payloads, at_once)

        assert store.messages == len(known)
        for session in range(3):
            for first in range(1, 71):
                expected = []
                while (session, first + len(expected)) in known and len(expected) < 8:
                    expected.append(message(session, first + len(expected)))
                assert ask(store, first, 8, named(session)) == expected


@pytest.mark.parametrize("rows", [1, 2])
def test_small_buffers_lose_nothing(store: Store, rows: int) -> None:
    """What does not fit the buffer between kernel and file is written away in between, also within one datagram."""
    store._rows = np.zeros(rows, store._rows.dtype)
    store._bytes = np.zeros(200, np.uint8)
    store._holes = np.zeros((1, 3), np.int64)
    singles = [(0, packet(n, [message(0, n)])) for n in range(2, 60, 2)]
    whole = [(0, packet(n, [message(0, n + k) for k in range(6)])) for n in range(1, 60, 6)]

    filled(store, singles + whole)

    assert store.messages == 60
    assert store.sessions == {SESSION: (1, 60)}
    assert [ask(store, n, 1) for n in range(1, 61)] == [[message(0, n)] for n in range(1, 61)]


def test_answer_ends_where_the_datagram_is_full(store: Store) -> None:
    """As many messages as fit and no more; one is sent however long it is."""
    filled(store, [(0, packet(1, [b"x" * 100] * 20)), (0, packet(21, [b"y" * 2000]))])

    assert len(ask(store, 1, 30, limit=20 + 102 * 7)) == 7
    assert len(ask(store, 1, 30, limit=20 + 102 * 7 - 1)) == 6
    assert ask(store, 19, 30, limit=1400) == [b"x" * 100] * 2
    assert ask(store, 21, 30, limit=1400) == [b"y" * 2000]


def test_nothing_is_answered_before_it_was_sent(store: Store) -> None:
    """What the capture holds from a later time is not there yet, and this is told apart from what there never is."""
    filled(store, [(1000, packet(1, [b"a", b"b"])), (2000, packet(3, [b"c"])), (3000, packet(4, [b"d"]))])

    assert ask(store, 1, 9, until=2999) == [b"a", b"b", b"c"]
    assert store.early
    assert ask(store, 1, 9, until=3000) == [b"a", b"b", b"c", b"d"]
    assert not store.early
    assert (ask(store, 4, 1, until=2000), store.early) == ([], True)
    assert (ask(store, 5, 1, until=FOREVER), store.early) == ([], False)


def test_malformed_datagrams_give_what_is_whole_of_them(store: Store) -> None:
    """A datagram that promises more than it holds is counted, and its whole messages can be had."""
    cut = packet(1, [b"first", b"second", b"third"])[:-3]

    filled(store, [(0, cut), (0, b"short"), (0, packet(9, [])), (0, packet(3, [b"other"]))])

    assert store.words[s.g.MALFORMED] == 2
    assert ask(store, 1, 9) == [b"first", b"second", b"other"]


def test_real_lines_make_one_whole(itch: Path, tmp_path: Path) -> None:
    """Messages that either line lost are there all the same; they are byte by byte those of the capture."""
    every = frames(itch, ITCH)
    ports = sorted({frame.port for frame in every})
    kept = [frame for n, frame in enumerate(every) if frame.units == 0 or (n // 2) % 3 != ports.index(frame.port)]
    path = rewrite(tmp_path / "holes", kept, "")
    expected = {}
    for frame in every:
        _, first, messages = read(bytes(frame.data[frame.payload :])) if frame.units else (b"", 0, [])
        expected.update({first + k: one for k, one in enumerate(messages)})
    found = [{frame.sequence + k for frame in kept if frame.port == port for k in range(frame.units)} for port in ports]
    assert found[0] != found[1]
    here = sorted(found[0] | found[1])
    assert len(here) > 1000

    (store,) = gather(open_capture(path), [lambda flow: int(flow["port"]) in ports], verify=True)
    with store:
        (name,) = store.sessions
        assert store.messages == len(here)
        assert [ask(store, n, 1, name) for n in here] == [[expected[n]] for n in here]


def test_only_the_lines_asked_for_are_gathered(itch: Path) -> None:
    """A flow that is no line of a channel adds nothing to it."""
    nothing, all_of_it = gather(open_capture(itch), [lambda _: False, lambda _: True], verify=True)

    with nothing, all_of_it:
        assert (nothing.messages, nothing.sessions) == (0, {})
        assert all_of_it.messages >= 2000
        assert ask(nothing, 1, 5) == []


def test_wrong_checksums_are_loss_where_they_are_verified(store: Store) -> None:
    """A datagram that the receiver would drop for its checksum is no source of messages."""
    data, rows = block([(0, packet(1, [b"a"])), (0, packet(2, [b"b"]))])
    rows["flags"][0] = s.g.BAD_UDP_CHECKSUM
    store.take(data, rows, WANTED, verify=True)
    store.finish()

    assert store.sessions == {SESSION: (2, 2)}
