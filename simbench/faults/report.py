"""What was done beside what the receiver noticed: every fault, every gap, and what of it does not fit.

A failure is a fault that has to be noticed and was not, or a gap that nobody caused. Where the replay was not whole, or
the wire lost frames of its own, nothing can be blamed on anybody, and the report says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.faults.outcome import CLASSES, NOTICEABLE, SIGNS
from simbench.faults.ranges import Ranges, minus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simbench.feed.definition import Feed

    Range = tuple[int, int]

MOST_LISTED: Final = 10_000  # faults, and failures, that are listed one by one
FILLED: Final = frozenset({"other line", "reorder"})  # holes that are no gaps
NOBODY: Final = Ranges([])
COLUMNS: Final = (
    "fault", "ordinal", "part", "channel", "line", "stream", "first", "last", "datagrams", "recorded_ns", "due_ns",
    "detail", "class", "sign", "gaps",
)  # fmt: skip


def report(done: Mapping[str, Any], found: Mapping[str, Any], feed: Feed) -> dict[str, Any]:
    """Return the section "faults" of a run's JSON.

    Args:
        done: what the replayer says of the script (outcome.py).
        found: the result of the run without it.
        feed: that was replayed.
    """
    joined = _Join(done, found, feed)
    why = joined.incomplete()
    failures = [] if why else [*joined.epochs(), *joined.gaps(), *joined.counts()]
    listed = [joined.applied(record) for record in done["records"]]
    faults = [{"fault": number, **fault, "noticed": 0} for number, fault in enumerate(done["faults"], 1)]
    for record in listed:
        if record["class"] == CLASSES[NOTICEABLE] and record["noticed"]:
            faults[record["fault"] - 1]["noticed"] += 1
    return {
        "seed": done["seed"],
        "judged": not why,
        "why": why,
        "faults": faults,
        "gaps": joined.totals(),
        "counts": joined.counters(),
        "failures": failures[:MOST_LISTED],
        "failures_unlisted": max(0, len(failures) - MOST_LISTED),
        "applied": listed[:MOST_LISTED],
        "applied_unlisted": max(0, len(listed) - MOST_LISTED) + done["unlisted"],
    }


def unheard(done: Mapping[str, Any], feed: Feed) -> dict[str, Any]:
    """Return the section "faults" of a replay's JSON: what was done, and what a receiver has to notice of it.

    Args:
        done: what the replayer says of the script.
        feed: that was replayed.
    """
    return {
        "seed": done["seed"],
        "faults": [{"fault": number, **fault} for number, fault in enumerate(done["faults"], 1)],
        "epochs": [
            {
                "channel": feed.channels[stream["channel"]].name,
                "stream": stream["stream"],
                **{name: era[name] for name in ("first", "last", "gaps", "late")},
                "of_the_capture": era["own"],
            }
            for stream in done["streams"]
            for era in stream["eras"]
        ],
        "counts": {
            "checksum": done["wrong"],
            "bad_header": done["unreadable"],
            "conflict": sum(done["conflicts"]),
            "malformed": done["malformed"],
        },
        "applied": [_named(record, done, feed) for record in done["records"][:MOST_LISTED]],
        "applied_unlisted": max(0, len(done["records"]) - MOST_LISTED) + done["unlisted"],
    }


def _named(record: Sequence[Any], done: Mapping[str, Any], feed: Feed) -> dict[str, Any]:
    """Return a record of what was done, with names."""
    entry = dict(zip(COLUMNS, record, strict=True))
    channel = feed.channels[int(entry["channel"])]
    some = entry["last"] >= entry["first"]
    return {
        "fault": entry["fault"],
        "kind": done["faults"][int(entry["fault"]) - 1]["kind"],
        "ordinal": entry["ordinal"],
        "part": entry["part"],
        "channel": channel.name,
        "line": channel.lines[int(entry["line"])].name,
        "stream": entry["stream"],
        "first": entry["first"] if some else None,
        "last": entry["last"] if some else None,
        "datagrams": entry["datagrams"],
        "recorded_ns": str(entry["recorded_ns"]),
        "due_ns": None if entry["due_ns"] < 0 else str(entry["due_ns"]),
        "detail": entry["detail"],
        "class": CLASSES[int(entry["class"])],
    }


class _Join:
    def __init__(self, done: Mapping[str, Any], found: Mapping[str, Any], feed: Feed) -> None:
        self._done = done
        self._found = found
        self._feed = feed
        self._channels = found["book"]["channels"]
        self._loops = max(1, int(found["replayer"]["loops"]))
        # Who asks for what is missing does not give it up: what comes late may still fill the hole, and is no gap then.
        self._waits = [
            definition.recover == "retransmit" or any(gap["outcome"] == "retransmission" for gap in channel["gaps"])
            for definition, channel in zip(feed.channels, self._channels, strict=True)
        ]
        # By (channel, stream): the numbers of the receiver's epochs in their order, and of each the gaps.
        self._epochs: dict[tuple[int, int], list[int]] = {}
        noticed: dict[tuple[int, int], list[Range]] = {}
        for number, channel in enumerate(self._channels):
            for index, epoch in enumerate(channel["epochs"]):
                self._epochs.setdefault((number, epoch["stream"]), []).append(index)
            for gap in channel["gaps"]:
                if gap["outcome"] not in FILLED:
                    noticed.setdefault((number, gap["epoch"]), []).append((gap["first"], gap["last"]))
        self._noticed = {key: Ranges(ranges) for key, ranges in noticed.items()}
        self._missing = [
            [Ranges([(a, b) for a, b in line["missing"]]) for line in channel["lines"]] for channel in self._channels
        ]
        self._epochs_right = not self.epochs()
        self._counts = self.counters()

    def incomplete(self) -> str:
        """Return why nothing can be judged; "" where it can."""
        found, replayer = self._found, self._found["replayer"]
        if found.get("live_faults"):
            return "faults were switched on by hand while it went on: the script is not all that was done"
        if found["phase"] != "ended" or found["reason"] != "end of the capture":
            return f"the replay did not reach its end: {found['reason']}"
        if replayer["epoch"] != self._loops - 1:
            return "the replay jumped: what came before is not what the script is about"
        dropped = {name: count for name, count in found["drops"].items() if count}
        lost = 0
        if found["stack"] == "udp":
            # A kernel counts a datagram with a wrong checksum among those that its socket lost, and hands out neither
            # that nor a short one.
            lost = self._loops * (self._done["wrong"] + self._done["short"])
            overflow = dropped.pop("socket_overflow", 0) - self._loops * self._done["wrong"]
            dropped |= {"socket_overflow": overflow} if overflow > 0 else {}
        if dropped or replayer["given_up"]:
            named = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in dropped.items())
            return f"the wire dropped frames of its own: {named or 'given up ' + format(replayer['given_up'], ',')}"
        if found["received"] + lost < found["sent"]:
            missing = found["sent"] - found["received"]
            return f"{missing:,} of {found['sent']:,} frames did not come out of the wire"
        if self._done["lies"]:
            return "packet headers were damaged under right checksums: nobody can foresee what a receiver makes of that"
        return ""

    def _streams(self) -> list[tuple[int, int, list[Mapping[str, Any]], list[int]]]:
        """Return channel, stream, the eras of all loops and the receiver's epochs of each stream."""
        return [
            (
                stream["channel"],
                stream["stream"],
                stream["eras"] * self._loops,
                self._epochs.get((stream["channel"], stream["stream"]), []),
            )
            for stream in self._done["streams"]
        ]

    def epochs(self) -> list[dict[str, Any]]:
        """Return the failures that are about epochs: how many there are, and from where to where each goes."""
        failures = []
        for channel, stream, eras, numbers in self._streams():
            place = {"what": "epochs", "channel": self._feed.channels[channel].name, "stream": stream}
            if len(eras) != len(numbers):
                said = f"{len(eras)} epochs were sent, the receiver took note of {len(numbers)}"
                failures.append({**place, "expected": len(eras), "noticed": len(numbers), "said": said})
                continue
            for era, number in zip(eras, numbers, strict=True):
                epoch = self._channels[channel]["epochs"][number]
                sent, known = [era["first"], era["last"]], [epoch["first"], epoch["last"]]
                if sent != known:
                    said = f"epoch {number} was {sent[0]} to {sent[1]}, the receiver has {known[0]} to {known[1]}"
                    failures.append({**place, "expected": sent, "noticed": known, "said": said})
        return failures

    def gaps(self) -> list[dict[str, Any]]:
        """Return the failures that are about gaps: those not noticed, and those that nobody caused."""
        failures = []
        for channel, stream, eras, numbers in self._streams():
            damaged = [(a, b) for c, s, a, b in self._done["damaged"] if (c, s) == (channel, stream)]
            for era, epoch in zip(eras, numbers, strict=False):
                expected = [(a, b) for a, b in era["gaps"]]
                late = [(a, b) for a, b in era["late"]] if self._waits[channel] else []
                noticed = self._noticed.get((channel, epoch), NOBODY)
                place = {"channel": self._feed.channels[channel].name, "stream": stream, "epoch": epoch}
                made = [(a, b) for a, b in noticed.pairs.tolist()]
                failures += [
                    self._failure("not noticed", place, *lost) for lost in minus(expected, Ranges([*made, *late]))
                ]
                caused = Ranges([*expected, *damaged])
                failures += [self._failure("nobody caused", place, *gap) for gap in minus(made, caused)]
        return failures

    def _failure(self, what: str, place: dict[str, Any], first: int, last: int) -> dict[str, Any]:
        said = "are lost on all lines and no gap says so" if what == "not noticed" else "are a gap that nobody caused"
        return {"what": what, **place, "first": first, "last": last, "said": f"{first} to {last} {said}"}

    def counters(self) -> dict[str, dict[str, int]]:
        """Return what is counted: how often it has to happen at least, and how often it was noticed."""
        book = self._found["book"]
        conflicts = sum(line["conflicts"] for channel in self._channels for line in channel["lines"])
        noticed = {
            "checksum": (self._done["wrong"], book["capture"]["checksum_lost"]),
            "bad_header": (self._done["unreadable"], book["messages"]["bad_headers"]),
            "conflict": (sum(self._done["conflicts"]), conflicts),
            "malformed": (self._done["malformed"], book["messages"]["malformed"]),
        }
        return {
            name: {"expected": expected * self._loops, "noticed": count} for name, (expected, count) in noticed.items()
        }

    def counts(self) -> list[dict[str, Any]]:
        """Return the failures that are about counts; a kernel socket drops wrong checksums before anybody counts."""
        unseen = {"checksum"} if self._found["stack"] == "udp" else set()
        return [
            {
                "what": name,
                **count,
                "said": f"{name.replace('_', ' ')}: {count['expected']:,} were sent, {count['noticed']:,} noticed",
            }
            for name, count in self._counts.items()
            if count["noticed"] < count["expected"] and name not in unseen
        ]

    def totals(self) -> dict[str, int]:
        """Return how many gaps were expected, of those are the capture's, may come of damage, and were noticed."""
        eras = [era for _, _, eras, _ in self._streams() for era in eras]
        return {
            "expected": sum(len(era["gaps"]) for era in eras),
            "of_the_capture": sum(len(era["own"]) for era in eras),
            "of_damage": self._loops * len(self._done["damaged"]),
            "noticed": sum(len(ranges) for ranges in self._noticed.values()),
        }

    def applied(self, record: Sequence[Any]) -> dict[str, Any]:
        """Return a record of what was done, with names, and by what it was noticed."""
        return {**_named(record, self._done, self._feed), "noticed": self._notice(record)}

    def _notice(self, record: Sequence[Any]) -> str:
        """Return by what a fault was noticed; "" where it was not."""
        entry = dict(zip(COLUMNS, record, strict=True))
        channel, line = int(entry["channel"]), int(entry["line"])
        sign = SIGNS[int(entry["sign"])]
        if sign == "gap":
            numbers = self._epochs.get((channel, int(entry["stream"])), [])
            for era, first, last in entry["gaps"]:
                noticed = self._noticed.get((channel, numbers[era]), NOBODY) if era < len(numbers) else NOBODY
                if minus([(first, last)], noticed):
                    return ""
            return "gap"
        if sign == "epoch":
            return "epoch" if self._epochs_right else ""
        if sign:
            count = self._counts[sign]
            return sign if count["noticed"] >= count["expected"] else ""
        # What a line missed is known by its own numbers: after a restart they are not the recorded ones.
        plain = len(self._epochs.get((channel, int(entry["stream"])), [])) == 1
        missed = (
            plain
            and entry["last"] >= entry["first"]
            and self._missing[channel][line].common(int(entry["first"]), int(entry["last"]))
        )
        return "line" if missed else ""
