"""What must not change the books: loss that is made good, lines swapped, datagrams cut differently, any speed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from small_feeds import ITCH, MDP3, digests, levels, rebuilt

from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly
from simbench.synth.convert import convert

if TYPE_CHECKING:
    from simbench.receive.offline import Source
    from simbench.wire.probe import Capabilities

SHIPPED = Path(__file__).resolve().parents[2] / "captures"
BY_ORDER = f"{MDP3}.orders"
RECOVERY = {ITCH: "retransmit", MDP3: "snapshot", BY_ORDER: "snapshot"}
OF_ITCH = ["announcement", "itch-open", "sample"]  # CME's packets are its unit of sequence: they cannot be cut
FROM_THE_START = [
    *OF_ITCH,
    "mdp3-calm",
]  # the recorded CME feed has levels that a snapshot knows and its own run does not


@pytest.fixture(scope="module")
def sample(real_captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the exchange's sample file as a capture of two lines."""
    capture = tmp_path_factory.mktemp("sample") / "capture.pcap"
    day = next((real_captures / "itch50-sample").glob("*.gz"))
    done = convert(day, capture, "2010-12-24")
    assert not done.problem
    (capture.parent / "feed.toml").write_text(done.feed, encoding="utf-8")
    return capture


@pytest.fixture(scope="module", params=[*FROM_THE_START, "cme"])
def capture(request: pytest.FixtureRequest) -> Path:
    """Return each capture in turn: the shipped ones, and recorded ones where they are."""
    if (SHIPPED / request.param).is_dir():
        return SHIPPED / request.param / "capture.pcap"
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def clean(capture: Path) -> list[tuple[str, str]]:
    """Return what the capture comes to with nothing done to it."""
    found = rebuilt(capture)
    assert levels(found) > 0
    return digests(found)


def faulted(capture: Path, script: str, **plan: Any) -> dict[str, Any]:
    """Run a capture with faults over the ring; make sure that they happened and that each came to what was foreseen."""
    found = run_quietly(open_source(capture), **{"wire": "ring", "speed": "max", "faults": script, **plan})
    assert len(found["faults"]["applied"]) > 20
    assert not found["faults"]["failures"]
    return found


def outcomes(found: dict[str, Any]) -> set[str]:
    """Return how the gaps of all channels ended."""
    return {gap["outcome"] for channel in found["book"]["channels"] for gap in channel["gaps"]}


def losses(source: Source, chance: float) -> str:
    """Return a script that drops datagrams of both lines in the middle of a capture, each line's by itself."""
    run = Offline(source)
    run.advance()
    span = (run.last_ns - run.first_ns) / 1e9
    window = f'from = "+{span * 0.2:.6f}s"\nto = "+{span * 0.5:.6f}s"\n'
    drops = "".join(f'[[fault]]\nkind = "drop"\nline = "{line}"\nprobability = {chance}\n{window}' for line in "AB")
    return f"seed = 5\n{drops}"


def test_loss_that_the_other_line_covers(capture: Path, clean: list[tuple[str, str]]) -> None:
    """A fifth of one line is lost, and nothing of the channel."""
    found = faulted(capture, '[[fault]]\nkind = "drop"\nline = "A"\nprobability = 0.2\n')

    missing = {line["name"]: line["missing"] for line in found["book"]["channels"][0]["lines"]}
    assert missing["A"]
    assert not missing["B"]
    assert outcomes(found) == set()
    assert digests(found["book"]) == clean


def test_lines_swapped(capture: Path, clean: list[tuple[str, str]]) -> None:
    """Which line is called A is no matter of the books."""
    source = open_source(capture)
    (channel,) = source.feed.channels
    first, second = channel.lines
    lines = (msgspec.structs.replace(first, group=second.group), msgspec.structs.replace(second, group=first.group))
    feed = msgspec.structs.replace(source.feed, channels=(msgspec.structs.replace(channel, lines=lines),))

    found = run_quietly(dataclasses.replace(source, feed=feed), wire="ring", speed="max")

    won = [line["won"] for line in found["book"]["channels"][0]["lines"]]
    assert [line["group"] for line in found["book"]["channels"][0]["lines"]] == [second.group, first.group]
    assert sum(won) > 0
    assert digests(found["book"]) == clean


