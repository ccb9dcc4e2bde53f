"""What the parts of the terminal tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot


@dataclass
class Sampled(Message, bubble=False):
    """A snapshot was taken; a newer one that waits behind it takes its place."""

    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        """Whether `message` makes this one superfluous."""
        return isinstance(message, Sampled)


@dataclass
class SourceFailed(Message, bubble=False):
    """The source raised instead of taking a snapshot."""

    reason: str


@dataclass
class Told(Message, bubble=False):
    """Something that a thread has to say to the user."""

    words: str
    severity: str
