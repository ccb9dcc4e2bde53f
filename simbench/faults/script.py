"""faults.toml: which datagrams suffer what. Read strictly: a mistake is one line that names the fault and the key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from simbench import toml
from simbench.errors import SimbenchError
from simbench.protocol.registry import load
from simbench.times import duration_ns, time_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.feed.definition import Channel, Feed
    from simbench.protocol.rewriting import Rewriting

Positive = Annotated[int, msgspec.Meta(ge=1)]
Few = Annotated[int, msgspec.Meta(ge=1, le=100)]
Pieces = Annotated[int, msgspec.Meta(ge=2, le=100)]
Sequence = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Part = Literal["messages", "header", "payload"]

CHANGED_AS_RECORDED: Final = (
    "a fault script changes frames, and --as-recorded sends them as they are: choose one of them"
)
MOST_FAULTS: Final = 1000
MOST_MADE: Final = 1 << 22  # frames that all faults together can make of one: what the ordinal has room for


class _Where(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"
):
    """Which channel.

    Attributes:
        channel: its name; every channel where None.
    """

    channel: str | None = None

    @property
    def kind(self) -> str:
        """What it is called in a script."""
        return str(type(self).__struct_config__.tag)


class _When(_Where, frozen=True, kw_only=True):
    """Which line, and which of its datagrams, by what the capture recorded: all that is said has to be true of one.

    Attributes:
        line: its name; every line where None.
        sequence: one or first and last; a datagram that holds one of them.
        start: recorded time of the first; "+1.5s" from the capture's start, or ISO with a zone.
        to: recorded time before which the last one is.
        at: the first datagram of each line of this time or later.
    """

    line: str | None = None
    sequence: int | tuple[int, int] | None = None  # without limits: msgspec 0.22 reads them beside a tuple wrongly
    start: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    at: str | None = None


class _Some(_When, frozen=True, kw_only=True):
    """Which of those.

    Attributes:
        probability: of each, drawn from the seed.
        every: one in so many on each line, the first included.
        count: at most so many on each line; 1 with `at`.
    """

    probability: Share | None = None
    every: Positive | None = None
    count: Positive | None = None


class Drop(_Some, frozen=True, kw_only=True, tag="drop"):
    """Are not sent."""


class Dark(_When, frozen=True, kw_only=True, tag="dark"):
    """The line sends nothing."""


class Duplicate(_Some, frozen=True, kw_only=True, tag="duplicate"):
    """Are sent more than once.

    Attributes:
        copies: beside the datagram itself.
        delay: of each copy behind the one before it; directly behind it where none.
    """

    copies: Few = 1
    delay: str = "0s"


class Reorder(_Some, frozen=True, kw_only=True, tag="reorder"):
    """Are sent after those that follow them on their line.

    Attributes:
        by: how many overtake; at the time of the last of them. One is held back at a time on a line.
    """

    by: Positive = 1


class Delay(_Some, frozen=True, kw_only=True, tag="delay"):
    """Are sent later, and may be overtaken.

    Attributes:
        delay: by how much.
        jitter: up to so much more, drawn evenly from the seed.
    """

    delay: str
    jitter: str = "0s"


class Skew(_When, frozen=True, kw_only=True, tag="skew"):
    """The line is late, and stays in order.

    Attributes:
        delay: by how much.
    """

    delay: str


class Corrupt(_Some, frozen=True, kw_only=True, tag="corrupt"):
    """Have bits turned over.

    Attributes:
        bits: how many, at places drawn from the seed.
        part: behind the packet's header, in it, or anywhere in the UDP payload.
        fix_checksum: whether the UDP checksum is made right again: then nobody sees it but who compares or decodes.
    """

    bits: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    part: Part = "messages"
    fix_checksum: bool = False


class Truncate(_Some, frozen=True, kw_only=True, tag="truncate"):
    """Lose their end.

    Attributes:
        bytes: of the UDP payload; all of it where it has no more.
        fix_length: whether lengths and checksum say so; else they promise more than comes.
    """

    bytes: Positive = 1
    fix_length: bool = True


class Split(_Some, frozen=True, kw_only=True, tag="split"):
    """Are cut between messages into several.

    Attributes:
        pieces: at most; never more than messages.
    """

    pieces: Pieces = 2


class Merge(_Some, frozen=True, kw_only=True, tag="merge"):
    """Are sent in one with what follows on their line, when the last of them is due.

    Attributes:
        datagrams: at most; as far as they go on in sequence, fit into 1,500 bytes and come within.
        within: so long after the first.
    """

    datagrams: Pieces = 2
    within: str = "10ms"


class Restart(_Where, frozen=True, kw_only=True, tag="restart"):
    """The sequence begins again with 1, on all lines of the channel: they carry the same numbers.

    Attributes:
        sequence: recorded sequence that becomes 1.
        at: the first recorded sequence that no line has sent at this time becomes 1; time as in `from`.
    """

    sequence: Sequence | None = None
    at: str | None = None


class Session(_Where, frozen=True, kw_only=True, tag="session"):
    """A new session begins, with sequence 1, on all lines of the channel.

    Attributes:
        name: of the session.
        sequence: as in a restart.
        at: as in a restart.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[ -~]+$")]
    sequence: Sequence | None = None
    at: str | None = None


