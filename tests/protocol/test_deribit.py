"""Deribit's messages as events: what each becomes, at which scale, and which snapshots are taken."""

from __future__ import annotations

import math
import struct

import pytest
from deribit_frames import MS, Decoder, book, frame, group, instrument, message, snapshot

from simbench import event
from simbench.protocol import deribit_layout as layout
from simbench.protocol.contract import (
    COUNTS,
    FLOW_MISSING,
    HEADER,
    INEXACT,
    MESSAGES,
    UNKNOWN,
    pack_text,
    unpack_text,
)
from simbench.protocol.deribit_sbe import PROTOCOL, detect, is_snapshot
from simbench.protocol.deribit_scale import DEFAULT_DIGITS, FULL, MOST_DIGITS

NAME = b"BTC_USDC-16JUN23-25800-C"
CHAINED, WHOLE, END = event.CHAINED, event.FROM_SNAPSHOT, event.END


@pytest.fixture
def decoder() -> Decoder:
    """Return a channel that knows instrument 16: prices 1e-4, amounts 1e-2."""
    made = Decoder()
    made.take(frame(instrument(16, NAME, 0.0001, 0.01)))
    return made


def test_a_frame_says_what_arbitration_needs() -> None:
    """The sequence belongs to the channel in the head; a second frame behind the first is read after it."""
    decoder = Decoder()
    first, second = frame(channel=3, sequence=6474), frame(book(1, 0, 1), channel=3, sequence=6475)
    decoder.take(first + second)
    names = HEADER.names or ()
    assert [int(decoder.header[0][name]) for name in names] == [3, 0, 6474, 1, 0, 0, 8, 8]
    decoder.take(second)
    assert [int(decoder.header[0][name]) for name in names] == [3, 0, 6475, 1, 0, 0, 8, len(second)]


def test_a_book_message_is_a_chained_change(decoder: Decoder) -> None:
    """New and changed levels have their amount, deleted ones none; the last event ends the change."""
    found = decoder.take(
        frame(book(16, 25, 63, (0, 0, 381.5307, 10.0), (1, 1, 328.2874, 0.2), (1, 2, 0.0642, 5.0)), sequence=7)
    )
    common = {"kind": event.LEVEL, "instrument": 16, "order": 63, "other": 25, "time": 1063 * MS, "flags": CHAINED}
    assert found == [
        {**common, "side": event.ASK, "price": 3_815_307, "quantity": 1000},
        {**common, "side": event.BID, "price": 3_282_874, "quantity": 20},
        {**common, "side": event.BID, "price": 642, "flags": CHAINED | END},
    ]


def test_a_change_goes_on_where_it_is_not_the_last_message(decoder: Decoder) -> None:
    """No end before is_last; a change without entries still moves the chain."""
    part, empty = decoder.take(frame(book(16, 1, 2, (0, 0, 1.0, 1.0), last=False), book(16, 2, 3)))
    assert part["flags"] == CHAINED
    assert {name: empty[name] for name in ("kind", "order", "other", "flags")} == {
        "kind": event.NOTE,
        "order": 3,
        "other": 2,
        "flags": CHAINED | END,
    }


def test_a_side_that_is_none_is_left_to_the_book(decoder: Decoder) -> None:
    """The book counts it."""
    (row,) = decoder.take(frame(book(16, 1, 2, (7, 0, 1.0, 1.0))))
    assert "side" not in row, "as by default: no side"


def test_trades_have_price_amount_aggressor_and_ids(decoder: Decoder) -> None:
    """A buy is the bid's side, a sell the ask's; anything else is no side."""
    entries = [
        {"direction": direction, "price": 27.5, "amount": 0.03, "time": 1_686_858_185_295, "sequence": 4, "trade": 9}
        for direction in (0, 1, 2)
    ]
    found = decoder.take(frame(message(layout.TRADES, {"instrument": 16}, entries)))
    common = {
        "kind": event.TRADE, "instrument": 16, "order": 4, "other": 9, "price": 275_000, "quantity": 3,
        "time": 1_686_858_185_295 * MS,
    }  # fmt: skip
    assert found == [{**common, "side": event.BID}, {**common, "side": event.ASK}, common]


def test_a_ticker_is_a_statistic_with_the_last_price(decoder: Decoder) -> None:
    """No price where there was no trade."""
    ticks = [message(layout.TICKER, {"instrument": 16, "time": 5, "last_price": price}) for price in (0.5, math.nan)]
    common = {"kind": event.STATISTIC, "instrument": 16, "time": 5 * MS}
    assert decoder.take(frame(*ticks)) == [{**common, "price": 5000}, common]


