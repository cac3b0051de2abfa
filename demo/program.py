"""The frame of a demonstration as a program: what is set up first, and how it ends."""

import logging
import sys
from collections.abc import Callable

import click
from rich.console import Console

from streams.cli.console import draw_bar
from streams.cli.reader_console import ReaderConsole
from streams.kafka.errors import KafkaError, is_outage
from streams.kit.errors import UserError
from streams.kit.progress import draw_with
from streams.kit.standard_streams import open_closed_streams, write_any_letter
from streams.kit.stopping import Stopped, output_unread, unwind_on_signals
from streams.settings import BOOTSTRAP


def run_program(run: Callable[[Console], int]) -> int:
    """Run a demonstration, and return its exit status. A sentence tells what ended it early."""
    open_closed_streams(output=True)
    write_any_letter()
    unwind_on_signals()
    draw_with(draw_bar)
    for name in ("aiokafka", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # an error ends the run and is shown
    console = ReaderConsole(
        width=None if sys.stdout.isatty() else 120,
        soft_wrap=not sys.stdout.isatty(),
        highlight=False,
    )
    try:
        return run(console)
    except BrokenPipeError:
        return output_unread()
    except KafkaError as error:
        if not is_outage(error):
            raise
        click.echo(
            f"no Kafka answers at {BOOTSTRAP.name}; leave it unset, and a local one is started",
            err=True,
        )
        return 1
    except UserError as error:
        click.echo(str(error), err=True)
        return 1
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"{said}; TMPDIR names the folder for temporary files", err=True)
        return 1
    except Stopped as stopped:
        click.echo("stopped, nothing is left behind", err=True)
        return stopped.status
