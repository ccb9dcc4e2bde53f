"""What pinning is worth, and what it costs that a channel's lines land on different queues."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, types

from simbench.bench.bare_loop import pin, run_together
from simbench.bench.moving import run_moving
from simbench.bench.report import Range, Section, microseconds
from simbench.bench.wire_latency import plain_frame
from simbench.bench.wire_to_application import GAP_NS, spread_evenly
from simbench.frame import FRAME
from simbench.receive.offline import open_source
from simbench.session import run_quietly
from simbench.steering.load import weigh
from simbench.steering.schemes import schemes
from simbench.synth.scenario import generate
from simbench.wire.contract import BYTES, FRAMES, POLL_FUNCTION, RELEASE_FUNCTION, WORDS
from simbench.wire.flowtable import FlowQueue, new_table
from simbench.wire.open import open_handing, open_steered, open_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

TITLE: Final = "Queues and cores"
METHOD: Final = (
    "Time from just before the send (T1) to the application's look at the frame (T3): whole runs over veth, AF_XDP, "
    "one frame every 20 us, lines A and B. One queue, spinning, with sender and receiver pinned to a core each, "
    "with both left to the scheduler, and with both made to swap cores (where the scheduler moves nobody, only that "
    "shows what a migration costs); two queues under rules, which keep the channel whole, and with line B torn from "
    "line A, where each datagram of B is handed over. Two queues wait in the kernel where they share a core. Repeats "
    "are interleaved; cells are medians over them, in us. The last rows are a hand-over alone, of one frame and of a "
    "burst: two threads that spin on a core each, from the poll of the queue that it landed on to the owner's."
)
HEADER: Final = ("run", "wait", "p50", "p90", "p99", "p99.9", "moved", "preempted", "handed over", "lost")
PINNED: Final = "one queue, pinned"
UNPINNED: Final = "one queue, not pinned"
MOVED: Final = "one queue, moved every 5 ms"
MOVE_S: Final = 0.005
WHOLE: Final = "two queues, channel whole"
TORN: Final = "two queues, line B torn off"
SHARES: Final = ("p50", "p90", "p99", "p999")
BURSTS: Final = {1: "a hand-over alone", 32: "a hand-over alone, bursts of 32"}


@dataclass
class Queues:
    """What each contestant took.

    Attributes:
        frames: sent a repeat.
        runs: results of whole runs by contestant, one entry a repeat.
        alone: percentiles of a hand-over in ns by the size of a burst, one entry a repeat.
    """

    frames: int
    runs: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    alone: dict[int, list[Mapping[str, int]]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table, and what migration and hand-overs cost."""
        rows = [self._row(name, runs) for name, runs in self.runs.items()]
        rows += [self._alone(burst, each) for burst, each in self.alone.items()]
        worse = (self._ratio(UNPINNED, PINNED), self._ratio(MOVED, PINNED), self._ratio(TORN, WHOLE))
        return Section(TITLE, METHOD, HEADER, tuple(rows), (), (*worse, f"{len(self.runs[PINNED])} repeats"))

    def _ratio(self, one: str, other: str) -> str:
        """Say what something costs, repeat by repeat."""
        found = []
        for share in ("p50", "p99"):
            ours, theirs = ([run["stages"]["send_app"][share] for run in self.runs[name]] for name in (one, other))
            found.append(f"{share} {Range.of_ratios(ours, theirs).text()}")
        return f"{one} / {other}: {', '.join(found)}"

    def _alone(self, burst: int, each: list[Mapping[str, int]]) -> tuple[str, ...]:
        times = (microseconds(float(np.median([one[share] for one in each]))) for share in SHARES)
        return BURSTS[burst], "spin", *times, "", "", f"{each[0]['n']:,}", ""

    def _row(self, name: str, runs: list[Mapping[str, Any]]) -> tuple[str, ...]:
        def median(*path: str) -> float:
            found = []
            for run in runs:
                value: Any = run
                for key in path:
                    value = value.get(key, 0)
                found.append(value)
            return float(np.median(found))

        times = (microseconds(median("stages", "send_app", share)) for share in SHARES)
        moved, preempted = (f"{median('scheduling', key):,.0f}" for key in ("migrations", "preempted"))
        handed = int(np.median([sum(queue["handed_over"] for queue in run.get("queues", ())) for run in runs]))
        lost = int(np.median([run["sent"] - run["received"] for run in runs]))
        return name, runs[0]["wait"], *times, moved, preempted, f"{handed:,}", f"{lost:,}"


