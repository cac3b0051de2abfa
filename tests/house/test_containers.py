"""Containers and units confine the worker, keep what it must not lose, and do not loop."""

import configparser
import re
import subprocess
from pathlib import PurePath

import pytest
import yaml

from streams.devtools.local_kafka import container
from streams.kafka.rights import ROLES, STAGES, rights_of
from streams.settings import TABLE, Settings
from tests.support.ledger_places import places_outside
from tests.support.places import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
WORKER = SERVICES["worker"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


OURS = [name for name, service in SERVICES.items() if "build" in service]
WORKERS = ["worker", "worker-secured"]
BY_DEFAULT = [name for name, service in SERVICES.items() if "profiles" not in service]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_capabilities_and_no_way_to_more_and_bounds(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "cpus", "healthcheck"} <= service.keys()
    assert not {"privileged", "cap_add", "pid"} & service.keys()
    assert service.get("network_mode", "none") == "none"


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_read_only_but_for_its_volumes_and_is_not_root(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["user"].split(":")[0] not in {"0", "root"}
    for volume in service.get("volumes", ()):
        source, _, rest = volume.partition(":")
        assert source in COMPOSE["volumes"] or ((ROOT / source).exists() and rest.endswith(":ro"))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_container_serves_is_for_this_machine_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_by_default_there_are_a_broker_a_worker_and_the_site():
    assert BY_DEFAULT == ["kafka", "worker", "web"]
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert profiles == {"observability", "secured"}
    for name in BY_DEFAULT:  # nothing that runs by default waits for what does not
        assert SERVICES[name].get("depends_on", {}).keys() <= set(BY_DEFAULT)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_write_where_the_image_has_folders_of_their_user(name):
    service = SERVICES[name]
    places = [volume.split(":")[1] for volume in service["volumes"]]
    assert "REFUSION_STATE_DIR=/state" in DOCKERFILE
    assert "USER refusion" in DOCKERFILE
    assert "useradd --system --uid 10001 " in DOCKERFILE
    for place in places:  # a new volume is owned by whoever owns the folder in the image
        assert f" {place}" in DOCKERFILE.partition("USER refusion")[0]


PLACES = ["REFUSION_LEDGER", "REFUSION_LIS"]
KEY = {"REFUSION_JOURNAL_KEY": "0f" * 32}


@pytest.mark.parametrize("name", [*WORKERS, "web"])
def test_the_ledger_and_what_is_made_beside_it_are_in_volumes(name):
    """Beside a ledger that is the volume itself is the system, which is read-only."""
    given = {place: SERVICES[name]["environment"][place] for place in PLACES}
    volumes = [volume.split(":") for volume in SERVICES[name]["volumes"]]
    writable = [place for _, place, *options in volumes if "ro" not in options]
    assert places_outside(Settings.load(given | KEY), writable) == []


def test_the_unit_may_write_to_its_ledger_and_beside_it():
    text = (ROOT / "examples" / "refusion-worker.service").read_text()
    (ledger,) = re.findall(r"REFUSION_LEDGER=(/\S+)", text)
    (folder,) = re.findall(r"^# ReadWritePaths=(\S+)$", text, re.MULTILINE)
    settings = Settings.load({"REFUSION_LEDGER": ledger} | KEY)
    assert places_outside(settings, [folder]) == []
    assert places_outside(settings, [ledger]) != []


@pytest.mark.parametrize("name", WORKERS)
def test_all_workers_share_one_ledger_and_no_log_is_thrown_away(name):
    """An anonymous volume is each container's own, and goes with it."""
    names = {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES[name]["volumes"]}
    assert {"/state", "/ledger", "/lis"} <= names.keys()
    assert set(names.values()) <= COMPOSE["volumes"].keys()


def test_the_secured_cluster_shares_nothing_with_the_open_one():
    """State and ledger belong to one journal."""
    volumes = [
        {volume.split(":")[0] for volume in SERVICES[name].get("volumes", ())}
        for name in ("worker", "worker-secured", "kafka", "kafka-secured")
    ]
    assert volumes[0] & volumes[1] == volumes[2] & volumes[3] == set()


def test_the_worker_of_the_secured_cluster_sees_no_password_but_its_own(tmp_path):
    secured = SERVICES["worker-secured"]
    assert not any(volume.startswith("security:") for volume in secured["volumes"])
    folder, client = tmp_path / "security", tmp_path / "client"
    client.mkdir()
    container.main(["files", "--folder", str(folder), "--client", str(client)])
    assert {path.name for path in client.iterdir()} == {"ca.pem", "worker.password"}
    given = {name: str(value) for name, value in secured["environment"].items()}
    for name in ("REFUSION_KAFKA_CA_FILE", "REFUSION_KAFKA_SASL_PASSWORD_FILE"):
        given[name] = str(client / given[name].removeprefix("/client/"))
    for name in list(given):
        if given[name].startswith("${"):
            given[name] = "0f" * 32
    logon = Settings.load(given).bootstrap.logon
    assert (logon.username, logon.password) == (
        container.WORKER,
        (folder / "security" / "worker.password").read_text(),
    )
    assert given["REFUSION_BOOTSTRAP"] == f"{container.HOST}:{container.PORT}"


def test_the_files_of_the_secured_broker_are_its_users_alone_and_are_made_once(tmp_path):
    def made():
        container.main(["files", "--folder", str(tmp_path)])
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    first = made()
    assert made() == first
    assert {path.stat().st_mode & 0o077 for path in first if path.name != "ca.pem"} == {0}
    server = (tmp_path / "server.properties").read_text()
    assert "listeners=SASL_SSL://:9093,CONTROLLER://localhost:29093\n" in server
    assert "authorizer.class.name=" in server
    assert "PLAINTEXT://:" not in server
    volumes = [volume.split(":")[1] for volume in SERVICES["kafka-secured"]["volumes"]]
    assert str(PurePath(container.DATA).parent) in volumes
    subprocess.run(["/bin/sh", "-n", tmp_path / "start.sh"], check=True)


def test_the_worker_of_the_secured_cluster_has_the_rights_of_its_stages_and_no_more():
    names = Settings.load({})
    rights = container.rights_by_principal(names)
    assert rights.keys() == {f"User:{role}" for role in (*ROLES, "worker")}
    of_stages = {right for stage in STAGES for right in rights_of(stage, names)}
    assert set(rights["User:worker"]) == of_stages


def test_a_status_that_no_restart_mends_does_not_loop():
    assert {SERVICES[name]["restart"] for name in (*WORKERS, "web")} == {"on-failure:5"}
    unit = configparser.RawConfigParser(strict=False, comment_prefixes="#")
    unit.read(ROOT / "examples" / "refusion-worker.service")
    service = unit["Service"]
    assert service["restartpreventexitstatus"] == "2"
    assert service["restart"] == "on-failure"
    assert service["umask"] == "0077"
    assert service["statedirectorymode"] == "0700"


def test_the_units_secrets_are_files_of_settings_that_there_are():
    text = (ROOT / "examples" / "refusion-worker.service").read_text()
    named = re.findall(r"^Environment=(REFUSION_\w+)_FILE=%d/([\w-]+)$", text, re.MULTILINE)
    secret = {setting.name for setting in TABLE if setting.secret}
    assert len(named) == 3
    assert {name for name, _ in named} <= secret
    credentials = re.findall(r"^LoadCredential=([\w-]+):/etc/", text, re.MULTILINE)
    assert [file for _, file in named] == credentials


@pytest.mark.parametrize("name", OURS)
def test_each_setting_of_our_containers_is_one_that_there_is(name):
    known = {setting.name for setting in TABLE}
    known |= {f"{setting.name}_FILE" for setting in TABLE if setting.secret}
    assert SERVICES[name].get("environment", {}).keys() <= known


def test_the_settings_of_the_compose_file_are_ones_that_a_worker_starts_with():
    given = {name: str(value) for name, value in WORKER["environment"].items()}
    keys = {name: "0f" * 32 for name, value in given.items() if value.startswith("${")}
    settings = Settings.load(given | keys)
    assert (settings.bootstrap, settings.replicas) == ("kafka:19092", 1)
    settings.identity()


def test_the_site_of_the_compose_file_sends_mail_where_a_server_is_set(tmp_path):
    """Compose sets what the environment lacks to nothing, which counts as not set."""
    given = {name: str(value) for name, value in SERVICES["web"]["environment"].items()}
    volumes = [volume.split(":")[1] for volume in SERVICES["web"]["volumes"]]
    assert given["REFUSION_WEB_FOLDER"] in volumes
    given["REFUSION_WEB_FOLDER"] = str(tmp_path)
    asked = {name for name, text in given.items() if text == f"${{{name}:-}}"}
    assert asked == {setting.name for setting in TABLE if "_MAIL_" in setting.name}
    keys = {name: "0f" * 32 for name, text in given.items() if ":?" in text}
    assert Settings.load(given | dict.fromkeys(asked, "") | keys).web.mail is None
    mail = {"SERVER": "mail.example.org:465", "FROM": "a@b.dk", "TO": "c@d.dk"}
    mail |= {"USER": "site", "PASSWORD": "x", "IMPLICIT_TLS": ""}
    place = Settings.load(
        given | keys | {f"REFUSION_MAIL_{n}": x for n, x in mail.items()}
    ).web.mail
    assert place is not None
    assert (place.port, place.has_implicit_tls, place.logon) == (465, True, ("site", "x"))


def test_the_site_shows_what_commands_keep():
    """Operators' commands run in the image of the worker, with its volumes."""

    def kept_by(name):
        place = SERVICES[name]["environment"]["REFUSION_OPERATIONS_DIR"]
        (volume,) = [each for each in SERVICES[name]["volumes"] if each.endswith(f":{place}")]
        return volume

    assert kept_by("web") == kept_by("worker")


def test_the_health_of_a_worker_is_asked_for():
    assert WORKER["healthcheck"]["test"] == ["CMD", "python", "-m", "streams.worker.health"]
    assert all(SERVICES[name]["environment"]["REFUSION_METRICS_PORT"] for name in WORKERS)


ARGUMENTS = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
"""The arguments of the build that have a value by themselves."""


def test_images_are_given_by_tag_and_digest():
    """Ours has the name without a tag that its build gives it."""
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(set(images)) == 4
    images += [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("FROM ")]
    images += WORKER["build"]["args"].values()
    for image in map(with_defaults, images):
        assert re.search(r":v?[0-9][^@]+@sha256:[0-9a-f]{64}$", image), image


def test_the_build_has_the_same_image_by_itself_and_in_the_compose_file():
    (name,) = WORKER["build"]["args"]
    assert with_defaults(WORKER["build"]["args"][name]) == ARGUMENTS[name]


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in OURS])
def test_each_image_of_others_can_be_another(name):
    assert re.match(r"\$\{[A-Z_]+_IMAGE:-", SERVICES[name]["image"])


def with_defaults(text):
    """An argument of the build or a variable of compose has the value that it has by itself."""
    text = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", text)
    return re.sub(r"\$\{(\w+)\}", lambda found: ARGUMENTS[found[1]], text)
