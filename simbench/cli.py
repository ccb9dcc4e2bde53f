"""The command line: options, help and exit codes. Every command imports its work only when it is called."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from simbench import __version__
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.MAX_WIDTH = 110
click.rich_click.COMMAND_GROUPS = {
    "simbench": [
        {"name": "Look", "commands": ["info", "book", "steer", "doctor"]},
        {"name": "Replay and receive", "commands": ["run", "attach", "replay", "receive", "serve", "demo"]},
        {"name": "Measure", "commands": ["budget", "stacks", "stress", "bench", "report"]},
        {"name": "Prove", "commands": ["verify", "golden"]},
        {"name": "Make captures", "commands": ["generate", "convert"]},
    ],
}

PATH = click.Path(path_type=Path, readable=False)  # what cannot be read is told like every other mistake, in one line
CAPTURE = click.argument("capture", type=PATH)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Join options that several commands share."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


FEED = options(
    click.option("--feed", type=PATH, help="feed.toml; found beside the capture where not given."),
    click.option("--protocol", help="Protocol of every channel, instead of guessing: cme.mdp3, nasdaq.itch50, ..."),
    click.option("--schema", type=PATH, help="SBE schema of your own, for later versions."),
    click.option(
        "--checksum",
        type=click.Choice(["auto", "verify", "ignore"]),
        default="auto",
        show_default=True,
        help="A wrong IP or UDP checksum is loss; auto ignores them where nearly all are wrong as recorded.",
    ),
)
WIRE = options(
    click.option("--wire", default="auto", show_default=True, help="auto, ring, veth or tap."),
    click.option("--stack", type=click.Choice(["xdp", "udp"]), default="xdp", show_default=True),
    click.option("--wait", type=click.Choice(["spin", "block"]), default="spin", show_default=True),
    click.option("--mode", type=click.Choice(["generic", "native"]), default="generic", show_default=True, help="XDP."),
)
PACE = options(
    click.option("--speed", default="1", show_default=True, help="A factor, max (lossless) or flood (open loop)."),
    click.option("--max-idle", help="Cap on idle time, e.g. 100ms; the recorded clock skips with it."),
    click.option("--from", "start", help="Recorded time to start at: ISO with zone, or +seconds."),
    click.option(
        "--loop", type=click.IntRange(0), default=1, show_default=True, help="Times to replay it; 0: until stopped."
    ),
    click.option("--order", type=click.Choice(["time", "file"]), default="time", show_default=True),
    click.option("--as-recorded", is_flag=True, help="Send the frames as they were captured, not rebuilt."),
    click.option("--all", "everything", is_flag=True, help="Send frames that are not the feed's as well."),
    click.option("--faults", type=click.Path(path_type=Path), help="faults.toml: what is done to which datagram."),
)


HDR = options(
    click.option("--hgrm", type=PATH, help="Folder for a table of percentiles a stage, in HdrHistogram's format."),
    click.option("--hlog", type=PATH, help="File for an HdrHistogram log: a histogram a second and stage."),
)


def _address_and_port(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Tell ADDRESS:PORT from a capture that follows an option without its value; the command looks closer."""
    if value is not None and not value.rpartition(":")[2].isdigit():
        raise click.BadParameter(f"{value!r} is no ADDRESS:PORT; without one, --serve stands behind everything else")
    return value


