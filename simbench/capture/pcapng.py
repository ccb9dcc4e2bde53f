"""The pcapng format: the kernel that cuts its packet blocks, and its sections, interfaces and statistics.

Layouts: draft-ietf-opsawg-pcapng. A block is type u32, total length u32, body, total length u32 again. All integers
are in the byte order of the section that holds the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numba import njit

from simbench.capture.block import (
    AT,
    BACKWARD,
    BIG,
    CLAMPED,
    CONTRADICTORY,
    DAMAGED,
    FREE,
    FULL,
    HUNGRY,
    LENGTH,
    LONGEST,
    ORDINAL,
    PARSE,
    ROOM,
    SCAN_WORDS,
    SKIP,
    STAMP,
    STATUS,
    UNDECLARED,
    UNSTAMPED,
    Interface,
)
from simbench.errors import SimbenchError
from simbench.kernel.pure import load_be16, load_be32, load_le16, load_le32, shift_right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simbench.capture.block import Bytes, Frames, Words

SECTION: Final = 0x0A0D0D0A  # the same in both byte orders
INTERFACE: Final = 1
PACKET: Final = 2  # obsolete, still written by old tools
SIMPLE: Final = 3
STATISTICS: Final = 5
ENHANCED: Final = 6

MAGIC: Final = b"\x1a\x2b\x3c\x4d"  # of a section's byte order, as a big-endian one has it
MOST_INTERFACES: Final = 4096  # a FRAME numbers them in 16 bits; nobody has more

# Options. 0 ends a list.
IF_NAME: Final = 2
IF_TSRESOL: Final = 9
IF_TSOFFSET: Final = 14
ISB_IFDROP: Final = 5
ISB_OSDROP: Final = 7

DECLARED: Final = FREE  # word of the scan: interfaces of the section

# Columns of the table of the section's interfaces.
NUMBER: Final = 0  # in the whole file
LINK: Final = 1
SNAPLEN: Final = 2
CLOCK: Final = 3  # how ticks become ns: one of the three below
FACTOR: Final = 4
OFFSET: Final = 5  # ns
COLUMNS: Final = 6

MULTIPLY: Final = 0
DIVIDE: Final = 1
BINARY: Final = 2  # ticks of 2**-FACTOR s

LATEST: Final = (1 << 63) - 1
LONGEST_OFFSET: Final = 9_000_000_000  # s; a stamp reaches 292 years

Order = Literal["big", "little"]


class PcapngScanner:
    """Cut the packets of a pcapng file.

    Attributes:
        format: in words.
        interfaces: those met so far. One that another section declares again, in the same place and alike, is the same.
        words: int64[SCAN_WORDS], shared with the kernel.
        notes: what is odd but no reason to stop.
    """

    def __init__(self, name: str) -> None:
        """Start before the first section.

        Args:
            name: of the file, for errors.
        """
        self.format = "pcapng"
        self.interfaces: list[Interface] = []
        self.notes: list[str] = []
        self.words = np.zeros(SCAN_WORDS, np.int64)
        self._name = name
        self._table = np.zeros((16, COLUMNS), np.int64)
        self._known: dict[tuple[int, int, str, str, int, int], int] = {}
        self._sections = 0
        self._order: Order = "little"

    def scan(self, data: Bytes, frames: Frames) -> int:
        """Cut blocks from words[AT] on until one is not whole, there is no room, or damage; return how many frames."""
        words = self.words
        count = scan(data, frames, 0, words, self._table)
        while words[STATUS] == PARSE:
            words[STATUS] = self._parse(data, int(words[AT]))
            if words[STATUS] != PARSE:
                break
            count = scan(data, frames, count, words, self._table)
        return count

    def _parse(self, data: Bytes, at: int) -> int:
        """Take in the section, interface or statistics block at data[at:]; PARSE when the scan can go on behind it."""
        kind = int.from_bytes(data[at : at + 4].tobytes(), self._order)
        if kind == SECTION:
            return self._parse_section(data, at)
        length = int.from_bytes(data[at + 4 : at + 8].tobytes(), self._order)
        body = data[at + 8 : at + length - 4].tobytes()
        if kind == INTERFACE:
            if len(body) < 8 or self.words[DECLARED] == MOST_INTERFACES or len(self.interfaces) == MOST_INTERFACES:
                return self._damaged(length)
            self._declare(body)
        else:
            self._count_drops(body)
        self.words[AT] = at + length
        return PARSE

    def _damaged(self, length: int) -> int:
        self.words[LENGTH] = length
        return DAMAGED

    def _parse_section(self, data: Bytes, at: int) -> int:
        head = data[at : at + 16].tobytes()
        if len(head) < 16:
            return HUNGRY
        order: Order = "big" if head[8:12] == MAGIC else "little"
        length = int.from_bytes(head[4:8], order)
        good = head[8:12] == (MAGIC if order == "big" else MAGIC[::-1])
        if not good or length < 28 or length % 4 or length > ROOM:
            return self._damaged(length)
        if at + length > len(data):
            return HUNGRY
        if data[at + length - 4 : at + length].tobytes() != head[4:8]:
            return self._damaged(length)
        major = int.from_bytes(head[12:14], order)
        if major != 1:
            if not self._sections:
                raise SimbenchError(f"{self._name} says it is pcapng version {major}, expected 1: not a usable capture")
            return self._damaged(length)
        if not self._sections:
            self.format = f"pcapng {order}-endian"
        elif order != self._order:
            self.format = "pcapng of both byte orders"
        self._order = order
        self._sections += 1
        self.words[BIG] = order == "big"
        self.words[DECLARED] = 0
        self.words[AT] = at + length
        return PARSE

    def _declare(self, body: bytes) -> None:
        """Take in an interface: link type u16, reserved u16, snaplen u32, options."""
        order = self._order
        link = int.from_bytes(body[0:2], order)
        snaplen = int.from_bytes(body[4:8], order)
        name, ticks, offset = "", 6, 0
        for code, value in options(body[8:], order):
            if code == IF_NAME:
                name = printable(value)
            elif code == IF_TSRESOL and len(value) == 1:
                ticks = value[0]
            elif code == IF_TSOFFSET and len(value) == 8:
                offset = int.from_bytes(value, order, signed=True)
        local = int(self.words[DECLARED])
        if abs(offset) > LONGEST_OFFSET:
            self.notes.append(f"interface {local} says its clock is {offset} s off, which is ignored")
            offset = 0
        clock, factor, resolution = _clock(ticks)
        key = (local, link, name, resolution, offset, snaplen)
        number = self._known.setdefault(key, len(self.interfaces))
        if number == len(self.interfaces):
            section = self._sections - 1
            self.interfaces.append(Interface(link, name, resolution, offset * 1_000_000_000, snaplen, section))
        if local == len(self._table):
            self._table = np.concatenate((self._table, np.zeros_like(self._table)))
        self._table[local] = (number, link, snaplen, clock, factor, offset * 1_000_000_000)
        self.words[DECLARED] = local + 1

    def _count_drops(self, body: bytes) -> None:
        """Take in an interface's statistics: interface u32, time, options; counters are since the capture began."""
        local = int.from_bytes(body[0:4], self._order)
        if len(body) < 12 or local >= self.words[DECLARED]:
            return
        drops = [int.from_bytes(v, self._order) for c, v in options(body[12:], self._order) if c in _DROPS]
        if drops:
            interface = self.interfaces[self._table[local, NUMBER]]
            interface.drops = max(interface.drops, sum(drops))


