"""What was done beside what was noticed: what does not fit is a failure, and an incomplete run blames nobody."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from fault_bench import load, offline

from simbench.faults.ranges import Ranges, minus, union
from simbench.faults.report import report, unheard
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.feed.definition import Feed

SCRIPT = """
seed = 2
[[fault]]
kind = "drop"
probability = 0.1
[[fault]]
kind = "drop"
sequence = [300, 330]
[[fault]]
kind = "corrupt"
every = 40
fix_checksum = true
line = "B"
[[fault]]
kind = "corrupt"
every = 50
[[fault]]
kind = "restart"
sequence = 900
"""

Done = tuple[dict[str, Any], dict[str, Any], "Feed"]


@pytest.fixture(scope="module")
def truth(mdp3: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return what a script did, and the result of a run in which all went as it should."""
    loader = load(mdp3, SCRIPT)
    book = offline(loader, mdp3, tmp_path_factory.mktemp("report") / "faulted")
    frames = loader.plan.frames
    found = {
        "book": book,
        "sent": frames,
        "received": frames,
        "drops": {},
        "stack": "",
        "phase": "ended",
        "reason": "end of the capture",
        "replayer": {"loops": 1, "epoch": 0, "given_up": 0},
    }
    return loader.foreseen, found, open_source(mdp3).feed


