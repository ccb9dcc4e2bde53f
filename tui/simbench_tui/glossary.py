"""What each figure means and in what unit it is: the text of the help."""

from __future__ import annotations

from typing import Final

FIGURES: Final = (
    (
        "Position",
        (
            ("recorded time", "UTC", "Where the replay is on the capture's own clock."),
            (
                "asked, got",
                "factor",
                "Speed against the recording: what was asked for, and recorded over elapsed time.",
            ),
            ("elapsed", "h:m:s", "Since the first frame was sent."),
            ("frame", "frames", "Sent so far, of those that one loop sends."),
            (
                "late p50, p99",
                "ns us ms",
                "How long after its due time a frame was sent; half of them, 99 % of them sooner.",
            ),
            ("STALLED", "", "Neither replay time nor any counter moved for two seconds."),
            ("NO NEWS", "", "No snapshot came for two seconds: the run may be gone, what is shown is old."),
        ),
    ),
    (
        "Book",
        (
            ("lvl", "", "A1 is the best ask, B1 the best bid."),
            ("price, size", "exact", "As on the wire, at the instrument's own scale; never rounded."),
            ("* + -", "", "The level is new, grew, or shrank a moment ago."),
            ("ord", "orders", "Orders at the level; empty where the feed does not say."),
            ("implied", "size", "Implied from other books (i), the shaded part of the bar."),
            ("? unknown", "", "The level exists, but was never sent since we joined."),
            (
                "state",
                "",
                "current; empty: nothing of it came yet; stale, unsynchronised, naturally refreshed: since when, why.",
            ),
            ("spread", "exact", "Best direct ask less best direct bid; a book may be locked (nought) or crossed."),
            ("imbalance", "%", "Best bid's size less best ask's, of both together."),
        ),
    ),
    (
        "Lines and gaps",
        (
            ("state", "", "up, stale (silent for longer than it should be), down (for much longer), or never seen."),
            ("won", "datagrams", "Came first on this line; the rest were duplicates of another line's."),
            ("late", "datagrams", "Came after their place in the sequence had been given up."),
            ("missing", "units", "Sequence units (packets or messages, by protocol) that this line did not carry."),
            ("age", "ns us ms s", "Replay time since the line's last datagram."),
            ("outcome", "", "open, asked for, lost, or what filled it: the other line, a reorder, or sent again."),
            ("open for", "ns us ms s", "Replay time that the hole was or has been open."),
            ("books", "instruments", "How many books are in each state, of the first 16,384."),
            ("ep", "", "Epoch: how often the sequence had started anew."),
        ),
    ),
    (
        "Latency",
        (
            ("due to send", "ns us ms", "T0 to T1: the replayer's lateness."),
            ("send to hook", "ns us ms", "T1 to T2: the wire, up to the driver's hook."),
            ("hook to application", "ns us ms", "T2 to T3: the stack."),
            ("application to book", "ns us ms", "T3 to T4: the feed handler, book updated."),
            ("p50 ... max", "", "Half, 90, 99 and 99.9 % of the values are at most this; within 1 %."),
            (
                "histogram",
                "log axis",
                "Counts by latency; the marks above name percentiles. Any value at all shows a foot.",
            ),
        ),
    ),
    (
        "Rates and losses",
        (
            ("datagrams/s", "1/s", "UDP payloads received, all lines."),
            ("messages/s", "1/s", "After arbitration: each message once."),
            ("events/s", "1/s", "Changes applied to books."),
            ("drop: ...", "frames", "Lost between sender and receiver, by cause."),
            ("crossed, ...", "events", "Anomalies: what a book met that should not be."),
            (
                "hiccups",
                "count",
                "Moments in which the receiving core did something else; the longest; the share of time.",
            ),
        ),
    ),
)
