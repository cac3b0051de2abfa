"""Acts are recorded before they are done, in chains that nobody breaks unseen."""

import asyncio
import fcntl
import os
from errno import EACCES
from pathlib import Path

import orjson
import pytest

from streams.acts import chain_file
from streams.acts.acts import Act, ReasonError, checked_reason, record_act
from streams.acts.chain import genuine_entries
from streams.acts.topic import ActError
from streams.kit.operating_user import acting_as, operating_user, user_name
from streams.privacy.macs import MacKeys
from streams.settings import Settings
from tests.support.acts_in_memory import ANNA, BO, MemoryActTopic

EXPORT = Act("export", {"run": 82, "municipality": "730"}, "month's end")


def settings_of(tmp_path, **more):
    given = {"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path / "state")}
    return Settings.load(given | {"REFUSION_BOOTSTRAP": "127.0.0.1:1"} | more)


def act(settings, topic, who=ANNA, what=EXPORT):
    with acting_as(who):
        return asyncio.run(record_act(settings, what, topic.open))


def fields(topic):
    return [orjson.loads(record.value) for record in topic.kept]


def test_the_environment_does_not_say_who_acts(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody.else")
    monkeypatch.setenv("SUDO_USER", "anna")
    user = operating_user()
    assert (user.user, user.uid) == (user_name(os.getuid()), os.getuid())
    assert user.sudo_user == "anna"
    assert user_name(4_000_000_001) == "uid:4000000001"


def test_a_record_says_who_did_what_to_what_and_why(tmp_path):
    topic = MemoryActTopic()
    act_id = act(settings_of(tmp_path), topic)
    (record,) = fields(topic)
    who = {"user": "anna", "uid": 1001, "host": "ops1", "login_user": "", "sudo_user": ""}
    assert {name: record[name] for name in who} == who
    assert (record["id"], record["act"], record["scope"]) == (act_id, "export", EXPORT.scope)
    assert record["reason"] == "month's end"
    assert record["at"].endswith("Z")


def test_each_writer_has_a_chain_of_its_own(tmp_path):
    settings, topic = settings_of(tmp_path), MemoryActTopic()
    for who in (ANNA, BO, ANNA):
        act(settings, topic, who)
    one, other, two = fields(topic)
    assert [one["number"], other["number"], two["number"]] == [1, 1, 2]
    assert one["writer"] == two["writer"] != other["writer"]
    assert one["before"] == other["before"] == ""
    entries = genuine_entries(settings.macs(), topic.kept)
    hashes = {entry.fields["id"]: list(entry.head) for entry in entries}
    assert two["before"] == hashes[one["id"]][2]
    assert other["seen"] == hashes[one["id"]]
    assert len(entries) == 3
    assert len(genuine_entries(MacKeys([b"another key"]), topic.kept)) == 0


@pytest.mark.parametrize("arrived", [False, True])
def test_a_chain_goes_on_after_a_write_of_which_nobody_heard(tmp_path, arrived):
    settings, topic = settings_of(tmp_path), MemoryActTopic()
    act(settings, topic)
    topic.failing, topic.loses_answer = ActError("no answer"), arrived
    with pytest.raises(ActError):
        act(settings, topic)
    topic.failing = None
    act(settings, topic)
    assert [record["number"] for record in fields(topic)] == [1, 2, 3] if arrived else [1, 2]


def test_a_state_folder_of_another_user_holds_no_act_up(tmp_path, monkeypatch):
    def refused(*_args, **_more):
        raise PermissionError(EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    settings, topic = settings_of(tmp_path), MemoryActTopic()
    act(settings, topic)
    act(settings, topic)
    one, two = fields(topic)
    assert one["writer"] != two["writer"]
    assert two["seen"][:2] == [one["writer"], 1]


def test_a_new_topic_begins_a_chain_that_names_the_former_one(tmp_path):
    settings = settings_of(tmp_path)
    act(settings, former := MemoryActTopic())
    act(settings, again := MemoryActTopic(identity="two"))
    (before,), (record,) = fields(former), fields(again)
    assert record["number"] == 1
    assert record["former"][:2] == [before["writer"], 1]


@pytest.mark.parametrize(
    "text",
    [
        "see 0101901234",
        "see 010190-1234",
        "see 010190 1234",
        "see 01 01 90 1234",
        "see 010190.1234",
        "see 010190/1234",
        "see 01.01.90–1234",
        "see ０１０１９０１２３４",
        "see ٠١٠١٩٠١٢٣٤",
        "see 010190_1234 twice",
        "",
        "two\nlines",
        "x" * 501,
    ],
)
def test_a_reason_with_a_cpr_number_in_any_spelling_is_refused(text):
    with pytest.raises(ReasonError, match="--reason") as refusal:
        checked_reason("--reason", text)
    assert "1234" not in str(refusal.value)


@pytest.mark.parametrize("text", ["see letter 12 of 2024-01-31", "12 of 45 reports", "ok"])
def test_a_reason_in_words_is_taken(text):
    assert checked_reason("--reason", text) == text


@pytest.mark.parametrize(
    "scope",
    [
        {"reporter": "0101901234"},
        {"files": ["rows/010190-1234.csv"]},
        {"of": {"010190 1234": 1}},
    ],
)
def test_an_option_or_a_file_that_is_called_by_a_cpr_number_is_not_recorded(tmp_path, scope):
    topic = MemoryActTopic()
    with pytest.raises(ActError, match="looks like a CPR number in its options") as refusal:
        act(settings_of(tmp_path), topic, what=Act("opening load", scope))
    assert "1234" not in str(refusal.value)
    assert topic.kept == []


def test_names_of_run_files_and_pseudonyms_are_recorded(tmp_path):
    names = [
        "yr-ydelsesrefusion-beregning-730-0082-2024-01-31.csv",
        "0101901234" + "a" * 22,
        "build/1732700000/rows",
        "73a26890-363f-49c2-a3bc-6601947678f5",
    ]
    topic = MemoryActTopic()
    act(settings_of(tmp_path), topic, what=Act("opening load", {"files": names}))
    assert fields(topic)[0]["scope"] == {"files": names}


def test_without_brokers_only_fictive_persons_are_acted_on_unrecorded(tmp_path):
    demo = Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path)})
    assert asyncio.run(record_act(demo, EXPORT))
    keys = {"REFUSION_PSEUDONYM_KEY": "ab" * 32, "REFUSION_SEAL_KEY": "cd" * 32}
    with pytest.raises(Exception, match="REFUSION_BOOTSTRAP is not set"):
        asyncio.run(record_act(Settings.load(keys), EXPORT))


@pytest.mark.parametrize("longest", [0.0, 0.1])
def test_a_chain_that_another_process_keeps_is_not_waited_for_without_end(
    tmp_path, monkeypatch, longest
):
    settings, topic = settings_of(tmp_path), MemoryActTopic()
    act(settings, topic)
    monkeypatch.setattr(chain_file, "LONGEST_WAIT_S", longest)
    (path,) = (settings.state_dir / chain_file.FOLDER).glob("*.lock")
    with path.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ActError, match="find the process with `fuser"):
            act(settings, topic)
    act(settings, topic)
    assert len(topic.kept) == 2
