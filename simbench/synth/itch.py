"""An ITCH 5.0 day that never was: its opening, a flow of orders at the times of a scenario, and its end.

The day opens as Nasdaq's do: start of messages, the directory of every stock, its trading state and short sale rule,
market makers; then once each what is rare: circuit breaker levels and a breach, an IPO, a collar, an operational halt,
a retail interest, a direct listing, an imbalance, an opening cross and a broken trade. So every type occurs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.protocol.itch50_layout import write_message
from simbench.synth import itch_flow, itch_ladder
from simbench.synth.binaryfile import copied
from simbench.synth.lines import Line
from simbench.synth.mold import packets
from simbench.synth.packing import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simbench.synth.packing import Datagrams
    from simbench.synth.request import Request
    from simbench.synth.timeline import Timeline

    Words = NDArray[np.int64]

VENUE: Final = "nasdaq"
CHANNEL: Final = "itch"
TIMEZONE: Final = "America/New_York"
LINES: Final = (
    Line("A", "239.192.26.1:26400", "10.192.26.1:26400"),
    Line("B", "239.192.26.129:26401", "10.192.26.129:26401"),
)
FEEDS: Final = ()  # Nasdaq's snapshots are had over TCP (GLIMPSE)
SESSION: Final = "SIM0000001"
ORDERS_EACH: Final = 200  # live orders of an instrument, where nothing else is asked
STEP_NS: Final = 1_000  # between the messages of the opening and of the end
BLOCK: Final = 100_000  # messages at a time
MAX_INSTRUMENTS: Final = 10_000  # 16 KiB of ladder each
MAX_LIVE: Final = 50_000_000
SHOCK_SHARE: Final = 0.1  # of the run after the news, in which the flow goes one way
SKEW: Final = 0.9  # activity falls with the rank of an instrument to this power


@dataclass(frozen=True)
class Market:
    """What trades.

    Attributes:
        instruments: how many stocks, at most MAX_INSTRUMENTS.
        live_orders: how many orders are in the books once they have filled.
        seed: of everything random in the flow.
    """

    instruments: int = 64
    live_orders: int = 10_000
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.instruments <= MAX_INSTRUMENTS:
            raise SimbenchError(f"instruments must be 1 to {MAX_INSTRUMENTS:,}, not {self.instruments:,}")
        if not 1 <= self.live_orders <= MAX_LIVE:
            raise SimbenchError(f"live orders must be 1 to {MAX_LIVE:,}, not {self.live_orders:,}")


def datagrams(request: Request) -> Iterator[Datagrams]:
    """Yield the day as MoldUDP64 packets, see request.py; writes it as a BinaryFILE beside that where asked."""
    live = request.live_orders or ORDERS_EACH * request.instruments
    messages = day(
        Market(request.instruments, live, request.seed), request.timeline, request.start_ns, request.midnight_ns
    )
    if request.binary is not None:
        messages = copied(messages, request.binary)
    yield from packets(messages, SESSION, window_ns=request.window_ns, limit=request.limit)


def day(market: Market, timeline: Timeline, start: int, midnight: int) -> Iterator[Messages]:
    """Yield the day's messages, with their lengths in front as BinaryFILE has them; a block is valid until the next.

    Args:
        market: what trades.
        timeline: when; its count of messages, if it has one, includes the opening and the end.
        start: the beginning of the run, ns since 1970.
        midnight: New York's, ns since 1970.

    Raises:
        SimbenchError: too few messages are asked for.
    """
    names = [symbol(index) for index in range(market.instruments)]
    opening, ending = opening_messages(names), ending_messages()
    fixed = len(opening) + len(ending)
    if timeline.messages is not None:
        if timeline.messages <= fixed:
            raise SimbenchError(f"{market.instruments:,} instruments need more than {fixed:,} messages; ask for more")
        timeline = timeline.shortened(fixed)
    yield _block(opening, start, midnight)
    flow = _Flow(market, names, timeline, start, midnight)
    last = start + len(opening) * STEP_NS
    for times in timeline.arrivals(market.seed):
        due = np.maximum(start + times, last)
        for first in range(0, len(due), BLOCK):
            yield flow.block(due[first : first + BLOCK])
        last = int(due[-1])
    yield _block(ending, last + STEP_NS, midnight)


def symbol(index: int) -> str:
    """Return a stock's name: A to Z, AA to ZZ, and so on."""
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def opening_messages(names: list[str]) -> list[bytes]:
    """Return what comes before the flow, with times still 0."""
    first = names[0]
    rows = [write_message("S", event="O")]
    for locate, name in enumerate(names, start=1):
        rows.append(
            write_message(
                "R",
                locate=locate,
                stock=name,
                market_category="Q",
                financial_status="N",
                round_lot=100,
                round_lots_only="N",
                classification="C",
                subtype="Z",
                authenticity="P",
                short_sale_threshold="N",
                ipo_flag="N",
                luld_tier="1",
                etp_flag="N",
                inverse="N",
            )
        )
    for locate, name in enumerate(names, start=1):
        rows.append(write_message("H", locate=locate, stock=name, state="T"))
        rows.append(write_message("Y", locate=locate, stock=name, action="0"))
    rows += [
        write_message("L", locate=1, participant="SIMA", stock=first, primary="Y", mode="N", state="A"),
        write_message("V", level1=93_00000000 * 50, level2=87_00000000 * 50, level3=80_00000000 * 50),
        write_message("S", event="S"),
        write_message("K", locate=1, stock=first, release_time=34_200, qualifier="A", price=100_0000),
        write_message("J", locate=1, stock=first, reference_price=100_0000, upper_price=105_0000, lower_price=95_0000),
        write_message("W", breached="1"),
        write_message("h", locate=1, stock=first, market="Q", action="T"),
        write_message("N", locate=1, stock=first, interest="N"),
        write_message("O", locate=1, stock=first, eligible="Y", minimum_price=80_0000, maximum_price=180_0000),
        write_message("I", locate=1, stock=first, direction="O", cross_type="O", variation="L"),
        write_message("Q", locate=1, stock=first, shares=100, price=100_0000, match=1, cross_type="O"),
        write_message("B", locate=1, match=1),
        write_message("S", event="Q"),
    ]
    return rows


