"""How many instruments each gap touched is what the capture without faults says of the units in it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ring_bench import carried
from small_feeds import ITCH, MDP3, frames

from simbench.book import block, layout
from simbench.event import EVENT
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SENT, SEQUENCE, UNITS, Options, new_state
from simbench.protocol.registry import load
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANDOM = """
seed = {seed}
[[fault]]
kind = "drop"
from = "+0.1s"
probability = {probability}
[[fault]]
kind = "truncate"
from = "+0.1s"
probability = 0.01
bytes = 3
[[fault]]
kind = "dark"
from = "+0.5s"
to = "+0.55s"
"""


def events(path: Path, protocol: str) -> Iterator[tuple[int, int, int, dict[str, int]]]:
    """Yield (first, units, number in the packet, event) of one line of a capture."""
    spoken = load(protocol)
    state, header, out = new_state(spoken, Options()), np.zeros(1, HEADER), np.zeros(EVENT_BUFFER, EVENT)
    every = frames(path, protocol)
    for frame in every:
        if frame.port != min(one.port for one in every[:2]):
            continue
        data = np.frombuffer(bytes(frame.data[frame.payload :]), np.uint8).copy()
        assert spoken.frame(data, 0, len(data), state, header) == 0
        first, units, sent, start, end = (int(header[0][name]) for name in ("first", "units", "sent", "start", "end"))
        state[[SEQUENCE, SENT, UNITS]] = first, sent, units
        count = spoken.decode(data, start, end, 0, state, out)
        for number in range(count):
            yield first, units, number, {name: int(out[number][name]) for name in EVENT.names or ()}


def gaps(found: dict[str, Any]) -> list[tuple[int, int, int | None]]:
    """Return first, last and the instruments of each gap."""
    return [(gap["first"], gap["last"], gap["instruments"]) for gap in found["channels"][0]["gaps"]]


@pytest.mark.parametrize("seed", range(4))
def test_lost_gaps_touch_the_instruments_that_show_it(seed: int, mdp3: Path) -> None:
    """Those whose sequence leaves something out between a packet before the gap and one behind it."""
    found = carried(open_source(mdp3), RANDOM.format(seed=seed, probability=0.2)).book

    said = gaps(found)
    lost = {packet for first, last, _ in said for packet in range(first, last + 1)}
    seen: dict[int, list[tuple[int, int]]] = {}
    for packet, _, _, what in events(mdp3, MDP3):
        if packet not in lost and what["instrument_sequence"] and what["instrument"]:
            seen.setdefault(what["instrument"], []).append((packet, what["instrument_sequence"]))
    holes = [
        (key, before, after)
        for key, mine in seen.items()
        for (before, last), (after, sequence) in pairwise(mine)
        if sequence > last + 1
    ]
    assert said == [
        (first, last, len({key for key, before, after in holes if before < first and after > last}))
        for first, last, _ in said
    ]
    assert len({count for _, _, count in said}) > 2


@pytest.mark.parametrize("seed", range(4))
def test_recovered_gaps_touch_the_instruments_of_their_messages(seed: int, itch: Path) -> None:
    """By the symbol that a message names, or by that of its order, which may have begun in the gap itself."""
    script = RANDOM.format(seed=seed, probability=0.2)
    found = carried(open_source(itch), script, "retransmit").book

    stocks: dict[int, int] = {}
    touched: dict[int, int] = {}
    for *_, what in events(itch, ITCH):
        key = what["instrument"] or stocks.get(what["order"], 0)
        if what["order"]:
            stocks[what["order"]] = key
        if what["other"]:
            stocks.setdefault(what["other"], key)
        touched[what["sequence"]] = key
    said = gaps(found)
    assert said == [
        (first, last, len({touched.get(unit, 0) for unit in range(first, last + 1)} - {0})) for first, last, _ in said
    ]
    assert {gap["outcome"] for gap in found["channels"][0]["gaps"]} == {"retransmission"}
    assert max(count or 0 for _, _, count in said) > 2


def test_what_an_itch_gap_lost_nobody_knows(itch: Path) -> None:
    """Instruments have no sequence of their own: any of them may have missed something."""
    found = carried(open_source(itch), RANDOM.format(seed=1, probability=0.2)).book

    assert len(gaps(found)) > 5
    assert {count for _, _, count in gaps(found)} == {None}


@pytest.mark.parametrize(("protocol", "recover"), [(ITCH, "retransmit"), (MDP3, "none")])
def test_a_full_log_tells_no_number(
    protocol: str, recover: str, itch: Path, mdp3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What found no room in the log of touches would make every number too small."""
    make = block.new_memory

    def full(*values: Any) -> Any:
        memory = make(*values)
        memory[layout.TOUCH_TOP] = layout.TOUCH_ROOM
        return memory

    monkeypatch.setattr(block, "new_memory", full)
    found = carried(open_source(itch if protocol == ITCH else mdp3), RANDOM.format(seed=1, probability=0.2), recover)

    assert {count for _, _, count in gaps(found.book)} == {None}