SERVE = click.option(
    "--serve",
    is_flag=False,
    flag_value="127.0.0.1:0",
    callback=_address_and_port,
    metavar="[ADDRESS:PORT]",
    help="The terminal as a web page; on a free port of 127.0.0.1 where none is given.",
)
JSON_FILE = click.option("--json", "json_file", type=PATH, help="Write the result as JSON.")
RECOVER = click.option(
    "--recover",
    type=click.Choice(["none", "retransmit", "snapshot", "natural"]),
    help="What is done about messages that no line brought; as feed.toml says where not given.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="simbench")
def cli() -> None:
    """Replay recorded exchange multicast, receive it by kernel bypass, build the books and prove all of it."""


@cli.command()
@CAPTURE
@FEED
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def info(**arguments: Any) -> int:
    """Show what a capture holds: clocks, flows, lines, sequences, holes, checksums, bursts."""
    from simbench.commands.info import info as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option("--json", "as_json", is_flag=True, help="The whole result as JSON.")
@click.option("--instrument", help="One instrument, by symbol or id.")
@click.option("--line", help="One line of every channel alone, by name: A, B, ...")
@click.option("--at", help="Stop at this recorded time: ISO with zone, or +seconds.")
@click.option("--at-seq", help="Stop after a sequence of a channel: CHANNEL:N.")
@click.option("--depth", type=click.IntRange(1), default=10, show_default=True, help="Levels a side in the table.")
@click.option("--paranoid", is_flag=True, help="Check every invariant and compare with the reference book.")
def book(**arguments: Any) -> int:
    """Build the books offline: lines, gaps, counters, final books."""
    from simbench.commands.book import book as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@WIRE
@PACE
@click.option("--to", "stop", help="Recorded time to stop at.")
@click.option("--cold", is_flag=True, help="With --from: join in the middle, without what came before.")
@RECOVER
@click.option(
    "--recover-from",
    type=click.Path(path_type=Path),
    help="Capture that has what the exchange sent, where this one lacks it.",
)
@click.option("--recover-delay", help="From a request to the server's answer, e.g. 5ms.")
@click.option(
    "--recover-refuse", type=click.FloatRange(0, 1), default=0.0, help="Share of requests left without an answer."
)
@click.option("--recover-cycle", help="From one loop of snapshots to the next, e.g. 500ms; 1s where not given.")
@click.option("--recover-partial", type=click.IntRange(1), help="Most messages in an answer.")
@click.option("--recover-quota", type=click.IntRange(1), help="Requests that are answered; then none.")
@click.option(
    "--queues", type=click.IntRange(1), help="Receive queues, each with a thread and books of its own (veth)."
)
@click.option("--rules", type=PATH, help="Group and port to queue, as `simbench steer --rules` writes it; else RSS.")
@click.option("--unpinned", is_flag=True, help="Let sender and receivers migrate between cores.")
@click.option(
    "--slow-handler",
    type=click.IntRange(0, 100_000),
    default=0,
    metavar="NS",
    help="Busy-wait so many ns on every frame received: what does a slow handler lose?",
)
@click.option("--headless", is_flag=True, help="No terminal: one progress line and a summary.")
@SERVE
@HDR
@JSON_FILE
def run(**arguments: Any) -> int:
    """Replay a capture over a wire, receive it, build the books and show it live."""
    from simbench.commands.run import run as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@PACE
@click.option("--to", "interface", help="Interface to send on.", required=True)
@click.option("--until", "stop", help="Recorded time to stop at.")
@click.option("--allow-physical", is_flag=True, help="Permit an interface that leads out of this machine.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON.")
def replay(**arguments: Any) -> int:
    """Replay a capture to an interface, for a receiver of your own."""
    from simbench.commands.replay import replay as command

    return command(**arguments)


@cli.command()
@click.option("--on", "interface", required=True, help="Interface that carries the feed.")
@FEED
@WIRE
@RECOVER
@click.option("--seconds", type=float, help="Stop after so long.")
@click.option("--headless", is_flag=True, help="No terminal: one progress line and a summary.")
@HDR
@JSON_FILE
def receive(**arguments: Any) -> int:
    """Receive a feed from an interface, build the books and show it live."""
    from simbench.commands.receive import receive as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option(
    "--bind",
    default="127.0.0.1:31000",
    show_default=True,
    help="Address and port of the first channel's server; those of the next ones follow. Port 0: any that is free.",
)
@click.option(
    "--limit", type=click.IntRange(64, 65_507), default=1400, show_default=True, help="Most bytes of an answer."
)
@click.option("--partial", type=click.IntRange(1), help="Most messages in an answer.")
@click.option("--refuse", type=click.FloatRange(0, 1), default=0.0, help="Share of requests left without an answer.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the choice which those are.")
@click.option("--quota", type=click.IntRange(1), help="Requests of one requester that are answered.")
@click.option("--delay", help="From a request to its answer, e.g. 5ms.")
@click.option("--on", "interface", help="Interface to send the loops of snapshot feeds on, at their recorded times.")
@click.option("--cycle", default="1s", show_default=True, help="From one loop to the next.")
@click.option("--allow-physical", is_flag=True, help="Permit what others than this machine can reach.")
def serve(**arguments: Any) -> int:
    """Serve what a capture's exchange would to those who missed something, for a handler of your own."""
    from simbench.commands.serve import serve as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option("--queues", type=click.IntRange(1, 128), default=4, show_default=True, help="Receive queues of the card.")
@click.option("--first-core", type=click.IntRange(0), default=1, show_default=True, help="Core of queue 0.")
@click.option("--rules", "rules_file", type=PATH, help="Write the planned rules as TOML.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def steer(**arguments: Any) -> int:
    """Say which channel lands on which queue and core, under RSS and under planned rules."""
    from simbench.commands.steer import steer as command

    return command(**arguments)


@cli.command()
@click.option(
    "--seconds", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="To watch each core for."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def doctor(**arguments: Any) -> int:
    """Try what can be done here, and say what to change before anything is measured."""
    from simbench.commands.doctor import doctor as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@WIRE
@click.option("--with", "others", multiple=True, type=PATH, help="Another capture on the same time line.")
@click.option("--align", type=click.Choice(["clock", "start", "peak"]), default="clock", show_default=True)
@click.option("--burst", help="window=2ms,factor=100: only where the market burst; top=1% or at=+1.5s besides.")
@click.option("--factor", type=click.FloatRange(0, min_open=True), help="All of it so many times as fast.")
@click.option("--sweep", "sweep_steps", help="One factor after the other: 1,2,5,10 or 1..64.")
@click.option("--bound", default="1ms", show_default=True, help="p99 from due to book that is still borne.")
@click.option("--refine", type=click.IntRange(0, 16), default=2, show_default=True, help="Steps between at the knee.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Runs of each step.")
@JSON_FILE
def stress(**arguments: Any) -> int:
    """Make the bursts of a capture worse, or all of it faster, and say what was lost, where, and at which rate."""
    from simbench.commands.stress import stress as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=click.Choice(
        ["udp-block", "udp-spin", "xdp-block", "xdp-spin", "xdp-native-block", "xdp-native-spin"],
    ),
    help="A stack and how it waits, may be given several times; udp-block and xdp-spin where not given.",
)
@click.option(
    "--repeat", "repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each, in turns."
)
@click.option("--speed", default="1", show_default=True, help="A factor, max (lossless) or flood (open loop).")
@click.option("--max-idle", help="Cap on idle time, e.g. 100ms; the recorded clock skips with it.")
@HDR
@JSON_FILE
def budget(**arguments: Any) -> int:
    """Say where the nanoseconds go, stage by stage, through the kernel's sockets and past them."""
    from simbench.commands.budget import budget as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option(
    "--only", multiple=True, help='Cells that have these words in their title, as in "udp block"; may be given again.'
)
@click.option(
    "--repeat", "repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each cell, in turns."
)
@click.option("--speed", default="1", show_default=True, help="A factor, max (lossless) or flood (open loop).")
@click.option("--max-idle", help="Cap on idle time, e.g. 100ms; the recorded clock skips with it.")
@JSON_FILE
def stacks(**arguments: Any) -> int:
    """Compare the traditional stack with the optimised one, and every cell between: sockets, waiting, kind of feed."""
    from simbench.commands.stacks import stacks as command

    return command(**arguments)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="The page, HTML.")
def report(**arguments: Any) -> int:
    """Draw what run, receive, stacks, budget and steer wrote as JSON: one page that loads nothing."""
    from simbench.commands.report import report as command

    return command(**arguments)


@cli.command()
@click.argument("figures", nargs=-1)
@click.option("--quick", is_flag=True, help="Fewer repeats, shorter captures: to try it.")
@click.option("--markdown", type=PATH, help="Write the tables there, as the README has them.")
def bench(**arguments: Any) -> int:
    """Take the figures of the README, each beside its peer in the same run; some of them by name."""
    from simbench.commands.bench import bench as command

    return command(**arguments)


@cli.command()
@click.argument("run", required=False)
@click.option("--list", "listed", is_flag=True, help="Say which runs go on, and leave.")
@click.option("--headless", is_flag=True, help="No terminal: one progress line.")
@SERVE
def attach(**arguments: Any) -> int:
    """Look at a run that was started elsewhere, and drive it; RUN is its process or its capture's name.

    Leaving leaves it running.
    """
    from simbench.commands.attach import attach as command

    return command(**arguments)


@cli.command()
@click.option("--headless", is_flag=True, help="No terminal: one progress line and a summary.")
def demo(**arguments: Any) -> int:
    """Replay a capture that comes with simbench over the best wire that you can have."""
    from simbench.commands.demo import demo as command

    return command(**arguments)


@cli.command()
@click.argument("folders", nargs=-1, type=PATH)
@click.option("--wire", "wires", multiple=True, help="Only these wires (offline is always checked).")
def verify(**arguments: Any) -> int:
    """Rebuild golden captures over every wire there is and compare; exit 1 on any difference."""
    from simbench.commands.verify import verify as command

    return command(**arguments)


@cli.command()
@CAPTURE
@FEED
@click.option("--checkpoints", type=click.IntRange(1), default=16, show_default=True)
@click.option(
    "--into", type=PATH, help="New folder for the feed's frames between --from and --to, and what they expect."
)
@click.option("--from", "start", help="With --into: recorded time, as for run; books of a receiver that joins there.")
@click.option("--to", "stop", help="With --into: recorded time.")
def golden(**arguments: Any) -> int:
    """Write or refresh a golden folder's expectation; refuses where engine and reference book differ."""
    from simbench.commands.golden import golden as command

    return command(**arguments)


@cli.command()
@click.argument("file", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="The capture to write; its feed.toml beside it.")
@click.option(
    "--to",
    "target",
    type=click.Choice(["moldudp64", "mbp10"]),
    default="moldudp64",
    show_default=True,
    help="moldudp64 of an ITCH BinaryFILE, or of any capture with books full snapshots of ten levels.",
)
@click.option("--date", help="The trading day of a BinaryFILE: YYYY-MM-DD.")
@FEED
def convert(**arguments: Any) -> int:
    """Make a capture: of an ITCH 5.0 BinaryFILE, MoldUDP64 on lines A and B; of a capture, its books as snapshots."""
    from simbench.commands.convert import convert as command

    return command(**arguments)


@cli.command()
@click.argument("scenario", type=click.Choice(["calm", "open", "announcement"]))
@click.option("-o", "--output", type=PATH, required=True, help="The capture to write.")
@click.option("--protocol", default="nasdaq.itch50", show_default=True, help="nasdaq.itch50 or cme.mdp3.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--seconds", type=float, help="Length; by default the scenario's own.")
@click.option("--messages", type=int, help="Stop after so many messages.")
@click.option("--rate", type=float, help="Messages a second while it is calm.")
@click.option("--instruments", type=click.IntRange(1), default=None, help="By default the scenario's own.")
@click.option("--snapshots", type=float, help="Seconds a loop of snapshots takes, cme.mdp3; by default 1, 0 for none.")
def generate(**arguments: Any) -> int:
    """Make a seeded synthetic feed on lines A and B."""
    from simbench.commands.generate import generate as command

    return command(**arguments)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell: eval "$(simbench completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise SimbenchError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "simbench", "_SIMBENCH_COMPLETE").source())
    return 0


def main() -> None:
    """Run the command line; exit 0, 1 where the data was wrong, 2 where the user was, 130 after Ctrl-C."""
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # Python aborts when it is interrupted while it ends
    try:
        status = cli.main(standalone_mode=False, prog_name="simbench")
    except SimbenchError as error:
        _complain(str(error))
        status = 2
    except click.ClickException as error:
        error.show()
        status = 2
    except click.Abort:
        status = 130
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        _complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        status = 2
    except Exception as error:  # a fault of ours is reported in one line as well
        if os.environ.get("SIMBENCH_TRACEBACK"):
            raise
        _complain(f"a fault of simbench's own: {error!r}; SIMBENCH_TRACEBACK=1 shows where")
        status = 70
    sys.exit(status if isinstance(status, int) else 0)


def _complain(line: str) -> None:
    print(f"simbench: {line}", file=sys.stderr)  # noqa: T201 - the one place where errors are printed
