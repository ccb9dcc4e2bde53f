"""simbench info: what a capture holds."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import iso, span

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from simbench.capture.summary import Summary

MOST_FLOWS = 40
MOST_RANGES = 4


def info(
    *, capture: Path, feed: Path | None, protocol: str | None, schema: Path | None, checksum: str, as_json: bool
) -> int:
    """Show the capture's clocks, flows, lines, holes, checksums, other traffic and bursts."""
    compilation.for_looking()
    from simbench.capture.summary import summarize

    summary = summarize(capture)
    try:
        found, note = _receive(capture, feed, protocol, schema, checksum), ""
    except SimbenchError as error:
        found, note = {}, str(error)
    if as_json:
        import msgspec

        whole = {"schema": 1, "capture": asdict(summary), "feed": found, "note": note}
        sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
        return 0
    parts = [_head(summary), _flows(summary), _bursts(summary)]
    if found:
        parts += [Text("\n".join(found["capture"]["notes"])), show.lines(found["channels"]), _sequences(found)]
    if note:
        parts.append(Text(note, style="yellow"))
    show.console().print(Group(*parts))
    return 0


def _receive(
    capture: Path, feed: Path | None, protocol: str | None, schema: Path | None, checksum: str
) -> dict[str, Any]:
    from simbench.receive.offline import Offline, open_source

    run = Offline(open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum))
    while run.advance():
        pass
    return run.result(books=False)


def _head(summary: Summary) -> RenderableType:
    compressed = "" if summary.compression == "none" else f", {summary.compression}"
    size = f"{summary.captured_bytes:,} bytes of {summary.wire_bytes:,} on the wire"
    lines = [f"{summary.path}: {summary.format}{compressed}, {summary.frames:,} frames, {size}"]
    if summary.frames:
        length = summary.last_ns - summary.first_ns
        lines.append(f"from {iso(summary.first_ns)} to {iso(summary.last_ns)}, {span(length)}")
    from simbench.capture.kinds import link_name

    for number, interface in enumerate(summary.interfaces):
        name = f" {interface.name}" if interface.name else ""
        lines.append(f"interface {number}{name}: {link_name(interface.link)}, clock {interface.resolution}")
    if summary.problem:
        lines.append(summary.problem)
    if summary.backward_stamps:
        lines.append(f"{summary.backward_stamps:,} frames are stamped before the one in front of them")
    lines.append(f"checksums: {summary.checksums}")
    if summary.peeled:
        lines.append("around the datagrams: " + _named(summary.peeled))
    if summary.trailers:
        lines.append(f"{summary.trailers:,} frames have bytes behind their IP packet: FCS, padding or a switch's stamp")
    lines.append("not a feed: " + (_named(summary.other) or "nothing"))
    return Text("\n".join(lines))


def _named(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())


def _flows(summary: Summary) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("group", no_wrap=True)
    table.add_column("source", no_wrap=True)
    for name in ("vlan", "datagrams", "bytes", "first"):
        table.add_column(name, justify="right")
    table.add_column("")
    for flow in sorted(summary.flows, key=lambda one: -one.datagrams)[:MOST_FLOWS]:
        table.add_row(
            flow.group,
            flow.source,
            str(flow.vlan) if flow.vlan >= 0 else "",
            f"{flow.datagrams:,}",
            f"{flow.payload_bytes:,}",
            f"+{summary.offset_s(flow.first_ns):.6f}",
            flow.name,
        )
    if len(summary.flows) > MOST_FLOWS:
        table.add_row(f"and {len(summary.flows) - MOST_FLOWS:,} more", "", "", "", "", "", "")
    return table


def _bursts(summary: Summary) -> Text:
    lines = [
        f"most frames in {span(burst.span_ns)}: {burst.frames:,}, at {iso(burst.stamp)} "
        f"(+{summary.offset_s(burst.stamp):.6f})"
        for burst in summary.bursts
    ]
    return Text("\n".join(lines))


def _sequences(found: dict[str, Any]) -> Text:
    lines = []
    for channel in found["channels"]:
        for epoch in channel["epochs"]:
            session = f" session {epoch['session']}" if epoch["session"] else ""
            lines.append(
                f"{channel['name']}:{session} {channel['sequence_unit']}s {epoch['first']} to {epoch['last']}, "
                f"{len(channel['gaps'])} holes on all lines"
            )
        for line in channel["lines"]:
            if line["missing"]:
                shown = ", ".join(f"{first}-{last}" for first, last in line["missing"][:MOST_RANGES])
                more = len(line["missing"]) - MOST_RANGES
                lines.append(f"line {line['name']} lacks {shown}" + (f" and {more} more ranges" if more > 0 else ""))
    messages = found["messages"]
    by_type = ", ".join(f"{key} {count:,}" for key, count in messages["by_type"].items())
    lines.append(f"{messages['total']:,} messages: {by_type}")
    return Text("\n".join(lines))
