"""Lengths and checksums of a frame, written and verified: dpkt has the second opinion."""

from __future__ import annotations

import struct

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.capture.seal import fits, is_sound, seal, udp_at

MAC = b"\x01\0\x5e\1\2\3\x02\0\0\0\0\0"


def frame(payload: bytes, version: int) -> np.ndarray:
    """Return a frame whose lengths and checksums are nonsense."""
    if version == 4:
        ip = b"\x45\0\xff\xff\0\0\x40\0\x40\x11\xab\xcd" + bytes((10, 1, 2, 3)) + bytes((239, 1, 2, 3))
        return np.frombuffer(bytearray(MAC + b"\x08\0" + ip + struct.pack(">HHHH", 5, 6, 7, 8) + payload), np.uint8)
    ip = b"\x60\0\0\0\xff\xff\x11\x40" + bytes(range(16)) + b"\xff" + bytes(15)
    return np.frombuffer(bytearray(MAC + b"\x86\xdd" + ip + struct.pack(">HHHH", 5, 6, 7, 8) + payload), np.uint8)


@pytest.mark.parametrize("version", [4, 6])
@given(payload=st.binary(max_size=200))
@settings(deadline=None, max_examples=40)
def test_a_sealed_frame_is_what_a_kernel_takes(version: int, payload: bytes) -> None:
    """Whatever stood in the fields, dpkt finds the payload under right checksums, and so does the own verdict."""
    data = frame(payload, version)
    assert not is_sound(data, 0, len(data))

    seal(data, 0, len(data))

    assert is_sound(data, 0, len(data))
    assert int(udp_at(data, 0)) == len(data) - len(payload) - 8
    packet = dpkt.ethernet.Ethernet(data.tobytes()).data
    assert packet.data.data == payload
    assert packet.data.ulen == 8 + len(payload)
    if version == 4:
        assert dpkt.in_cksum(bytes(packet)[:20]) == 0
        pseudo = struct.pack(">4s4sBBH", packet.src, packet.dst, 0, 17, packet.data.ulen)
    else:
        pseudo = struct.pack(">16s16sII", packet.src, packet.dst, packet.data.ulen, 17)
    assert dpkt.in_cksum(pseudo + bytes(packet.data)) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_every_turned_bit_and_every_missing_byte_is_seen(version: int) -> None:
    """A bit of addresses, lengths, checksums or payload makes it unsound; a missing byte makes it not fit."""
    data = frame(b"some messages", version)
    seal(data, 0, len(data))
    covered = [*range(26, len(data))] if version == 4 else [*range(18, 20), *range(22, len(data))]
    for at in covered:
        for bit in (1, 0x80):
            data[at] ^= bit
            assert not is_sound(data, 0, len(data)), at
            data[at] ^= bit
    assert fits(data, 0, len(data))
    assert not fits(data, 0, len(data) - 1)
    assert not is_sound(data, 0, 20)
