"""Whole datagrams of every protocol, to be damaged: every message type by hand, and what recorded captures have."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cme_reference
import deribit_frames
import iex_samples
import itch_samples
import mbp10_samples

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.frame import NO_PAYLOAD
from simbench.protocol.cme_layout import shipped
from simbench.protocol.registry import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simbench.protocol.contract import Protocol

SPECIMENS: Final = 400  # datagrams put together, of one to four messages each
MOST: Final = 2_000  # datagrams of a recorded capture: what comes later is of the same kinds


def corpus(protocol: Protocol) -> list[bytes]:
    """Return datagrams of a protocol: the same ones every time, and more where SIMBENCH_CAPTURES is set."""
    chance = random.Random(protocol.name)
    found, sequence = [], 1
    for _ in range(SPECIMENS):
        keys = [chance.choice(protocol.messages).key for _ in range(chance.randrange(1, 5))]
        found.append(_specimen(protocol, keys, sequence, chance))
        sequence += 1 if protocol.sequence_unit == "packet" else len(keys)
    return found + list(_recorded(protocol))


def _specimen(protocol: Protocol, keys: list[str], sequence: int, chance: random.Random) -> bytes:
    if protocol.name.startswith("cme."):
        numbers = cme_reference.every_template()
        parts = [cme_reference.synthetic(shipped(), chance.choice(numbers), chance.randrange(1000)) for _ in keys]
        return cme_reference.packet(*parts[:2], sequence=sequence)
    if protocol.name == "deribit.sbe":
        return deribit_frames.frame(*(deribit_frames.some_message(int(key), chance) for key in keys), sequence=sequence)
    if protocol.name.startswith("iex."):
        messages = [iex_samples.some_message(key, chance) for key in keys]
        return iex_samples.segment(messages, sequence, protocol=iex_samples.IDS[protocol.name])
    if protocol.name == "nasdaq.itch50":
        return itch_samples.packet([itch_samples.some_message(key, chance) for key in keys], sequence)
    if protocol.name.startswith("simbench.mbp10"):
        return mbp10_samples.some_packet(chance, sequence, int(protocol.text_key))
    raise LookupError(f"no specimens of {protocol.name}: add some here")


def _recorded(protocol: Protocol) -> Iterable[bytes]:
    folder = os.environ.get("SIMBENCH_CAPTURES")
    for path in sorted(Path(folder).glob("*/*.pcap*")) if folder else ():
        capture, dissector, found = open_capture(path), Dissector(checksums="ignore"), 0
        for block in capture.blocks():
            dissector.dissect(block)
            for row in block.frames[block.frames["flags"] & NO_PAYLOAD == 0]:
                at = int(row["payload"])
                payload = block.data[at : at + int(row["payload_length"])].tobytes()
                if found < MOST and payload and protocol.detect(payload):
                    found += 1
                    yield payload
            if found in {0, MOST}:
                break


def protocol(name: str) -> Protocol:
    """Return a protocol by its name; also the planted ones."""
    if name.startswith("planted."):
        import planted

        return planted.PROTOCOLS[name]
    return load(name)
