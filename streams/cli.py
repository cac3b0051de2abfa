"""The program `refusion`. Each command imports what it needs, so that help and errors come at once."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click

INTERRUPTED = 130
USER_ERROR = 2


class _Program(click.Group):
    """Turns what a user can mend into one line on stderr; a stack trace is left for defects of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        from domain.ruleset import RuleError
        from streams.settings import SettingsError

        signal.signal(signal.SIGTERM, _end)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _leave_quietly()
        except (SettingsError, RuleError) as error:
            _fail(str(error))
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        except KeyboardInterrupt:
            click.echo("refusion: interrupted, nothing is left behind", err=True)
            sys.exit(INTERRUPTED)


def _end(number: int, _frame: object) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C, so that temporary folders and processes go too."""
    sys.exit(128 + number)


def _leave_quietly() -> NoReturn:
    """Whoever read our output has gone (`| head`): not an error of the user's."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)


def _fail(message: str) -> NoReturn:
    click.echo(f"refusion: {message}", err=True)
    sys.exit(USER_ERROR)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ydelsesrefusion", prog_name="refusion")
def main() -> None:
    """Settles public benefits between Denmark's municipalities and the State.

    Reports of benefit payments come in, refusion and medfinansiering go out, with a
    correction whenever late data moves them.
    """


@main.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--rejects", type=click.Path(dir_okay=False), help="Write rejected lines here, with the reason.")
@click.option("--notices", type=click.Path(dir_okay=False), help="Write notices about doubtful reports here.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes; the bytes do not change.")
@click.option("--json", "as_json", is_flag=True, help="The closing summary on stderr as JSON.")
def settle(files: tuple[str, ...], rejects: str | None, notices: str | None, jobs: int, as_json: bool) -> None:
    """Reports in (JSON Lines; no FILE or - is standard input), posting messages out.

    Lines of several files are numbered on as if they were one file.
    """
    import orjson

    from streams.progress import meter
    from streams.settings import Settings
    from streams.settle import settle as settle_lines

    settings = Settings.load(os.environ)
    with ExitStack() as stack:
        reader = _Reader([_opened(stack, name) for name in files or ("-",)])
        reject_file, notice_file = (stack.enter_context(Path(name).open("wb")) if name else None for name in (rejects, notices))
        shown = stack.enter_context(meter("lines"))
        totals = settle_lines(
            iter(reader),
            settings,
            jobs,
            sys.stdout.buffer,
            reject_file,
            notice_file,
            lambda lines: shown.show(lines, reader.estimated(lines)),
        )
        sys.stdout.buffer.flush()
    click.echo(orjson.dumps(totals).decode() if as_json else totals.sentence(rejects_kept=bool(rejects)), err=True)


def _opened(stack: ExitStack, name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))


class _Reader:
    """The lines of several files, and how many there may be in all, by the bytes read so far."""

    def __init__(self, files: list[BinaryIO]) -> None:
        self._files = files
        self._bytes = 0
        sizes = [os.fstat(file.fileno()).st_size for file in files]
        self._total = sum(sizes) if all(sizes) else None  # a pipe has no size

    def __iter__(self) -> Iterator[bytes]:
        for file in self._files:
            for line in file:
                self._bytes += len(line)
                yield line

    def estimated(self, lines: int) -> int | None:
        return self._total * lines // self._bytes if self._total and self._bytes else None


@main.command()
@click.option("--citizens", type=click.IntRange(0), required=True, help="How many citizens.")
@click.option("--months", required=True, metavar="A..B", help="First and last month, such as 2023-01..2024-12.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same bytes, on any machine.")
@click.option("--late", type=click.FloatRange(0, 0.9), help="Share of reports that come 1-4 months late.  [default: usual]")
@click.option("--faults", metavar="LIST", help="What goes wrong upstream: names separated by commas, all or none.  [default: all]")
@click.option("--jobs", type=click.IntRange(0, 64), default=0, help="Processes; the bytes do not change.  [default: all cores]")
def simulate(citizens: int, months: str, seed: int, late: float | None, faults: str | None, jobs: int) -> None:
    """A population's reports as JSON Lines on stdout, in the order in which they would arrive."""
    from streams.progress import meter
    from streams.simulation import FAULTS, SimulationOptions
    from streams.simulation import simulate as simulate_reports

    chosen = {None: FAULTS, "all": FAULTS, "none": frozenset[str]()}.get(faults)
    if chosen is None:
        chosen = frozenset((faults or "").split(","))
    first, last = _months(months)
    try:
        options = SimulationOptions(citizens, first, last, seed, late, chosen, jobs)
    except ValueError as error:
        _fail(str(error))
    with meter("reports") as shown:
        simulate_reports(options, sys.stdout.buffer, shown.show)
        sys.stdout.buffer.flush()


def _months(text: str) -> tuple[int, int]:
    from domain.weeks import month_number

    try:
        first, last = text.split("..")
        return month_number(first), month_number(last)
    except ValueError:
        _fail("--months must be two months YYYY-MM..YYYY-MM, such as 2023-01..2024-12")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def settings(as_json: bool) -> None:
    """Every setting with value, source and meaning; secrets are masked."""
    import orjson

    from streams.settings import Settings

    rows = Settings.load(os.environ).describe()
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        click.echo(f"{row['name']} = {row['value']}  ({row['source']})\n    {row['meaning']}")
