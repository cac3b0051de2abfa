"""Compares a topic that is there with what it must be, and says how each difference is mended.

A topic may have been made by somebody else, by a former version or while brokers were down, and an
operator may have changed it since. So what is set when we make a topic is compared whenever it is
used: by a worker at its start, by `refusion verify`, and in the metrics.

One command mends all settings of a topic at once. Two in a row could lose data between them: a
compacted journal that is first set to `cleanup.policy=delete` loses what is older than its
`retention.ms`, before that is set too.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

FOR_EVER: Final = "-1"
"""Kafka's word for no limit, of time or of bytes."""
BROKERS_TIME: Final = "LogAppendTime"
MANY_REPLICAS: Final = 3
"""Replicas from which two must have a record before it is acknowledged."""


class Effect(Enum):
    """The effect of a difference, and what is done about it."""

    REFUSED = "refused"
    """It loses data or stands still while we work: a worker does not begin."""
    LOSES = "loses"
    """Others lose data by it, and more of it while no worker takes it in: a worker warns."""
    WEAKENS = "weakens"
    """It takes away a safeguard, or is an operator's choice: a worker warns."""


class Existing(NamedTuple):
    """A topic as the cluster describes it."""

    partitions: int
    settings: Mapping[str, str]
    replicas: int = 1
    is_readable: bool = True
    """False where this client may not read the settings, which are then left out."""


class TopicDifference(NamedTuple):
    """One difference between a topic and what it must be; `needed` is empty for no setting."""

    topic: str
    setting: str
    there: str
    needed: str
    effect: Effect
    meaning: str


def enough_replicas(replicas: int) -> str:
    """Return how many replicas must have a record before it is acknowledged.

    >>> enough_replicas(3), enough_replicas(1)
    ('2', '1')
    """
    return "2" if replicas >= MANY_REPLICAS else "1"


def differences(
    name: str, wanted: Mapping[str, str], replicas: int, existing: Existing, *, is_filled_here: bool
) -> Iterator[TopicDifference]:
    """Yield what is otherwise than wanted. `is_filled_here`: our stages write into the topic."""
    there = existing.settings
    for setting, needed in {**wanted, "min.insync.replicas": ""}.items():
        judge = _JUDGES.get(setting)
        if judge is None or setting not in there:
            continue
        asked = _Asked(there[setting], needed, existing.replicas, is_filled_here)
        if judgement := judge(asked):
            effect, mended, meaning = judgement
            yield TopicDifference(name, setting, there[setting], mended, effect, meaning)
    if existing.replicas < replicas:
        yield TopicDifference(
            name,
            "replicas",
            str(existing.replicas),
            "",
            Effect.WEAKENS,
            f"{replicas} are asked for: what it holds is gone with fewer disks; give it more with"
            " kafka-reassign-partitions.sh; if no more brokers are meant to be there, set"
            f" REFUSION_REPLICAS={existing.replicas}",
        )


# --- judging ------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    """One setting of a topic, as it is there and as it is needed."""

    there: str
    needed: str
    replicas: int
    is_filled_here: bool


_Judgement = tuple[Effect, str, str] | None
"""The effect of a difference, the value that mends it, and what it means; None where all is well.
An empty meaning is `would lose data`."""


def _policy(asked: _Asked) -> _Judgement:
    return (Effect.REFUSED, asked.needed, "") if asked.there != asked.needed else None


def _kept(asked: _Asked) -> _Judgement:
    """A topic that is kept for some time may be kept longer: that is the operator's choice."""
    if asked.needed == FOR_EVER:
        return _policy(asked)
    if asked.there == FOR_EVER or int(asked.there) >= int(asked.needed):
        return None
    return Effect.WEAKENS, asked.needed, "records are gone sooner than they should be"


def _timestamps(asked: _Asked) -> _Judgement:
    if asked.there == asked.needed:
        return None
    if asked.is_filled_here:
        meaning = "with a wrong clock a worker stands still, or what it writes is deleted too soon"
        return Effect.WEAKENS, asked.needed, meaning
    return Effect.LOSES, asked.needed, ""


