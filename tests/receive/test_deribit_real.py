"""Recorded Deribit channels, offline: books known from snapshots, held against later snapshots and other programs."""

from __future__ import annotations

import json
import struct
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import checked, frames, levels, rebuilt, rewrite

from simbench.commands import show
from simbench.commands.run import outcome
from simbench.feed.definition import dump
from simbench.protocol import deribit_layout as layout
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from small_feeds import Frame

NAME = "deribit.sbe"
SECOND = 1_000_000_000
FORMATS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "f64": "<d", "text8": "8s", "text16": "16s"}


@pytest.fixture(scope="module")
def deribit(real_captures: Path) -> Path:
    """Return the capture, beside which there is no feed.toml."""
    return real_captures / "deribit-sbe" / "capture.pcapng"


@pytest.fixture(scope="module")
def independent(real_captures: Path) -> dict[str, Any]:
    """Return what an independent decoder made of it: each book by instrument id, as doubles."""
    loaded: dict[str, Any] = json.loads((real_captures / "deribit-sbe" / "independent.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def whole(deribit: Path) -> dict[str, Any]:
    """Return the result of the capture, of which the reference book has come to the same."""
    return checked(deribit)


@pytest.fixture(scope="module")
def every(deribit: Path) -> list[Frame]:
    """Return the frames."""
    return frames(deribit, NAME)


@pytest.fixture
def again(deribit: Path, tmp_path: Path) -> Callable[[list[Frame]], dict[str, Any]]:
    """Return a function that rebuilds the capture from other frames."""
    feed, folders = dump(open_source(deribit).feed), count()
    return lambda kept: rebuilt(rewrite(tmp_path / str(next(folders)), kept, feed))


def books(found: dict[str, Any], state: str = "current") -> dict[str, Any]:
    """Return the books of a state in the shape of the independent ones: name, bids and asks as doubles."""
    return {
        book["key"]: (
            book["symbol"],
            *([(float(price), float(amount)) for price, amount, _ in book[side]] for side in ("bids", "asks")),
        )
        for book in found["books"]
        if book["state"] == state
    }


def wanted(independent: dict[str, Any]) -> dict[str, Any]:
    """Return the independent books in the same shape."""
    return {
        key: (book["name"], [tuple(row) for row in book["bid"]], [tuple(row) for row in book["ask"]])
        for key, book in independent.items()
    }


def snapshots(found: dict[str, Any]) -> Counter[str]:
    """Return what became of snapshots, over all channels; what is zero left out."""
    counts = sum((Counter(channel["snapshots"]) for channel in found["channels"]), Counter[str]())
    return +counts


def anomalies(found: dict[str, Any]) -> dict[str, int]:
    """Return the anomalies that there are."""
    return {name: count for name, count in found["anomalies"].items() if count}


def test_channels_and_their_snapshot_flows_are_found_by_looking(deribit: Path) -> None:
    """Each group of port 6100 is a channel; the flow of port 6101 at its address brings its snapshots."""
    found = {channel.lines[0].group: channel for channel in open_source(deribit).feed.channels}
    assert list(found) == [f"239.111.111.{n}:6100" for n in (0, 1, 2, 3, 4, 10, 11, 21)]
    assert {(channel.protocol, len(channel.lines)) for channel in found.values()} == {(NAME, 1)}
    flows = {group: [(flow.role, flow.group) for flow in channel.feeds] for group, channel in found.items()}
    assert flows.pop("239.111.111.0:6100") == []
    assert flows == {group: [("snapshot", group.replace("6100", "6101"))] for group in flows}


def test_every_book_is_that_of_an_independent_decoder(whole: dict[str, Any], independent: dict[str, Any]) -> None:
    """All 84 instruments are synchronised, and every price and amount is the double that was sent."""
    assert len(wanted(independent)) == 84
    assert levels(whole) == 415
    assert wanted(independent) == books(whole)


def test_later_snapshots_equal_the_books(whole: dict[str, Any]) -> None:
    """84 fill the books, 110 come again and find them equal; nothing is odd, unknown, inexact or missing."""
    assert snapshots(whole) == {"taken": 84, "equal": 110}
    assert anomalies(whole) == {}
    assert [whole["messages"][key] for key in ("total", "unknown", "malformed", "inexact")] == [6698, 0, 0, 0]
    flows = [flow for channel in whole["channels"] for flow in channel["feeds"]]
    assert sum(flow["packets"] for flow in flows) == whole["capture"]["recovery_datagrams"] == 130
    assert {(flow["missing_units"], flow["restarts"]) for flow in flows} == {(0, 0)}
    assert all(channel["gaps"] == [] for channel in whole["channels"])
    assert show.snapshots(whole) == "\nsnapshots: 84 filled a book, 110 equal the book, 0 differ, 0 left out"
    assert outcome({"book": whole}) == 0


def test_one_changed_amount_is_seen_by_the_next_snapshot(
    every: list[Frame], again: Callable[[list[Frame]], dict[str, Any]], independent: dict[str, Any]
) -> None:
    """The book is stale then, and the snapshot after that mends it."""
    target = next(
        (frame, at + layout.HEAD_SIZE + root["_size"] + layout.GROUP_SIZE + 10)
        for frame in every
        for at, template, root, rows in messages(frame)
        if template == layout.BOOK and root["instrument"] == 17 and rows[0]["change"] == 0
    )
    frame, at = target
    before = bytes(frame.data)
    frame.patch(at, struct.pack("<d", 7.0))
    found = again(every)
    frame.data[:] = before
    assert anomalies(found) == {"snapshot_differs": 1}
    assert snapshots(found) == {"taken": 85, "equal": 108}
    assert outcome({"book": found}) == 1
    assert wanted(independent) == books(found)


def test_joining_in_the_middle_reaches_the_same_books(
    every: list[Frame], again: Callable[[list[Frame]], dict[str, Any]], independent: dict[str, Any]
) -> None:
    """From the fortieth second on; what came before the next snapshots is no anomaly, and no book was current by it."""
    start = every[0].stamp + 40 * SECOND
    found = again([frame for frame in every if frame.stamp >= start])
    assert wanted(independent) == books(found)
    assert anomalies(found) == {}
    assert snapshots(found)["taken"] == 84
    assert snapshots(found)["equal"] == 26


def test_before_its_snapshot_no_book_is_current(every: list[Frame], again: Callable[..., dict[str, Any]]) -> None:
    """A capture of the lines alone has books that say so."""
    found = again([frame for frame in every if frame.port == 6100])
    assert books(found) == {}
    assert levels(found) > 300
    assert {book["state"] for book in found["books"]} == {"unsynchronised"}
    assert anomalies(found) == {}


def test_a_lost_change_makes_one_book_stale_until_the_next_snapshot(
    every: list[Frame], again: Callable[..., dict[str, Any]], independent: dict[str, Any]
) -> None:
    """The gap is in the packet sequence, the broken chain in the instrument's; the books of the others go on."""
    start = every[0].stamp + 40 * SECOND
    cycle = next(frame.stamp for frame in every if frame.port == 6101 and frame.stamp > start)
    changes = [
        (frame, root["instrument"])
        for frame in every
        if start < frame.stamp < cycle
        for _, template, root, _ in messages(frame)
        if template == layout.BOOK
    ]
    key, often = Counter(key for _, key in changes).most_common(1)[0]
    assert often > 2
    lost = next(frame for frame, other in changes if other == key)
    kept = [frame for frame in every if frame is not lost]
    early = again([frame for frame in kept if frame.stamp < cycle])
    assert list(books(early, "stale")) == [str(key)]
    found = again(kept)
    assert wanted(independent) == books(found)
    assert anomalies(found) == {"broken_chain": 1}
    assert sum(len(channel["gaps"]) for channel in found["channels"]) == 1


def test_a_lost_packet_of_the_snapshot_flow_delays_what_was_in_it(
    every: list[Frame], again: Callable[..., dict[str, Any]], independent: dict[str, Any]
) -> None:
    """The hole is counted with the flow, and the next cycle synchronises the rest."""
    inside = [frame for frame in every if frame.port == 6101 and len([*messages(frame)]) > 8]
    lost = inside[len(inside) // 4]
    found = again([frame for frame in every if frame is not lost])
    assert sum(flow["missing_units"] for channel in found["channels"] for flow in channel["feeds"]) == 1
    assert snapshots(found)["taken"] == 84
    assert snapshots(found)["equal"] < 110
    assert wanted(independent) == books(found)
    assert anomalies(found) == {}


def test_the_layouts_name_what_the_data_say(every: list[Frame]) -> None:
    """Trades, tickers and definitions, by what each of their fields has to be equal to."""
    last: dict[int, float] = {}
    steps: dict[int, tuple[float, float]] = {}
    definition: dict[str, Any] = {}
    taken: list[tuple[int, int, float]] = []
    seen: Counter[str] = Counter()
    for frame in every:
        for _, template, root, rows in messages(frame):
            key = root.get("instrument", 0)
            if template == layout.INSTRUMENT:
                definition = root
                steps[key] = root["tick_size"], root["minimum_amount"]
            elif template == layout.INSTRUMENT_2:
                assert root == {**definition, "_size": 139}
                seen["pairs of definitions"] += 1
                option = root["_name"].rpartition("-")[0].rpartition("-")[2]
                assert root["strike"] == float(option) if root["_name"][-2:] in {"-C", "-P"} else True
                assert root["_name"].startswith(root["base_currency"].rstrip(b"\0").decode())
            elif template == layout.TRADES:
                taken = [(key, row["direction"], row["price"]) for row in rows]
                last[key] = rows[-1]["price"]
            elif template == layout.TICKER and key in last:
                assert root["last_price"] == last[key]
                seen["last prices"] += 1
            elif template == layout.BOOK:
                hit = [(key, row["side"], row["price"]) for row in rows]
                seen["trades at levels of the other side"] += sum(trade in hit for trade in taken)
                taken = []
            if template in {layout.BOOK, layout.SNAPSHOT} and key in steps:
                for row in rows:
                    for value, step in zip((row["price"], row["amount"]), steps[key], strict=True):
                        assert abs(value / step - round(value / step)) < 1e-6
                        seen["multiples of a step"] += 1
    assert seen == {
        "pairs of definitions": 194,
        "last prices": 1441,
        "trades at levels of the other side": 421,
        "multiples of a step": 2 * 1649,
    }


def messages(frame: Frame) -> Iterator[tuple[int, int, dict[str, Any], list[dict[str, Any]]]]:
    """Yield the messages of a frame by the table: where in the payload, template, root block, entries."""
    payload = bytes(frame.data[frame.payload :])
    at, end = layout.FRAME_SIZE, layout.FRAME_SIZE + int.from_bytes(payload[:2], "little")
    while at < end:
        start = at
        size, template, _, _, groups, strings = struct.unpack_from("<6H", payload, at)
        _, _, fields, _, inner = layout.TABLE[template]
        at += layout.HEAD_SIZE
        root: dict[str, Any] = {"_size": size, **fields_of(payload, at, fields)}
        at += size
        rows = []
        for _ in range(groups):
            length, number = struct.unpack_from("<2H", payload, at)
            at += layout.GROUP_SIZE
            rows += [fields_of(payload, at + i * length, inner) for i in range(number)]
            at += length * number
        for _ in range(strings):
            root["_name"] = payload[at + 1 : at + 1 + payload[at]].decode()
            at += 1 + payload[at]
        yield start, template, root, rows


def fields_of(payload: bytes, at: int, fields: layout.Fields) -> dict[str, Any]:
    """Return the fields of a block; no value for a NaN, which is not equal to itself."""
    values = {name: struct.unpack_from(FORMATS[form], payload, at + place)[0] for name, place, form in fields}
    return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 - a NaN
