"""What `simbench stacks --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.session.effects import effects, ends
from simbench.session.stacks import FEEDS, SHARES, STAGES, same_digests, same_tops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.session.stacks import Row


def told(capture: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return everything as JSON has it."""
    found = ends(rows)
    hosts = [run.measured.found["host"] for row in rows for run in row.runs]
    return {
        "schema": 1,
        "host": hosts[0] if hosts else None,
        "capture": capture,
        "error_bound": 1 / 128,
        "cells": [_cell(row) for row in rows],
        "effects": [
            {
                "effect": effect.kind,
                "slow": effect.slow.cell.title,
                "fast": effect.fast.cell.title,
                "ratios": {
                    stage: {name: effect.ratio(stage, share) for name, share in SHARES.items()}
                    for stage in STAGES
                    if effect.ratios(stage, 50.0)
                },
            }
            for effect in effects(rows)
        ],
        "ends": None if found is None else found.to_json(),
        "equal": {**{feed: same_digests(rows, feed) for feed in FEEDS}, "tops": same_tops(rows)},
    }


def _cell(row: Row) -> dict[str, Any]:
    cell = row.cell
    head = {
        "title": cell.title,
        "stack": cell.stack,
        "mode": cell.mode if cell.stack == "xdp" else "",
        "wait": cell.wait,
        "feed": cell.feed,
        "speed": cell.speed,
        "available": not row.why,
        "why": row.why,
    }
    if not row.runs:
        return head
    spent = row.spent
    keys = ("sent", "received", "drops", "unstamped", "unmatched", "hiccups", "speed", "stages")
    return {
        **head,
        "stages": {stage: row.stage(stage).summary() for stage in STAGES},
        "spread": {stage: {name: row.spread(stage, share) for name, share in SHARES.items()} for stage in STAGES},
        "cpu": {
            "frames": spent.frames,
            "elapsed_ns": spent.elapsed_ns,
            **{f"{name}_ns": value for name, value in row.costs().items()},
        },
        "lost": sum(run.lost for run in row.runs),
        "digests": sorted(row.digests),
        "runs": [
            {
                **{key: run.measured.found[key] for key in keys},
                "bytes": run.measured.found["replayer"]["bytes"],
                "messages": run.measured.found["book"]["messages"]["total"],
            }
            for run in row.runs
        ],
    }