Fault = (
    Drop | Dark | Duplicate | Reorder | Delay | Skew | Corrupt | Truncate | Split | Merge | Restart | Session
)  # fmt: skip
KINDS: Final = (
    "drop", "dark", "duplicate", "reorder", "delay", "skew", "corrupt", "truncate", "split", "merge", "restart",
    "session",
)  # fmt: skip


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault script.

    Attributes:
        seed: of all that is drawn.
        faults: applied in this order, each to what the ones before it left.
    """

    seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] = 0
    faults: tuple[Fault, ...] = msgspec.field(name="fault", default=())


def parse(text: str, feed: Feed, *, where: str = "faults.toml") -> Script:
    """Return the script that a faults.toml describes.

    Args:
        text: of the file.
        feed: whose channels and lines it names.
        where: its name, for the one line that a SimbenchError says.
    """
    script = toml.decode(text, Script, where=where, explain=_explain)
    if not script.faults:
        raise SimbenchError(f"{where}: there is no [[fault]]")
    if len(script.faults) > MOST_FAULTS:
        raise SimbenchError(f"{where}: {len(script.faults):,} faults; at most {MOST_FAULTS:,} are possible")
    made = 1
    for number, fault in enumerate(script.faults, 1):
        try:
            _check(fault, feed)
        except SimbenchError as error:
            raise SimbenchError(f"{where}: fault {number} ({fault.kind}): {error}") from None
        made *= fanout(fault)
    if made >= MOST_MADE:
        raise SimbenchError(
            f"{where}: its faults make up to {made:,} frames of one; at most {MOST_MADE:,} are possible"
        )
    return script


def fanout(fault: Fault) -> int:
    """Return how many frames a fault makes of one, at most."""
    if isinstance(fault, Duplicate):
        return fault.copies + 1
    return fault.pieces if isinstance(fault, Split) else 1


def lines_of(fault: Fault, feed: Feed) -> list[tuple[int, int]]:
    """Return (channel, line) of the lines that a fault is about, by number."""
    named = getattr(fault, "line", None)
    return [
        (number, place)
        for number, channel in enumerate(feed.channels)
        if fault.channel in {None, channel.name}
        for place, line in enumerate(channel.lines)
        if named in {None, line.name}
    ]


def _check(fault: Fault, feed: Feed) -> None:
    channels = [channel for channel in feed.channels if fault.channel in {None, channel.name}]
    if not channels:
        named = ", ".join(channel.name for channel in feed.channels)
        raise SimbenchError(f"there is no channel {fault.channel!r}; there are {named}")
    if not lines_of(fault, feed):
        named = ", ".join(dict.fromkeys(line.name for channel in channels for line in channel.lines))
        raise SimbenchError(f"there is no line {getattr(fault, 'line', None)!r}; there are {named}")
    for name in ("delay", "jitter", "within"):
        if hasattr(fault, name):
            duration_ns(getattr(fault, name))
    if isinstance(fault, Delay | Skew) and duration_ns(fault.delay) == 0:
        raise SimbenchError("a delay of nothing changes nothing")
    if isinstance(fault, _When):
        _check_when(fault)
    elif (fault.sequence is None) == (fault.at is None):
        raise SimbenchError('say when: either sequence = 5700 or at = "+1.5s"')
    if isinstance(fault, Split | Merge):
        _demand(channels, "cut into messages", lambda how: how.bounds is not None)
    if isinstance(fault, Restart | Session):
        _demand(channels, "numbered anew", lambda how: how.sequence is not None)
    if isinstance(fault, Session):
        _demand(channels, "given another session", lambda how: how.session is not None)
        for channel in channels:
            size = load(channel.protocol, channel.schema).rewriting.session[1]  # type: ignore[union-attr,index]
            if len(fault.name) > size:
                raise SimbenchError(f"name {fault.name!r}: a session of {channel.protocol} has {size} characters")


def _check_when(fault: _When) -> None:
    if fault.at is not None and (fault.start is not None or fault.to is not None):
        raise SimbenchError("at is a time of its own: leave out from and to")
    if (
        fault.sequence is not None
        and min(fault.sequence if isinstance(fault.sequence, tuple) else (fault.sequence,)) < 0
    ):
        raise SimbenchError("sequence: expected 0 or more")
    if isinstance(fault.sequence, tuple) and fault.sequence[0] > fault.sequence[1]:
        raise SimbenchError(f"sequence {list(fault.sequence)}: the first is after the last")
    first, last = (None if text is None else time_ns(text, 0) for text in (fault.start, fault.to))
    if fault.at is not None:
        time_ns(fault.at, 0)
    same = fault.start is not None and fault.to is not None and fault.start[:1] == fault.to[:1]
    if same and first is not None and last is not None and first >= last:
        raise SimbenchError(f"nothing is between from {fault.start} and to {fault.to}")


def _demand(channels: list[Channel], what: str, able: Callable[[Rewriting], bool]) -> None:
    """Refuse what a channel's protocol does not say how to do."""
    for channel in channels:
        rewriting = load(channel.protocol, channel.schema).rewriting
        if rewriting is None or not able(rewriting):
            raise SimbenchError(f"packets of {channel.protocol} (channel {channel.name}) cannot be {what}")


