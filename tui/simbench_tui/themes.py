"""Colours: three themes of our own, and what a foreign theme lacks.

Bid and ask have colours of their own beside Textual's; meaning never rests on colour alone, so that every theme,
and none at all (NO_COLOR), can be read.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

NIGHT: Final = Theme(
    name="simbench-night",
    primary="#6aa6d8",
    secondary="#8a9bb0",
    accent="#d9b26a",
    success="#79b98d",
    warning="#e0b354",
    error="#e5736f",
    foreground="#c8d0da",
    background="#10151b",
    surface="#151b23",
    panel="#1b232d",
    dark=True,
    variables={
        "bid": "#6fc3b2",
        "ask": "#e58f86",
        "bid-bar": "#2f6a60",
        "ask-bar": "#7d4642",
        "flash": "#2d3b4b",
        "rule": "#34404d",
    },
)

DAY: Final = Theme(
    name="simbench-day",
    primary="#1f5f99",
    secondary="#5a6b7d",
    accent="#8a5a00",
    success="#23733f",
    warning="#8f6200",
    error="#b3261e",
    foreground="#1d2630",
    background="#f6f7f4",
    surface="#eef0ec",
    panel="#e3e7e2",
    dark=False,
    variables={
        "bid": "#0d6658",
        "ask": "#a8322a",
        "bid-bar": "#9fd0c4",
        "ask-bar": "#eab5ae",
        "flash": "#f1e3b0",
        "rule": "#b9c2c4",
    },
)

# Okabe and Ito's palette: told apart with every common colour vision deficiency.
CLEAR: Final = Theme(
    name="simbench-clear",
    primary="#56b4e9",
    secondary="#9aa7b5",
    accent="#f0e442",
    success="#56b4e9",
    warning="#f0e442",
    error="#e69f00",
    foreground="#e6e9ed",
    background="#0c0f13",
    surface="#12161c",
    panel="#1a2029",
    dark=True,
    variables={
        "bid": "#56b4e9",
        "ask": "#e69f00",
        "bid-bar": "#1f5f86",
        "ask-bar": "#855c00",
        "flash": "#3a3f49",
        "rule": "#3d4753",
    },
)

THEMES: Final = (NIGHT, DAY, CLEAR)


def missing_variables(*, dark: bool) -> dict[str, str]:
    """Bid, ask and the rest for a theme that is not ours, by its brightness."""
    return dict((NIGHT if dark else DAY).variables)
