"""Tells whether an act was done before, by as many persons as it needs."""

from collections.abc import Collection

from streams.acts.acts import Act
from streams.acts.chain import Entry
from streams.acts.noted_place import NotedPlace
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.settings import Settings


async def is_confirmed(
    settings: Settings, act: Act, open_topic: OpenActTopic = open_act_topic
) -> bool:
    """Tell whether an act of this scope was done before, by two persons where four eyes are on.

    In demo mode without brokers nothing is recorded, so nothing has to be.
    """
    if settings.demo and not settings.has_brokers:
        return True
    enough = {"approved"} if settings.four_eyes else {"approved", "off"}
    async with open_topic(settings) as topic:
        writer = ActWriter(settings, topic)
        noted = NotedPlace(settings.state_dir, topic.name, topic.identity, act)
        offset = noted.offset()
        if offset is not None and any(
            _confirms(entry, act, enough) for entry in await writer.entries_at(offset)
        ):
            return True
        for entry in await writer.entries():
            if _confirms(entry, act, enough):
                noted.note(entry.record.offset)
                return True
    return False


def _confirms(entry: Entry, act: Act, enough: Collection[str]) -> bool:
    """Tell whether a record says that an act was done, with as many persons as are enough."""
    return (
        (entry.fields["type"], entry.fields.get("act")) == ("act", act.name)
        and entry.fields.get("scope") == dict(act.scope)
        and entry.fields.get("four_eyes") in enough
    )
