"""The lines of docs/topics.md, run where kcat is installed."""

import asyncio
import re
import shutil
import subprocess

import pytest

from streams.acts.acts import Act, record_act
from streams.kafka import topics
from tests.support.places import DOCS

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINES = [
    line
    for block in BLOCK.findall((DOCS / "topics.md").read_text())
    for line in block.splitlines()
    if not line.startswith("#")
]


def test_the_document_has_lines_for_every_topic_that_others_read():
    named = {re.search(r"-t refusion\.(\S+)", line)[1] for line in LINES}  # type: ignore[index]  # each has one
    read = (topics.POSTINGS, topics.REPORTS, topics.NOTICES, topics.DEAD_LETTERS, topics.ACCESS)
    assert named == {each.name for each in read}
    assert all("isolation.level=read_committed" in line for line in LINES)


@pytest.mark.skipif(
    not (shutil.which("kcat") and shutil.which("jq")),
    reason="kcat and jq are not installed (.ci/run installs them)",
)
def test_the_lines_give_what_they_say(pipeline, settings, lives):
    worker = pipeline.start()
    pipeline.publish([*lives[0], b"not a report"])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.close_run("2023-06")
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    asyncio.run(record_act(settings, Act("dead-letters list", {})))
    (citizen,) = {record.key.decode() for record in pipeline.records(topics.POSTINGS)[0][:1]}
    for line in LINES:
        named = line.replace("refusion.", settings.prefix).replace(
            "8e35727e3d8d2d44a802ca54e344d263", citizen
        )
        done = subprocess.run(
            ["/bin/bash", "-c", named.replace("$REFUSION_BOOTSTRAP", settings.bootstrap)],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.strip(), line
