"""Ways to log on at a local broker that the product's users may have: passwords of other kinds,
tokens of a server, certificates of clients.
"""

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from streams.devtools.local_kafka.secured import ADMIN, Credentials, write_ours
from streams.kafka.oauth_client import OauthClient
from streams.kafka.security import Logon

JAAS = "listener.name.sasl_ssl.{}.sasl.jaas.config"
SECURITY = "org.apache.kafka.common.security"


class ScramOf256(Credentials):
    """Principals have a second way in, SCRAM-SHA-256."""

    mechanism = "SCRAM-SHA-256"

    def settings(self, principal):
        return super().settings(principal) | {"REFUSION_KAFKA_SASL_MECHANISM": self.mechanism}

    def logon(self, principal):
        if principal == ADMIN:
            return super().logon(principal)
        return Logon(
            "SASL_SSL",
            str(self.ca_file),
            mechanism=self.mechanism,
            username=principal,
            password=self.password(principal),
        )

    def properties(self):
        return super().properties() | {
            "sasl.enabled.mechanisms": f"SCRAM-SHA-512,{self.mechanism}",
            JAAS.format(self.mechanism.lower()): self.jaas(),
        }

    def jaas(self):
        return f"{SECURITY}.scram.ScramLoginModule required;"

    def format_arguments(self):
        given = super().format_arguments()
        return given + [
            argument.replace("SCRAM-SHA-512", "SCRAM-SHA-256")
            for argument in given
            if self.mechanism == "SCRAM-SHA-256"
        ]


class Plain(ScramOf256):
    """Principals have a second way in, PLAIN; the brokers know the passwords themselves."""

    mechanism = "PLAIN"

    def jaas(self):
        users = (f'user_{name}="{self.password(name)}"' for name in self.principals)
        return f"{SECURITY}.plain.PlainLoginModule required {' '.join(users)};"


class ClientCertificates(Credentials):
    """Principals show a certificate, whose name is the principal's."""

    protocol = "SSL"

    def make(self):
        super().make()
        issuer = serialization.load_pem_private_key(self.keystore.read_bytes(), None)
        ca = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        for principal in self.principals:
            if not self.certificate(principal).exists():
                write_certificate(self.certificate(principal), principal, ca.subject, issuer)

    def certificate(self, principal):
        return self.folder / f"{principal}.pem"

    def logon(self, principal):
        path = str(self.certificate(principal))
        return Logon("SSL", str(self.ca_file), cert_file=path, key_file=path)

    def settings(self, principal):
        return {
            "REFUSION_KAFKA_SECURITY_PROTOCOL": "SSL",
            "REFUSION_KAFKA_CA_FILE": str(self.ca_file),
            "REFUSION_KAFKA_CERT_FILE": str(self.certificate(principal)),
            "REFUSION_KAFKA_KEY_FILE": str(self.certificate(principal)),
        }

    def properties(self):
        given = {
            name: text for name, text in super().properties().items() if "sasl" not in name.lower()
        }
        return given | {
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,SSL:SSL",
            "security.inter.broker.protocol": "SSL",
            "ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/,DEFAULT",
            "super.users": f"User:{ADMIN};User:ANONYMOUS;User:a local Kafka",
        }

    def format_arguments(self):
        return []


def write_certificate(path, principal, issuer_name, issuer):
    """Write a key and a certificate for it, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, principal)]))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(issuer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_ours(path, private + certificate.public_bytes(pem))


class Tokens(ScramOf256):
    """Principals show a token of `TokenServer`, which the brokers check by its public key."""

    mechanism = "OAUTHBEARER"
    server: "TokenServer"
    """The server of tokens; a test sets it."""

    def settings(self, principal):
        return {
            "REFUSION_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "REFUSION_KAFKA_CA_FILE": str(self.ca_file),
            "REFUSION_KAFKA_SASL_MECHANISM": self.mechanism,
            "REFUSION_KAFKA_OAUTH_TOKEN_URL": self.server.url,
            "REFUSION_KAFKA_OAUTH_CLIENT_ID": principal,
            "REFUSION_KAFKA_OAUTH_CLIENT_SECRET_FILE": str(self.password_file(principal)),
        }

    def make(self):
        super().make()
        self.server.secrets = {name: self.password(name) for name in self.principals}

    def logon(self, principal):
        if principal == ADMIN:
            return Credentials.logon(self, principal)
        return Logon(
            "SASL_SSL",
            str(self.ca_file),
            mechanism=self.mechanism,
            oauth=OauthClient(self.server.url, principal, self.password(principal)),
        )

    def jaas(self):
        return f"{SECURITY}.oauthbearer.OAuthBearerLoginModule required;"

    def properties(self):
        prefix = "listener.name.sasl_ssl.oauthbearer"
        return super().properties() | {
            f"{prefix}.sasl.server.callback.handler.class": (
                f"{SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            f"{prefix}.sasl.oauthbearer.jwks.endpoint.url": self.server.keys_url,
            f"{prefix}.sasl.oauthbearer.expected.audience": self.server.audience,
        }


class TokenServer:
    """Gives tokens to clients with a secret, which are good for a few seconds."""

    audience = "a local Kafka"

    def __init__(self, keys_file, good_for_s):
        self.secrets = {}
        self.given = 0
        self._good_for_s = good_for_s
        self._key = rsa.generate_private_key(65537, 2048)
        keys_file.write_text(json.dumps({"keys": [self._public_key()]}))
        self.keys_url = keys_file.as_uri()

    def _public_key(self):
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "kid": "1",
            "alg": "RS256",
            "use": "sig",
            "n": _base64(numbers.n.to_bytes(256, "big")),
            "e": _base64(numbers.e.to_bytes(3, "big")),
        }

    @contextmanager
    def running(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}/token"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, authorization):
        """The HTTP status and the answer for a client."""
        name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if self.secrets.get(name) != secret:
            return 401, {}
        self.given += 1
        return 200, {"access_token": self._token(name), "expires_in": self._good_for_s}

    def _token(self, name):
        now = int(time.time())
        parts = [
            {"alg": "RS256", "kid": "1"},
            {
                "sub": name,
                "aud": self.audience,
                "scope": "kafka",
                "iat": now,
                "exp": now + self._good_for_s,
            },
        ]
        signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def _handler(self):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805 - the library's name; the server is `self`
                status, answer = self.answer(handler.headers["Authorization"])
                handler.send_response(status)
                handler.end_headers()
                handler.wfile.write(json.dumps(answer).encode())

            def log_message(handler, *_arguments):  # noqa: N805 - as above
                pass

        return Handler


def _base64(content):
    return urlsafe_b64encode(content).rstrip(b"=").decode()
