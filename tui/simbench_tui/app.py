"""The terminal as an application: snapshots come in, panes show them, keys drive the replay."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand

from simbench.errors import SimbenchError
from simbench_tui.constants import DEFAULT_THEME, SAMPLE_INTERVAL_S, SPEEDS, WATCH_INTERVAL_S
from simbench_tui.format import time_of_day
from simbench_tui.glyphs import ASCII, UNICODE, ascii_wanted
from simbench_tui.health import Health
from simbench_tui.help import Help
from simbench_tui.keys import KEYS
from simbench_tui.latency import Latency
from simbench_tui.messages import Sampled, SourceFailed
from simbench_tui.picker import Picker
from simbench_tui.roster import Roster
from simbench_tui.sampler import Sampler, take
from simbench_tui.screen import BenchScreen
from simbench_tui.table import TablePane
from simbench_tui.terminal import lasting
from simbench_tui.themes import THEMES, missing_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.screen import Screen

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.source import Source, Steering

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class BenchApp(App[None]):
    """The terminal of one run.

    Args:
        source: of the snapshots.
        control: of the replay; None where the receiver is alone.
        ascii_only: draw with ASCII; None lets the environment and the terminal's encoding decide.
        clock: monotonic nanoseconds, to tell whether snapshots still arrive.
        live: take snapshots from a thread at a steady pace; False leaves that to `sample()`.
        folder: where pictures are written.
    """

    TITLE = "simbench"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["pane.tcss", "screen.tcss", "overlay.tcss"]

    def __init__(
        self,
        source: Source,
        control: Steering | None,
        *,
        ascii_only: bool | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        live: bool = True,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        if ascii_only is None:
            ascii_only = ascii_wanted(os.environ, sys.stdout.encoding)
        self._glyphs = ASCII if ascii_only else UNICODE
        self.set_class(ascii_only, "-ascii")
        self._source = source
        self._control = control
        self._clock = clock
        self._folder = folder or Path()
        self._sampler = Sampler(source, self.post_message, SAMPLE_INTERVAL_S) if live else None
        self._health = Health(clock())
        self._roster = Roster()
        self._latest: Snapshot | None = None
        self._frozen: Snapshot | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._bench = BenchScreen(self._glyphs, steering=control is not None)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DEFAULT_THEME

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Textual: variables of ours that a foreign theme lacks."""
        return missing_variables(dark=self.current_theme.dark)

    def get_default_screen(self) -> Screen[None]:
        """Textual: the screen to begin with."""
        return self._bench

    def on_ready(self) -> None:
        """Start taking snapshots; leave the terminal as it was also when the process is told to end."""
        if self._sampler is None:
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._handlers[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self.exit)
        # What exists now lives to the end: keep the collector from walking over it in the middle of an update.
        gc.freeze()
        self.set_interval(WATCH_INTERVAL_S, self.watch_news)
        self._sampler.start()

    def on_unmount(self) -> None:
        """Stop taking snapshots."""
        if self._sampler is None:
            return
        self._sampler.stop()
        loop = asyncio.get_running_loop()
        for number, handler in self._handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def sample(self) -> None:
        """Take one snapshot here and now and show it, where no thread does."""
        message = take(self._source, self._roster.chosen)
        if isinstance(message, Sampled):
            self.on_sampled(message)
        else:
            self.on_source_failed(message)

    def on_sampled(self, message: Sampled) -> None:
        """Show a moment of the run."""
        snapshot = message.snapshot
        self._latest = snapshot
        self._health.hear(snapshot, self._clock())
        before = self._roster.chosen
        self._roster.see(snapshot.instruments)
        if self._roster.chosen != before:
            self._ask_for_book()
        with self.batch_update():
            self._tell()
            if self._frozen is None:
                self._bench.show(snapshot)

    def on_source_failed(self, message: SourceFailed) -> None:
        """Say that there was nothing to show."""
        self._health.fail(message.reason)
        self._tell()

    def watch_news(self) -> None:
        """Say so when snapshots stay away."""
        self._tell()

    def action_pause(self) -> None:
        """Pause or go on."""
        self._steer(lambda control: control.toggle())

    def action_step(self) -> None:
        """Send one datagram."""
        self._steer(lambda control: control.step())

    def action_faster(self) -> None:
        """Raise the speed."""
        self._steer(lambda control: control.faster())

    def action_slower(self) -> None:
        """Lower the speed."""
        self._steer(lambda control: control.slower())

    def action_speed(self, speed: float | str) -> None:
        """Replay at a factor of the recorded speed, or at "max"."""
        self._steer(lambda control: control.set_speed(speed))

    def action_stop(self) -> None:
        """End the replay; what was received stays in view."""
        self._steer(lambda control: control.stop())

    def action_instrument(self, by: int) -> None:
        """Show the next instrument, or the one before."""
        self._roster.move(by)
        self._ask_for_book()

    def action_follow(self) -> None:
        """Show the busiest instrument."""
        self._roster.follow()
        self._ask_for_book()

    def action_find(self) -> None:
        """Search for an instrument."""

        def chosen(index: int | None) -> None:
            if index is not None:
                self._roster.choose(index)
                self._ask_for_book()

        self.push_screen(Picker(self._roster.rows, self._glyphs), chosen)

    def action_freeze(self) -> None:
        """Hold the view still, or let it move."""
        if self._frozen is None:
            self._frozen = self._latest
        else:
            self._frozen = None
            if self._latest is not None:
                self._bench.show(self._latest)
        self._tell()

    def action_stage(self, by: int) -> None:
        """Draw another latency stage."""
        self._bench.query_one(Latency).choose_stage(by)

    def action_view(self, name: str) -> None:
        """See other panes."""
        self._bench.view(name)

    def action_pane(self) -> None:
        """Give the arrow keys to the next table."""
        self._bench.focus_next(TablePane)

    def action_colours(self) -> None:
        """Change the theme."""
        names = [theme.name for theme in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]

    def action_picture(self) -> None:
        """Write what is seen to a file."""
        when = time_of_day(self._latest.position_ns, 3) if self._latest else "start"
        name = f"simbench-{when.replace(':', '').replace('.', '-')}.svg"
        try:
            path = self.save_screenshot(name, str(self._folder))
        except OSError as error:
            self.notify(f"no picture: {error}", severity="error", markup=False)
        else:
            self.notify(f"picture: {path}", markup=False)

    def action_help(self) -> None:
        """Explain keys and figures."""
        self.push_screen(Help())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual: what the command palette offers."""
        for key in KEYS:
            if self._control is not None or not key.steers:
                yield SystemCommand(key.title, f"{key.shown}: {key.meaning}", self._acts(key.action))
        if self._control is not None:
            yield SystemCommand("Speed: maximum", "As fast as the receiver takes it.", self._acts("speed('max')"))
            for factor in SPEEDS:
                title = f"Speed: {factor:g} times the recorded"
                yield SystemCommand(title, "Replay at this speed.", self._acts(f"speed({factor})"))
            yield SystemCommand("Stop the replay", "End it; the terminal stays.", self._acts("stop"))
        yield from (
            command
            for command in super().get_system_commands(screen)
            if command.title in {"Theme", "Maximize", "Minimize"}
        )

    def _acts(self, action: str) -> Callable[[], None]:
        def act() -> None:
            self.call_later(self.run_action, action)

        return act

    def _steer(self, command: Callable[[Steering], int]) -> None:
        if self._control is None:
            self.notify("nothing to drive: the receiver runs alone", severity="warning", markup=False)
            return
        try:
            if not command(self._control):
                self.notify("the replayer takes no commands: it has ended or is busy", severity="warning", markup=False)
        except SimbenchError as error:
            self.notify(str(error), severity="error", markup=False)

    def _ask_for_book(self) -> None:
        if self._sampler is not None:
            self._sampler.choose(self._roster.chosen)

    def _tell(self) -> None:
        frozen = self._frozen.position_ns if self._frozen else None
        self._bench.tell(self._latest, self._health.judge(self._clock()), frozen)


def run(source: Source, control: Steering | None, *, ascii_only: bool | None = None) -> None:
    """Show a run until the user leaves; must be called from the main thread of a process with a terminal."""
    with lasting():
        BenchApp(source, control, ascii_only=ascii_only).run()
