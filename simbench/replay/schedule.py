"""When each frame is due: order, window, idle time, and what of a capture is sent at all.

Due times are offsets at speed 1 from the first frame. In time order frames are sorted by stamp, stably. In file order
a frame stamped before one that precedes it is due together with that one: due times follow the running maximum of the
stamps. A gap longer than max_idle counts as max_idle: the schedule goes on, and the recorded clock skips the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.address import address_of
from simbench.errors import SimbenchError
from simbench.kernel.pure import kernel
from simbench.replay import rebuild as r

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simbench.feed.definition import Channel, Feed, FeedRole, Line
    from simbench.replay.squeeze import Window

    Words = NDArray[np.int64]
    Records = NDArray[Any]

FOREVER: Final = (1 << 63) - 1
UNBOUND: Final = -(1 << 62)

# Words of a survey: what the stamps of the frames chosen tell.
SEEN: Final = 0
FIRST: Final = 1  # earliest stamp
HIGHEST: Final = 2  # latest stamp so far
PREVIOUS: Final = 3  # stamp of the frame before
MOVED: Final = 4  # frames stamped before one that precedes them in the file
BACKWARD: Final = 5  # frames stamped before their predecessor in the file
FARTHEST: Final = 6  # ns: how far a frame's stamp lies behind the highest before it
SURVEY_WORDS: Final = 8

# Words of a timetable, carried from piece to piece.
COUNT: Final = 0  # frames so far
REACHED: Final = 1  # highest stamp so far
DUE: Final = 2  # offset of the last frame
IDLE_CUT: Final = 3  # ns of idle time left out so far
TIMETABLE_WORDS: Final = 4


@dataclass(frozen=True)
class Endpoint:
    """Where a feed is sent to, as feed.toml says it; what is None matches anything.

    Attributes:
        group: "a.b.c.d:port" or "[v6]:port".
        source: address of the sender.
        interface: of the capture.
        capture: which of several.
    """

    group: str
    source: str | None = None
    interface: int | None = None
    capture: int | None = None


@dataclass(frozen=True)
class Options:
    """How a capture becomes a schedule.

    Attributes:
        order: "time" or "file".
        max_idle_ns: longest gap, at speed 1; 0 leaves gaps as they are.
        from_ns: recorded ns since 1970; frames before it are left out, or sent unpaced where primed.
        to_ns: recorded ns; frames of this time and later are left out.
        primed: whether what comes before from_ns is sent first, as fast as the receiver takes it.
        everything: send frames that are not of the feed too.
        as_recorded: send the frames as they are in the capture.
        verify: a wrong checksum is loss, and stays wrong in a rebuilt frame.
        max_frame: bytes of the longest frame that the wire carries.
        windows: that pass faster than the rest, in order.
    """

    order: str = "time"
    max_idle_ns: int = 0
    from_ns: int = UNBOUND
    to_ns: int = FOREVER
    primed: bool = True
    everything: bool = False
    as_recorded: bool = False
    verify: bool = True
    max_frame: int = 65_535
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if self.order not in ("time", "file"):
            raise SimbenchError(f"order {self.order!r} is neither time nor file")
        if self.max_idle_ns < 0 or self.to_ns <= self.from_ns:
            raise SimbenchError("the window to replay is empty: --to has to be later than --from, --max-idle above 0")

    @property
    def prime_until(self) -> int:
        """Recorded ns before which frames are sent unpaced."""
        return self.from_ns if self.primed else UNBOUND

    def words(self) -> Words:
        """Return the options of the rebuilding kernel."""
        words = np.zeros(r.OPTION_WORDS, np.int64)
        words[r.FROM] = UNBOUND if self.primed else self.from_ns
        words[r.TO] = self.to_ns
        words[[r.AS_RECORDED, r.EVERYTHING, r.VERIFY]] = self.as_recorded, self.everything, self.verify
        words[r.MAX_FRAME] = self.max_frame
        return words


@dataclass(frozen=True)
class Plan:
    """What of a capture is sent.

    Attributes:
        frames: that are sent in one loop.
        bytes: of them, as they are sent.
        captured: frames of the capture.
        first_ns: earliest recorded stamp of what is sent, ns since 1970.
        last_ns: latest.
        span_ns: schedule time from the first frame to the last, at speed 1; -1 while it has not been loaded.
        moved: frames that time order puts before a frame that precedes them in the file.
        backward: frames stamped before their predecessor in the file.
        farthest_ns: how far a stamp lies behind the highest before it, at most.
        left_out: frames that stay at home, by cause.
        kept_wrong: frames rebuilt with a wrong checksum, as they had one.
        unseen: frames sent as recorded that a kernel socket will not see, by cause; one may have several.
        sources: what flows are sent from where they are not sent from the recorded source: (group, recorded, sent).
        problem: of the file, in a sentence; "" where there is none.
    """

    frames: int
    bytes: int
    captured: int
    first_ns: int
    last_ns: int
    moved: int
    backward: int
    farthest_ns: int
    left_out: dict[str, int] = field(default_factory=dict)
    kept_wrong: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    sources: tuple[tuple[str, str, str], ...] = ()
    problem: str = ""
    span_ns: int = -1


def endpoints(feed: Feed) -> tuple[Endpoint, ...]:
    """Return where the lines of a feed and the flows beside them are sent to."""
    ends: list[Line | FeedRole] = []
    for channel in feed.channels:
        ends += [*channel.lines, *channel.feeds]
    return tuple(_endpoint(end) for end in ends)


def line_endpoints(channel: Channel) -> tuple[Endpoint, ...]:
    """Return where the lines of a channel are sent to."""
    return tuple(_endpoint(line) for line in channel.lines)


def named_lines(feed: Feed) -> dict[str, tuple[Endpoint, ...]]:
    """Return where the lines of each name are sent to, in all channels; in the order in which the names come."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for channel in feed.channels:
        for line in channel.lines:
            found[line.name] = (*found.get(line.name, ()), _endpoint(line))
    return found


