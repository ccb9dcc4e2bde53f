"""Frame and decode broken segments of all IEX feeds, print a hash of all that came out; run once per build."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from iex_samples import IDS, Decoder, segment, some_message

from simbench.protocol.contract import SEQUENCE, UNITS
from simbench.protocol.iex import DEEP, DEEP_PLUS, TOPS
from simbench.protocol.iex_tp import COUNT, HEADER_SIZE


def main(datagrams: int) -> None:
    """Mutate, frame, decode, hash."""
    chance = random.Random(13)
    decoders = [Decoder(protocol, room=40) for protocol in (TOPS, DEEP, DEEP_PLUS)]
    digest = hashlib.blake2b(digest_size=16)
    for _ in range(datagrams):
        decoder = chance.choice(decoders)
        keys = [message.key for message in decoder.protocol.messages]
        messages = [some_message(chance.choice(keys), chance) for _ in range(chance.randrange(12))]
        whole = segment(messages, protocol=IDS[decoder.protocol.name])
        broken = bytearray(whole)
        for _ in range(chance.randrange(4)):
            broken[chance.randrange(4, len(broken))] = chance.getrandbits(8)
        payload = bytes(broken[: chance.choice([len(broken), chance.randrange(len(broken) + 1)])])
        data = np.frombuffer(payload, np.uint8).copy()
        status = decoder.protocol.frame(data, 0, len(data), decoder.state, decoder.header)
        digest.update(b"%d" % status)
        if len(data) >= HEADER_SIZE:  # also where the framing refuses it: a decoder believes no length
            decoder.state[SEQUENCE], decoder.state[UNITS] = 1, COUNT.read(payload)
            start, end = HEADER_SIZE, len(data)
            result = decoder.protocol.decode(data, start, end, chance.randrange(3), decoder.state, decoder.events)
            count = result if result >= 0 else -1 - result
            digest.update(b"%d" % result)
            digest.update(decoder.events[:count].tobytes())
    for decoder in decoders:
        digest.update(decoder.state.tobytes())
    print(digest.hexdigest())  # noqa: T201 - what the test reads


def beyond() -> None:
    """Decode a segment whose end is said to lie behind its array: what a wrong check of a length would do."""
    decoder = Decoder(TOPS)
    data = np.frombuffer(segment([some_message("Q", random.Random(1))] * 3)[:-8], np.uint8).copy()
    decoder.state[UNITS] = 3
    try:
        TOPS.decode(data, 40, len(data) + 8, 0, decoder.state, decoder.events)
    except IndexError:
        print("seen")  # noqa: T201


if __name__ == "__main__":
    beyond() if sys.argv[1] == "beyond" else main(int(sys.argv[1]))
