"""The tables of `make bench`, and the pieces beneath them that need no clock."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from simbench.bench.figures import FIGURES
from simbench.bench.handler_time import FEEDS, HandlerTime
from simbench.bench.offline_cme import WINDOWS, Flow, OfflineCme
from simbench.bench.offline_cme import measure as measure_cme
from simbench.bench.offline_itch import OfflineItch, compare
from simbench.bench.offline_scale import Filled, Scale, used_bytes
from simbench.bench.queues import MOVED, PINNED, TORN, UNPINNED, WHOLE, Queues
from simbench.bench.reading import GZIP, INDEX, PLAIN, READ, Reading, take, take_by_dpkt
from simbench.bench.replay_timing import NULLS, OURS, OURS_FASTER, RUN, SPINNER, SPINNER_FASTER, ReplayTiming
from simbench.bench.report import Range, Report, Section, Target, interval, markdown, show
from simbench.bench.stamping import Recorded, score
from simbench.bench.wire_equality import Way, WireEquality, differences
from simbench.bench.wire_to_application import spread_evenly
from simbench.book.books import Books
from simbench.book.layout import BookChannel
from simbench.capture.reader import open_capture
from simbench.cli import cli
from simbench.errors import SimbenchError
from simbench.event import LEVEL_NEW, LEVEL_OVERLAY
from simbench.measure.histogram import Histogram
from simbench.receive.offline import Offline, open_source
from simbench.session.repeats import Cell, Measured
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from pathlib import Path

START = 1_700_000_000_000_000_000


def test_a_ratio_is_taken_repeat_by_repeat() -> None:
    """What disturbs both in one repeat cancels out of that repeat's ratio."""
    assert Range(0.5, 0.5, 1.0, 3) == Range.of_ratios([1.0, 50.0, 3.0], [2.0, 100.0, 3.0])


@pytest.mark.parametrize(("bound", "at_most", "met"), [(2.0, True, True), (1.9, True, False), (2.1, False, False)])
def test_the_median_decides_whether_a_target_is_met(bound: float, at_most: bool, met: bool) -> None:
    """The best repeat is not what counts, nor the worst."""
    target = Target("x", Range.of([1.0, 2.0, 9.0]), bound, at_most=at_most)
    assert met == target.met
    assert ("met" if met else "missed") == target.cells()[-1]


@pytest.mark.parametrize(("by", "at_most", "met"), [
    ("best", True, True), ("worst", True, False), ("median", True, False),
    ("best", False, True), ("worst", False, False), ("median", False, True),
])  # fmt: skip
def test_an_end_of_the_interval_may_decide(by: Literal["median", "best", "worst"], *, at_most: bool, met: bool) -> None:
    """No worse than a peer: 1 lies in the interval. Surely not worse than a bound: all of it is below."""
    assert Target("x", Range.of([0.9, 1.2, 1.3]), 1.0, at_most=at_most, by=by).met == met


def test_an_interval_narrows_with_more_values() -> None:
    """Around the median, the same each time."""
    few, many = interval([0.8, 1.0, 1.2] * 2), interval([0.8, 1.0, 1.2] * 50)
    assert few == interval([0.8, 1.0, 1.2] * 2)
    assert few.median == many.median == 1.0
    assert few.low <= many.low <= 1.0 <= many.high <= few.high
    assert few.low < many.low or few.high > many.high


def test_a_section_reads_the_same_on_the_terminal_and_in_markdown() -> None:
    """Every cell, target and note is in both; a pipe in a cell does not break the Markdown table."""
    section = Section(
        "Title",
        "How.",
        ("who", "p50"),
        (("a|b", "1.50"),),
        (Target("t", Range.of([3.0]), 4.0, unit="us"),),
        ("A note",),
    )
    out = io.StringIO()
    show(section, Console(file=out, width=120))
    text = markdown(section)
    assert "| who | p50 |\n| --- | ---: |\n| a\\|b | 1.50 |" in text
    assert "| t | 3.00 (3.00 to 3.00) us | at most 4.00 us | met |" in text
    for part in ("Title", "How.", "1.50", "at most 4.00 us", "A note"):
        assert part in text
        assert part in out.getvalue()


def test_a_report_begins_with_the_host_and_the_command() -> None:
    """Figures without a machine are worth nothing."""
    report = Report("Host: one core", "make bench", [Section("T", "M", (), ())])
    assert report.markdown() == "Host: one core\n\nTaken by `make bench`.\n\n### T\n\nM\n"


