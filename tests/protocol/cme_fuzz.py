"""Decodes seeded mutations and truncations in a process of its own; prints a digest of all that came out.

    python cme_fuzz.py COUNT

Each payload lies between bytes that differ from run to run of the decoder, and against a page that nobody may touch:
a load behind its end is a fault, and a result that hangs on what surrounds it is an error.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import random
import sys

import numpy as np
from cme_reference import every_template, packet, synthetic

from simbench.event import EVENT
from simbench.protocol.cme_layout import shipped
from simbench.protocol.cme_mdp3 import PACKET_HEAD, PROTOCOL, PROTOCOL_ORDERS
from simbench.protocol.contract import HEADER, Options, new_state

PAGE = mmap.PAGESIZE
ROOM = 4 * PAGE


def guarded() -> np.ndarray:
    """Return uint8[ROOM] whose next byte is on a page without any access."""
    area = mmap.mmap(-1, ROOM + PAGE)
    whole = np.frombuffer(area, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    address = whole.ctypes.data + ROOM
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return whole[:ROOM]


def payloads(count: int) -> list[bytes]:
    """Return whole packets, each with one change: bytes overwritten, bits flipped, cut short, or lengthened."""
    chance = random.Random(20)
    numbers = every_template()
    out = []
    for index in range(count):
        number = numbers[index % len(numbers)]
        good = packet(*(synthetic(shipped(), number, chance.randrange(1000)) for _ in range(chance.randrange(1, 3))))
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            bad[chance.randrange(len(bad))] = chance.choice([0, 1, 255, 127, 128, chance.randrange(256)])
        cut = chance.randrange(len(good) + 1) if chance.random() < 0.3 else len(good)
        out.append(bytes(bad[:cut]) + bytes(chance.randrange(4) if chance.random() < 0.1 else 0))
    return out


def main() -> None:
    """Decode and print."""
    area = guarded()
    digest = hashlib.blake2b(digest_size=16)
    malformed = 0
    samples = payloads(int(sys.argv[1]))
    for protocol in (PROTOCOL, PROTOCOL_ORDERS):
        header, events = np.zeros(1, HEADER), np.zeros(1100, EVENT)
        states = [new_state(protocol, Options()) for _ in range(2)]
        for payload in samples:
            results = []
            for state, fill in zip(states, (0x00, 0xFF), strict=True):
                area[:] = fill
                start = ROOM - len(payload)
                area[start:] = np.frombuffer(payload, np.uint8)
                count = protocol.frame(area, start, ROOM, state, header)
                if len(payload) >= PACKET_HEAD:  # also where the framing refuses it: a decoder believes no length
                    count = protocol.decode(area, start + PACKET_HEAD, ROOM, 0, state, events)
                kept = count if count >= 0 else -1 - count
                results.append((count, events[:kept].tobytes()))
            assert results[0] == results[1], payload.hex()
            malformed += results[0][0] < 0
            digest.update(repr(results[0]).encode())
        assert np.array_equal(*states)
    sys.stdout.write(f"{digest.hexdigest()} {malformed}\n")


if __name__ == "__main__":
    main()
