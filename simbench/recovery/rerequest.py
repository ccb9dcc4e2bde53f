"""A MoldUDP64 re-request server: messages by session and sequence, sent again to the one who asks.

MoldUDP64 1.00: a request is the header of a packet (session, sequence of the first message, how many), and the answer
is an ordinary packet to the requester's own address with as many of them as fit; what is missing is asked for again.
Nothing is said to who asks for what there is not.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.protocol.moldudp64 import HEADER_SIZE, HIGHEST, REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.recovery.conduct import Conduct
    from simbench.recovery.store import Store

LONGEST: Final = 65_507  # bytes: what the lengths of IPv4 and UDP can say
EVERYTHING: Final = (1 << 63) - 1

COUNTERS: Final = (
    "requests",
    "answered",
    "resent",
    "malformed",
    "unknown",
    "early",
    "refused",
    "over_quota",
    "send_failed",
)


def _everything() -> int:
    return EVERYTHING


class Rerequest:
    """Answers the requests for one channel.

    Args:
        store: what the channel sent.
        conduct: how it behaves.
        sent: says up to which recorded time the channel has been sent, ns since 1970.
    """

    def __init__(self, store: Store, conduct: Conduct, sent: Callable[[], int] = _everything) -> None:
        self.store = store
        self.conduct = conduct
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._sent = sent
        self._random = random.Random(conduct.seed)  # noqa: S311 - a seeded choice, no secret
        self._asked: dict[str, int] = {}
        self._out = np.zeros(LONGEST, np.uint8)

    def answer(self, request: bytes, requester: str) -> bytes | None:
        """Return the answer to a request, None where there is none.

        Args:
            request: the datagram.
            requester: its source address.
        """
        counters, conduct = self.counters, self.conduct
        counters["requests"] += 1
        if len(request) != HEADER_SIZE:
            counters["malformed"] += 1
            return None
        session, first, count = struct.unpack(REQUEST, request)
        if count == 0 or not 0 < first <= HIGHEST:
            counters["malformed"] += 1
            return None
        if conduct.quota:
            self._asked[requester] = self._asked.get(requester, 0) + 1
            if self._asked[requester] > conduct.quota:
                counters["over_quota"] += 1
                return None
        if conduct.refuse and self._random.random() < conduct.refuse:
            counters["refused"] += 1
            return None
        most = min(count, conduct.partial or count)
        units, length = self.store.pack(session, first, most, until=self._sent(), limit=conduct.limit, out=self._out)
        if units == 0:
            counters["early" if self.store.early else "unknown"] += 1
            return None
        struct.pack_into(REQUEST, self._out.data, 0, session, first, units)
        counters["answered"] += 1
        counters["resent"] += units
        return self._out[:length].tobytes()

    def describe(self) -> str:
        """Return in words what can be asked for."""
        held = ", ".join(
            f"session {name.decode('ascii', 'replace').strip() or 'without a name'} {first} to {last}"
            for name, (first, last) in self.store.sessions.items()
        )
        return f"{self.store.messages:,} messages: {held or 'none'}"
