"""What is foreseen of a schedule is what the receiver makes of it: gaps, epochs, conflicts, checksums, malformed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from fault_bench import foreseen, gaps, joined, load, offline, sent, write
from small_feeds import rebuilt

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path

LATER = 'from = "+0.05s"\n'  # more than 10 ms out of order at its very start a stream looks like a restart


def scripted(r: random.Random, itch: bool) -> str:
    """Return a script of up to four random faults."""
    kinds = ["drop"] * 3 + ["dark", "duplicate", "reorder", "delay", "skew", "corrupt", "truncate"]
    kinds += ["split", "merge", "session"] if itch else ["restart"]
    chosen = [r.choice(kinds) for _ in range(r.randint(1, 4))]
    if {"restart", "session"} & set(chosen):  # copies and late ones of the old sequence pass for what they are not
        chosen = [kind for kind in chosen if kind not in {"duplicate", "reorder", "delay", "skew"}]
    return f"seed = {r.randint(0, 99)}\n" + "".join(_fault(r, kind, 1900 if itch else 1600) for kind in chosen)


def _fault(r: random.Random, kind: str, last: int) -> str:
    first = r.randint(20, last)
    if kind in {"restart", "session"}:
        return f'[[fault]]\nkind = "{kind}"\nsequence = {first}\n' + (
            f'name = "S{first}"\n' if kind == "session" else ""
        )
    when = r.choice([f"sequence = [{first}, {first + r.randint(0, 60)}]\n", LATER, LATER + 'to = "+0.3s"\n'])
    line = r.choice(["", 'line = "A"\n', 'line = "B"\n'])
    if kind not in {"dark", "skew"}:
        when += r.choice(["", f"probability = {r.choice([0.02, 0.1, 0.4])}\n", f"every = {r.randint(2, 9)}\n"])
    elif "sequence" not in when:
        when = f"sequence = [{first}, {first + 30}]\n" if kind == "dark" else when
    more = {
        "duplicate": f'copies = {r.randint(1, 3)}\ndelay = "{r.choice(["0s", "50us"])}"\n',
        "reorder": f"by = {r.choice([1, 2, 5])}\n",
        "delay": f'delay = "{r.choice(["10us", "9ms", "11ms", "50ms"])}"\n',
        "skew": f'delay = "{r.choice(["10us", "1ms", "9ms", "50ms"])}"\n',
        "corrupt": f"bits = {r.randint(1, 4)}\nfix_checksum = {r.choice(['true', 'false'])}\n",
        "truncate": f"bytes = {r.choice([1, 30, 2000])}\nfix_length = {r.choice(['true', 'false'])}\n",
        "split": f"pieces = {r.randint(2, 4)}\n",
        "merge": f"datagrams = {r.randint(2, 4)}\n",
    }
    return f'[[fault]]\nkind = "{kind}"\n{line}{when}{more.get(kind, "")}'


def units(ranges: list[tuple[int, int, int, int]]) -> set[tuple[int, int]]:
    """Return (epoch, unit) of ranges."""
    return {(epoch, unit) for _, epoch, first, last in ranges for unit in range(first, last + 1)}


@pytest.mark.parametrize("number", range(40))
def test_the_receiver_loses_what_was_foreseen(number: int, itch: Path, mdp3: Path, tmp_path: Path) -> None:
    """Random scripts on both protocols: the very same units are lost in the very same epochs, and counts are right."""
    r = random.Random(number)
    path = itch if number % 2 else mdp3
    text = scripted(r, path == itch)
    try:
        loader = load(path, text)
    except SimbenchError as error:
        pytest.skip(str(error))
    found = offline(loader, path, tmp_path / "faulted")

    said = loader.foreseen
    damaged = units(joined([(0, epoch, a, b) for epoch in range(9) for _, _, a, b in said["damaged"]]))
    assert units(gaps(found)) - damaged == units(foreseen(loader)) - damaged, text
    bounds = [(era["first"], era["last"]) for stream in said["streams"] for era in stream["eras"]]
    assert bounds == [(epoch["first"], epoch["last"]) for epoch in found["channels"][0]["epochs"]], text
    assert found["capture"]["checksum_lost"] == said["wrong"], text
    assert found["messages"]["bad_headers"] == said["unreadable"], text
    assert found["messages"]["malformed"] >= said["malformed"], text
    conflicts = sum(line["conflicts"] for line in found["channels"][0]["lines"])
    assert conflicts >= said["conflicts"][0], text


@pytest.mark.parametrize("by", [2, 5])
@pytest.mark.parametrize("line", ["", 'line = "B"\n'])
def test_a_stream_starts_with_the_oldest_packet_however_many_overtake_it(
    by: int, line: str, itch: Path, mdp3: Path, tmp_path: Path
) -> None:
    """From the middle of a feed, the first datagrams of one or both lines out of order: nothing is before the start."""
    for path in (itch, mdp3):
        folder = tmp_path / path.parent.name
        folder.mkdir()
        middle = write(folder, [(frame.when, frame.data) for frame in sent(load(path))][400:], path)
        loader = load(middle, f'[[fault]]\nkind = "reorder"\n{line}count = 1\nby = {by}')
        assert len(loader.foreseen["records"]) == (1 if line else 2)
        found = offline(loader, middle, folder / "faulted")

        assert gaps(found) == foreseen(loader) == []
        (era,), (epoch,) = loader.foreseen["streams"][0]["eras"], found["channels"][0]["epochs"]
        untouched = rebuilt(middle)["channels"][0]
        assert era["first"] == epoch["first"] == untouched["epochs"][0]["first"] > 1
        assert [line["before_start"] for line in found["channels"][0]["lines"]] == [0, 0]


RESTART = '[[fault]]\nkind = "restart"\nsequence = 800\n'
SESSION = '[[fault]]\nkind = "session"\nsequence = 800\nname = "NEXT"\n'
TWICE = '[[fault]]\nkind = "duplicate"\n'
OTHERWISE = (  # while the line itself is dark, copies of what it sent before come in other pieces
    '[[fault]]\nkind = "duplicate"\nline = "A"\nsequence = [500, 560]\ndelay = "30ms"\n'
    '[[fault]]\nkind = "split"\nline = "A"\npieces = 4\nprobability = 0.5\n'
    '[[fault]]\nkind = "dark"\nline = "A"\nsequence = [570, 700]\n'
)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        ("mdp3", RESTART + TWICE),
        ("itch", RESTART + TWICE),
        ("itch", SESSION + TWICE + "copies = 2\n"),
        ("mdp3", RESTART + TWICE + 'line = "B"\ndelay = "50ms"\n'),
        ("itch", OTHERWISE),
        ("itch", OTHERWISE + SESSION),
    ],
    ids=["twice, mdp3", "twice, itch", "thrice, session", "late, mdp3", "cut", "cut, session"],
)
def test_copies_make_no_restart_and_hide_none(
    protocol: str, text: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Everything twice, or late once more in other pieces: as many epochs as the script makes, and no gap."""
    path: Path = request.getfixturevalue(protocol)
    loader = load(path, text)
    found = offline(loader, path, tmp_path / "faulted")

    assert len(loader.foreseen["records"]) > 20
    assert gaps(found) == foreseen(loader) == []
    (stream,) = loader.foreseen["streams"]
    epochs = found["channels"][0]["epochs"]
    assert [(era["first"], era["last"]) for era in stream["eras"]] == [(e["first"], e["last"]) for e in epochs]
    assert len(epochs) == 1 + ("800" in text)


def test_random_scripts_lose_something(itch: Path, mdp3: Path) -> None:
    """The scripts above are no idle ones: hundreds of gaps, epochs, wrong checksums and conflicts among them."""
    total: dict[str, int] = {}
    for number in range(0, 40, 2):
        for path in (itch, mdp3):
            said: dict[str, Any] = load(path, scripted(random.Random(number + (path == itch)), path == itch)).foreseen
            for name, count in {
                "gaps": sum(len(era["gaps"]) for stream in said["streams"] for era in stream["eras"]),
                "epochs": sum(len(stream["eras"]) - 1 for stream in said["streams"]),
                "wrong": said["wrong"],
                "conflicts": sum(said["conflicts"]),
            }.items():
                total[name] = total.get(name, 0) + count
    assert total["gaps"] > 200
    assert total["epochs"] > 3
    assert min(total["wrong"], total["conflicts"]) > 100
