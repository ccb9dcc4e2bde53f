"""Decoders with a mistake each, to show that every way of looking sees what it is there to see.

A packet is a length u8 and so many bytes. The first decoder is right; the second loads one byte behind the packet and
makes nothing of it; the third makes an event of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.kernel.pure import kernel_as, load_u8
from simbench.protocol.contract import COUNTS, DECODE_SIGNATURE, FRAME_SIGNATURE, TRUNCATED, Message, Protocol

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words


@kernel_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Any) -> int:
    """Frame a packet: the whole datagram."""
    if end - start < 1:
        return TRUNCATED
    header[0]["stream"] = 0
    header[0]["session"] = 0
    header[0]["first"] = 1
    header[0]["units"] = 1
    header[0]["flags"] = 0
    header[0]["sent"] = 0
    header[0]["start"] = start
    header[0]["end"] = end
    return 0


@kernel_as(DECODE_SIGNATURE)
def right(data: Bytes, start: int, end: int, skip: int, state: Words, events: Any) -> int:
    """Add the bytes up."""
    total = 0
    for at in range(start, end):
        total += load_u8(data, at)
    events[0]["quantity"] = total
    return 1


@kernel_as(DECODE_SIGNATURE)
def reads_on(data: Bytes, start: int, end: int, skip: int, state: Words, events: Any) -> int:
    """Add the bytes up, after a look at the one behind them."""
    total = 0
    for at in range(start, end + 1):
        value = load_u8(data, at)
        if at < end:
            total += value
        elif value > 300:
            total = 0
    events[0]["quantity"] = total
    return 1


@kernel_as(DECODE_SIGNATURE)
def takes_on(data: Bytes, start: int, end: int, skip: int, state: Words, events: Any) -> int:
    """Add one byte too many, where there is one."""
    total = 0
    for at in range(start, min(end + 1, len(data))):
        total += load_u8(data, at)
    events[0]["quantity"] = total
    return 1


def _protocol(name: str, decode: Any) -> Protocol:
    return Protocol(
        name=name,
        frame=frame,
        decode=decode,
        state_size=COUNTS + 1,
        setup=lambda _state, _options: None,
        messages=(Message("0", "bytes", COUNTS),),
        sequence_unit="packet",
        book="order",
        text_key=False,
        price_exponent=0,
    )


PROTOCOLS: Final = {
    name: _protocol(name, decode)
    for name, decode in (("planted.right", right), ("planted.reads_on", reads_on), ("planted.takes_on", takes_on))
}
CORPUS: Final = [bytes([n, *range(n)]) for n in range(1, 60)]
