"""What each figure means and in what unit it is: the text of the help."""

from __future__ import annotations

from typing import Final

from simbench_tui.keys import SCREENS

FIGURES: Final = (
    (
        "Position",
        SCREENS,
        (
            ("recorded time", "UTC", "Where the replay is on the capture's own clock."),
            ("asked, got", "factor", "Speed against the recording: asked for, and recorded over elapsed time."),
            ("elapsed", "h:m:s", "Since the first frame was sent."),
            ("frame", "frames", "Sent so far, of those that one loop sends."),
            ("late p50, p99", "ns us ms", "How long after its due time a frame was sent; half of them, 99 % sooner."),
            ("STALLED", "", "Neither replay time nor any counter moved for two seconds."),
            ("NO NEWS", "", "No snapshot came for two seconds: the run may be gone, what is shown is old."),
            ("TO NEXT GAP, ...", "", "The replay is paused when that has come; space calls it off."),
            (
                "gate: shut",
                "",
                "The receiver takes nothing to the books; what comes waits on the wire. space opens it.",
            ),
            ("LOOPS", "", "The terminal jumps back when it sees the end of the window; o leaves it."),
        ),
    ),
    (
        "Capture",
        ("overview",),
        (
            ("line", "frames/s", "The capture's rate over its recorded time, the highest of each column; from nought."),
            ("marks", "", "Below it: bursts, gaps by what became of them, bookmarks, the ends of a looped window."),
            ("burst", "", "The busiest hundredth of the capture's stretches; where each of them begins."),
        ),
    ),
    (
        "Book",
        ("overview", "book"),
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
            ("queue", "orders", "Of the level that the arrow keys choose: its orders, first in the queue first."),
            ("ahead", "exact", "Size of the orders in front of this one at its level."),
        ),
    ),
    (
        "Side by side",
        ("book",),
        (
            ("spread, imbalance", "", "Of the shown instrument, a value a snapshot, the latest at the right."),
            ("all bid, all ask", "", "The lower area: the bid's share of the best sizes; half is balanced."),
            ("last", "exact", "Price of the last trade since the book has been looked at."),
            ("updates", "events", "That touched the book since the start."),
        ),
    ),
    (
        "Lines and gaps",
        ("overview", "feed"),
        (
            ("state", "", "up, stale (silent for longer than it should be), down (for much longer), or never seen."),
            ("won", "datagrams", "Came first on this line; the rest were duplicates of another line's."),
            ("late", "datagrams", "Came after their place in the sequence had been given up."),
            ("missing", "units", "Sequence units (packets or messages, by protocol) that this line did not carry."),
            ("age", "ns us ms s", "Replay time since the line's last datagram."),
            ("outcome", "", "open, asked for, lost, or what filled it: the other line, a reorder, or sent again."),
            ("open for", "ns us ms s", "Replay time that the hole was or has been open."),
            ("life", "log axis", "From 1 us to 10 s: opened, held, ? asked for (how often), and how it ended."),
            ("books", "instruments", "How many books are in each state, of the first 16,384."),
            ("ep", "", "Epoch: how often the sequence had started anew."),
            ("requests, repaired", "", "Of a channel: asked for again, and sequence units that came for it."),
        ),
    ),
    (
        "Skew between lines",
        ("feed",),
        (
            ("second", "packets", "Of which another line brought the first copy."),
            ("p50, p99, max", "ns us ms", "How long after that the line's own came, in replay time."),
            ("picture", "log axis", "Counts by that time; the highest column is full."),
        ),
    ),
    (
        "Latency",
        ("overview", "latency"),
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
            ("over time", "log axis", "Half seconds of clock time: solid up to p50, shaded up to p99 of each."),
            ("hiccups (row)", "share", "Time that the receiving core lost in that half second; full is 1 % or more."),
            ("gaps (row)", "", "Half seconds in which a gap was found."),
            ("budget", "ns us, %", "What each part of the way adds to the mean of the whole, due to book."),
            ("worst frames", "ns us ms", "The 16 that took longest from hook to book; from send to book on the ring."),
            ("before, handler", "ns us ms", "Of that: until the application had it (T3), and from then on."),
            ("away", "ns us ms", "So long the core had not looked at the wire when it took the frame: a hiccup."),
            ("kinds", "messages", "What it carried, by message type as the exchange writes it."),
        ),
    ),
    (
        "Rates and losses",
        ("overview", "latency"),
        (
            ("datagrams/s", "1/s", "UDP payloads received, all lines."),
            ("messages/s", "1/s", "After arbitration: each message once."),
            ("events/s", "1/s", "Changes applied to books."),
            ("drop: ...", "frames", "Lost between sender and receiver, by cause."),
            ("crossed, ...", "events", "Anomalies: what a book met that should not be."),
            ("hiccups", "count", "Moments in which the receiving core did something else; the longest; the share."),
        ),
    ),
    (
        "Wire and host",
        ("wire",),
        (
            ("under way", "frames", "Sent, and not yet dealt with by the receiver."),
            ("no room: dropped", "frames", "Found no room on the wire when they were due."),
            ("never given back", "frames", "Written off at maximum speed: lost behind the sender."),
            ("mean, largest batch", "frames", "Handed to the wire at once; the mean and the most."),
            ("awake before due", "us", "So long before a deadline the sender stops sleeping."),
            ("polls with frames", "%", "Of the receiver's looks at the wire."),
            ("processor time", "% of a core", "Of each process over the last second, all its threads; of each core."),
            ("gone", "", "The process has ended."),
            ("queues", "", "Of the wire: the core of each one's thread and the channels that it owns."),
            ("p50, p99 (queues)", "ns us ms", "Of the queue's own handler, T3 to T4, over the whole run."),
            ("hiccups, drops (queues)", "count", "Of that core while it spun, and frames lost at that queue."),
            ("host", "", "What the doctor reads of the host's set-up; simbench doctor watches its cores as well."),
        ),
    ),
)
"""Sections: title, the screens on which its figures are, and each figure with its unit and its meaning."""
