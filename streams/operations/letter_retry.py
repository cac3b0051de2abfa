"""Sends refused records again for a person: chosen, permitted and recorded, then sent.

    chosen = await chosen_letters(settings, reader, Retry(["3/17"]))
    sent = await sent_if_permitted(settings, reader, chosen.letters, asked)

The command line and the site do it by these two steps. Errors in content (`unchanged`) need two
persons.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from streams.acts.acts import Act, record_act
from streams.acts.four_eyes import GuardedAct, permission
from streams.operations.dead_letters import (
    OUR_FAULTS,
    DeadLetterReader,
    Letter,
    RefusalError,
    Wanted,
)
from streams.operations.letter_dispatch import (
    Sent,
    check_asked,
    check_sendable,
    send_again,
    sendable,
)
from streams.privacy.access_log import log_access
from streams.settings import Settings


class Retry(NamedTuple):
    """A request to send refused records again: those at places, or those that are wanted.

    `again` sends those that were sent before too, `unchanged` errors in content as well.
    """

    places: Sequence[str] = ()
    wanted: Wanted = Wanted()
    again: bool = False
    unchanged: bool = False


class ChosenLetters(NamedTuple):
    """The letters to send, how many were sent before, and why others cannot be sent."""

    letters: list[Letter]
    left_out: int
    cannot: list[str]


async def chosen_letters(
    settings: Settings, reader: DeadLetterReader, asked: Retry
) -> ChosenLetters:
    """Choose the letters to send; those that were not named and nobody can send are left out.

    Raises:
        RefusalError: a letter must not be sent, or one that was named was sent before.
    """
    wanted, cannot = asked.wanted, list[str]()
    if asked.places:
        letters = [await reader.letter(place) for place in asked.places]
    else:
        letters = [
            letter
            for letter in await reader.letters(wanted)
            if asked.unchanged or wanted.reason or letter.reason in OUR_FAULTS
        ]
    for letter in letters:
        check_asked(letter, unchanged=asked.unchanged)
        if asked.places:
            check_sendable(letter, unchanged=asked.unchanged)
    if not asked.places:
        letters, cannot = await sendable(settings, reader, letters, unchanged=asked.unchanged)
        if cannot and wanted.reason and not letters:
            raise RefusalError(cannot[0])
    before = set() if asked.again else await reader.sent_again(letters)
    if asked.places and before:
        raise RefusalError(
            f"dead letter {min(before)} was sent again before; look with `dead-letters list`"
            " what came of it, or send it once more with --again"
        )
    return ChosenLetters(
        [letter for letter in letters if letter.place not in before], len(before), cannot
    )


async def sent_if_permitted(
    settings: Settings, reader: DeadLetterReader, letters: Sequence[Letter], asked: Retry
) -> list[Sent]:
    """Record that letters are sent again, and send them; errors in content need two persons.

    Raises:
        AwaitingApproval: another person is to agree first.
        UserError: they were not sent, or not all of them.
    """
    places = [letter.place for letter in letters]
    scope = {"letters": places, "again": asked.again}
    if asked.unchanged:
        again = ["--again"] if asked.again else []
        command = ["dead-letters", "retry", "--unchanged", *again, *places]
        act = Act("dead-letters retry --unchanged", scope)
        reasons = Counter(letter.reason for letter in letters)
        await permission(settings, GuardedAct(act, command, about=dict(reasons)))
    else:
        await record_act(settings, Act("dead-letters retry", scope))
    log_access(settings.state_dir, "dead-letters retry", persons=len(letters))
    return await send_again(settings, reader, letters)
