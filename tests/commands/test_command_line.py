"""The installed command: help, one line for every mistake, and the JSON that others build on."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import digests, rebuilt

from simbench.cli import main

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "info",
    "book",
    "run",
    "replay",
    "receive",
    "serve",
    "demo",
    "stacks",
    "verify",
    "golden",
    "generate",
    "convert",
    "completion",
)


def simbench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "simbench", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """Call the command where the user is at fault: exit 2 and one line on stderr, which is returned."""
    monkeypatch.setattr(sys, "argv", ["simbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("compiling the kernels")]
    assert (arguments, end.value.code, len(lines), out) == (arguments, 2, 1, ""), (out, err)
    assert lines[0].startswith("simbench: ")
    return lines[0]


def test_help_of_every_command() -> None:
    """Each command says what it does and exits 0; the group names all of them."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: simbench(name, "--help"), COMMANDS))

    assert {one.returncode for one in done} == {0}
    assert all("Usage" in one.stdout and not one.stderr for one in done)
    group = simbench("--help").stdout
    assert all(name in group for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    """The command line answers before anything that takes long is imported."""
    code = "import sys, simbench.cli; print([m for m in ('numba', 'numpy', 'textual', 'pyroute2') if m in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_mistakes_of_the_user_are_one_line(
    itch: Path, mdp3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such file, a folder, a foreign file, an empty one, wrong values: what is wrong, and exit 2."""
    (tmp_path / "foreign.pcap").write_bytes(b"GIF89a" + bytes(100))
    (tmp_path / "empty.pcap").write_bytes(b"")
    (tmp_path / "feed.toml").write_text("[[channel]\n", encoding="utf-8")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\0")
    mistakes: list[tuple[object, ...]] = [
        ("book", tmp_path / "nothing.pcap"),
        ("info", tmp_path / "nothing.pcap"),
        ("run", tmp_path / "nothing.pcap", "--headless"),
        ("book", tmp_path),
        ("info", tmp_path),
        ("book", tmp_path / "foreign.pcap"),
        ("info", tmp_path / "foreign.pcap"),
        ("book", tmp_path / "empty.pcap"),
        ("book", itch, "--feed", tmp_path / "feed.toml"),
        ("book", itch, "--feed", tmp_path / "binary.toml"),
        ("book", itch, "--feed", tmp_path / "none.toml"),
        ("book", itch, "--feed", tmp_path),
        ("book", itch, "--protocol", "no.such"),
        ("book", itch, "--line", "C"),
        ("book", itch, "--instrument", "NOSUCH"),
        ("book", itch, "--at", "yesterday"),
        ("book", itch, "--at-seq", "itch"),
        ("book", itch, "--at-seq", "other:5"),
        ("book", itch, "--at-seq", "itch:999999999"),
        ("run", itch, "--headless", "--wire", "carrier-pigeon"),
        ("run", itch, "--headless", "--wire", "ring", "--speed", "warp"),
        ("run", itch, "--headless", "--wire", "ring", "--max-idle", "long"),
        ("run", itch, "--headless", "--wire", "ring", "--recover-delay", "soon"),
        ("run", mdp3, "--headless", "--wire", "ring", "--recover", "retransmit"),
        (
            "run",
            itch,
            "--headless",
            "--wire",
            "ring",
            "--recover",
            "retransmit",
            "--recover-from",
            tmp_path / "no.pcap",
        ),
        ("replay", itch, "--to", "nosuch0"),
        ("receive", "--on", "nosuch0", "--feed", itch.parent / "feed.toml"),
        ("receive", "--on", "lo"),
        ("receive", "--on", "lo", "--feed", itch.parent / "feed.toml", "--recover", "retransmit"),
        ("receive", "--on", "lo", "--feed", itch.parent / "feed.toml", "--recover", "snapshot"),
        ("verify", tmp_path),
        ("verify", tmp_path / "nowhere"),
        ("golden", tmp_path),
        ("convert", tmp_path / "nothing", "-o", tmp_path / "o.pcap", "--date", "2024-01-02"),
        ("convert", itch, "-o", tmp_path / "o.pcap", "--date", "today"),
        ("generate", "calm", "-o", tmp_path / "no" / "where.pcap"),
        ("generate", "calm", "-o", tmp_path / "o.pcap", "--protocol", "no.such"),
    ]
    lines = [wrong(capsys, monkeypatch, *arguments) for arguments in mistakes]

    assert all(len(line) < 400 for line in lines)
    assert not any("Traceback" in line or "fault of simbench" in line for line in lines)


def test_mistake_is_one_line_from_outside_too(tmp_path: Path) -> None:
    """The installed command's own exit code and output."""
    done = simbench("book", tmp_path / "nothing.pcap")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"simbench: there is no file {tmp_path / 'nothing.pcap'}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("book",), ("nosuch",), ("book", "--nosuch"), ("generate", "storm", "-o", "x")])
def test_wrong_usage_is_told_without_a_traceback(arguments: tuple[str, ...]) -> None:
    """Options and commands that do not exist: exit 2."""
    done = simbench(*arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_unwritable_target_is_one_line_before_the_run(itch: Path, tmp_path: Path) -> None:
    """A result that cannot be written is said in one line."""
    done = simbench("run", itch, "--headless", "--wire", "ring", "--speed", "max", "--json", tmp_path / "no" / "x.json")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "no") in done.stderr
    assert "frames sent" not in done.stdout


def test_cut_capture_is_used_up_to_the_cut(itch: Path, tmp_path: Path) -> None:
    """A file that ends inside a record: what is before counts, the cut is said, nothing is raised."""
    (tmp_path / "capture.pcap").write_bytes(itch.read_bytes()[:-7])
    (tmp_path / "feed.toml").write_bytes((itch.parent / "feed.toml").read_bytes())

    done = simbench("book", tmp_path / "capture.pcap", "--json")

    found = json.loads(done.stdout)
    assert found["capture"]["truncated"] is True
    assert found["capture"]["frames"] == rebuilt(itch)["capture"]["frames"] - 1
    assert any(str(tmp_path) in note or "cut" in note or "end" in note for note in found["capture"]["notes"])
    assert "Traceback" not in done.stderr


def test_json_of_a_book_has_its_shape(itch: Path) -> None:
    """The keys that are promised, times and digests as strings, and the same as from Python."""
    done = simbench("book", itch, "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["schema"] == 1
    assert found["capture"].keys() >= {
        "frames", "datagrams", "other_frames", "truncated", "backward_stamps", "first_ns", "last_ns",
    }  # fmt: skip
    assert isinstance(found["capture"]["first_ns"], str)
    assert found["messages"].keys() >= {"total", "by_type", "unknown", "malformed"}
    channel = found["channels"][0]
    assert channel.keys() >= {
        "venue", "name", "protocol", "sequence_unit", "resets", "digest", "epochs", "lines", "gaps",
    }  # fmt: skip
    assert channel["epochs"][0].keys() >= {"session", "first", "last"}
    assert channel["lines"][0].keys() >= {"name", "group", "datagrams", "won", "duplicates", "missing"}
    assert found["anomalies"].keys() >= {
        "unknown_order", "duplicate_order", "over_executed", "price_mismatch", "unknown_level", "crossed",
    }  # fmt: skip
    book = found["books"][0]
    assert book.keys() >= {"channel", "key", "symbol", "state", "bids", "asks", "implied_bids", "implied_asks"}
    price, quantity, orders = book["bids"][0]
    assert (type(price), type(quantity), type(orders)) == (str, str, int)
    assert digests(found) == digests(rebuilt(itch))


def test_json_of_a_run_has_its_shape(itch: Path, tmp_path: Path) -> None:
    """The keys that are promised, and the book as `book --json` has it."""
    done = simbench(
        "run", itch, "--headless", "--wire", "ring", "--max-idle", "1ms", "--json", tmp_path / "run.json"
    )  # fmt: skip

    found: dict[str, Any] = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert done.returncode == 0
    assert found.keys() >= {
        "schema", "host", "wire", "stack", "wait", "speed", "sent", "received", "drops", "stages", "timing", "hiccups",
        "book", "timeline", "curves",
    }  # fmt: skip
    assert sum(bucket["frames"] for bucket in found["timeline"]) == found["received"]
    assert found["timeline"][0].keys() >= {"at_ns", "span_ns", "recorded_ns", "away_ns", "gaps_lost", "drops", "stages"}
    for name, curve in found["curves"].items():
        assert (curve[0][0], curve[-1]) == (0.0, [1.0, found["stages"][name]["max"]])
    assert found["speed"].keys() >= {"asked", "achieved"}
    assert found["timing"].keys() >= {"lateness", "gap_error", "drift_ppm", "null"}
    for name in ("due_send", "send_hook", "hook_app", "app_book"):
        assert found["stages"][name].keys() >= {"n", "p50", "p90", "p99", "p999", "max"}
    assert digests(found["book"]) == digests(rebuilt(itch))
    assert list(tmp_path.iterdir()) == [tmp_path / "run.json"]


def test_stops_and_choices_of_the_command_line(itch: Path) -> None:
    """--at, --at-seq, --line and --instrument do what they say."""
    whole = rebuilt(itch)
    key = whole["books"][0]["key"]
    chosen = json.loads(simbench("book", itch, "--json", "--instrument", key).stdout)
    early = json.loads(simbench("book", itch, "--json", "--at", "+0.5").stdout)
    at = json.loads(simbench("book", itch, "--json", "--at-seq", "itch:700").stdout)
    line = json.loads(simbench("book", itch, "--json", "--line", "B").stdout)

    assert chosen["books"] == whole["books"][:1]
    assert 0 < early["messages"]["total"] < whole["messages"]["total"]
    assert digests(early) != digests(whole) != digests(at)
    assert line["books"] == whole["books"]
    assert line["channels"][0]["lines"][0]["datagrams"] == 0


def test_info_on_a_real_capture(cme: Path) -> None:
    """Flows, lines, sequences and bursts of the CME channel, as JSON and as text."""
    found = json.loads(simbench("info", cme, "--json").stdout)
    text = simbench("info", cme)

    assert (found["capture"]["frames"], found["capture"]["backward_stamps"]) == (10_000, 581)
    assert {flow["group"] for flow in found["capture"]["flows"]} == {"224.0.31.64:14340", "224.0.32.64:15340"}
    assert [line["name"] for line in found["feed"]["channels"][0]["lines"]] == ["A", "B"]
    assert found["feed"]["messages"]["total"] == 10_273
    assert text.returncode == 0
    assert "224.0.31.64:14340" in text.stdout
    assert "most frames in" in text.stdout


def test_real_capture_without_a_definition_is_found_by_looking(real_captures: Path, cme: Path) -> None:
    """Without a feed.toml the two flows are lines A and B of one CME channel, and the books are the same."""
    path = real_captures / "cme-mdp3-340" / "capture.pcap"

    found = json.loads(simbench("book", path, "--json").stdout)

    assert [line["group"] for line in found["channels"][0]["lines"]] == ["224.0.31.64:14340", "224.0.32.64:15340"]
    assert found["channels"][0]["protocol"] == "cme.mdp3"
    assert digests(found) == digests(rebuilt(cme))


def test_closed_pipe_is_no_error(itch: Path) -> None:
    """A reader that has seen enough ends the command quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "simbench", "book", str(itch), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()

    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said
