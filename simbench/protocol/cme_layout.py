"""Where CME MDP 3.0 keeps its fields: a schema written into the words of a channel's state, for the kernels to read.

Per template a row: what kind of message it is, its groups in the order of the wire, and for each thing that events
need (a slot) how to load it. So the schema of a user moves every offset without a recompile. Templates are known by
name: CME numbers a message anew when its layout changes, and keeps what it is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.protocol.contract import COUNTS
from simbench.protocol.sbe import LITTLE, Group, Leaf, Schema, Template, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PRICE_EXPONENT: Final = -9  # of every price in events; schema versions up to 8 send 1e-7, later ones 1e-9
LARGEST: Final = 2**63 - 2  # of a price; 2**63 - 1 says that there is none
ABSENT: Final = -(2**63)  # what a field that a message's version does not have reads as

# The words of a state behind the common ones.
TEMPLATES: Final = 512  # template ids that can be counted; CME's largest is in the two hundreds
ROWS: Final = COUNTS + TEMPLATES  # where a template's row starts, by template id; 0 where it is unknown
SCHEMA: Final = ROWS + TEMPLATES  # the schema's number
ORDERS_VIEW: Final = SCHEMA + 1  # 1: events order by order, 0: events by level
FIRST_ROW: Final = SCHEMA + 8

# A row: its head, its groups, its slots.
KIND: Final = 0
GROUP_COUNT: Final = 1
ENTRIES: Final = 2  # index of the group with the entries; GROUP_COUNT where there is none
ORDERS: Final = 3  # index of the group with the orders of the entries, likewise
LEAST_ENTRY: Final = 4  # bytes that a block of entries has at least
LEAST_ORDER: Final = 5
LEAST_ROOT: Final = 6
GROUPS: Final = 8

# A group of a row: the head's fields are unsigned and end in the high bytes of the word that ends with them.
HEAD: Final = 0  # bytes
BLOCK_END: Final = 1
BLOCK_SHIFT: Final = 2
NUMBER_END: Final = 3
NUMBER_SHIFT: Final = 4
GROUP_SINCE: Final = 5
GROUP_WORDS: Final = 6
MOST_GROUPS: Final = 8

# A slot: value = word(ending at END) >> SHIFT & MASK | CONSTANT, or NULL where the message is too old or too short.
END: Final = 0
SHIFT: Final = 1
MASK: Final = 2
CONSTANT: Final = 3
SINCE: Final = 4
NULL: Final = 5
MULTIPLIER: Final = 6  # from the field's exponent to PRICE_EXPONENT
LIMIT: Final = 7  # largest mantissa that can be multiplied
SLOT_WORDS: Final = 8

SLOTS: Final = GROUPS + MOST_GROUPS * GROUP_WORDS


def _slot(index: int) -> int:
    return SLOTS + index * SLOT_WORDS


# Slots, as word offsets into a row. Kinds of messages share the first ten; the others mean what the kind says.
TIME: Final = _slot(0)
INDICATOR: Final = _slot(1)
SECURITY: Final = _slot(2)
REPORT: Final = _slot(3)  # rptSeq
PRICE: Final = _slot(4)
SIZE: Final = _slot(5)
NUMBER: Final = _slot(6)  # of orders
LEVEL: Final = _slot(7)
ACTION: Final = _slot(8)
TYPE: Final = _slot(9)
ORDER: Final = _slot(10)
PRIORITY: Final = _slot(11)
ORDER_SIZE: Final = _slot(12)
REFERENCE: Final = _slot(13)
ORDER_ACTION: Final = _slot(14)
SIDE: Final = _slot(10)  # of trades and quote requests
TRADE: Final = _slot(11)
LOW: Final = _slot(10)  # of limits; PRICE is the high one
VARIATION: Final = _slot(11)
LAST: Final = _slot(12)  # of snapshots: the incremental feed's sequence that they are at
STATUS: Final = _slot(13)
CHUNK: Final = _slot(13)  # of snapshots order by order
CHUNKS: Final = _slot(14)
GROUP: Final = _slot(10)  # of statuses: text
ASSET: Final = _slot(11)
HALT: Final = _slot(12)
TRADING_EVENT: Final = _slot(14)
SYMBOL: Final = _slot(10)  # of definitions: text
FACTOR: Final = _slot(11)
FEED_TYPE: Final = _slot(12)  # text
DEPTH: Final = _slot(13)
ROW_WORDS: Final = _slot(15)
MOST_TEMPLATES: Final = 64
STATE_SIZE: Final = FIRST_ROW + MOST_TEMPLATES * ROW_WORDS

# Kinds of messages.
SILENT: Final = 0  # counted, no event
BOOK: Final = 1
ORDER_BOOK: Final = 2
TRADES: Final = 3
VOLUMES: Final = 4
STATISTICS: Final = 5
LIMITS: Final = 6
SNAPSHOT: Final = 7
ORDER_SNAPSHOT: Final = 8
DEFINITION: Final = 9
STATUSES: Final = 10
QUOTES: Final = 11
RESET: Final = 12


OPTIONAL: Final = frozenset(
    {
        "NumberOfOrders",
        "MDOrderPriority",
        "MDTradeEntryID",
        "TradeID",
        "AggressorSide",
        "Side",
        "HaltReason",
        "SecurityTradingEvent",
        "LastMsgSeqNumProcessed",
        "MDSecurityTradingStatus",
        "DisplayFactor",
    }
)


@dataclass(frozen=True)
class Spec:
    """What a kind of message needs of the schema: slots and the names of the fields they load.

    Attributes:
        kind: one of the kinds above.
        root, entry, order: slots of the root block, of the entries' group and of the orders' group.
        entries, orders: the names of these groups.
        optional: names of fields that a schema may lack.
    """

    kind: int
    root: Mapping[int, str]
    entries: str = ""
    entry: Mapping[int, str] = field(default_factory=dict)
    orders: str = ""
    order: Mapping[int, str] = field(default_factory=dict)
    optional: frozenset[str] = OPTIONAL


EVENT_ROOT: Final = {TIME: "TransactTime", INDICATOR: "MatchEventIndicator"}
WHO: Final = {SECURITY: "SecurityID", REPORT: "RptSeq"}
WHAT: Final = {PRICE: "MDEntryPx", SIZE: "MDEntrySize", ACTION: "MDUpdateAction", TYPE: "MDEntryType"}
FULL: Final = "NoMDEntries"
ORDER_GROUP: Final = "NoOrderIDEntries"

SPECS: Final = {
    "MDIncrementalRefreshBook": Spec(
        BOOK,
        EVENT_ROOT,
        FULL,
        {**WHO, **WHAT, NUMBER: "NumberOfOrders", LEVEL: "MDPriceLevel"},
        ORDER_GROUP,
        {
            ORDER: "OrderID",
            PRIORITY: "MDOrderPriority",
            ORDER_SIZE: "MDDisplayQty",
            REFERENCE: "ReferenceID",
            ORDER_ACTION: "OrderUpdateAction",
        },
    ),
    "MDIncrementalRefreshOrderBook": Spec(
        ORDER_BOOK,
        EVENT_ROOT,
        FULL,
        {**WHAT, SIZE: "MDDisplayQty", SECURITY: "SecurityID", ORDER: "OrderID", PRIORITY: "MDOrderPriority"},
    ),
    "MDIncrementalRefreshTrade": Spec(
        TRADES, EVENT_ROOT, FULL, {**WHO, **WHAT, NUMBER: "NumberOfOrders", SIDE: "AggressorSide", TRADE: "TradeID"}
    ),
    "MDIncrementalRefreshTradeSummary": Spec(
        TRADES,
        EVENT_ROOT,
        FULL,
        {**WHO, **WHAT, NUMBER: "NumberOfOrders", SIDE: "AggressorSide", TRADE: "MDTradeEntryID"},
    ),
    "MDIncrementalRefreshVolume": Spec(
        VOLUMES, EVENT_ROOT, FULL, {**WHO, SIZE: "MDEntrySize", ACTION: "MDUpdateAction", TYPE: "MDEntryType"}
    ),
    "MDIncrementalRefreshDailyStatistics": Spec(STATISTICS, EVENT_ROOT, FULL, {**WHO, **WHAT}),
    "MDIncrementalRefreshSessionStatistics": Spec(
        STATISTICS, EVENT_ROOT, FULL, {**WHO, **WHAT}, optional=OPTIONAL | {"MDEntrySize"}
    ),
    "MDIncrementalRefreshLimitsBanding": Spec(
        LIMITS,
        EVENT_ROOT,
        FULL,
        {**WHO, PRICE: "HighLimitPrice", LOW: "LowLimitPrice", VARIATION: "MaxPriceVariation", TYPE: "MDEntryType"},
    ),
    "SnapshotFullRefresh": Spec(
        SNAPSHOT,
        {**WHO, TIME: "TransactTime", LAST: "LastMsgSeqNumProcessed", STATUS: "MDSecurityTradingStatus"},
        FULL,
        {
            PRICE: "MDEntryPx",
            SIZE: "MDEntrySize",
            NUMBER: "NumberOfOrders",
            LEVEL: "MDPriceLevel",
            TYPE: "MDEntryType",
        },
    ),
    "SnapshotFullRefreshOrderBook": Spec(
        ORDER_SNAPSHOT,
        {
            TIME: "TransactTime",
            SECURITY: "SecurityID",
            LAST: "LastMsgSeqNumProcessed",
            CHUNK: "CurrentChunk",
            CHUNKS: "NoChunks",
        },
        FULL,
        {
            ORDER: "OrderID",
            PRIORITY: "MDOrderPriority",
            PRICE: "MDEntryPx",
            SIZE: "MDDisplayQty",
            TYPE: "MDEntryType",
        },
    ),
    "MDInstrumentDefinition": Spec(
        DEFINITION,
        {
            TIME: "LastUpdateTime",
            INDICATOR: "MatchEventIndicator",
            SECURITY: "SecurityID",
            ACTION: "SecurityUpdateAction",
            SYMBOL: "Symbol",
            FACTOR: "DisplayFactor",
        },
        "NoMDFeedTypes",
        {FEED_TYPE: "MDFeedType", DEPTH: "MarketDepth"},
    ),
    "SecurityStatus": Spec(
        STATUSES,
        {
            **EVENT_ROOT,
            SECURITY: "SecurityID",
            GROUP: "SecurityGroup",
            ASSET: "Asset",
            STATUS: "SecurityTradingStatus",
            HALT: "HaltReason",
            TRADING_EVENT: "SecurityTradingEvent",
        },
    ),
    "QuoteRequest": Spec(QUOTES, EVENT_ROOT, "NoRelatedSym", {SECURITY: "SecurityID", SIZE: "OrderQty", SIDE: "Side"}),
    "ChannelReset": Spec(RESET, EVENT_ROOT),
}
TEXTS: Final = frozenset({(STATUSES, GROUP), (STATUSES, ASSET), (DEFINITION, SYMBOL), (DEFINITION, FEED_TYPE)})
PRICES: Final = frozenset({(LIMITS, LOW), (LIMITS, VARIATION), (DEFINITION, FACTOR)})  # and PRICE of every kind
DEFINITIONS: Final = "MDInstrumentDefinition"  # ...Future, Option, Spread, and what later versions add
VARIANT: Final = re.compile(r"(TCP)?(LongQty)?\d*$")  # later versions tell wider quantities and other transports so


@cache
def shipped() -> Schema:
    """Return the schema that comes with this package, the union of versions 5 to 9."""
    return read_schema(files("simbench.protocol").joinpath("cme_mdp3.xml").read_bytes(), "cme_mdp3.xml")


def user_schema(path: str) -> Schema:
    """Read a schema of the user's own."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the one file that a protocol reads, once, at set-up
            text = file.read()
    except OSError as error:
        raise SimbenchError(f"schema {path} cannot be read: {error.strerror}") from error
    return read_schema(text, path)


