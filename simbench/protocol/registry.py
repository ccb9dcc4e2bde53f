"""Finds protocols: those of this package and those of a user's own, through the entry point `simbench.protocols`.

An entry point names a Protocol: `"venue.protocol" = "package.module:PROTOCOL"`. It is imported when it is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.protocol.contract import Protocol

ENTRY_POINTS: Final = "simbench.protocols"


def names() -> list[str]:
    """Return the names of the protocols that are installed, sorted; none of them is imported."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINTS)})


def modules() -> list[str]:
    """Return the names of the modules that hold the installed protocols, sorted; none of them is imported."""
    return sorted({point.module for point in entry_points(group=ENTRY_POINTS)})


def load(name: str, schema: str | None = None) -> Protocol:
    """Return a protocol.

    Args:
        name: as in feed.toml.
        schema: path of a schema of the user's own, which names the messages too; its channels need it as an option.
    """
    protocol = _import(name)
    if schema is None:
        return protocol
    if protocol.with_schema is None:
        raise SimbenchError(f"protocol {name} has no schema to replace; leave out schema = {schema!r}")
    return protocol.with_schema(protocol, schema)


def guess(payloads: Sequence[bytes]) -> Protocol | None:
    """Return the protocol whose sure signs every sample shows, when exactly one does; broken plug-ins are passed over.

    Args:
        payloads: of some datagrams of one flow; empty ones say nothing.
    """
    samples = [payload for payload in payloads if payload]
    if not samples:
        return None
    found = [protocol for protocol in _importable() if all(_shows(protocol, payload) for payload in samples)]
    return found[0] if len(found) == 1 else None


def _shows(protocol: Protocol, payload: bytes) -> bool:
    try:
        return protocol.detect(payload)
    except Exception:  # noqa: BLE001 - a plug-in's mistake must not end `info` on someone else's capture
        return False


def _importable() -> list[Protocol]:
    found = []
    for name in names():
        try:
            found.append(_import(name))
        except SimbenchError:
            continue
    return found


@cache
def _import(name: str) -> Protocol:
    from simbench.protocol.contract import Protocol

    points = {point.value: point for point in entry_points(group=ENTRY_POINTS) if point.name == name}
    if not points:
        raise SimbenchError(f"protocol {name!r} is not installed; there are: {', '.join(names()) or 'none'}")
    if len(points) > 1:
        raise SimbenchError(f"protocol {name!r} is installed twice ({' and '.join(sorted(points))}); remove one")
    (point,) = points.values()
    try:
        protocol = point.load()
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0] or "no reason given"
        raise SimbenchError(
            f"protocol {name!r} of {_owner(point)} cannot be loaded: {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(protocol, Protocol):
        raise SimbenchError(f"protocol {name!r} of {_owner(point)}: {point.value} is not a simbench Protocol")
    return protocol


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module
