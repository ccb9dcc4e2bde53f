"""The block of memory: it grows without losing anything, and a copy of it is a checkpoint."""

import numpy as np
import pytest
from feed_driver import Driver, Settings

from simbench.errors import SimbenchError
from simbench.feed import layout as at
from simbench.feed.sequencer import Sequencer
from simbench.feed.state import ROWS


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every table as small as one packet allows."""
    for table, (words, rows, limit) in ROWS.items():
        monkeypatch.setitem(ROWS, table, (words, min(rows, 40) if rows > 16 else rows, limit))


def hop(driver: Driver, count: int, start: int = 10) -> None:
    """Offer every second packet on line 0 and every third on line 1: holes, records and ranges on both."""
    for step in range(count):
        driver.offer(0, start + 2 * step, now=step)
        driver.offer(1, start + 3 * step, now=step)


def test_growing_loses_nothing(small: None) -> None:
    """The same packets into small tables and large ones: equal in everything that can be seen."""
    settings = Settings(count=50)
    large, grown = Driver(2, settings, checked=False), Driver(2, settings, checked=False)
    large.sequencer.grow()
    for driver in (large, grown):
        for stream in range(9):
            driver.offer(0, 5, stream=stream)
        hop(driver, 300)
    assert grown.grown >= 3
    grown.sequencer.check()
    assert grown.out == large.out
    for what in ("lines", "records", "epochs"):
        assert getattr(grown.sequencer, what)(0) == getattr(large.sequencer, what)(0)


def test_nothing_has_changed_when_room_is_asked_for(small: None) -> None:
    """NEED_ROOM leaves every counter and list as it was."""
    driver = Driver(2, Settings(count=50))
    seen = 0
    plain = driver.grow

    def compare() -> None:
        nonlocal seen
        seen += 1
        driver.check()
        held = [driver.sequencer.lines(0), driver.sequencer.records(0), driver.sequencer.open_holes(0)]
        plain()
        assert held == [driver.sequencer.lines(0), driver.sequencer.records(0), driver.sequencer.open_holes(0)]

    driver.grow = compare  # type: ignore[method-assign]
    hop(driver, 200)
    assert seen > 2


def test_a_large_packet_makes_the_slots_grow() -> None:
    """A held jumbo datagram is kept whole, and what was held before it too."""
    driver = Driver(1)
    driver.offer(0, 1)
    driver.offer(0, 3, 5)
    driver.offer(0, 8, 9, size=9000)
    driver.offer(0, 17, 2, size=65_535)
    driver.offer(0, 2)
    assert driver.units() == list(range(1, 19))
    assert driver.sequencer.memory[at.SLOT_BYTES] == 65_536


def test_a_copy_is_a_checkpoint() -> None:
    """From a copy taken in the middle of a hole everything comes out as from the original."""
    driver = Driver(2)
    hop(driver, 40)
    driver.offer(0, 500, now=40)
    other = Driver(2)
    other.sequencer, other.out = driver.sequencer.copy(), driver.out.copy()
    before = other.sequencer.memory.copy(), other.sequencer.slab.copy()
    hop(driver, 60, start=300)
    driver.finish(10**9)
    assert np.array_equal(before[0], other.sequencer.memory)
    assert np.array_equal(before[1], other.sequencer.slab)
    hop(other, 60, start=300)
    other.finish(10**9)
    assert driver.out == other.out
    assert np.array_equal(driver.sequencer.memory, other.sequencer.memory)


def test_a_table_at_its_limit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and ranges beyond the limit are counted by name; what is delivered stays right."""
    for table in (at.RECORD, at.RANGE):
        monkeypatch.setitem(ROWS, table, (ROWS[table][0], 4, 4))
    driver = Driver(1, Settings(count=1), checked=False)
    for step in range(20):
        driver.offer(0, 10 + 2 * step)
    driver.finish()
    assert driver.units() == [10 + 2 * step for step in range(20)]
    counters = driver.sequencer.counters()
    assert counters["lost_units"] == 19
    assert counters["unlogged_units"] == 19 - 4
    assert counters["unranged_units"] == 19 - 4


def test_streams_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed whose stream numbers are noise cannot take all memory."""
    monkeypatch.setitem(ROWS, at.STREAM, (0, 2, 4))
    driver = Driver(1)
    assert [driver.offer(0, 1, stream=stream) for stream in range(6)] == ["delivered"] * 4 + ["refused"] * 2
    assert driver.sequencer.counters()["refused"] == 2


def test_more_lines_than_a_record_can_tell_of_are_refused() -> None:
    """The user reads which limit was met."""
    with pytest.raises(SimbenchError, match="17 lines; at most 16"):
        Sequencer.create([2, 17])


def test_every_channel_is_its_own() -> None:
    """Equal streams of two channels do not touch each other, and a new epoch is one channel's."""
    driver = Driver(1)
    driver.sequencer = Sequencer.create([1, 1])
    driver.join(5, channel=0)
    driver.join(7, channel=1)
    driver.sequencer.new_epoch(1, 0)
    assert driver.offer(0, 5, channel=0) == "duplicate"
    assert driver.offer(0, 1, channel=1) == "delivered"
    assert [len(driver.sequencer.epochs(channel)) for channel in (0, 1)] == [1, 2]
