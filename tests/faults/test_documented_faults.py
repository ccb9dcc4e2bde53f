"""docs/faults.md: its scripts do what they say, its tables name every key, its recipe draws what is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from fault_bench import load, sent
from msgspec.structs import fields

from simbench.faults.draw import draw, scatter
from simbench.faults.outcome import CLASSES, SIGNS
from simbench.faults.script import KINDS, Fault

if TYPE_CHECKING:
    import msgspec

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*\|.*) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_every_script_of_the_page_works(script: str, itch: Path) -> None:
    """Each of its faults happens on a generated feed."""
    loader = load(itch, script)
    assert sent(loader) != sent(load(itch))
    assert all(fault["records"] > 0 for fault in loader.foreseen["faults"])


def test_the_first_script_loses_what_the_page_says(itch: Path) -> None:
    """One gap, which covers the sequences that both lines lost."""
    (era,) = load(itch, SCRIPTS[0]).foreseen["streams"][0]["eras"]
    assert any(first <= 500 and last >= 519 for first, last in era["gaps"])


@pytest.mark.parametrize("kind", get_args(Fault), ids=KINDS)
def test_every_kind_and_key_is_in_the_tables(kind: type[msgspec.Struct]) -> None:
    """A key is either one of those that choose datagrams, or stands in the row of its kind, with its default."""
    name = str(kind.__struct_config__.tag)
    choosing = re.findall(
        r"^\| `(\w+)`(?:, `(\w+)`)? \|", PAGE.split("### Which datagrams")[1].split("### Kinds")[0], re.MULTILINE
    )
    common = {key for pair in choosing for key in pair if key}
    assert len(common) == 9
    for field in fields(kind):
        if field.encode_name in common:
            continue
        assert f"`{field.encode_name}`" in ROWS[name], (name, field.encode_name)
        if isinstance(field.default, str) and field.encode_name != "part":
            assert f'"{field.default}"' in ROWS[name]
        elif isinstance(field.default, bool | int):
            assert f"({str(field.default).lower()})" in ROWS[name]


def test_classes_and_signs_are_explained() -> None:
    """Every class has a row, every sign stands where `noticed` is explained."""
    assert set(CLASSES) <= ROWS.keys() | {name for name in CLASSES if f"| `{name}` |" in PAGE}
    assert all(f"`{sign}`" in PAGE for sign in SIGNS if sign)


def test_the_recipe_is_the_one_that_is_used() -> None:
    """The three lines of the page, carried out as they stand there."""
    recipe = PAGE.split("## What is drawn")[1]
    numbers = [int(number, 16) for number in re.findall(r"0x([0-9A-F]{16})", recipe)]
    mask = (1 << 64) - 1

    def mixed(x: int) -> int:
        x ^= x >> 30
        x = x * numbers[0] & mask
        x ^= x >> 27
        x = x * numbers[1] & mask
        return x ^ x >> 31

    key = mixed(7 + mixed((3 << 20) + 5) & mask)
    assert draw(7, 3, 812 + (2 << 40), 5) == mixed(key + (812 + (2 << 40) + 1) * numbers[2] & mask)
    assert scatter(12345) == mixed(12345) != 12345
