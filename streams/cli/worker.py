"""`refusion worker`: the stages, in processes of this machine."""

import sys

import click

from streams.cli.console import load_settings
from streams.kit.cores import cores
from streams.kit.errors import UserError
from streams.kit.stopping import Stopped


@click.command()
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=None,
    help="How many processes.  [default: one for each core]",
)
def worker(stages: tuple[str, ...], processes: int | None) -> None:
    """Run stages: intake, citizens, projections. The default is all of them.

    Several workers, on one machine or many, share the partitions. A worker finishes its batch
    and ends on SIGTERM and Ctrl-C; if it is killed in any other way, nothing is lost or repeated.
    """
    try:
        from streams.worker.app import STAGES, run_worker

        if unknown := [stage for stage in stages if stage not in STAGES]:
            raise UserError(f"there is no stage {unknown[0]}; the stages are {', '.join(STAGES)}")
        sys.exit(run_worker(stages, load_settings(), processes or cores()))
    except Stopped:  # it was still starting, and there is nothing yet to put in order
        sys.exit(0)