@pytest.mark.parametrize("capture", OF_ITCH, indirect=True)
@pytest.mark.parametrize("fault", ["split", "merge"])
def test_datagrams_cut_differently(capture: Path, clean: list[tuple[str, str]], fault: str) -> None:
    """The messages are the same where the exchange cuts its stream elsewhere, on one line or on both."""
    key = "pieces = 2\nprobability = 0.5" if fault == "split" else "datagrams = 3\nevery = 4"

    found = faulted(capture, f'[[fault]]\nkind = "{fault}"\n{key}\n[[fault]]\nkind = "{fault}"\nline = "A"\n{key}\n')

    assert outcomes(found) == set()
    assert digests(found["book"]) == clean


@pytest.mark.parametrize("speed", ["3", "10"])
def test_any_speed(capture: Path, clean: list[tuple[str, str]], speed: str) -> None:
    """Replay time is the recorded time, however fast the clock runs; what a machine cannot keep up with is counted."""
    found = run_quietly(open_source(capture), wire="ring", speed=speed, max_idle_ns=100_000)

    if not any(found["drops"].values()):
        assert outcomes(found) == set()
        assert digests(found["book"]) == clean
    else:
        assert found["received"] + sum(found["drops"].values()) == rebuilt(capture)["capture"]["frames"]


@pytest.mark.parametrize("capture", FROM_THE_START, indirect=True)
def test_loss_that_is_recovered(capture: Path, clean: list[tuple[str, str]]) -> None:
    """Holes on both lines are asked for, or healed by snapshots, and the books end as if there had been none."""
    source = open_source(capture)
    recovery = RECOVERY[source.feed.channels[0].protocol]

    found = faulted(capture, losses(source, 0.2), recover=recovery)

    assert outcomes(found) == {{"retransmit": "retransmission", "snapshot": "snapshot"}[recovery]}
    assert digests(found["book"]) == clean


@pytest.mark.parametrize("speed", ["max", "4"])
def test_loss_that_is_recovered_order_by_order(tmp_path: Path, speed: str) -> None:
    """Orders have no sequences of their instruments: every book of the channel is healed by a snapshot, or by a few."""
    calm = SHIPPED / "mdp3-calm"
    feed = tmp_path / "feed.toml"
    said = (calm / "feed.toml").read_text(encoding="utf-8").replace(f'"{MDP3}"', f'"{BY_ORDER}"')
    feed.write_text(said.partition("[[channel.feed]]")[0], encoding="utf-8")  # the replayer sends loops of its own
    source = open_source(calm / "capture.pcap", feed=feed)
    assert source.feed.channels[0].protocol == BY_ORDER
    run = Offline(source)
    run.advance()
    clean = run.result()
    assert levels(clean) > 0

    plan: dict[str, Any] = {"recover": "snapshot", "cycle_ns": 100_000_000, "speed": speed, "max_idle_ns": 100_000_000}
    found = run_quietly(source, faults=losses(source, 0.2), wire="ring", **plan)

    if not any(found["drops"].values()):
        assert not found["faults"]["failures"]
        assert outcomes(found) == {"snapshot"}
        assert digests(found["book"]) == digests(clean)


@pytest.mark.parametrize("name", ["announcement", "mdp3-calm"])
def test_the_same_over_veth(capabilities: Capabilities, name: str) -> None:
    """One line's loss, and that of both with recovery, over the kernel's way."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)
    capture = SHIPPED / name / "capture.pcap"
    source = open_source(capture)
    expected = digests(rebuilt(capture))

    masked = faulted(capture, '[[fault]]\nkind = "drop"\nline = "B"\nprobability = 0.2\n', wire="veth")
    recovery = RECOVERY[source.feed.channels[0].protocol]
    recovered = faulted(capture, losses(source, 0.2), wire="veth", recover=recovery)

    assert outcomes(masked) == set()
    assert len(outcomes(recovered)) == 1
    assert digests(masked["book"]) == digests(recovered["book"]) == expected
