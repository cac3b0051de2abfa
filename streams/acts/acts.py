"""Records acts before they are done: `await record_act(settings, Act("export", {"run": 82}))`.

No record, no act: where the brokers have not acknowledged it, `ActError` is raised.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.acts.chain_file import new_id
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.kit.errors import UserError
from streams.privacy.cpr import may_hold_cpr
from streams.settings import Settings

LONGEST_REASON: Final = 500


class Act(NamedTuple):
    """Something that a person is about to do.

    `scope` says to what: a run, a municipality, files, the pseudonyms of citizens looked at; never
    a CPR. `reason` is what the person gave as the reason or the purpose.
    """

    name: str
    scope: Mapping[str, Any]
    reason: str = ""


class ReasonError(UserError):
    """A free text must not be kept; the message says why."""


def checked_reason(option: str, text: str) -> str:
    """Return a reason or purpose that may be kept for ever.

    Raises:
        ReasonError: it is empty, too long, in several lines, or has what may be a CPR number.
    """
    if not (text.strip() and len(text) <= LONGEST_REASON and text.isprintable()):
        raise ReasonError(
            f"{option} must be a reason in words, of at most {LONGEST_REASON} characters in one"
            " line"
        )
    if may_hold_cpr(text):
        raise ReasonError(
            f"{option} has what looks like a CPR number: it would be kept for ever; leave it out"
        )
    return text


async def record_act(
    settings: Settings, act: Act, open_topic: OpenActTopic = open_act_topic
) -> str:
    """Record an act, and return its id when it may be done. Raises ActError."""
    (act_id,) = await record_acts(settings, [act], open_topic)
    return act_id


async def record_acts(
    settings: Settings, acts: Sequence[Act], open_topic: OpenActTopic = open_act_topic
) -> list[str]:
    """Record acts that may be done when all of them are recorded. Raises ActError.

    In demo mode without brokers, where there are fictive persons alone, nothing is recorded.
    """
    if settings.demo and not settings.has_brokers:
        return [new_id() for _ in acts]
    async with open_topic(settings) as topic:
        writer = ActWriter(settings, topic)
        return [await writer.write("act", fields_of(act)) for act in acts]


def fields_of(act: Act) -> dict[str, Any]:
    """Return an act as fields of its record."""
    return {"act": act.name, "scope": dict(act.scope), "reason": act.reason}
