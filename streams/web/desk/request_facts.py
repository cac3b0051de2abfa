"""Says what a request is about, in words and without persons: operators see none.

Only names that are listed here are shown with their values. A pseudonym is "a citizen", and so is
what else would lead to one, as the id of a report does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.acts.four_eyes import AMOUNTS, MOVED_BY_CAUSE, MOVED_BY_PLACE, ApprovalRequest
from streams.web.lis_figures import Speaker
from streams.web.words import Word, catalogue

CITIZENS: Final = frozenset({"citizen", "former", "to"})
"""Names of a scope whose values are pseudonyms."""
PLAIN: Final = frozenset(
    {
        "run", "letters", "reporter", "rules", "rule_set", "rule_set_digest", "sha256",
        "municipalities", "seal_keys", "journal_keys", "pseudonym_key", "prefix", "partitions",
        "keys", "erase", "messages", "citizens", "pairs",
    }
)  # fmt: skip
"""Names whose values are shown as they are: none of them names a person."""
FLAGS: Final = frozenset({"again", "undo", "demo"})
HIDDEN: Final = frozenset({"report_id"})
"""Names that are told of without their values."""
MOST_VALUES: Final = 50


class RequestFact(NamedTuple):
    """A name and its values, as they are shown."""

    name: str
    values: Sequence[str]


def title_of(request: ApprovalRequest, word: Word) -> str:
    """Say what is asked for."""
    act = str(request.fields["act"])
    key = f"approvals.act_{act.replace(' --', '_').replace(' ', '_').replace('-', '_')}"
    return word(key) if key in catalogue() else act


def facts_of(request: ApprovalRequest, speaker: Speaker) -> list[RequestFact]:
    """Return what is told of a request's scope, and of what it is about."""
    scope, about = request.fields["scope"], request.fields["about"]
    amounts = about.get(AMOUNTS, {})
    facts = []
    for name, value in scope.items():
        if value in ("", None, [], False):
            continue
        if name == "doubts":
            values = [_doubt(doubt, amounts.get(doubt), speaker) for doubt in value]
        else:
            values = _values(name, value, speaker)
        if values:
            facts.append(
                RequestFact(speaker.word(f"approvals.scope_{name}"), _cut(values, speaker))
            )
    return [*facts, *_about(about, speaker), *_moved(about, speaker)]


def _values(name: str, value: Any, speaker: Speaker) -> list[str]:
    """Return the values of a name that is listed; none where it is not."""
    word = speaker.word
    shown: Mapping[str, Callable[[Any], str]] = {
        "month": speaker.month,
        "municipality": speaker.municipality,
        **dict.fromkeys(PLAIN, str),
        **dict.fromkeys(FLAGS, lambda _yes: word("approvals.yes")),
        **dict.fromkeys(CITIZENS, lambda _pseudonym: word("approvals.a_citizen")),
        **dict.fromkeys(HIDDEN, lambda _id: word("approvals.on_the_command_line")),
    }
    if name not in shown:
        return []
    if name in CITIZENS and isinstance(value, list):
        return [str(len(value))]
    return [shown[name](each) for each in (value if isinstance(value, list) else [value])]


def _about(about: Mapping[str, Any], speaker: Speaker) -> list[RequestFact]:
    """Tell what the second person is told beside the scope: counts, also of reasons."""
    facts, reasons = [], []
    for name, value in about.items():
        if f"letters.reason_{name}" in catalogue():
            reasons.append(f"{value} {speaker.word(f'letters.reason_{name}')}")
        elif name in PLAIN:
            facts.append(RequestFact(speaker.word(f"approvals.scope_{name}"), [str(value)]))
        elif name == "content":  # the sentence of `opening load`, which counts rows
            facts.append(RequestFact(speaker.word("approvals.content"), [str(value)]))
    if reasons:
        facts.append(RequestFact(speaker.word("approvals.refused_for"), reasons))
    return facts


def _moved(about: Mapping[str, Any], speaker: Speaker) -> list[RequestFact]:
    """Tell all amounts that would move, by cause and by municipality, the largest first."""
    facts = []
    named = {MOVED_BY_CAUSE: speaker.cause, MOVED_BY_PLACE: speaker.municipality}
    for field, name in named.items():
        moved = sorted(about.get(field, {}).items(), key=lambda each: -abs(each[1]))
        values = [f"{name(code)}: {speaker.moved(ore)} kr." for code, ore in moved]
        if len(values) > 1:
            total = speaker.moved(sum(about[field].values()))
            values.insert(0, f"{speaker.word('lis.in_all')}: {total} kr.")
        if values:
            facts.append(RequestFact(speaker.word(f"approvals.{field}"), values))
    return facts


def _doubt(doubt: str, ore: int | None, speaker: Speaker) -> str:
    code, _, rest = doubt.partition(" ")
    key = f"lis_values.hold__{code}"
    said = f"{rest}: {speaker.word(key) if key in catalogue() else code}"
    return said if ore is None else f"{said}, {speaker.kroner(ore)} kr."


def _cut(values: list[str], speaker: Speaker) -> list[str]:
    """Return so many values as a page can hold, and say how many more there are."""
    more = len(values) - MOST_VALUES
    return values[:MOST_VALUES] + (
        [speaker.word("runs.more_doubts", count=more)] if more > 0 else []
    )
