"""The terminal as an application: snapshots come in, screens show them, keys drive the replay."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand

from simbench_tui.constants import DEFAULT_THEME, OTHERS, SAMPLE_INTERVAL_S, SPEEDS, WATCH_INTERVAL_S
from simbench_tui.cutting import Cutter
from simbench_tui.drive import Driver as ReplayDriver
from simbench_tui.driver import best
from simbench_tui.fault_dialog import FaultDialog
from simbench_tui.faulting import Order
from simbench_tui.glyphs import ASCII, UNICODE, ascii_wanted
from simbench_tui.golden_dialog import GoldenDialog
from simbench_tui.health import Health
from simbench_tui.help import Help
from simbench_tui.jump import Jump
from simbench_tui.keys import SCREENS, actions
from simbench_tui.latency import chosen_stage
from simbench_tui.level import next_level
from simbench_tui.look import LOUDNESS, Bookmark, Look
from simbench_tui.messages import Sampled, SourceFailed, Told
from simbench_tui.note import Note
from simbench_tui.picker import Picker
from simbench_tui.places import places
from simbench_tui.roster import Roster
from simbench_tui.sampler import Sampler, take
from simbench_tui.saving import file_name, save_json
from simbench_tui.screen import BenchScreen
from simbench_tui.screens import BY_NAME
from simbench_tui.terminal import lasting, only_after_stops
from simbench_tui.themes import THEMES, missing_variables
from simbench_tui.touch import Quotes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.driver import Driver
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
        folder: where pictures and snapshots are written.
        capture: path of the capture that is replayed; "" none that a golden could be cut from.
        feed: text of its feed.toml.
    """

    TITLE = "simbench"
    DEFAULT_MODE = SCREENS[0]
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "pane.tcss",
        "screen.tcss",
        *(f"screens/{name}.tcss" for name in SCREENS),
        "overlay.tcss",
    ]

    def __init__(
        self,
        source: Source,
        control: Steering | None,
        *,
        ascii_only: bool | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        live: bool = True,
        folder: Path | None = None,
        capture: str = "",
        feed: str = "",
    ) -> None:
        super().__init__()
        if ascii_only is None:
            ascii_only = ascii_wanted(os.environ, sys.stdout.encoding)
        self._glyphs = ASCII if ascii_only else UNICODE
        self.set_class(ascii_only, "-ascii")
        self._source = source
        self._replay = ReplayDriver(control, self._say)
        self._clock = clock
        self._folder = folder or Path()
        self._cutter = Cutter(capture, feed, lambda words, severity: self.post_message(Told(words, severity)))
        self._sampler = Sampler(source, self.post_message, SAMPLE_INTERVAL_S) if live else None
        self._health = Health(clock())
        self._roster = Roster()
        self._quotes = Quotes()
        self._look = Look()
        self._level_of: int | None = None  # the instrument of the level whose queue is shown
        self._latest: Snapshot | None = None
        self._frozen: Snapshot | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._give_back: Callable[[], None] = lambda: None
        for name, screen in BY_NAME.items():
            self.add_mode(name, lambda screen=screen: screen(self._glyphs, steering=control is not None))  # type: ignore[misc]
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DEFAULT_THEME

    def get_driver_class(self) -> type[Driver]:
        """Textual: what draws, which an environment variable may have chosen."""
        return best(super().get_driver_class())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Textual: variables of ours that a foreign theme lacks."""
        return missing_variables(dark=self.current_theme.dark)

    def on_ready(self) -> None:
        """Start taking snapshots; leave the terminal as it was also when the process is told to end."""
        if self._sampler is None:
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._handlers[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self.exit)
        if not self.is_headless:
            self._give_back = only_after_stops()
        # What exists now lives to the end: keep the collector from walking over it in the middle of an update.
        gc.freeze()
        self.set_interval(WATCH_INTERVAL_S, self.watch_news)
        self._sampler.start()

    def on_unmount(self) -> None:
        """Stop taking snapshots, and a golden that is being cut."""
        self._cutter.stop()
        if self._sampler is None:
            return
        self._give_back()
        self._sampler.stop()
        loop = asyncio.get_running_loop()
        for number, handler in self._handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def sample(self) -> None:
        """Take one snapshot here and now and show it, where no thread does."""
        message = take(self._source, self._roster.chosen, self._others(), self._level())
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
        if self._roster.chosen != before or len(snapshot.others) < len(self._others()):
            self._ask_for_books()
        self._replay.hear(snapshot)
        self._look = replace(
            self._look,
            quotes=self._quotes.see(snapshot.book, snapshot.position_ns),
            errand=self._replay.words,
            window=self._replay.window,
        )
        with self.batch_update():
            self._tell()
            if self._frozen is None:
                self.bench.show(snapshot, self._look)

    def on_source_failed(self, message: SourceFailed) -> None:
        """Say that there was nothing to show."""
        self._health.fail(message.reason)
        self._tell()

    def on_told(self, message: Told) -> None:
        """Tell the user what a thread has to say."""
        self._say(message.words, message.severity)

    def watch_news(self) -> None:
        """Say so when snapshots stay away."""
        self._tell()

    @property
    def latest(self) -> Snapshot | None:
        """The last moment that was heard of, whether it is shown or the view is frozen."""
        return self._latest

    @property
    def bench(self) -> BenchScreen:
        """The screen of panes that is shown, whatever lies above it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, BenchScreen)
        return screen

    def action_pause(self) -> None:
        """Pause or go on."""
        self._replay.toggle()
        self._see()

    def action_step(self) -> None:
        """Send one datagram."""
        self._replay.step()

    def action_step_message(self) -> None:
        """Let one message through."""
        self._replay.step_message()
        self._see()

    def action_faster(self) -> None:
        """Raise the speed."""
        self._replay.steer(lambda control: control.faster())

    def action_slower(self) -> None:
        """Lower the speed."""
        self._replay.steer(lambda control: control.slower())

    def action_speed(self, speed: float | str) -> None:
        """Replay at a factor of the recorded speed, or at "max"."""
        self._replay.steer(lambda control: control.set_speed(speed))

    def action_stop(self) -> None:
        """End the replay; what was received stays in view."""
        self._replay.steer(lambda control: control.stop())

    def action_errand(self, what: str) -> None:
        """Go on to the next gap, burst, or change of the shown instrument; the same key again calls it off."""
        self._replay.send_on(what, self._roster.chosen)
        self._see()

    def action_window(self) -> None:
        """Set where a window begins, where it ends, and leave it."""
        self._replay.next_edge()
        self._see()

    def action_darken(self, line: int) -> None:
        """Darken a line, or let it be seen again."""
        self._replay.darken(line)

    def action_faults(self) -> None:
        """Ask which fault to switch on, or off."""
        if self._latest is None or not self._replay.drives:
            return

        def chosen(order: Order | None) -> None:
            if order is not None:
                self._replay.order(order)

        self.push_screen(FaultDialog(self._latest.run.lines, self._latest.switches), chosen)

    def action_faults_off(self) -> None:
        """Switch every fault off."""
        self._replay.order(Order(""))

    def action_jump(self) -> None:
        """Ask where to go on."""
        if self._latest is None or not self._replay.drives:
            return

        def chosen(at_ns: int | None) -> None:
            if at_ns is not None:
                self.action_jump_to(at_ns)

        self.push_screen(Jump(self._latest.run, places(self._latest, self._look), self._glyphs), chosen)

    def action_jump_to(self, at_ns: int) -> None:
        """Go on at a recorded time."""
        self._replay.jump(at_ns)
        self._see()

    def action_instrument(self, by: int) -> None:
        """Show the next instrument, or the one before."""
        self._roster.move(by)
        self._ask_for_books()

    def action_level(self, by: int) -> None:
        """Show the queue of a level farther down or up the ladder; 0 none."""
        shown = self._frozen or self._latest
        book = shown.book if shown is not None else None
        level = next_level(book, self._look.level, by) if book is not None and by else None
        self._level_of = self._roster.chosen
        self.bench.set_class(level is not None, "-level")
        self._see(level=level)
        self._ask_for_books()

    def action_follow(self) -> None:
        """Show the busiest instrument."""
        self._roster.follow()
        self._ask_for_books()

    def action_find(self) -> None:
        """Search for an instrument."""

        def chosen(index: int | None) -> None:
            if index is not None:
                self._roster.choose(index)
                self._ask_for_books()

        self.push_screen(Picker(self._roster.rows, self._glyphs), chosen)

    def action_pin(self) -> None:
        """Keep the shown instrument beside the others, or no longer."""
        index, pinned = self._roster.chosen, self._look.pinned
        if index is None:
            return
        pinned = tuple(pin for pin in pinned if pin != index) if index in pinned else (*pinned, index)[-OTHERS:]
        self._see(pinned=pinned)
        self._ask_for_books()

    def action_freeze(self) -> None:
        """Hold the view still, or let it move."""
        self._frozen = self._latest if self._frozen is None else None
        self._see()

    def action_stage(self, by: int) -> None:
        """Draw another latency stage."""
        stages = self._latest.stages if self._latest else ()
        if stages:
            names = [stage.name for stage in stages]
            place = names.index(chosen_stage(stages, self._look.stage).name)
            self._see(stage=names[(place + by) % len(names)])

    def action_loudness(self) -> None:
        """Show more of the log, or less."""
        self._see(loudness=LOUDNESS[(LOUDNESS.index(self._look.loudness) + 1) % len(LOUDNESS)])

    def action_bookmark(self) -> None:
        """Remember where the replay is, or where the view was frozen, with a note."""
        shown = self._frozen or self._latest
        if shown is None:
            return
        at = shown.position_ns

        def noted(note: str | None) -> None:
            if note is not None:
                self._see(bookmarks=(*self._look.bookmarks, Bookmark(at, note)))

        self.push_screen(Note(at), noted)

    async def action_view(self, name: str) -> None:
        """Go to another screen; it shows this moment at once."""
        await self.switch_mode(name)
        self._ask_for_books()
        self.call_after_refresh(self._see)

    def action_pane(self) -> None:
        """Give the arrow keys to the next pane that has a use for them."""
        self.bench.focus_next()

    def action_colours(self) -> None:
        """Change the theme."""
        names = [theme.name for theme in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]

    def action_picture(self) -> None:
        """Write what is seen to a file."""
        self._save(
            "picture", lambda: self.save_screenshot(file_name(self._frozen or self._latest, "svg"), str(self._folder))
        )

    def action_save(self) -> None:
        """Write the snapshot and the bookmarks to a file."""
        shown = self._frozen or self._latest
        if shown is None:
            return
        path = self._folder / file_name(shown, "json")

        def write() -> str:
            save_json(path, shown, self._look)
            return str(path)

        self._save("snapshot", write)

    def action_golden(self) -> None:
        """Ask for a folder for what is looked at, as a golden capture."""
        shown = self._frozen or self._latest
        if shown is None or not self._cutter.possible:
            self._say("there is no capture here that a golden could be cut from", "warning")
            return
        window = self._look.window
        since, end = window if window is not None else (0, None)
        until = shown.position_ns if end is None else end

        def named(wanted: tuple[str, int] | None) -> None:
            if wanted is not None:
                name, first = wanted
                self._say(self._cutter.start(self._folder / name, until, first), "information")

        self.push_screen(GoldenDialog(until, file_name(replace(shown, position_ns=until), "golden"), since), named)

    def action_help(self) -> None:
        """Explain keys and figures."""
        self.push_screen(Help(self.bench.title_of))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual: what the command palette offers."""
        drives = self._replay.drives
        for key in actions():
            if drives or not key.steers:
                yield SystemCommand(key.title, f"{key.shown}: {key.meaning}", self._acts(key.action))
        if drives:
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

    def _say(self, words: str, severity: str) -> None:
        self.notify(words, severity=severity, markup=False)  # type: ignore[arg-type]

    def _save(self, what: str, write: Callable[[], str]) -> None:
        try:
            self._say(f"{what}: {write()}", "information")
        except OSError as error:
            self._say(f"no {what}: {error}", "error")

    def _see(self, **changes: Any) -> None:
        """Show what is shown with another look."""
        driver = self._replay
        self._look = replace(self._look, errand=driver.words, window=driver.window, **changes)
        shown = self._frozen or self._latest
        with self.batch_update():
            self._tell()
            if shown is not None:
                self.bench.show(shown, self._look)

    def _others(self) -> tuple[int, ...]:
        """Instruments whose books the present screen shows beside the chosen one: pinned ones, then the busiest."""
        if self.current_mode != "book":
            return ()
        wanted = dict.fromkeys((*self._look.pinned, *(row.index for row in self._roster.rows[: OTHERS + 1])))
        wanted.pop(self._roster.chosen or 0, None) if self._roster.chosen is not None else None
        return tuple(wanted)[:OTHERS]

    def _level(self) -> tuple[str, int] | None:
        """The level whose queue the present screen shows."""
        return self._look.level if self.current_mode == "book" else None

    def _ask_for_books(self) -> None:
        if self._level_of != self._roster.chosen:
            self._look = replace(self._look, level=None)
        if self._sampler is not None:
            self._sampler.choose(self._roster.chosen, self._others(), self._level())

    def _tell(self) -> None:
        frozen = self._frozen.position_ns if self._frozen else None
        self.bench.tell(self._latest, self._look, self._health.judge(self._clock()), frozen)


def run(
    source: Source, control: Steering | None, *, ascii_only: bool | None = None, capture: str = "", feed: str = ""
) -> None:
    """Show a run until the user leaves; must be called from the main thread of a process with a terminal."""
    with lasting():
        BenchApp(source, control, ascii_only=ascii_only, capture=capture, feed=feed).run()
