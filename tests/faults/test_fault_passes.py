"""The same script and capture give the same frames: in blocks of any size, loaded or streamed, in any window."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fault_bench import load, sent, write
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.capture.seal import seal
from simbench.errors import SimbenchError
from simbench.faults import stage
from simbench.faults.chain import Chain
from simbench.faults.lines import Lines, Reading
from simbench.faults.log import Log
from simbench.faults.script import parse
from simbench.receive.offline import open_source
from simbench.replay import control as c
from simbench.replay.control import Control
from simbench.replay.rows import END, LOADED, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.faults.lot import Lot

EVERYTHING = """
seed = 4
[[fault]]
kind = "drop"
probability = 0.05
[[fault]]
kind = "dark"
line = "A"
from = "+0.2s"
to = "+0.25s"
[[fault]]
kind = "duplicate"
every = 7
delay = "300us"
[[fault]]
kind = "reorder"
probability = 0.1
by = 3
[[fault]]
kind = "delay"
probability = 0.1
delay = "2ms"
jitter = "2ms"
[[fault]]
kind = "split"
line = "B"
pieces = 2
[[fault]]
kind = "merge"
line = "A"
every = 3
datagrams = 3
[[fault]]
kind = "skew"
line = "B"
from = "+0.5s"
to = "+0.6s"
delay = "5ms"
[[fault]]
kind = "corrupt"
probability = 0.02
[[fault]]
kind = "truncate"
every = 31
bytes = 3
[[fault]]
kind = "session"
at = "+0.7s"
name = "SECOND"
"""


def passed(path: Path, text: str, cuts: list[int]) -> tuple[list[Any], Any]:
    """Return the frames, and the log, of a schedule that goes through the faults in lots that end at these frames."""
    source = open_source(path)
    loader = load(path)
    dissector = Dissector()
    for block in open_capture(path).blocks():
        dissector.dissect(block)
    lines = Lines(source.feed, source.first_ns)
    log = Log(-(1 << 62), 1 << 62)
    chain = Chain(parse(text, source.feed), lines, source.first_ns, log)
    ends = sorted({min(cut, len(loader.rows)) for cut in cuts} | {len(loader.rows)})

    def lots() -> Iterator[Lot]:
        reading = Reading(lines)
        for first, end in zip([0, *ends], ends, strict=False):
            if end > first:
                yield reading.lot(loader.rows[first:end].copy(), loader.data.copy(), dissector.flows)

    found = [
        (int(item["when"]), int(item["ordinal"]), lot.frame(index).tobytes())
        for lot in chain.run(lots())
        for index, item in enumerate(lot.items)
    ]
    return found, log.records()


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 3_900), max_size=12))
def test_frames_do_not_depend_on_the_blocks(itch: Path, whole: tuple[list[Any], Any], cuts: list[int]) -> None:
    """Wherever a schedule is cut into lots, the same frames come out in the same order, and the log says the same."""
    frames, records = passed(itch, EVERYTHING, cuts)
    assert frames == whole[0]
    assert records.tolist() == whole[1].tolist()


@pytest.fixture(scope="module")
def whole(itch: Path) -> tuple[list[Any], Any]:
    """Return frames and log of all faults at once, in one lot; each of them has done something."""
    found = passed(itch, EVERYTHING, [])
    assert set(found[1]["fault"].tolist()) == set(range(1, 12))
    assert len(found[0]) > 3_000
    return found


def test_the_loader_sends_what_the_chain_gives(itch: Path, whole: tuple[list[Any], Any]) -> None:
    """What is scheduled is what came out, twice the same."""
    frames = [(frame.when, frame.ordinal + (frame.part << 40), frame.data) for frame in sent(load(itch, EVERYTHING))]
    assert frames == whole[0]
    assert frames == [(f.when, f.ordinal + (f.part << 40), f.data) for f in sent(load(itch, EVERYTHING))]


def test_a_streamed_capture_gives_the_frames_of_a_loaded_one(itch: Path) -> None:
    """With hardly any memory, in two loops: the same rows, and the same foresight."""
    whole, part = load(itch, EVERYTHING), load(itch, EVERYTHING, budget=1, loops=2)
    control = Control.create()
    control.words[c.LOOPS] = 2
    expected = [(f.when, f.ordinal + (f.part << 40), f.data) for f in sent(whole)]
    assert (whole.resident, part.resident) == (True, False)
    assert part.foreseen == whole.foreseen
    part.start(control.words)
    taken = []
    try:
        for position in range(2 * len(expected)):
            while part.feed[LOADED] <= position and part.error is None:
                part._stop.wait(0.001)
            assert part.error is None
            row = part.rows[position % len(part.rows)]
            data = part.data[row["source"] : row["source"] + row["length"]].tobytes()
            taken.append((int(row["recorded"]), int(row["ordinal"]), data))
            part.feed[TAKEN] = position + 1
        while part.feed[END] != len(taken) and part.error is None:
            part._stop.wait(0.001)
    finally:
        part.stop()
    assert taken == expected * 2


def test_a_window_is_cut_out_of_the_faulted_schedule(itch: Path) -> None:
    """What happens inside does not depend on where it starts or ends, and only that is logged."""
    clean = sent(load(itch))
    first, last = clean[0].when + 300_000_000, clean[0].when + 650_000_000
    every = [frame for frame in sent(load(itch, EVERYTHING)) if first <= frame.when < last]
    some = load(itch, EVERYTHING, from_ns=first, to_ns=last, primed=False)
    assert sent(some) == every
    assert 500 < len(every) < len(clean)
    assert (some.plan.frames, some.plan.first_ns, some.plan.last_ns) == (len(every), every[0].when, every[-1].when)
    whens = [record[10] if record[10] >= 0 else record[9] for record in some.foreseen["records"]]
    assert len(whens) > 100
    assert all(first - 5_000_000 <= when < last for when in whens)


def test_file_order_is_kept_where_no_fault_moves_anything(tmp_path: Path, mdp3: Path) -> None:
    """In file order frames stay where they are; a delay counts from when they are due."""
    text = 'seed = 1\n[[fault]]\nkind = "delay"\nsequence = 10\ndelay = "1ms"'
    source = open_capture(mdp3)
    records = [
        (int(row["stamp"]), block.data[row["offset"] : row["offset"] + row["captured"]].tobytes())
        for block in source.blocks()
        for row in block.frames
    ]
    random.Random(1).shuffle(records)
    path = write(tmp_path, records, mdp3)
    clean, found = sent(load(path, order="file")), sent(load(path, text, order="file"))
    moved = [frame for frame, other in zip(found, clean, strict=True) if frame.ordinal != other.ordinal]
    assert [f.ordinal for f in clean] == list(range(len(records)))
    late = {f.ordinal: f for f in found if f.when != clean[f.ordinal].when}
    assert len(late) == 2
    assert len(moved) > 0 or max(late) >= len(records) - 2
    for ordinal, frame_ in late.items():
        due = max(f.when for f in clean[: ordinal + 1])
        assert frame_.when == due + 1_000_000


def test_frames_that_are_not_of_the_feed_go_through_untouched(itch: Path, tmp_path: Path) -> None:
    """With --all they are sent where they stand, whatever the script says."""
    clean = sent(load(itch))
    foreign = np.frombuffer(bytearray(clean[50].data), np.uint8)
    foreign[33] ^= 7  # another group
    seal(foreign, 0, len(foreign))
    records = [(f.when, f.data) for f in clean[:50]] + [(clean[50].when, foreign.tobytes())]
    path = write(tmp_path, records, itch)
    found = sent(load(path, '[[fault]]\nkind = "drop"\n[[fault]]\nkind = "restart"\nsequence = 5', everything=True))
    assert [f.payload for f in found] == [clean[50].payload]


def test_no_script_no_stage(itch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without faults the schedule does not go near them."""
    monkeypatch.setattr(Reading, "lot", None)
    assert len(sent(load(itch))) > 3_000


