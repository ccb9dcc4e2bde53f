"""What lines and channels are said to be doing, by heartbeats, silence and replay time."""

import pytest
from feed_driver import END_OF_SESSION, HEARTBEAT, UNSEQUENCED, Driver, Settings

from simbench.feed import layout as at
from simbench.feed.sequencer import Sequencer

SECOND = 1_000_000_000
WAIT = 10_000_000
ASKING = Settings(recover="retransmit")


def joined(lines: int = 2, settings: Settings | None = None) -> Driver:
    """Return a driver whose lines have brought 10 at 0."""
    driver = Driver(lines, settings)
    driver.join(10, sent=1)
    return driver


def states(driver: Driver, now: int) -> list[str]:
    """Return the lines' states at a time."""
    return [line["state"] for line in driver.sequencer.lines(0, now=now)]


def test_a_line_goes_stale_and_then_down_as_time_passes_without_a_packet() -> None:
    """Two seconds and ten, not a nanosecond earlier; a line that never spoke is not down."""
    driver = Driver(2)
    driver.offer(0, 10)
    assert states(driver, 0) == ["up", "never"]
    assert states(driver, 2 * SECOND) == ["up", "never"]
    assert states(driver, 2 * SECOND + 1) == ["stale", "never"]
    assert states(driver, 10 * SECOND) == ["stale", "never"]
    assert states(driver, 10 * SECOND + 1) == ["down", "never"]


@pytest.mark.parametrize("flags", [HEARTBEAT, UNSEQUENCED])
def test_any_packet_keeps_a_line_up(flags: int) -> None:
    """A heartbeat or an unsequenced packet is a sign of life like any other; a duplicate, too."""
    driver = joined()
    driver.offer(0, 11, 0, flags=flags, now=5 * SECOND)
    driver.offer(1, 10, now=5 * SECOND)
    assert states(driver, 7 * SECOND) == ["up", "up"]
    assert states(driver, 7 * SECOND + 1) == ["stale", "stale"]


def test_a_line_comes_up_again_with_its_next_packet() -> None:
    """Silence is no end: from down to up in one packet."""
    driver = joined()
    assert states(driver, 30 * SECOND) == ["down", "down"]
    driver.offer(1, 11, now=30 * SECOND)
    assert states(driver, 30 * SECOND) == ["down", "up"]


def test_a_pause_makes_no_line_stale() -> None:
    """In replay time nothing passes: however long the pause, the lines are as they were."""
    driver = joined()
    for _ in range(20):
        driver.tick(SECOND)
    assert states(driver, SECOND) == ["up", "up"]


def test_a_line_is_as_lively_as_its_liveliest_stream() -> None:
    """A quiet unit beside a busy one does not make their line stale."""
    driver = joined(1)
    driver.offer(0, 1, stream=7, now=30 * SECOND)
    assert states(driver, 30 * SECOND) == ["up"]


def test_without_a_time_the_last_packets_counts() -> None:
    """At the end of a capture a line is stale if it was so when the last packet came."""
    driver = joined()
    driver.offer(0, 11, now=5 * SECOND)
    assert [line["state"] for line in driver.sequencer.lines(0)] == ["up", "stale"]


def test_a_gap_keeps_the_states_of_the_lines() -> None:
    """How they stood to the hole, and whether they were alive when it was closed."""
    driver = Driver(3, Settings(wait_ns=5 * SECOND))
    driver.join(10, lines=2)
    driver.tick(6 * SECOND)
    driver.offer(0, 12, now=7 * SECOND)
    driver.offer(0, 13, now=12 * SECOND)
    (gap,) = driver.sequencer.gaps(0, ["A", "B", "C"])
    assert gap["lines"] == {"A": "passed", "B": "silent", "C": "unseen"}
    assert gap["line_states"] == {"A": "stale", "B": "down", "C": "never"}


def test_a_channel_joins_until_nothing_older_can_come() -> None:
    """As long as a hole is waited for; before the first packet, too."""
    driver = Driver(2)
    assert driver.sequencer.state(0) == "joining"
    driver.offer(0, 10)
    assert driver.sequencer.state(0) == "joining"
    driver.offer(1, 10)
    driver.tick(WAIT - 1)
    assert driver.sequencer.state(0) == "joining"
    driver.tick(WAIT)
    assert driver.sequencer.state(0) == "live"


def test_a_channel_waits_for_the_other_line_and_then_for_the_server() -> None:
    """From live to waiting to retransmitting and back to live, as the hole goes."""
    driver = joined(settings=ASKING)
    driver.offer(0, 12, sent=2)
    assert driver.sequencer.state(0) == "waiting"
    driver.tick(WAIT)
    assert driver.sequencer.state(0) == "retransmitting"
    driver.requests(WAIT)
    assert driver.sequencer.state(0) == "retransmitting"
    driver.answer(11, now=WAIT)
    assert driver.sequencer.state(0) == "live"


def test_a_channel_is_in_reset_until_its_living_lines_have_followed() -> None:
    """Line A begins a new session; B is awaited as long as it is not dead."""
    driver = joined()
    driver.offer(0, 1, session=1, sent=2, now=SECOND)
    driver.offer(1, 11, sent=1, now=SECOND)
    assert driver.sequencer.state(0, SECOND) == "reset"
    assert driver.sequencer.state(0, 30 * SECOND) == "live"
    driver.offer(1, 1, session=1, sent=2, now=SECOND)
    assert driver.sequencer.state(0, SECOND) == "live"


def test_a_channel_is_in_reset_while_a_line_seems_to_begin_anew() -> None:
    """Without a sent time one packet alone may be damage: until its line says more, it is in doubt."""
    driver = joined(1)
    for first in range(11, 20):
        driver.offer(0, first)
    driver.offer(0, 1, session=1)
    assert driver.sequencer.state(0) == "reset"
    driver.offer(0, 20)
    assert driver.sequencer.state(0) == "live"
    driver.offer(0, 500_000)
    assert driver.sequencer.state(0) == "live"


def test_a_channel_is_in_reset_when_the_replayer_begins_anew() -> None:
    """After a loop or a jump, until the next packet."""
    driver = joined()
    driver.sequencer.new_epoch(0, 0)
    assert driver.sequencer.state(0) == "reset"
    driver.offer(0, 1)
    driver.offer(1, 1)
    assert driver.sequencer.state(0) == "live"


def test_a_channel_has_ended_when_all_its_streams_have_and_nothing_is_missing() -> None:
    """The end of a session counts when its last hole is closed, and one stream that goes on keeps the channel live."""
    driver = joined(1)
    driver.offer(0, 12, 0, flags=END_OF_SESSION)
    assert driver.sequencer.state(0) == "waiting"
    driver.tick(WAIT)
    assert driver.sequencer.state(0) == "ended"
    driver.offer(0, 1, stream=1)
    assert driver.sequencer.state(0) == "live"


def test_a_channel_that_waits_for_a_snapshot_says_so() -> None:
    """Whoever asks for one sets the channel's word; it says more than any stream's state."""
    driver = joined()
    driver.sequencer.memory[driver.sequencer.memory[at.CHANNEL + at.T_BASE] + at.C_SNAPSHOT] = 1
    assert driver.sequencer.state(0) == "snapshot"


def test_channels_have_states_of_their_own() -> None:
    """A hole in one is not the other's."""
    driver = Driver(1)
    driver.sequencer = Sequencer.create([1, 1])
    for channel in (0, 1):
        driver.join(5, channel=channel)
    driver.offer(0, 7, channel=0)
    assert [driver.sequencer.state(channel) for channel in (0, 1)] == ["waiting", "live"]
