"""A replayer over the shared-memory ring: what arrives, where jumps lead, and how its process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from replay_bench import until
from replay_files import frame, write

from simbench.frame import FRAME
from simbench.measure import stamps
from simbench.measure.snapshot import Phase
from simbench.replay import control as c
from simbench.replay import state as p
from simbench.replay.control import Control
from simbench.replay.loader import Loader
from simbench.replay.process import Config, main
from simbench.replay.replayer import Replayer, Settings, side_rows
from simbench.replay.schedule import Endpoint, Options
from simbench.wire import ring
from simbench.wire.spec import WireSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

STAMP = 1_478_961_025_000_000_000
MS = 1_000_000


def capture(folder: Path, count: int, gap_ns: int) -> Path:
    """Write a capture of equal gaps whose payloads say their number."""
    return write(folder / "c.pcap", [(STAMP + k * gap_ns, frame(k.to_bytes(4, "big"))) for k in range(count)])


class Sink:
    """Takes frames off a ring in a thread, gives credits, and keeps numbers and serials."""

    def __init__(self, fd: int, control: Control) -> None:
        self.end = ring.attach_receiver(fd)
        self.control = control
        self.numbers: list[int] = []
        self.serials: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        control.words[c.RECEIVER_READY] = 1

    def _run(self) -> None:
        frames = np.zeros(64, FRAME)
        while not self._stop.is_set():
            self.control.words[c.RECEIVER_BEAT] = self.control.words[c.REPLAYER_BEAT]
            n = self.end.poll(self.end.words, self.end.memory, frames)
            for item in frames[:n]:
                at = int(item["offset"]) + 42
                self.numbers.append(int.from_bytes(self.end.memory[at : at + 4].tobytes(), "big"))
                self.serials.append(int(item["ordinal"]))
            if n:
                self.end.release(self.end.words, frames, n)
                self.control.words[c.CONSUMED] = len(self.numbers)
            else:
                self.end.wait(self.end.words, MS)

    def close(self) -> None:
        """End the thread and give the ring back."""
        self._stop.set()
        self._thread.join()
        self.end.close()


class Run:
    """A replayer in this process, a ring and a sink."""

    def __init__(
        self, path: Path, *, speed: str = "max", loops: int = 1, budget: int | None = None, **more: Any
    ) -> None:
        self.fd = ring.create(8192)
        self.control = Control.create()
        self.control.words[c.SPEED] = c.parse_speed(speed)
        self.control.words[c.LOOPS] = loops
        options = {name: more.pop(name) for name in list(more) if name in Options.__dataclass_fields__}
        lines = more.pop("lines", ())
        self.loader = Loader(path, Options(max_frame=1500, **options), loops=loops, budget=budget, lines=lines)
        self.side = np.zeros(side_rows(self.loader.plan.frames * loops) * stamps.ROW, np.int64)
        self.sender = ring.attach_sender(self.fd)
        self.replayer = Replayer(self.loader, self.sender, self.control, self.side, Settings(window=64, **more))
        self.sink = Sink(self.fd, self.control)

    def finish(self) -> dict[str, Any]:
        """Wait until everything sent has arrived; return the result."""
        assert self.replayer.join(60)
        until(lambda: len(self.sink.numbers) == self.control.sent)
        return self.replayer.result()

    def close(self) -> None:
        """Give everything back."""
        self.control.stop()
        self.replayer.join(10)
        self.sink.close()
        self.sender.close()
        os.close(self.fd)
        os.close(self.control.fd)

    @property
    def table(self) -> NDArray[np.int64]:
        """Rows of the side table that are complete, in the order of their serials."""
        table = self.side.reshape(-1, stamps.ROW)
        return table[table[:, stamps.SERIAL] > 0]


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Return a list of runs that are closed afterwards."""
    opened: list[Run] = []
    yield opened
    for run in opened:
        run.close()


@pytest.mark.parametrize("speed", ["max", "10"])
@pytest.mark.parametrize("budget", [None, 1])
def test_everything_arrives_once_in_order(runs: list[Run], tmp_path: Path, speed: str, budget: int | None) -> None:
    """Loaded or streamed, at max or paced, every frame of both loops arrives with the serial of its row."""
    run = Run(capture(tmp_path, 3_000, 100_000), speed=speed, loops=2, budget=budget, loop_gap_ns=MS)
    runs.append(run)
    run.replayer.start()
    result = run.finish()
    assert run.sink.numbers == [*range(3_000), *range(3_000)]
    assert run.sink.serials == list(range(6_000))
    assert (result["sent"], result["loops"], result["epoch"]) == (6_000, 2, 1)
    assert result["resident"] is (budget is None)
    assert (result["drops"], result["given_up"]) == ({}, 0)
    assert run.table[:, stamps.EPOCH].tolist() == [0] * 3_000 + [1] * 3_000
    assert run.control.phase is Phase.ENDED


