"""simbench convert --to mbp10, from outside: a capture that the other commands take, and mistakes in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def simbench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process."""
    command = [sys.executable, "-m", "simbench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=dict(os.environ))


def test_a_converted_capture_is_one_like_any_other(mdp3: Path, tmp_path: Path) -> None:
    """It has a feed.toml, its protocol is found without it too, and its books are the recorded ones."""
    done = simbench("convert", mdp3, "--to", "mbp10", "-o", tmp_path / "snapshots.pcap")
    assert (done.returncode, done.stderr) == (0, "")
    assert "snapshots of" in done.stdout
    recorded, made = (
        json.loads(simbench("book", path, "--json").stdout) for path in (mdp3, tmp_path / "snapshots.pcap")
    )
    ends = [
        {book["key"]: [book[side][:10] for side in ("bids", "asks")] for book in found["books"]}
        for found in (recorded, made)
    ]
    filled = [{key: book for key, book in end.items() if book != [[], []]} for end in ends]
    assert filled[0] == filled[1] != {}
    assert made["channels"][0]["protocol"] == "simbench.mbp10"
    (tmp_path / "feed.toml").unlink()
    found = json.loads(simbench("book", tmp_path / "snapshots.pcap", "--json").stdout)
    assert found["channels"][0]["digest"] == made["channels"][0]["digest"]
    assert [line["name"] for line in found["channels"][0]["lines"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "mbp10", "--date", "2024-01-02"), "leave --date away"),
        ((), "give it as --date"),
    ],
)
def test_a_day_belongs_to_a_binary_file_alone(
    arguments: tuple[str, ...], said: str, mdp3: Path, tmp_path: Path
) -> None:
    """A capture has stamps, a BinaryFILE has none."""
    done = simbench("convert", mdp3, "-o", tmp_path / "o.pcap", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_feed_toml_of_the_capture_is_not_replaced(mdp3: Path) -> None:
    """The new one would take its place: refused before anything is written."""
    before = (mdp3.parent / "feed.toml").read_bytes()
    done = simbench("convert", mdp3, "--to", "mbp10", "-o", mdp3.parent / "o.pcap")
    assert done.returncode == 2
    assert "into a new folder" in done.stderr
    assert (mdp3.parent / "feed.toml").read_bytes() == before
    assert not (mdp3.parent / "o.pcap").exists()
