"""An act for two persons waits for the second one, and is what the first one asked for, once."""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from jsonschema import Draft202012Validator

from streams.acts import four_eyes, persons
from streams.acts.acts import Act
from streams.acts.chain import AccessRecord, entry_of, headers
from streams.acts.four_eyes import ApprovalError, GuardedAct
from streams.acts.persons import PersonsError, read_persons
from streams.acts.writer import ActWriter
from streams.devtools.asyncapi import schemas
from streams.kit.errors import AwaitingApproval
from streams.kit.operating_user import acting_as
from streams.privacy.macs import MacKeys
from streams.settings import Settings
from tests.streams.acts.test_acts import fields, settings_of
from tests.support.acts_in_memory import ANNA, ANNA_TOO, BO, CARL, PERSONS, MemoryActTopic


class Office:
    """People at one topic; files are below `folder`."""

    def __init__(self, folder, **more):
        self.folder = folder
        self.topic = MemoryActTopic()
        self.file = folder / "rows.jsonl"
        self.file.write_bytes(b"rows")
        persons = folder / "persons.yaml"
        persons.write_text(PERSONS)
        persons.chmod(0o600)
        given = {"REFUSION_FOUR_EYES": "1", "REFUSION_PERSONS": str(persons)}
        self.settings = settings_of(folder, **given | more)

    def guarded(self, **scope):
        act = Act("opening load", {"municipality": "730"} | scope, "")
        return GuardedAct(act, ["opening", "load", str(self.file)], {"rows.jsonl": self.file})

    def ask(self, who=ANNA, **scope):
        with acting_as(who):
            return asyncio.run(
                four_eyes.permission(self.settings, self.guarded(**scope), self.topic.open)
            )

    def request(self, who=ANNA):
        with pytest.raises(AwaitingApproval) as waiting:
            self.ask(who)
        return waiting.value.request

    def approve(self, request, who=BO, **scope):
        with acting_as(who):
            approved = asyncio.run(four_eyes.approve(self.settings, request, self.topic.open))
        with four_eyes.carried_out(approved):
            return self.ask(who, **scope)

    def refuse(self, request, who):
        with acting_as(who):
            asyncio.run(four_eyes.refuse(self.settings, request, "no", self.topic.open))

    def states(self):
        return [
            request.state
            for request in asyncio.run(four_eyes.requests(self.settings, self.topic.open))
        ]


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


def test_another_person_carries_it_out_and_once(office):
    request = office.request()
    assert office.states() == ["open"]
    with pytest.raises(ApprovalError, match="is your own: another person approves it"):
        office.approve(request, ANNA)
    assert office.approve(request, BO)
    kinds = [(record["type"], record["user"]) for record in fields(office.topic)]
    assert kinds == [("request", "anna"), ("approval", "bo"), ("act", "bo")]
    assert office.states() == ["carried out"]
    with pytest.raises(ApprovalError, match="was carried out before"):
        office.approve(request, BO)


def test_the_records_are_as_the_contract_publishes_them(office):
    office.approve(office.request(ANNA), BO)
    office.refuse(office.request(ANNA), BO)
    schema = schemas()["act"]
    for record in fields(office.topic):
        assert list(Draft202012Validator(schema).iter_errors(record)) == []
        assert record.keys() <= schema["properties"].keys()


def test_one_person_is_not_two_by_having_two_users(office):
    with pytest.raises(ApprovalError, match="is your own"):
        office.approve(office.request(ANNA), ANNA_TOO)
    with pytest.raises(ApprovalError, match="is your own"):
        office.approve(office.request(ANNA), BO._replace(sudo_user="anna-admin"))
    with pytest.raises(ApprovalError, match="is your own"):
        office.approve(office.request(BO._replace(login_user="anna")), ANNA_TOO)


@pytest.mark.parametrize("owner", ["anna-admin", "bo"], ids=["who-asked", "who-approves"])
def test_who_may_change_who_is_which_person_neither_asks_nor_approves(office, monkeypatch, owner):
    """The file is its owner's to write, who may be one of the two, by any of his users."""
    request = office.request(ANNA)
    monkeypatch.setattr(persons, "ROOT", -1)
    monkeypatch.setattr(persons, "user_name", lambda _uid: owner)
    with pytest.raises(ApprovalError, match=f"belongs to {owner}, a user of .*could make two"):
        office.approve(request, BO)
    assert office.states() == ["open"], "nothing was approved"
    monkeypatch.setattr(persons, "user_name", lambda _uid: "refusion")
    assert office.approve(request, BO)


def test_a_file_of_persons_behind_a_folder_of_others_approves_nothing(office):
    """Somebody who may write to the folder puts a file of his own there."""
    request = office.request(ANNA)
    office.folder.chmod(0o777)
    with pytest.raises(PersonsError, match="who could put another file there"):
        office.approve(request, BO)
    office.folder.chmod(0o755)
    assert office.approve(request, BO)


def test_who_is_no_person_of_the_file_neither_approves_nor_is_approved(office):
    with pytest.raises(ApprovalError, match="carl is not in the file of persons"):
        office.approve(office.request(ANNA), CARL)
    with pytest.raises(ApprovalError, match="carl, who is not in the file of persons"):
        office.approve(office.request(CARL), BO)
    with pytest.raises(ApprovalError, match="carl is not in the file of persons"):
        office.refuse(office.request(ANNA), CARL)


