"""A generated CME channel is one that could be: levels that its orders make, every message, the same bytes again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from mdp3_market import Market

from simbench.errors import SimbenchError
from simbench.protocol.cme_layout import shipped
from simbench.synth import mdp3
from simbench.synth.request import Request
from simbench.synth.timeline import make_timeline

START = 1_750_000_000_000_000_000
NOT_ON_THE_CHANNEL = {38, 44, 52, 53}  # snapshots have a channel of their own


def request(scenario: str, messages: int = 6_000, *, seconds: float = 2.0, **options: int) -> Request:
    """Ask for a small channel."""
    timeline = make_timeline(scenario, messages=messages, seconds=seconds)
    return Request(timeline, START, START, **{"instruments": 7, **options})


def payloads(asked: Request) -> list[tuple[int, bytes]]:
    """Return when each datagram is sent, and its bytes."""
    out = []
    for block in mdp3.datagrams(asked):
        starts = block.starts.tolist()
        for index, sent in enumerate(block.sent.tolist()):
            out.append((sent, block.data[starts[index] : starts[index + 1]].tobytes()))
    return out


@pytest.mark.parametrize("scenario", ["calm", "open", "announcement"])
def test_a_channel_is_true_to_itself(scenario: str) -> None:
    """Followed naively, nothing is wrong: the levels shown are the orders' best ten, and counters have no hole."""
    market = Market()
    sent = payloads(request(scenario, 12_000))
    for _, payload in sent:
        market.follow(payload)
    assert +market.wrong == {}
    assert market.messages == 12_000
    assert set(market.templates) | NOT_ON_THE_CHANNEL | {12} == set(shipped().templates)
    assert set(market.actions) == set(range(6))
    assert market.resets == (2 if scenario == "open" else 1)
    assert all(len(payload) <= 1_400 for _, payload in sent)
    assert [when for when, _ in sent] == sorted(when for when, _ in sent)
    assert sum(len(book) == 10 for book in market.levels.values()) >= 8
    assert sum(len(book) for (_, side), book in market.levels.items() if side >= 2) > 0


def test_packets_say_when_they_were_sent() -> None:
    """The sent time in a packet's head is the datagram's own."""
    assert all(when == int.from_bytes(payload[4:12], "little") for when, payload in payloads(request("calm")))


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    """All that is random comes from the seed."""
    once, again, other = (payloads(request("calm", 3_000, seed=seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_silence_is_broken_by_heartbeats_with_sequences_of_their_own() -> None:
    """Half an hour of hardly a message has one each 30 s."""
    market = Market()
    sent = payloads(request("calm", 200, seconds=1_800.0))
    for _, payload in sent:
        market.follow(payload)
    assert +market.wrong == {}
    assert market.templates[12] > 20
    assert max(after - before for (before, _), (after, _) in pairwise(sent)) <= 30_000_000_000


def test_what_cannot_be_generated_is_one_line() -> None:
    """Numbers out of range and formats that there are not name what to change."""
    for asked, reason in (
        (request("calm", instruments=0), "instruments"),
        (request("calm", instruments=5_000), "instruments"),
        (request("calm", live_orders=0), "live orders"),
        (request("calm", limit=500), "datagram"),
        (request("calm", 20), "ask for more"),
    ):
        with pytest.raises(SimbenchError, match=reason):
            payloads(asked)


SCRIPT = """
import sys, hashlib
sys.path.insert(0, sys.argv[1])
from test_mdp3_channel import payloads, request
print(hashlib.sha256(repr(payloads(request("open", 600, instruments=3))).encode()).hexdigest())
"""


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_plain_checked_and_compiled_give_the_same_bytes(mode: str) -> None:
    """The generator's kernels stay inside their arrays and mean the same as plain Python."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, here],
        env={**os.environ, mode: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = hashlib.sha256(repr(payloads(request("open", 600, instruments=3))).encode()).hexdigest()
    assert wanted == done.stdout.strip()
