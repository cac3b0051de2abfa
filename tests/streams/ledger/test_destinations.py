"""Files go only where two persons have confirmed that they go, to the server with that key."""

import asyncio
import json

import asyncssh
import pytest

from streams.acts import four_eyes
from streams.kit.errors import AwaitingApproval
from streams.kit.operating_user import acting_as
from streams.ledger.destinations import (
    DestinationError,
    Shipment,
    deliver_all,
    read_destinations,
    shipments_of,
)
from streams.ledger.receipts import DeliveryError, ExportedFile, exported_files
from streams.settings import Settings
from tests.streams.acts.test_acts import settings_of
from tests.support.acts_in_memory import ANNA, BO, PERSONS, MemoryActTopic
from tests.support.sftp_server import RUN, of_run, receipts

KEY = "SHA256:" + "a" * 43


def entry(municipality="730", to="sftp://u@host/in", host_key=KEY):
    return f'- {{municipality: "{municipality}", to: "{to}", host_key: "{host_key}"}}\n'


@pytest.fixture
def written(tmp_path):
    """Writes the file, and gives settings with it."""

    def write(text, **more):
        path = tmp_path / "destinations.yaml"
        path.write_text(text)
        return settings_of(tmp_path, REFUSION_DESTINATIONS=str(path), **more)

    return write


def host_key_of(server, name="host"):
    return asyncssh.read_private_key(str(server.keys / name)).get_fingerprint()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a list"),
        ("{a: 1}", "is not a list"),
        ("- [1]", "entry 1: it must have municipality, to and host_key"),
        (entry() + "- {municipality: '731'}", "entry 2: it must have"),
        ("- {municipality: 730, to: a, host_key: b}", "entry 1: each field must be a text"),
        (entry("73"), "a code such as 730"),
        (entry(host_key="MD5:aa"), "as `ssh-keygen -lf` shows it"),
        (entry(to="sftp://u:secret@host/in"), "to has a password in it"),
        (entry(to="ftp://host"), "to must be an address like"),
        (entry() + entry(), "entry 2: municipality 730 has an entry already"),
        ("a: [", "line 2"),
        ("- &a {municipality: '730'}\n- *a", "an alias"),
    ],
)
def test_a_bad_file_is_refused_by_its_place(written, text, said):
    with pytest.raises(DestinationError, match="REFUSION_DESTINATIONS") as caught:
        read_destinations(written(text))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(DestinationError, match="is not set; set it to a file of destinations, or"):
        read_destinations(Settings.load({}))
    with pytest.raises(DestinationError, match="/nowhere/x: No such file"):
        read_destinations(Settings.load({"REFUSION_DESTINATIONS": "/nowhere/x"}))


def test_only_what_two_persons_have_confirmed_is_confirmed(tmp_path, written):
    persons = tmp_path / "persons.yaml"
    persons.write_text(PERSONS)
    persons.chmod(0o600)
    given = {"REFUSION_FOUR_EYES": "1", "REFUSION_PERSONS": str(persons)}
    settings, topic = written(entry(), **given), MemoryActTopic()
    read = read_destinations(settings)

    def is_confirmed():
        return asyncio.run(read_destinations(settings).are_confirmed(settings, topic.open))

    with acting_as(ANNA), pytest.raises(AwaitingApproval) as waiting:
        asyncio.run(four_eyes.permission(settings, read.guarded(), topic.open))
    assert not is_confirmed()
    with acting_as(BO):
        request = asyncio.run(four_eyes.approve(settings, waiting.value.request, topic.open))
        with four_eyes.carried_out(request):
            asyncio.run(four_eyes.permission(settings, read.guarded(), topic.open))
    assert is_confirmed()
    written(entry(to="sftp://u@another/in"))
    assert not is_confirmed()
    written(entry())
    before = topic.read_whole
    assert is_confirmed()
    assert topic.read_whole == before, "what was found once is looked at where it stands"
    topic.kept.insert(0, topic.kept.pop())  # what stands there now is another record
    assert is_confirmed()
    assert topic.read_whole == before + 1
    topic.kept.clear()
    assert not is_confirmed()


def test_what_was_confirmed_without_four_eyes_does_not_count_with_them(written):
    settings, topic = written(entry(), REFUSION_FOUR_EYES="0"), MemoryActTopic()
    read = read_destinations(settings)
    asyncio.run(four_eyes.permission(settings, read.guarded(), topic.open))
    assert asyncio.run(read.are_confirmed(settings, topic.open))
    strict = written(entry(), REFUSION_FOUR_EYES="1")
    assert not asyncio.run(read.are_confirmed(strict, topic.open))


