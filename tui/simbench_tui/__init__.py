"""The terminal of simbench: the market, the feed and the latency at once, and the keys that drive the replay.

It imports simbench and is imported by nothing of it but the command line, and there only when it is wanted.
"""

from simbench_tui.app import BenchApp, run

__all__ = ["BenchApp", "run"]
