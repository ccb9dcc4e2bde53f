"""Relations that hold whatever the faults: what is made up for leaves the same books, and lines are interchangeable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fault_bench import Sent, gaps, load, offline, sent
from small_feeds import ITCH, MDP3, digests, levels, rebuilt

if TYPE_CHECKING:
    from pathlib import Path

SEED = "seed = 8\n"
MASKED = {
    "one line loses a third": '[[fault]]\nkind = "drop"\nline = "A"\nprobability = 0.3',
    "the other line loses a third": '[[fault]]\nkind = "drop"\nline = "B"\nprobability = 0.3',
    "one line is dark, then the other": (
        '[[fault]]\nkind = "dark"\nline = "A"\nfrom = "+0.1s"\nto = "+0.4s"\n'
        '[[fault]]\nkind = "dark"\nline = "B"\nfrom = "+0.5s"\nto = "+0.8s"'
    ),
    "one line arrives damaged": '[[fault]]\nkind = "corrupt"\nline = "B"\nprobability = 0.3\nbits = 3',
    "copies": '[[fault]]\nkind = "duplicate"\nprobability = 0.3\ndelay = "50us"',
    "one line out of order": '[[fault]]\nkind = "reorder"\nline = "A"\nprobability = 0.2\nby = 4',
    "the first datagrams overtaken": '[[fault]]\nkind = "reorder"\ncount = 1\nby = 2',
    "one line late": '[[fault]]\nkind = "skew"\nline = "B"\ndelay = "5ms"',
    "datagrams late on both lines": '[[fault]]\nkind = "delay"\nfrom = "+0.1s"\nprobability = 0.2\ndelay = "2ms"',
    "the sequence begins again": '[[fault]]\nkind = "restart"\nat = "+0.5s"',
}
CUT = {
    "datagrams split": '[[fault]]\nkind = "split"\nline = "A"\npieces = 3',
    "datagrams merged": '[[fault]]\nkind = "merge"\nline = "B"\nprobability = 0.5\ndatagrams = 4',
    "both lines cut anew, and one loses": (
        '[[fault]]\nkind = "split"\nline = "A"\nprobability = 0.5\npieces = 2\n'
        '[[fault]]\nkind = "merge"\nline = "B"\nevery = 3\ndatagrams = 3\n'
        '[[fault]]\nkind = "drop"\nline = "A"\nprobability = 0.2'
    ),
    "a new session": '[[fault]]\nkind = "session"\nsequence = 1000\nname = "NEXT"',
}


@pytest.fixture(scope="module")
def clean(itch: Path, mdp3: Path) -> dict[Path, dict[str, Any]]:
    """Return what the captures come to without faults."""
    return {path: rebuilt(path) for path in (itch, mdp3)}


@pytest.mark.parametrize(
    ("protocol", "name"), [(MDP3, name) for name in MASKED] + [(ITCH, name) for name in {**MASKED, **CUT}]
)
def test_what_is_made_up_for_leaves_the_same_books(
    protocol: str, name: str, itch: Path, mdp3: Path, tmp_path: Path, clean: dict[Path, dict[str, Any]]
) -> None:
    """Loss on one line, order, time and cut: every level and queue is as without them, and nothing is lost."""
    path = itch if protocol == ITCH else mdp3
    loader = load(path, SEED + {**MASKED, **CUT}[name])
    assert sent(loader) != sent(load(path))
    assert len(loader.foreseen["records"]) > 0

    found = offline(loader, path, tmp_path / "faulted")

    assert levels(clean[path]) > 50
    assert gaps(found) == []
    assert digests(found) == digests(clean[path])
    assert found["books"] == clean[path]["books"]


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_swapping_the_lines_swaps_what_each_misses(protocol: str, itch: Path, mdp3: Path, tmp_path: Path) -> None:
    """The same units lost on A or on B: each line misses its own, and both are lost where both miss them."""
    path = itch if protocol == ITCH else mdp3
    dark = '[[fault]]\nkind = "dark"\nline = "{}"\nsequence = '
    one = f"{dark}[200, 400]\n{dark}[380, 500]"
    found = [
        offline(load(path, one.format(*names)), path, tmp_path / "".join(names)) for names in (("A", "B"), ("B", "A"))
    ]

    missing = [[line["missing"] for line in each["channels"][0]["lines"]] for each in found]
    assert all(missing[0])
    assert missing[0] == missing[1][::-1]
    assert gaps(found[0]) == gaps(found[1]) != []
    assert digests(found[0]) == digests(found[1])


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_two_drops_are_one_drop_of_both(protocol: str, itch: Path, mdp3: Path) -> None:
    """What two faults leave out together is what one leaves out that names both."""
    path = itch if protocol == ITCH else mdp3

    def left(*ranges: str) -> list[Sent]:
        return sent(load(path, "".join(f'[[fault]]\nkind = "drop"\nsequence = {each}\n' for each in ranges)))

    assert (
        left("[100, 150]", "[151, 200]") == left("[100, 200]") == left("[151, 200]", "[100, 150]") != left("[100, 150]")
    )
