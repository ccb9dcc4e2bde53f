"""feed.toml: which channels there are, on which lines they come, and where recovery is to be had."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Final, Literal, get_args

import msgspec

from simbench import toml
from simbench.errors import SimbenchError

Address = IPv4Address | IPv6Address
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0, le=32_767)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Role = Literal["snapshot", "definitions", "retransmission", "refresh"]
Recover = Literal["none", "retransmit", "snapshot", "natural"]

MAX_LINES: Final = 16  # as many as a gap record can tell of
MAX_FEEDS: Final = 256  # as many as a route can name


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Line(_Strict, frozen=True, kw_only=True):
    """One of the lines that carry the same messages.

    Attributes:
        name: as reports call it: "A".
        group: "a.b.c.d:port" or "[v6]:port" that its datagrams are sent to.
        source: address they come from, where one group has several senders.
        interface: of the capture, as pcapng numbers them, where one group is seen twice.
        capture: number of the capture, in the order in which they are given, likewise.
    """

    name: Name
    group: str
    source: str | None = None
    interface: Number | None = None
    capture: Number | None = None


class FeedRole(_Strict, frozen=True, kw_only=True):
    """A flow or a server beside the lines.

    Attributes:
        role: what it is for.
        group: "a.b.c.d:port" of a multicast group, or of the server to ask.
        source: address its datagrams come from.
        interface: as a line's.
        capture: as a line's.
    """

    role: Role
    group: str
    source: str | None = None
    interface: Number | None = None
    capture: Number | None = None


class Channel(_Strict, frozen=True, kw_only=True):
    """What one exchange channel sends.

    Attributes:
        venue: the exchange: "cme".
        name: of the channel: "340".
        protocol: "venue.protocol".
        lines: the order is that of line numbers everywhere.
        feeds: recovery and definitions.
        schema: path of a schema of the user's own, for protocols that have one.
        timezone: IANA name, for protocols that count from a local midnight.
        session_start: "HH:MM" in that zone.
        recover: what is done about messages that no line brought; nothing where not said.
    """

    venue: Name
    name: Name
    protocol: Name
    lines: tuple[Line, ...] = msgspec.field(name="line")
    feeds: tuple[FeedRole, ...] = msgspec.field(name="feed", default=())
    schema: str | None = None
    timezone: str | None = None
    session_start: Clock | None = None
    recover: Recover | None = None

    @property
    def server(self) -> str | None:
        """Return the address of the retransmission server that is asked, None where there is none."""
        return next((flow.group for flow in self.feeds if flow.role == "retransmission"), None)

    @property
    def groups(self) -> list[str]:
        """Return the groups of the lines and of the flows beside them: what is sent to, and not asked."""
        beside = (flow.group for flow in self.feeds if flow.role != "retransmission")
        return [*(line.group for line in self.lines), *beside]


class Feed(_Strict, frozen=True, kw_only=True):
    """All channels of one run."""

    channels: tuple[Channel, ...] = msgspec.field(name="channel")


def parse(text: str, *, where: str = "feed.toml") -> Feed:
    """Return the feed that a feed.toml describes.

    Args:
        text: of the file.
        where: its name, for the one line that a SimbenchError says.
    """
    feed = toml.decode(text, Feed, where=where, explain=_explain)
    _validate(feed, where)
    return feed


def dump(feed: Feed) -> str:
    """Return a feed as the text of a feed.toml; parse() gives the same feed back."""
    out: list[str] = []
    for channel in feed.channels:
        _table(out, "[[channel]]", channel, skip=("lines", "feeds"))
        for line in channel.lines:
            _table(out, "[[channel.line]]", line)
        for other in channel.feeds:
            _table(out, "[[channel.feed]]", other)
    return "\n".join(out) + "\n" if out else "channel = []\n"


def joined(feed: Feed) -> list[str]:
    """Return the groups that a receiver joins: those of the lines and of the flows beside them, not servers to ask."""
    return [group for channel in feed.channels for group in channel.groups]


def split_group(text: str) -> tuple[Address, int]:
    """Split "a.b.c.d:port" or "[v6]:port".

    >>> split_group("224.0.31.64:14340")
    (IPv4Address('224.0.31.64'), 14340)
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) < 1 << 16:
        raise SimbenchError(f'{text!r} is no group; write "224.0.31.64:14340" or "[ff02::1]:14340"')
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise SimbenchError(f'{text!r} is no group; write "224.0.31.64:14340" or "[ff02::1]:14340"') from None
    if bracketed != isinstance(address, IPv6Address):
        raise SimbenchError(f'{text!r}: brackets belong around an IPv6 address, as in "[ff02::1]:14340"')
    return address, int(port)


def join_group(address: Address, port: int) -> str:
    """Write a group as feed.toml has it.

    >>> join_group(ip_address("ff02::1"), 14340)
    '[ff02::1]:14340'
    """
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"


