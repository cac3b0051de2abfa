"""Containers and units confine the worker, keep what it must not lose, and do not loop."""

import configparser
import os
import re
import subprocess

import pytest
import yaml

from streams.settings import TABLE, Settings
from tests.support.places import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
WORKER = SERVICES["worker"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_capabilities_and_no_way_to_more_and_bounds(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "healthcheck"} <= service.keys()
    assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys()


def test_the_workers_container_is_read_only_but_for_its_volumes():
    assert WORKER["read_only"] is True
    places = [volume.split(":")[1] for volume in WORKER["volumes"]]
    environment = WORKER["environment"]
    assert environment["REFUSION_LEDGER"] in places
    assert "REFUSION_STATE_DIR=/state" in DOCKERFILE
    assert "/state" in places
    assert "USER refusion" in DOCKERFILE
    for place in places:  # a new volume is owned by whoever owns the folder in the image
        assert f" {place}" in DOCKERFILE.partition("USER refusion")[0]


def test_all_workers_share_one_ledger_and_no_log_is_thrown_away():
    """An anonymous volume is each container's own, and goes with it."""
    names = [volume.split(":")[0] for volume in WORKER["volumes"]]
    assert {"state", "ledger"} == set(names) <= COMPOSE["volumes"].keys()


def test_a_status_that_no_restart_mends_does_not_loop():
    assert WORKER["restart"] == "on-failure:5"
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


def test_the_settings_of_the_compose_file_are_ones_that_a_worker_starts_with():
    given = {name: str(value) for name, value in WORKER["environment"].items()}
    keys = {name: "0f" * 32 for name, value in given.items() if value.startswith("${")}
    settings = Settings.load(given | keys)
    assert (settings.bootstrap, settings.replicas) == ("kafka:19092", 1)
    settings.identity()


def test_the_health_of_a_worker_is_asked_for():
    assert WORKER["healthcheck"]["test"] == ["CMD", "python", "-m", "streams.worker.health"]
    assert WORKER["environment"]["REFUSION_METRICS_PORT"]


ARGUMENTS = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
"""The arguments of the build that have a value by themselves."""


def test_images_have_fixed_tags():
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    images += [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("FROM ")]
    images += WORKER["build"]["args"].values()
    fixed = [with_defaults(image) for image in images]
    assert len(fixed) == 6
    assert fixed.pop() == "0"
    assert all(":" in image and not image.endswith(":latest") for image in fixed)


def with_defaults(text):
    """An argument of the build or a variable of compose has the value that it has by itself."""
    text = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", text)
    return re.sub(r"\$\{(\w+)\}", lambda found: ARGUMENTS[found[1]], text)


DIGEST = "@sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("demanded", "build", "run", "status"),
    [
        ("0", "", "", 0),
        ("1", DIGEST, DIGEST, 0),
        ("1", DIGEST, "", 2),
        ("1", "", DIGEST, 2),
        ("1", DIGEST, "@sha256:0f", 2),
    ],
)
def test_a_build_that_demands_digests_ends_where_an_image_has_none(demanded, build, run, status):
    checked = re.search(r"^RUN (for image in .*?done)$", DOCKERFILE, re.DOTALL | re.MULTILINE)
    assert checked is not None
    given = {
        "BUILD_IMAGE": ARGUMENTS["BUILD_IMAGE"] + build,
        "RUN_IMAGE": ARGUMENTS["RUN_IMAGE"] + run,
        "DEMAND_DIGESTS": demanded,
    }
    done = subprocess.run(
        ["/bin/sh", "-c", checked[1]],
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert ("has no digest: set BUILD_IMAGE and RUN_IMAGE" in done.stderr) == (status == 2)
