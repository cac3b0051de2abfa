"""The Kubernetes base names what there is, and gives its pods no more than they need."""

import re

import click
import pytest
import yaml

from domain.basics.weeks import month_number
from streams.archive.object_store import CREDENTIALS_FILE, open_store
from streams.cli.main import main
from streams.kafka.rights import ROLES
from streams.ledger.destinations import read_destinations
from streams.settings import TABLE, Settings
from streams.wire.control_records import run_of
from tests.support.ledger_places import places_outside
from tests.support.object_server import object_server
from tests.support.places import ROOT

FOLDER = ROOT / "examples" / "kubernetes"
BASE = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
ALL = [
    each for name in BASE["resources"] for each in yaml.safe_load_all((FOLDER / name).read_text())
]
BY_NAME = {(each["kind"], each["metadata"]["name"]): each for each in ALL}


def template_of(workload):
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


WORKLOADS = {
    each["metadata"]["name"]: each
    for each in ALL
    if each["kind"] in {"StatefulSet", "Deployment", "CronJob", "Job"}
}
PODS = {name: template_of(each) for name, each in WORKLOADS.items()}
CONTAINERS = {name: pod["spec"]["containers"][0] for name, pod in PODS.items()}
NAMES = sorted(PODS)


def environment_of(name):
    container = CONTAINERS[name]
    given: dict[str, str] = {}
    for source in container["envFrom"]:
        given |= BY_NAME["ConfigMap", source["configMapRef"]["name"]]["data"]
    return given | {each["name"]: each["value"] for each in container.get("env", ())}


def test_the_base_has_each_file_of_its_folder_and_each_name_once():
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(BASE["resources"])
    assert len(BY_NAME) == len(ALL)
    assert {each["kind"] for each in WORKLOADS.values()} == {
        "StatefulSet", "Deployment", "CronJob", "Job",
    }  # fmt: skip
    of_nights = {"backup", "backup-verify", "verify"}
    assert set(NAMES) == {"worker", "site", "close", "export", "deliver"} | of_nights


