"""Which channels of a run recover by snapshots or natural refresh, and whose snapshot feeds have to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import FeedRole, join_group, split_group
from simbench.protocol.registry import load
from simbench.recovery.cme_snapshot import LOOPED

if TYPE_CHECKING:
    from simbench.address import Address
    from simbench.feed.definition import Channel, Feed

    Endpoint = tuple[Address, int]

WAYS: Final = ("snapshot", "natural")
ROLE: Final = "snapshot"


def choosing(feed: Feed, asked: str | None) -> Feed:
    """Return a feed whose channels recover as the user asked, or as each says itself.

    Args:
        feed: its channels may say it.
        asked: for all channels that can; None leaves it to each channel.

    Raises:
        SimbenchError: it was asked for, and no channel can.
    """
    if asked is None:
        return feed
    able = [asked in load(channel.protocol, channel.schema).recovery for channel in feed.channels]
    if asked in WAYS and not any(able):
        spoken = ", ".join(sorted({channel.protocol for channel in feed.channels}))
        raise SimbenchError(f"--recover {asked}: books of {spoken} cannot; those of cme.mdp3 can")
    channels = [
        msgspec.structs.replace(channel, recover=asked if can else "none")
        if channel.recover in WAYS or can
        else channel
        for channel, can in zip(feed.channels, able, strict=True)
    ]
    return msgspec.structs.replace(feed, channels=tuple(channels))


def with_loops(feed: Feed) -> tuple[Feed, Feed | None]:
    """Return a feed in which every channel that waits for snapshots has a snapshot feed, and who was given one.

    Args:
        feed: after choosing().
    """
    taken = _taken(feed)
    channels: list[Channel] = []
    looped: list[Channel] = []
    for channel in feed.channels:
        if channel.recover == ROLE and not any(flow.role == ROLE for flow in channel.feeds):
            own = _beside(channel, taken)
            looped.append(msgspec.structs.replace(channel, feeds=(own,)))
            channels.append(msgspec.structs.replace(channel, feeds=(*channel.feeds, own)))
        else:
            channels.append(channel)
    whole = msgspec.structs.replace(feed, channels=tuple(channels))
    return whole, msgspec.structs.replace(feed, channels=tuple(looped)) if looped else None


def loops_alone(feed: Feed) -> Feed | None:
    """Return the channels whose exchange sends loops of snapshots, each with its snapshot feed; None without any.

    The snapshot feed is the first that feed.toml names, else the one that a run would send.
    """
    taken = _taken(feed)
    looped = []
    for channel in feed.channels:
        if channel.protocol in LOOPED:
            named = next((flow for flow in channel.feeds if flow.role == ROLE), None)
            looped.append(msgspec.structs.replace(channel, feeds=(named or _beside(channel, taken),)))
    return msgspec.structs.replace(feed, channels=tuple(looped)) if looped else None


def _taken(feed: Feed) -> set[Endpoint]:
    """Return where the lines and other flows of a feed are sent to."""
    taken = {split_group(line.group) for channel in feed.channels for line in channel.lines}
    return taken | {split_group(flow.group) for channel in feed.channels for flow in channel.feeds}


def _beside(channel: Channel, taken: set[Endpoint]) -> FeedRole:
    """Return a snapshot feed beside line A, at the next port that is free, and take that."""
    host, port = split_group(channel.lines[0].group)
    while (host, port) in taken:
        port = port % 65_535 + 1
    taken.add((host, port))
    return FeedRole(role=ROLE, group=join_group(host, port))
