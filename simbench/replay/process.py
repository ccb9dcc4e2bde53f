"""The replayer process: `python -m simbench.replay.process`, its configuration as JSON on a descriptor or stdin.

The loop runs in a thread; this one handles signals and watches the processes at both sides: when the one that started
it is gone it stops, and when the receiver is gone the run has failed. Both are noticed at once, by pidfd.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from simbench.errors import SimbenchError
from simbench.measure import stamps
from simbench.measure.telemetry import map_words
from simbench.recovery.conduct import Conduct
from simbench.replay import control as c
from simbench.replay.schedule import FOREVER, UNBOUND, Endpoint, Options
from simbench.replay.squeeze import Window  # noqa: TC001 - msgspec resolves the annotation
from simbench.wire.flowtable import FlowQueue, new_table
from simbench.wire.spec import WireSpec  # noqa: TC001 - msgspec resolves the annotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.capture.reader import Capture
    from simbench.faults.faults import Faults
    from simbench.recovery.servers import Servers
    from simbench.recovery.snapshot_loop import Accompanied
    from simbench.replay.replayer import Replayer

LOOK_MS: Final = 100  # between looks for a receiver that has said who it is
USAGE: Final = 2  # exit code of what the user did wrong


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel whose messages can be asked for again.

    Attributes:
        lines: that its messages are taken from.
        fd: of the bound socket on which it is asked.
    """

    lines: tuple[Endpoint, ...]
    fd: int


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a replayer process is told.

    Attributes:
        capture: path of the capture.
        wire: what it sends on.
        feeds: whose frames are sent; none: all datagrams.
        lines: of each line's name, in the order of the feed, where its datagrams are sent to.
        speed: as a user writes it; of a control block made here only.
        loops: likewise.
        control_fd: of the control block; -1 makes one.
        side_fd: of the side table, int64[rows * stamps.ROW]; -1 makes one.
        words_fd: int64[WORDS_SIZE] for the sender end's words; -1 keeps them private.
        result_fd: where the result is written as JSON; -1: stdout.
        parent: process that this one ends with; 0 none, -1 the one that started it.
        budget: bytes that may be loaded; a quarter of the available memory where None.
        faults: text of a fault script; "" none.
        feed: whose lines it names, as the text of a feed.toml.
        start_ns: stamp of the capture's first frame, from which its times count.
        only_line: the one line of every channel that the receiver listens to; "" all.
        order, max_idle_ns, from_ns, to_ns, primed, everything, as_recorded, verify, windows: of schedule.Options.
        serving: channels whose servers run beside the replay, until the receiver is done.
        exchange: path of the capture that they are made from.
        looped: channels, as the text of a feed.toml, whose snapshot feeds are made from it and sent too.
        cycle_ns: from one loop of these to the next.
        conduct: how they behave.
        steering: flows with their queues, where the wire has several.
        by_source: whether these are told apart by source too.
        receiver, window, ahead, batch, awake_ns, loop_gap_ns, paused, cpu: of replayer.Settings.
    """

    capture: str
    wire: WireSpec
    feeds: tuple[Endpoint, ...] = ()
    lines: tuple[tuple[Endpoint, ...], ...] = ()
    speed: str = "1"
    loops: int = 1
    control_fd: int = -1
    side_fd: int = -1
    words_fd: int = -1
    result_fd: int = -1
    parent: int = -1
    budget: int | None = None
    faults: str = ""
    feed: str = ""
    start_ns: int = 0
    only_line: str = ""
    order: str = "time"
    max_idle_ns: int = 0
    from_ns: int = UNBOUND
    to_ns: int = FOREVER
    primed: bool = True
    everything: bool = False
    as_recorded: bool = False
    verify: bool = True
    windows: tuple[Window, ...] = ()
    serving: tuple[Serving, ...] = ()
    exchange: str = ""
    looped: str = ""
    cycle_ns: int = 1_000_000_000
    conduct: Conduct = Conduct()
    steering: tuple[FlowQueue, ...] = ()
    by_source: bool = False
    receiver: bool = True
    window: int = 1024
    ahead: int = 256
    batch: int = 64
    awake_ns: int = 10_000_000
    loop_gap_ns: int = 10_000_000
    paused: bool = False
    cpu: int | None = None


def main(arguments: list[str]) -> int:
    """Run a replayer process; return its exit code.

    Args:
        arguments: nothing, or the descriptor that the configuration is read from.
    """
    try:
        return run(msgspec.json.decode(_read(int(arguments[0]) if arguments else 0), type=Config))
    except SimbenchError as error:
        print(f"simbench replay: {error}", file=sys.stderr)  # noqa: T201 - what this process says to the user
    except msgspec.MsgspecError as error:
        print(f"simbench replay: configuration: {error}", file=sys.stderr)  # noqa: T201
    except OSError as error:
        print(f"simbench replay: {error}", file=sys.stderr)  # noqa: T201
    return USAGE


def _read(fd: int) -> bytes:
    """Read a descriptor from its beginning, whether it is a file or a pipe."""
    with contextlib.suppress(OSError):
        os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb", closefd=False) as file:
        return file.read()


def run(config: Config) -> int:
    """Load, wait for the receiver, replay, report; return the exit code."""
    waker, wakes = _signals()
    control = _control(config)
    try:
        return _replay(config, control, waker, wakes)
    except BaseException:
        control.words[c.PHASE] = c.FAILED
        raise


def _replay(config: Config, control: c.Control, waker: int, wakes: int) -> int:
    from simbench.replay.loader import Loader
    from simbench.replay.replayer import Replayer, Settings, side_rows
    from simbench.wire.open import open_sender, open_steered

    with contextlib.ExitStack() as opened:
        steered = None
        if len(config.wire.queues) > 1:
            steered = open_steered(config.wire, new_table(config.steering, by_source=config.by_source))
        end = opened.enter_context(steered or open_sender(config.wire, _shared(config.words_fd)))
        if control.words[c.PHASE] == c.STARTING:
            control.words[c.REPLAYER_PID] = os.getpid()
        options = Options(
            config.order, config.max_idle_ns, config.from_ns, config.to_ns, config.primed,
            config.everything, config.as_recorded, config.verify, end.max_frame, config.windows,
        )  # fmt: skip
        loops = int(control.words[c.LOOPS])
        loader = Loader(
            _capture(config), options, config.feeds, loops=loops, budget=config.budget, faults=_faults(config),
            lines=config.lines,
        )  # fmt: skip
        side = _shared(config.side_fd)
        if side is None:
            side = np.zeros(side_rows(loader.plan.frames) * stamps.ROW, np.int64)
        settings = Settings(
            receiver=config.receiver, window=config.window, ahead=config.ahead, batch=config.batch,
            serials=not config.as_recorded, awake_ns=config.awake_ns, loop_gap_ns=config.loop_gap_ns,
            paused=config.paused, cpu=config.cpu,
        )  # fmt: skip
        replayer = Replayer(loader, end, control, side, settings)
        servers = opened.enter_context(_servers(config, control)) if config.serving else None
        replayer.start()
        _watch(replayer, config.parent, waker, wakes, serving=servers is not None)
        found = replayer.result()
        if servers is not None:
            found["servers"] = servers.counters()
        if steered is not None:
            found["steered"] = steered.told()
        result = msgspec.json.encode(found) + b"\n"
    with contextlib.suppress(BrokenPipeError):
        os.write(config.result_fd if config.result_fd >= 0 else 1, result)
    if control.words[c.PHASE] != c.FAILED:
        return 0
    print(f"simbench replay: {control.reason}", file=sys.stderr)  # noqa: T201
    return 1


def _faults(config: Config) -> Faults | None:
    """Return the faults of a configuration."""
    if not config.faults:
        return None
    from simbench.faults.faults import Faults
    from simbench.feed.definition import parse

    window = (UNBOUND if config.primed else config.from_ns), config.to_ns
    only_line = config.only_line or None
    return Faults(config.faults, parse(config.feed), config.start_ns, only_line=only_line, window=window)


def _capture(config: Config) -> Capture | Accompanied:
    """Open the capture, with the snapshot feeds beside it that have to be made."""
    from simbench.capture.reader import open_capture

    capture = open_capture(config.capture)
    if not config.looped:
        return capture
    from simbench.feed.definition import parse
    from simbench.recovery.snapshot_loop import Accompanied

    exchange = open_capture(config.exchange or config.capture)
    return Accompanied(capture, exchange, parse(config.looped), cycle_ns=config.cycle_ns, verify=config.verify)


def _servers(config: Config, control: c.Control) -> Servers:
    """Start the servers of the channels, which know how far the replay has come."""
    from simbench.capture.reader import open_capture
    from simbench.recovery.servers import Servers

    delay_ns = config.conduct.delay_ns

    def clock_ns() -> int:
        speed = int(control.words[c.SPEED])
        return delay_ns * c.PPM // speed if speed > 0 else delay_ns

    servers = Servers()
    listening = [(serving.lines, socket.socket(fileno=serving.fd)) for serving in config.serving]
    servers.add_rerequests(
        open_capture(config.exchange),
        listening,
        verify=config.verify,
        conduct=config.conduct,
        sent=lambda: int(control.words[c.SENDING_NS]),
        delay_ns=clock_ns,
    )
    servers.start()
    return servers


def _watch(replayer: Replayer, parent: int, waker: int, wakes: int, *, serving: bool) -> None:
    """Wait for the end, and bring it about when a signal comes or a process that is needed has gone.

    What serves the receiver stays until that is done with its requests, which may be after the last frame; one that was
    never ready asks for nothing.
    """
    control = replayer.control
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    reasons = {}
    receiver = 0
    deserted = False

    def follow(pid: int, reason: int) -> None:
        nonlocal deserted
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:  # gone before it could be followed
            deserted = True
            control.stop(reason)
            return
        reasons[fd] = reason
        poll.register(fd, select.POLLIN)

    if parent:
        follow(parent if parent > 0 else os.getppid(), c.PARENT_GONE)
    while not replayer.join(0) or (
        serving and control.words[c.RECEIVER_READY] and not deserted and not control.words[c.RECEIVER_DONE]
    ):
        for fd, _ in poll.poll(LOOK_MS):
            deserted = True
            if fd == waker:
                os.read(waker, 64)
                control.stop(c.SIGNAL)
            else:
                control.stop(reasons[fd])
                poll.unregister(fd)
        pid = int(control.words[c.RECEIVER_PID])
        if pid not in (receiver, os.getpid()):
            receiver = pid
            follow(pid, c.RECEIVER_GONE)
    for fd in reasons:
        os.close(fd)
    signal.set_wakeup_fd(-1)
    os.close(wakes)
    os.close(waker)


def _signals() -> tuple[int, int]:
    """Turn SIGINT and SIGTERM into bytes of a pipe; return its ends."""
    waker, wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return waker, wakes


def _control(config: Config) -> c.Control:
    if config.control_fd >= 0:
        return c.Control.attach(config.control_fd)
    control = c.Control.create()
    control.words[c.SPEED] = c.parse_speed(config.speed)
    control.words[c.LOOPS] = config.loops
    return control


def _shared(fd: int) -> NDArray[np.int64] | None:
    """Map the int64 words of a descriptor; None for -1."""
    if fd < 0:
        return None
    return map_words(fd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