def _unclean(asked: _Asked) -> _Judgement:
    return (Effect.REFUSED, asked.needed, "") if asked.there != asked.needed else None


def _in_sync(asked: _Asked) -> _Judgement:
    enough, needed = int(asked.there), enough_replicas(asked.replicas)
    if enough > asked.replicas:
        return Effect.REFUSED, needed, f"with {asked.replicas} replicas nothing can be written"
    if enough < int(needed):
        return Effect.WEAKENS, needed, "a record is acknowledged that one disk alone has"
    if enough == asked.replicas > 1:
        return Effect.WEAKENS, needed, "nothing can be written while one broker is down"
    return None


def _largest(asked: _Asked) -> _Judgement:
    there, needed = int(asked.there), int(asked.needed)
    if there < needed and asked.is_filled_here:
        meaning = "a larger message would hold its partition up for ever"
        return Effect.REFUSED, asked.needed, meaning
    if there < needed:
        return Effect.WEAKENS, asked.needed, "large reports are refused where they are published"
    if there > needed and not asked.is_filled_here:
        meaning = "the dead letter of a larger record could not be written"
        return Effect.WEAKENS, asked.needed, meaning
    return None


def _lag(asked: _Asked) -> _Judgement:
    if int(asked.there) <= int(asked.needed):
        return None
    return Effect.WEAKENS, asked.needed, "compaction comes late, and restores take long"


_JUDGES: Final[dict[str, Callable[[_Asked], _Judgement]]] = {
    "cleanup.policy": _policy,
    "retention.ms": _kept,
    "retention.bytes": _kept,
    "message.timestamp.type": _timestamps,
    "unclean.leader.election.enable": _unclean,
    "min.insync.replicas": _in_sync,
    "max.message.bytes": _largest,
    "min.compaction.lag.ms": _lag,
    "max.compaction.lag.ms": _lag,
    "segment.ms": _lag,
}


# --- sentences ----------------------------------------------------------------------------------


def sentence(found: list[TopicDifference], bootstrap: str) -> str:
    """Say what is wrong with one topic, worst first, and the command that mends all of it."""
    order = list(Effect)
    found = sorted(found, key=lambda each: order.index(each.effect))
    said = "; ".join(_said(each) for each in found)
    settings = ",".join(f"{each.setting}={each.needed}" for each in found if each.needed)
    command = (
        f"; set it with kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type"
        f" topics --entity-name {found[0].topic} --add-config {settings}"
        if settings
        else ""
    )
    look = ", and look whether anything is lost already" if _has_lost(found) else ""
    return f"topic {found[0].topic} has {said}{command}{look}"


def _said(each: TopicDifference) -> str:
    if each.setting == "replicas":
        return f"{each.there} replicas, {each.meaning}"
    if each.meaning:
        return f"{each.setting}={each.there}, {each.needed} is needed: {each.meaning}"
    return f"{each.setting}={each.there} and would lose data, {each.needed} is needed"


def _has_lost(found: list[TopicDifference]) -> bool:
    return any(not each.meaning for each in found)


def uneven(partitions: Mapping[str, int], asked: int) -> str | None:
    """Say why the citizens' topics cannot be worked with, by their partitions; None where they can.

    >>> uneven({"a": 2, "b": 2}, 2)
    >>> "set REFUSION_PARTITIONS=5" in uneven({"a": 5, "b": 5}, 2)
    True
    """
    other = {name: number for name, number in partitions.items() if number != asked}
    if not other:
        return None
    name, number = next(iter(other.items()))
    part = f"topic {name} has {number} partitions"
    if len(set(partitions.values())) == 1:
        return (
            f"{part}, {asked} are asked for: a citizen's reports and state would part; set"
            f" REFUSION_PARTITIONS={number}, or another REFUSION_PREFIX"
        )
    all_of_them = ", ".join(f"{name} {number}" for name, number in partitions.items())
    return (
        f"{part}, and others have another number ({all_of_them}): a citizen's reports and state"
        " would part with any REFUSION_PARTITIONS; stop all workers and see `Partitions that"
        " differ` in docs/operations.md"
    )