def changed(truth: Done) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return copies of what was done and found, to be tampered with."""
    return copy.deepcopy(truth[0]), copy.deepcopy(truth[1])


def test_a_run_in_which_all_was_noticed_has_no_failure(truth: Done) -> None:
    """Every noticeable fault is noticed, by a sign of its own, and nothing else is reported."""
    found = report(*truth)
    assert (found["judged"], found["why"], found["failures"]) == (True, "", [])
    gaps = found["gaps"]
    assert gaps["expected"] + gaps["of_damage"] == gaps["noticed"] > 5
    assert gaps["of_the_capture"] == 0
    for fault in found["faults"]:
        assert fault["noticed"] == fault["noticeable"], fault
        assert fault["noticeable"] + fault["masked"] + fault["undetectable"] == fault["records"] > 0
    assert [fault["noticeable"] > 0 for fault in found["faults"]] == [True, True, True, True, True]
    signs = {entry["noticed"] for entry in found["applied"] if entry["class"] == "noticeable"}
    assert signs == {"gap", "conflict", "epoch"}
    assert any(entry["noticed"] == "line" or entry["class"] != "masked" for entry in found["applied"])
    assert found["counts"]["checksum"]["expected"] == found["counts"]["checksum"]["noticed"] > 10
    assert len(found["applied"]) == sum(fault["records"] for fault in found["faults"])


def test_a_gap_that_is_not_reported_is_a_failure(truth: Done) -> None:
    """The units are named, and the faults that caused it count as not noticed."""
    done, found = changed(truth)
    gaps = found["book"]["channels"][0]["gaps"]
    hidden = max(gaps, key=lambda gap: gap["last"] - gap["first"])
    gaps.remove(hidden)
    judged = report(done, found, truth[2])
    (failure,) = judged["failures"]
    assert failure["what"] == "not noticed"
    assert (failure["epoch"], failure["first"], failure["last"]) == (hidden["epoch"], hidden["first"], hidden["last"])
    assert judged["faults"][1]["noticed"] == 0 < judged["faults"][1]["noticeable"]


def test_a_gap_cut_short_is_a_failure(truth: Done) -> None:
    """One unit of it that no record names is enough."""
    done, found = changed(truth)
    hidden = max(found["book"]["channels"][0]["gaps"], key=lambda gap: gap["last"] - gap["first"])
    hidden["last"] -= 1
    (failure,) = report(done, found, truth[2])["failures"]
    assert (failure["what"], failure["first"], failure["last"]) == (
        "not noticed",
        hidden["last"] + 1,
        hidden["last"] + 1,
    )


def test_a_gap_that_nobody_caused_is_a_failure(truth: Done) -> None:
    """A receiver that loses what was sent is found out; one that fills a hole by the other line is not blamed."""
    done, found = changed(truth)
    gaps = found["book"]["channels"][0]["gaps"]
    invented = {**gaps[0], "first": 700, "last": 701, "epoch": 0}
    gaps.append({**invented, "outcome": "other line"})
    assert report(done, found, truth[2])["failures"] == []
    gaps.append(invented)
    (failure,) = report(done, found, truth[2])["failures"]
    assert (failure["what"], failure["first"], failure["last"]) == ("nobody caused", 700, 701)
    assert failure["said"] == "700 to 701 are a gap that nobody caused"


def test_what_comes_late_may_be_a_gap_or_not_for_some(mdp3: Path, truth: Done) -> None:
    """Who requests what is missing may fill the hole with what a line brings in the meantime."""
    done = load(mdp3, '[[fault]]\nkind = "delay"\nsequence = 300\ndelay = "50ms"').foreseen
    (stream,) = done["streams"]
    assert stream["eras"][0]["gaps"] == stream["eras"][0]["late"] == [[300, 300]]
    _, found = changed(truth)
    channel = found["book"]["channels"][0]
    channel["epochs"] = [{**channel["epochs"][0], **{name: stream["eras"][0][name] for name in ("first", "last")}}]
    channel["gaps"] = []
    (failure,) = report(done, found, truth[2])["failures"]
    assert (failure["what"], failure["first"]) == ("not noticed", 300)
    asking = msgspec.structs.replace(truth[2].channels[0], recover="retransmit")
    assert report(done, found, msgspec.structs.replace(truth[2], channels=(asking,)))["failures"] == []


def test_an_epoch_too_few_is_a_failure(truth: Done) -> None:
    """A restart that the receiver took for something else."""
    done, found = changed(truth)
    found["book"]["channels"][0]["epochs"].pop()
    failures = report(done, found, truth[2])["failures"]
    assert failures[0]["what"] == "epochs"
    assert failures[0]["said"] == "2 epochs were sent, the receiver took note of 1"


def test_an_epoch_that_begins_too_late_is_a_failure(truth: Done) -> None:
    """What a receiver takes for before the start, or for behind the end, is lost without a gap."""
    done, found = changed(truth)
    found["book"]["channels"][0]["epochs"][0]["first"] += 11
    (failure,) = report(done, found, truth[2])["failures"]
    assert (failure["what"], failure["expected"][0] + 11) == ("epochs", failure["noticed"][0])
    assert failure["said"] == "epoch 0 was 2 to 899, the receiver has 13 to 899"


@pytest.mark.parametrize("name", ["checksum", "conflict"])
def test_too_few_of_a_count_is_a_failure(truth: Done, name: str) -> None:
    """Wrong checksums that were let through, conflicts that nobody saw."""
    done, found = changed(truth)
    if name == "checksum":
        found["book"]["capture"]["checksum_lost"] -= 1
    else:
        for line in found["book"]["channels"][0]["lines"]:
            line["conflicts"] = 0
    (failure,) = report(done, found, truth[2])["failures"]
    assert failure["what"] == name
    assert failure["noticed"] < failure["expected"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"phase": "failed", "reason": "the receiver is gone"}, "did not reach its end: the receiver is gone"),
        ({"reason": "interrupted"}, "did not reach its end: interrupted"),
        ({"drops": {"tx_ring_full": 3}}, "the wire dropped frames of its own: tx ring full 3"),
        ({"received": 7}, "frames did not come out of the wire"),
        ({"replayer": {"loops": 1, "epoch": 1, "given_up": 0}}, "the replay jumped"),
        ({"replayer": {"loops": 1, "epoch": 0, "given_up": 2}}, "the wire dropped frames of its own: given up 2"),
    ],
)
def test_an_incomplete_run_blames_nobody(truth: Done, change: dict[str, Any], why: str) -> None:
    """It says why it cannot be judged, and still lists what was done."""
    done, found = changed(truth)
    found["book"]["channels"][0]["gaps"].pop()
    assert report(done, found, truth[2])["failures"]
    judged = report(done, {**found, **change}, truth[2])
    assert (judged["judged"], judged["failures"]) == (False, [])
    assert why in judged["why"]
    assert judged["applied"]


def test_behind_a_kernel_socket_wrong_checksums_are_its_drops(truth: Done) -> None:
    """The socket counts them as lost and never hands them out; one more is the wire's own."""
    done, found = changed(truth)
    wrong = done["wrong"]
    found |= {"stack": "udp", "drops": {"socket_overflow": wrong}, "received": found["sent"] - wrong}
    found["book"]["capture"]["checksum_lost"] = 0
    assert report(done, found, truth[2])["judged"]
    assert report(done, found, truth[2])["failures"] == []
    found["drops"]["socket_overflow"] += 1
    assert "socket overflow 1" in report(done, found, truth[2])["why"]


