"""Decode millions of damaged datagrams of every protocol, and read thousands of damaged captures.

    python tests/fuzz/run.py [--datagrams N] [--seed S] [--protocol NAME] [--build guarded|checked|receiver]

Each protocol and build is a process of its own: a fault ends it, and which datagram was at work then stands in a file
that outlives it. Prints a row for each, and the bytes of what was found; exit code 1 where something was.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

BUILDS: Final = ("guarded", "checked", "receiver")
SLICE: Final = 250_000  # datagrams between two looks at the time
DEFAULT: Final = 10_000_000
DATAGRAMS_A_FILE: Final = 500  # a damaged capture is read for so many datagrams: it takes as much longer


@dataclass(frozen=True)
class Outcome:
    """What a process said.

    Attributes:
        protocol: its name.
        build: "guarded": both functions against guard pages; "checked": with every load's bounds checked;
            "receiver": through a whole receiver, compiled as shipped.
        datagrams: that were decoded.
        packets: framed in them.
        broken: datagrams with a malformed header or message.
        events: decoded.
        seconds: that it took, without compiling.
        finding: what was wrong; "" nothing.
        payload: the guilty datagram.
    """

    protocol: str
    build: str
    datagrams: int
    packets: int
    broken: int
    events: int
    seconds: float
    finding: str
    payload: bytes


def fuzz(protocol: str, build: str, datagrams: int, seed: int) -> Outcome:
    """Run one protocol in one build in a process of its own."""
    from harness import WORDS

    with tempfile.NamedTemporaryFile(prefix="simbench-fuzz-") as file:
        file.truncate((WORDS + 1) * 8)
        command = [sys.executable, __file__, "--child", file.name, "--protocol", protocol, "--build", build]
        command += ["--datagrams", str(datagrams), "--seed", str(seed)]
        variables = {**os.environ, "NUMBA_BOUNDSCHECK": "1" if build == "checked" else "0"}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        words = np.fromfile(file.name, np.int64)
    finding = ""
    if done.returncode < 0:
        finding = f"a load outside of the datagram (signal {-done.returncode})"
    elif done.returncode:
        finding = (done.stderr.strip() or "it ended without a word").splitlines()[-1]
    payload = _harness(protocol, build, seed).datagram(int(words[0])) if finding else b""
    return Outcome(protocol, build, *(int(word) for word in words[:4]), int(words[-1]) / 1e9, finding, payload)


def _harness(protocol: str, build: str, seed: int, words: np.ndarray | None = None):  # noqa: ANN202 - imported where it is needed
    import corpus
    import planted
    from harness import Harness
    from whole import Whole

    chosen = corpus.protocol(protocol)
    kind = Whole if build == "receiver" else Harness
    return kind(chosen, planted.CORPUS if protocol in planted.PROTOCOLS else corpus.corpus(chosen), seed, words)


def child(path: str, protocol: str, build: str, datagrams: int, seed: int) -> int:
    """Decode, in this process; what stands in the file is true at any moment."""
    from harness import FINDINGS, NOTHING, WORDS

    words = np.memmap(path, np.int64, "r+", shape=(WORDS + 1,))
    harness = _harness(protocol, build, seed, np.asarray(words)[:WORDS])
    harness.run(1)  # compiles
    began = time.perf_counter_ns()
    while words[0] < datagrams:
        found = harness.run(min(int(words[0]) + SLICE, datagrams))
        words[-1] = time.perf_counter_ns() - began
        if found != NOTHING:
            print(FINDINGS[found], file=sys.stderr)
            return 1
    return 0


def read_files(count: int, seed: int) -> int:
    """Read damaged captures and print a row; return how many findings there were, none or one."""
    import files

    at, finding, began = 0, "", time.perf_counter()

    def tell(number: int) -> None:
        nonlocal at
        at = number

    with tempfile.TemporaryDirectory(prefix="simbench-fuzz-") as folder:
        try:
            files.fuzz(Path(folder), count, seed, tell)
        except Exception as error:  # noqa: BLE001 - whatever a reader raises is a finding
            finding = f"{type(error).__name__}: {error}"
    rate = (at + 1) / (time.perf_counter() - began)
    print(f"{'capture files':<27} {at + 1:>11,} {'':>7} {'':>12} {rate:>11,.0f}  {finding or 'nothing'}")
    if finding:
        print(f"  seed {seed}, file {at}: {files.damaged(seed + at).hex()}")
    return int(bool(finding))


def main() -> int:
    """Fuzz what is asked for and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--datagrams", type=int, default=DEFAULT, help="in all, over protocols and builds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--protocol", help="only this one")
    parser.add_argument("--build", choices=BUILDS, help="only this one")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        return child(chosen.child, chosen.protocol, chosen.build, chosen.datagrams, chosen.seed)
    from simbench.protocol.registry import names

    pairs = [
        (protocol, build)
        for protocol in ([chosen.protocol] if chosen.protocol else names())
        for build in ([chosen.build] if chosen.build else BUILDS)
    ]
    each = -(-chosen.datagrams // len(pairs))
    bad, total = 0, 0
    print(f"{'protocol':<18} {'build':<8} {'datagrams':>11} {'broken':>7} {'events':>12} {'per second':>11}  found")
    for protocol, build in pairs:
        out = fuzz(protocol, build, each, chosen.seed)
        total += out.datagrams
        share = out.broken / max(out.datagrams, 1)
        rate = out.datagrams / max(out.seconds, 1e-9)
        row = f"{protocol:<18} {build:<8} {out.datagrams:>11,} {share:>7.1%} {out.events:>12,} {rate:>11,.0f}"
        print(f"{row}  {out.finding or 'nothing'}", flush=True)
        if out.finding:
            bad += 1
            print(f"  seed {chosen.seed}, datagram {out.datagrams}: {out.payload.hex()}")
    if not chosen.protocol:
        bad += read_files(-(-chosen.datagrams // DATAGRAMS_A_FILE), chosen.seed)
    print(f"{total:,} damaged datagrams, {bad} findings")
    return int(bad > 0)


if __name__ == "__main__":
    TESTS = Path(__file__).parents[1]
    sys.path[:0] = [str(TESTS / folder) for folder in ("", "fuzz", "protocol", "capture")]
    sys.exit(main())
