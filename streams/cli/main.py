"""The program `refusion`. Each command imports what it needs, so that help and errors come at once."""

import os
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click

from streams.kit.errors import UserError
from streams.kit.progress import Bar, draw_with
from streams.kit.stopping import Stopped, output_unread, unwind_on_signals
from streams.offline.inputs import Reader, opened

USER_ERROR = 2

COMMANDS: dict[str, str] = {
    "compare": "streams.cli.compare:compare",
    "diff": "streams.cli.diff:diff",
    "explain": "streams.cli.explain:explain",
    "dead-letters": "streams.cli.dead_letters:dead_letters",
    "deliver": "streams.cli.deliver:deliver",
    "export": "streams.cli.export:export",
    "opening": "streams.cli.opening:opening",
    "replay": "streams.cli.replay:replay",
    "run": "streams.cli.run:run",
    "verify": "streams.cli.verify:verify",
}
"""Commands that have a module of their own, by name: `module:function`, imported when called."""


def draw_bar(unit: str, total: int | None) -> Bar:
    """Draw a progress bar. Imports rich only now: most commands show none."""
    from streams.cli.progress_bar import RichBar

    return RichBar(unit, total)


class _Program(click.Group):
    """Turns what a user can mend into one line on stderr; a stack trace is left for defects of ours."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        unwind_on_signals()
        draw_with(draw_bar)
        try:
            from domain.ruledata.ruleset import RuleError

            return super().invoke(ctx)
        except Stopped as stopped:
            click.echo("refusion: stopped, nothing is left behind", err=True)
            sys.exit(stopped.status)
        except BrokenPipeError:
            sys.exit(output_unread())
        except (UserError, RuleError) as error:
            _fail(str(error))
        except OSError as error:
            _fail(
                f"{error.filename}: {error.strerror}"
                if error.filename
                else str(error.strerror or error)
            )


def _fail(message: str) -> NoReturn:
    click.echo(f"refusion: {message}", err=True)
    sys.exit(USER_ERROR)


@click.group(
    cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="ydelsesrefusion", prog_name="refusion")
def main() -> None:
    """Settles public benefits between Denmark's municipalities and the State.

    Reports of benefit payments come in, refusion and medfinansiering go out, with a
    correction whenever late data moves them.
    """


INPUT = click.Path(dir_okay=False, allow_dash=True)
OUTPUT = click.Path(dir_okay=False)
JOBS_HELP = "Processes; the bytes do not change."
RULES_HELP = "A rule set, or a file that says how one differs."


@main.command()
@click.argument("files", nargs=-1, type=INPUT)
@click.option("--rejects", type=OUTPUT, help="Write rejected lines here, with the reason.")
@click.option("--notices", type=OUTPUT, help="Write notices about doubtful reports here.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help=JOBS_HELP)
@click.option("--rules", default="R-1", show_default=True, metavar="NAME|FILE", help=RULES_HELP)
@click.option("--json", "as_json", is_flag=True, help="The closing summary on stderr as JSON.")
def settle(
    files: tuple[str, ...],
    rejects: str | None,
    notices: str | None,
    jobs: int,
    rules: str,
    as_json: bool,
) -> None:
    """Settle reports: JSON Lines in, posting messages out.

    Without FILES, or where one is -, standard input is read. Lines of several files are
    numbered on as if they were one file.
    """
    import orjson

    from streams.citizens.rule_sets import chosen_rule_set
    from streams.kit.progress import meter
    from streams.offline.settle import settle as settle_lines
    from streams.settings import Settings

    rule_set = chosen_rule_set(rules)
    settings = Settings.load(os.environ)
    settings.identity()  # a missing key is told before any file is made or process started
    with ExitStack() as stack:
        taken = [opened(stack, name) for name in files or ("-",)]
        reader = Reader(taken)
        reject_file, notice_file = (_created(stack, name, taken) for name in (rejects, notices))
        shown = stack.enter_context(meter("lines"))
        totals = settle_lines(
            iter(reader),
            settings,
            jobs,
            sys.stdout.buffer,
            reject_file,
            notice_file,
            lambda lines: shown.show(lines, reader.estimated()),
            rule_set,
        )
        sys.stdout.buffer.flush()
    click.echo(
        orjson.dumps(totals).decode() if as_json else totals.sentence(rejects_kept=bool(rejects)),
        err=True,
    )


def _created(stack: ExitStack, name: str | None, taken: list[BinaryIO]) -> BinaryIO | None:
    """A file to write, and taken from now on. One that is taken is refused before it is emptied."""
    if name is None:
        return None
    path = Path(name)
    if path.is_file() and any(
        os.path.samestat(path.stat(), os.fstat(file.fileno())) for file in taken
    ):
        _fail(f"{name}: is read or written already; choose another file")
    taken.append(file := stack.enter_context(path.open("wb")))
    return file


@main.command()
@click.option("--citizens", type=click.IntRange(0), required=True, help="How many citizens.")
@click.option(
    "--months",
    required=True,
    metavar="A..B",
    help="First and last month, such as 2023-01..2024-12.",
)
@click.option(
    "--seed", type=int, required=True, help="The same seed gives the same bytes, on any machine."
)
@click.option(
    "--late",
    type=click.FloatRange(0, 0.9),
    help="Share of reports that come 1-4 months late.  [default: usual]",
)
@click.option(
    "--faults",
    default="all",
    show_default=True,
    help="What goes wrong upstream: all, none or NAME,NAME…",
)
@click.option(
    "--jobs", type=click.IntRange(0, 64), default=0, help=f"{JOBS_HELP}  [default: all cores]"
)
def simulate(
    citizens: int, months: str, seed: int, late: float | None, faults: str, jobs: int
) -> None:
    """Make up a population's reports, as they would arrive.

    They are JSON Lines on standard output, late, repeated and reversed as upstream does it.
    """
    from streams.kit.progress import meter
    from streams.simulation import FAULTS, SimulationOptions
    from streams.simulation import simulate as simulate_reports

    chosen = {"all": FAULTS, "none": frozenset[str]()}.get(faults, frozenset(faults.split(",")))
    first, last = _months(months)
    try:
        options = SimulationOptions(citizens, first, last, seed, late, chosen, jobs)
    except ValueError as error:
        _fail(str(error))
    with meter("citizens", citizens) as shown:
        simulate_reports(options, sys.stdout.buffer, shown.show)
        sys.stdout.buffer.flush()


def _months(text: str) -> tuple[int, int]:
    from domain.basics.weeks import month_number

    try:
        first, last = text.split("..")
        return month_number(first), month_number(last)
    except ValueError:
        _fail("--months must be two months YYYY-MM..YYYY-MM, such as 2023-01..2024-12")


@main.command()
@click.argument("files", nargs=-1, type=INPUT)
@click.option("--json", "as_json", is_flag=True, help="The closing summary on stderr as JSON.")
def publish(files: tuple[str, ...], as_json: bool) -> None:
    """Send reports to the topic reports.raw.

    All of them are acknowledged, or it is an error. Nothing is validated here. Without FILES,
    or where one is -, standard input is read. Topics that are missing are made.
    """
    import asyncio
    import logging

    import orjson

    from streams.kit.progress import meter
    from streams.operations.publish import publish as publish_lines
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    with ExitStack() as stack:
        reader = Reader([opened(stack, name) for name in files or ("-",)])
        shown = stack.enter_context(meter("records"))
        done = asyncio.run(
            publish_lines(reader, settings, lambda lines: shown.show(lines, reader.estimated()))
        )
    click.echo(orjson.dumps(done._asdict()).decode() if as_json else done.sentence(), err=True)


@main.command()
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=None,
    help="How many.  [default: one for each core]",
)
def worker(stages: tuple[str, ...], processes: int | None) -> None:
    """Run stages: intake, citizens, projections.

    All of them by default.
    Several workers, on one machine or many, share the partitions. Ends in good order on SIGTERM
    and Ctrl-C; killed in any way, it loses and repeats nothing.
    """
    try:
        from streams.settings import Settings
        from streams.worker.app import STAGES, run_worker

        if unknown := [stage for stage in stages if stage not in STAGES]:
            _fail(f"there is no stage {unknown[0]}; the stages are {', '.join(STAGES)}")
        sys.exit(run_worker(stages, Settings.load(os.environ), processes or os.cpu_count() or 1))
    except Stopped:  # while it was still starting: there is nothing yet to put in order
        sys.exit(0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def settings(as_json: bool) -> None:
    """Show every setting with value, source and meaning.

    They are set in the environment. Secrets are masked.
    """
    import orjson

    from streams.settings import Settings

    rows = Settings.load(os.environ).describe()
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        shown = f"{row['name']} = {row['value']}" if row["value"] is not None else row["name"]
        click.echo(f"{shown}  ({row['source']})\n    {row['meaning']}")
