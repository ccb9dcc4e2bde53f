"""The peer of the offline path: itch-book, the fastest open ITCH book, on the same messages as a BinaryFILE.

It keeps the queue of orders in each level, as ours does. Its fastest mode is a session without tables, for which it
tracks no top of book and makes no rows; what is cheapest to feed it with, in processor time, depends on the host and is
found out.
"""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Levels = dict[tuple[str, str], list[tuple[int, int, int]]]

CHUNK: Final = 8 << 20  # bytes; its own default
SMALL: Final = 1 << 20
DEPTH: Final = 50  # levels a side, the most that it shows
DATE: Final = dt.date(2025, 6, 18)


def installed() -> str | None:
    """Return the version; None where it is not installed."""
    return version("itch-book") if importlib.util.find_spec("itch_book") else None


def modes() -> dict[str, Callable[[Path], Mapping[str, Any]]]:
    """Return the ways to feed it, by name; each builds all books of a file and returns its counters."""
    return {"mapped": _mapped, "read in chunks": _chunked, "its own reader thread": _threaded}


def fastest(file: Path) -> str:
    """Warm every way up and return the name of what took least processor time at its second go."""
    taken = {}
    for name, build in modes().items():
        build(file)
        start = time.process_time()
        build(file)
        taken[name] = time.process_time() - start
    return min(taken, key=lambda name: taken[name])


def final_levels(file: Path) -> tuple[Levels, Mapping[str, Any]]:
    """Return the best DEPTH levels of every book at the end, and the counters.

    Args:
        file: a BinaryFILE.

    Returns:
        By symbol and "bids" or "asks" (price, quantity, orders), best first, price in units of 0.0001.
    """
    session = _session(DEPTH)
    last: dict[int, dict[str, int]] = {}
    data = np.memmap(file, np.uint8, "r")
    for at in range(0, len(data), SMALL):  # a row of 300 columns for every change: taken out before it is gigabytes
        session.feed(data[at : at + SMALL])
        rows = session.take_depth()
        locates, backwards = np.unique(rows["locate"][::-1], return_index=True)
        places = len(rows["locate"]) - 1 - backwards
        picked = {name: column[places].tolist() for name, column in rows.items()}
        for i, locate in enumerate(locates.tolist()):
            last[locate] = {name: column[i] for name, column in picked.items()}
    symbols = {row[0]: row[1].strip() for row in session.take_symbols()}
    levels: Levels = {}
    for locate, row in last.items():
        for side, name in (("bid", "bids"), ("ask", "asks")):
            each = (
                (row[f"{side}_px_{i:02}"], row[f"{side}_sz_{i:02}"], row[f"{side}_ct_{i:02}"]) for i in range(DEPTH)
            )
            levels[symbols[locate], name] = [level for level in each if level[2]]
    return levels, session.stats()


def _session(depth: int = 0) -> Any:
    return importlib.import_module("itch_book._core").Session(tables=[], depth=depth, symbols=[])


def _mapped(file: Path) -> Mapping[str, Any]:
    session = _session()
    session.feed(np.memmap(file, np.uint8, "r"))
    stats: Mapping[str, Any] = session.stats()
    return stats


def _chunked(file: Path) -> Mapping[str, Any]:
    session = _session()
    buffer = np.empty(CHUNK, np.uint8)
    with file.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer.data):
            session.feed(buffer[:count])
    stats: Mapping[str, Any] = session.stats()
    return stats


def _threaded(file: Path) -> Mapping[str, Any]:
    feed = importlib.import_module("itch_book").open(str(file), date=DATE)
    for _ in feed.batches(tables=("system_events",), rows=1 << 30):
        pass
    stats: Mapping[str, Any] = feed.stats
    return stats