def test_what_is_carried_out_is_what_was_asked(office):
    request = office.request()
    with pytest.raises(ApprovalError, match="its scope would be another now"):
        office.approve(request, BO, municipality="751")
    office.file.write_bytes(b"other rows")
    with pytest.raises(ApprovalError, match="its files would be another now"):
        office.approve(request, BO)
    office.file.write_bytes(b"rows")
    assert office.approve(request, BO), "an approval that led to nothing is given again"


def test_a_request_is_refused_withdrawn_or_stale(office):
    refused, withdrawn, stale = office.request(), office.request(), office.request()
    office.refuse(refused, BO)
    office.refuse(withdrawn, ANNA)
    for request in (refused, withdrawn):
        with pytest.raises(ApprovalError, match="is refused"):
            office.approve(request, BO)
    assert office.states() == ["refused", "refused", "open"]
    entries = [entry for record in office.topic.kept if (entry := entry_of(record))]
    found = four_eyes.requests_of(entries, datetime.now(UTC) + timedelta(days=1))
    assert {request.id: request.state for request in found}[stale] == "stale"


def test_a_request_that_nobody_of_ours_wrote_is_not_seen(office):
    office.request()
    (record,) = office.topic.kept
    forged = orjson.dumps(orjson.loads(record.value) | {"id": "forged", "user": "carl"})
    made = headers(MacKeys([b"no key of ours"]), record.key, forged)
    office.topic.kept.append(AccessRecord(1, record.key, forged, made))
    office.topic.kept.append(AccessRecord(2, None, b"\xff", []))
    assert len(office.states()) == 1
    with pytest.raises(ApprovalError, match="there is no request forged"):
        office.approve("forged", BO)


def test_of_two_who_approve_at_once_one_carries_it_out(office):
    request = office.request()
    with acting_as(BO):
        one, two = (
            asyncio.run(four_eyes.approve(office.settings, request, office.topic.open))
            for _ in range(2)
        )
    with four_eyes.carried_out(one):
        assert office.ask(BO)
    with four_eyes.carried_out(two), pytest.raises(ApprovalError, match="carried out before"):
        office.ask(BO)


def approved_only(office, request, who=BO):
    with acting_as(who):
        return asyncio.run(four_eyes.approve(office.settings, request, office.topic.open))


def test_what_is_refused_after_its_approval_is_not_carried_out(office):
    approved = approved_only(office, office.request())
    office.refuse(approved.id, ANNA)
    with (
        four_eyes.carried_out(approved),
        pytest.raises(ApprovalError, match="was refused before it was carried out; nothing was"),
    ):
        office.ask(BO)
    assert office.states() == ["refused"]


def test_what_is_being_carried_out_cannot_be_refused_any_more(office, monkeypatch):
    """The act is recorded between the look of the one who refuses and the refusal."""
    approved = approved_only(office, office.request())
    write = ActWriter.write

    async def late(writer, kind, given):
        if kind == "refusal":
            with acting_as(BO), four_eyes.carried_out(approved):
                assert await four_eyes.permission(
                    office.settings, office.guarded(), office.topic.open
                )
        return await write(writer, kind, given)

    monkeypatch.setattr(ActWriter, "write", late)
    with pytest.raises(ApprovalError, match="was carried out before"):
        office.refuse(approved.id, ANNA)
    assert office.states() == ["carried out"]


def test_without_four_eyes_the_act_is_recorded_as_such(tmp_path):
    office = Office(tmp_path, REFUSION_FOUR_EYES="0")
    assert office.ask(ANNA)
    (record,) = fields(office.topic)
    assert (record["type"], record["four_eyes"]) == ("act", "off")


@pytest.mark.parametrize(
    ("given", "expected"), [({}, True), ({"REFUSION_DEMO": "1"}, False)], ids=["real", "demo"]
)
def test_four_eyes_are_the_default_but_in_demo_mode(given, expected):
    assert Settings.load(given).four_eyes is expected
    assert Settings.load(given | {"REFUSION_FOUR_EYES": "1"}).four_eyes
    assert not Settings.load(given | {"REFUSION_FOUR_EYES": "0"}).four_eyes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("- {person: Anna, users: [' ']}", "must be a list of persons"),
        ("- {person: Anna, users: [!!bool perhaps]}", "is no YAML"),
        ("[" * 100_000, "is no YAML"),
        ("anna: [anna]", "must be a list of persons"),
        ("- {person: A, users: anna}", "must be a list of persons"),
        ("- {person: A, user: [anna]}", "must be a list of persons"),
        ("- {person: A, users: [a]}\n- {person: B, users: [a]}", "a is of two persons"),
        ("- {person: Åse B, users: [a]}\n- {person: 'åse  b', users: [b]}", "may be one person"),
        ("- {person: Åse, users: [a]}\n- {person: A\u030ase, users: [b]}", "may be one person"),
    ],
)
def test_a_file_of_persons_that_is_none_is_refused(tmp_path, text, said):
    path = tmp_path / "persons.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(PersonsError, match=said):
        read_persons(path)


def test_a_file_of_persons_that_others_can_write_is_refused(tmp_path):
    path = tmp_path / "persons.yaml"
    path.write_text(PERSONS)
    path.chmod(0o620)
    with pytest.raises(PersonsError, match="can be written by others"):
        read_persons(path)
    path.chmod(0o644)
    persons = read_persons(path)
    assert persons.of_subject("subject-of-anna") == "Anna Andersen"
    assert persons.of(["anna", "bo", "carl"]) == {"Anna Andersen", "Bo Bang"}