def test_behind_kernel_sockets_gaps_are_judged_as_elsewhere(truth: Done) -> None:
    """A hole that nobody caused is a failure there too, also where it was made good."""
    done, found = changed(truth)
    gaps = found["book"]["channels"][0]["gaps"]
    gaps.append({**gaps[0], "first": 700, "last": 702, "epoch": 0, "outcome": "snapshot"})
    found |= {"stack": "udp"}
    (failure,) = report(done, found, truth[2])["failures"]
    assert (failure["what"], failure["first"], failure["last"]) == ("nobody caused", 700, 702)


def test_lies_in_headers_are_not_judged(mdp3: Path, truth: Done) -> None:
    """A sequence that is wrong under a right checksum may do anything."""
    text = '[[fault]]\nkind = "corrupt"\npart = "header"\nfix_checksum = true\nsequence = 300'
    done = load(mdp3, text).foreseen
    judged = report(done, truth[1], truth[2])
    assert not judged["judged"]
    assert "headers were damaged under right checksums" in judged["why"]


def test_every_loop_has_the_faults_again(truth: Done) -> None:
    """Two loops make two epochs of each, and the gaps of both are expected."""
    done, found = changed(truth)
    channel = found["book"]["channels"][0]
    epochs = len(channel["epochs"])
    channel["gaps"] += [{**gap, "epoch": gap["epoch"] + epochs} for gap in channel["gaps"]]
    channel["epochs"] *= 2
    for line in channel["lines"]:
        line["conflicts"] *= 2
    for counts in (found["book"]["capture"], found["book"]["messages"]):
        for name in ("checksum_lost", "malformed", "bad_headers"):
            counts[name] = 2 * counts.get(name, 0)
    found["replayer"] = {"loops": 2, "epoch": 1, "given_up": 0}
    judged = report(done, found, truth[2])
    assert judged["failures"] == []
    assert judged["gaps"] == {name: 2 * count for name, count in report(*truth)["gaps"].items()}


def test_without_a_receiver_there_is_what_has_to_be_noticed(truth: Done) -> None:
    """For a handler of somebody else's: what was done, by name, and the gaps of every epoch."""
    found = unheard(truth[0], truth[2])
    assert [fault["fault"] for fault in found["faults"]] == [1, 2, 3, 4, 5]
    assert sum(len(epoch["gaps"]) for epoch in found["epochs"]) == report(*truth)["gaps"]["expected"]
    assert found["applied"][0].keys() == report(*truth)["applied"][0].keys() - {"noticed"}


def test_ranges() -> None:
    """What is joined, common and left over."""
    some = Ranges([(5, 9), (1, 2), (3, 3), (20, 30), (4, 1)])
    assert union([(5, 9), (1, 2), (3, 3), (8, 12)]) == [(1, 3), (5, 12)]
    assert len(some) == 3
    assert some.common(2, 21) == [(2, 3), (5, 9), (20, 21)]
    assert minus([(0, 40)], some) == [(0, 0), (4, 4), (10, 19), (31, 40)]
    assert minus([(6, 7), (31, 32)], some) == [(31, 32)]
