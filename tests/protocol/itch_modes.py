"""Frame and decode broken datagrams and print a hash of all that came out; run once per build of the kernels."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from itch_samples import Decoder, packet, some_message

from simbench.protocol.contract import SEQUENCE
from simbench.protocol.itch50_layout import TABLE
from simbench.protocol.moldudp64 import COUNT_AT, HEADER_SIZE
from simbench.protocol.nasdaq_itch50 import PROTOCOL


def main(datagrams: int) -> None:
    """Mutate, frame, decode, hash."""
    chance = random.Random(11)
    keys = list(TABLE)
    decoder = Decoder(room=40)
    digest = hashlib.blake2b(digest_size=16)
    for _ in range(datagrams):
        whole = packet([some_message(chance.choice(keys), chance) for _ in range(chance.randrange(12))])
        broken = bytearray(whole)
        for _ in range(chance.randrange(4)):
            broken[chance.randrange(10, len(broken))] = chance.getrandbits(8)
        payload = bytes(broken[: chance.choice([len(broken), chance.randrange(len(broken) + 1)])])
        data = np.frombuffer(payload, np.uint8).copy()
        status = PROTOCOL.frame(data, 0, len(data), decoder.state, decoder.header)
        digest.update(b"%d" % status)
        if len(data) >= HEADER_SIZE:  # also where the framing refuses it: a decoder believes no length
            decoder.state[SEQUENCE] = 1
            skip = chance.randrange(3)
            result = PROTOCOL.decode(data, COUNT_AT, len(data), skip, decoder.state, decoder.events)
            count = result if result >= 0 else -1 - result
            digest.update(b"%d" % result)
            digest.update(decoder.events[:count].tobytes())
    digest.update(decoder.state.tobytes())
    print(digest.hexdigest())  # noqa: T201 - what the test reads


def beyond() -> None:
    """Decode a packet whose end is said to lie behind its array: what a wrong check of a length would do."""
    decoder = Decoder()
    data = np.frombuffer(packet([some_message("D", random.Random(1))] * 3)[:-8], np.uint8).copy()
    try:
        PROTOCOL.decode(data, 18, len(data) + 8, 0, decoder.state, decoder.events)
    except IndexError:
        print("seen")  # noqa: T201


if __name__ == "__main__":
    beyond() if sys.argv[1] == "beyond" else main(int(sys.argv[1]))
