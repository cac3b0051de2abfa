"""Draws the views that hold one thing against another, and those of accounts and neighbours."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from projections.lis.answers import ratio
from projections.lis.drawing_parts import Scene, money_piece, short_name
from projections.lis.pictures import Stack
from projections.lis.questions import ViewError

MOST_STACKS: Final = 15
"""The stacks that are drawn: what is smaller is read in the table."""
Key = TypeVar("Key")


def _largest(of: Scene, sizes: Mapping[Key, int]) -> tuple[Scene, Sequence[Key]]:
    """Choose the largest ones, and say how many there are where that is not all.

    Raises ViewError where there is nothing.
    """
    there = [key for key, size in sizes.items() if size > 0]
    if not there:
        raise ViewError(f"there is nothing above 0 in these rows of {of.answer.view} to draw")
    there.sort(key=lambda key: (-sizes[key], str(key)))
    if len(there) > MOST_STACKS:
        of = of.at("{place}; de {most} største af {all}", most=MOST_STACKS, all=len(there))
    return of, there[:MOST_STACKS]


def by_account(of: Scene) -> str:
    """Draw the base of each account; the first has the largest part of it."""
    sums: defaultdict[str, int] = defaultdict(int)
    for row in of.rows:
        if row["benefit"] is not None:
            sums[row["account"] or of.tell.say("uden konto")] += row["amount_ore"]
    of, accounts = _largest(of, sums)
    parts = [
        Stack(name, [money_piece(of.tell, "udgiftsgrundlag", 30, ore)], of.tell.size("ore", ore))
        for name in accounts
        for ore in (sums[name],)
    ]
    share = ratio(sums[accounts[0]], sum(sums.values())) or 0
    name = accounts[0]
    title = "Konto {name} har {share} af udgiftsgrundlaget"
    if name == of.tell.say("uden konto"):
        title = "Rækker uden konto har {share} af udgiftsgrundlaget"
    return of.stacks(title, parts, name=name, share=of.tell.size("percent", share))


def between_municipalities(of: Scene) -> str:
    """Draw the base of each pair of municipalities, of which one pays and the other finances."""
    by_codes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in of.rows:
        by_codes[row["paying"], row["financing"]] += row["amount_ore"]
    names = of.law.municipalities
    sums = {
        of.tell.say("{came} til {went}", came=names[paying], went=names[financing]): ore
        for (paying, financing), ore in by_codes.items()
    }
    of, pairs = _largest(of, sums)
    parts = [
        Stack(
            short_name(pair),
            [money_piece(of.tell, "udgiftsgrundlag", 30, sums[pair])],
            of.tell.size("ore", sums[pair]),
        )
        for pair in pairs
    ]
    title = "Mellem kommuner: {pair} er størst med {size}"
    return of.stacks(title, parts, pair=pairs[0], size=of.tell.size("ore", sums[pairs[0]]))


def against_expected(of: Scene) -> str:
    """Draw what was received and what is lacking, of the lines that lack most."""
    received: defaultdict[str, int] = defaultdict(int)
    lacking: defaultdict[str, int] = defaultdict(int)
    for row in of.rows:
        name = f"{row['reporter']} {row['benefit']} {row['month']}"
        received[name] += row["received_ore"] or 0
        lacking[name] += (row["expected_ore"] or 0) - (row["received_ore"] or 0)
    short = sum(ore > 0 for ore in lacking.values())
    of, lines = _largest(of, lacking if short else received)
    parts = [
        Stack(
            short_name(name),
            [
                money_piece(of.tell, "modtaget", 40, received[name]),
                money_piece(of.tell, "mangler", 65, max(lacking[name], 0), is_hatched=True),
            ],
            of.tell.size("ore", -max(lacking[name], 0)),
        )
        for name in lines
    ]
    if not short:
        return of.stacks("Alt det forventede er modtaget", parts)
    return of.stacks(
        "{count} af {all} linjer har fået mindre end forventet, højst {most}",
        parts,
        count=of.tell.count(short),
        all=of.tell.count(len(lacking)),
        most=of.tell.size("ore", lacking[lines[0]]),
    )


def against_books(of: Scene) -> str:
    """Draw how large the difference of each account and month is, explained or not."""
    explained: defaultdict[str, int] = defaultdict(int)
    rest: defaultdict[str, int] = defaultdict(int)
    for row in of.rows:
        name = f"{row['account'] or of.tell.say('uden konto')} {row['month']}"
        is_explained = not row["unexplained_ore"]
        explained[name] += abs(row["difference_ore"]) if is_explained else 0
        rest[name] += abs(row["unexplained_ore"])
    whole = {name: explained[name] + rest[name] for name in rest}
    of, names = _largest(of, whole)
    parts = [
        Stack(
            short_name(name),
            [
                money_piece(of.tell, "forklaret", 40, explained[name]),
                money_piece(of.tell, "uforklaret", 65, rest[name], is_hatched=True),
            ],
            of.tell.size("ore", whole[name]),
        )
        for name in names
    ]
    if not sum(rest.values()):
        return of.stacks("Hele forskellen er forklaret", parts)
    return of.stacks(
        "{size} er ikke forklaret ({count} af {all} rækker)",
        parts,
        size=of.tell.size("ore", sum(row["unexplained_ore"] for row in of.rows)),
        count=of.tell.count(sum(ore > 0 for ore in rest.values())),
        all=of.tell.count(len(rest)),
    )
