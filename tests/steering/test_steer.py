"""The steering of captures: what is weighed, who is torn apart, and rules that say what was planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from small_feeds import rebuilt

from simbench.cli import cli
from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.steering.load import weigh
from simbench.steering.rules import Rule, commands, dump, read
from simbench.steering.schemes import schemes

if TYPE_CHECKING:
    from pathlib import Path


def test_every_datagram_is_weighed(itch: Path) -> None:
    """As many as the books were built of, and the busiest millisecond is a part of them."""
    source = open_source(itch)
    load = weigh(itch, source.feed)
    lines = rebuilt(itch)["channels"][0]["lines"]

    assert {flow.role: flow.datagrams for flow in load.flows} == {line["name"]: line["datagrams"] for line in lines}
    assert all(0 < flow.busiest < flow.datagrams for flow in load.flows)


def test_rules_keep_channels_whole_where_hashing_does_not(itch: Path) -> None:
    """Of eight queues, lines A and B land on two under RSS over addresses; the rules send both to one."""
    source = open_source(itch)
    found, rules = schemes(weigh(itch, source.feed), source.feed, 8)
    ports, addresses, planned = found

    assert [scheme.name for scheme in found] == ["RSS, addresses and ports", "RSS, addresses", "rules"]
    assert addresses.split == (source.feed.channels[0].name,)
    assert planned.split == ()
    assert planned.excess() == (1.0, 1.0)
    assert {rule.queue for rule in rules} == set(planned.queues)
    assert ports.loads.sum() == addresses.loads.sum() == planned.loads.sum()


def test_rules_are_written_and_read_back(tmp_path: Path) -> None:
    """Quotes in a name are no trouble; a queue that is not there is refused."""
    rules = [Rule("224.0.31.1:14310", 1, 'a "name"'), Rule("[ff02::1]:14310", 0)]
    path = tmp_path / "rules.toml"

    path.write_text(dump(rules, 2))
    assert read(path) == (2, rules)
    assert commands(rules, "eth1")[1] == "ethtool -N eth1 flow-type udp6 dst-ip ff02::1 dst-port 14310 action 0"

    path.write_text(dump(rules, 1))
    with pytest.raises(SimbenchError, match="goes to queue 1, of 1"):
        read(path)
    path.write_text("queues = ")
    with pytest.raises(SimbenchError, match=r"rules\.toml"):
        read(path)


def test_the_command_tells_the_same(itch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON, tables and the file of rules."""
    rules = tmp_path / "rules.toml"
    with pytest.raises(SystemExit):
        cli(["steer", str(itch), "--queues", "3", "--json", "--rules", str(rules)], standalone_mode=True)
    told = json.loads(capsys.readouterr().out)

    assert [scheme["name"] for scheme in told["schemes"]][-1] == "rules"
    assert told["schemes"][-1]["channels_split"] == []
    assert {row["group"]: row["queue"] for row in told["rules"]} == {rule.group: rule.queue for rule in read(rules)[1]}
    with pytest.raises(SystemExit):
        cli(["steer", str(itch)], standalone_mode=True)
    assert "channels torn apart" in capsys.readouterr().out
