"""Peak memory of the offline path: flat from a small capture to one twenty times as large.

python -m simbench.bench.memory CAPTURE    # builds the books as `simbench book` does and prints its peak in bytes
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simbench.bench.report import Range, Section, Target
from simbench.errors import SimbenchError
from simbench.synth.scenario import generate

TITLE: Final = "Peak memory"
METHOD: Final = (
    "Peak resident memory (VmHWM, interpreter and kernels included) of a process that builds the books of a capture "
    "as `simbench book` does: generated days of 500 instruments on lines A and B, long enough to fill the books."
)
HEADER: Final = ("capture", "messages", "live orders", "peak MB")
BYTES_A_MESSAGE: Final = 148  # of two lines, as generated at this rate
CELLS: Final = ((100_000_000, 200_000), (2_000_000_000, 200_000), (2_000_000_000, 1_000_000))  # bytes, live orders
MOST_MB: Final = 600.0
FLAT: Final = 1.1  # a longer day has a few more levels and orders


@dataclass(frozen=True)
class Peak:
    """One capture's peak.

    Attributes:
        size: of the capture, bytes.
        messages: in it.
        live_orders: once its books have filled.
        peak: resident memory, bytes.
    """

    size: int
    messages: int
    live_orders: int
    peak: int


@dataclass(frozen=True)
class Memory:
    """Peaks, as in CELLS."""

    peaks: tuple[Peak, ...]

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(
            (f"{each.size / 1e6:,.0f} MB", f"{each.messages:,}", f"{each.live_orders:,}", f"{each.peak / 1e6:,.0f}")
            for each in self.peaks
        )
        small, large, full = (each.peak for each in self.peaks)
        targets = (
            Target("peak, large capture / small one, as many live orders", Range.of([large / small]), FLAT),
            Target("largest peak", Range.of([max(small, large, full) / 1e6]), MOST_MB, unit="MB", digits=0),
        )
        return Section(TITLE, METHOD, HEADER, rows, targets)


def memory(*, quick: bool = False) -> Memory:
    """Measure each capture in a process of its own; a tenth of everything where it is to be quick."""
    part = 10 if quick else 1
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        return Memory(tuple(_measure(Path(folder), size // part, live // part) for size, live in CELLS))


def _measure(folder: Path, size: int, live_orders: int) -> Peak:
    capture = folder / "day.pcap"
    made = generate(
        "calm",
        capture,
        messages=size // BYTES_A_MESSAGE,
        rate=100_000.0,
        instruments=500,
        live_orders=live_orders,
        lines=2,
    )
    (folder / "feed.toml").write_text(made.feed, encoding="utf-8")
    command = [sys.executable, "-m", "simbench.bench.memory", str(capture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimbenchError(done.stderr.strip() or f"{capture.name} could not be read")
    return Peak(capture.stat().st_size, made.messages, live_orders, int(done.stdout))


def peak() -> int:
    """Return the largest resident memory of this process so far, bytes.

    Not ru_maxrss: that of a child begins with its parent's.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Build one capture's books and print the peak."""
    from simbench.receive.offline import Offline, open_source

    run = Offline(open_source(Path(sys.argv[1])))
    run.advance()
    run.result()
    sys.stdout.write(f"{peak()}\n")


if __name__ == "__main__":
    main()
