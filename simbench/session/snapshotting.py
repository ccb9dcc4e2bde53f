"""Which channels of a run recover by snapshots or natural refresh, and whose snapshot feeds have to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import FeedRole, join_group, split_group
from simbench.protocol.registry import load

if TYPE_CHECKING:
    from simbench.feed.definition import Channel, Feed

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
    taken = {split_group(line.group) for channel in feed.channels for line in channel.lines}
    taken |= {split_group(flow.group) for channel in feed.channels for flow in channel.feeds}
    channels: list[Channel] = []
    looped: list[Channel] = []
    for channel in feed.channels:
        if channel.recover == ROLE and not any(flow.role == ROLE for flow in channel.feeds):
            host, port = split_group(channel.lines[0].group)
            while (host, port) in taken:
                port = port % 65_535 + 1
            taken.add((host, port))
            own = FeedRole(role=ROLE, group=join_group(host, port))
            looped.append(msgspec.structs.replace(channel, feeds=(own,)))
            channels.append(msgspec.structs.replace(channel, feeds=(*channel.feeds, own)))
        else:
            channels.append(channel)
    whole = msgspec.structs.replace(feed, channels=tuple(channels))
    return whole, msgspec.structs.replace(feed, channels=tuple(looped)) if looped else None
