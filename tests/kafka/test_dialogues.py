"""The simulated brokers answer as a real one does: one script, two sides, the same answers."""

import asyncio

import pytest

from tests.kafka.real_side import real_side
from tests.simulation.dialogues import QUICK, SLOW, TELLING
from tests.simulation.simulated_side import answers_of

COMPACTED_SOON = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "100",
}


def answers_of_a_real_broker(kafka, prefix, dialogue, **topic_settings):
    async def talk():
        async with real_side(kafka.bootstrap, prefix, **topic_settings) as side:
            return await dialogue(side)

    return asyncio.run(talk())


def test_simulated_brokers_answer_as_a_real_one_where_it_matters_most(kafka, prefix):
    assert answers_of(TELLING) == answers_of_a_real_broker(kafka, prefix, TELLING)


@pytest.mark.long
@pytest.mark.parametrize("dialogue", [*QUICK, *SLOW], ids=lambda dialogue: dialogue.__name__)
def test_simulated_brokers_answer_as_a_real_one(kafka, prefix, dialogue):
    settings = COMPACTED_SOON if "compaction" in dialogue.__name__ else {}
    real = answers_of_a_real_broker(kafka, prefix, dialogue, **settings)
    assert answers_of(dialogue) == real
