"""The Kubernetes base names what there is, and gives its pods no more than they need."""

import click
import pytest
import yaml

from domain.basics.weeks import month_number
from streams.cli.main import main
from streams.kafka.rights import ROLES
from streams.settings import TABLE, Settings
from streams.wire.control_records import run_of
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
    return given | {each["name"]: each["value"] for each in container["env"]}


def test_the_base_has_each_file_of_its_folder_and_each_name_once():
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(BASE["resources"])
    assert len(BY_NAME) == len(ALL)
    assert {each["kind"] for each in WORKLOADS.values()} == {
        "StatefulSet", "Deployment", "CronJob", "Job",
    }  # fmt: skip
    assert set(NAMES) == {"worker", "site", "backup", "verify", "close", "export", "deliver"}


@pytest.mark.parametrize("name", NAMES)
def test_each_name_in_the_environment_is_a_setting_and_no_secret_is_among_them(name):
    given = environment_of(name)
    secrets = {setting.name for setting in TABLE if setting.secret}
    known = {setting.name for setting in TABLE} - secrets | {f"{each}_FILE" for each in secrets}
    ours = {each for each in given if each.startswith("REFUSION_")}
    assert ours <= known
    assert given.keys() - ours <= {"MONTH", "RUN"}


@pytest.mark.parametrize("name", NAMES)
def test_a_program_starts_with_its_settings_and_each_secret_is_a_file_of_its_pod(name, tmp_path):
    given = {each: text for each, text in environment_of(name).items() if "REFUSION" in each}
    mounts = [(mount["name"], mount["mountPath"]) for mount in CONTAINERS[name]["volumeMounts"]]
    volumes = {each["name"]: each for each in PODS[name]["spec"]["volumes"]}
    for setting, text in given.items():
        if not text.startswith("/secrets/"):
            continue
        (volume,) = [each for each, path in mounts if text.startswith(f"{path}/")]
        items = volumes[volume]["secret"].get("items")
        assert items is None or text.rpartition("/")[2] in {item["path"] for item in items}
        given[setting] = str(tmp_path / setting)
        (tmp_path / setting).write_text("0f" * 32)
        (tmp_path / setting).chmod(volumes[volume]["secret"]["defaultMode"])
    settings = Settings.load(given)
    assert settings.bootstrap.logon.username in {*ROLES, "worker"}
    settings.identity()
    places = [str(settings.state_dir)]
    places += [settings.ledger] if name in READS_THE_LEDGER else []
    places += [settings.lis] if name in READS_THE_LEDGER - {"close", "export"} else []
    assert all(any(place.startswith(path) for _, path in mounts) for place in places)


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
def test_who_writes_to_the_ledgers_folder_may(name):
    (mount,) = [each for each in CONTAINERS[name]["volumeMounts"] if each["name"] == "ledger"]
    assert not mount.get("readOnly")


def volume_at(name, path):
    """Return the claim that a program has at a path."""
    (mount,) = [each for each in CONTAINERS[name]["volumeMounts"] if each["mountPath"] == path]
    assert not mount.get("readOnly")
    volumes = {each["name"]: each for each in PODS[name]["spec"]["volumes"]}
    return volumes[mount["name"]]["persistentVolumeClaim"]["claimName"]


@pytest.mark.parametrize("name", ["backup", "verify", "close", "deliver"])
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
    assert chosen == {"metrics": {"worker"}, "site": {"site"}, "backup": {"backup"}}


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
    for name in ("backup", "verify"):
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