@pytest.mark.parametrize("budget", [None, 1])
def test_a_jump_goes_on_at_that_time_in_a_new_epoch(runs: list[Run], tmp_path: Path, budget: int | None) -> None:
    """Forwards and backwards, loaded or streamed: the next frame is the first of that time, and the rest follow."""
    run = Run(capture(tmp_path, 2_000, 1_000 * MS), speed="1", paused=True, budget=budget)
    runs.append(run)
    run.replayer.start()
    for target in (1_500, 20, 1_990):
        run.control.jump(STAMP + (target - 1) * 1_000 * MS + 1)
        run.control.step(2)
        until(lambda target=target: run.sink.numbers[-2:] == [target, target + 1])
    assert run.control.epoch == 3
    assert run.control.cursor == 1_992
    assert run.control.replay_ns == STAMP + 1_991 * 1_000 * MS
    assert run.control.phase is Phase.PAUSED
    run.control.set_speed("max")
    run.control.resume()
    run.finish()
    assert run.sink.numbers == [1_500, 1_501, 20, 21, *range(1_990, 2_000)]
    assert run.sink.serials == list(range(14))
    assert run.table[:, stamps.EPOCH].tolist() == [1, 1, 2, 2, *[3] * 10]


def test_what_has_been_sent_is_said_before_it_is(runs: list[Run], tmp_path: Path) -> None:
    """A server beside the replay knows of every frame on the wire and of none behind it, also after a jump back."""
    run = Run(capture(tmp_path, 2_000, 1_000 * MS), speed="1", paused=True)
    runs.append(run)
    run.replayer.start()
    assert run.control.words[c.SENDING_NS] == 0
    for target, latest in ((3, 5), (100, 102), (50, 102)):
        run.control.jump(STAMP + target * 1_000 * MS)
        run.control.step(3)
        until(lambda target=target: run.sink.numbers[-3:] == [target, target + 1, target + 2])
        assert run.control.words[c.SENDING_NS] == STAMP + latest * 1_000 * MS


def test_a_primed_jump_sends_what_comes_before_first(runs: list[Run], tmp_path: Path) -> None:
    """A primed jump starts the capture again, unpaced up to that time."""
    run = Run(capture(tmp_path, 200, 1_000 * MS), speed="1", paused=True)
    runs.append(run)
    run.replayer.start()
    run.control.step(1)
    run.control.jump(STAMP + 150 * 1_000 * MS, primed=True)
    run.control.resume()
    until(lambda: len(run.sink.numbers) >= 152)
    assert run.sink.numbers[:152] == [0, *range(151)]
    assert run.table[1:151, stamps.PIECE].tolist() == [0] * 150


@pytest.mark.parametrize("budget", [None, 1])
@pytest.mark.parametrize("speed", ["max", "100"])
def test_what_is_delayed_does_not_keep_the_rest(
    runs: list[Run], tmp_path: Path, budget: int | None, speed: str
) -> None:
    """Loaded or streamed through a ring that cannot hold it all: everything arrives once, each line in its order."""
    groups = ("224.0.31.64", "224.0.31.65")
    records = [(STAMP + k * 100_000, frame(k.to_bytes(4, "big"), group=groups[k % 2])) for k in range(6_000)]
    lines = [[Endpoint(f"{group}:14340")] for group in groups]
    run = Run(write(tmp_path / "c.pcap", records), speed=speed, budget=budget, loops=2, lines=lines, loop_gap_ns=MS)
    runs.append(run)
    run.control.switch("delay", [1], 400 * MS)
    run.replayer.start()
    result = run.finish()
    numbers = run.sink.numbers
    assert (result["sent"], result["loops"]) == (12_000, 2)
    for lap in (numbers[:6_000], numbers[6_000:]):
        assert [number for number in lap if number % 2 == 0] == list(range(0, 6_000, 2))
        assert [number for number in lap if number % 2] == list(range(1, 6_000, 2))
        assert lap[:100] != sorted(lap[:100]) or lap[1] == 2
    assert (result["sent_early"] > 0) is (budget is not None)
    assert numbers[:2_000:1] == [*range(0, 4_000, 2)] or budget is not None
    assert run.table[:, stamps.EPOCH].tolist() == [0] * 6_000 + [1] * 6_000


