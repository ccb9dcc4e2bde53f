"""What the numbers in shared memory are called; fixed for a run, so that a reader needs it only once."""

from __future__ import annotations

from dataclasses import dataclass

from simbench.protocol.contract import unpack_text


@dataclass(frozen=True)
class Names:
    """The names of one run's numbers.

    Attributes:
        channels: by number.
        lines: (name, group) of each channel's lines.
        text_keys: whether a channel's native keys are characters.
        outcomes: of gaps.
        line_states: of lines.
        channel_states: of channels.
        states: of books.
        reasons: for them.
        anomalies: of books, in the order in which they are counted.
        protocols: of channels, with the path of a schema of the user's own, "" where there is none.
    """

    channels: tuple[str, ...]
    lines: tuple[tuple[tuple[str, str], ...], ...]
    text_keys: tuple[bool, ...]
    outcomes: tuple[str, ...]
    line_states: tuple[str, ...]
    channel_states: tuple[str, ...]
    states: tuple[str, ...]
    reasons: tuple[str, ...]
    anomalies: tuple[str, ...]
    protocols: tuple[tuple[str, str], ...] = ()

    def channel(self, number: int) -> str:
        """Return the name of a channel."""
        return self.channels[number] if 0 <= number < len(self.channels) else str(number)

    def line(self, channel: int, number: int) -> tuple[str, str, str]:
        """Return a line's channel, name and group."""
        name, group = self.lines[channel][number]
        return self.channel(channel), name, group

    def outcome(self, number: int) -> str:
        """Return how a gap ended."""
        return self.outcomes[number] if 0 <= number < len(self.outcomes) else str(number)

    def state(self, number: int) -> str:
        """Return what a book is worth."""
        return self.states[number] if 0 <= number < len(self.states) else str(number)

    def key(self, channel: int, key: int) -> str:
        """Return an instrument's native key as its exchange writes it."""
        return unpack_text(key) if self.text_keys[channel] else str(key & (1 << 64) - 1)
