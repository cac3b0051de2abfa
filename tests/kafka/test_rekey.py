"""A journal is written anew on a real Kafka, followed, settled and proved, as programs."""

import asyncio
import json
import signal

import pytest

from streams.audit.verify import VerifyRequest, verify
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_topics
from streams.settings import Settings
from tests.kafka.test_backup import environment, program
from tests.support.acts_in_memory import ANNA, BO
from tests.support.pipeline import DONE_S, Pipeline


async def written(bootstrap, topic):
    """Count the offsets of a topic that may not be there yet."""
    async with open_topics(KafkaClients(bootstrap, "refusion-test")) as reader:
        return sum((await reader.ends(topic)).values()) if await reader.partitions(topic) else 0


@pytest.mark.long
def test_new_keys_and_more_partitions_are_followed_and_proved(pipeline, lives, as_person, tmp_path):
    settings, prefix = pipeline.settings, f"new-{pipeline.settings.prefix}"
    keys = {name: tmp_path / name for name in ("pseudonym", "seal")}
    for number, path in enumerate(keys.values()):
        path.write_text(f"{number + 7:02x}" * 32)
        path.chmod(0o600)
    asked = [
        "rekey", "--to-prefix", prefix, "--partitions", "6",
        "--new-pseudonym-key", str(keys["pseudonym"]), "--new-seal-key", str(keys["seal"]),
    ]  # fmt: skip
    running = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.close_run("2023-06")
    following = pipeline.start_program(*asked, "--follow")
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.wait_until(lambda: asyncio.run(written(settings.bootstrap, f"{prefix}reports")) > 100)
    following.send_signal(signal.SIGKILL)
    following.wait(DONE_S)
    pipeline.close_run("2023-07")
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    pipeline.stop(running)
    status, told, said = as_person(ANNA, *asked)
    assert (status, "waits for another person" in said) == (3, True), said
    before = asyncio.run(written(settings.bootstrap, f"{prefix}reports"))
    status, told, said = as_person(BO, "approve", told.strip(), "--json")
    assert status == 0, said
    done = json.loads(told)
    assert done["there_before"] > 0
    assert done["left_out"] == {}
    assert asyncio.run(written(settings.bootstrap, f"{prefix}reports")) > before
    assert program(settings, *asked)["records"] == 0

    given = {
        "REFUSION_PREFIX": prefix,
        "REFUSION_PARTITIONS": "6",
        "REFUSION_STATE_DIR": str(tmp_path / "new-state"),
        "REFUSION_PSEUDONYM_KEY": keys["pseudonym"].read_text(),
        "REFUSION_SEAL_KEY": keys["seal"].read_text(),
    }
    new = Pipeline(Settings.load(environment(settings) | given))
    worker = new.start()
    try:
        new.wait_until_settled()
        proved = program(settings, *asked, "--prove")
        assert (proved["fine"], proved["erased_ore"]) == (True, {})
        assert proved["citizens"] > 50
        new.publish(lives[3])
        new.wait_until_settled()
        new.stop(worker)
        request = VerifyRequest(sample_percent=100, jobs=0, fold=True)
        assert verify(new.settings, request, lambda *_: None).violations.named == []
        assert program(settings, *asked, "--prove", status=1)["wrong"] != []
        refused = program(settings, *asked, status=2)
        assert "somebody else writes there" in refused
    finally:
        new.clean_up()
