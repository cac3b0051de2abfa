"""Every way to log on carries a whole installation over many sessions, and a refusal is named."""

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import Name, NameAttribute
from cryptography.x509.oid import NameOID

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka.rights import ROLES
from streams.kafka.topics import REPORTS
from tests.kafka.mechanisms import (
    ClientCertificates,
    Plain,
    ScramOf256,
    Tokens,
    TokenServer,
    write_certificate,
)
from tests.kafka.secured import SecuredInstallation
from tests.support.pipeline import DONE_S, QUICK_RETURN

SESSION_MS = 6000
STAGES = ("intake", "citizens", "projections")
CUT = re.compile("could not be renewed|begins again|joins its group again|does not answer")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """A server of tokens that are good for ten seconds."""
    keys_file = tmp_path_factory.mktemp("tokens") / "keys.json"
    with TokenServer(keys_file, good_for_s=10).running() as server:
        yield server


@pytest.fixture(scope="module", params=[ScramOf256, Plain, Tokens, ClientCertificates])
def kafka_of_a_kind(request, tokens):
    """A secured broker with short sessions, for each way to log on."""
    Tokens.server = tokens
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens.keys_url}"
    with LocalKafka(
        properties={**QUICK_RETURN, "connections.max.reauth.ms": str(SESSION_MS)},
        java_options=(*QUICK_START, allowed),
        principals=list(ROLES),
        kind=request.param,
    ) as running:
        yield running


@pytest.fixture
def installation(kafka_of_a_kind, prefix, tmp_path):
    made = SecuredInstallation(kafka_of_a_kind, prefix, tmp_path)
    yield made
    made.clean_up()


@pytest.mark.long
def test_an_installation_lives_through_many_sessions_with_each_way_to_log_on(installation, lives):
    assert installation.run("operator", "run", "status").status == 0
    for stage in STAGES:
        installation.start(stage)
    portions = [b"\n".join(lines) + b"\n" for lines in lives]
    installation.publish_for("upstream", portions, SESSION_MS / 1000)
    installation.wait_until_settled("operator")
    for stage in STAGES:
        # A machine that stands still for a second costs one session; unrenewed, each would be cut.
        assert len(CUT.findall(log := installation.log(stage))) <= 1, log
    verified = installation.run("auditor", "verify", "--fold", "--jobs", "1")
    assert verified.status == 0, verified.said
    raw = [
        dict(record.headers)["raw"]
        for record in installation.records("auditor", REPORTS)
        if record.key
    ]
    assert len(raw) == len(set(raw))


@pytest.mark.long
def test_who_may_not_log_on_is_told_as_whom_and_why(installation, tmp_path):
    """Another's secret; where a principal has none, a certificate that the brokers did not sign."""
    settings = installation.environment("operator")
    secret = next(
        (name for name in settings if name.endswith(("PASSWORD_FILE", "SECRET_FILE"))), None
    )
    if secret is None:
        foreign = tmp_path / "operator-by-others.pem"
        others = Name([NameAttribute(NameOID.COMMON_NAME, "others")])
        write_certificate(foreign, "operator", others, ec.generate_private_key(ec.SECP256R1()))
        wrong = {f"REFUSION_KAFKA_{name}_FILE": str(foreign) for name in ("CERT", "KEY")}
    else:
        wrong = {secret: str(installation.kafka.credentials.password_file("intake"))}
    for command in (("run", "status"), ("worker", "--processes", "1")):
        refused = installation.run("operator", *command, **wrong)
        assert refused.status == 2, refused.said
        assert re.search("the log-on of .*operator.* at 127.0.0.1", refused.said), refused.said
        assert "no Kafka answers" not in refused.said
        assert "Traceback" not in refused.said


@pytest.mark.long
@pytest.mark.parametrize("kafka_of_a_kind", [Tokens], indirect=True)
def test_a_worker_whose_principal_is_put_out_while_it_waits_ends_and_says_so(installation, tokens):
    """It has nothing to do, and makes no request but those of a member of a group."""
    assert installation.run("operator", "run", "status").status == 0
    worker = installation.start("intake")
    installation.wait_for_log("intake", "partitions 0 1")
    del tokens.secrets["intake"]
    assert worker.wait(DONE_S) == 2
    said = installation.log("intake")
    assert "the log-on of OAuth client intake at 127.0.0.1" in said
    assert "gives it no token (HTTP status 401)" in said
