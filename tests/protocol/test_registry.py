"""Protocols are found by entry point, imported when asked for, and guessed only when exactly one fits."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from cme_reference import packet, payloads, synthetic

from simbench.errors import SimbenchError
from simbench.protocol import registry
from simbench.protocol.cme_layout import shipped
from simbench.protocol.cme_mdp3 import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INSTALLED = registry.entry_points
GOOD = "simbench.protocol.cme_mdp3:PROTOCOL"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that replaces the protocols that are installed: name, then what it points to."""

    def put(*pairs: tuple[str, str]) -> None:
        points = tuple(EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in pairs)
        monkeypatch.setattr(registry, "entry_points", lambda **_: points)
        registry._import.cache_clear()

    yield put
    registry._import.cache_clear()


def test_the_protocols_of_the_package_are_there() -> None:
    """Their names come without an import of any of them."""
    assert {"cme.mdp3", "deribit.sbe", "nasdaq.itch50"} <= set(registry.names())
    code = "import sys; from simbench.protocol import registry; registry.names(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_protocol_is_loaded_by_name() -> None:
    """The object is the module's own."""
    assert registry.load("cme.mdp3") is PROTOCOL


def test_an_unknown_name_says_which_there_are(install: Callable[..., None]) -> None:
    """One line, with the names to choose from."""
    install(("cme.mdp3", GOOD))
    with pytest.raises(SimbenchError, match=r"'cme.mpd3' is not installed; there are: cme.mdp3"):
        registry.load("cme.mpd3")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_at_all:PROTOCOL", "cannot be loaded: ModuleNotFoundError"),
        ("simbench.protocol.cme_mdp3:NOTHING", "cannot be loaded: AttributeError"),
        ("simbench.protocol.cme_mdp3:decode", "is not a simbench Protocol"),
    ],
)
def test_a_broken_plug_in_is_one_clear_line(value: str, reason: str, install: Callable[..., None]) -> None:
    """It names the protocol and what went wrong, and the others still work."""
    install(("mine", value), ("cme.mdp3", GOOD))
    with pytest.raises(SimbenchError, match=f"'mine' of .* {reason}|{reason}") as caught:
        registry.load("mine")
    assert "\n" not in str(caught.value)
    assert registry.load("cme.mdp3") is PROTOCOL


def test_a_plug_in_that_raises_on_import_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]
) -> None:
    """Only the first line of its message is shown."""
    (tmp_path / "raising_plugin.py").write_text("raise RuntimeError('first\\nsecond')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    install(("mine", "raising_plugin:PROTOCOL"))
    with pytest.raises(SimbenchError, match=r"RuntimeError: first$"):
        registry.load("mine")


def test_a_name_that_two_packages_claim_is_refused(install: Callable[..., None]) -> None:
    """Which one was meant is not guessed; the same entry twice is one."""
    install(("cme.mdp3", GOOD), ("cme.mdp3", "other.module:PROTOCOL"))
    with pytest.raises(SimbenchError, match="installed twice"):
        registry.load("cme.mdp3")
    install(("cme.mdp3", GOOD), ("cme.mdp3", GOOD))
    assert registry.load("cme.mdp3") is PROTOCOL


def test_a_schema_for_a_protocol_without_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]
) -> None:
    """The line says which option to leave out."""
    install(("plain", GOOD))
    monkeypatch.setattr(registry, "_import", lambda _: replace(PROTOCOL, with_schema=None))
    with pytest.raises(SimbenchError, match="leave out schema"):
        registry.load("plain", "x.xml")
    monkeypatch.undo()


def test_a_guess_needs_every_sample_and_exactly_one_protocol(install: Callable[..., None]) -> None:
    """Nothing, noise, a mixture and two that fit give no guess; a broken plug-in is passed over."""
    book, volume = packet(synthetic(shipped(), 46, 1)), packet(synthetic(shipped(), 37, 1))
    install(("cme.mdp3", GOOD), ("broken", "no_such_module_at_all:PROTOCOL"))
    assert registry.guess([book, b"", volume]) is PROTOCOL
    assert [registry.guess(samples) for samples in ([], [b""], [b"noise" * 9], [book, b"noise" * 9])] == [None] * 4
    install(("cme.mdp3", GOOD), ("copy", GOOD))
    assert registry.guess([book]) is None


def test_recorded_channels_are_guessed(real_captures: Path) -> None:
    """The CME capture is MDP 3.0; Deribit's, SBE with the same schema number, is not."""
    cme = [
        payload
        for _, payload in zip(range(50), payloads(real_captures / "cme-mdp3-340" / "capture.pcap"), strict=False)
    ]
    found = registry.guess(cme)
    assert found is not None
    assert found.name == "cme.mdp3"
    deribit = next((real_captures / "deribit-sbe").glob("capture*"))
    samples = [*islice(payloads(deribit), 50)]
    assert samples
    found = registry.guess(samples)
    assert found is not None
    assert found.name == "deribit.sbe"