def ending_messages() -> list[bytes]:
    """Return what comes after the flow, with times still 0."""
    return [write_message("S", event=event) for event in "MEC"]


def _block(rows: list[bytes], start: int, midnight: int) -> Messages:
    due = start + np.arange(len(rows), dtype=np.int64) * STEP_NS
    parts = []
    for row, time in zip(rows, due.tolist(), strict=True):
        parts.append(len(row).to_bytes(2, "big") + row[:5] + (time - midnight).to_bytes(6, "big") + row[11:])
    starts = np.cumsum([0, *map(len, parts)])
    return Messages(np.frombuffer(b"".join(parts), np.uint8).copy(), starts, due)


class _Flow:
    """The market's books and the buffers that the kernel writes into."""

    def __init__(self, market: Market, names: list[str], timeline: Timeline, start: int, midnight: int) -> None:
        count = market.instruments
        random = np.random.Generator(np.random.PCG64([market.seed, count]))
        self._midnight = midnight
        self._words = np.zeros(itch_ladder.WORDS, np.int64)
        self._words[itch_ladder.MATCH] = 1
        self._words[itch_ladder.TARGET] = market.live_orders
        if timeline.scenario.bursts:
            news = start + round(timeline.scenario.landmark * timeline.seconds * 1e9)
            self._words[itch_ladder.SHOCK_FROM] = news
            self._words[itch_ladder.SHOCK_TO] = news + round(SHOCK_SHARE * timeline.seconds * 1e9)
            self._words[itch_ladder.SHOCK_SIDE] = random.integers(2)
        self._random = np.array([0, random.integers(1 << 63)], np.int64)
        self._orders = np.zeros(market.live_orders + 2, itch_ladder.ORDER)
        self._heads = np.zeros(count * 2 * itch_ladder.TICKS, np.int32)
        self._tails = np.zeros_like(self._heads)
        self._recent = np.zeros(itch_ladder.RECENT, np.int32)
        self._tops = np.zeros(count, itch_ladder.TOP)
        half = itch_ladder.TICKS // 2
        self._tops["bid"], self._tops["ask"], self._tops["middle"] = -1, itch_ladder.TICKS, half
        self._tops["price"] = (random.integers(1_000, 50_000, count) - half) * itch_ladder.CENT
        self._tops["stock"] = [int.from_bytes(name.ljust(8).encode("ascii"), "big") for name in names]
        self._tops["trend"] = random.integers(0, 2, count)
        self._picks = _picks(count, random)
        self._data = np.empty(BLOCK * itch_flow.LONGEST, np.uint8)
        self._starts = np.empty(BLOCK + 1, np.int64)

    def block(self, due: Words) -> Messages:
        starts = self._starts[: len(due) + 1]
        size = itch_flow.generate(
            due,
            self._midnight,
            self._words,
            self._random,
            self._orders,
            self._heads,
            self._tails,
            self._tops,
            self._recent,
            self._picks,
            self._data,
            starts,
        )
        return Messages(self._data[:size], starts, due)


def _picks(count: int, random: np.random.Generator) -> NDArray[np.int32]:
    """Return int32[PICKS]: every instrument at least once, the rest by a power law of a random rank."""
    weights = 1.0 / np.arange(1, count + 1) ** SKEW
    edges = np.cumsum(weights / weights.sum())
    spare = itch_flow.PICKS - count
    ranks = np.searchsorted(edges, (np.arange(spare) + 0.5) / spare).clip(max=count - 1)
    return np.concatenate([np.arange(count), random.permutation(count)[ranks]]).astype(np.int32)