TYPES: Final = {"str": "text", "int": "a number", "float": "a number", "array": "a list", "object": "a table",
                "bool": "true or false"}  # fmt: skip


def _explain(message: str) -> str:
    """Turn msgspec's message into "place: what is wrong"."""
    problem, at, path = message.partition(" - at `")
    place = path.rstrip("`").removeprefix("$").lstrip(".") if at else ""
    place = re.sub(r"^fault\[(\d+)\]\.?", lambda found: f"fault {int(found[1]) + 1}: ", place).rstrip(": ")
    problem = (
        problem.replace("Object missing required field", "it lacks")
        .replace("Object contains unknown field", "there is no such key as")
        .replace("`", "'")
    )
    expected = re.fullmatch(r"Expected '([^']+)', got '([^']+)'", problem)
    if expected:
        kinds = dict.fromkeys(TYPES.get(k.strip(), k.strip()) for k in expected[1].split("|") if "null" not in k)
        problem = f"expected {' or '.join(kinds)}, not {TYPES.get(expected[2], expected[2])}"
    limit = re.fullmatch(r"Expected '\w+' (>=|<=|>) (-?[\d.]+)", problem)
    if limit:
        problem = f"expected {limit[2]} or {'less' if limit[1] == '<=' else 'more'}"
        problem = f"expected more than {limit[2]}" if limit[1] == ">" else problem
    if "Invalid value" in problem:
        problem = f"{problem.removeprefix('Invalid value ')} is none of: {', '.join(KINDS)}"
    if "Invalid enum value" in problem:
        problem = f"{problem.removeprefix('Invalid enum value ')} is none of: messages, header, payload"
    if "of length" in problem:
        problem = "expected first and last" if "array" in problem else "expected some text"
    if "matching regex" in problem:
        problem = "expected printable ASCII characters"
    return f"{place}: {problem}" if place else problem
