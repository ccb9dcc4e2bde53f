"""simbench stacks: the traditional stack against the optimised one, and every cell between, measured."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import duration_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simbench.receive.offline import Source
    from simbench.session import Session
    from simbench.session.repeats import Cell


def stacks(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    only: Sequence[str],
    repeats: int,
    speed: str,
    max_idle: str | None,
    json_file: Path | None,
) -> int:
    """Run every cell in turns and say what each did; 1 where frames were lost, or equal books were not."""
    from simbench.commands import stacks_json, stacks_report
    from simbench.commands.targets import check_target, write_json
    from simbench.session import stacks as matrix
    from simbench.wire.probe import need_veth

    check_target(json_file)
    need_veth("stacks compares stacks over veth")
    idle = 0 if max_idle is None else duration_ns(max_idle)
    compilation.for_replaying()
    cells = matrix.chosen(matrix.all_cells(speed), only)
    if not cells:
        titles = ", ".join(cell.title for cell in matrix.all_cells(speed))
        raise SimbenchError(f"--only {' '.join(only)!r} leaves no cell; there are: {titles}")
    from simbench.receive.offline import open_source

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    with tempfile.TemporaryDirectory(prefix="simbench-stacks-") as folder:
        sources = {matrix.INCREMENTS: source}
        if any(cell.feed == matrix.SNAPSHOTS for cell in cells):
            compilation.for_snapshots()
            sources[matrix.SNAPSHOTS] = _snapshots(source, Path(folder))
        rows = matrix.run_cells(cells, sources, repeats, _progress(cells, repeats), max_idle_ns=idle)
    if json_file is not None:
        write_json(json_file, stacks_json.told(str(capture), rows))
    show.console().print(stacks_report.layout(rows))
    return int(not matrix.sound(rows))


def _snapshots(source: Source, folder: Path) -> Source:
    """Write the snapshots of a capture into a folder and open them."""
    from simbench.feed.definition import dump
    from simbench.receive.offline import open_source
    from simbench.synth.mbp10 import write_snapshots

    path = folder / "snapshots.pcap"
    done = write_snapshots(source, path)
    if not done.datagrams:
        raise SimbenchError(f"{source.capture.path}: no book changes in it, so there is nothing to compare")
    (folder / "feed.toml").write_text(dump(done.feed), encoding="utf-8")
    return open_source(path)


def _progress(cells: Sequence[Cell], repeats: int) -> Any:
    """Return what shows how far each run is, until it has ended."""
    from simbench.commands import progress
    from simbench.session.repeats import Cell

    number = 0

    @contextlib.contextmanager
    def around(session: Session) -> Iterator[None]:
        nonlocal number
        number += 1
        plan = session.plan
        way = Cell(stack=plan.stack, wait=plan.wait, mode=plan.mode).title
        name = session.source.capture.path.name
        progress.follow(session, title=f"run {number} of {len(cells) * repeats}, {way}, {name}: ")
        yield

    return around
