"""The wire between replayer and receiver: what is under way, how it was sent, how it is polled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, duration
from simbench_tui.grid import Figure, grid
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import SenderView, Snapshot

_FIGURE_CELLS = 8


class Wire(Pane):
    """The sender's figures, then the receiver's; where there is no replayer, the latter alone."""

    title = "wire"
    calm_ns = CALM_NS

    def caption(self, snapshot: Snapshot) -> str:
        """Which wire and which stack."""
        return "  ".join(
            word for word in (self.title, snapshot.run.wire, snapshot.run.stack, snapshot.run.wait) if word
        )

    def heading(self, snapshot: Snapshot) -> str:
        """What was sent and has not been dealt with."""
        return "" if snapshot.sender is None else f"{under_way(snapshot.sender):,} under way"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """As many as fit."""
        figures = [*_sent(snapshot.sender), *_received(snapshot)]
        return grid(figures, width, height, self.glyphs, name=18, figure=_FIGURE_CELLS)


def under_way(sender: SenderView) -> int:
    """Frames on the wire or in the receiver's hands."""
    return max(sender.sent - sender.given_up - sender.consumed, 0)


def _sent(sender: SenderView | None) -> list[Figure]:
    if sender is None:
        return []
    batch = f"{sender.sent / sender.batches:.1f}" if sender.batches else "-"
    return [
        _count("sent, frames", sender.sent),
        _count("sent, bytes", sender.bytes),
        _count("consumed", sender.consumed),
        _count("under way", under_way(sender)),
        _count("no room: dropped", sender.dropped, bad=True),
        _count("never given back", sender.given_up, bad=True),
        ("mean batch", batch, "text"),
        _count("largest batch", sender.largest),
        _count("sleeps", sender.sleeps),
        ("awake before due", duration(sender.margin_ns), "text"),
        ("starved by file", duration(sender.starved_ns), "warn" if sender.starved_ns else "dim"),
        _count("laps", sender.loop),
        _count("epoch", sender.epoch),
    ]


def _received(snapshot: Snapshot) -> list[Figure]:
    counters = snapshot.counters
    polls, found = counters.get("polls", 0), counters.get("polls_found", 0)
    return [
        _count("received", counters.get("frames", 0)),
        _count("not the feed's", counters.get("other_frames", 0)),
        _count("polls", polls),
        ("polls with frames", f"{100 * found / polls:.2f} %" if polls else "-", "text"),
        _count("without a stamp", counters.get("unstamped", 0), bad=True),
        _count("unmatched", counters.get("unmatched", 0), bad=True),
        _count("wrong checksum", counters.get("checksum_lost", 0), bad=True),
    ]


def _count(name: str, value: int, *, bad: bool = False) -> Figure:
    return name, count(value, _FIGURE_CELLS), "dim" if not value else "warn" if bad else "text"
