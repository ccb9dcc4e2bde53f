"""Runs over several queues: the books of one, what came by which queue, what is handed over, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from growing_feeds import with_channels
from runs import under_way, until
from small_feeds import ITCH, MDP3, frames, make, rebuilt, rewrite

from simbench.cli import cli
from simbench.errors import SimbenchError
from simbench.receive.offline import Offline, open_source
from simbench.session import Plan, Session, run_quietly
from simbench.steering.load import weigh
from simbench.steering.rules import Rule, dump
from simbench.steering.schemes import schemes
from simbench.stress.align import merge

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.receive.offline import Source
    from simbench.steering.schemes import Scheme
    from simbench.wire.probe import Capabilities

pytestmark = pytest.mark.wire

FAST = {"wire": "veth", "speed": "max"}  # lossless also where other work keeps the cores busy


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture of an ITCH channel and twenty MDP3 channels, lines A and B each."""
    folder = tmp_path_factory.mktemp("exchange")
    sources = [open_source(with_channels(folder)), open_source(make(folder / "itch", ITCH, 1000))]
    return merge(sources, "start", folder)


@pytest.fixture(scope="session")
def source(exchange: Path) -> Source:
    """Return it opened."""
    return open_source(exchange)


@pytest.fixture(scope="session")
def expected(exchange: Path) -> dict[str, Any]:
    """Return what it comes to offline."""
    return rebuilt(exchange)


@pytest.fixture
def can_veth(capabilities: Capabilities) -> None:
    """Skip where this user can have no veth pair with AF_XDP, and say why."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)


def steered(source: Source, queues: int) -> tuple[dict[str, Scheme], tuple[Rule, ...]]:
    """Return what `simbench steer` says of a capture."""
    found, rules = schemes(weigh(source.capture.path, source.feed), source.feed, queues)
    return {scheme.name: scheme for scheme in found}, tuple(rules)


def check_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Demand the books, digests, messages, lines' gaps and anomalies of offline."""
    book = found["book"]
    assert (found["phase"], found["drops"], found["sent"]) == ("ended", {}, found["received"])
    assert book["messages"] == expected["messages"]
    assert book["anomalies"] == expected["anomalies"]
    assert book["books"] == expected["books"]
    for ours, theirs in zip(book["channels"], expected["channels"], strict=True):
        for key in ("name", "digest", "digest_orders", "gaps"):
            assert ours[key] == theirs[key]
        datagrams = [line["datagrams"] for line in ours["lines"]]
        assert datagrams == [line["datagrams"] for line in theirs["lines"]]


@pytest.mark.parametrize("queues", [2, 4])
def test_rules_bring_the_books_of_one_queue(
    queues: int, can_veth: None, source: Source, expected: dict[str, Any]
) -> None:
    """Each queue has as many frames as steer says, its channels whole, and hands nothing over."""
    predicted, rules = steered(source, queues)
    found = run_quietly(source, queues=queues, rules=rules, everything=True, **FAST)

    check_same(found, expected)
    assert found["steering"] == {"name": "rules", "split": [], "unnamed": 0}
    assert [queue["frames"] for queue in found["queues"]] == predicted["rules"].loads[:, 0].astype(int).tolist()
    assert [queue["sent"] for queue in found["queues"]] == [queue["frames"] for queue in found["queues"]]
    assert {queue["handed_over"] + queue["taken_over"] for queue in found["queues"]} == {0}
    owned = sorted(name for queue in found["queues"] for name in queue["channels"])
    assert owned == sorted(channel.name for channel in source.feed.channels)
    assert sum(queue["stages"]["app_book"]["n"] for queue in found["queues"]) == found["stages"]["app_book"]["n"]
    assert found["stages"]["app_book"]["n"] == found["received"]
    cores = sorted(os.sched_getaffinity(0))[1:] or [None]
    assert [queue["cpu"] for queue in found["queues"]] == [cores[queue % len(cores)] for queue in range(queues)]
    assert found["wait"] == ("spin" if len(cores) >= queues else "block")


@pytest.mark.parametrize("queues", [2, 4])
def test_a_hash_brings_them_too_by_handing_over(
    queues: int, can_veth: None, source: Source, expected: dict[str, Any]
) -> None:
    """Lines land where steer says that RSS puts them; their channel's owner gets them all the same."""
    predicted, _ = steered(source, queues)
    scheme = predicted["RSS, addresses and ports"]
    found = run_quietly(source, queues=queues, everything=True, **FAST)
    each = found["queues"]

    check_same(found, expected)
    assert found["steering"] == {"name": scheme.name, "split": list(scheme.split), "unnamed": 0}
    assert scheme.split
    assert [queue["frames"] for queue in each] == scheme.loads[:, 0].astype(int).tolist()
    assert all(queue["frames"] - queue["handed_over"] + queue["taken_over"] == queue["received"] for queue in each)
    assert sum(queue["handed_over"] for queue in each) == sum(queue["taken_over"] for queue in each) > 0
    assert [queue["hand_over"]["n"] for queue in each] == [queue["taken_over"] for queue in each]


