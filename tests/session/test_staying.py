"""What was received can be looked through when a run that is watched has ended; one that nobody watches is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from runs import until

from simbench.measure.snapshot import Phase
from simbench.receive.offline import open_source
from simbench.session import Plan, Session

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.wire.probe import Capabilities


def book_of(session: Session, index: int) -> bool:
    """Tell whether a snapshot has the book of an instrument."""
    book = session.snapshot(index).book
    return book is not None and book.index == index and bool(book.bids or book.asks)


@pytest.mark.parametrize("queues", [1, 2])
def test_every_book_can_be_seen_after_the_end(queues: int, itch: Path, capabilities: Capabilities) -> None:
    """Also those that nobody looked at before; the result is there, and the receiver goes when it is wanted."""
    if queues > 1 and capabilities.veth:
        pytest.skip(capabilities.veth)
    with Session(open_source(itch), Plan(speed="max", watched=True, queues=queues)) as session:
        assert until(lambda: session.snapshot().phase is Phase.ENDED)
        instruments = session.snapshot().instruments
        assert len(instruments) == 8
        for row in instruments:
            assert until(lambda index=row.index: book_of(session, index))  # type: ignore[misc]
        assert session.running()
        found = session.finish()
        assert not session.running()
    assert found["book"]["messages"]["total"] == 2000


def test_a_receiver_that_is_killed_when_it_has_done_its_work_is_no_failure(itch: Path) -> None:
    """Its result is written."""
    with Session(open_source(itch), Plan(speed="max", wire="ring", watched=True)) as session:
        assert until(lambda: session.snapshot().phase is Phase.ENDED)
        receiver = session.child("receive")
        assert receiver is not None
        assert until(lambda: session.snapshot().phase is Phase.ENDED and written(session))
        receiver.kill()
        assert until(lambda: not session.running())
        assert session.snapshot().phase is Phase.ENDED
        assert session.finish()["book"]["messages"]["total"] == 2000


def written(session: Session) -> bool:
    """Tell whether the receiver has written what it found."""
    try:
        return bool(session._result("receive", session._results["receive"]))
    except Exception:  # noqa: BLE001 - not yet
        return False


def test_one_that_nobody_watches_ends(itch: Path) -> None:
    """Without being told."""
    with Session(open_source(itch), Plan(speed="max", wire="ring")) as session:
        assert until(lambda: not session.running())


def test_a_closed_session_leaves_no_receiver(itch: Path) -> None:
    """At once."""
    with Session(open_source(itch), Plan(speed="max", wire="ring", watched=True)) as session:
        assert until(lambda: session.snapshot().phase is Phase.ENDED)
        receiver = session.child("receive")
        assert receiver is not None
        before = time.monotonic()
    assert receiver.poll() is not None
    assert time.monotonic() - before < 5
