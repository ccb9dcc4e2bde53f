"""The ladder of one instrument: asks above, bids below, the spread between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from simbench_tui.constants import FLASH_NS
from simbench_tui.format import count, decimals, exact, fit, number, printable, time_of_day
from simbench_tui.graph import bar, round_up
from simbench_tui.ladder_rows import Changes, Rung, rungs
from simbench_tui.pane import Cell, Pane, Row
from simbench_tui.touch import best, imbalance, spread

if TYPE_CHECKING:
    from simbench.measure.snapshot import BookView, Snapshot
    from simbench_tui.glyphs import Glyphs

_LEVEL_CELLS = 3
_ORDER_CELLS = 4
_IMPLIED_CELLS = 7
_IMPLIED_FROM = 40  # cells of width from which implied sizes have a column of their own


class Ladder(Pane):
    """Levels with price, size, orders, implied size, and a bar of size; marks what changed.

    Args:
        glyphs: to draw with.
        which: 0 the chosen instrument's, from 1 on one of those beside it.
    """

    def __init__(self, glyphs: Glyphs, *, which: int = 0, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(glyphs, id=id)
        self._which = which
        self._changes = Changes(FLASH_NS)
        self._index: int | None = None
        self._scale = _Scale()

    def book_of(self, snapshot: Snapshot) -> BookView | None:
        """The book that this ladder is of."""
        if self._which == 0:
            return snapshot.book
        return snapshot.others[self._which - 1] if self._which <= len(snapshot.others) else None

    def caption(self, snapshot: Snapshot) -> str:
        """The instrument's name, its key and its channel."""
        book = self.book_of(snapshot)
        if book is None:
            return "book"
        names = dict.fromkeys(printable(name) for name in (book.symbol, book.key, book.channel) if name)
        return "book  " + "  ".join(fit(name, min(cell_len(name), 24), self.glyphs.ellipsis) for name in names)

    def heading(self, snapshot: Snapshot) -> str:
        """The book's state, and how much happened."""
        book = self.book_of(snapshot)
        return "" if book is None else f"{book.state} {self.glyphs.dot} {count(book.updates, 7).lstrip()} upd"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Asks from the worst that fits to the best, spread, bids from the best down."""
        book = self.book_of(snapshot)
        if book is None:
            return self.centred("no instrument yet" if self._which == 0 else "no other instrument", width, height)
        if book.index != self._index:
            self._index = book.index
            self._scale = _Scale()
        self._changes.look(book, snapshot.taken_ns)
        bids = rungs(book.bids, book.implied_bids, bid=True)
        asks = rungs(book.asks, book.implied_asks, bid=False)
        standing = self._standing(book, width)
        depth = max((height - 2 - len(standing)) // 2, 1)
        self._scale.see(book, bids[:depth], asks[:depth], width)
        rows = [*standing, self._head(width)]
        if not bids and not asks:
            return rows + self.centred(f"no level known ({book.state})", width, height - len(rows))
        rows += [()] * (depth - len(asks))
        rows += [
            self._row("ask", level, asks[level], book, width) for level in range(min(depth, len(asks)) - 1, -1, -1)
        ]
        rows.append(self._spread(book, width))
        rows += [self._row("bid", level, rung, book, width) for level, rung in enumerate(bids[:depth])]
        return rows

    def _standing(self, book: BookView, width: int) -> list[Row]:
        """A row that says since when a book is not what it should be, and why; the time shorter where it has to be."""
        if not book.reason:
            return []
        reason = book.reason.replace("_", " ")
        texts = [f"{book.state}: {reason}"]
        if book.since_ns:
            full, short = time_of_day(book.since_ns, 3), time_of_day(book.since_ns, 0)
            texts = [f"{book.state} since {full}: {reason}", f"{book.state} {short}: {reason}"]
        text = next((text for text in texts if len(text) <= width), texts[-1])
        return [((fit(text, min(len(text), width), self.glyphs.ellipsis), "warn"),)]

    def _head(self, width: int) -> Row:
        scale = self._scale
        text = f"{'lvl':<{_LEVEL_CELLS}} {'price':>{scale.price}}  {'size':>{scale.quantity}} {'ord':>{_ORDER_CELLS}}"
        if scale.implied:
            text += f" {'implied':>{_IMPLIED_CELLS}}"
        return ((text[:width], "dim"),)

    def _row(self, side: str, level: int, rung: Rung, book: BookView, width: int) -> Row:
        scale = self._scale
        name = f"{'A' if side == 'ask' else 'B'}{level + 1}"
        if not rung.known:
            return (
                (name.ljust(_LEVEL_CELLS + 1), "dim"),
                ("?".rjust(scale.price), "warn"),
                ("  " + "?".rjust(scale.quantity) + "  unknown", "dim"),
            )
        mark = self._changes.mark(side, rung.price)
        ink = f"flash {side}" if mark else f"strong {side}" if level == 0 else side
        price = number(exact(rung.price, book.price_exponent, scale.price_places), scale.price)
        size = exact(rung.quantity, book.quantity_exponent, scale.quantity_places) if rung.quantity else ""
        if rung.implied and not rung.quantity and not scale.implied:
            size = f"i{exact(rung.implied, book.quantity_exponent)}"
        orders = "" if rung.orders < 0 else count(rung.orders, _ORDER_CELLS)
        here = self._which == 0 and self.look.level == (side, rung.price)
        cells: list[Cell] = [
            (name.ljust(_LEVEL_CELLS), "strong" if here else "dim"),
            (self.glyphs.chosen if here else " ", "accent"),
            (price, f"strong {side}" if level == 0 else side),
            (f" {mark or ' '}{number(size, scale.quantity)}", ink),
            (f" {orders:>{_ORDER_CELLS}}", "dim"),
        ]
        used = _LEVEL_CELLS + scale.price + scale.quantity + _ORDER_CELLS + 4
        if scale.implied:
            implied = exact(rung.implied, book.quantity_exponent) if rung.implied else ""
            implied = f"i{implied}" if implied else ""
            cells.append((f" {number(implied, _IMPLIED_CELLS)}", "dim"))
            used += _IMPLIED_CELLS + 1
        cells += self._bars(side, rung, width - used - 1)
        return tuple(cells)

    def _bars(self, side: str, rung: Rung, room: int) -> list[Cell]:
        """The direct size as a solid bar, what is implied behind it as a shaded one."""
        if room < 1:
            return []
        solid = bar(rung.quantity / self._scale.bar, room, self.glyphs.eighths)
        shaded = ""
        if rung.implied:
            cells = max(1, round(rung.implied / self._scale.bar * room))
            shaded = self.glyphs.shade * min(cells, room - len(solid))
        return [(" ", "text"), (solid, f"{side}-bar"), (shaded, f"{side}-bar")]

    def _spread(self, book: BookView, width: int) -> Row:
        """Spread and the imbalance of the best sizes; a locked or crossed book says so."""
        rule = self.glyphs.rule
        words: list[Cell] = []
        gap, share = spread(book), imbalance(book)
        if gap is None:
            words.append(
                (" no asks " if best(book.bids) else " no bids " if best(book.asks) else " only implied ", "dim")
            )
        else:
            text = exact(gap, book.price_exponent, self._scale.price_places)
            if gap > 0:
                words.append((f" spread {text} ", "strong"))
            else:
                words.append((" locked " if gap == 0 else f" crossed {text} ", "warn"))
            if share is not None:
                words += [(rule, "rule"), (f" imbalance {100 * share:+4.0f} % ", "dim")]
        used = 2 + sum(len(text) for text, _ in words)
        return ((rule * 2, "rule"), *words, (rule * max(width - used, 0), "rule"))


class _Scale:
    """Widths and scales of one instrument's ladder: they grow with what was seen and never shrink, so nothing jumps."""

    price = 8
    quantity = 7
    price_places = 0
    quantity_places = 0
    implied = False
    bar = 1.0

    def see(self, book: BookView, bids: list[Rung], asks: list[Rung], width: int) -> None:
        """Make room for these rungs."""
        both = [rung for rung in (*bids, *asks) if rung.known]
        self.implied = width >= _IMPLIED_FROM and (self.implied or any(rung.implied for rung in both))
        for rung in both:
            self.price_places = max(self.price_places, decimals(rung.price, book.price_exponent))
            self.quantity_places = max(self.quantity_places, decimals(rung.quantity, book.quantity_exponent))
        room = width - _LEVEL_CELLS - _ORDER_CELLS - 4 - (_IMPLIED_CELLS + 1 if self.implied else 0)
        for rung in both:
            price = len(exact(rung.price, book.price_exponent, self.price_places))
            self.price = min(max(self.price, price), max(room - self.quantity, 1))
            quantity = len(exact(rung.quantity, book.quantity_exponent, self.quantity_places))
            self.quantity = min(max(self.quantity, quantity), max(room - self.price, 1))
        self.bar = round_up(max((rung.quantity + rung.implied for rung in both), default=1))