def _scored(gap_error: int) -> dict:
    shares = {"p50": gap_error, "p90": gap_error, "p99": gap_error}
    return {"lateness": shares, "gap_error": shares, "within_1us": 0.5, "drift_ppm": None, "lost": 0}


def _timing(peer: str | None) -> ReplayTiming:
    found = ReplayTiming(peer, frames=10, seconds=1.0)
    for name in (RUN, *NULLS.values(), OURS, SPINNER, OURS_FASTER, SPINNER_FASTER):
        found.add(name, _scored(200))
    if peer is not None:
        found.add(peer, _scored(2000))
    return found


def test_a_missing_replayer_is_told() -> None:
    """No ratio is shown where there is nothing to divide by."""
    section = _timing(None).section()
    assert [target.found.median for target in section.targets] == [1.0, 1.0]
    assert any("tcpreplay is not installed" in note for note in section.notes)


def test_the_gap_error_is_compared_with_tcpreplay() -> None:
    """A tenth of its error is what is asked of the replayer and of the whole run; of the spinner's, no more than it."""
    section = _timing("tcpreplay 4.4.3").section()
    assert [target.found.median for target in section.targets] == [1.0, 1.0, 0.1, 0.1]
    assert [target.met for target in section.targets] == [True, False, True, True]


def test_a_burst_has_to_reach_ten_million_entries_a_second() -> None:
    """Entries over processor time, the median of the repeats; a packet is counted once, whatever its copies."""
    flows = {name: Flow(entries=3_000_000, packets=1_000_000, seconds=[0.4, 0.25, 0.2]) for name in WINDOWS}
    section = OfflineCme(flows).section()
    assert section.rows[0][1:] == ("3.0", "12.00 (7.50 to 15.00)", "250")
    assert [target.met for target in section.targets] == [True]


def test_entries_of_books_are_counted_once_for_both_lines(tmp_path: Path) -> None:
    """As many as the changes of levels that one line alone brings."""
    made = generate("calm", tmp_path / "day.pcap", "cme.mdp3", messages=3000, snapshots=0.0)
    (tmp_path / "feed.toml").write_text(made.feed, encoding="utf-8")
    kinds: list[int] = []
    source = open_source(tmp_path / "day.pcap")
    Offline(source, only_line="A", on_events=lambda _, events: kinds.extend(events["kind"].tolist())).advance()
    found = measure_cme(tmp_path / "day.pcap", 2)
    assert found.entries == sum(LEVEL_NEW <= kind <= LEVEL_OVERLAY for kind in kinds) > 1000
    assert (found.packets, len(found.seconds)) == (made.datagrams, 1)


def test_dpkt_and_simbench_read_the_same_frames(tmp_path: Path) -> None:
    """Plain and compressed, by both; dpkt stops when it is told to."""
    plain, packed = tmp_path / "day.pcap", tmp_path / "day.pcap.gz"
    made = generate("calm", plain, messages=2000, lines=1)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (plain, packed):
        for index in (False, True):
            assert made.frames == take(path, index=index) == take_by_dpkt(path, 10**9, index=index)
    assert take_by_dpkt(plain, 7, index=True) == 7


def test_a_reader_is_compared_with_dpkt_on_the_plain_file() -> None:
    """Frames a second of each, and gigabytes by the size of a frame."""
    rates = {(kind, work): [2e7] for kind in (PLAIN, GZIP) for work in (READ, INDEX)}
    section = Reading(100.0, rates, {key: [4e5] for key in rates}).section()
    assert section.rows[:2] == (
        ("pcap", "simbench, reading", "20.00 (20.00 to 20.00)", "2.00"),
        ("pcap", "dpkt, reading", "0.40 (0.40 to 0.40)", "0.04"),
    )
    assert [target.met for target in section.targets] == [True, False]


def test_bytes_of_an_order_leave_out_what_was_never_handed_out() -> None:
    """Room that nobody has used costs no memory, and does not count."""
    small, large = (Books.create([BookChannel("x", -4)], orders=room, levels=64, seed=1) for room in (64, 4096))
    spare = [len(books.memory) * 8 - used_bytes(books.memory) for books in (small, large)]
    assert spare[1] - spare[0] == (4096 - 64) * 64
    assert Scale((Filled(8, 10, 99.6, [100.0, 120.0]),)).section().rows == (("8", "10", "110 (100 to 120)", "100"),)


