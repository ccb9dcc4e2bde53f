"""Files are recognised by their shape, and one that is not right is one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from report_results import budget, run, stacks, steer

from simbench.errors import SimbenchError
from simbench.report.files import Run, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def written(folder: Path, what: Any) -> Path:
    """Write a result."""
    path = folder / "result.json"
    path.write_text(json.dumps(what), encoding="utf-8")
    return path


@pytest.mark.parametrize(("make", "kind"), [(run, "run"), (stacks, "stacks"), (budget, "budget"), (steer, "steer")])
def test_each_kind_is_recognised(make: Callable[[], Any], kind: str, tmp_path: Path) -> None:
    """By its keys, whatever its name."""
    assert read(written(tmp_path, make())).kind == kind


def test_timing_is_none_at_full_speed(tmp_path: Path) -> None:
    """Where nothing was due there is no proof."""
    found = read(written(tmp_path, run() | {"timing": {}})).found
    assert isinstance(found, Run)
    assert found.proof() is None


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ([], "is not what run"),
        ({"schema": 1}, "is not what run"),
        (run() | {"schema": 2}, "another version"),
        (run() | {"sent": -1}, "damaged"),
        (run() | {"stages": {"due_book": {"n": 1}}}, "damaged"),
        (run() | {"timing": {"frames": 3}}, "damaged"),
        (run() | {"timeline": run()["timeline"] * 200}, "damaged"),
        (run() | {"curves": {"due_book": [[0.0, 1 << 70]]}}, "damaged"),
        (steer() | {"schemes": []}, "damaged"),
    ],
)
def test_what_is_not_right_is_one_line(what: Any, said: str, tmp_path: Path) -> None:
    """It names the file."""
    path = written(tmp_path, what)
    with pytest.raises(SimbenchError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}'])
def test_what_is_no_json_is_one_line(raw: bytes, tmp_path: Path) -> None:
    """Empty, cut, not text, too deep."""
    path = tmp_path / "result.json"
    path.write_bytes(raw)
    with pytest.raises(SimbenchError, match="is not JSON, or was cut"):
        read(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """And a folder."""
    with pytest.raises(SimbenchError, match="No such file"):
        read(tmp_path / "none.json")
    with pytest.raises(SimbenchError, match="cannot read"):
        read(tmp_path)
