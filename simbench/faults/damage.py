"""Datagrams that arrive damaged: bits turned over, ends cut off; under a right checksum or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simbench.capture.seal import is_sound, seal
from simbench.faults.draw import SALT_BITS, draw
from simbench.faults.lot import HEADER, MESSAGES, SHORT, SOUND, WRONG
from simbench.faults.script import Corrupt, Truncate
from simbench.faults.stage import Setting, Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.lot import Lot
    from simbench.faults.stage import Items


class Corrupting(Stage):
    """Turns bits over."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Corrupt)
        self._fault = setting.fault

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return them."""
        first, behind = _bounds(lot.items, self._fault.part)
        chosen = self.chosen(lot, _able(lot.items) & (behind > first))
        if chosen.any():
            self.note(lot.items[chosen], lot.items["when"][chosen], self._fault.bits)
            for index in np.flatnonzero(chosen):
                self._damage(lot, int(index), int(first[index]), 8 * int(behind[index] - first[index]))
        return lot

    def _damage(self, lot: Lot, index: int, first: int, room: int) -> None:
        item = lot.items[index]
        start, length = int(item["source"]), int(item["length"])
        turned: set[int] = set()
        salt = SALT_BITS
        while len(turned) < min(self._fault.bits, room) or (
            # Two bits that make up for each other in the checksum are no damage that anybody could see.
            not self._fault.fix_checksum and len(turned) < room and is_sound(lot.data, start, length)
        ):
            bit = draw(self.setting.seed, self.setting.number, int(item["ordinal"]), salt) % room
            salt += 1
            if bit not in turned:
                turned.add(bit)
                lot.data[start + first + bit // 8] ^= np.uint8(0x80 >> bit % 8)
        if self._fault.fix_checksum:
            seal(lot.data, start, length)
            lies = 8 * first + min(turned) < 8 * int(item["body"])
            item["altered"] = HEADER if lies else max(MESSAGES, int(item["altered"]))
        else:
            item["sound"] = WRONG


class Truncating(Stage):
    """Cuts ends off."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Truncate)
        self._fault = setting.fault

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return them."""
        sizes = lot.items["length"] - lot.items["payload"]
        chosen = self.chosen(lot, _able(lot.items) & (sizes > 0))
        if not chosen.any():
            return lot
        less: NDArray[np.int64] = np.minimum(sizes, self._fault.bytes)
        self.note(lot.items[chosen], lot.items["when"][chosen], less[chosen])
        lot.items = lot.items.copy()
        lot.items["length"][chosen] -= less[chosen]
        for index in np.flatnonzero(chosen):
            item = lot.items[index]
            if self._fault.fix_length:
                seal(lot.data, int(item["source"]), int(item["length"]))
                item["altered"] = max(MESSAGES, int(item["altered"]))
                if item["length"] < item["body"]:  # not even its header is left
                    item["packets"] = 0
                item["body"] = min(int(item["body"]), int(item["length"]))
            else:
                item["sound"] = SHORT
        return lot


def _able(items: Items) -> NDArray[np.bool_]:
    """Return which frames are of a line and not damaged yet: bool[n]."""
    able: NDArray[np.bool_] = (items["channel"] >= 0) & (items["sound"] == SOUND)
    return able


def _bounds(items: Items, part: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where a part of frames starts and ends, in bytes from their beginning: int64[n] each."""
    payload, body, length = items["payload"], items["body"], items["length"]
    bounds = {"messages": (body, length), "header": (payload, body), "payload": (payload, length)}
    return bounds[part]
