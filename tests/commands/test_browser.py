"""What `--serve` says where it cannot: no address, no package."""

from __future__ import annotations

import sys

import pytest

from simbench.commands import browser
from simbench.errors import SimbenchError


def test_without_the_package_one_line_says_which() -> None:
    """It is an extra: who wants the page alone needs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "simbench_tui.serving", raising=False)
        for name in ("textual_serve", "aiohttp"):
            patch.setitem(sys.modules, name, None)
        with (
            pytest.raises(
                SimbenchError, match=r"--serve needs \w+, which is not here: pip install 'simbench\[serve\]'"
            ),
            browser.opened("127.0.0.1:0"),
        ):
            pass


def test_who_does_not_ask_is_served_nothing() -> None:
    """Nothing is imported for it, and nothing listens."""
    with browser.opened(None) as door, browser.served(door, pid=1, title="", receiver_core=None):
        assert door is None


def test_an_address_of_others_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever opens a run to the network is told what that means; of loopback nothing is said."""
    pytest.importorskip("textual_serve", reason="--serve needs textual-serve")
    reachable = "whoever can reach 0.0.0.0:0 can watch this run, and drive it\n"
    for where, said in (("0.0.0.0:0", reachable), ("127.0.0.1:0", "")):
        with browser.opened(where) as door:
            assert door is not None
        assert capsys.readouterr().err == said