@pytest.mark.parametrize("template", [layout.INSTRUMENT, layout.INSTRUMENT_2])
def test_a_definition_says_name_and_scale(template: int) -> None:
    """The name is cut to the 24 characters of an event; either template says the same."""
    (row,) = Decoder().take(frame(instrument(16, NAME + b"-X", 0.0005, 0.1, 0.01, template)))
    assert "".join(unpack_text(row[name]) for name in ("order", "other", "priority")) == NAME.decode()
    assert row["kind"] == event.DEFINE
    assert row["quantity"] == (-4 & 0xFF) | (-2 & 0xFF) << 8 | 1 << 16
    assert row["price"] == 0
    (short,) = Decoder().take(frame(instrument(16, b"BTC", 1.0, 1.0, 10.0, template)))
    assert (short["order"], "other" in short, short["quantity"]) == (pack_text("BTC"), False, 1 << 16)


def test_messages_that_tell_nothing_of_a_book_are_counted() -> None:
    """Price index, start and end of a cycle: no event."""
    decoder = Decoder()
    silent = (layout.PRICE_INDEX, layout.SNAPSHOT_START, layout.SNAPSHOT_END)
    assert decoder.take(frame(*(message(template) for template in silent))) == []
    counted = {row.key: int(decoder.state[row.counter]) for row in PROTOCOL.messages}
    assert {key: n for key, n in counted.items() if n} == {str(template): 1 for template in silent}
    assert decoder.state[MESSAGES] == 3


def test_an_unknown_message_is_counted_and_stepped_over(decoder: Decoder) -> None:
    """By its lengths: blocks, groups in groups, strings in entries; and one of another schema."""
    inner = group(2, b"ab", b"cd")
    deep = group(3, *(b"xyz" + inner + b"\3abc" for _ in range(2)), nested=1, strings=1)
    unknown = struct.pack("<6H", 4, 1007, 1, 3, 2, 1) + b"root" + deep + group(5, b"12345") + b"\2ok"
    other = bytearray(book(16, 1, 2, (0, 0, 1.0, 1.0)))
    other[4] = 9
    before = int(decoder.state[MESSAGES])
    found = decoder.take(frame(unknown, bytes(other), book(16, 2, 3)))
    assert [row["order"] for row in found] == [3]
    assert (decoder.state[UNKNOWN], decoder.state[MESSAGES] - before) == (2, 3)


def test_blocks_that_grew_are_read_as_far_as_they_are_known(decoder: Decoder) -> None:
    """A later version appends to root blocks and entries."""
    root = {"instrument": 16, "time": 5, "previous_change": 1, "change": 2, "is_last": 1}
    entry = {"side": 1, "change": 0, "price": 2.5, "amount": 0.5}
    plain = decoder.take(frame(message(layout.BOOK, root, [entry, entry])))
    assert len(plain) == 2
    assert plain == decoder.take(frame(message(layout.BOOK, root, [entry, entry], longer=13)))


@pytest.mark.parametrize(
    ("digits", "tick"),
    [(0, 1.0), (0, 10.0), (1, 0.5), (2, 0.05), (2, 0.01), (4, 0.0005), (6, 1e-6), (12, 1e-12)]
    + [(DEFAULT_DIGITS, wrong) for wrong in (0.0, -0.5, math.nan, math.inf, 1e-13, 1 / 3)],
)
def test_the_scale_has_the_digits_of_the_step(digits: int, tick: float) -> None:
    """What is no step leaves the default."""
    (row,) = Decoder().take(frame(instrument(1, b"X", tick, 1.0)))
    assert (-row["quantity"]) & 0xFF == digits


def test_an_instrument_that_was_not_defined_has_the_default_scale() -> None:
    """It is the protocol's own, finer than any tick."""
    (row,) = Decoder().take(frame(book(3, 1, 2, (0, 0, 0.0001, 10.0))))
    assert (row["price"], row["quantity"]) == (10**4, 10**9)
    assert PROTOCOL.price_exponent == PROTOCOL.quantity_exponent == -DEFAULT_DIGITS


