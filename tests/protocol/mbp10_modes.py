"""Frame and decode broken packets and print a hash of all that came out; run once per build of the kernels."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from mbp10_samples import some_packet, write

from simbench.event import EVENT
from simbench.protocol.contract import HEADER, SEQUENCE, UNITS, Options, new_state
from simbench.protocol.mbp10 import PROTOCOL
from simbench.protocol.mbp10_layout import DEPTH, HEADER_SIZE, SIZE


def main(datagrams: int) -> None:
    """Mutate, frame, decode, hash."""
    chance = random.Random(17)
    state, header, events = new_state(PROTOCOL, Options()), np.zeros(1, HEADER), np.zeros(21, EVENT)
    digest = hashlib.blake2b(digest_size=16)
    for number in range(datagrams):
        broken = bytearray(some_packet(chance, number))
        for _ in range(chance.randrange(3)):
            broken[chance.randrange(chance.choice([8, SIZE]))] = chance.getrandbits(8)
        data = np.frombuffer(bytes(broken[: chance.choice([SIZE, chance.randrange(SIZE + 1)])]), np.uint8).copy()
        status = int(PROTOCOL.frame(data, 0, len(data), state, header))
        digest.update(b"%d" % status)
        if status == 0:
            state[SEQUENCE], state[UNITS] = header[0]["first"], header[0]["units"]
            start, end = int(header[0]["start"]), int(header[0]["end"])
            result = int(PROTOCOL.decode(data, start, end, 0, state, events))
            digest.update(b"%d" % result)
            digest.update(events[: result if result >= 0 else -1 - result].tobytes())
    digest.update(state.tobytes())
    print(digest.hexdigest())  # noqa: T201 - what the test reads


def beyond() -> None:
    """Decode a packet whose end is said to lie behind its array: what a wrong check of a length would do."""
    data = np.frombuffer(write(asks=[(1, 1, 1)] * DEPTH)[:-8], np.uint8).copy()
    try:
        PROTOCOL.decode(data, HEADER_SIZE, SIZE, 0, new_state(PROTOCOL, Options()), np.zeros(21, EVENT))
    except IndexError:
        print("seen")  # noqa: T201


if __name__ == "__main__":
    beyond() if sys.argv[1] == "beyond" else main(int(sys.argv[1]))
