"""What recovery costs where nothing is lost: the same capture, offline, with recovery on and off."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from simbench.bench.report import Range, Section, Target
from simbench.feed.sequencer import Settings
from simbench.receive.offline import Offline, open_source
from simbench.session.recovering import asking
from simbench.session.snapshotting import choosing
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from simbench.feed.definition import Feed

TITLE: Final = "Cost of recovery where nothing is lost"
METHOD: Final = (
    "A generated feed of lines A and B without loss is read offline, from file to final books: with the recovery of "
    "its protocol on (ITCH: holes would be asked for; MDP3: events of a book that missed something would wait for a "
    "snapshot) and off. There are no loops of snapshots in it: those would be messages that only one of the two reads. "
    "The same receiver in one process, repeats interleaved, in changing order; books equal."
)
HEADER: Final = ("feed", "recovery", "M messages/s, median (low to high)")
BOUND: Final = 0.95
NOBODY: Final = "127.0.0.1:9"  # a server, so that holes would be asked for; nothing is sent offline
WAYS: Final[dict[str, Literal["retransmit", "snapshot"]]] = {
    "nasdaq.itch50": "retransmit",
    "cme.mdp3": "snapshot",
}


@dataclass
class Pair:
    """Rates of one feed in messages a second, one entry a repeat.

    Attributes:
        protocol: that it speaks.
        on: with recovery.
        off: without.
        equal: whether all books were equal.
    """

    protocol: str
    on: list[float] = field(default_factory=list)
    off: list[float] = field(default_factory=list)
    equal: bool = True


@dataclass
class RecoveryCost:
    """What was found.

    Attributes:
        pairs: one a protocol.
        messages: of each capture.
    """

    messages: int
    pairs: list[Pair] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows: list[tuple[str, ...]] = []
        targets = []
        for pair in self.pairs:
            for how, rates in ((WAYS[pair.protocol], pair.on), ("none", pair.off)):
                rows.append((pair.protocol, how, Range.of(rate / 1e6 for rate in rates).text()))
            name = f"{pair.protocol}, rate with {WAYS[pair.protocol]} / without"
            targets.append(Target(name, Range.of_ratios(pair.on, pair.off), BOUND, at_most=False))
        equal = "equal" if all(pair.equal for pair in self.pairs) else "DIFFERENT"
        note = f"{self.messages:,} messages, {len(self.pairs[0].on)} repeats; the final books are {equal}"
        return Section(TITLE, METHOD, HEADER, tuple(rows), tuple(targets), (note,))


def recovery_cost(*, quick: bool = False) -> RecoveryCost:
    """Measure: generate a capture for each protocol, warm up, interleave."""
    found = RecoveryCost(300_000 if quick else 2_000_000)
    for protocol in WAYS:
        pair = Pair(protocol)
        with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
            capture = Path(folder, "calm.pcap")
            loops = 0.0 if protocol == "cme.mdp3" else None
            made = generate("calm", capture, protocol, messages=found.messages, snapshots=loops)
            Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
            _read(capture, protocol, on=True)
            for repeat in range(4 if quick else 10):
                digests = set()
                for on in (True, False) if repeat % 2 else (False, True):
                    seconds, digest = _read(capture, protocol, on=on)
                    digests.add(digest)
                    (pair.on if on else pair.off).append(made.messages / seconds)
                pair.equal &= len(digests) == 1
        found.pairs.append(pair)
    return found


def _read(capture: Path, protocol: str, *, on: bool) -> tuple[float, str]:
    """Read a capture to its end; return seconds and the digest of its books."""
    source = open_source(capture)
    way = WAYS[protocol] if on else "none"
    feed = _with(source.feed, way)
    settings = Settings(recover="retransmit" if way == "retransmit" else "none")
    run = Offline(dataclasses.replace(source, feed=feed), settings=settings)
    start = time.perf_counter()
    run.advance()
    return time.perf_counter() - start, run.receiver.state.books.digest(0)


def _with(feed: Feed, way: str) -> Feed:
    if way == "retransmit":
        return asking(feed, {0: NOBODY})
    return choosing(feed, way) if way == "snapshot" else asking(feed, {})