def test_a_jump_forgets_what_is_held(runs: list[Run], tmp_path: Path) -> None:
    """It was to be sent in another epoch."""
    path = capture(tmp_path, 100, 1_000 * MS)
    run = Run(path, speed="1", paused=True, lines=[[Endpoint("224.0.31.64:14340")]])
    runs.append(run)
    run.control.switch("delay", [0], 3_600_000 * MS)
    run.control.step(5)
    run.replayer.start()
    until(lambda: run.control.handled == 2 and run.replayer.state[p.HELD] == 5)
    run.control.all_off()
    run.control.jump(STAMP + 50 * 1_000 * MS)
    run.control.set_speed("max")
    run.control.resume()
    run.finish()
    assert run.sink.numbers[-50:] == list(range(50, 100))
    assert run.replayer.state[p.SWITCHED] == 0


def test_a_start_in_the_middle_is_primed(runs: list[Run], tmp_path: Path) -> None:
    """With a start time everything before it goes out first and is not scored as paced."""
    run = Run(capture(tmp_path, 300, 100_000), speed="1", from_ns=STAMP + 290 * 100_000)
    runs.append(run)
    run.replayer.start()
    result = run.finish()
    assert run.sink.numbers == list(range(300))
    assert result["lateness"]["n"] == 10


def start(path: Path, control: Control, fd: int, **more: Any) -> subprocess.Popen[bytes]:
    """Start a replayer process that sends on a ring."""
    wire = WireSpec(kind="ring", stack="ring", ring_fd=fd)
    config = Config(capture=str(path), wire=wire, control_fd=control.fd, **more)
    process = subprocess.Popen(
        [sys.executable, "-m", "simbench.replay.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[fd, control.fd],
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(config))
    process.stdin.close()
    process.stdin = None
    return process


def test_a_process_replays_and_reports(tmp_path: Path) -> None:
    """The process sends everything, says so in JSON on stdout and nothing on stderr, and ends with 0."""
    fd, control = ring.create(1024), Control.create()
    control.words[c.SPEED] = c.MAX
    process = start(capture(tmp_path, 500, MS), control, fd)
    sink = Sink(fd, control)
    out, error = process.communicate(timeout=300)
    until(lambda: len(sink.numbers) == 500)
    sink.close()
    result = msgspec.json.decode(out)
    assert (process.returncode, error) == (0, b"")
    assert (result["sent"], result["frames"], result["phase"]) == (500, 500, "ended")
    assert result["speed"]["asked"] == "max"
    assert result["lateness"]["n"] == 0
    os.close(fd)


def test_a_signal_ends_the_process_with_its_report(tmp_path: Path) -> None:
    """SIGTERM in the middle is a clean end: a result that says "interrupted", and exit code 0."""
    fd, control = ring.create(1024), Control.create()
    process = start(capture(tmp_path, 3, 3_600_000 * MS), control, fd)
    sink = Sink(fd, control)
    until(lambda: control.sent == 1 or process.poll() is not None, 300)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    sink.close()
    result = msgspec.json.decode(out)
    assert process.returncode == 0
    assert (result["sent"], result["reason"]) == (1, "interrupted")
    os.close(fd)


def test_a_receiver_that_dies_fails_the_run(tmp_path: Path) -> None:
    """When the process that said it receives is gone, the replay fails with that reason and exit code 1."""
    fd, control = ring.create(1024), Control.create()
    receiver = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start(capture(tmp_path, 3, 3_600_000 * MS), control, fd)
    control.words[c.RECEIVER_PID] = receiver.pid
    control.words[c.RECEIVER_READY] = 1
    until(lambda: control.sent == 1 or process.poll() is not None, 300)
    receiver.kill()
    receiver.communicate()
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == b"simbench replay: the receiver is gone\n"
    assert msgspec.json.decode(out)["phase"] == "failed"
    assert control.phase is Phase.FAILED
    os.close(fd)


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """When the parent is gone the replay stops by itself."""
    fd, control = ring.create(1024), Control.create()
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start(capture(tmp_path, 3, 3_600_000 * MS), control, fd, parent=parent.pid)
    sink = Sink(fd, control)
    until(lambda: control.sent == 1 or process.poll() is not None, 300)
    parent.kill()
    parent.communicate()
    out, _ = process.communicate(timeout=60)
    sink.close()
    assert msgspec.json.decode(out)["reason"] == "the process that started it is gone"
    os.close(fd)


def test_what_the_user_did_wrong_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no capture and a configuration that is none are one line each on stderr."""
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda *_args, **_more: -1)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "text").write_text("hello")
    fd = ring.create(1024)
    wire = WireSpec(kind="ring", stack="ring", ring_fd=fd)
    for text in (msgspec.json.encode(Config(capture=str(tmp_path / "text"), wire=wire)), b"{}"):
        path = tmp_path / "config"
        path.write_bytes(text)
        with path.open("rb") as file:
            assert main([str(file.fileno())]) == 2
    said = capsys.readouterr()
    os.close(fd)
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert "is not a capture" in said.err.splitlines()[0]
    assert "missing required field" in said.err.splitlines()[1]
