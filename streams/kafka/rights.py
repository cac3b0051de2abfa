"""The rights that each role needs at the brokers, and no more: access control lists of Kafka.

Source: contract section 11. A role is what one principal does; an installation may give several
roles to one principal. The rights to `receipts` are in the table whether receipts are told or not,
so that rights are given once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from shlex import quote
from typing import Any, Final, NamedTuple, Protocol

from aiokafka.errors import NoError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from streams.kafka.clients import KafkaClients, send_to_any
from streams.kafka.topics import (
    ACCESS,
    CITIZENS,
    DEAD_LETTERS,
    INTAKE,
    NOTICES,
    POSTINGS,
    RAW,
    RECEIPTS,
    REPORTS,
    Topic,
    TopicError,
)

STAGES: Final = (INTAKE, "citizens", "projections")
KEYS: Final = "keys"
CONTROL_WRITERS: Final = ("run", "replay", "free-id", KEYS)
"""The endings of the transactional ids with which control records are written. Intake states the
keys at the beginning of a journal."""
JOURNAL_WRITER: Final = "rekey"
"""The ending of the transactional id with which a journal is written anew under its prefix."""
SEE: Final = ("Describe", "DescribeConfigs")


class Resource(IntEnum):
    """Kinds of resources, by their numbers in Kafka's protocol."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """Ways in which a right names its resource, by their numbers in Kafka's protocol."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Operations that a right allows, by their numbers in Kafka's protocol."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10


_WORDS: Final = {
    "Read": Operation.READ,
    "Write": Operation.WRITE,
    "Create": Operation.CREATE,
    "Describe": Operation.DESCRIBE,
    "ClusterAction": Operation.CLUSTER_ACTION,
    "DescribeConfigs": Operation.DESCRIBE_CONFIGS,
}
_OPTIONS: Final = {
    Resource.TOPIC: "--topic",
    Resource.GROUP: "--group",
    Resource.TRANSACTIONAL_ID: "--transactional-id",
}
_RESOURCES: Final = {
    Resource.TOPIC: "Topic",
    Resource.GROUP: "Group",
    Resource.CLUSTER: "Cluster",
    Resource.TRANSACTIONAL_ID: "TransactionalId",
}


class TopicNames(Protocol):
    """The names of an installation, as its settings give them."""

    @property
    def prefix(self) -> str:
        """The beginning of the names of all topics."""

    @property
    def journal_prefix(self) -> str:
        """The beginning of the names of the journal and of what is taken into it."""

    def topic(self, topic: Topic) -> str:
        """The full name of a topic."""

    def group(self, stage: str) -> str:
        """The consumer group of a stage."""


class Right(NamedTuple):
    """Operations that a role may do on a resource."""

    kind: Resource
    name: str
    operations: tuple[str, ...]
    pattern: Pattern = Pattern.LITERAL

    def as_json(self) -> dict[str, Any]:
        """Return it in the words of Kafka."""
        return {
            "resource": _RESOURCES[self.kind],
            "name": self.name,
            "pattern": self.pattern.name.lower(),
            "operations": list(self.operations),
        }

    def sentence(self) -> str:
        """Say it to people."""
        name = self.name + ("*" if self.pattern is Pattern.PREFIXED else "")
        return f"{_RESOURCES[self.kind]:16} {name:32} {', '.join(self.operations)}"

    def command(self, bootstrap: str, principal: str) -> str:
        """Return the command line of Kafka's own tool that gives the right."""
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "FILE"]
        words += ["--add", "--allow-principal", principal]
        for operation in self.operations:
            words += ["--operation", operation]
        words += (
            ["--cluster"] if self.kind is Resource.CLUSTER else [_OPTIONS[self.kind], self.name]
        )
        if self.pattern is Pattern.PREFIXED:
            words += ["--resource-pattern-type", "prefixed"]
        return " ".join(map(quote, words))


# --- the roles ------------------------------------------------------------------------------------


def _upstream(names: TopicNames) -> Iterator[Right]:
    yield Right(Resource.TOPIC, names.topic(RAW), ("Describe", "Write"))