def spec_of(name: str) -> Spec | None:
    """Return what a template of this name is, None where its events are not known."""
    stem = VARIANT.sub("", name)
    return SPECS.get(DEFINITIONS if stem.startswith(DEFINITIONS) else stem)


def write(schema: Schema, state: NDArray, name: str) -> None:  # type: ignore[type-arg]
    """Write a schema into a zeroed state.

    Args:
        schema: read from `name`.
        state: int64[STATE_SIZE].
        name: of the file, for what it says when the schema is no MDP 3.0.
    """
    header = [(leaf.name, leaf.offset, leaf.size) for leaf in schema.header]
    usual = [("blockLength", 0, 2), ("templateId", 2, 2), ("schemaId", 4, 2), ("version", 6, 2)]
    if header != usual or schema.byte_order != LITTLE:
        raise SimbenchError(f"{name} is not a schema of MDP 3.0: its message header is another one")
    templates = [template for number, template in sorted(schema.templates.items()) if number < TEMPLATES]
    if len(templates) > MOST_TEMPLATES:
        raise SimbenchError(f"{name} has {len(templates)} templates, more than the {MOST_TEMPLATES} that fit")
    if not any(spec_of(template.name) for template in templates):
        raise SimbenchError(f"{name} is not a schema of MDP 3.0: none of its templates is known by name")
    state[SCHEMA] = schema.number
    for index, template in enumerate(templates):
        row = FIRST_ROW + index * ROW_WORDS
        state[ROWS + template.number] = row
        try:
            _write_row(template, state[row : row + ROW_WORDS])
        except ValueError as error:
            raise SimbenchError(f"{name}, template {template.number} {template.name}: {error}") from error