@pytest.mark.parametrize(
    ("expected", "inexact", "price"),
    [
        (3, 0, 0.0003),  # 0.0003 * 10**4 is 2.9999999999999996
        (11_000, 0, 1.1),
        (-2_500, 0, -0.25),
        (1, 1, 0.00014),
        (1, 1, 0.00010000000000000002),  # the double next to 0.0001
        (2, 1, 0.00016),
        (2**63 - 2, 1, 1e300),
        (-(2**63) + 2, 1, -math.inf),
        (4 * 10**18, 0, 4e14),
        (2**63 - 2, 1, 1e15),
    ],
)
def test_doubles_are_exact_integers_or_counted(decoder: Decoder, expected: int, inexact: int, price: float) -> None:
    """The nearest double of the decimal is that decimal; a neighbour of it is not."""
    (row,) = decoder.take(frame(book(16, 1, 2, (0, 0, price, 1.0))))
    assert (row["price"], int(decoder.state[INEXACT])) == (expected, inexact)


def test_every_decimal_of_a_scale_is_exact(decoder: Decoder) -> None:
    """All amounts of up to two digits, as doubles of their decimals."""
    hundredths = range(1, 3000)
    found = decoder.take(frame(book(16, 1, 2, *((0, 0, 1.0, float(f"{n // 100}.{n % 100:02}")) for n in hundredths))))
    assert [row["quantity"] for row in found] == [*hundredths]
    assert decoder.state[INEXACT] == 0


def test_more_instruments_than_there_is_room_for_keep_the_default() -> None:
    """Their name is known, their scale is not said; those that had room keep theirs."""
    decoder = Decoder()
    for start in range(0, FULL, 64):
        decoder.take(frame(*(instrument(key, b"X", 0.5, 1.0) for key in range(start, start + 64))))
    (beyond,) = decoder.take(frame(instrument(FULL + 7, b"Y", 0.5, 1.0)))
    assert (beyond["order"], beyond.get("quantity", 0)) == (pack_text("Y"), 0)
    (again,) = decoder.take(frame(instrument(5, b"X", 0.25, 1.0)))
    assert (-again["quantity"]) & 0xFF == 2
    rows = decoder.take(frame(*(book(key, 1, 2, (0, 0, 1.0, 1.0)) for key in (5, 6, FULL + 7))))
    assert [row["price"] for row in rows] == [100, 10, 10**DEFAULT_DIGITS]


