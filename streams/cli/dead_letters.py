"""`refusion dead-letters`: the refused records, listed, shown and sent again."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from streams.cli.console import PURPOSE, answering, echo_json, load_settings, run_async

if TYPE_CHECKING:
    from streams.operations.dead_letters import DeadLetterReader, Letter
    from streams.operations.letter_dispatch import Sent
    from streams.settings import Settings

Result = TypeVar("Result")

TOP: Final = 20
"""The number of letters listed, the newest ones."""


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at refused records, and send them again.

    Nothing is edited here: the reporter corrects an error in content, and reports again.
    """


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose letters to a command."""
    for name, metavar, text in (
        ("--reporter", "CVR", "Only those of this reporter; needs the seal key."),
        ("--until", "TIME", "Only those before this day or time, UTC."),
        ("--since", "TIME", "Only those from this day or time on, UTC."),
        ("--stage", "STAGE", "Only those of this stage: intake or citizens."),
        ("--reason", "REASON", "Only those with this reason."),
    ):
        command = click.option(name, metavar=metavar, default="", help=text)(command)
    return command


@dead_letters.command("list")
@_filters
@click.option(
    "--limit", type=click.IntRange(0), default=TOP, show_default=True, help="How many are shown."
)
@click.option("--json", "as_json", is_flag=True, help="Print all of them as JSON.")
def list_(limit: int, as_json: bool, **filters: str) -> None:
    """Count refused records by stage, reason and reporter, and list the newest."""
    from streams.operations.dead_letters import OUR_FAULTS, Wanted, summary

    async def work(
        settings: "Settings", reader: "DeadLetterReader"
    ) -> "tuple[list[Letter], set[str]]":
        await _record_look(settings, filters)
        letters = await reader.letters(Wanted(**filters))
        return letters, await reader.sent_again(
            [letter for letter in letters if letter.reason in OUR_FAULTS]
        )

    letters, again = _read(work)
    if as_json:
        echo_json(
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
    help="Show the record byte for byte, with its CPR number; the access is logged.",
)
@PURPOSE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(place: str, whole: bool, purpose: str, as_json: bool) -> None:
    """Show a refused record, with everything masked that may tell whom it is about.

    PLACE is partition/offset, as `list` shows it. The seal key is needed. That you looked is
    recorded in the topic `access`.
    """
    from streams.acts.acts import Act, checked_reason, record_act
    from streams.operations.dead_letters import unsealed, with_reporter
    from streams.operations.record_mask import masked
    from streams.privacy.access_log import log_access

    if purpose:
        checked_reason("--purpose", purpose)

    async def work(settings: "Settings", reader: "DeadLetterReader") -> "tuple[Letter, bytes]":
        letter = await reader.letter(place)
        scope = {"letter": letter.place, "citizen": letter.citizen, "masked": not whole}
        await record_act(settings, Act("dead-letters show", scope, purpose))
        letter, record = with_reporter(settings, letter), unsealed(settings, letter)
        if whole:  # before it is shown, and not at all where it cannot be logged
            log_access(settings.state_dir, "dead-letter", letter=letter.place, persons=1)
        return letter, record

    letter, record = _read(work)
    text = record.decode(errors="replace") if whole else masked(record)
    if as_json:
        echo_json(letter.as_json() | {"record": text})
        return
    click.echo(_line(letter, again=False))
    if letter.first and letter.first != letter.retry_of:
        click.echo(f"first refused as {letter.first}")
    click.echo(record if whole else text)


@dead_letters.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_filters
@click.option("--again", is_flag=True, help="Send even those that were sent again before.")
@click.option(
    "--unchanged",
    is_flag=True,
    help="Send errors in content too, when their cause was repaired on our side.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry(
    places: tuple[str, ...],
    again: bool,
    unchanged: bool,
    dry_run: bool,
    as_json: bool,
    **filters: str,
) -> None:
    """Send refused records again, byte for byte, to the topic that they came from.

    Without PLACE or a filter, all records are sent that were refused for a defect of this program
    (internal_error), except those that were sent again before. A record that is refused once more
    points to the first time.
    """
    from streams.operations.dead_letters import Wanted
    from streams.operations.letter_retry import Retry, chosen_letters, sent_if_permitted

    asked = Retry(places, Wanted(**filters), again=again, unchanged=unchanged)

    async def work(
        settings: "Settings", reader: "DeadLetterReader"
    ) -> "tuple[list[Letter], list[Sent], int]":
        if not places:
            await _record_look(settings, filters)
        chosen = await chosen_letters(settings, reader, asked)
        for sentence in chosen.cannot:
            click.echo(f"left out: {sentence}", err=True)
        if dry_run or not chosen.letters:
            return chosen.letters, [], chosen.left_out
        sent = await sent_if_permitted(settings, reader, chosen.letters, asked)
        return chosen.letters, sent, chosen.left_out

    with answering(as_json):
        letters, sent, left_out = _read(work)
    if as_json:
        echo_json(
            {
                "sent": [{"place": sending.letter.place, "to": sending.place} for sending in sent],
                "chosen": [letter.place for letter in letters],
                "left_out": left_out,
            }
        )
        return
    for letter in letters if dry_run else ():
        click.echo(f"would send {_line(letter, again=False)}")
    for sending in sent:
        click.echo(f"{sending.letter.place} sent again to {sending.place}")
    click.echo(
        f"{len(sent):,} sent again"
        + (f", {left_out:,} left out that were before" if left_out else "")
    )


async def _record_look(settings: "Settings", filters: dict[str, str]) -> None:
    """Record a look at all records: with the keys each is opened, to read its reporter."""
    from streams.acts.acts import Act, record_act

    if settings.has_keys:
        await record_act(settings, Act("dead-letters list", filters))


def _read(work: "Callable[[Settings, DeadLetterReader], Coroutine[Any, Any, Result]]") -> Result:
    """Run `work(settings, reader)` with the topic of dead letters open."""
    from streams.operations.dead_letters import dead_letter_reader

    settings = load_settings()

    async def main() -> Result:
        async with dead_letter_reader(settings) as opened:
            return await work(settings, opened)

    return run_async(main())