def _intake(names: TopicNames) -> Iterator[Right]:
    yield Right(Resource.TOPIC, names.topic(RAW), (*SEE, "Read"))
    yield Right(Resource.TOPIC, f"{names.topic(RAW)}.", (*SEE, "Read"), Pattern.PREFIXED)
    yield Right(Resource.TOPIC, names.topic(REPORTS), (*SEE, "Read", "Write"))
    yield Right(Resource.TOPIC, names.topic(DEAD_LETTERS), (*SEE, "Write"))
    yield Right(Resource.GROUP, names.group(INTAKE), ("Read",))
    yield Right(Resource.GROUP, f"{names.group(INTAKE)}.", ("Read",), Pattern.PREFIXED)
    yield _control_writer(names, KEYS)


def _citizens(names: TopicNames) -> Iterator[Right]:
    # What is reported for a number that was merged with another goes on in the journal.
    yield Right(Resource.TOPIC, names.topic(REPORTS), (*SEE, "Read", "Write"))
    yield Right(Resource.TOPIC, names.topic(CITIZENS), (*SEE, "Read", "Write"))
    for topic in (POSTINGS, NOTICES, DEAD_LETTERS):
        yield Right(Resource.TOPIC, names.topic(topic), (*SEE, "Write"))
    group = names.group("citizens")
    yield Right(Resource.GROUP, group, ("Read",))
    yield Right(Resource.TRANSACTIONAL_ID, f"{group}-", ("Describe", "Write"), Pattern.PREFIXED)


def _projections(names: TopicNames) -> Iterator[Right]:
    for topic in (POSTINGS, REPORTS, DEAD_LETTERS, NOTICES, ACCESS):
        yield Right(Resource.TOPIC, names.topic(topic), (*SEE, "Read"))
    yield Right(Resource.TOPIC, names.topic(RECEIPTS), (*SEE, "Write"))
    yield Right(Resource.GROUP, names.group("projections"), ("Read",))
    told = f"{names.group(RECEIPTS.name)}."
    yield Right(Resource.GROUP, told, ("Read",), Pattern.PREFIXED)
    yield Right(Resource.TRANSACTIONAL_ID, told, ("Describe", "Write"), Pattern.PREFIXED)


def _operator(names: TopicNames) -> Iterator[Right]:
    for prefix in sorted({names.prefix, names.journal_prefix}):
        yield Right(Resource.TOPIC, prefix, (*SEE, "Create"), Pattern.PREFIXED)
    yield from _reads(names)
    for topic in (names.topic(RAW), names.topic(REPORTS), names.topic(NOTICES)):
        yield Right(Resource.TOPIC, topic, ("Write",))
    yield Right(Resource.TOPIC, f"{names.topic(RAW)}.", ("Read", "Write"), Pattern.PREFIXED)
    yield Right(Resource.TOPIC, names.topic(ACCESS), ("Write",))
    for writer in (*CONTROL_WRITERS, JOURNAL_WRITER):
        yield _control_writer(names, writer)


def _backup(names: TopicNames) -> Iterator[Right]:
    """Whoever takes backups reads what cannot be made again, and records that it does."""
    for topic in (REPORTS, POSTINGS, ACCESS):
        yield Right(Resource.TOPIC, names.topic(topic), (*SEE, "Read"))
    yield Right(Resource.TOPIC, names.topic(ACCESS), ("Write",))


def _repairer(names: TopicNames) -> Iterator[Right]:
    """An operator who ends hanging transactions; the right to do that is nearly a broker's."""
    for prefix in sorted({names.prefix, names.journal_prefix}):
        yield Right(Resource.TOPIC, prefix, (*SEE, "Read"), Pattern.PREFIXED)
        yield Right(Resource.TRANSACTIONAL_ID, prefix, ("Describe",), Pattern.PREFIXED)
    yield Right(Resource.TOPIC, names.topic(ACCESS), ("Write",))
    yield Right(Resource.CLUSTER, "kafka-cluster", ("ClusterAction",))


