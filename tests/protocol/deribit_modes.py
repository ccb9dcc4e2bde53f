"""Frame and decode broken datagrams and print a hash of all that came out; run once per build of the kernels."""

from __future__ import annotations

import hashlib
import random
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from deribit_frames import Decoder, frame, some_message

from simbench.protocol.contract import FLOW_MISSING, SEQUENCE, SNAPSHOT_FLOW
from simbench.protocol.deribit_layout import FRAME_SIZE, TABLE
from simbench.protocol.deribit_sbe import PROTOCOL


def main(datagrams: int) -> None:
    """Mutate, frame, decode, hash."""
    chance = random.Random(12)
    templates = list(TABLE)
    decoder = Decoder(room=40)
    digest = hashlib.blake2b(digest_size=16)
    malformed = 0
    for _ in range(datagrams):
        broken = bytearray(frame(*(some_message(chance.choice(templates), chance) for _ in range(chance.randrange(5)))))
        for _ in range(chance.randrange(4)):
            broken[chance.randrange(len(broken))] = chance.choice([0, 1, 255, chance.getrandbits(8)])
        payload = bytes(broken[: chance.choice([len(broken), chance.randrange(len(broken) + 1)])])
        if len(payload) >= FRAME_SIZE and chance.random() < 0.8:
            payload = struct.pack("<H", len(payload) - FRAME_SIZE) + payload[2:]  # or hardly any would be decoded
        data = np.frombuffer(payload, np.uint8).copy()
        status = PROTOCOL.frame(data, 0, len(data), decoder.state, decoder.header)
        digest.update(b"%d" % status)
        if status == 0:
            header = decoder.header[0]
            decoder.state[SEQUENCE] = header["first"]
            decoder.state[SNAPSHOT_FLOW] = chance.randrange(3)
            decoder.state[FLOW_MISSING] = chance.randrange(-1, 2)
            start, end = int(header["start"]), int(header["end"])
            result = int(PROTOCOL.decode(data, start, end, 0, decoder.state, decoder.events))
            malformed += result < 0
            digest.update(b"%d" % result)
            digest.update(decoder.events[: result if result >= 0 else -1 - result].tobytes())
    digest.update(decoder.state.tobytes())
    print(digest.hexdigest(), malformed)  # noqa: T201 - what the test reads


def beyond() -> None:
    """Decode a frame whose end is said to lie behind its array: what a wrong check of a length would do."""
    decoder = Decoder()
    data = np.frombuffer(frame(some_message(1001, random.Random(1)))[:-8], np.uint8).copy()
    try:
        PROTOCOL.decode(data, 8, len(data) + 8, 0, decoder.state, decoder.events)
    except IndexError:
        print("seen")  # noqa: T201


if __name__ == "__main__":
    beyond() if sys.argv[1] == "beyond" else main(int(sys.argv[1]))