def _endpoint(flow: Line | FeedRole) -> Endpoint:
    return Endpoint(flow.group, flow.source, flow.interface, flow.capture)


def chooser(endpoints: Sequence[Endpoint]) -> Callable[[Any], bool]:
    """Return a predicate over FLOW records: whether a flow is one of these endpoints'; of none, all are."""
    table: dict[tuple[IPv4Address | IPv6Address, int], list[Endpoint]] = {}
    for endpoint in endpoints:
        host, _, port = endpoint.group.rpartition(":")
        try:
            key = ip_address(host.strip("[]")), int(port)
        except ValueError:
            raise SimbenchError(f"{endpoint.group!r} is not a group such as 224.0.31.64:14340") from None
        table.setdefault(key, []).append(endpoint)

    def choose(flow: Any) -> bool:
        if not endpoints:
            return True
        key = address_of(flow, "group"), int(flow["port"])
        return any(
            (e.source is None or ip_address(e.source) == address_of(flow, "source"))
            and (e.interface is None or e.interface == flow["interface"])
            and (e.capture is None or e.capture == flow["capture"])
            for e in table.get(key, ())
        )

    return choose


def new_survey() -> Words:
    """Return the words of a survey that has seen nothing."""
    words = np.zeros(SURVEY_WORDS, np.int64)
    words[FIRST] = FOREVER
    words[[HIGHEST, PREVIOUS]] = UNBOUND
    return words


@kernel
def survey(rows: Records, words: Words) -> None:
    """Look at the stamps of the next rows in file order."""
    for index in range(len(rows)):
        stamp = rows[index]["recorded"]
        words[FIRST] = min(words[FIRST], stamp)
        words[BACKWARD] += stamp < words[PREVIOUS]
        if stamp < words[HIGHEST]:
            words[MOVED] += 1
            words[FARTHEST] = max(words[FARTHEST], words[HIGHEST] - stamp)
        else:
            words[HIGHEST] = stamp
        words[PREVIOUS] = stamp
        words[SEEN] += 1


def new_timetable() -> Words:
    """Return the words of a timetable before its first frame."""
    return np.zeros(TIMETABLE_WORDS, np.int64)


@kernel
def timetable(rows: Records, stamps: Words, words: Words, max_idle_ns: int) -> None:
    """Fill due and index of the next rows, which are in the order in which they are sent.

    Args:
        rows: ROW[n].
        stamps: int64[n], ns: when each was recorded, with what is squeezed out of it.
        words: int64[TIMETABLE_WORDS], where the rows before these ended.
        max_idle_ns: 0 none.
    """
    for k in range(len(rows)):
        row = rows[k]
        if words[COUNT] == 0:
            words[REACHED] = stamps[k]
        gap = max(stamps[k] - words[REACHED], 0)
        words[REACHED] += gap
        if 0 < max_idle_ns < gap:
            words[IDLE_CUT] += gap - max_idle_ns
            gap = max_idle_ns
        words[DUE] += gap
        row["due"] = words[DUE]
        row["index"] = words[COUNT]
        words[COUNT] += 1
