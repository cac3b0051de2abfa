"""`refusion settle`: the calculation without Kafka."""

import os
from contextlib import ExitStack
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import click

from streams.cli.console import INPUT, LANGUAGE, OUTPUT, echo_json, load_settings, output
from streams.kit.errors import UserError
from streams.kit.named_file import NamedFile

if TYPE_CHECKING:
    from streams.kit.catalogue import Language
    from streams.offline.inputs import Reader
    from streams.offline.totals import Totals

NOTHING_READ: Final = 1
"""The exit status where there were lines and none of them was a JSON object."""


@click.command()
@click.argument("files", nargs=-1, type=INPUT)
@click.option("--rejects", type=OUTPUT, help="Write rejected lines to this file, with the reason.")
@click.option("--notices", type=OUTPUT, help="Write notices of doubtful reports to this file.")
@LANGUAGE
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes; the output is the same.",
)
@click.option(
    "--rules",
    default="R-1",
    show_default=True,
    metavar="NAME|FILE",
    help="A rule set, or a file with the differences from one.",
)
@click.option(
    "--source",
    metavar="SOURCE",
    help="Take the lines to come from this source of the register (REFUSION_REPORTERS).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
def settle(
    files: tuple[str, ...],
    rejects: str | None,
    notices: str | None,
    language: "Language",
    jobs: int,
    rules: str,
    source: str | None,
    as_json: bool,
) -> None:
    """Settle reports: read JSON Lines, write posting messages.

    Without FILES, or for a file named -, standard input is read. The lines of several files are
    numbered as if they were one file. A file may be packed with gzip. The closing summary goes to
    stderr. The exit status is 1 if there were lines and none of them was a JSON object.
    """
    from streams.citizens.register_file import check_source
    from streams.citizens.rule_sets import chosen_rule_set
    from streams.kit.progress import meter
    from streams.offline.inputs import Reader, opened
    from streams.offline.settle import settle as settle_lines
    from streams.offline.told_notices import ToldNotices

    rule_set, settings = chosen_rule_set(rules), load_settings()
    settings.identity()  # a missing key is an error before any file or process is created
    check_source(settings, source)
    with ExitStack() as stack:
        inputs = [opened(stack, name) for name in files or ("-",)]
        reader, in_use = Reader(inputs), [file.stat for file in inputs]
        reject_file, notice_file = (_created(stack, name, in_use) for name in (rejects, notices))
        if notice_file is not None and language != "en":
            notice_file = cast("BinaryIO", ToldNotices(notice_file, language))
        progress = stack.enter_context(meter("lines"))
        totals = settle_lines(
            iter(reader),
            settings,
            jobs,
            output(),
            reject_file,
            notice_file,
            lambda lines: progress.show(lines, reader.estimated()),
            rule_set,
            source,
        )
        output().flush()
    if as_json:
        echo_json(totals, err=True)
    else:
        click.echo(totals.sentence(rejects_kept=bool(rejects)), err=True)
    _say_what_was_read(reader, totals)


def _say_what_was_read(reader: "Reader", totals: "Totals") -> None:
    """Say what files are that are no JSON Lines. Ends with status 1 if nothing could be read."""
    sentences = reader.odd_forms(guesses=totals.holds_nothing)
    if totals.holds_nothing and not sentences:
        sentences = ["no line is a JSON object: are these reports, one JSON object a line?"]
    for sentence in sentences:
        click.echo(f"refusion: {sentence}", err=True)
    if totals.holds_nothing:
        raise SystemExit(NOTHING_READ)


def _created(stack: ExitStack, name: str | None, in_use: list[os.stat_result]) -> BinaryIO | None:
    """Create an output file and add it to those in use.

    A file in use is refused before it is emptied.
    """
    if name is None:
        return None
    path = Path(name)
    if path.is_file() and any(os.path.samestat(path.stat(), used) for used in in_use):
        raise UserError(f"{name} is already read or written by this command; choose another file")
    file = stack.enter_context(BufferedWriter(NamedFile(path, "wb")))
    in_use.append(os.fstat(file.fileno()))
    return file