def queues(*, quick: bool = False) -> Queues:
    """Measure: in each repeat every contestant, on the same capture."""
    count = 10_000 if quick else 50_000
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "even.pcap")
        made = generate("calm", Path(folder, "calm.pcap"), messages=count)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        found = Queues(spread_evenly(Path(folder, "calm.pcap"), capture, GAP_NS))
        source = open_source(capture)
        _, rules = schemes(weigh(capture, source.feed), source.feed, 2)
        line = source.feed.channels[0].lines[0].group
        plans: dict[str, dict[str, Any]] = {
            PINNED: {},
            UNPINNED: {"pinned": False},
            MOVED: {},
            WHOLE: {"queues": 2, "rules": tuple(rules)},
            TORN: {"queues": 2, "rules": tuple(rule for rule in rules if rule.group == line)},
        }
        # The rule that is left has to name another queue than the one that the rest falls to.
        plans[TORN]["rules"] = tuple(type(rule)(rule.group, 1, rule.channel) for rule in plans[TORN]["rules"])
        for _ in range(2 if quick else 5):
            for name, plan in plans.items():
                if name == MOVED:
                    done = run_moving(source, MOVE_S, wire="veth", speed="1")
                else:
                    done = run_quietly(source, wire="veth", speed="1", **plan)
                found.runs.setdefault(name, []).append(done)
            for burst in BURSTS:
                found.alone.setdefault(burst, []).append(hand_over(burst))
    return found


def hand_over(burst: int, times: int = 2_000) -> dict[str, int]:
    """Return percentiles in ns of a hand-over between two threads that spin: {"n", "p50", "p90", "p99", "p999", "max"}.

    Args:
        burst: frames that are sent at once.
        times: so often, each time when the ones before have been taken over.
    """
    group = FlowQueue("239.1.2.3", 5000, 1)
    data = np.frombuffer(bytearray(plain_frame()), np.uint8)
    with open_wire("veth", queues=2) as wire:
        ends = open_handing(wire.receiver, new_table([group], by_source=False))
        stop = np.zeros(1, np.int64)

        def take() -> None:
            pin(1)
            end = ends[1]
            _take(end.poll, end.release, end.words, end.memory, np.zeros(64, FRAME), stop)

        def give() -> None:
            pin(0)
            near, nothing = ends[0], np.zeros(64, FRAME)
            with open_steered(wire.sender, new_table([], by_source=False)) as sender:
                for turn in range(1, times + 1):
                    for k in range(burst):
                        sender.prepare(sender.words, sender.memory, data, 0, len(data), k)
                    sender.commit(sender.words, burst)
                    while ends[1].taken_over < turn * burst:
                        near.poll(near.words, near.memory, nothing)
            stop[0] = 1

        run_together(take, give)
        found = ends[1].times.summary()
        for end in ends:
            end.close()
    return found


@njit(
    types.void(POLL_FUNCTION, RELEASE_FUNCTION, WORDS, BYTES, FRAMES, types.int64[::1]),
    cache=True,
    nogil=True,
)
def _take(poll: Any, release: Any, words: Words, memory: Bytes, frames: Frames, stop: Words) -> None:
    while stop[0] == 0:
        n = poll(words, memory, frames)
        if n > 0:
            release(words, frames, n)