def file_of(tmp_path, municipality):
    name = f"yr-ydelsesrefusion-beregning-{municipality}-0050-2024-03-09.csv"
    return ExportedFile(tmp_path / name, municipality, 0, "")


def test_each_municipalitys_files_go_to_its_own_server_and_one_without_stops_all(tmp_path, written):
    settings = written(entry("730") + entry("751", to="sftp://u@aarhus/in"))
    read = read_destinations(settings)
    files = [file_of(tmp_path, code) for code in ("730", "751", "730")]
    shipments = shipments_of(files, read)
    assert [(shipment.address.host, len(shipment.files)) for shipment in shipments] == [
        ("host", 2),
        ("aarhus", 1),
    ]
    with pytest.raises(DestinationError, match="has no destination for 101, 360; nothing was"):
        shipments_of([*files, file_of(tmp_path, "360"), file_of(tmp_path, "101")], read)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sftp://u@host/in", "sftp://u@host/in"),
        ("sftp://u@host/in", "sftp://u@HOST:22/in/"),
        ("sftp://u@host/in/751", "sftp://u@host/in/{municipality}"),
        ("sftp://u@host/in/%7Bmunicipality%7D", "sftp://u@host/in/730"),
    ],
)
def test_no_two_municipalities_have_one_folder(written, one, other):
    """The files of one have CPR numbers that no other may see."""
    settings = written(entry("730", to=one) + entry("751", to=other))
    with pytest.raises(DestinationError, match="entry 2: the files of 751 would go to the folder"):
        read_destinations(settings)


@pytest.mark.parametrize(
    "to", ["sftp://u@host/in/{municipality}", "sftp://v@host/in", "sftp://u@host:23/in"]
)
def test_folders_of_their_own_may_be_on_one_server(written, to):
    """Two users with one path may each have a folder of his own behind it."""
    text = entry("730", to=to if "{" in to else "sftp://u@host/in") + entry("751", to=to)
    assert len(read_destinations(written(text)).of) == 2


def test_the_key_in_the_file_is_accepted_and_no_other(server, exported, environment, written):
    to = f"sftp://refusion@127.0.0.1:{server.port}/in/730"
    (server.keys / "known_hosts").write_text("")
    for name, is_right in (("stranger", False), ("host", True)):
        settings = written(entry(to=to, host_key=host_key_of(server, name)), **environment)
        files = exported_files(exported, RUN, "730")
        shipments = shipments_of(files, read_destinations(settings))
        work = deliver_all(settings, shipments, lambda *_: None)
        if is_right:
            assert asyncio.run(work).files == 2
        else:
            with pytest.raises(DeliveryError, match=r"has not the fingerprint SHA256:\S+; ask"):
                asyncio.run(work)
            assert server.files() == {}
    assert server.files() == of_run(exported)
    assert {receipt["host_key"] for receipt in receipts(environment)} == {host_key_of(server)}


def test_a_server_that_fails_stops_no_other(server, exported, environment, written, monkeypatch):
    monkeypatch.setattr("streams.ledger.delivery.WAIT_S", 0.01)
    to = f"sftp://refusion@127.0.0.1:{server.port}/in/730"
    settings = written(entry(to=to, host_key=host_key_of(server)), **environment)
    (right,) = shipments_of(exported_files(exported, RUN, "730"), read_destinations(settings))
    wrong = Shipment(right.address._replace(port=1), KEY, right.files[:1])
    shown = []
    with pytest.raises(DeliveryError, match=r"1 of 2 servers: .*:1 cannot be .*delivered 2 files"):
        asyncio.run(deliver_all(settings, [wrong, right], lambda *told: shown.append(told)))
    assert server.files() == of_run(exported)
    assert shown[-1] == (2, 3)


def test_with_the_file_an_address_by_hand_is_not_taken(program, written):
    settings = written(entry())
    path = str(settings.destinations)
    done = program(REFUSION_DESTINATIONS=path, REFUSION_DEMO="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "REFUSION_DESTINATIONS says where files go, so --to is not taken" in done.stderr


def test_the_summary_of_an_act_without_brokers_is_json(written, monkeypatch, capsys):
    from streams.cli.destinations import destinations  # noqa: PLC0415

    settings = written(entry())
    monkeypatch.setenv("REFUSION_DEMO", "1")
    monkeypatch.setenv("REFUSION_DESTINATIONS", str(settings.destinations))
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)
    destinations.main(["--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["destinations"] == [
        {"municipality": "730", "to": "sftp://host:22/in", "host_key": KEY}
    ]
    assert len(told["sha256"]) == 64
