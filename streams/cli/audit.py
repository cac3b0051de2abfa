"""`refusion audit`: the auditor's package of a run, made and checked."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import JOBS, echo_json, load_settings, run_async
from streams.kit.logs import quiet_clients

if TYPE_CHECKING:
    from collections.abc import Sequence

FINDINGS: Final = 1
"""The exit status if something does not hold; 2 means that it could not be looked at."""
SHOWN: Final = 50
"""The number of sentences shown; --json has all."""
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Make the auditor's package of a run, and check one."""


@audit.command()
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@click.option("--out", type=NEW_FILE, required=True, help="The zip file to write.")
@click.option(
    "--draw",
    type=click.IntRange(0, 2**31),
    default=1,
    show_default=True,
    help="The number of the sample; another number draws other citizens.",
)
@click.option(
    "--citizens",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How many citizens of each municipality are drawn.",
)
@click.option(
    "--municipalities",
    type=click.IntRange(1, 98),
    default=4,
    show_default=True,
    help="How many municipalities are drawn.",
)
@click.option("--tests", type=FILE, help="Results of tests, as `pytest --junit-xml` writes them.")
@click.option("--files", type=FOLDER, help="The folder of the run's export, to add up its files.")
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def package(
    run: int,
    out: Path,
    draw: int,
    citizens: int,
    municipalities: int,
    tests: Path | None,
    files: Path | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Write the auditor's package of a closed run.

    It holds the controls and their tests, the register of rules, the proof of replay (digests of
    the run as booked and as settled anew from the journal), control sums of postings, ledger and
    files, acts and approvals, versions, and a sample of citizens by pseudonym, settled again by the
    reference computation. There is no CPR number in it. The same system and options give the same
    bytes. It is recorded in the topic `access` first. The exit status is 1 if something does not
    hold: the package is written, and says what.
    """
    from streams.acts.acts import Act, record_act
    from streams.dossier.package import make_package
    from streams.dossier.package_content import PackageRequest
    from streams.dossier.zip_file import digest_of, packed, write_package
    from streams.kit.progress import meter
    from streams.web.desk.rule_book import listed_cases

    quiet_clients()
    settings = load_settings()
    scope = {"run": run, "draw": draw, "file": str(out.resolve())}
    run_async(record_act(settings, Act("audit package", scope)))
    request = PackageRequest(
        run, draw, citizens, municipalities, tests, files, listed_cases(), jobs or 0
    )
    with meter("records") as progress:
        made = make_package(settings, request, progress.show)
    whole = packed(made.content)
    write_package(out, whole)
    sha256 = digest_of(whole)
    if as_json:
        echo_json(
            {
                "fine": not made.findings, "run": made.run, "data_month": made.data_month,
                "file": str(out), "sha256": sha256, "files": len(made.content),
                "citizens": made.citizens, "messages": made.messages, "findings": made.findings,
            }
        )  # fmt: skip
    else:
        _say(made.findings)
        click.echo(
            f"run {made.run} of {made.data_month}: {made.messages:,} messages settled anew,"
            f" {made.citizens} citizens drawn, {len(made.content)} files in {out}"
        )
        click.echo(f"SHA-256 {sha256}")
    sys.exit(FINDINGS if made.findings else 0)


@audit.command()
@click.argument("file", type=FILE)
@click.option(
    "--live", is_flag=True, help="Read the run in the topics too, and settle it anew from there."
)
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(file: Path, live: bool, jobs: int | None, as_json: bool) -> None:
    """Check a package, on any machine.

    Without --live nothing is needed but the package: no brokers, no keys, no settings. Checksums
    are compared, the sample is drawn, settled and explained again from the records in the package,
    and digests and sums are held against each other. With --live the whole run is read from the
    topics of the settings, settled anew, and compared with the digests, the sums and the sample.
    The exit status is 0 if all holds, 1 if something does not, and 2 if the package cannot be read.
    """
    from streams.dossier.check import check_package
    from streams.dossier.package import read_run
    from streams.kit.progress import meter

    quiet_clients()
    if live:
        settings = load_settings()
        with meter("records") as progress:
            checked = check_package(
                file,
                lambda request: read_run(settings, request._replace(jobs=jobs or 0), progress.show),
            )
    else:
        checked = check_package(file)
    if as_json:
        echo_json(checked.as_json())
    else:
        _say(checked.findings)
        where = "from the topics too" if checked.is_live else "from the package alone"
        click.echo(
            f"run {checked.run} of {checked.data_month}: {checked.files} files,"
            f" {checked.partitions} partitions, {checked.citizens} citizens settled again, {where}"
        )
        click.echo(f"{len(checked.findings):,} FINDINGS" if checked.findings else "all holds")
    sys.exit(FINDINGS if checked.findings else 0)


def _say(findings: "Sequence[str]") -> None:
    for finding in findings[:SHOWN]:
        click.echo(finding)
    if len(findings) > SHOWN:
        click.echo(f"… {len(findings) - SHOWN:,} more; --json has all of them")
