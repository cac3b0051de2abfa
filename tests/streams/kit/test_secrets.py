"""Secrets come from files that are safe, and go to no child but our own."""

import os
import subprocess
import sys

import pytest

from streams.kit.secrets import (
    MAX_BYTES,
    SECRET,
    kept_from_children,
    own_environment,
    public_environment,
    secret_in,
)
from streams.kit.setting import SettingsError
from streams.settings import TABLE, Settings

KEY = "0f" * 32
NAME = "REFUSION_SEAL_KEY"
SECRETS = [setting for setting in TABLE if setting.secret]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o400)
    return path


@pytest.mark.parametrize("setting", SECRETS, ids=lambda setting: setting.name)
def test_each_secret_may_be_given_as_a_file_and_is_masked(setting, file):
    settings = Settings.load({f"{setting.name}_FILE": str(file)})
    assert settings.values[setting.name] == (KEY, "file")
    (row,) = (row for row in settings.describe() if row["name"] == setting.name)
    assert row["value"] == "********"
    assert KEY not in repr(settings)


def test_both_a_secret_and_its_file_are_an_error(file):
    with pytest.raises(SettingsError, match=f"{NAME} and {NAME}_FILE are set both") as caught:
        Settings.load({NAME: KEY, f"{NAME}_FILE": str(file)})
    assert KEY not in str(caught.value)


def test_a_wrong_secret_in_a_file_is_named_and_not_repeated(file):
    file.chmod(0o600)
    file.write_text("secret words")
    with pytest.raises(SettingsError, match=f"{NAME} must be 64 hex digits") as caught:
        Settings.load({f"{NAME}_FILE": str(file)})
    assert "secret words" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o420, 0o602, 0o601, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused(file, mode):
    file.chmod(mode)
    with pytest.raises(SettingsError, match=rf"NAME is .*mode {mode:04o}.*chmod 600 .*key"):
        secret_in(file, "NAME")


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_file_that_the_group_at_most_reads_is_taken(file, mode):
    file.chmod(mode)
    assert secret_in(file, "NAME") == KEY


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * (MAX_BYTES + 1)])
def test_a_file_without_a_secret_is_refused(file, content):
    file.chmod(0o600)
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="does not hold a secret as text"):
        secret_in(file, "NAME")


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path):
    with pytest.raises(SettingsError, match=r"NAME is .*nowhere, which cannot be read \(No such"):
        secret_in(tmp_path / "nowhere", "NAME")
    with pytest.raises(SettingsError, match="which is no file"):
        secret_in(tmp_path, "NAME")


def test_the_names_of_all_secrets_have_the_form_by_which_they_are_kept_from_children():
    assert [setting.name for setting in SECRETS if not SECRET.fullmatch(setting.name)] == []


def test_a_child_inherits_no_secret_and_our_settings_have_it(monkeypatch):
    for setting in SECRETS:
        monkeypatch.setenv(setting.name, KEY)
    show = [sys.executable, "-c", "import os; print(dict(os.environ))"]
    with kept_from_children():
        assert KEY not in subprocess.check_output(show, text=True)
        assert Settings.load().values[NAME] == (KEY, "environment")
        assert own_environment()[NAME] == KEY
    assert os.environ[NAME] == KEY
    assert KEY not in str(public_environment())


CHILD = """
import os, resource, subprocess, sys, click
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from streams.cli.main import main
@main.command()
def children():
    subprocess.run(["env"])
    subprocess.run(["sh", "-c", "ulimit -c"])
sys.argv = ["refusion", "children"]
main()
"""


def test_a_command_starts_no_child_with_a_secret_and_writes_no_core():
    environment = os.environ | {setting.name: KEY for setting in SECRETS}
    said = subprocess.check_output([sys.executable, "-c", CHILD], env=environment, text=True)
    assert KEY not in said
    assert said.endswith("\n0\n")
