import json
import pickle

import pytest

from streams.settings import MASK, TABLE, Settings, SettingsError

KEY, OTHER_KEY = "0f" * 32, "A1" * 32
KEYS = {"REFUSION_PSEUDONYM_KEY": KEY, "REFUSION_SEAL_KEY": OTHER_KEY}


def row(settings: Settings, name: str):
    return next(row for row in settings.describe() if row["name"] == name)


def test_the_table_has_the_settings_of_the_contract_and_says_what_they_mean():
    names = [
        "BOOTSTRAP",
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_CA_FILE",
        "KAFKA_CERT_FILE",
        "KAFKA_KEY_FILE",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_OAUTH_TOKEN_URL",
        "KAFKA_OAUTH_CLIENT_ID",
        "KAFKA_OAUTH_CLIENT_SECRET",
        "PREFIX",
        "JOURNAL_PREFIX",
        "PARTITIONS",
        "REPLICAS",
        "STATE_DIR",
        "OPERATIONS_DIR",
        "LEDGER",
        "LIS",
        "INHABITANTS",
        "BUDGETS",
        "PRICES",
        "RULES",
        "REPORTERS",
        "EXPECTED",
        "RECEIPTS",
        "SFTP_KNOWN_HOSTS",
        "SFTP_KEY",
        "DESTINATIONS",
    ]
    names += ["PSEUDONYM_KEY", "SEAL_KEY", "JOURNAL_KEY", "MASTER_KEY", "DEMO", "DEMO_ANYWHERE"]
    names += ["REPLACEMENT_NUMBERS", "FOUR_EYES", "PERSONS"]
    names += ["METRICS_PORT", "METRICS_HOST"]
    names += ["WEB_URL", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "WEB_ROLES"]
    names += ["WEB_FOLDER", "MAIL_SERVER", "MAIL_FROM", "MAIL_TO"]
    names += ["MAIL_USER", "MAIL_PASSWORD", "MAIL_IMPLICIT_TLS"]
    assert [setting.name for setting in TABLE] == [f"REFUSION_{name}" for name in names]
    assert all(setting.meaning for setting in TABLE)


def test_defaults_in_an_empty_environment():
    settings = Settings.load({})
    assert (settings.prefix, settings.partitions, settings.demo) == ("refusion.", 12, False)
    assert row(settings, "REFUSION_PARTITIONS")["source"] == "default"
    assert row(settings, "REFUSION_BOOTSTRAP") | {"meaning": ""} == {
        "name": "REFUSION_BOOTSTRAP",
        "value": None,
        "source": "not set",
        "meaning": "",
    }


def test_the_environment_decides():
    environ = {
        "REFUSION_PREFIX": "test.",
        "REFUSION_PARTITIONS": "3",
        "REFUSION_BOOTSTRAP": "a:9092,b:9092",
        "REFUSION_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    }
    settings = Settings.load(environ)
    assert (settings.prefix, settings.partitions, settings.bootstrap) == (
        "test.",
        3,
        "a:9092,b:9092",
    )
    assert row(settings, "REFUSION_PREFIX")["source"] == "environment"


def test_set_to_nothing_is_not_set():
    assert Settings.load({"REFUSION_PARTITIONS": " ", "REFUSION_DEMO": ""}).partitions == 12


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("REFUSION_PARTITIONS", "0", "whole number from 1"),
        ("REFUSION_PARTITIONS", "twelve", "whole number from 1"),
        ("REFUSION_PARTITIONS", "9" * 5000, "whole number from 1"),
        ("REFUSION_PARTITIONS", "١٢", "whole number from 1"),
        ("REFUSION_PREFIX", "my topics", "Kafka allows"),
        ("REFUSION_DEMO", "yes", "0 or 1"),
        ("REFUSION_PSEUDONYM_KEY", "0f" * 31, "openssl rand -hex 32"),
        ("REFUSION_PSEUDONYM_KEY", "xy" * 32, "64 hex digits"),
        ("REFUSION_PSEUDONYM_KEY", f"{KEY},{KEY}", "64 hex digits"),
        ("REFUSION_SEAL_KEY", f"{KEY},", "openssl rand -hex 32"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do_and_a_secret_is_not_repeated(name, value, advice):
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.load({name: value})
    assert advice in str(caught.value)
    assert value not in str(caught.value) or name == "REFUSION_PARTITIONS"


def test_every_wrong_setting_is_named_at_once():
    with pytest.raises(SettingsError, match=r"REFUSION_PARTITIONS.*REFUSION_DEMO"):
        Settings.load({"REFUSION_PARTITIONS": "x", "REFUSION_DEMO": "x"})


@pytest.mark.parametrize("missing", KEYS)
def test_outside_demo_mode_a_missing_key_is_an_error_for_what_needs_it_only(missing):
    settings = Settings.load({name: key for name, key in KEYS.items() if name != missing})
    assert row(settings, missing)["value"] is None
    with pytest.raises(SettingsError, match=rf"{missing} is not set.*openssl rand -hex 32"):
        settings.identity()


def test_demo_mode_has_fixed_keys_where_none_are_given():
    settings = Settings.load({"REFUSION_DEMO": "1", "REFUSION_SEAL_KEY": KEY})
    assert settings.demo
    assert row(settings, "REFUSION_PSEUDONYM_KEY")["source"] == "demo"
    assert row(settings, "REFUSION_SEAL_KEY")["source"] == "environment"
    assert Settings.load({"REFUSION_DEMO": "1"}).identity().of("6101801234") == (
        Settings.load({"REFUSION_DEMO": "1"}).identity().of("6101801234")
    )


def test_demo_keys_are_not_used_where_keys_are_given():
    demo, real = Settings.load({"REFUSION_DEMO": "1"}), Settings.load({"REFUSION_DEMO": "1"} | KEYS)
    assert demo.identity().of("6101801234") != real.identity().of("6101801234")


def test_the_first_seal_key_seals_and_all_unseal():
    before = Settings.load(KEYS).identity()
    after = Settings.load(KEYS | {"REFUSION_SEAL_KEY": f"{KEY}, {OTHER_KEY}"}).identity()
    citizen, sealed = before.of("0101801234")
    assert after.of("0101801234") != (citizen, sealed)
    assert after.unseal(citizen, sealed) == "0101801234"


def test_secrets_are_masked_wherever_settings_are_shown():
    settings = Settings.load(KEYS)
    shown = repr(settings) + str(settings) + json.dumps(settings.describe())
    assert KEY not in shown
    assert OTHER_KEY not in shown
    assert row(settings, "REFUSION_SEAL_KEY")["value"] == MASK


def test_without_brokers_the_error_says_how_to_get_some():
    with pytest.raises(SettingsError, match=r"REFUSION_BOOTSTRAP is not set.*make kafka"):
        _ = Settings.load({}).bootstrap


def test_settings_travel_to_other_processes():
    settings = Settings.load({"REFUSION_DEMO": "1"})
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


def test_replicas_are_three_and_one_in_demo_mode_unless_set():
    assert Settings.load({}).replicas == 3
    assert Settings.load({"REFUSION_DEMO": "1"}).replicas == 1
    assert Settings.load({"REFUSION_DEMO": "1", "REFUSION_REPLICAS": "2"}).replicas == 2
    with pytest.raises(SettingsError, match="REFUSION_REPLICAS must be a whole number"):
        Settings.load({"REFUSION_REPLICAS": "0"})