def test_a_missing_book_is_told() -> None:
    """The rate is shown all the same."""
    section = OfflineItch(10, 5, 100, 50, ours=[2e6]).section()
    assert list(section.rows) == [("simbench", "2.00 (2.00 to 2.00)", "MoldUDP64 in pcap", "100")]
    assert any("itch-book is not installed" in note for note in section.notes)


LEVELS = {("A", "bids"): [(100, 5, 1), (99, 7, 2)], ("A", "asks"): [(101, 3, 1)]}


def test_equal_books_are_counted_by_level() -> None:
    """Both sides count."""
    assert compare(LEVELS, {**LEVELS}) == (3, [])


def test_one_changed_quantity_is_a_difference() -> None:
    """It is named with its symbol, side and place."""
    changed = {**LEVELS, ("A", "bids"): [(100, 5, 1), (99, 8, 2)]}
    assert compare(LEVELS, changed) == (1, ["A bids level 1: [(99, 7, 2)], theirs [(99, 8, 2)]"])


def test_books_that_only_one_has_are_a_difference() -> None:
    """A missing level, a missing side, an unknown symbol, and two empty sets of books."""
    assert len(compare(LEVELS, {**LEVELS, ("A", "bids"): [(100, 5, 1)]})[1]) == 1
    assert len(compare(LEVELS, {})[1]) == 2
    assert compare(LEVELS, {**LEVELS, ("B", "bids"): [(1, 1, 1)]})[1] == ["B is not among our books"]
    assert compare({}, {})[1]


def _handled(feed: str, ns: int) -> Measured:
    hiccups = {"count": 3, "longest_ns": 12_000, "share": 0.01}
    book = {"messages": {"total": 5}, "capture": {"datagrams": 2}}
    histograms = {stage: Histogram() for stage in ("app_book", "app_decoded", "decoded_book")}
    for stage, value in zip(histograms, (ns, ns - 200, 200), strict=True):
        histograms[stage].record(value)
    return Measured(Cell(feed=feed), 0, {"hiccups": hiccups, "book": book, "received": 2}, histograms)


def test_each_feed_has_its_own_target_and_hiccups_beside_it() -> None:
    """The median of the handler is what counts, not that of a part."""
    slow, fast = FEEDS
    section = HandlerTime({slow: [_handled(slow, 1_100)], fast: [_handled(fast, 900)]}).section()

    assert [target.met for target in section.targets] == [False, True]
    assert section.rows[1][:2] == (fast, "0.90")
    assert section.rows[1][5:] == ("0.70", "0.20", "2.50", "2", "3", "12.00", "1.00%")
    assert len(section.rows[0]) == len(section.header)


