"""Golden folders of generated captures, and a fault in the engine that the reference book does not share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from small_feeds import ITCH, MDP3, make

from simbench.golden.expectation import write
from simbench.receive import pipeline
from simbench.receive.offline import Offline, open_source
from simbench.receive.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def make_golden(base: Path, checkpoints: int = 5) -> dict[str, Path]:
    """Make a golden folder of each protocol in an empty one; return them by protocol."""
    found = {}
    for name, protocol in (("itch", ITCH), ("mdp3", MDP3)):
        make(base / name, protocol, 600, instruments=4)
        write(base / name, checkpoints)
        found[protocol] = base / name
    return found


def load(folder: Path) -> dict[str, Any]:
    """Return an expectation as it is on disk."""
    return msgspec.json.decode((folder / "expected.json").read_bytes(), type=dict[str, Any])


def save(folder: Path, expected: dict[str, Any]) -> None:
    """Write an expectation."""
    (folder / "expected.json").write_bytes(msgspec.json.encode(expected))


def events_of(path: Path) -> list[Any]:
    """Return every event of a capture in its order, as records that are copies."""
    found: list[Any] = []
    run = Offline(open_source(path), on_events=lambda _channel, events: found.extend(events.copy()))
    while run.advance():
        pass
    return found


def plant(monkeypatch: pytest.MonkeyPatch, wanted: Any, spoil: Callable[[Any], None]) -> None:
    """Have every engine take one event otherwise than the reference book beside it.

    Args:
        monkeypatch: takes the fault away again.
        wanted: the event, as it is right.
        spoil: changes it.
    """
    begin = Receiver.__init__

    def faulty(self: Receiver, *arguments: Any, on_events: Any = None, **options: Any) -> None:
        def look(channel: int, events: Any) -> None:
            if on_events is not None:
                on_events(channel, events)
            words = self.state.words
            for what in self.events[words[pipeline.FIRST] : words[pipeline.LAST]]:
                if what == wanted:
                    spoil(what)

        begin(self, *arguments, on_events=look, **options)

    monkeypatch.setattr(Receiver, "__init__", faulty)