def _write_row(template: Template, row: NDArray) -> None:  # type: ignore[type-arg]
    spec = spec_of(template.name) or Spec(SILENT, {})
    names = [group.name for group in template.groups]
    if len(names) > MOST_GROUPS:
        raise ValueError(f"{len(names)} groups are more than the {MOST_GROUPS} that fit")
    row[KIND] = spec.kind
    row[GROUP_COUNT] = row[ENTRIES] = row[ORDERS] = len(names)
    for index, group in enumerate(template.groups):
        if group.groups or group.data:
            if spec.kind != SILENT:
                raise ValueError(f"group {group.name} nests, which MDP 3.0 does not")
            row[GROUP_COUNT] = row[ENTRIES] = row[ORDERS] = index
            break
        _write_group(group, row[GROUPS + index * GROUP_WORDS :])
    row[LEAST_ROOT] = _write_slots(spec, spec.root, template.fields, row)
    if spec.entries:
        if spec.entries not in names:
            raise ValueError(f"there is no group {spec.entries}")
        row[ENTRIES] = names.index(spec.entries)
        row[LEAST_ENTRY] = _write_slots(spec, spec.entry, template.groups[row[ENTRIES]].fields, row)
    if spec.orders in names:
        row[ORDERS] = names.index(spec.orders)
        row[LEAST_ORDER] = _write_slots(spec, spec.order, template.groups[row[ORDERS]].fields, row)
    if row[ORDERS] < row[ENTRIES]:
        raise ValueError(f"{spec.orders} stands before {spec.entries}")


