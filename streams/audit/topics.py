"""Compares the settings of the topics with what they must be."""

from typing import Final

from projections.audit.violations import Violation, Violations
from streams.citizens.register_file import sources_of
from streams.kafka.reading import TopicReader
from streams.kafka.topic_settings import Effect, sentence
from streams.kafka.topics import TopicError, all_topics, named
from streams.settings import Settings

UNREAD: Final = "topics whose settings could not be read"


async def compare_settings(reader: TopicReader, settings: Settings, violations: Violations) -> None:
    """Add what loses data, as violations, and what only takes away a safeguard, as notes."""
    names = named(settings.prefix, settings.journal_prefix, all_topics(sources_of(settings)))
    try:
        there = await reader.described(list(names))
    except TopicError:  # no right to see them: the rest can be audited
        violations.notes[UNREAD] += len(names)
        return
    for name, existing in there.items():
        found = names[name].differences(name, existing, settings.replicas)
        if not found:
            continue
        said = sentence(found, settings.bootstrap)
        if all(each.effect is Effect.WEAKENS for each in found):
            violations.notes[f"topic that should be mended: {said}"] += 1
        else:
            violations.add(Violation("setting", name, -1, -1, said))
