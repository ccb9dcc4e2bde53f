"""simbench steer: which flow and which channel lands on which queue and core, under RSS and under rules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from simbench.commands import compilation, show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simbench.feed.definition import Feed
    from simbench.steering.load import Load
    from simbench.steering.rules import Rule
    from simbench.steering.schemes import Scheme

MOST_FLOWS = 40


def steer(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    queues: int,
    first_core: int,
    rules_file: Path | None,
    as_json: bool,
) -> int:
    """Weigh the capture's flows, steer them in each way, and write the planned rules."""
    compilation.for_looking()
    from simbench.receive.offline import open_source
    from simbench.steering.load import weigh
    from simbench.steering.rules import commands, dump
    from simbench.steering.schemes import schemes

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    load = weigh(capture, source.feed)
    if not load.flows:
        raise SimbenchError(f"{capture} holds no datagrams to steer")
    found, rules = schemes(load, source.feed, queues)
    if rules_file is not None:
        try:
            rules_file.write_text(dump(rules, queues), encoding="utf-8")
        except OSError as error:
            raise SimbenchError(f"cannot write {rules_file}: {error.strerror}") from None
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(_told(load, source.feed, found, rules, first_core)).decode() + "\n")
        return 0
    console = show.console()
    for part in _tables(load, source.feed, found, first_core):
        console.print(part)
    for line in commands(rules):
        console.print(line, highlight=False, soft_wrap=True)
    return 0


def _told(load: Load, feed: Feed, found: Sequence[Scheme], rules: Sequence[Rule], first_core: int) -> dict[str, Any]:
    flows = [
        {
            "source": f"{flow.source}:{flow.source_port}",
            "group": f"{flow.group}:{flow.port}",
            "channel": feed.channels[flow.channel].name if flow.channel >= 0 else None,
            "role": flow.role,
            "datagrams": flow.datagrams,
            "busiest": flow.busiest,
            "queues": {scheme.name: scheme.queues[place] for scheme in found},
        }
        for place, flow in enumerate(load.flows)
    ]
    return {
        "schema": 1,
        "busiest_ns": str(load.busiest_ns),
        "first_core": first_core,
        "flows": flows,
        "schemes": [scheme.told() for scheme in found],
        "rules": [{"group": rule.group, "queue": rule.queue, "channel": rule.channel} for rule in rules],
    }


def _tables(load: Load, feed: Feed, found: Sequence[Scheme], first_core: int) -> list[Any]:
    from rich.table import Table

    from simbench.times import iso

    flows = Table("channel", "flow", "group", "datagrams", "busiest ms", *(scheme.name for scheme in found), box=None)
    for place, flow in list(enumerate(load.flows))[:MOST_FLOWS]:
        name = feed.channels[flow.channel].name if flow.channel >= 0 else "-"
        queues = (str(scheme.queues[place]) for scheme in found)
        flows.add_row(name, flow.role, f"{flow.group}:{flow.port}", f"{flow.datagrams:,}", f"{flow.busiest:,}", *queues)
    flows.title, flows.title_justify = (
        f"queues by flow; the busiest millisecond begins at {iso(load.busiest_ns)}",
        "left",
    )
    if len(load.flows) > MOST_FLOWS:
        flows.caption = f"and {len(load.flows) - MOST_FLOWS:,} more flows; --json has all"
    loads = Table("queue", "core", *(scheme.name for scheme in found), box=None)
    loads.title, loads.title_justify = "datagrams by queue: of the capture, of its busiest millisecond", "left"
    for queue in range(len(found[0].loads)):
        cells = (f"{int(scheme.loads[queue, 0]):,}, {int(scheme.loads[queue, 1]):,}" for scheme in found)
        loads.add_row(str(queue), str(first_core + queue), *cells)
    for title, values in (
        ("busiest / mean", [scheme.imbalance() for scheme in found]),
        ("busiest / least with channels whole", [scheme.excess() for scheme in found]),
    ):
        loads.add_row(title, "", *(f"{mean:.2f}, {busiest:.2f}" for mean, busiest in values))
    loads.add_row("channels torn apart", "", *(", ".join(scheme.split) or "none" for scheme in found))
    return [flows, loads]
