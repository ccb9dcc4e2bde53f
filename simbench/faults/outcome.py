"""What a script will have done by the end of a run: every fault with its class, and what a receiver must report.

noticeable    units are lost on all lines, or two copies differ and are compared, or a packet cannot be decoded, or the
              sequence begins again: a receiver has to say so
masked        the other line or the reorder window makes up for it
undetectable  nothing that still comes shows it: what is before the first or behind the last that is ever known of, a
              heartbeat, damage under right checksums that no other copy is compared with
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.faults.lot import PART
from simbench.faults.ranges import Ranges, union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.chain import Chain
    from simbench.faults.foresight import Altered, Foresight, Stretch
    from simbench.faults.script import Script

    Records = NDArray[Any]
    Place = tuple[int, int, int, int]  # channel, stream, and session and turn as recorded

NOTICEABLE: Final = 0
MASKED: Final = 1
UNDETECTABLE: Final = 2
CLASSES: Final = ("noticeable", "masked", "undetectable")

# By what a receiver notices it.
BY_NOTHING: Final = 0
BY_GAP: Final = 1
BY_CONFLICT: Final = 2
BY_DECODER: Final = 3
BY_EPOCH: Final = 4
SIGNS: Final = ("", "gap", "conflict", "malformed", "epoch")

HARMLESS: Final = frozenset({"duplicate", "split", "merge"})
MOVING: Final = frozenset({"delay", "skew", "reorder"})
LISTED: Final = 100_000  # records that are handed on one by one; of more only the counts


class Eras:
    """The stretches of a schedule by the sequences that the capture recorded.

    Args:
        stretches: by (channel, stream), in the order in which they begin.
        chain: the faults; None for the capture as it is.
    """

    def __init__(self, stretches: dict[tuple[int, int], list[Stretch]], chain: Chain | None) -> None:
        self.stretches = stretches
        self._lost = {id(stretch): Ranges(stretch.lost) for eras in stretches.values() for stretch in eras}
        self.places: dict[Place, list[tuple[int, int, Stretch]]] = {}
        for (channel, stream), eras in stretches.items():
            for number, stretch in enumerate(eras):
                session, turn, generation = stretch.key
                ahead = 0  # recorded sequence minus the one that is sent
                if generation and chain is not None:
                    session, turn, first = chain.renumbered(generation, channel, stream)
                    ahead = first - 1
                self.places.setdefault((channel, stream, session, turn), []).append((number, ahead, stretch))

    def lost(self, place: Place) -> list[tuple[int, int]]:
        """Return what is lost of a place, in recorded sequences."""
        return union([
            (first + ahead, last + ahead)
            for _, ahead, stretch in self.places.get(place, [])
            for first, last in stretch.lost
        ])  # fmt: skip

    def lost_of(self, stretch: Stretch) -> Ranges:
        """Return what is lost of a stretch."""
        return self._lost[id(stretch)]

    def known(self, place: Place) -> list[tuple[int, int]]:
        """Return what a receiver knows of a place, in recorded sequences."""
        return union([
            (stretch.first + ahead, stretch.last + ahead) for _, ahead, stretch in self.places.get(place, [])
        ])  # fmt: skip


def classify(records: Records, script: Script, eras: Eras, altered: dict[int, Altered]) -> NDArray[np.int64]:
    """Return class and sign of every record: int64[n, 2]."""
    found = np.full((len(records), 2), (MASKED, BY_NOTHING), np.int64)
    kinds = np.array([fault.kind for fault in script.faults])[records["fault"] - 1] if len(records) else np.zeros(0)
    units = records["last"] >= records["first"]
    keys = np.stack([records[name] for name in ("channel", "stream", "session", "turn")], axis=1)
    lost, known = np.zeros(len(records), np.bool_), np.zeros(len(records), np.bool_)
    for key in np.unique(keys, axis=0):
        mine = np.flatnonzero(np.all(keys == key, axis=1))
        place: Place = tuple(key.tolist())
        first, last = records["first"][mine], records["last"][mine]
        lost[mine] = Ranges(eras.lost(place)).touched(first, last)
        known[mine] = Ranges(eras.known(place)).touched(first, last)
    losing = ~np.isin(kinds, [*HARMLESS, *MOVING])
    found[losing & ~known] = UNDETECTABLE, BY_NOTHING
    found[~np.isin(kinds, [*HARMLESS]) & lost] = NOTICEABLE, BY_GAP
    found[~np.isin(kinds, [*MOVING]) & ~units] = UNDETECTABLE, BY_NOTHING
    for index in np.flatnonzero(np.isin(kinds, ["corrupt", "truncate"])).tolist():
        damaged = altered.get(int(records[index]["ordinal"]))
        if damaged is not None:
            found[index] = _judged(damaged)
    for index in np.flatnonzero(np.isin(kinds, ["restart", "session"])).tolist():
        found[index] = _begun(records[index], eras)
    return found


def _judged(damaged: Altered) -> tuple[int, int]:
    if damaged.compared:
        return NOTICEABLE, BY_CONFLICT
    if damaged.fresh and damaged.damage is not None:
        return NOTICEABLE, BY_DECODER
    return UNDETECTABLE, BY_NOTHING


def _begun(record: Any, eras: Eras) -> tuple[int, int]:
    stretches = eras.stretches.get((int(record["channel"]), int(record["stream"])), [])
    began = any(stretch.key[2] == record["fault"] for stretch in stretches)
    return (NOTICEABLE, BY_EPOCH) if began else (UNDETECTABLE, BY_NOTHING)


def outcome(script: Script, records: Records, chain: Chain, clean: Foresight, faulted: Foresight) -> dict[str, Any]:
    """Return what was done and what has to be noticed of it, in JSON types only.

    Args:
        script: whose faults.
        records: RECORD[n].
        chain: that was run.
        clean: has seen the schedule without the faults.
        faulted: has seen it with them.
    """
    own, eras = Eras(clean.finish(), None), Eras(faulted.finish(), chain)
    found = classify(records, script, eras, faulted.altered)
    return {
        "seed": script.seed,
        "faults": [_summary(script, number, records, found) for number in range(1, len(script.faults) + 1)],
        "records": [
            _listed(record, judged, eras)
            for record, judged in zip(records[:LISTED], found[:LISTED].tolist(), strict=True)
        ],
        "unlisted": max(0, len(records) - LISTED),
        "streams": [
            {
                "channel": channel,
                "stream": stream,
                "eras": [_era(channel, stream, number, eras, own) for number in range(len(stretches))],
            }
            for (channel, stream), stretches in sorted(eras.stretches.items())
        ],
        "wrong": faulted.wrong,
        "short": faulted.short,
        "unreadable": faulted.unreadable,
        "conflicts": faulted.conflicts,
        "malformed": sum(packet.decoded and packet.damage is not None for packet in faulted.altered.values()),
        "damaged": [
            [packet.channel, packet.stream, *packet.damage]
            for packet in faulted.altered.values()
            if packet.fresh and packet.damage is not None
        ],
        "lies": faulted.lies,
    }


def _summary(script: Script, number: int, records: Records, found: NDArray[np.int64]) -> dict[str, Any]:
    fault = script.faults[number - 1]
    mine = records["fault"] == number
    return {
        "kind": fault.kind,
        "channel": fault.channel,
        "line": getattr(fault, "line", None),
        "datagrams": int(records["datagrams"][mine].sum()),
        "records": int(np.count_nonzero(mine)),
        **{name: int(np.count_nonzero(found[mine, 0] == judged)) for judged, name in enumerate(CLASSES)},
    }


def _listed(record: Any, judged: list[int], eras: Eras) -> list[Any]:
    """Return a record as it is handed on: fault, ordinal, part, channel, line, stream, sequences, ..., ranges."""
    place: Place = tuple(int(record[name]) for name in ("channel", "stream", "session", "turn"))  # type: ignore[assignment]
    first, last = int(record["first"]), int(record["last"])
    ranges: list[list[int]] = []
    if judged[1] == BY_GAP:
        for number, ahead, stretch in eras.places.get(place, []):
            ranges += [[number, a, b] for a, b in eras.lost_of(stretch).common(first - ahead, last - ahead)]
    ordinal = int(record["ordinal"])
    return [
        int(record["fault"]), ordinal & ((1 << PART) - 1), ordinal >> PART, int(record["channel"]),
        int(record["line"]), int(record["stream"]), first, last, int(record["datagrams"]), int(record["recorded"]),
        int(record["due"]), int(record["detail"]), *judged, ranges,
    ]  # fmt: skip


def _era(channel: int, stream: int, number: int, eras: Eras, own: Eras) -> dict[str, Any]:
    """Return what has to be reported of an era, and which of its gaps the capture has by itself."""
    stretch = eras.stretches[channel, stream][number]
    by_itself = []
    for place, entries in eras.places.items():
        for entry, ahead, _ in entries:
            if place[:2] == (channel, stream) and entry == number:
                recorded = Ranges(own.lost(place))
                for first, last in stretch.lost:
                    by_itself += [(a - ahead, b - ahead) for a, b in recorded.common(first + ahead, last + ahead)]
    return {
        "fault": stretch.key[2],
        "first": stretch.first,
        "last": stretch.last,
        "gaps": [list(pair) for pair in union(stretch.lost)],
        "late": [list(pair) for pair in union(stretch.late)],
        "own": [list(pair) for pair in union(by_itself)],
    }
