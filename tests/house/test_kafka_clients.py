"""One factory makes every client of Kafka, so that each logs on as the settings say."""

import re

from tests.support.places import ROOT

MADE = re.compile(r"\bAIOKafka\w*\(")
FACTORY = "streams/kafka/clients.py"
OF_THEIR_OWN = {
    "bench/arrivals.py": "measures a plain reader beside ours, at a local Kafka",
    "bench/rig.py": "feeds a local Kafka with settings of its own",
    "bench/throughput.py": "measures a plain reader beside ours, at a local Kafka",
}
"""Programs for a local Kafka alone, with the reason why they make clients themselves."""


def makers():
    for folder in ("domain", "projections", "streams", "examples", "demo", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if any(
                MADE.search(line) for line in path.read_text().splitlines() if "class " not in line
            ):
                yield str(path.relative_to(ROOT))


def test_no_other_module_makes_a_client():
    assert set(makers()) == {FACTORY, *OF_THEIR_OWN}