_DROPS: Final = frozenset((ISB_IFDROP, ISB_OSDROP))


def options(body: bytes, order: Order) -> Iterator[tuple[int, bytes]]:
    """Yield code and value of the options that fit into body; what does not fit ends the list."""
    at = 0
    while at + 4 <= len(body):
        code = int.from_bytes(body[at : at + 2], order)
        length = int.from_bytes(body[at + 2 : at + 4], order)
        if code == 0 or at + 4 + length > len(body):
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)


def printable(value: bytes) -> str:
    """Return a text of the file's without what a terminal would obey."""
    return "".join(c for c in value.decode("utf-8", "replace") if c.isprintable())[:80]


def _clock(ticks: int) -> tuple[int, int, str]:
    """Return clock, factor and words of an if_tsresol: the top bit says a power of 2 instead of 10."""
    power = ticks & 0x7F
    if ticks & 0x80:
        return BINARY, power, f"2^-{power} s"
    words = {0: "1 s", 3: "1 ms", 6: "1 us", 9: "1 ns", 12: "1 ps"}.get(power, f"10^-{power} s")
    if power <= 9:
        return MULTIPLY, 10 ** (9 - power), words
    if power > 27:  # 64 bits of such ticks are not 2 ns together
        return BINARY, 0x7F, words
    return DIVIDE, 10 ** (power - 9), words


