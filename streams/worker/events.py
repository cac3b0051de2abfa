"""Shows as metrics what the stages count themselves: events of their partitions."""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from streams.engine.ports import Stage

EVENTS: Final = {
    "begun_again": "Beginnings of partitions again after a failure.",
    "copied_controls": "Control records passed over: copies of one that counts already.",
    "copied_postings": "Postings passed over: a revision or a run's marker that came before.",
    "disk_thrown_away": "Disks thrown away because they could not be believed.",
    "foreign_entries": "Entries of the state passed over: nobody of ours wrote them, or copies.",
    "position_found": "Partitions whose position was not the group's offset.",
    "position_unproved": "Partitions whose group's offset no worker of ours is known to have set.",
}
"""The events, each with its meaning; the metric of one is `refusion_<event>_total`."""


class EventsCollector(Collector):
    """Reads the stages' counts when somebody asks."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give the counts of each event."""
        for event, meaning in EVENTS.items():
            family = CounterMetricFamily(f"refusion_{event}", meaning, labels=("stage",))
            for stage in self._stages:
                family.add_metric((stage.name,), stage.events[event])
            yield family