@pytest.mark.parametrize("name", ["rules", "RSS, addresses and ports"])
def test_recorded_feeds_come_to_the_same(
    name: str, can_veth: None, real_captures: Path, cme: Path, tmp_path: Path
) -> None:
    """Deribit's channels, sent from loopback, beside CME's: queues as steer says; equal books where channels are whole.

    A hash tears snapshots from their line, and what then overtakes what is chance: channels without them are compared.
    """
    parts = [open_source(real_captures / "deribit-sbe" / "capture.pcapng"), open_source(cme)]
    path = merge(parts, "start", tmp_path)
    source = open_source(path, checksum="ignore")
    expected = Offline(source)
    expected.advance()
    predicted, rules = steered(source, 4)
    chosen = rules if name == "rules" else None
    found = run_quietly(source, queues=4, rules=chosen, everything=True, **FAST)

    book, result = found["book"], expected.result()
    assert (found["drops"], found["sent"]) == ({}, found["received"])
    assert [queue["frames"] for queue in found["queues"]] == predicted[name].loads[:, 0].astype(int).tolist()
    assert set(found["steering"]["split"]) == set(predicted[name].split)
    assert book["capture"]["datagrams"] == result["capture"]["datagrams"]
    assert book["capture"]["recovery_datagrams"] == result["capture"]["recovery_datagrams"]
    same = [place for place, channel in enumerate(source.feed.channels) if chosen is not None or not channel.feeds]
    assert len(same) > 1
    for key in ("digest", "digest_orders", "snapshots"):
        assert [book["channels"][i][key] for i in same] == [result["channels"][i][key] for i in same]
    assert chosen is None or book["books"] == result["books"]


def test_rules_that_tear_channels_apart_hand_over_as_well(
    can_veth: None, source: Source, expected: dict[str, Any]
) -> None:
    """Lines B that no rule names land on queue 0: the report says so, and the books are the same."""
    _, rules = steered(source, 2)
    groups = {channel.lines[1].group for channel in source.feed.channels}
    found = run_quietly(source, queues=2, rules=tuple(rule for rule in rules if rule.group not in groups), **FAST)

    check_same(found, expected)
    torn = {channel.name for channel in source.feed.channels} - set(found["queues"][0]["channels"])
    assert set(found["steering"]["split"]) == torn
    lines = {channel["name"]: channel["lines"][1]["datagrams"] for channel in expected["channels"]}
    assert found["steering"]["unnamed"] == sum(lines.values())
    assert found["queues"][0]["handed_over"] == sum(lines[name] for name in torn)
    assert found["queues"][1]["taken_over"] == sum(lines[name] for name in torn)


@pytest.mark.parametrize("steering", ["rules", "RSS"])
def test_losses_are_found_on_their_queue(steering: str, can_veth: None, tmp_path: Path) -> None:
    """Holes of both lines end as the same records, with the same books, at a pace that keeps the lines together."""
    path = make(tmp_path / "whole", ITCH, 1500, rate=3000.0)
    kept = [frame for frame in frames(path, ITCH) if frame.sequence % 40 or not frame.units]
    text = (path.parent / "feed.toml").read_text(encoding="utf-8")
    lossy = open_source(rewrite(tmp_path / "lossy", kept, text))
    expected = rebuilt(lossy.capture.path)
    _, rules = steered(lossy, 8)
    if steering == "rules":
        rules = tuple(Rule(rule.group, 5, rule.channel) for rule in rules)
    found = run_quietly(lossy, wire="veth", queues=8, wait="block", rules=rules if steering == "rules" else None)

    def told(result: dict[str, Any]) -> list[Any]:
        return [[gap["first"], gap["last"], gap["outcome"]] for gap in result["channels"][0]["gaps"]]

    assert told(found["book"]) == told(expected) != []
    assert found["book"]["books"] == expected["books"]
    assert found["book"]["channels"][0]["digest_orders"] == expected["channels"][0]["digest_orders"]
    assert len([queue for queue in found["queues"] if queue["channels"]]) == 1


def test_loops_of_snapshots_land_on_their_channels_queue(can_veth: None, source: Source) -> None:
    """The flows that the replayer makes have no rule and tear nothing apart."""
    _, rules = steered(source, 2)
    found = run_quietly(source, queues=2, rules=rules, recover="snapshot", **FAST)

    assert found["steering"]["split"] == []
    assert {queue["handed_over"] for queue in found["queues"]} == {0}
    assert found["book"]["capture"]["recovery_datagrams"] > 0
    assert {snapshot for channel in found["book"]["channels"] for snapshot in channel["snapshots"].items()}