@njit(cache=True, nogil=True)
def to_ns(ticks: int, clock: int, factor: int, offset: int) -> int:
    """Turn an interface's ticks, unsigned 64 bits, into ns since 1970; LATEST for what lies behind the year 2262."""
    if clock == MULTIPLY:
        if ticks < 0 or ticks > LATEST // factor:
            return LATEST
        ns = ticks * factor
    elif clock == DIVIDE:
        half = shift_right(ticks, 1)
        ns = half // factor * 2 + (half % factor * 2 + (ticks & 1)) // factor
    else:
        seconds = shift_right(ticks, factor) if factor < 64 else 0
        if seconds < 0 or seconds >= LATEST // 1_000_000_000:
            return LATEST
        if factor <= 32:
            ns = seconds * 1_000_000_000 + ((ticks & ((1 << factor) - 1)) * 1_000_000_000 >> factor)
        else:
            # The fraction in two parts, since factor bits times 1e9 do not fit into 64.
            rest = factor - 32
            high = shift_right(ticks, rest) & 0xFFFF_FFFF if rest < 64 else 0
            low = ticks & ((1 << rest) - 1) if rest < 32 else 0
            ns = seconds * 1_000_000_000 + (high * 1_000_000_000 + (low * 1_000_000_000 >> rest) >> 32)
    if offset > 0 and ns > LATEST - offset:
        return LATEST
    return ns + offset


@njit(cache=True, nogil=True)
def scan(data: Bytes, frames: Frames, first: int, words: Words, table: Words) -> int:
    """Cut data into frames from words[AT] on, into frames[first:]; words[STATUS] says why it stopped.

    Returns the number of frames, those before first included.
    """
    at = words[AT]
    end = len(data)
    big = words[BIG] != 0
    declared = words[DECLARED]
    ordinal = words[ORDINAL]
    last = words[STAMP]
    count = first
    status = HUNGRY
    while at + 12 <= end:
        kind = load_be32(data, at) if big else load_le32(data, at)
        if kind == SECTION:
            status = PARSE
            break
        length = load_be32(data, at + 4) if big else load_le32(data, at + 4)
        packet = kind in (ENHANCED, SIMPLE, PACKET)
        wanted = packet or kind in (INTERFACE, STATISTICS)
        if length < 12 or length % 4 != 0 or (wanted and length > ROOM):
            words[LENGTH] = length
            status = DAMAGED
            break
        if at + length > end:
            if not wanted:
                words[SKIP] = at + length - end
                at = end
            break
        if (load_be32(data, at + length - 4) if big else load_le32(data, at + length - 4)) != length:
            words[LENGTH] = length
            status = DAMAGED
            break
        if not packet:
            if wanted:
                status = PARSE
                break
            at += length
            continue
        if count == len(frames):
            status = FULL
            break

        interface = 0
        ticks = 0
        if kind == SIMPLE:
            where = at + 12
            captured = length - 16
            wire = captured
            if captured >= 0:
                wire = load_be32(data, at + 8) if big else load_le32(data, at + 8)
                captured = min(captured, wire)
                if declared > 0 and table[0, SNAPLEN] > 0:
                    captured = min(captured, table[0, SNAPLEN])
        else:
            where = at + 28
            captured = -1
            wire = 0
            if length >= 32:
                if kind == ENHANCED:
                    interface = load_be32(data, at + 8) if big else load_le32(data, at + 8)
                else:
                    interface = load_be16(data, at + 8) if big else load_le16(data, at + 8)
                if big:
                    ticks = load_be32(data, at + 12) << 32 | load_be32(data, at + 16)
                    captured = load_be32(data, at + 20)
                    wire = load_be32(data, at + 24)
                else:
                    ticks = load_le32(data, at + 12) << 32 | load_le32(data, at + 16)
                    captured = load_le32(data, at + 20)
                    wire = load_le32(data, at + 24)
                if captured > length - 32 or captured > LONGEST:
                    captured = -1
        at += length
        ordinal += 1
        if captured < 0:
            words[CONTRADICTORY] += 1
            continue
        if interface >= declared:
            words[UNDECLARED] += 1
            continue

        if kind == SIMPLE:
            stamp = last
            words[UNSTAMPED] += 1
        else:
            stamp = to_ns(
                ticks, int(table[interface, CLOCK]), int(table[interface, FACTOR]), int(table[interface, OFFSET])
            )
            words[CLAMPED] += stamp == LATEST
            words[BACKWARD] += stamp < last and ordinal > 1
        last = stamp
        frame = frames[count]
        frame["offset"] = where
        frame["stamp"] = stamp
        frame["ordinal"] = ordinal - 1
        frame["payload"] = -1
        frame["captured"] = captured
        frame["wire"] = min(max(wire, captured), 0x7FFF_FFFF)
        frame["payload_length"] = 0
        frame["trailer"] = 0
        frame["flow"] = -1
        frame["interface"] = table[interface, NUMBER]
        frame["capture"] = 0
        frame["flags"] = 0
        frame["link"] = table[interface, LINK]
        count += 1
    words[AT] = at
    words[ORDINAL] = ordinal
    words[STAMP] = last
    words[STATUS] = status
    return count
