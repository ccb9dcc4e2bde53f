"""The characters that panes draw with: one set for terminals with Unicode, one for those without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench_tui.constants import ASCII_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters, each a single cell.

    Attributes:
        rule: of titles and of the spread.
        eighths: a horizontal bar's last cell, from an eighth to full.
        levels: a vertical bar's cell, from empty to full.
        shade: a bar's part that is implied.
        done, edge, todo: the progress bar.
        cursor: where the replay is on the capture's rate.
        mark, burst, edge_mark: of a bookmark, of where a burst begins, of a window's ends.
        fill: of what is solid in a picture.
        braille: whether an area may be drawn with two by four dots a cell.
    """

    rule: str
    eighths: str
    levels: str
    shade: str
    done: str
    edge: str
    todo: str
    cursor: str
    mark: str
    burst: str
    edge_mark: str
    fill: str
    tick: str
    dot: str
    ellipsis: str
    chosen: str
    up: str
    stale: str
    never: str
    buy: str
    sell: str
    warn: str
    bad: str
    braille: bool


UNICODE: Final = Glyphs(
    rule="─",
    eighths="▏▎▍▌▋▊▉█",
    levels=" ▁▂▃▄▅▆▇█",
    shade="░",
    done="━",
    edge="╸",
    todo="─",
    cursor="│",
    mark="◆",
    burst="▴",
    edge_mark="┃",
    fill="█",
    tick="╵",
    dot="·",
    ellipsis="…",
    chosen="▸",
    up="●",
    stale="○",
    never="·",
    buy="▲",
    sell="▼",
    warn="!",
    bad="✗",
    braille=True,
)

ASCII: Final = Glyphs(
    rule="-",
    eighths="#",
    levels=" .:|#",
    shade="+",
    done="=",
    edge=">",
    todo="-",
    cursor="|",
    mark="#",
    burst="'",
    edge_mark="!",
    fill="#",
    tick="|",
    dot="-",
    ellipsis="~",
    chosen=">",
    up="*",
    stale="o",
    never="-",
    buy="^",
    sell="v",
    warn="!",
    bad="x",
    braille=False,
)


def ascii_wanted(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Whether to draw with ASCII: the user's word, else whether the terminal's encoding lacks Unicode."""
    word = environment.get(ASCII_VARIABLE, "")
    if word:
        return word not in {"0", "no", "false"}
    return not (encoding or "").lower().replace("-", "").startswith("utf")
