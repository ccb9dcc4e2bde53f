"""--faults at the prompt: exit codes, the table, the JSON, and one line for every mistake."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from simbench.cli import main
from simbench.commands.faults import judgement
from simbench.commands.run import outcome
from simbench.commands.show import console

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = '[[fault]]\nkind = "drop"\nsequence = [300, 310]\n[[fault]]\nkind = "drop"\nline = "A"\nprobability = 0.1\n'


def simbench(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Call the command; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["simbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_gaps_that_were_caused_end_with_0(
    itch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary counts what was done and noticed, the JSON lists it."""
    (tmp_path / "faults.toml").write_text(SCRIPT, encoding="utf-8")
    options = ("--wire", "ring", "--speed", "max", "--headless", "--faults", tmp_path / "faults.toml")

    assert simbench(monkeypatch, "run", itch, *options, "--json", tmp_path / "found.json") == 0

    said = capsys.readouterr().out
    assert "every fault that had to be noticed was, and every gap was caused" in said
    assert "gaps: 1 expected; 1 noticed" in said
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["faults"]["failures"] == []
    assert {entry["noticed"] for entry in found["faults"]["applied"]} >= {"gap", "line"}
    assert any(gap["outcome"] == "lost" for gap in found["book"]["channels"][0]["gaps"])


def result(**faults: Any) -> dict[str, Any]:
    """Return a result with a lost gap and a section on faults."""
    section = {
        "judged": True,
        "why": "",
        "failures": [],
        "failures_unlisted": 0,
        "gaps": {"expected": 1, "of_the_capture": 1, "of_damage": 0, "noticed": 1},
        "faults": [
            {"fault": 1, "kind": "drop", "channel": None, "line": "A"}
            | dict.fromkeys(("datagrams", "noticeable", "noticed", "masked", "undetectable"), 1)
        ],
    }
    book = {"channels": [{"gaps": [{"outcome": "lost"}]}], "messages": {"malformed": 0}}
    return {"book": book, "faults": {**section, **faults}}


def test_exit_codes_follow_the_report() -> None:
    """0 where all was caused and noticed, 1 for any failure; and as in any run where nothing could be judged."""
    failure = {"what": "nobody caused", "channel": "itch", "said": "7 to 8 are a gap that nobody caused"}
    assert outcome(result()) == 0
    assert outcome(result(failures=[failure])) == 1
    assert outcome(result(judged=False, why="the wire dropped frames of its own: tx ring full 3")) == 1


def test_the_summary_names_failures_and_what_forbids_judging(capsys: pytest.CaptureFixture[str]) -> None:
    """The first ones in words, the rest as a number."""
    failure = {"what": "nobody caused", "channel": "itch", "said": "7 to 8 are a gap that nobody caused"}
    console().print(judgement(result(failures=[failure] * 25, failures_unlisted=5)["faults"]))
    console().print(judgement(result(judged=False, why="the replay jumped")["faults"]))
    said = capsys.readouterr().out
    assert said.count("failure: itch: 7 to 8 are a gap that nobody caused") == 20
    assert "and 10 more failures" in said
    assert "1 of them the capture's own" in said
    assert "not judged: the replay jumped" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[fault]]\nkind = "drop"\nline = "C"', "fault 1 (drop): there is no line 'C'"),
        ("[[fault]", "is not TOML"),
        (None, "No such file"),
        (b"\xff\xfe\0", "is not text; a fault script is TOML"),
    ],
)
@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_wrong_script_is_one_line_and_exit_code_2(
    command: str,
    text: str | bytes | None,
    said: str,
    itch: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is sent, with the file's name."""
    script = tmp_path / "faults.toml"
    if text is not None:
        script.write_bytes(text if isinstance(text, bytes) else text.encode())
    where = ("--wire", "ring", "--headless") if command == "run" else ("--to", "lo")

    assert simbench(monkeypatch, command, itch, *where, "--faults", script) == 2

    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("compiling the kernels")]
    assert (out, len(lines)) == ("", 1), err
    assert str(script) in lines[0]
    assert said in lines[0]


@pytest.mark.parametrize("where", [("run", "--wire", "ring", "--headless"), ("replay", "--to", "lo")])
def test_as_recorded_and_faults_exclude_each_other(
    where: tuple[str, ...],
    itch: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says to choose."""
    (tmp_path / "faults.toml").write_text(SCRIPT, encoding="utf-8")
    command, *options = where
    status = simbench(monkeypatch, command, itch, *options, "--as-recorded", "--faults", tmp_path / "faults.toml")
    assert status == 2
    assert "choose one of them" in capsys.readouterr().err


def test_replay_alone_says_what_has_to_be_noticed(
    itch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the loopback interface: the table without what nobody heard, and the gaps in the JSON."""
    (tmp_path / "faults.toml").write_text(SCRIPT, encoding="utf-8")
    options = ("--to", "lo", "--speed", "max", "--faults", tmp_path / "faults.toml", "--json", tmp_path / "done.json")

    assert simbench(monkeypatch, "replay", itch, *options) == 0

    said = capsys.readouterr().out
    assert "undetectable" in said
    assert "noticed" not in said
    (epoch,) = json.loads((tmp_path / "done.json").read_text(encoding="utf-8"))["faults"]["epochs"]
    assert epoch["gaps"][0][0] <= 300
    assert epoch["gaps"][0][1] >= 310
