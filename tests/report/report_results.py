"""Results in the shape that the commands write, small and made up."""

from __future__ import annotations

from typing import Any

HICCUPS = {"count": 3, "longest_ns": 40_000, "lost_ns": 90_000, "watched_ns": 9_000_000, "share": 0.01}
EVIL = "<script>alert('x')</script><img src=http://evil/>$\\frac{1}{2}$\u4e2d\x01&amp;\"'"


def times(n: int = 10) -> dict[str, int]:
    """Return percentiles of a stage."""
    return {"n": n, "p50": 0, "p90": 900, "p99": 4_000, "p999": 40_000, "max": 50_000}


def run() -> dict[str, Any]:
    """Return what `run --json` writes, as far as a report looks at it."""
    score = {
        "frames": 10, "lateness": times(), "within_1us": 0.9, "late_frames": 1, "gap_error": times(), "drift_ppm": None,
    }  # fmt: skip
    stages = {"due_send": [5, 0, 10, 11], "send_app": [5, 1, 2, 3], "app_book": [5, 1, 2, 3], "due_book": [5, 9, 9, 9]}
    bucket = {
        "span_ns": 250_000_000, "recorded_ns": "1", "frames": 5, "datagrams": 5, "bytes": 50, "messages": 4,
        "hiccups": 1, "away_ns": 45_000, "gaps_lost": 1, "gaps_filled": 0, "drops": 2, "stages": stages,
    }  # fmt: skip
    return {
        "schema": 1, "host": {"kernel": "6.8", "machine": "x86_64", "cores": 2},
        "capture": "day/open.pcap", "wire": "veth", "stack": "xdp", "wait": "spin",
        "speed": {"asked": "1", "achieved": 1.0}, "sent": 10, "received": 10, "drops": {},
        "stages": {"due_send": times(), "due_book": times()}, "hiccups": HICCUPS, "book": {},
        "timing": {**score, "null": {"back_to_back": score, "constant_rate": score}},
        "timeline": [{"at_ns": number * 250_000_000, **bucket} for number in range(2)],
        "curves": {"due_book": [[0.0, 0], [0.5, 9], [0.9, 900], [1.0, 50_000]]},
    }  # fmt: skip


def stacks() -> dict[str, Any]:
    """Return what `stacks --json` writes."""
    cell = {
        "title": "increments xdp generic spin", "available": True, "why": "", "lost": 0,
        "stages": {"hook_app": times(), "hook_book": times(), "due_book": times()},
        "cpu": {"frames": 10, "both_ns": 5e4}, "runs": [{"hiccups": HICCUPS}],
    }  # fmt: skip
    gone = {"title": "increments xdp native spin", "available": False, "why": "datagrams too large"}
    return {"schema": 1, "host": None, "capture": "a.pcap", "cells": [cell, gone], "effects": [], "error_bound": 0.0078}


def budget() -> dict[str, Any]:
    """Return what `budget --json` writes."""
    part = {**times(), "mean": 9.0, "a_frame": 12.5, "share": 1.0}
    cell = {"title": "udp block", "stages": {"hook_app": part}, "totals": {}, "runs": [{"hiccups": HICCUPS}]}
    return {"schema": 1, "host": {}, "capture": "a.pcap", "cells": [cell], "error_bound": 0.0078}


def steer() -> dict[str, Any]:
    """Return what `steer --json` writes."""
    scheme = {
        "name": "RSS", "queues": [{"mean": 5, "busiest": 2}, {"mean": 1, "busiest": 0}],
        "imbalance": {"mean": 1.7, "busiest": 2.0}, "over_least": {"mean": 1.0, "busiest": 1.0}, "channels_split": [],
    }  # fmt: skip
    return {"schema": 1, "flows": [], "schemes": [scheme, {**scheme, "name": "rules", "channels_split": ["a"]}]}
