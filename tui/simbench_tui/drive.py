"""Driving the replay: commands of the user, and errands that give commands by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.errors import SimbenchError
from simbench.measure.snapshot import Phase
from simbench.replay import gating
from simbench_tui.errands import Arrival, LoopWindow, NextChange, NextGap
from simbench_tui.format import time_of_day
from simbench_tui.gate import NO_GATE, WORDS, AtGate, asked, has_gate, in_the_way

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.errands import Deed, Errand
    from simbench_tui.faulting import Order
    from simbench_tui.source import Steering

_ALONE = "nothing to drive: the receiver runs alone"
_BUSY = "the replayer takes no commands: it has ended or is busy"


class Driver:
    """Gives commands to a replayer.

    Args:
        control: of the replay; None where the receiver is alone.
        say: tells the user something, with its severity.
    """

    def __init__(self, control: Steering | None, say: Callable[[str, str], None]) -> None:
        self._control = control
        self._say = say
        self._latest: Snapshot | None = None
        self._errand: Errand | None = None
        self._gated = False  # the gate was asked for something, whether or not a snapshot tells of it already
        self._darkened: dict[int, bool] = {}  # what was asked for since the latest snapshot
        self._from_ns: int | None = None  # where a window begins whose end is not set yet

    @property
    def drives(self) -> bool:
        """Whether there is a replayer."""
        return self._control is not None

    @property
    def words(self) -> str:
        """What is under way by itself, for a badge; "" nothing."""
        if self._errand is not None:
            return self._errand.words
        return "LOOP FROM HERE: o ENDS IT" if self._from_ns is not None else ""

    @property
    def window(self) -> tuple[int, int | None] | None:
        """The window that is looped, or its beginning."""
        if isinstance(self._errand, LoopWindow):
            return self._errand.first_ns, self._errand.last_ns
        return None if self._from_ns is None else (self._from_ns, None)

    def hear(self, snapshot: Snapshot) -> None:
        """Take note of a snapshot, and do what an errand asks for."""
        self._latest = snapshot
        self._darkened.clear()
        if self._errand is None:
            return
        if snapshot.phase in {Phase.ENDED, Phase.FAILED}:
            self._errand = None
            return
        deed = self._errand.hear(snapshot)
        if deed is not None:
            self._do(deed)

    def steer(self, command: Callable[[Steering], int]) -> bool:
        """Give a command; the user is told where it cannot be taken."""
        if self._control is None:
            self._say(_ALONE, "warning")
            return False
        if self._latest is not None and self._latest.phase in {Phase.ENDED, Phase.FAILED}:
            self._say(f"the replay is over: {self._latest.reason}" if self._latest.reason else _BUSY, "warning")
            return False
        try:
            if command(self._control):
                return True
            self._say(_BUSY, "warning")
        except SimbenchError as error:
            self._say(str(error), "error")
        return False

    def toggle(self) -> None:
        """Pause or go on; what the terminal would have done by itself is called off, and the gate is opened."""
        shut = self._latest is not None and self._latest.gate.stands == "shut"
        if not isinstance(self._errand, LoopWindow):
            self._errand = None
        self._open_gate()
        self.steer(lambda control: control.resume() if shut else control.toggle())

    def step(self) -> None:
        """Let the next datagram through, and no more; what is left of the one at the gate comes first."""
        if in_the_way(self._latest):
            self.steer(lambda control: control.gate(gating.FRAMES, 1))
        else:
            self.steer(lambda control: control.step())

    def step_message(self) -> None:
        """Let the next message through, and no more; a paused replay is asked for it by the gate itself."""
        if self._control is not None and not has_gate(self._latest):
            self._say(NO_GATE, "warning")
        elif self.steer(lambda control: control.gate(gating.MESSAGES, 1)):
            self._gated = True
            if isinstance(self._errand, AtGate):
                self._errand = None

    def send_on(self, what: str, instrument: int | None) -> None:
        """Let the replay go on until something happens; the same again calls that off.

        Args:
            what: "gap", "burst" or "change".
            instrument: index of the shown one.
        """
        snapshot = self._latest
        if snapshot is None:
            return
        if what == "gap" and has_gate(snapshot):
            self._send_to_gate(what, None, snapshot)
            return
        if what == "change" and has_gate(snapshot) and instrument is not None:
            self._send_to_gate(what, instrument, snapshot)
            return
        errand = self._made(what, instrument, snapshot)
        if errand is None:
            return
        if self._errand is not None and self._errand.words == errand.words:
            self._errand = None
        else:
            self._open_gate()
            if self.steer(lambda control: control.resume()):
                self._errand = errand

    def jump(self, at_ns: int) -> None:
        """Go on at a recorded time, everything before it sent first; a paused replay is paused there again."""
        snapshot = self._latest
        self._open_gate()
        if not self.steer(lambda control: control.jump(at_ns, primed=True)) or snapshot is None:
            return
        if not isinstance(self._errand, LoopWindow):
            self._errand = None
        if snapshot.phase is Phase.PAUSED and self.steer(lambda control: control.resume()):
            self._errand = Arrival(at_ns, "arrived", "GOES THERE")

    def darken(self, line: int) -> None:
        """Darken a line by its number, or let it be seen again."""
        names = self._latest.run.lines if self._latest is not None else ()
        if self._control is not None and line >= len(names):
            self._say(f"there is no such line; there are: {', '.join(names) or 'none'}", "warning")
            return
        on = self._latest is not None and any(
            not each.until_ns and (each.kind, each.line) == ("dark", names[line]) for each in self._latest.switches
        )
        wanted = not self._darkened.get(line, on)
        if self.steer(lambda control: control.switch("dark", [line], int(wanted))):
            self._darkened[line] = wanted

    def order(self, order: Order) -> None:
        """Switch a fault on, or off."""
        if not order.kind:
            self.steer(lambda control: control.all_off())
        else:
            self.steer(lambda control: control.switch(order.kind, order.lines, order.value, for_ns=order.for_ns))

    def next_edge(self) -> None:
        """Set where a window begins; then where it ends, from which on it is looped; then leave it."""
        snapshot = self._latest
        if isinstance(self._errand, LoopWindow):
            self._errand = None
            self._say("the window is left: the replay goes on", "information")
        elif snapshot is None or self._control is None:
            self._say(_ALONE, "warning")
        elif self._from_ns is None:
            self._from_ns = snapshot.position_ns
        else:
            first, last = sorted((self._from_ns, snapshot.position_ns))
            self._from_ns = None
            if first == last:
                self._say("a window that ends where it begins is none", "warning")
            else:
                self._errand = LoopWindow(first, last)

    def _send_to_gate(self, what: str, instrument: int | None, snapshot: Snapshot) -> None:
        """Ask the gate to shut there, and let the replay go on; the same again calls that off."""
        words = WORDS[what]
        if self._errand is not None and self._errand.words == words:
            self._errand = None
            self._open_gate()
            return
        way, count = asked(what, instrument)
        if self.steer(lambda control: control.gate(way, count)):
            self._gated = True
            self._errand = AtGate(snapshot.gate.request, words)
            self.steer(lambda control: control.resume())

    def _open_gate(self) -> None:
        if (self._gated or in_the_way(self._latest)) and self._control is not None:
            self._control.gate(gating.OPEN)
            self._gated = False

    def _made(self, what: str, instrument: int | None, snapshot: Snapshot) -> Errand | None:
        if what == "gap":
            return NextGap(snapshot.gaps_total)
        if what == "change":
            row = next((row for row in snapshot.instruments if row.index == instrument), None)
            if row is None:
                self._say("there is no instrument yet", "warning")
                return None
            return NextChange(row.index, row.symbol or row.key, row.updates)
        bursts = snapshot.run.strip.bursts if snapshot.run.strip is not None else ()
        following = next((at for at in bursts if at > snapshot.position_ns), None)
        if following is None or following > snapshot.run.last_ns:
            self._say("no burst lies ahead", "information")
            return None
        return Arrival(following, "burst", f"TO BURST {time_of_day(following, 0)}", early=True)

    def _do(self, deed: Deed) -> None:
        if deed.over:
            self._errand = None
        if deed.pause:
            self.steer(lambda control: control.pause())
        if deed.jump_ns is not None:
            at = deed.jump_ns
            self._open_gate()
            self.steer(lambda control: control.jump(at, primed=True))
        if deed.told:
            self._say(deed.told, "information")