def test_a_second_lap_is_one_on_every_queue(can_veth: None, source: Source, expected: dict[str, Any]) -> None:
    """Books begin anew with the lap; what another queue still brings of the first one is passed over and counted."""
    found = run_quietly(source, queues=2, loops=2, pinned=False, **FAST)

    assert found["sent"] == found["received"]
    assert found["book"]["books"] == expected["books"]
    stale = sum(queue["stale"] for queue in found["queues"])
    assert found["stages"]["app_book"]["n"] == found["received"] - stale
    assert {queue["cpu"] for queue in found["queues"]} == {None}


def test_readers_see_one_receiver(can_veth: None, tmp_path: Path) -> None:
    """A snapshot has the lines, counters, instruments and the asked for book of any queue; a stop ends all of them."""
    parts = [make(tmp_path / protocol, protocol, 4000, rate=200.0) for protocol in (ITCH, MDP3)]
    path = merge([open_source(part) for part in parts], "start", tmp_path)
    source = open_source(path)
    _, rules = steered(source, 2)
    names = {channel.name for channel in source.feed.channels}
    assert {rule.queue for rule in rules} == {0, 1}
    with Session(source, Plan(wire="veth", queues=2, rules=rules, wait="block")) as session:
        under_way(session)
        reader = session.reader()
        assert until(lambda: {row.channel for row in reader.snapshot().instruments} == names)
        for name in names:
            row = next(row for row in reader.snapshot().instruments if row.channel == name)
            assert until(lambda row=row: reader.snapshot(row.index).book is not None)
            book = reader.snapshot(row.index).book
            assert (book.channel, book.key) == (name, row.key)
        assert until(lambda: all(line.datagrams > 0 for line in reader.snapshot().lines))
        snapshot = reader.snapshot()
        assert {line.channel for line in snapshot.lines} == names
        assert snapshot.counters["frames"] >= sum(line.datagrams for line in snapshot.lines) / 2 > 0
        session.stop()
        found = session.finish()
    assert found["reason"] == "stopped"
    assert found["received"] == found["sent"] == sum(queue["frames"] for queue in found["queues"])
    assert all(queue["frames"] > 0 for queue in found["queues"])


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"wire": "ring"}, "--queues needs --wire veth: ring has one queue"),
        ({"wire": "tap"}, "--queues needs --wire veth: tap has one queue"),
        ({"stack": "udp"}, "--queues needs --stack xdp"),
        ({"recover": "retransmit"}, "--queues and --recover retransmit cannot be joined"),
        ({"queues": 33}, "--queues 33: a run takes at most 32"),
    ],
    ids=["ring", "tap", "udp", "retransmit", "many"],
)
def test_what_has_one_queue_is_refused_in_one_line(plan: dict[str, Any], words: str, itch: Path) -> None:
    """Before anything starts."""
    with pytest.raises(SimbenchError, match=words) as error:
        Session(open_source(itch), Plan(**{"queues": 2, "wire": "veth", **plan}))
    assert "\n" not in str(error.value)


def test_rules_for_other_queues_or_twice_are_refused(
    can_veth: None, itch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules say how many queues they are for; a group has one."""
    rules = tmp_path / "rules.toml"
    rules.write_text(dump(steered(open_source(itch), 3)[1], 3))
    with pytest.raises(SimbenchError, match=r"--queues 2, but .*rules\.toml is for 3"):
        cli(["run", str(itch), "--queues", "2", "--rules", str(rules)], standalone_mode=False)
    text = rules.read_text()
    first = text.index("[[rule]]")
    rules.write_text(text + text[first:].replace("queue = 0", "queue = 2").replace("queue = 1", "queue = 2"))
    with pytest.raises(SimbenchError, match=r"two rules for .*queue"):
        cli(["run", str(itch), "--rules", str(rules), "--headless"], standalone_mode=False)


def test_the_command_takes_the_rules_that_steer_wrote(
    can_veth: None, itch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file says how many queues; the summary has a row for each."""
    rules = tmp_path / "rules.toml"
    cli(["steer", str(itch), "--queues", "2", "--rules", str(rules)], standalone_mode=False)
    capsys.readouterr()
    options = ["--rules", str(rules), "--wire", "veth", "--speed", "max", "--headless", "--unpinned"]

    assert cli(["run", str(itch), *options], standalone_mode=False) == 0
    out = capsys.readouterr().out
    assert "queues by rules" in out
    assert "handed over" in out