def _auditor(names: TopicNames) -> Iterator[Right]:
    for prefix in sorted({names.prefix, names.journal_prefix}):
        yield Right(Resource.TOPIC, prefix, SEE, Pattern.PREFIXED)
    yield from _reads(names)
    yield Right(Resource.TOPIC, names.topic(CITIZENS), ("Read",))
    yield Right(Resource.TOPIC, f"{names.topic(RAW)}.", ("Read",), Pattern.PREFIXED)
    yield Right(Resource.TOPIC, names.topic(ACCESS), ("Write",))


def _site(names: TopicNames) -> Iterator[Right]:
    for prefix in sorted({names.prefix, names.journal_prefix}):
        yield Right(Resource.TOPIC, prefix, SEE, Pattern.PREFIXED)
    yield from _reads(names, without=RAW)
    yield Right(Resource.TOPIC, names.topic(ACCESS), ("Write",))


def _consumer(names: TopicNames) -> Iterator[Right]:
    yield Right(Resource.TOPIC, names.topic(POSTINGS), ("Describe", "Read"))
    yield Right(Resource.GROUP, f"{names.prefix}consumer", ("Read",), Pattern.PREFIXED)


def _control_writer(names: TopicNames, writer: str) -> Right:
    prefix = names.journal_prefix if writer == KEYS else names.prefix
    return Right(Resource.TRANSACTIONAL_ID, prefix + writer, ("Describe", "Write"))


def _reads(names: TopicNames, without: Topic | None = None) -> Iterator[Right]:
    """Reading what people are shown, and how far the stages are."""
    for topic in (RAW, REPORTS, POSTINGS, NOTICES, DEAD_LETTERS, ACCESS):
        if topic is not without:
            yield Right(Resource.TOPIC, names.topic(topic), ("Read",))
    yield Right(Resource.TOPIC, names.topic(RECEIPTS), ("Read",))
    for stage in STAGES:
        yield Right(Resource.GROUP, names.group(stage), ("Describe",))
    yield Right(Resource.GROUP, f"{names.group(INTAKE)}.", ("Describe",), Pattern.PREFIXED)


ROLES: Final[dict[str, Callable[[TopicNames], Iterator[Right]]]] = {
    "upstream": _upstream,
    "intake": _intake,
    "citizens": _citizens,
    "projections": _projections,
    "operator": _operator,
    "backup": _backup,
    "repairer": _repairer,
    "auditor": _auditor,
    "site": _site,
    "consumer": _consumer,
}
"""The roles. `upstream` publishes reports; one with a source of its own in the register of
reporters has the same rights on `reports.raw.<source>` alone. `consumer` reads the postings.
`repairer` is for the length of a repair (`refusion repair transactions`), which no operator needs
otherwise."""


def rights_of(role: str, names: TopicNames, source: str | None = None) -> list[Right]:
    """Return the rights of a role, of an upstream system with a source on its own topic alone."""
    rights = list(ROLES[role](names))
    if role == "upstream" and source is not None:
        return [right._replace(name=f"{right.name}.{source}") for right in rights]
    return rights


# --- at the brokers -------------------------------------------------------------------------------

ALLOW: Final = 3
"""The kind of permission, by its number in Kafka's protocol."""


class _CreateAcls(CreateAclsRequest):  # type: ignore[misc]  # aiokafka has no types
    """A request with all the rights of a principal; aiokafka's own has one."""

    def __init__(self, principal: str, rights: Iterable[Right]) -> None:
        self._creations = [
            (right.kind, right.name, right.pattern, principal, "*", _WORDS[operation], ALLOW)
            for right in rights
            for operation in right.operations
        ]

    def build(self, request_struct_class: Any) -> Any:
        """Lay the request out; brokers that know no patterns are too old for it."""
        return request_struct_class(self._creations)


async def give_rights(clients: KafkaClients, rights: Mapping[str, Sequence[Right]]) -> None:
    """Give each principal its rights; for a local Kafka, where this client is a super user."""
    async with clients.admin() as admin:
        for principal, theirs in rights.items():
            request = _CreateAcls(principal, theirs)
            response = await send_to_any(admin._client, request)  # noqa: SLF001
            for code, reason, *_ in response.creation_responses:
                if for_code(code) is not NoError:
                    raise TopicError(f"{principal} cannot be given its rights: {reason}")
