"""A receiver alone, on an interface that somebody else sends to, with a server that somebody else runs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from runs import until
from small_feeds import ITCH, MDP3, digests, frames, levels, rebuilt, rewrite

from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.feed.definition import parse
from simbench.feed.layout import C_ASKS
from simbench.feed.sequencer import Settings
from simbench.feed.streams import channel_base
from simbench.measure import telemetry as t
from simbench.receive.receiver import Receiver
from simbench.receive.recovery import servers_of
from simbench.recovery.conduct import Conduct
from simbench.recovery.servers import Servers
from simbench.recovery.udp import bind, where
from simbench.replay.process import Config
from simbench.replay.schedule import line_endpoints
from simbench.session import Listening
from simbench.session.recovering import asking, own_servers, recovering
from simbench.wire import namespace
from simbench.wire.open import nic_receiver, open_wire

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.wire.open import Wire
    from simbench.wire.probe import Capabilities

MESSAGES = t.counter("messages")


def replay(path: Path, wire: Wire) -> None:
    """Send a capture without a receiver of ours."""
    config = Config(capture=str(path), wire=wire.sender, speed="10", max_idle_ns=20_000_000, receiver=False)
    subprocess.run(
        [sys.executable, "-m", "simbench.replay.process"],
        input=msgspec.json.encode(config),
        stdout=subprocess.DEVNULL,
        pass_fds=wire.sender.descriptors,
        check=True,
    )


@pytest.mark.wire
def test_a_receiver_alone_asks_the_server_that_its_feed_names(
    capabilities: Capabilities, itch: Path, tmp_path: Path
) -> None:
    """What both lines lose is had from the address in feed.toml, while the feed goes on, and the books are whole."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)
    every = frames(itch, ITCH)
    middle = sorted({frame.sequence for frame in every if frame.units})[200:204]
    definition = (itch.parent / "feed.toml").read_text(encoding="utf-8")
    holed = rewrite(tmp_path / "holed", [frame for frame in every if frame.sequence not in middle], definition)
    with open_wire("veth", unicast=True) as wire, Servers() as servers:
        assert wire.unicast is not None
        bound = namespace.inside(wire.unicast.server_fd, bind, wire.unicast.server, 0)
        feed = parse(f'{definition}\n[[channel.feed]]\nrole = "retransmission"\ngroup = "{where(bound)}"\n')
        lines = line_endpoints(feed.channels[0])
        servers.add_rerequests(open_capture(itch), [(lines, bound)], verify=True, conduct=Conduct())
        servers.start()
        feed = asking(feed, own_servers(feed, recovering(feed, "retransmit")))
        spec = nic_receiver(
            wire.receiver.interface,
            groups=[line.group for line in feed.channels[0].lines],
            netns_fd=wire.receiver.netns_fd,
        )
        listening = Listening(feed, spec, interface="simrx", wait="block", verify=True, first_ns=every[0].stamp)
        with listening as session:
            session.wait_until_ready()
            replay(holed, wire)
            assert until(lambda: session.telemetry[MESSAGES] == 2000 or not session.running())
            session.stop()
            found = session.finish()
        counters = servers.counters()

    same(rebuilt(itch), found)
    assert [gap["outcome"] for gap in found["book"]["channels"][0]["gaps"]] == ["retransmission"]
    assert found["recovery"]["requests"] == counters["answered"] == 1


def same(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Demand the books of the whole capture, and that there are some."""
    assert levels(expected) > 50
    assert digests(found["book"]) == digests(expected)


CHANNEL = """[[channel]]
venue = "v"
name = "{number}"
protocol = "{protocol}"
{said}
[[channel.line]]
name = "A"
group = "239.1.1.1:500{number}"
[[channel.feed]]
role = "retransmission"
group = "10.0.0.1:17000"
"""


def test_channels_that_are_not_meant_ask_nobody() -> None:
    """A server in feed.toml is asked by the channels that recover by retransmission, and by no others beside them."""
    said = [ITCH, "retransmit"], [ITCH, ""], [MDP3, "snapshot"], [ITCH, "none"]
    text = "".join(
        CHANNEL.format(number=number, protocol=protocol, said=f'recover = "{recover}"' if recover else "")
        for number, (protocol, recover) in enumerate(said)
    )
    feed = parse(text)

    asked = asking(feed, own_servers(feed, recovering(feed, None)))

    assert [channel.recover for channel in asked.channels] == ["retransmit", "none", "snapshot", "none"]
    assert servers_of(asked) == {0: "10.0.0.1:17000"}
    memory = Receiver(asked, settings=Settings(recover="retransmit")).state.sequencer.memory
    assert [int(memory[channel_base(memory, number) + C_ASKS]) for number in range(4)] == [1, 0, 0, 0]


def test_a_feed_without_a_server_cannot_be_asked(itch: Path) -> None:
    """Where to ask is the user's to say."""
    feed = parse((itch.parent / "feed.toml").read_text(encoding="utf-8"))

    with pytest.raises(SimbenchError, match="has no re-request server"):
        own_servers(feed, recovering(feed, "retransmit"))
