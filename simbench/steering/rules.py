"""Explicit rules, group and port to queue: as a file of ours, and as the commands that program a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import join_group, split_group
from simbench.toml import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        group: "group:port" that it is about.
        queue: to which it goes.
        channel: whose it is, for the reader.
    """

    group: str
    queue: int
    channel: str = ""


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    group: str
    queue: int
    channel: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    queues: int
    rule: list[_Row] = []


def dump(rules: Sequence[Rule], queues: int) -> str:
    """Return rules as TOML."""
    out = [f"queues = {queues}"]
    for rule in rules:
        out += ["", "[[rule]]", f"group = {quote(rule.group)}", f"queue = {rule.queue}"]
        if rule.channel:
            out.append(f"channel = {quote(rule.channel)}")
    return "\n".join(out) + "\n"


def read(path: Path) -> tuple[int, list[Rule]]:
    """Return the number of queues and the rules of a file.

    Raises:
        SimbenchError: it cannot be read, or a rule names no group or no queue.
    """
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise SimbenchError(f"cannot read {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise SimbenchError(f"{path}: {error}") from None
    for row in found.rule:
        if not 0 <= row.queue < found.queues:
            raise SimbenchError(f"{path}: {row.group} goes to queue {row.queue}, of {found.queues}")
        row.group = join_group(*split_group(row.group))
    return found.queues, [Rule(row.group, row.queue, row.channel) for row in found.rule]


def commands(rules: Sequence[Rule], interface: str = "IFACE") -> list[str]:
    """Return the ethtool commands that program these rules into a card that can steer by flow."""
    found = []
    for rule in rules:
        group, port = split_group(rule.group)
        kind = "udp6" if group.version == 6 else "udp4"
        found.append(f"ethtool -N {interface} flow-type {kind} dst-ip {group} dst-port {port} action {rule.queue}")
    return found
