"""Find a capture's feed: the definition given, the one beside it, or by looking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import Feed, parse

if TYPE_CHECKING:
    from simbench.capture.reader import Capture

DEFINITION = "feed.toml"


def find_feed(
    capture: Capture, *, feed: Path | None, protocol: str | None, schema: Path | None
) -> tuple[Feed, tuple[str, ...]]:
    """Return the feed of a capture and what the user should know of how it was found.

    Args:
        capture: opened.
        feed: a feed.toml; the one beside the capture is taken where None, and where there is none, it is looked for.
        protocol: of every channel, instead of what the definition says or looking finds.
        schema: of every channel, likewise.
    """
    beside = capture.path.parent / DEFINITION
    notes: tuple[str, ...] = ()
    path = feed or (beside if beside.is_file() else None)
    if path is not None:
        found = read(path)
    else:
        raise SimbenchError("not yet")
    return adapted(found, protocol, schema), notes


def read(path: Path) -> Feed:
    """Read a feed.toml; a schema that it names lies relative to it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SimbenchError(f"{path} is not text; a feed definition is TOML") from None
    found = parse(text, where=str(path))
    channels = tuple(
        msgspec.structs.replace(channel, schema=str(path.parent / channel.schema)) if channel.schema else channel
        for channel in found.channels
    )
    return msgspec.structs.replace(found, channels=channels)


def adapted(feed: Feed, protocol: str | None, schema: Path | None) -> Feed:
    """Return a feed with the protocol and the schema that the user named, on every channel."""
    changes = {"protocol": protocol, "schema": None if schema is None else str(schema)}
    changes = {key: value for key, value in changes.items() if value is not None}
    if not changes:
        return feed
    channels = tuple(msgspec.structs.replace(channel, **changes) for channel in feed.channels)
    return msgspec.structs.replace(feed, channels=channels)
