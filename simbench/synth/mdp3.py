"""A CME MDP 3.0 channel that never was: its opening, a flow of events at the times of a scenario, and its end.

Every other instrument is sent in the messages of schema version 8, prices at 1e-7, the others in those of version 9, at
1e-9: so the templates of both occur. Of each six, two are futures, two options and two spreads. The channel opens with
a login, a channel reset, the definitions, and of each instrument status, limits and settlement; it ends with the
settlements, closed statuses and a logout. In the scenario `open` the channel is reset once more at the bell: all books
are empty and rptSeq starts again. Beside the lines go the snapshots, by level and order by order, each kind on a group
of its own as CME has it (mdp3_snapshots.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.protocol.cme_layout import shipped
from simbench.protocol.sbe_codec import encode_generic
from simbench.synth import itch_ladder, mdp3_flow, mdp3_levels, mdp3_market, mdp3_wire
from simbench.synth.lines import Line, SideFeed
from simbench.synth.mdp3_packets import packets
from simbench.synth.packing import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simbench.synth.packing import Datagrams
    from simbench.synth.request import Request
    from simbench.synth.timeline import Timeline

    Words = NDArray[np.int64]

VENUE: Final = "cme"
CHANNEL: Final = str(mdp3_flow.CHANNEL)
TIMEZONE: Final = ""
LINES: Final = (
    Line("A", "239.192.31.1:14999", "10.192.31.1:14999"),
    Line("B", "239.192.32.1:15999", "10.192.32.1:15999"),
)
FEEDS: Final = (  # as mdp3_snapshots.KINDS
    SideFeed("snapshot", "239.192.31.2:14999", "10.192.31.2:14999"),
    SideFeed("snapshot", "239.192.31.3:14999", "10.192.31.3:14999"),
)
ORDERS_EACH: Final = (
    80  # live orders of an instrument, where nothing else is asked: some levels lie beyond the ten shown
)
STEP_NS: Final = 1_000  # between the messages of the opening and of the end
BLOCK: Final = 50_000  # messages at a time
BYTES: Final = BLOCK * 128
MAX_INSTRUMENTS: Final = 2_000  # 48 KiB of ladder each
MAX_LIVE: Final = 20_000_000
SHOCK_SHARE: Final = 0.1  # of the run after the news, in which the flow goes one way
SKEW: Final = 0.9  # activity falls with the rank of an instrument to this power
SCALE: Final = 10**9
KINDS: Final = ("FUT", "OOF", "MLEG")
NEW_TEMPLATES: Final = (54, 55, 56)
OLD_TEMPLATES: Final = (27, 41, 29)
READY, CLOSED = 17, 4  # trading statuses


def datagrams(request: Request) -> Iterator[Datagrams]:
    """Yield the channel's packets, see request.py.

    Raises:
        SimbenchError: too many instruments or orders, too few messages, or a file format that there is not.
    """
    if request.binary is not None:
        raise SimbenchError("MDP 3.0 has no BinaryFILE; leave that out")
    if not 1 <= request.instruments <= MAX_INSTRUMENTS:
        raise SimbenchError(f"instruments must be 1 to {MAX_INSTRUMENTS:,}, not {request.instruments:,}")
    live = ORDERS_EACH * request.instruments if request.live_orders is None else request.live_orders
    if not 1 <= live <= MAX_LIVE:
        raise SimbenchError(f"live orders must be 1 to {MAX_LIVE:,}, not {live:,}")
    if not request.limit >= mdp3_flow.LONGEST + 12:
        raise SimbenchError(f"a datagram must hold at least {mdp3_flow.LONGEST + 12} bytes, not {request.limit}")
    blocks = packets(session(request, live), window_ns=request.window_ns, limit=request.limit)
    if request.snapshot_ns:
        from simbench.synth.mdp3_snapshots import beside

        blocks = beside(blocks, request)
    yield from blocks


def session(request: Request, live: int) -> Iterator[Messages]:
    """Yield the channel's messages, with their sizes in front; a block is valid until the next.

    Args:
        request: what is asked for; its count of messages, if it has one, includes the opening and the end.
        live: orders in the books once they have filled.
    """
    timeline, start = request.timeline, request.start_ns
    flow = _Flow(request, live)
    day = start // 86_400_000_000_000
    opening = _opening(flow.market.tops, day)
    fixed = len(opening) + 1 + 2 * request.instruments  # the end: a settlement and a status each, and the logout
    if timeline.messages is not None and timeline.messages <= fixed:
        raise SimbenchError(f"{request.instruments:,} instruments need more than {fixed:,} messages; ask for more")
    yield _block(opening, start)
    last = start + len(opening) * STEP_NS
    for times in timeline.shortened(fixed).arrivals(request.seed):
        due = np.maximum(start + times, last)
        at = 0
        while at < len(due):
            block = flow.block(due[at : at + BLOCK])
            at += len(block)
            yield block
        last = int(due[-1])
    yield _block(_ending(flow.market.tops, day), last + STEP_NS)


def symbol(index: int) -> str:
    """Return an instrument's symbol: of a future, an option on it, or a spread."""
    month = "FGHJKMNQUVXZ"[index // 6 % 12]
    root = f"S{chr(65 + index // 72 % 26)}{chr(65 + index // 1872 % 26)}"
    year = index // 3 % 2 + 5
    if index // 2 % 3 == 1:
        return f"{root}{month}{year} C{100 + index % 6}"
    return f"{root}{month}{year}-{root}{month}{year + 2}" if index // 2 % 3 == 2 else f"{root}{month}{year}"


def _opening(tops: NDArray[Any], day: int) -> list[dict[str, Any]]:
    """Return the messages before the flow, as fields with their template and version; times are set later."""
    count = len(tops)
    rows: list[dict[str, Any]] = [
        {"template": 15, "HeartBtInt": 30},
        {
            "template": 4,
            "TransactTime": 0,
            "MatchEventIndicator": 0x80,
            "NoMDEntries": [{"ApplID": mdp3_flow.CHANNEL}],
        },
    ]
    rows += [_definition(index, tops[index], count) for index in range(count)]
    rows.append(_status(None, READY, day))
    for index in range(count):
        rows.append(_status(index, READY, day))
        rows.append(_limits(index, tops[index]))
        rows.append(_daily(index, tops[index], "6", day))
    return rows


def _ending(tops: NDArray[Any], day: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index in range(len(tops)):
        rows.append(_daily(index, tops[index], "6", day))
        rows.append(_status(index, CLOSED, day))
    return [*rows, {"template": 16, "Text": "END OF SESSION"}]


def _definition(index: int, top: Any, count: int) -> dict[str, Any]:
    old, kind = index & 1, index // 2 % 3
    scale = 100 if old else 1
    tick = mdp3_market.TICK // scale
    row = {
        "template": (OLD_TEMPLATES if old else NEW_TEMPLATES)[kind],
        "version": 8 if old else 9,
        "MatchEventIndicator": 0x80,
        "TotNumReports": count,
        "SecurityUpdateAction": "A",
        "LastUpdateTime": 0,
        "MDSecurityTradingStatus": READY,
        "ApplID": mdp3_flow.CHANNEL,
        "MarketSegmentID": 64,
        "UnderlyingProduct": 5,
        "SecurityExchange": "XSIM",
        "SecurityGroup": f"S{index // 6 % 100}",
        "Asset": "SIM",
        "Symbol": symbol(index),
        "SecurityID": mdp3_levels.FIRST_SECURITY + index,
        "SecurityType": KINDS[kind],
        "CFICode": ("FFXXSX", "OCAFPS", "FMXXXX")[kind],
        "MaturityMonthYear.year": 2025 + index // 3 % 2,
        "MaturityMonthYear.month": 1 + index // 6 % 12,
        "Currency": "USD",
        "SettlCurrency": "USD",
        "MatchAlgorithm": "F",
        "MinTradeVol": 1,
        "MaxTradeVol": 10_000,
        "MinPriceIncrement": tick,
        "DisplayFactor": SCALE // scale,
        "UnitOfMeasure": "IPNT",
        "UnitOfMeasureQty": 50 * SCALE // scale,
        "TradingReferencePrice": _price(index, top, top["middle"]),
        "SettlPriceType": 3,
        "StrikePrice": _price(index, top, top["middle"]) if kind == 1 else None,
        "PutOrCall": 1,
        "NoEvents": [{"EventType": 5, "EventTime": 0}, {"EventType": 7, "EventTime": 0}],
        "NoMDFeedTypes": [
            {"MDFeedType": "GBX", "MarketDepth": mdp3_market.DEPTH},
            {"MDFeedType": "GBI", "MarketDepth": mdp3_market.IMPLIED_DEPTH},
        ],
        "NoInstAttrib": [{"InstAttribValue": 0b1_1000_0000_0001}],
        "NoLotTypeRules": [{"LotType": 0, "MinLotSize": 10_000}],
    }
    if kind == 1:
        under = index - 2
        row["NoUnderlyings"] = [
            {"UnderlyingSecurityID": mdp3_levels.FIRST_SECURITY + under, "UnderlyingSymbol": symbol(under)}
        ]
    if kind == 2:
        legs = [index - 4, index - 2]
        row["NoLegs"] = [
            {"LegSecurityID": mdp3_levels.FIRST_SECURITY + leg, "LegSide": side, "LegRatioQty": 1}
            for side, leg in enumerate(legs, start=1)
        ]
    return row


def _status(index: int | None, status: int, day: int) -> dict[str, Any]:
    return {
        "template": 30,
        "version": 9 if index is None else 9 - (index & 1),
        "TransactTime": 0,
        "SecurityGroup": "S0" if index is None else None,
        "Asset": "SIM",
        "SecurityID": None if index is None else mdp3_levels.FIRST_SECURITY + index,
        "TradeDate": day,
        "MatchEventIndicator": 0x80,
        "SecurityTradingStatus": status,
    }


def _limits(index: int, top: Any) -> dict[str, Any]:
    return _refresh(
        index,
        50,
        {
            "HighLimitPrice": _price(index, top, 2 * itch_ladder.TICKS),
            "LowLimitPrice": _price(index, top, -itch_ladder.TICKS),
            "MaxPriceVariation": itch_ladder.TICKS * mdp3_market.TICK // (100 if index & 1 else 1),
            "SecurityID": mdp3_levels.FIRST_SECURITY + index,
            "RptSeq": mdp3_market.next_report(top),
        },
    )


def _daily(index: int, top: Any, entry_type: str, day: int) -> dict[str, Any]:
    return _refresh(
        index,
        49,
        {
            "MDEntryPx": _price(index, top, top["middle"]),
            "SecurityID": mdp3_levels.FIRST_SECURITY + index,
            "RptSeq": mdp3_market.next_report(top),
            "TradingReferenceDate": day,
            "SettlPriceType": 3,
            "MDEntryType": entry_type,
        },
    )


def _refresh(index: int, number: int, entry: dict[str, Any]) -> dict[str, Any]:
    old = index & 1
    return {
        "template": mdp3_wire.BEFORE[number] if old else number,
        "version": 9 - old,
        "TransactTime": 0,
        "MatchEventIndicator": 0x88,
        "NoMDEntries": [entry],
    }


def _price(index: int, top: Any, tick: Any) -> int:
    return int(top["price"] + tick * mdp3_market.TICK) // (100 if index & 1 else 1)


def _block(rows: list[dict[str, Any]], start: int) -> Messages:
    due = start + np.arange(len(rows), dtype=np.int64) * STEP_NS
    parts = []
    for row, time in zip(rows, due.tolist(), strict=True):
        times: dict[str, Any] = {name: time for name in ("TransactTime", "LastUpdateTime") if name in row}
        body = encode_generic(shipped(), row["template"], {**row, **times}, row.get("version"))
        parts.append((len(body) + 2).to_bytes(2, "little") + body)
    starts = np.cumsum([0, *map(len, parts)])
    return Messages(np.frombuffer(b"".join(parts), np.uint8).copy(), starts, due)


class _Flow:
    """The market and the buffers that the kernel writes into."""

    def __init__(self, request: Request, live: int) -> None:
        count = request.instruments
        random = np.random.Generator(np.random.PCG64([request.seed, count, 3]))
        self.market = _market(request.timeline, request.start_ns, count, live, random)
        self._data = np.empty(BYTES + mdp3_flow.LONGEST, np.uint8)
        self._starts = np.empty(BLOCK + 1, np.int64)

    def block(self, due: Words) -> Messages:
        """Return the messages of the first of these times, as many as the buffer holds."""
        due = due.copy()
        size = mdp3_flow.generate(due, self.market, self._data, self._starts)
        count = int(self.market.words[mdp3_market.ROOM])
        return Messages(self._data[:size], self._starts[: count + 1], due[:count])


def _market(timeline: Timeline, start: int, count: int, live: int, random: np.random.Generator) -> mdp3_market.Market:
    words = np.zeros(mdp3_market.WORDS, np.int64)
    words[itch_ladder.TARGET] = live
    landmark = start + round(timeline.scenario.landmark * timeline.seconds * 1e9)
    if timeline.scenario.bursts:
        words[itch_ladder.SHOCK_FROM] = landmark
        words[itch_ladder.SHOCK_TO] = landmark + round(SHOCK_SHARE * timeline.seconds * 1e9)
        words[itch_ladder.SHOCK_SIDE] = random.integers(2)
    elif timeline.scenario.landmark > 0:
        words[mdp3_market.RESET_AT] = landmark
    half = itch_ladder.TICKS // 2
    tops = np.zeros(count, mdp3_market.INSTRUMENT)
    tops["bid"], tops["ask"], tops["middle"] = -1, itch_ladder.TICKS, half
    tops["high"] = tops["low"] = -1
    tops["price"] = (random.integers(2_000, 40_000, count) - half) * mdp3_market.TICK
    tops["trend"] = random.integers(0, 2, count)
    places = count * 2 * itch_ladder.TICKS
    return mdp3_market.Market(
        words=words,
        random=np.array([0, random.integers(1 << 63)], np.int64),
        orders=np.zeros(live + 2, itch_ladder.ORDER),
        priorities=np.zeros(live + 2, np.int64),
        heads=np.zeros(places, np.int32),
        tails=np.zeros(places, np.int32),
        quantities=np.zeros(places, np.int64),
        counts=np.zeros(places, np.int32),
        tops=tops,
        recent=np.zeros(itch_ladder.RECENT, np.int32),
        picks=_picks(count, random),
    )


def _picks(count: int, random: np.random.Generator) -> NDArray[np.int32]:
    """Return int32[PICKS]: every instrument at least once, the rest by a power law of a random rank."""
    weights = 1.0 / np.arange(1, count + 1) ** SKEW
    edges = np.cumsum(weights / weights.sum())
    spare = mdp3_market.PICKS - count
    ranks = np.searchsorted(edges, (np.arange(spare) + 0.5) / spare).clip(max=count - 1)
    return np.concatenate([np.arange(count), random.permutation(count)[ranks]]).astype(np.int32)
