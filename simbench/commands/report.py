"""simbench report: one page with the plots of results that were written as JSON."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from simbench.commands import show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def report(*, files: Sequence[Path], output: Path) -> int:
    """Read the files, all of them before anything is drawn, and write the page whole or not at all."""
    from simbench.commands.targets import check_target
    from simbench.report.files import read

    check_target(output)
    documents = [read(path) for path in files]
    if importlib.util.find_spec("matplotlib") is None:
        raise SimbenchError("report draws with matplotlib, which is not installed; pip install 'simbench[report]'")
    from simbench.report.page import page

    text = page(documents)
    temporary = output.with_name(output.name + ".part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(output)
    except OSError as error:
        raise SimbenchError(f"cannot write {output}: {error.strerror}") from None
    show.complain(f"wrote {output}: {len(documents)} results, {len(text) / 1e6:.1f} MB")
    return 0
