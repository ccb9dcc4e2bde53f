"""How a server of ours behaves: as a perfect one, or as badly as the user likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LIMIT: Final = 1400  # bytes of a datagram; with its headers it fits every Ethernet


@dataclass(frozen=True)
class Conduct:
    """How a server behaves; what it does not say is how a perfect one would.

    Attributes:
        limit: bytes of an answer.
        partial: most messages in an answer; 0 as many as fit.
        refuse: share of the requests that are left without an answer.
        seed: of the choice which those are.
        quota: requests of one requester that are answered; 0 all.
        delay_ns: from a request to its answer, replay time.
    """

    limit: int = LIMIT
    partial: int = 0
    refuse: float = 0.0
    seed: int = 1
    quota: int = 0
    delay_ns: int = 0
