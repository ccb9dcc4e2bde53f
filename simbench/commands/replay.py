"""simbench replay: the replayer alone, for a receiver of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from simbench.commands import compilation, show
from simbench.commands.faults import faults_table
from simbench.commands.run import read_faults
from simbench.commands.targets import check_target, write_json
from simbench.errors import SimbenchError
from simbench.times import duration_ns, time_ns

if TYPE_CHECKING:
    from pathlib import Path


def replay(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    interface: str,
    allow_physical: bool,
    speed: str,
    max_idle: str | None,
    start: str | None,
    stop: str | None,
    loop: int,
    order: str,
    as_recorded: bool,
    everything: bool,
    faults: Path | None,
    json_file: Path | None,
) -> int:
    """Send the capture's frames onto the interface and report how well they kept their time."""
    check_target(json_file)
    compilation.for_replaying()
    from simbench.faults.script import CHANGED_AS_RECORDED
    from simbench.feed.definition import dump
    from simbench.receive.offline import open_source
    from simbench.replay.process import Config
    from simbench.replay.schedule import FOREVER, UNBOUND, endpoints
    from simbench.session import cores
    from simbench.wire.open import nic_sender

    wire = nic_sender(interface, allow_physical=allow_physical)
    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    script = read_faults(faults, source)
    if script and as_recorded:
        raise SimbenchError(CHANGED_AS_RECORDED)
    result = os.memfd_create("simbench-result", os.MFD_CLOEXEC)
    config = Config(
        capture=str(capture),
        wire=wire,
        feeds=endpoints(source.feed),
        speed=speed,
        loops=loop,
        result_fd=result,
        faults=script,
        feed=dump(source.feed) if script else "",
        start_ns=source.first_ns,
        order=order,
        max_idle_ns=0 if max_idle is None else duration_ns(max_idle),
        from_ns=UNBOUND if start is None else time_ns(start, source.first_ns),
        to_ns=FOREVER if stop is None else time_ns(stop, source.first_ns) + 1,  # as `book --at`
        primed=False,
        everything=everything,
        as_recorded=as_recorded,
        verify=source.verify,
        receiver=False,
        cpu=cores()[0],
    )
    done = subprocess.run(
        [sys.executable, "-m", "simbench.replay.process"],
        input=msgspec.json.encode(config),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(result, *wire.descriptors),
        check=False,
    )
    if done.returncode == 2 or os.fstat(result).st_size == 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SimbenchError(said[-1].removeprefix("simbench replay: ") if said else "the replayer ended too early")
    found = msgspec.json.decode(os.pread(result, os.fstat(result).st_size, 0), type=dict[str, Any])
    os.close(result)
    _report(found, interface)
    if script:
        from simbench.faults.report import unheard

        found["faults"] = unheard(found["faults"], source.feed)
        show.console().print(faults_table(found["faults"]))
    if json_file is not None:
        write_json(json_file, found)
    return done.returncode


def _report(found: dict[str, Any], interface: str) -> None:
    late = found["lateness"]
    console = show.console()
    console.print(
        f"{found['sent']:,} of {found['frames']:,} frames sent on {interface}; speed {found['speed']['asked']} asked, "
        f"{found['speed']['achieved']:.6g} achieved; {found['reason']}"
    )
    if late["n"]:
        console.print(f"lateness p50 {late['p50']} ns, p99 {late['p99']} ns, at most {late['max']} ns")
    if found["moved"]:
        console.print(f"{found['moved']:,} frames were moved into time order")
    for name, count in {**found["drops"], **found["left_out"]}.items():
        console.print(f"{name.replace('_', ' ')}: {count:,}")
    for name, count in found["unseen"].items():
        console.print(f"a kernel socket will not see {count:,} frames: {name.replace('_', ' ')}")