def test_losing_everything_is_one_clear_error(itch: Path) -> None:
    """A script that leaves nothing to replay says so."""
    with pytest.raises(SimbenchError, match="nothing is left to replay"):
        load(itch, '[[fault]]\nkind = "dark"')


def test_holding_back_too_much_is_one_clear_error(itch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delay that needs more memory than there may be names the fault."""
    monkeypatch.setattr(stage, "MOST_HELD", 10_000)
    with pytest.raises(SimbenchError, match=r"fault 1 \(delay\) holds back more than"):
        load(itch, '[[fault]]\nkind = "delay"\ndelay = "1h"')


def test_a_datagram_lost_for_its_checksum_stays_lost(itch: Path, tmp_path: Path) -> None:
    """What the capture has with a wrong checksum is neither cut nor numbered anew into something right."""
    clean = sent(load(itch))[:100]
    bad = bytearray(clean[20].data)
    bad[40] ^= 1
    records = [(f.when, bytes(bad) if f is clean[20] else f.data) for f in clean]
    path = write(tmp_path, records, itch)
    loader = load(path, '[[fault]]\nkind = "split"\n[[fault]]\nkind = "restart"\nsequence = 10')
    assert loader.foreseen["wrong"] == 1
    assert len(sent(loader)) > 100
    assert np.count_nonzero([f.ordinal == 20 for f in sent(loader)]) == 1
