"""The settings of Kafka's security: what is taken, what is refused, and with which sentence."""

import logging
import pickle

import pytest

from streams.devtools.local_kafka.secured import Credentials
from streams.kafka import security
from streams.kafka.clients import KafkaClients
from streams.kafka.security import Logon, logon_at
from streams.settings import Settings, SettingsError

K = "REFUSION_KAFKA_"
SCRAM = {
    f"{K}SECURITY_PROTOCOL": "SASL_SSL",
    f"{K}SASL_MECHANISM": "SCRAM-SHA-512",
    f"{K}SASL_USERNAME": "anna",
    f"{K}SASL_PASSWORD": "hemmeligt",
}
TOKEN = {
    f"{K}SECURITY_PROTOCOL": "SASL_SSL",
    f"{K}SASL_MECHANISM": "OAUTHBEARER",
    f"{K}OAUTH_TOKEN_URL": "https://tokens.example/token",
    f"{K}OAUTH_CLIENT_ID": "anna",
    f"{K}OAUTH_CLIENT_SECRET": "hemmeligt",
}
LOCAL = ["127.0.0.1:9092", "localhost:9092", "[::1]:9092,127.0.0.9:1"]
ELSEWHERE = ["kafka:9092", "10.0.0.1:9092", "127.0.0.1:9092,kafka:9092", "localhost.example:1"]


@pytest.fixture(autouse=True)
def _said_anew():
    security._say.cache_clear()


@pytest.fixture
def credentials(tmp_path):
    made = Credentials(tmp_path, ["anna"])
    made.make()
    return made


def address(bootstrap="kafka:9092", **given):
    return Settings.load({"REFUSION_BOOTSTRAP": bootstrap, **given}).bootstrap


@pytest.mark.parametrize("bootstrap", LOCAL)
def test_without_a_protocol_brokers_of_this_machine_are_talked_to_in_plain_text(bootstrap, caplog):
    assert logon_at(address(bootstrap)) == Logon()
    assert caplog.text == ""


@pytest.mark.parametrize("bootstrap", ELSEWHERE)
def test_without_a_protocol_other_brokers_are_refused_outside_demo_mode(bootstrap):
    with pytest.raises(SettingsError, match=rf"{K}SECURITY_PROTOCOL is not set.*SASL_SSL or SSL"):
        address(bootstrap)
    assert logon_at(address(bootstrap, REFUSION_DEMO="1")) == Logon()


def test_plaintext_that_is_asked_for_is_taken_and_warned_of_once(caplog):
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        assert logon_at(address(**{f"{K}SECURITY_PROTOCOL": "PLAINTEXT"})) == Logon()
    (record,) = caplog.records
    assert "can be read and changed on the way" in record.getMessage()


def test_a_password_outside_tls_is_warned_of(caplog):
    caplog.set_level(logging.WARNING)
    address(**SCRAM | {f"{K}SECURITY_PROTOCOL": "SASL_PLAINTEXT"})
    assert "the password may be found out" in caplog.text
    caplog.clear()
    address("127.0.0.1:1", **SCRAM | {f"{K}SECURITY_PROTOCOL": "SASL_PLAINTEXT"})
    assert caplog.text == ""


def test_a_log_on_shows_nobody_its_password_and_may_go_to_another_process():
    for given in (SCRAM, TOKEN):
        made = address(**given)
        assert "hemmeligt" not in repr(made.logon)
        again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
        assert (again, again.logon) == (made, made.logon)
        assert "anna" in made.logon.principal
    assert logon_at(address(**SCRAM)).principal == "User:anna"


NO_FILE = {f"{K}CA_FILE": "/nowhere/ca.pem"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({f"{K}SECURITY_PROTOCOL": "TLS"}, "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT"),
        (SCRAM | {f"{K}SASL_MECHANISM": "GSSAPI"}, "must be one of SCRAM-SHA-512"),
        (SCRAM | {f"{K}SASL_MECHANISM": ""}, "SASL_SSL: set REFUSION_KAFKA_SASL_MECHANISM"),
        (SCRAM | {f"{K}SASL_USERNAME": ""}, "is SCRAM-SHA-512: set REFUSION_KAFKA_SASL_USERNAME"),
        (SCRAM | {f"{K}SASL_PASSWORD": ""}, "set .*_PASSWORD or .*_PASSWORD_FILE"),
        (SCRAM | NO_FILE, "CA_FILE is /nowhere/ca.pem, and there is no such file"),
        (SCRAM | {f"{K}SECURITY_PROTOCOL": "SSL"}, "MECHANISM is set, but .* makes no use of it"),
        ({f"{K}SECURITY_PROTOCOL": "PLAINTEXT", **NO_FILE}, "CA_FILE is set, but .* is PLAINTEXT"),
        ({"REFUSION_DEMO": "1", f"{K}SASL_USERNAME": "anna"}, "USERNAME is set, but"),
        (SCRAM | {f"{K}OAUTH_CLIENT_ID": "x"}, "CLIENT_ID is set, of which SCRAM-SHA-512 makes no"),
        (TOKEN | {f"{K}OAUTH_CLIENT_SECRET": ""}, "set .*CLIENT_SECRET or .*CLIENT_SECRET_FILE"),
        (TOKEN | {f"{K}OAUTH_TOKEN_URL": "http://tokens.example"}, "must begin with https://"),
        (TOKEN | {f"{K}OAUTH_TOKEN_URL": "ftp://localhost/"}, "must begin with https://"),
    ],
)
def test_settings_that_do_not_fit_together_are_said_in_one_sentence(given, said):
    with pytest.raises(SettingsError, match=said) as caught:
        address(**given)
    assert "hemmeligt" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_key_of_a_certificate_must_be_nobody_elses(credentials):
    given = {
        f"{K}SECURITY_PROTOCOL": "SSL",
        f"{K}CERT_FILE": str(credentials.ca_file),
        f"{K}KEY_FILE": str(credentials.folder / "broker.pem"),
    }
    assert "ca.pem" in address(**given).logon.principal
    assert address(**given).logon.client_settings()["ssl_context"].check_hostname
    (credentials.folder / "broker.pem").chmod(0o644)
    with pytest.raises(SettingsError, match=r"KEY_FILE is .*mode 0644.*chmod 600"):
        address(**given)
    with pytest.raises(SettingsError, match="KEY_FILE is set without"):
        address(**given | {f"{K}CERT_FILE": ""})


@pytest.mark.parametrize("name", ["CA_FILE", "CERT_FILE"])
def test_a_file_without_certificates_is_named(credentials, name):
    given = SCRAM | {f"{K}{name}": str(credentials.password_file("anna"))}
    with pytest.raises(SettingsError, match=f"{name}.*in PEM"):
        KafkaClients(address(**given), "refusion-test")
