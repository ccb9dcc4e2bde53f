"""A day of millions of messages over every wire there is: the same books, messages and gaps as offline."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simbench.bench.report import Range, Section, Target
from simbench.errors import SimbenchError
from simbench.protocol.registry import load
from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate
from simbench.wire.probe import choose, probe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.receive.offline import Source

TITLE: Final = "Equal over every wire"
METHOD: Final = (
    "A generated ITCH day (open, 64 instruments, lines A and B) is built into books offline, and replayed with --speed "
    "max over every wire and received there. Compared are the digests of all levels and of the queues in them, the "
    "messages by type, gaps and anomalies. Seconds are those of a whole run, starting its processes included."
)
HEADER: Final = ("way", "frames", "seconds", "messages", "dropped", "differences from offline")
PROTOCOL: Final = "nasdaq.itch50"
MESSAGES: Final = 5_000_000
RATE: Final = 50_000.0  # messages a second while it is calm: about four share a datagram
WIRES: Final = (("ring", None), ("veth", "xdp"), ("veth", "udp"), ("tap", "xdp"), ("tap", "udp"))


@dataclass(frozen=True)
class Way:
    """One way of the day's frames to the books.

    Attributes:
        name: of wire and stack.
        frames: that came out of it.
        seconds: of the whole run.
        messages: after arbitration.
        dropped: frames lost on the wire.
        differences: from offline, by name.
    """

    name: str
    frames: int
    seconds: float
    messages: int
    dropped: int
    differences: tuple[str, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """Return a row."""
        numbers = f"{self.frames:,}", f"{self.seconds:,.1f}", f"{self.messages:,}", f"{self.dropped:,}"
        return self.name, *numbers, ", ".join(self.differences) or "nothing"


@dataclass
class WireEquality:
    """All ways, offline first, and what could not be tried.

    Attributes:
        ways: likewise.
        types: types of message that occur, and that the protocol has.
        missing: wires that this user cannot have, with the reason.
    """

    ways: list[Way] = field(default_factory=list)
    types: tuple[int, int] = (0, 0)
    missing: list[str] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded: no way that differs."""
        rows = tuple(way.cells() for way in self.ways)
        differing = sum(bool(way.differences) for way in self.ways)
        target = Target("wires that differ from offline", Range.of([differing]), 0, digits=0)
        notes = (f"{self.types[0]} of {self.types[1]} types of message occur", *self.missing)
        return Section(TITLE, METHOD, HEADER, rows, (target,), notes)


def wire_equality(*, quick: bool = False) -> WireEquality:
    """Generate the day, build it offline, and demand the same of every wire."""
    found = WireEquality()
    capabilities = probe()
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "day.pcap")
        made = generate("open", capture, PROTOCOL, messages=MESSAGES // 20 if quick else MESSAGES, rate=RATE)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(capture)
        start = time.perf_counter()
        run = Offline(source)
        run.advance()
        expected = run.result()
        seconds = time.perf_counter() - start
        total = expected["messages"]["total"]
        found.types = len(expected["messages"]["by_type"]), len(load(PROTOCOL).messages)
        found.ways.append(Way("offline", expected["capture"]["frames"], seconds, total, 0))
        for wire, stack in WIRES:
            try:
                choose(wire, stack, capabilities)
            except SimbenchError as error:
                found.missing.append(f"not tried: {wire} {stack}: {error}")
                continue
            found.ways.append(_over(source, wire, stack, expected))
    return found


def _over(source: Source, wire: str, stack: str | None, expected: Mapping[str, Any]) -> Way:
    start = time.perf_counter()
    found = run_quietly(source, wire=wire, speed="max", **({"stack": stack} if stack else {}))
    seconds = time.perf_counter() - start
    return Way(
        f"{wire} {stack or ''}".strip(),
        found["received"],
        seconds,
        found["book"]["messages"]["total"],
        sum(found["drops"].values()),
        tuple(differences(expected, found["book"])),
    )


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the names of what two results of the shape of `book --json` do not agree in."""
    names = [name for name in ("messages", "anomalies") if expected[name] != found[name]]
    pairs = list(zip(expected["channels"], found["channels"], strict=True))
    names += [
        name for name in ("digest", "digest_orders", "gaps") if any(one[name] != other[name] for one, other in pairs)
    ]
    if not any(book["bids"] and book["asks"] for book in expected["books"]):
        names.append("books: there are none to compare")
    return names
