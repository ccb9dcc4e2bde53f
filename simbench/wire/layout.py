"""What all wires do to a frame in memory: sign it with its serial, and describe it as it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.kernel.pure import inlined, load_be16, load_be48, load_le64, store_be16, store_be32, store_le64
from simbench.wire.contract import MAC_SERIAL

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes
    from simbench.wire.contract import Frames

SOURCE_MAC = 6  # offset in an Ethernet frame


@inlined
def sign(memory: Bytes, frame: int, serial: int) -> None:
    """Write a serial of 40 bits into the source MAC of the frame at an offset, behind the byte 02."""
    store_be16(memory, frame + SOURCE_MAC, MAC_SERIAL << 8 | serial >> 32 & 0xFF)
    store_be32(memory, frame + SOURCE_MAC + 2, serial & 0xFFFFFFFF)


@inlined
def serial_of(memory: Bytes, frame: int, length: int) -> int:
    """Read the serial out of a frame's source MAC; -1 where there is none."""
    if length < 12 or load_be16(memory, frame + SOURCE_MAC) >> 8 != MAC_SERIAL:
        return -1
    return load_be48(memory, frame + SOURCE_MAC) & 0xFFFFFFFFFF


@inlined
def take_stamp(memory: Bytes, frame: int) -> int:
    """Take the stamp that the XDP program left before a frame; 0 where it had no room, since it is cleared here."""
    stamp = load_le64(memory, frame - 8)
    store_le64(memory, frame - 8, 0)
    return stamp


@inlined
def describe(memory: Bytes, frames: Frames, i: int, offset: int, length: int, stamp: int, serials: int) -> None:
    """Fill frames[i] for an Ethernet frame that nobody has dissected."""
    frame = frames[i]
    frame["offset"] = offset
    frame["stamp"] = stamp
    frame["ordinal"] = serial_of(memory, offset, length) if serials != 0 else -1
    frame["payload"] = -1
    frame["captured"] = length
    frame["wire"] = length
    frame["payload_length"] = 0
    frame["trailer"] = 0
    frame["flow"] = -1
    frame["interface"] = 0
    frame["capture"] = 0
    frame["flags"] = 0
    frame["link"] = 1
