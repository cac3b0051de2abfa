"""A local Kafka that encrypts, asks who is there, and lets each principal do what it may.

Its folder holds a certificate of its own and a password for each principal, in files that only this
user reads. Principals log on by SCRAM-SHA-512 inside TLS; `ADMIN` may do everything, all others
what access control lists give them.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streams.devtools.local_kafka.broker import HOST
from streams.kafka.security import Logon

ADMIN: Final = "admin"
"""The principal that may do everything; the brokers talk to each other as it too."""
MECHANISM: Final = "SCRAM-SHA-512"
YEARS: Final = 10
OURS_ALONE: Final = 0o600


class Credentials:
    """The certificate and the passwords of a cluster, in its folder."""

    protocol: str = "SASL_SSL"
    """The protocol that clients and brokers talk, which is the name of its listener too."""

    def __init__(
        self, folder: Path, principals: Iterable[str], hosts: Sequence[str] = ("localhost",)
    ) -> None:
        """The certificate is for this machine's own address and for `hosts`."""
        self._hosts = hosts
        self.folder = folder / "security"
        self.principals = (ADMIN, *principals)

    @property
    def ca_file(self) -> Path:
        """The certificate by which clients check the brokers."""
        return self.folder / "ca.pem"

    @property
    def keystore(self) -> Path:
        """The brokers' key and certificate."""
        return self.folder / "broker.pem"

    def password_file(self, principal: str) -> Path:
        """The file with a principal's password."""
        return self.folder / f"{principal}.password"

    def make(self) -> None:
        """Write the files that are missing."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.keystore.exists():
            key, certificate = _self_signed(self._hosts)
            self.ca_file.write_bytes(certificate)
            write_ours(self.keystore, key + certificate)
        for principal in self.principals:
            if not self.password_file(principal).exists():
                write_ours(self.password_file(principal), secrets.token_urlsafe(24).encode())

    def logon(self, principal: str) -> Logon:
        """Return how a principal logs on."""
        return Logon(
            protocol="SASL_SSL",
            ca_file=str(self.ca_file),
            mechanism=MECHANISM,
            username=principal,
            password=self.password(principal),
        )

    def settings(self, principal: str) -> dict[str, str]:
        """Return a principal's settings of the program, as in its environment."""
        return {
            "REFUSION_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "REFUSION_KAFKA_CA_FILE": str(self.ca_file),
            "REFUSION_KAFKA_SASL_MECHANISM": MECHANISM,
            "REFUSION_KAFKA_SASL_USERNAME": principal,
            "REFUSION_KAFKA_SASL_PASSWORD_FILE": str(self.password_file(principal)),
        }

    def properties(self) -> dict[str, str]:
        """Return the properties of a broker; the controllers' own listener stays plain."""
        return {
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "security.inter.broker.protocol": "SASL_SSL",
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": self.login_line(ADMIN),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca_file),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
        }

    def login_line(self, principal: str) -> str:
        """Return a principal's log-on as Java's programs read it."""
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
        return f'{scram} required username="{principal}" password="{self.password(principal)}";'

    def format_arguments(self) -> list[str]:
        """Return the arguments with which a node's folder is made with the principals in it."""
        return [
            argument
            for principal in self.principals
            for argument in (
                "--add-scram",
                f"{MECHANISM}=[name={principal},password={self.password(principal)}]",
            )
        ]

    def password(self, principal: str) -> str:
        """Read a principal's password."""
        return self.password_file(principal).read_text()


def write_ours(path: Path, content: bytes) -> None:
    """Write a file that this user alone can read."""
    path.touch(OURS_ALONE)
    path.write_bytes(content)


def _self_signed(hosts: Iterable[str]) -> tuple[bytes, bytes]:
    """Make a key and a certificate for this machine's own address and hosts, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a local Kafka")])
    addresses = [x509.IPAddress(ip_address(HOST)), *map(x509.DNSName, hosts)]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )
