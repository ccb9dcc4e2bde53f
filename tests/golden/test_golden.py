"""Golden folders: written only where engine and reference agree, and worthless the moment a byte changes."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from golden_folders import load, make_golden, save
from small_feeds import ITCH, MDP3, frames, levels, rewrite

from simbench.commands.verify import verify
from simbench.errors import SimbenchError
from simbench.golden import expectation
from simbench.golden.compare import differences
from simbench.golden.paranoid import Paranoid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a golden folder of each protocol; not to be written to."""
    return make_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def golden(folders: dict[str, Path], tmp_path: Path) -> Path:
    """Return a golden folder that a test may spoil."""
    return shutil.copytree(folders[ITCH], tmp_path / "golden")


def test_untouched_folders_verify_over_the_ring(folders: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Rebuilt twice offline and once over the ring, every folder comes out as expected."""
    assert verify(folders=[folders[ITCH].parent], wires=["ring"]) == 0

    said = capsys.readouterr().out
    assert said.count("as expected") == 6
    assert "differs" not in said


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_expectation_holds_something(protocol: str, folders: dict[str, Path]) -> None:
    """Books that are not empty, checkpoints whose digests differ, lines and counters."""
    expected = load(folders[protocol])

    assert levels(expected) > 20
    assert len(expected["checkpoints"]) == 5
    assert len({point["digest"] for point in expected["checkpoints"]}) == 5
    assert expected["messages"]["total"] == 600
    assert [line["name"] for line in expected["channels"][0]["lines"]] == ["A", "B"]


def spoiled(expected: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return expectations with one thing changed in each, by name."""
    found = []

    def change(name: str) -> dict[str, Any]:
        one = copy.deepcopy(expected)
        found.append((name, one))
        return one

    change("messages")["messages"]["total"] += 1
    change("by type")["messages"]["by_type"]["A"] += 1
    change("anomaly")["anomalies"]["crossed"] += 1
    change("checkpoint")["checkpoints"][2]["digest"] = "0" * 32
    change("last checkpoint")["checkpoints"].pop()
    change("frames")["capture"]["frames"] += 1
    change("digest")["channels"][0]["digest"] = "0" * 32
    change("digest of orders")["channels"][0]["digest_orders"] = "0" * 32
    change("gap")["channels"][0]["gaps"].append({"epoch": 0, "first": 1, "last": 2, "outcome": "lost"})
    change("won")["channels"][0]["lines"][0]["won"] += 1
    change("quantity")["books"][0]["bids"][0][1] += "1"
    change("price")["books"][0]["asks"][-1][0] += "1"
    change("missing book")["books"].pop()
    change("another book")["books"].append({**expected["books"][0], "key": "ZZZ"})
    change("missing channel")["channels"].pop()
    return found


def test_every_single_change_of_an_expectation_is_a_difference(folders: dict[str, Path]) -> None:
    """Whatever one changes in what is expected, comparing names a difference."""
    expected = load(folders[ITCH])

    assert differences(expected, expected, wire=False) == []
    for name, changed in spoiled(expected):
        assert differences(changed, expected, wire=False), name


def test_every_change_that_a_wire_could_make_is_a_difference(folders: dict[str, Path]) -> None:
    """Over a wire the lines' wins and the checkpoints are left out; books, messages and losses are not."""
    expected = load(folders[ITCH])
    moment = {"checkpoint", "last checkpoint", "frames", "won"}

    for name, changed in spoiled(expected):
        assert bool(differences(changed, expected, wire=True)) == (name not in moment), name


def test_first_checkpoint_that_differs_is_named(folders: dict[str, Path]) -> None:
    """The first one, not all that follow from it."""
    expected = load(folders[ITCH])
    changed = copy.deepcopy(expected)
    for point in changed["checkpoints"][2:]:
        point["digest"] = "0" * 32

    lines = differences(changed, expected, wire=False)

    assert len(lines) == 1
    assert f"sequence {expected['checkpoints'][2]['sequence']}" in lines[0]


def test_one_changed_byte_of_the_expectation_fails(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One digit of one quantity: exit 1, and the book is named."""
    expected = load(golden)
    book = expected["books"][1]
    digits = book["bids"][0][1]
    book["bids"][0][1] = str(int(digits) + 1)
    save(golden, expected)

    assert verify(folders=[golden], wires=["ring"]) == 1
    assert f"{book['key']}: bids differ" in capsys.readouterr().out


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_one_changed_byte_of_the_capture_fails(golden: Path, share: float, capsys: pytest.CaptureFixture[str]) -> None:
    """One bit of a message makes a wrong checksum, and so a loss of its line: exit 1."""
    data = bytearray((golden / "capture.pcap").read_bytes())
    every = frames(golden / "capture.pcap", ITCH)
    one = next(frame for frame in every[int(len(every) * share) :] if frame.units)
    data[data.index(bytes(one.data)) + len(one.data) - 1] ^= 1
    (golden / "capture.pcap").write_bytes(data)

    assert verify(folders=[golden], wires=["ring"]) == 1
    assert "differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"schema": 2}', b"[]", b'{"schema": 1}', b'{"schema": 1, "checkpoints": 5}']
)
def test_damaged_expectation_is_one_line(golden: Path, damage: bytes) -> None:
    """An expectation that is none says so, and is no difference in the data."""
    (golden / "expected.json").write_bytes(damage)

    with pytest.raises(SimbenchError) as error:
        verify(folders=[golden], wires=["ring"])
    assert "expected.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_golden_refuses_books_that_are_empty(folders: dict[str, Path], tmp_path: Path) -> None:
    """A capture that ends before there is a book proves nothing, and no expectation is written."""
    opening = [frame for frame in frames(folders[ITCH] / "capture.pcap", ITCH) if frame.last <= 8]
    rewrite(tmp_path / "empty", opening, (folders[ITCH] / "feed.toml").read_text(encoding="utf-8"))

    with pytest.raises(SimbenchError, match="empty"):
        expectation.write(tmp_path / "empty", 2)
    assert not (tmp_path / "empty" / "expected.json").exists()


def test_golden_refuses_where_the_reference_differs(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event that only the engine sees: no expectation is written, and the old one stays."""
    apply = Paranoid.apply
    before = (golden / "expected.json").read_bytes()
    monkeypatch.setattr(Paranoid, "apply", lambda self, channel, events: apply(self, channel, events[:-1]))

    with pytest.raises(SimbenchError, match=r"differ after message 2 of itch.*stock directory") as error:
        expectation.write(golden, 2)
    assert "\n" not in str(error.value)
    assert (golden / "expected.json").read_bytes() == before


def test_writing_again_gives_the_same_bytes(golden: Path) -> None:
    """An expectation depends on the capture alone."""
    before = (golden / "expected.json").read_bytes()

    expectation.write(golden, 5)

    assert (golden / "expected.json").read_bytes() == before
    assert sorted(path.name for path in golden.iterdir()) == ["capture.pcap", "expected.json", "feed.toml"]
