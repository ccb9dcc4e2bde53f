"""The control block carries commands from many writers to one replayer, in order and whole."""

from __future__ import annotations

import os
import threading

import pytest

from simbench.errors import SimbenchError
from simbench.measure.snapshot import Phase
from simbench.replay import control as c
from simbench.replay import gating
from simbench.replay.control import Control, parse_speed, speed_name


def test_a_second_end_sees_what_the_first_wrote() -> None:
    """An attached end shares the words of the one that created the block."""
    first = Control.create()
    second = Control.attach(os.dup(first.fd))
    first.words[c.CURSOR] = 7
    first.words[c.PHASE] = c.PAUSED
    assert second.cursor == 7
    assert second.phase is Phase.PAUSED


def test_a_foreign_descriptor_is_refused() -> None:
    """A memfd that is too small, or of another layout, is one clear error."""
    fd = os.memfd_create("other")
    with pytest.raises(SimbenchError, match="no control block"):
        Control.attach(fd)
    os.ftruncate(fd, c.WORDS * 8)
    with pytest.raises(SimbenchError, match="layout 0"):
        Control.attach(fd)
    os.close(fd)


def test_commands_of_many_writers_are_all_there_once() -> None:
    """Writers in several threads get different tickets, and every command stands in its slot."""
    control = Control.create()
    tickets: list[int] = []

    def write(number: int) -> None:
        tickets.extend(control.send(c.STEP, number * 100 + k) for k in range(10))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arguments = {int(control.words[c.QUEUE + k * c.SLOT + 2]) for k in range(40)}
    assert sorted(tickets) == list(range(1, 41))
    assert arguments == {number * 100 + k for number in range(4) for k in range(10)}


def test_a_full_queue_refuses() -> None:
    """A replayer that takes no commands makes writers come back empty-handed instead of hanging."""
    control = Control.create()
    taken = [control.pause() for _ in range(c.SLOTS)]
    assert taken[-1] == 0
    assert control.words[c.TAIL] < c.SLOTS
    control.words[c.HEAD] = 1
    assert control.pause() > 0


@pytest.mark.parametrize(("text", "ppm"), [("1", 1_000_000), ("0.5x", 500_000), ("x10", 10_000_000), ("max", 0)])
def test_a_speed_is_read_as_users_write_it(text: str, ppm: int) -> None:
    """Factors and the two words are understood, and named again."""
    assert parse_speed(text) == ppm
    assert parse_speed(speed_name(ppm)) == ppm


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "nan", "inf", "1e99"])
def test_a_speed_that_is_none_is_one_clear_error(text: str) -> None:
    """Whatever is no positive factor is refused in one line."""
    with pytest.raises(SimbenchError, match="is not a factor"):
        parse_speed(text)


def test_a_request_to_the_gate_is_one_word_and_differs_from_the_one_before() -> None:
    """The same again is another request; without a gate nothing is asked."""
    control = Control.create()
    assert control.gate(gating.GAP) == 0
    assert control.words[c.GATE] == 0
    control.words[c.GATE_STANDS] = gating.IS_OPEN
    seen = set()
    for way, count in ((gating.MESSAGES, 7), (gating.MESSAGES, 7), (gating.CHANGE, gating.MOST), (gating.OPEN, -5)):
        assert control.gate(way, count) == 1
        word = int(control.words[c.GATE])
        assert (gating.way_of(word), gating.count_of(word)) == (way, max(count, 0))
        seen.add(word)
    assert len(seen) == 4
    assert gating.way_of(gating.request((1 << 62) - 1, 15)) == gating.OPEN
    os.close(control.fd)