@pytest.mark.parametrize("name", NAMES)
def test_each_name_in_the_environment_is_a_setting_and_no_secret_is_among_them(name):
    given = environment_of(name)
    secrets = {setting.name for setting in TABLE if setting.secret}
    known = {setting.name for setting in TABLE} - secrets | {f"{each}_FILE" for each in secrets}
    ours = {each for each in given if each.startswith("REFUSION_")}
    assert ours <= known
    of_the_store = {"BACKUP", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE"}
    assert given.keys() - ours <= {"MONTH", "RUN"} | of_the_store


def started(name, tmp_path):
    """Return what a program is given, each file of a secret being one of this machine."""
    given = environment_of(name)
    mounts = [(mount["name"], mount["mountPath"]) for mount in CONTAINERS[name]["volumeMounts"]]
    volumes = {each["name"]: each for each in PODS[name]["spec"]["volumes"]}
    for setting, text in given.items():
        if not text.startswith("/secrets/"):
            continue
        places = [each for each, path in mounts if text.startswith(f"{path}/")]
        if setting.startswith("REFUSION_KAFKA_") and not places:
            continue  # of a program that asks no broker
        (volume,) = places
        items = volumes[volume]["secret"].get("items")
        assert items is None or text.rpartition("/")[2] in {item["path"] for item in items}
        file = tmp_path / setting
        file.write_text(FILES.get(setting, "0f" * 32))
        file.chmod(volumes[volume]["secret"]["defaultMode"])
        given[setting] = str(file)
    return given


ASK_NO_BROKER = {"backup-verify"}
FILES = {
    "REFUSION_DESTINATIONS": f"""\
- municipality: "730"
  to: sftp://refusion@sftp.example.org/in
  host_key: SHA256:{"A" * 43}
""",
    "REFUSION_PERSONS": "- {person: Anna, subjects: [a]}\n",
    "AWS_SHARED_CREDENTIALS_FILE": (
        "[default]\naws_access_key_id = somebody\naws_secret_access_key = x\n"
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_program_starts_with_its_settings_and_each_secret_is_a_file_of_its_pod(name, tmp_path):
    settings = Settings.load(started(name, tmp_path))
    settings.identity()
    if name in ASK_NO_BROKER:
        return
    assert settings.bootstrap.logon.username in {*ROLES, "worker"}
    mounts = [mount["mountPath"] for mount in CONTAINERS[name]["volumeMounts"]]
    places = [str(settings.state_dir)]
    places += [settings.ledger] if name in READS_THE_LEDGER else []
    places += [settings.lis] if name in READS_THE_LEDGER - {"close", "export"} else []
    assert all(any(place.startswith(path) for path in mounts) for place in places)


def test_deliveries_know_where_to_and_by_which_key(tmp_path):
    settings = Settings.load(started("deliver", tmp_path))
    assert read_destinations(settings).of.keys() == {"730"}
    assert settings.sftp_key == tmp_path / "REFUSION_SFTP_KEY"


def test_visitors_log_on_and_get_mail_and_two_of_them_may_approve(tmp_path):
    given = started("site", tmp_path)
    volume_at("site", given["REFUSION_WEB_FOLDER"])
    settings = Settings.load(given | {"REFUSION_WEB_FOLDER": str(tmp_path)})
    assert settings.four_eyes
    assert settings.persons == tmp_path / "REFUSION_PERSONS"
    assert settings.web.oidc is not None
    assert settings.web.mail is not None
    assert settings.web.mail.logon is not None
    assert settings.web.folder is not None
    assert settings.web.url is not None
    ports = BY_NAME["NetworkPolicy", "site"]["spec"]["egress"][0]["ports"]
    assert {443, 25, 465, 587, settings.web.mail.port} == {each["port"] for each in ports}


@pytest.mark.parametrize("name", ["backup", "backup-verify"])
def test_a_backup_has_credentials_in_a_file(name, tmp_path, monkeypatch):
    given = started(name, tmp_path)
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & given.keys()
    with object_server(monkeypatch) as objects:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(variable)
        monkeypatch.setenv("AWS_REGION", given["AWS_REGION"])
        monkeypatch.setenv(CREDENTIALS_FILE, given[CREDENTIALS_FILE])
        assert given["BACKUP"].startswith("s3://")
        open_store("s3://backups/journal").write("a", b"content")
    assert objects == {"journal/a": b"content"}


def test_each_night_a_backup_is_taken_and_proved_whole_and_the_topics_are_verified():
    nightly = {name: CONTAINERS[name]["args"] for name in NAMES if BY_NAME.get(("CronJob", name))}
    assert nightly == {
        "backup": ["backup", "--to", "$(BACKUP)"],
        "backup-verify": ["backup", "verify", "--from", "$(BACKUP)"],
        "verify": ["verify", "--deep", "--marts"],
    }


READS_THE_LEDGER = {"worker", "site", "verify", "close", "export"}


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_one_of_the_program_with_the_options_that_it_has(name):
    words = list(CONTAINERS[name]["args"])
    command: click.Command | None = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    assert [
        word for word in words if "$(" in word and word.strip("$()") not in environment_of(name)
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_is_confined_and_bounded(name):
    pod, container = PODS[name]["spec"], CONTAINERS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"].keys() == {"requests", "limits"}
    assert all(each.keys() == {"cpu", "memory"} for each in container["resources"].values())
    assert {"hostNetwork", "hostPID", "hostIPC"} & pod.keys() == set()
    assert not any("hostPath" in volume for volume in pod["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pod_mounts_is_there(name):
    volumes = {each["name"]: each for each in PODS[name]["spec"]["volumes"]}
    own = WORKLOADS[name]["spec"].get("volumeClaimTemplates", ())
    mounted = {mount["name"] for mount in CONTAINERS[name]["volumeMounts"]}
    assert mounted == volumes.keys() | {each["metadata"]["name"] for each in own}
    claims = {
        each["persistentVolumeClaim"]["claimName"]
        for each in volumes.values()
        if "persistentVolumeClaim" in each
    }
    assert all(("PersistentVolumeClaim", claim) in BY_NAME for claim in claims)


@pytest.mark.parametrize("name", ["worker", "site", "close"])
def test_who_writes_to_the_ledger_or_beside_it_may(name, tmp_path):
    mounts = [each for each in CONTAINERS[name]["volumeMounts"] if not each.get("readOnly")]
    settings = Settings.load(started(name, tmp_path))
    assert places_outside(settings, [each["mountPath"] for each in mounts]) == []


def temporary_bytes(name):
    """Return how much temporary disk a program may take; its pod is evicted beyond that."""
    (volume,) = [each for each in PODS[name]["spec"]["volumes"] if each["name"] == "tmp"]
    ((number, unit),) = re.findall(r"^(\d+)(Mi|Gi)$", volume["emptyDir"]["sizeLimit"])
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


def test_there_is_temporary_disk_for_ten_years_of_the_country():
    """Figures of docs/scale.md: a year of 700,000 citizens, of whom Denmark has twice as many."""
    scale = (ROOT / "docs" / "scale.md").read_text()
    year = [
        float(megabytes.replace(",", ""))
        for megabytes in re.findall(
            r"^\| (?:journal|postings) \|[^|]*\|[^|]*\| ([\d,]+) MB", scale, re.MULTILINE
        )
    ]
    assert len(year) == 2
    partition = 2 * sum(year) * 10**6 / int(environment_of("verify")["REFUSION_PARTITIONS"])
    at_once = int(CONTAINERS["verify"]["resources"]["limits"]["cpu"])
    assert temporary_bytes("verify") >= at_once * 10 * partition
    (tables,) = re.findall(r"([\d.]+) GB written to a scratch folder", scale)
    for name in ("worker", "verify"):
        assert temporary_bytes(name) >= float(tables) * 10**9


def volume_at(name, path):
    """Return the claim that a program has at a path."""
    (mount,) = [each for each in CONTAINERS[name]["volumeMounts"] if each["mountPath"] == path]
    assert not mount.get("readOnly")
    volumes = {each["name"]: each for each in PODS[name]["spec"]["volumes"]}
    return volumes[mount["name"]]["persistentVolumeClaim"]["claimName"]


@pytest.mark.parametrize("name", ["backup", "backup-verify", "verify", "close", "deliver"])
def test_the_site_shows_what_commands_keep(name):
    def kept_by(program):
        given = environment_of(program)
        place = given.get("REFUSION_OPERATIONS_DIR", given["REFUSION_STATE_DIR"])
        return volume_at(program, place)

    assert kept_by("site") == kept_by(name)


def test_a_pod_has_one_process_of_the_worker_whatever_the_cores_of_its_node():
    """The port of its metrics, its probes and its memory are those of one."""
    assert CONTAINERS["worker"]["args"] == ["worker", "--processes", "1"]


def test_the_number_of_the_example_run_is_that_of_its_month():
    given = environment_of("export")
    assert run_of(month_number(given["MONTH"])) == int(given["RUN"])


def test_selectors_find_the_pods_that_they_mean():
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}

    def found(selector):
        return {name for name, has in labels.items() if selector.items() <= has.items()}

    for kind in ("StatefulSet", "Deployment"):
        for name in (name for of, name in BY_NAME if of == kind):
            assert found(BY_NAME[kind, name]["spec"]["selector"]["matchLabels"]) == {name}
    for kind, name in (("Service", "worker"), ("Service", "site")):
        service = BY_NAME[kind, name]
        assert found(service["spec"]["selector"]) == {name}
        (port,) = CONTAINERS[name]["ports"]
        (served,) = service["spec"]["ports"]
        assert served.get("targetPort", served["port"]) in {port["name"], port["containerPort"]}
    budget = BY_NAME["PodDisruptionBudget", "worker"]["spec"]
    assert (found(budget["selector"]["matchLabels"]), budget["maxUnavailable"]) == ({"worker"}, 1)
    chosen = {
        name: found(policy["spec"]["podSelector"].get("matchLabels", {}))
        for (kind, name), policy in BY_NAME.items()
        if kind == "NetworkPolicy"
    }
    assert chosen.pop("nothing") == chosen.pop("brokers") == set(NAMES)
    assert chosen.pop("deliver") == {"close", "export", "deliver"}
    assert chosen.pop("backup") == {"backup", "backup-verify"}
    assert chosen == {"metrics": {"worker"}, "site": {"site"}}


def test_nothing_may_be_talked_to_that_no_policy_names():
    default = BY_NAME["NetworkPolicy", "nothing"]["spec"]
    assert default == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for (kind, _), each in BY_NAME.items():
        if kind == "NetworkPolicy":
            rules = each["spec"].get("ingress", []) + each["spec"].get("egress", [])
            assert all(rule["ports"] for rule in rules)
            assert all(rule["from"] for rule in each["spec"].get("ingress", []))


def test_a_worker_keeps_its_name_and_disk_and_jobs_of_a_run_wait_for_a_person():
    worker = WORKLOADS["worker"]
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "state"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert worker["spec"]["serviceName"] == "worker"
    for name in ("close", "export", "deliver"):
        assert WORKLOADS[name]["spec"]["suspend"] is True
        assert WORKLOADS[name]["spec"]["backoffLimit"] == 0
    for name in ("backup", "backup-verify", "verify"):
        assert WORKLOADS[name]["spec"]["concurrencyPolicy"] == "Forbid"
        assert WORKLOADS[name]["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_the_secrets_that_pods_name_are_told_how_to_make():
    text = (FOLDER / "kustomization.yaml").read_text()
    for pod in PODS.values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert f"create secret generic {volume['secret']['secretName']}" in text
                for item in volume["secret"].get("items", ()):
                    assert f"--from-file={item['key']}" in text
    files = {
        value.rpartition("/")[2]
        for name in NAMES
        for value in environment_of(name).values()
        if value.startswith("/secrets/")
    }
    assert all(f"--from-file={file}" in text for file in files)


def test_what_an_overlay_must_set_is_told():
    """All that is of a place: what these maps have, but for what only names our own folders."""
    text = (FOLDER / "kustomization.yaml").read_text()
    of_place = {"REFUSION_BOOTSTRAP", "REFUSION_PARTITIONS"}
    for name in ("refusion-site", "refusion-backup", "refusion-run"):
        assert f"`{name}`" in text
        of_place |= BY_NAME["ConfigMap", name]["data"].keys() - {CREDENTIALS_FILE}
    assert all(re.search(rf"\b{name}\b", text) for name in of_place)
    assert "REFUSION_WEB_ROLES" in text
    assert "`sizeLimit`" in text
