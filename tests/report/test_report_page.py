"""The page: complete, self-contained, escaped; what is missing is said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from report_results import EVIL, budget, run, stacks, steer

from simbench.report.files import read

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")

from simbench.report.page import POLICY, page

if TYPE_CHECKING:
    from pathlib import Path


class Reader(HTMLParser):
    """Collects tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pairs: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.pairs += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data

    def values(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return [value for key, value in self.pairs if key == name]


def drawn(folder: Path, *results: Any) -> str:
    """Return the page of some results."""
    documents = []
    for number, result in enumerate(results):
        path = folder / f"result{number}.json"
        path.write_text(json.dumps(result), encoding="utf-8")
        documents.append(read(path))
    return page(documents)


FIGURES = ("rate", "percentiles", "course", "timing")


def test_every_figure_is_there_with_its_method_and_the_noise(tmp_path: Path) -> None:
    """In both widths, each with a title and a description; hiccups beside every tail."""
    text = drawn(tmp_path, run(), stacks(), budget(), steer())

    found = Reader(text)
    figures = [f"d0-{name}" for name in FIGURES] + ["d1-cells", "d2-cells", "d3-queues"]
    assert [name for name in found.values("id") if name in figures] == figures
    assert found.tags.count("svg") == 2 * len(figures)
    assert found.tags.count("desc") == 2 * len(figures)
    assert text.count("<strong>Method.</strong>") == len(figures)
    assert text.count('class="noise"') == len(figures) - 1
    assert "datagrams too large" in found.text
    assert "day/open.pcap over veth xdp spin: 10 frames sent" in found.text
    assert "Left out" not in found.text


def test_nothing_is_loaded(tmp_path: Path) -> None:
    """No script, no address, and a policy by which the browser would refuse both; every reference is to the page."""
    text = drawn(tmp_path, run(), stacks(), budget(), steer())

    found = Reader(text)
    assert POLICY in found.values("content")
    assert not {"script", "link", "img", "iframe", "object", "image", "base"} & set(found.tags)
    assert not found.values("src")
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    for reference in found.values("xlink:href") + found.values("href"):
        assert reference.removeprefix("#") in ids
    for rest in text.split("url(")[1:]:
        assert rest.split(")")[0].removeprefix("#") in ids


def test_colours_are_the_page_s(tmp_path: Path) -> None:
    """None of matplotlib's own is left, so that dark is dark."""
    text = drawn(tmp_path, run(), stacks(), steer())

    body = text[text.index("</style>") :]
    assert "var(--ink)" in body
    assert re.findall(r"#[0-9a-fA-F]{6}\b", body) == []


def test_names_are_text(tmp_path: Path) -> None:
    """Whatever stands in a result is shown and not obeyed, in tables and in figures."""
    hostile = run() | {
        "capture": EVIL,
        "wire": EVIL,
        "drops": {EVIL: 1},
        "host": {EVIL: EVIL},
        "speed": {"asked": EVIL},
    }
    hostile["stages"] = {EVIL: hostile["stages"]["due_book"]}
    hostile["timing"]["null"] = {EVIL: hostile["timing"]["null"]["back_to_back"]}
    cells, queues = stacks() | {"capture": EVIL}, steer()
    for cell in cells["cells"]:
        cell["title"] = cell["why"] = EVIL
    queues["schemes"][0] |= {"name": EVIL, "channels_split": [EVIL]}

    found = Reader(drawn(tmp_path, hostile, cells, queues))

    assert not {"script", "img"} & set(found.tags)
    assert found.text.count("<script>alert('x')</script>") >= 10


@pytest.mark.parametrize(
    ("missing", "sentences"),
    [
        ({"timeline": []}, 2),
        ({"curves": {}}, 1),
        ({"timing": {}}, 1),
        ({"timeline": [], "curves": {}, "timing": {}, "stages": {}}, 4),
    ],
)
def test_what_is_missing_is_said(missing: dict[str, Any], sentences: int, tmp_path: Path) -> None:
    """A sentence in the place of each figure, and the others are drawn."""
    found = Reader(drawn(tmp_path, run() | missing))

    assert found.text.count("Left out.") == sentences
    assert found.tags.count("figure") == len(FIGURES) - sentences


def test_a_receiver_that_sleeps_has_unknown_noise(tmp_path: Path) -> None:
    """Not zero."""
    quiet = run() | {"hiccups": {"count": 0, "longest_ns": 0, "watched_ns": 0, "share": 0.0}}

    assert "cannot watch for hiccups" in drawn(tmp_path, quiet)


def test_the_same_results_make_the_same_page(tmp_path: Path) -> None:
    """No date, no random ids: pages can be compared."""
    assert drawn(tmp_path, run(), steer()) == drawn(tmp_path, run(), steer())


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run simbench."""
    words = (sys.executable, "-m", "simbench", *words)
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)


def test_the_command_writes_all_or_nothing(tmp_path: Path) -> None:
    """One bad file among good ones: exit code 2, one line, no page."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(run()), encoding="utf-8")
    bad.write_text("{}", encoding="utf-8")

    done = command("report", good, bad, "-o", tmp_path / "a.html")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "bad.json is not what run" in done.stderr
    assert not (tmp_path / "a.html").exists()

    done = command("report", good, "-o", tmp_path / "a.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_without_the_extra_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    from simbench.commands import report as module
    from simbench.errors import SimbenchError

    path = tmp_path / "run.json"
    path.write_text(json.dumps(run()), encoding="utf-8")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SimbenchError, match=r"pip install 'simbench\[report\]'"):
        module.report(files=[path], output=tmp_path / "a.html")


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_draws_it(tmp_path: Path, width: int, dark: bool) -> None:
    """The page is light or dark as the reader's system is, at either width."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here")
    (tmp_path / "a.html").write_text(drawn(tmp_path, run()), encoding="utf-8")
    picture = tmp_path / "a.png"
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    words = [browser, *flags, *scheme, f"--window-size={width},900", f"--screenshot={picture}"]
    subprocess.run([*words, (tmp_path / "a.html").as_uri()], check=True, capture_output=True, timeout=120)

    from PIL import Image

    with Image.open(picture) as image:
        corner = image.convert("RGB").getpixel((2, 2))
    assert corner == ((0x11, 0x15, 0x1A) if dark else (255, 255, 255))
