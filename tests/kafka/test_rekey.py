"""A journal is written anew on a real Kafka, followed, settled and proved, as programs."""

import asyncio
import json
import signal

import pytest

from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_topics
from streams.settings import Settings
from tests.kafka.test_backup import environment, program
from tests.support.acts_in_memory import ANNA, BO
from tests.support.histories import fictive_cpr
from tests.support.lines import payment
from tests.support.pipeline import DONE_S, Pipeline
from tests.support.records import records_of


async def written(bootstrap, topic):
    """Count the offsets of a topic that may not be there yet."""
    async with open_topics(KafkaClients(bootstrap, "refusion-test")) as reader:
        return sum((await reader.ends(topic)).values()) if await reader.partitions(topic) else 0


LONG_AGO, RECENT = fictive_cpr(9_001), fictive_cpr(9_002)
UNREADABLE = [b"{", b"[", b"}"]


def day_of(year):
    """A day of March in a year, and the month after it as the time of the report."""
    return {
        "period_start": f"{year}-03-02", "period_end": f"{year}-03-02",
        "reported_at": f"{year}-04-01T08:00:00Z",
    }  # fmt: skip


def table(path, *citizens):
    lines = ["citizen;reason;basis", *(f"{each};died in 2016;GDPR art. 17" for each in citizens)]
    path.write_text("\n".join(lines))
    return path


def names(settings):
    """The CPR numbers in a journal."""
    records = asyncio.run(records_of(settings.bootstrap, settings.topic(topics.REPORTS)))
    found = (record for of in records.values() for record in of if record.key)
    unseal = settings.identity().unseal
    return {unseal(each.key.decode(), json.loads(each.value)["cpr_sealed"]) for each in found}


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
    gone, kept = (settings.identity().of(cpr)[0] for cpr in (LONG_AGO, RECENT))
    asked += ["--erase", str(table(tmp_path / "erase", gone))]
    running = pipeline.start()
    pipeline.publish([payment(cpr=LONG_AGO, **day_of(2016)), *lives[0][:9]])
    pipeline.wait_until_settled()
    pipeline.close_run("2020-01")  # what is booked later is kept until later
    pipeline.publish([payment(cpr=RECENT, **day_of(2023)), *UNREADABLE, *lives[0][9:]])
    pipeline.wait_until_settled()
    pipeline.close_run("2020-02")
    too_early = table(tmp_path / "too-early", gone, kept)
    refused = program(settings, *asked[:-1], str(too_early), status=2)
    assert "1 of the list must be kept still" in refused
    assert kept in refused
    following = pipeline.start_program(*asked, "--follow")
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.wait_until(lambda: asyncio.run(written(settings.bootstrap, f"{prefix}reports")) > 100)
    following.send_signal(signal.SIGKILL)
    following.wait(DONE_S)
    pipeline.close_run("2020-03")
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    pipeline.stop(running)
    status, told, said = as_person(ANNA, *asked)
    assert (status, "waits for another person" in said) == (3, True), said
    assert f"dead letters of raw records are open ({len(UNREADABLE)} not_json" in said
    before = asyncio.run(written(settings.bootstrap, f"{prefix}reports"))
    status, told, said = as_person(BO, "approve", told.strip(), "--json")
    assert status == 0, said
    done = json.loads(told)
    assert done["there_before"] > 0
    assert done["left_out"].keys() <= {"erased"}, "who follows may have left it out by then"
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
        assert proved["fine"]
        ((run, (refusion_ore, _)),) = proved["erased_ore"].items()
        assert (run, refusion_ore > 0) == ("1", True)
        assert proved["citizens"] > 50
        assert proved["open_letters"]["not_json"] == len(UNREADABLE)
        new.publish(lives[3])
        new.wait_until_settled()
        new.stop(worker)
        left, former = names(new.settings), names(settings)
        assert former - left == {LONG_AGO}
        assert RECENT in left
        request = VerifyRequest(sample_percent=100, jobs=0, fold=True)
        assert verify(new.settings, request, lambda *_: None).violations.named == []
        assert program(settings, *asked, "--prove", status=1)["wrong"] != []
        refused = program(settings, *asked, status=2)
        assert "somebody else writes there" in refused
    finally:
        new.clean_up()
