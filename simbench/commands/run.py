"""simbench run: replayer, wire, receiver, and the terminal or one line of progress."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simbench.commands import browser, compilation, show
from simbench.commands.exports import check_targets
from simbench.commands.targets import check_target, write_json
from simbench.errors import SimbenchError
from simbench.times import duration_ns, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simbench.receive.offline import Source
    from simbench.session import Listening, Plan, Session
    from simbench.session.joined import Joined
    from simbench.steering.rules import Rule


POLITE: Final = 10  # nice(2) of the terminal, which shares a core with the replayer where there are two


def run(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    headless: bool,
    serve: str | None,
    json_file: Path | None,
    hgrm: Path | None,
    hlog: Path | None,
    **arguments: Any,
) -> int:
    """Run a capture; 1 where gaps were lost or the data was damaged."""
    check_target(json_file)
    check_targets(hgrm, hlog)
    with browser.opened(serve) as door:
        compilation.for_replaying()
        from simbench.receive.offline import open_source

        source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
        script = read_faults(arguments.pop("faults"), source)
        what = replace(plan(source, arguments), faults=script)
        return play(source, what, headless=headless, door=door, json_file=json_file, hgrm=hgrm, hlog=hlog)


def read_faults(path: Path | None, source: Source) -> str:
    """Return the text of a fault script that is right for a feed; "" without one."""
    if path is None:
        return ""
    from simbench.faults.script import parse

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SimbenchError(f"{path} is not text; a fault script is TOML") from None
    parse(text, source.feed, where=str(path))
    return text


def plan(source: Source, arguments: Mapping[str, Any]) -> Plan:
    """Turn the options of the command line into a plan."""
    from simbench.recovery.conduct import Conduct
    from simbench.session import Plan

    start, stop, idle = arguments["start"], arguments["stop"], arguments["max_idle"]
    delay = arguments["recover_delay"]
    queues, rules = read_rules(arguments["queues"], arguments["rules"])
    return Plan(
        wire=arguments["wire"],
        stack=arguments["stack"],
        wait=arguments["wait"],
        mode=arguments["mode"],
        speed=arguments["speed"],
        max_idle_ns=0 if idle is None else duration_ns(idle),
        from_ns=None if start is None else time_ns(start, source.first_ns),
        to_ns=None if stop is None else time_ns(stop, source.first_ns),
        cold=arguments["cold"],
        loops=arguments["loop"],
        order=arguments["order"],
        as_recorded=arguments["as_recorded"],
        everything=arguments["everything"],
        recover=arguments["recover"],
        cycle_ns=duration_ns(arguments["recover_cycle"] or "1s"),
        exchange=arguments["recover_from"],
        conduct=Conduct(
            delay_ns=0 if delay is None else duration_ns(delay),
            refuse=arguments["recover_refuse"],
            partial=arguments["recover_partial"] or 0,
            quota=arguments["recover_quota"] or 0,
        ),
        queues=queues,
        rules=rules,
        pinned=not arguments["unpinned"],
        slow_ns=arguments["slow_handler"],
    )


def read_rules(queues: int | None, path: Path | None) -> tuple[int, tuple[Rule, ...] | None]:
    """Return how many queues there are, and the rules of a file; None without one."""
    if path is None:
        return queues or 1, None
    from simbench.steering.rules import read

    of_file, rules = read(path)
    if queues not in {None, of_file}:
        raise SimbenchError(f"--queues {queues}, but {path} is for {of_file}; plan it anew with simbench steer")
    return of_file, tuple(rules)


def play(
    source: Source,
    what: Plan,
    *,
    headless: bool,
    door: browser.Door | None = None,
    json_file: Path | None = None,
    hgrm: Path | None = None,
    hlog: Path | None = None,
) -> int:
    """Carry a plan out, show it (behind a door as a web page, without a terminal here), and report."""
    from simbench.commands import progress
    from simbench.commands.exports import exported
    from simbench.commands.series import sampled
    from simbench.session import Session, cores
    from simbench.session.plan import title_of
    from simbench.session.registry import noted

    shown = sys.stdout.isatty() and sys.stderr.isatty()  # the terminal is drawn on stderr
    watched = shown and not headless and door is None
    session = Session(source, replace(what, watched=watched))
    if session.waiting != what.wait:
        show.complain("queues that share a core wait in the kernel: one that spins would keep the others from theirs")
    if what.wire == "auto" and session.choice.wire == "ring":
        show.complain(f"over the shared-memory ring: {session.choice.why}")
    core = cores()[1]
    page = browser.served(door, pid=os.getpid(), title=title_of(source.capture.path), receiver_core=core)
    with interruptible(session), session, noted(session), aside(core), exported(session, hgrm, hlog) as notes, page:
        with sampled(session, wanted=json_file is not None) as course:
            if watched:
                _show(session)
            else:
                progress.follow(session)
            found = session.finish()
        notes.append(progress.beside_tails(found))
    if json_file is not None:
        write_json(json_file, {**found, **course})
    show.console().print(progress.summary(found))
    return outcome(found)


@contextlib.contextmanager
def interruptible(session: Session | Listening | Joined) -> Iterator[None]:
    """Let Ctrl-C, or SIGTERM, end a session with its report, and a second one at once."""
    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        session.stop()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(session: Any) -> None:
    from simbench_tui import run as show_terminal

    from simbench.feed.definition import dump

    session.wait_until_ready()
    os.nice(POLITE)
    path, feed = str(session.source.capture.path), dump(session.source.feed)
    show_terminal(session, session.control, capture=path, feed=feed)
    session.stop()


@contextlib.contextmanager
def aside(receiver_core: int | None) -> Iterator[None]:
    """Keep this thread off the receiver's core, with those that it starts; what it has started already stays."""
    before = os.sched_getaffinity(0)
    keep_off(receiver_core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def keep_off(receiver_core: int | None) -> None:
    """Let this thread, and those that it starts, keep off the receiver's core."""
    others = os.sched_getaffinity(0) - {receiver_core}
    if others:
        os.sched_setaffinity(0, others)


def outcome(found: Mapping[str, Any]) -> int:
    """Return the exit code: 1 where sequences were lost, packets malformed, or a snapshot differed from its book.

    Of a run with faults its report decides, which knows of what had to be lost.
    """
    faults = found.get("faults")
    if faults is not None and faults["judged"]:
        return int(bool(faults["failures"]))
    return int(show.damaged(found["book"]))
