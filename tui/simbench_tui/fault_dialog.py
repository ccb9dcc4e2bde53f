"""Which fault to switch on, or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.asking import Asking
from simbench_tui.faulting import EXAMPLES, Order, parse_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import SwitchView

_FOOTER = "enter switches it, of all lines where none is named   esc back"


class FaultDialog(Asking[Order]):
    """Asks for a fault in words; gives it, or None.

    Args:
        lines: names of the lines that there are.
        switches: faults that were switched on so far.
    """

    def __init__(self, lines: Sequence[str], switches: Sequence[SwitchView]) -> None:
        on = [f"{switch.kind} {switch.line} off" for switch in switches if not switch.until_ns]
        dark = [f"dark {line} for 2s" for line in lines]
        delay = [f"delay {line} 300us" for line in lines]
        choices = [*on, *(["off"] if on else []), *dark, "lose 1%", "corrupt 1%", *delay]
        super().__init__("fault", hint=EXAMPLES, choices=choices, footer=_FOOTER)
        self._lines = lines

    def read(self, text: str) -> Order:
        """Return the fault that was written."""
        return parse_order(text, self._lines)

    def chosen(self, index: int) -> Order:
        """Return a fault of the list."""
        return self.read(self._choices[index])
