"""The layout of simbench.mbp10, a bench protocol of full snapshots: both sides of a book, ten levels deep, every time.

It is nobody's exchange. It says in whole books what a recorded feed said in increments, so that the two can be compared
on the same market (synth/mbp10.py makes it). Every packet has the same size, whatever is in it. Little-endian. Prices
and quantities are integers at 1e-9, as those of Databento's MBP-10 are for prices.

A level is known where its bit is set. A packet is whole: behind the last known level of a side there is nothing, and a
level without a bit before that one is unknown.
"""

from __future__ import annotations

from typing import Final

from simbench.protocol.rewriting import Number, Rewriting

Fields = tuple[tuple[str, int, str], ...]

PACKET: Final[Fields] = (
    ("magic", 0, "text4"),  # "MB10"
    ("version", 4, "u8"),  # 1
    ("symbols", 5, "u8"),  # 1: instruments are characters, 0: numbers
    ("depth", 6, "u16"),  # levels a side: 10
    ("sequence", 8, "i64"),  # counts the packets of a channel, from 1
    ("sent", 16, "i64"),  # ns since 1970; 0 where the recorded feed does not say
    ("instrument", 24, "u64"),  # the recorded feed's own key; characters are packed big-endian
    ("time", 32, "i64"),  # of the exchange event, ns since 1970
    ("bids", 40, "u16"),  # bit n: level n + 1 is known
    ("asks", 42, "u16"),
    ("zero", 44, "u32"),
)
LEVEL: Final[Fields] = (
    ("price", 0, "i64"),  # 2**63 - 1: none
    ("quantity", 8, "i64"),
    ("orders", 16, "i32"),  # -1: not said
)
LAYOUTS: Final = {"packet": PACKET, "level": LEVEL}

MAGIC: Final = int.from_bytes(b"MB10", "little")
VERSION: Final = 1
DEPTH: Final = 10
EXPONENT: Final = -9  # of prices and quantities
HEADER_SIZE: Final = 24
LEVEL_SIZE: Final = 20
BODY_SIZE: Final = 24 + 2 * DEPTH * LEVEL_SIZE
SIZE: Final = HEADER_SIZE + BODY_SIZE

# Offsets in the packet, and in the body, which starts at the instrument.
SYMBOLS_AT: Final = 5
DEPTH_AT: Final = 6
SEQUENCE_AT: Final = 8
SENT_AT: Final = 16
TIME: Final = 8
BIDS: Final = 16
ASKS: Final = 18
LEVELS: Final = 24  # those of the bids, then those of the asks
QUANTITY: Final = 8
ORDERS: Final = 16

REWRITING: Final = Rewriting(header=HEADER_SIZE, sequence=Number(SEQUENCE_AT, 8, big=False))