class TestSnapshots:
    """What comes of snapshot messages, by the flow they are on and what is missing before them."""

    def take(self, decoder: Decoder, *messages: bytes, missing: int = 0, flow: int = 1) -> list[dict[str, int]]:
        """Decode a frame of a snapshot flow."""
        decoder.state[FLOW_MISSING] = missing
        return decoder.take(frame(*messages), flow=flow)

    def kinds(self, rows: list[dict[str, int]]) -> list[tuple[int, int]]:
        """Return kinds and flags."""
        return [(row["kind"], row["flags"]) for row in rows]

    def test_a_snapshot_is_a_whole_book(self, decoder: Decoder) -> None:
        """Its change id, then its levels; the last one ends it."""
        found = self.take(decoder, snapshot(16, 99, (0, 381.5, 10.0), (1, 328.25, 0.2)))
        common = {"instrument": 16, "time": 1099 * MS}
        level = {**common, "kind": event.LEVEL, "flags": WHOLE}
        assert found == [
            {**common, "kind": event.SNAPSHOT, "order": 99, "flags": WHOLE | CHAINED},
            {**level, "side": event.ASK, "price": 3_815_000, "quantity": 1000},
            {**level, "side": event.BID, "price": 3_282_500, "quantity": 20, "flags": WHOLE | END},
        ]
        assert self.kinds(self.take(decoder, snapshot(16, 99))) == [(event.SNAPSHOT, WHOLE | CHAINED | END)]

    def test_a_book_in_parts_is_one_snapshot(self, decoder: Decoder) -> None:
        """Also over frames, and where the last part has no level."""
        parts = [snapshot(16, 99, (0, 2.0, 1.0), last=False), snapshot(16, 99, (0, 3.0, 1.0), last=False)]
        found = [self.take(decoder, *parts), self.take(decoder, snapshot(16, 99))]
        assert [self.kinds(rows) for rows in found] == [
            [(event.SNAPSHOT, WHOLE | CHAINED), (event.LEVEL, WHOLE), (event.NOTE, WHOLE), (event.LEVEL, WHOLE)],
            [(event.NOTE, WHOLE | END)],
        ]

    @pytest.mark.parametrize("other", [snapshot(17, 99, (0, 3.0, 1.0)), snapshot(16, 98, (0, 3.0, 1.0))])
    def test_another_book_or_change_begins_anew(self, decoder: Decoder, other: bytes) -> None:
        """What was open before never ends."""
        found = self.take(decoder, snapshot(16, 99, (0, 2.0, 1.0), last=False), other)
        assert [kind for kind, _ in self.kinds(found)] == [event.SNAPSHOT, event.LEVEL] * 2
        assert [flags & END for _, flags in self.kinds(found)] == [0, 0, 0, END]

    @pytest.mark.parametrize("missing", [-1, 1, 1000])
    def test_behind_a_hole_the_rest_of_a_book_is_not_taken_for_a_book(self, decoder: Decoder, missing: int) -> None:
        """Up to the next end of a book, or of a cycle; nothing of what was open before the hole goes on."""
        self.take(decoder, snapshot(16, 99, (0, 2.0, 1.0), last=False))
        rest = snapshot(16, 99, (0, 3.0, 1.0))
        found = self.take(decoder, rest, snapshot(17, 5, (0, 1.0, 1.0)), missing=missing)
        assert self.kinds(found) == [
            (event.NOTE, WHOLE),
            (event.SNAPSHOT, WHOLE | CHAINED),
            (event.LEVEL, WHOLE | END),
        ]
        start = message(layout.SNAPSHOT_START)
        assert self.kinds(self.take(decoder, start, rest, missing=missing))[0][0] == event.SNAPSHOT

    def test_flows_do_not_tear_each_other(self, decoder: Decoder) -> None:
        """Parts of the same book on two flows go on each by itself."""
        head, tail = snapshot(16, 99, (0, 2.0, 1.0), last=False), snapshot(16, 99, (0, 3.0, 1.0))
        kinds = []
        for flow, part in ((1, head), (2, head), (1, tail), (2, tail)):
            kinds.append([kind for kind, _ in self.kinds(self.take(decoder, part, flow=flow))])
        assert kinds == [[event.SNAPSHOT, event.LEVEL]] * 2 + [[event.NOTE, event.LEVEL]] * 2

    def test_what_is_not_complete_or_on_a_line_is_noted_only(self, decoder: Decoder) -> None:
        """No level of it reaches a book."""
        assert self.kinds(self.take(decoder, snapshot(16, 99, (0, 2.0, 1.0), complete=False))) == [(event.NOTE, WHOLE)]
        assert self.kinds(decoder.take(frame(snapshot(16, 99, (0, 2.0, 1.0))))) == [(event.NOTE, WHOLE)]

    def test_damage_tears_as_a_hole_does(self, decoder: Decoder) -> None:
        """What follows a malformed frame may be the rest of a book that began in it."""
        self.take(decoder, snapshot(16, 99, (0, math.nan, 1.0), last=False))
        assert decoder.count < 0
        assert self.kinds(self.take(decoder, snapshot(16, 99, (0, 2.0, 1.0)))) == [(event.NOTE, WHOLE)]


def test_sure_signs_of_the_protocol() -> None:
    """A frame filled by known messages; anything cut, longer, or of other numbers is not."""
    good = frame(book(16, 1, 2, (0, 0, 1.0, 1.0)), instrument(16, NAME, 0.5, 1.0, template=layout.INSTRUMENT_2))
    assert detect(good)
    assert not any(detect(good[:end]) for end in range(len(good)))
    assert not detect(good + b"\0")
    assert not detect(frame())
    for at, value in ((10, 0xE8), (11, 0), (12, 2), (14, 0), (8, 28), (16, 9)):
        wrong = bytearray(good)
        wrong[at] = value
        assert not detect(bytes(wrong)), at


def test_a_snapshot_flow_shows_itself() -> None:
    """By snapshots and by the start and end of a cycle; definitions and tickers may be anywhere."""
    assert not is_snapshot(frame(instrument(16, NAME, 0.5, 1.0), message(layout.TICKER)))
    assert is_snapshot(frame(instrument(16, NAME, 0.5, 1.0), snapshot(16, 1)))
    assert is_snapshot(frame(message(layout.SNAPSHOT_START)))
    assert is_snapshot(frame(message(layout.SNAPSHOT_END)))


def test_the_table_is_whole() -> None:
    """Fields lie in their blocks and do not overlap; counters are the templates' own."""
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "f64": 8, "text8": 8, "text16": 16}
    for _, root, fields, entry, inner in layout.TABLE.values():
        for size, rows in ((root, fields), (entry, inner)):
            ends = [at + sizes[form] for _, at, form in rows]
            assert all(end <= after[1] for end, after in zip(ends, rows[1:], strict=False))
            assert max(ends, default=0) <= size
    assert sorted(row.counter for row in PROTOCOL.messages) == [*range(COUNTS, COUNTS + len(layout.TABLE))]
    assert MOST_DIGITS < 128
