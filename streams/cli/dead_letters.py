"""`refusion dead-letters`: list, show and send again what was refused."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.operations.dead_letters import Desk, Letter, Sent, Wanted
    from streams.settings import Settings

TOP = 20
"""Letters that are listed, the newest."""


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at refused records, and send them again.

    Nothing is edited here: an error in content is corrected by its reporter, who reports anew.
    """


def _filters(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """The options that choose letters."""
    for name, metavar, text in (
        ("--reporter", "CVR", "Only of this reporter; needs the seal key."),
        ("--until", "TIME", "Only of before this day or time, UTC."),
        ("--since", "TIME", "Only of this day or time, UTC, and later."),
        ("--stage", "STAGE", "Only of this stage: intake or citizens."),
        ("--reason", "REASON", "Only of this reason."),
    ):
        command = click.option(name, metavar=metavar, default="", help=text)(command)
    return command


@dead_letters.command("list")
@_filters
@click.option(
    "--limit", type=click.IntRange(0), default=TOP, show_default=True, help="How many are shown."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: all of them.")
def list_(limit: int, as_json: bool, **filters: str) -> None:
    """Count refused records by stage, reason and reporter, and list the newest."""
    from streams.operations.dead_letters import OUR_FAULTS, Wanted, summary

    async def ask(_settings: "Settings", at: "Desk") -> "tuple[list[Letter], set[str]]":
        letters = await at.letters(Wanted(**filters))
        return letters, await at.sent_again(
            [letter for letter in letters if letter.reason in OUR_FAULTS]
        )

    letters, again = _asked(ask)
    if as_json:
        _print_json(
            {
                "count": len(letters),
                "by": [
                    {"stage": stage, "reason": reason, "reporter": reporter, "count": count}
                    for (stage, reason, reporter), count in summary(letters).items()
                ],
                "letters": [
                    letter.as_json() | {"sent_again": letter.place in again} for letter in letters
                ],
            }
        )
        return
    for (stage, reason, reporter), count in summary(letters).items():
        click.echo(f"{count:>9,}  {stage}: {reason}{f', reporter {reporter}' if reporter else ''}")
    for letter in letters[max(0, len(letters) - limit) :]:
        click.echo(_line(letter, letter.place in again))
    click.echo(f"{len(letters):,} dead letters")


def _line(letter: "Letter", again: bool) -> str:
    field = f" ({letter.field})" if letter.field else ""
    notes = [f"reporter {letter.reporter}"] if letter.reporter else []
    notes += [f"again of {letter.retry_of}"] if letter.retry_of else []
    notes += ["sent again"] if again else []
    return (
        f"{letter.place}  {letter.at}  {letter.stage}: {letter.reason}{field}  from {letter.source}"
        + (f"  [{', '.join(notes)}]" if notes else "")
    )


@dead_letters.command()
@click.argument("place")
@click.option(
    "--cpr",
    "whole",
    is_flag=True,
    help="The record byte for byte, CPR number and all; access is logged.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(place: str, whole: bool, as_json: bool) -> None:
    """Show a refused record, with whatever may be a CPR number masked.

    PLACE is as `list` shows it: partition/offset. The seal key is needed.
    """
    from streams.operations.dead_letters import masked, unsealed
    from streams.privacy.access_log import log_access

    async def ask(settings: "Settings", at: "Desk") -> "tuple[Letter, bytes]":
        letter = await at.letter(place)
        record = unsealed(settings, letter)
        if whole:  # before it is shown, and not at all where it cannot be logged
            log_access(settings.state_dir, "dead-letter", letter=letter.place, persons=1)
        return letter, record

    letter, record = _asked(ask)
    text = record.decode(errors="replace") if whole else masked(record)
    if as_json:
        _print_json(letter.as_json() | {"record": text})
        return
    click.echo(_line(letter, again=False))
    if letter.first and letter.first != letter.retry_of:
        click.echo(f"first refused as {letter.first}")
    click.echo(record if whole else text)


@dead_letters.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_filters
@click.option("--again", is_flag=True, help="Those too that were sent again before.")
@click.option(
    "--unchanged", is_flag=True, help="Errors in content too, whose cause was repaired on our side."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def retry(
    places: tuple[str, ...],
    again: bool,
    unchanged: bool,
    dry_run: bool,
    as_json: bool,
    **filters: str,
) -> None:
    """Send refused records again, byte for byte, to the topic that they came from.

    Without PLACE or any filter: all that a defect of ours refused (internal_error). What was sent
    again before is left out. A record that is refused once more points to the first time.
    """
    from streams.operations.dead_letters import Wanted, send_again
    from streams.privacy.access_log import log_access

    async def ask(settings: "Settings", at: "Desk") -> "tuple[list[Letter], list[Sent], int]":
        letters, left_out = await _chosen(
            at, places, Wanted(**filters), again=again, unchanged=unchanged
        )
        if dry_run or not letters:
            return letters, [], left_out
        log_access(settings.state_dir, "dead-letters retry", persons=len(letters))
        return letters, await send_again(settings, at, letters), left_out

    letters, sent, left_out = _asked(ask)
    if as_json:
        _print_json(
            {
                "sent": [{"place": each.letter.place, "to": each.place} for each in sent],
                "chosen": [letter.place for letter in letters],
                "left_out": left_out,
            }
        )
        return
    for letter in letters if dry_run else ():
        click.echo(f"would send {_line(letter, again=False)}")
    for each in sent:
        click.echo(f"{each.letter.place} sent again to {each.place}")
    click.echo(
        f"{len(sent):,} sent again"
        + (f", {left_out:,} left out that were before" if left_out else "")
    )


async def _chosen(
    at: "Desk", places: Sequence[str], wanted: "Wanted", *, again: bool, unchanged: bool
) -> "tuple[list[Letter], int]":
    """The letters to send, and how many were left out since they were sent before. Raises RefusalError."""
    from streams.operations.dead_letters import OUR_FAULTS, RefusalError, check_sendable

    if places:
        letters = [await at.letter(place) for place in places]
    else:
        letters = [
            each
            for each in await at.letters(wanted)
            if unchanged or wanted.reason or each.reason in OUR_FAULTS
        ]
    for letter in letters:
        check_sendable(letter, unchanged=unchanged)
    before = set() if again else await at.sent_again(letters)
    if places and before:
        raise RefusalError(
            f"dead letter {min(before)} was sent again before; see with `dead-letters list` what came of it, or send it"
            " once more with --again"
        )
    return [letter for letter in letters if letter.place not in before], len(before)


def _asked(ask: "Callable[[Settings, Desk], Any]") -> Any:
    import asyncio
    import logging

    from streams.operations.dead_letters import desk
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)

    async def main() -> Any:
        async with desk(settings) as at:
            return await ask(settings, at)

    return asyncio.run(main())


def _print_json(value: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(value).decode())