def _write_group(group: Group, words: NDArray) -> None:  # type: ignore[type-arg]
    words[HEAD] = group.head
    words[BLOCK_END], words[BLOCK_SHIFT] = group.block.end, 64 - 8 * group.block.size
    words[NUMBER_END], words[NUMBER_SHIFT] = group.number.end, 64 - 8 * group.number.size
    words[GROUP_SINCE] = group.since


def _write_slots(spec: Spec, wanted: Mapping[int, str], leaves: tuple[Leaf, ...], row: NDArray) -> int:  # type: ignore[type-arg]
    """Write the slots of a block; return how long it is at least: to the end of what was there from the start."""
    fields = {leaf.name: leaf for leaf in leaves}
    least = 0
    for slot, name in wanted.items():
        leaf = fields.get(name)
        if leaf is None:
            if name not in spec.optional:
                raise ValueError(f"there is no field {name}")
            row[slot + CONSTANT] = row[slot + NULL] = ABSENT
            continue
        priced = slot == PRICE or (spec.kind, slot) in PRICES
        _write_slot(leaf, row[slot : slot + SLOT_WORDS], text=(spec.kind, slot) in TEXTS, priced=priced)
        if leaf.since == 0 or spec.kind == BOOK:  # a book's entry has them all: its kernel does not ask each time
            least = max(least, leaf.end)
    return least


def _write_slot(leaf: Leaf, words: NDArray, *, text: bool, priced: bool) -> None:  # type: ignore[type-arg]
    words[NULL] = ABSENT if leaf.null is None else _signed(leaf.null)
    if leaf.offset < 0:
        constant = leaf.constant if leaf.constant is not None else 0
        words[CONSTANT] = ord(constant[:1] or "\0") if isinstance(constant, str) else constant
        return
    words[END] = leaf.end
    words[SINCE] = leaf.since
    if text:
        if leaf.primitive != "char":
            raise ValueError(f"{leaf.name} is {leaf.kind}, not text")
        words[SHIFT] = leaf.length
        return
    if leaf.length != 1 or leaf.primitive in ("float", "double"):
        raise ValueError(f"{leaf.name} is {leaf.kind}, not an integer")
    words[SHIFT] = 64 - 8 * leaf.size
    signed = leaf.primitive.startswith("int") or leaf.size == 8
    words[MASK] = -1 if signed else (1 << 8 * leaf.size) - 1
    if priced:
        if leaf.exponent is None or not PRICE_EXPONENT <= leaf.exponent <= 9:
            raise ValueError(f"{leaf.name} is {leaf.kind}: prices need a constant exponent from {PRICE_EXPONENT} to 9")
        words[MULTIPLIER] = 10 ** (leaf.exponent - PRICE_EXPONENT)
        words[LIMIT] = LARGEST // int(words[MULTIPLIER])


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
