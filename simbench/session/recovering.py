"""Which channels of a run recover what they miss, and whom they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import FeedRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.feed.definition import Channel, Feed

RETRANSMIT: Final = "retransmit"
ROLE: Final = "retransmission"


def recovering(feed: Feed, asked: str | None) -> list[int]:
    """Return the numbers of the channels whose missing messages are asked for.

    Args:
        feed: its channels may say it.
        asked: by the user, for all of them: "retransmit" or "none"; None leaves it to each channel.

    Raises:
        SimbenchError: a channel, or every channel where all are meant, has an exchange that sends nothing again.
    """
    from simbench.recovery.servers import resends

    able = [number for number, channel in enumerate(feed.channels) if resends(channel)]
    if asked is None:
        wanted = [number for number, channel in enumerate(feed.channels) if channel.recover == RETRANSMIT]
        for number in wanted:
            if number not in able:
                channel = feed.channels[number]
                raise SimbenchError(
                    f"channel {channel.name}: messages of {channel.protocol} cannot be asked for again; "
                    'leave out recover = "retransmit"'
                )
        return wanted
    if asked == RETRANSMIT and not able:
        spoken = ", ".join(sorted({channel.protocol for channel in feed.channels}))
        raise SimbenchError(f"--recover retransmit: messages of {spoken} cannot be asked for again; MoldUDP64's can")
    return able if asked == RETRANSMIT else []


def own_servers(feed: Feed, channels: list[int]) -> dict[int, str]:
    """Return the address of each channel's re-request server, as feed.toml says it.

    Raises:
        SimbenchError: a channel has none.
    """
    found = {}
    for number in channels:
        channel = feed.channels[number]
        if channel.server is None:
            raise SimbenchError(
                f"channel {channel.name} has no re-request server: give it a [[channel.feed]] with "
                'role = "retransmission" and group = "ADDRESS:PORT", or say --recover none'
            )
        found[number] = channel.server
    return found


def asking(feed: Feed, servers: Mapping[int, str]) -> Feed:
    """Return a feed in which these channels ask these servers, and no others do.

    Args:
        feed: as the user has it.
        servers: "address:port" by the channel's number.
    """
    channels = [_asking(channel, servers.get(number)) for number, channel in enumerate(feed.channels)]
    return msgspec.structs.replace(feed, channels=tuple(channels))


def _asking(channel: Channel, server: str | None) -> Channel:
    if server is None:
        unsaid = channel.recover in {None, RETRANSMIT}  # a channel that recovers otherwise goes on doing so
        return msgspec.structs.replace(channel, recover="none") if unsaid else channel
    feeds = (FeedRole(role=ROLE, group=server), *channel.feeds)
    return msgspec.structs.replace(channel, feeds=feeds, recover=RETRANSMIT)