def _recorded(count: int) -> Recorded:
    return Recorded(START + 10_000 * np.arange(count, dtype=np.int64), np.arange(count, dtype=np.int64) // 2)


def test_frames_that_arrive_on_time_have_no_error() -> None:
    """Frames alike are told apart by their order, and noise of the sender's own is left out."""
    recorded = _recorded(100)
    hook = np.append(recorded.stamps - START + 77, 5)
    found = score(recorded, hook, np.append(recorded.digests, 4711))
    assert (found["frames"], found["lost"], found["lateness"]["max"], found["gap_error"]["max"]) == (100, 0, 0, 0)


def test_a_late_frame_and_a_lost_one_are_seen() -> None:
    """A frame 3 us late errs in two gaps; the gap over a lost frame is no gap of the capture's."""
    recorded = _recorded(100)
    hook = recorded.stamps - START + 77
    hook[50] += 3_000
    keep = np.arange(100) != 21
    found = score(recorded, hook[keep], recorded.digests[keep])
    assert (found["frames"], found["lost"]) == (99, 1)
    assert (found["gap_error"]["n"], found["gap_error"]["max"]) == (97, 3_000)


def test_a_capture_is_spread_evenly(tmp_path: Path) -> None:
    """The frames are the same, only their stamps are not."""
    generate("calm", tmp_path / "calm.pcap", messages=700, lines=1)
    count = spread_evenly(tmp_path / "calm.pcap", tmp_path / "even.pcap", 20_000)
    before, after = (_stamps_and_frames(tmp_path / name) for name in ("calm.pcap", "even.pcap"))
    assert count == len(after[0]) > 100
    assert np.all(np.diff(after[0]) == 20_000)
    assert not np.all(np.diff(before[0]) == 20_000)
    assert after[1] == before[1]


def _stamps_and_frames(capture: Path) -> tuple[np.ndarray, list[bytes]]:
    block = next(open_capture(capture).blocks())
    places = zip(block.frames["offset"].tolist(), block.frames["captured"].tolist(), strict=True)
    return block.frames["stamp"].copy(), [block.data[at : at + length].tobytes() for at, length in places]


RESULT = {
    "messages": {"total": 2, "by_type": {"A": 2}},
    "anomalies": {"crossed": 0},
    "channels": [{"digest": "d", "digest_orders": "o", "gaps": []}],
    "books": [{"bids": [1], "asks": [1]}],
}


def test_every_part_of_a_result_that_differs_is_named() -> None:
    """Equal results differ in nothing; empty books are no equality."""
    assert differences(RESULT, RESULT) == []
    assert differences(RESULT, {**RESULT, "messages": {"total": 2, "by_type": {"A": 1, "X": 1}}}) == ["messages"]
    assert differences(RESULT, {**RESULT, "anomalies": {"crossed": 1}}) == ["anomalies"]
    for name in ("digest", "digest_orders", "gaps"):
        changed = {**RESULT, "channels": [{**RESULT["channels"][0], name: ["other"]}]}
        assert differences(RESULT, changed) == [name]
    empty = {**RESULT, "books": [{"bids": [1], "asks": []}]}
    assert differences(empty, empty) == ["books: there are none to compare"]


def test_a_wire_that_differs_misses_the_target() -> None:
    """It is named in its row, and so is a wire that could not be tried."""
    found = WireEquality(
        [Way("offline", 9, 0.1, 5, 0), Way("ring", 9, 0.2, 5, 0)], (20, 23), ["not tried: veth xdp: why"]
    )
    assert found.section().targets[0].met
    found.ways.append(Way("tap udp", 8, 0.2, 4, 1, ("messages", "gaps")))
    section = found.section()
    assert not section.targets[0].met
    assert section.rows[-1] == ("tap udp", "8", "0.2", "4", "1", "messages, gaps")
    assert section.notes == ("20 of 23 types of message occur", "not tried: veth xdp: why")


def test_an_unknown_figure_is_refused() -> None:
    """The message names those that there are."""
    done = CliRunner().invoke(cli, ["bench", "beauty"], standalone_mode=False)
    assert isinstance(done.exception, SimbenchError)
    assert all(name in str(done.exception) for name in FIGURES)


def test_pinning_and_hand_overs_are_ratios_of_the_same_repeat() -> None:
    """Each contestant has a row with what befell its threads; what it costs is said repeat by repeat."""

    def run(p50: int, handed: int = 0) -> dict[str, Any]:
        stage = {"n": 9, "p50": p50, "p90": p50, "p99": 2 * p50, "p999": p50, "max": p50}
        return {
            "wait": "spin",
            "stages": {"send_app": stage},
            "scheduling": {"migrations": 4, "preempted": 7},
            "queues": [{"handed_over": handed}],
            "sent": 10,
            "received": 9,
        }

    alone = {"n": 64, "p50": 260, "p90": 300, "p99": 650, "p999": 700}
    names = (PINNED, UNPINNED, MOVED, WHOLE, TORN)
    runs = {
        name: [run(factor * 1000, 5 * (name == TORN)), run(factor * 50_000)] for factor, name in enumerate(names, 1)
    }
    section = Queues(10, runs, {1: [alone, alone]}).section()
    assert section.rows[0] == (PINNED, "spin", *["25.50"] * 2, "51.00", "25.50", "4", "7", "0", "1")
    assert section.rows[4][-2:] == ("2", "1")
    assert section.rows[5] == ("a hand-over alone", "spin", "0.26", "0.30", "0.65", "0.70", "", "", "64", "")
    assert section.notes[0].endswith("p50 2.00 (2.00 to 2.00), p99 2.00 (2.00 to 2.00)")
    assert section.notes[1].endswith("p50 3.00 (3.00 to 3.00), p99 3.00 (3.00 to 3.00)")
    assert section.notes[2].endswith("p50 1.25 (1.25 to 1.25), p99 1.25 (1.25 to 1.25)")