def _validate(feed: Feed, where: str) -> None:
    if not feed.channels:
        raise SimbenchError(f"{where}: there is no [[channel]]")
    named: set[tuple[str, str]] = set()
    taken: dict[tuple[Address, int], list[tuple[Line | FeedRole, str]]] = {}
    for number, channel in enumerate(feed.channels):
        place = f"{where}: channel[{number}]"
        if (channel.venue, channel.name) in named:
            raise SimbenchError(f"{place}: there is a channel {channel.venue} {channel.name} already")
        named.add((channel.venue, channel.name))
        if not channel.lines:
            raise SimbenchError(f"{place}: it has no [[channel.line]]")
        if len(channel.lines) > MAX_LINES:
            raise SimbenchError(f"{place}: it has {len(channel.lines)} lines; at most {MAX_LINES} are possible")
        if len(channel.feeds) > MAX_FEEDS:
            raise SimbenchError(
                f"{place}: it has {len(channel.feeds)} [[channel.feed]]; at most {MAX_FEEDS} are possible"
            )
        _validate_lines(channel, place, taken)


def _validate_lines(
    channel: Channel, place: str, taken: dict[tuple[Address, int], list[tuple[Line | FeedRole, str]]]
) -> None:
    names: set[str] = set()
    for number, line in enumerate(channel.lines):
        if line.name in names:
            raise SimbenchError(f"{place}.line[{number}]: there is a line {line.name} already")
        names.add(line.name)
        _claim(line, f"{place}.line[{number}]", taken)
    for number, other in enumerate(channel.feeds):
        if other.role != "retransmission":  # one server may answer for many channels
            _claim(other, f"{place}.feed[{number}]", taken)
        else:
            _check_addresses(other, f"{place}.feed[{number}]")


def _claim(
    flow: Line | FeedRole, place: str, taken: dict[tuple[Address, int], list[tuple[Line | FeedRole, str]]]
) -> None:
    """Refuse a flow that cannot be told from one before it."""
    group = _check_addresses(flow, place)
    for other, where in taken.setdefault(group, []):
        # A flow that says nothing matches everything: only two different answers to the same question tell them apart.
        apart = any(
            None not in (mine, theirs) and mine != theirs
            for mine, theirs in (
                (flow.source, other.source),
                (flow.interface, other.interface),
                (flow.capture, other.capture),
            )
        )
        if not apart:
            raise SimbenchError(
                f"{place}: {flow.group} is {where.rpartition(': ')[2]} too; "
                "give both a source, an interface or a capture of their own"
            )
    taken[group].append((flow, place))


def _check_addresses(flow: Line | FeedRole, place: str) -> tuple[Address, int]:
    try:
        group = split_group(flow.group)
    except SimbenchError as error:
        raise SimbenchError(f"{place}.group: {error}") from None
    if flow.source is not None:
        try:
            ip_address(flow.source)
        except ValueError:
            raise SimbenchError(f"{place}.source: {flow.source!r} is no address; write it without a port") from None
    return group


KINDS: Final = {"str": "text", "int": "a number", "float": "a number", "array": "a list", "object": "a table",
                "bool": "true or false", "null": "nothing"}  # fmt: skip


def _explain(message: str) -> str:
    """Turn msgspec's message into "place: what is wrong"."""
    problem, at, path = message.partition(" - at `")
    place = path.rstrip("`").removeprefix("$").lstrip(".") if at else ""
    problem = (
        problem.replace("Object missing required field", "it lacks")
        .replace("Object contains unknown field", ("there is no such key as"))
        .replace("`", "'")
    )
    expected = re.fullmatch(r"Expected '([^']+)', got '([^']+)'", problem)
    if expected:
        wanted = " or ".join(
            KINDS.get(kind.strip(), kind.strip()) for kind in expected[1].split("|") if "null" not in kind
        )
        problem = f"expected {wanted}, not {KINDS.get(expected[2], expected[2])}"
    limit = re.fullmatch(r"Expected 'int' >= (-?\d+)|Expected 'int' <= (-?\d+)", problem)
    if limit:
        problem = f"expected {limit[1]} or more" if limit[1] else f"expected {limit[2]} or less"
    if "of length >= 1" in problem:
        problem = "expected some text"
    if "matching regex" in problem:
        problem = 'expected a time of day such as "09:30"'
    if "Invalid enum value" in problem:
        known = get_args(Recover if place.endswith("recover") else Role)
        problem = f"{problem.removeprefix('Invalid enum value ')} is none of: {', '.join(known)}"
    return f"{place}: {problem}" if place else problem


def _table(out: list[str], head: str, struct: msgspec.Struct, skip: tuple[str, ...] = ()) -> None:
    if out and head == "[[channel]]":
        out.append("")
    out.append(head)
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if name not in skip and value is not None:
            out.append(f"{name} = {value if isinstance(value, int) else toml.quote(value)}")
