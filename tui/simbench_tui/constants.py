"""Every default of the terminal, each with its reason."""

from __future__ import annotations

from typing import Final

SAMPLE_INTERVAL_S: Final = 0.1
"""Seconds between two snapshots: ten a second look continuous, and cost a few per cent of a core."""

STOP_S: Final = 1.0
"""Seconds that leaving waits for a snapshot that is being taken: what it reads may be gone right after."""

WATCH_INTERVAL_S: Final = 0.5
"""Seconds between two looks at whether snapshots still arrive; only words change, so half a second is quick enough."""

LOST_NS: Final = 2_000_000_000
"""Without a snapshot for this long the run is given up as silent: twenty intervals are no hiccup."""

STALL_NS: Final = 2_000_000_000
"""A running replay in which nothing moved for this long is called stalled; in a quiet market time still moves."""

FLASH_NS: Final = 400_000_000
"""A changed level is marked for this long: readable at ten frames a second, gone before it lies."""

CALM_NS: Final = 450_000_000
"""Percentiles and counters move this seldom: twice a second can be read, ten times cannot; it also halves the work."""

FOLLOW_FACTOR: Final = 2
"""Until a key chooses, the busiest instrument is shown; another takes over when it is this many times as busy, so that
two equally busy ones do not take turns."""

ROSTER_LIMIT: Final = 20_000
"""Instruments remembered for stepping through: every US stock and option class fits, a runaway key does not."""

NARROW_BELOW: Final = 100
"""Columns below which the layout is the narrow one: 80 is the terminal that everybody has."""

WIDE_FROM: Final = 160
"""Columns from which three columns of panes stand side by side, each still as wide as in the normal layout."""

TALL_FROM: Final = 34
"""Rows from which trades, log and rate history have room in the overview."""

HISTORY_INTERVALS: Final = 120
"""Intervals across the rate history: what a snapshot carries at most; the graph keeps this scale from the start."""

QUOTES: Final = 240
"""Moments of spread and imbalance that are remembered: 24 seconds, two a cell of a wide terminal."""

OTHERS: Final = 6
"""Books beside the shown one on the book's screen, pinned ones first: each costs the receiver a copy at each change."""

ERRAND_LEAD_S: Final = 0.15
"""Seconds of clock time before a burst at which the replay pauses: a snapshot and a half, so that it is not missed."""

HISTOGRAM_ROWS_MIN: Final = 2
"""Rows below which a histogram says nothing that the table does not: then the table has the room."""

HISTOGRAM_SHARE_FROM: Final = 16
"""Rows from which a third is the histogram's: below, each stage in figures is worth more than a row of it."""

STAGES_MIN: Final = 7
"""Stages in figures below a histogram; where not even these have room, they are worth more than the picture."""

DECADES_MIN: Final = 3
"""Decades that a latency axis spans at least, so that a quiet stage does not fill the width with one column."""

SPEEDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
"""Speed factors that the command palette offers by name."""

DEFAULT_THEME: Final = "simbench-night"
"""Dark, since this stands on a second screen all day."""

ASCII_VARIABLE: Final = "SIMBENCH_ASCII"
"""Environment variable: "1" draws with ASCII only, "0" never does; without it the terminal's encoding decides."""
