"""Captures of IEX feeds made by hand: lines that cut the same messages into segments of their own."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from iex_samples import IDS, NOON, level, quote, segment, write_message

from simbench.capture.frames import craft_udp, route
from simbench.capture.writer import write_pcap
from simbench.synth.lines import Line, feed_text

if TYPE_CHECKING:
    from pathlib import Path

LINES: Final = (
    Line("A", "233.215.21.4:10378", "23.226.155.130:10378"),
    Line("B", "233.215.21.132:10378", "23.226.155.194:10378"),
)
LAG_NS: Final = 3_000  # of line B
STEP_NS: Final = 10_000  # from message to message
SYMBOLS: Final = ("AAPL", "ZIEXT", "BRK.A", "ABCDEFGH")


class Sent(NamedTuple):
    """A segment on a line.

    Attributes:
        stamp: ns since 1970.
        line: 0 for A.
        payload: of the datagram.
        first: sequence.
        units: messages.
    """

    stamp: int
    line: int
    payload: bytes
    first: int
    units: int


def sends(
    messages: list[bytes],
    line: int,
    sizes: tuple[int, ...],
    protocol: str,
    *,
    first: int = 1,
    start: int = NOON,
    session: int = 77,
) -> list[Sent]:
    """Cut messages into segments of the sizes given, over and over, and send each when its last message is there."""
    out: list[Sent] = []
    at = 0
    while at < len(messages):
        part = messages[at : at + sizes[len(out) % len(sizes)]]
        at += len(part)
        stamp = start + at * STEP_NS + line * LAG_NS
        number = first + at - len(part)
        payload = segment(part, number, protocol=IDS[protocol], sent=stamp, session=session)
        out.append(Sent(stamp, line, payload, number, len(part)))
    return out


def heartbeat(stamp: int, line: int, first: int, protocol: str) -> Sent:
    """Return a segment without messages that says which sequence is next."""
    return Sent(stamp, line, segment([], first, protocol=IDS[protocol], sent=stamp), first, 0)


def write(folder: Path, segments: list[Sent], protocol: str, *, feed: bool = True) -> Path:
    """Write segments in order of time, with a feed.toml beside them unless it shall be found by looking."""
    folder.mkdir()
    ordered = sorted(segments)
    sizes = np.array([len(one.payload) for one in ordered], np.int64)
    data = np.frombuffer(b"".join(one.payload for one in ordered), np.uint8)
    routes = [route(line.source, line.group) for line in LINES]
    crafted = craft_udp(data, np.cumsum(sizes) - sizes, sizes, routes, np.array([one.line for one in ordered]))
    write_pcap(folder / "capture.pcap", np.array([one.stamp for one in ordered], np.int64), *crafted)
    if feed:
        (folder / "feed.toml").write_text(feed_text("iex", "1", protocol, LINES), encoding="utf-8")
    return folder / "capture.pcap"


def tops_messages(count: int, seed: int = 1) -> list[bytes]:
    """Return quotes that come and go on either side, with trades and statuses between them."""
    chance = random.Random(seed)
    messages = []
    for number in range(count):
        symbol = chance.choice(SYMBOLS)
        bid = (
            (chance.randrange(1_000_000, 1_010_000, 100), chance.randrange(1, 9) * 100)
            if chance.random() < 0.9
            else None
        )
        ask = (
            (chance.randrange(1_010_000, 1_020_000, 100), chance.randrange(1, 9) * 100)
            if chance.random() < 0.9
            else None
        )
        message = quote(symbol, bid, ask)
        if number % 7 == 3:
            message = write_message("T", timestamp=NOON, symbol=symbol, price=1_010_000, size=100, trade=number)
        elif number % 11 == 5:
            message = write_message("H", timestamp=NOON, symbol=symbol, status="T")
        messages.append(message)
    return messages


def deep_messages(count: int, seed: int = 2) -> list[bytes]:
    """Return price level updates; a level that crosses the other side first removes what it takes, in one event."""
    chance = random.Random(seed)
    sides: dict[str, dict[str, dict[int, int]]] = {symbol: {"8": {}, "5": {}} for symbol in SYMBOLS}
    messages: list[bytes] = []
    while len(messages) < count:
        symbol, side = chance.choice(SYMBOLS), chance.choice("85")
        own, other = sides[symbol][side], sides[symbol]["5" if side == "8" else "8"]
        price = 1_000_000 + chance.randrange(-20, 21) * 100
        if own and chance.random() < 0.4:
            price = chance.choice(sorted(own))
            del own[price]
            messages.append(level(side, symbol, price, 0))
            continue
        taken = [one for one in sorted(other) if (one <= price if side == "8" else one >= price)]
        own[price] = chance.randrange(1, 50)
        messages.append(level(side, symbol, price, own[price], complete=not taken))
        for index, one in enumerate(taken, 1):
            del other[one]
            messages.append(write_message("T", timestamp=NOON, symbol=symbol, price=one, size=1, trade=len(messages)))
            messages.append(
                level("5" if side == "8" else "8", symbol, one, 0, complete=index == len(taken)),
            )
    return messages


def deep_plus_messages(count: int, seed: int = 3) -> list[bytes]:
    """Return orders that are added, changed, executed in part or whole, deleted and cleared."""
    chance = random.Random(seed)
    orders: dict[int, tuple[str, int, int]] = {}
    messages: list[bytes] = []
    for number in range(1, count + 1):
        action = chance.choice("aaaMRLL" if orders else "a")
        order = chance.choice(sorted(orders)) if action != "a" else number << 40
        symbol, price, left = orders.get(order, (chance.choice(SYMBOLS), 0, 0))
        values: dict[str, int | str] = {"timestamp": NOON, "symbol": symbol}
        if number % 97 == 0:
            orders = {key: kept for key, kept in orders.items() if kept[0] != symbol}
            messages.append(write_message("C", **values))
            continue
        values["order"] = order
        size = chance.randrange(1, left + 1) if action == "L" else chance.randrange(1, 500)
        if action == "a":
            side = chance.choice("85")
            price = 1_000_000 + (-1 if side == "8" else 1) * chance.randrange(1, 20) * 100
            values["side"] = side
        if action == "M":
            values["flags"] = chance.getrandbits(1)
            away = chance.randrange(1, 20) * 100
            price = chance.choice((price, 1_000_000 + (away if price > 1_000_000 else -away)))
        if action == "L":
            values["trade"] = number
        if action != "R":
            values |= {"size": size, "price": price}
        left = left - size if action == "L" else 0 if action == "R" else size
        orders[order] = (symbol, price, left)
        if left == 0:
            del orders[order]
        messages.append(write_message(action, **values))
    return messages
