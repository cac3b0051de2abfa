"""Settings: one table of everything that can be set in the environment, with default and meaning.

Source: contract sections 6 and 11. The keys are demanded only by what needs them
(`Settings.identity`), so that `refusion settings` works without.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from streams import settings_table
from streams.kafka import security
from streams.kit.secrets import FILE, given_in, own_environment, secret_in
from streams.kit.setting import Origin, Setting, SettingsError, ShownSetting
from streams.kit.setting_forms import NUMBER, PORT, SWITCH, TOPIC_PREFIX, Form, hex_key, hex_keys
from streams.kit.web_settings import FORMS as WEB_FORMS
from streams.kit.web_settings import WebSettings, web_settings
from streams.privacy.archive_keys import ArchiveKeys
from streams.privacy.derived_keys import Purpose, derived_key
from streams.privacy.identity import KEY_BYTES, Identity, archive_keys
from streams.privacy.macs import MacKeys
from streams.settings_table import (
    BOOTSTRAP,
    DEMO,
    DEMO_ANYWHERE,
    FOUR_EYES,
    JOURNAL_KEY,
    LEDGER,
    MASTER_KEY,
    PARTITIONS,
    PREFIX,
    PSEUDONYM_KEY,
    REPLACEMENT_NUMBERS,
    REPLICAS,
    RULES,
    SEAL_KEY,
    SFTP_KEY,
    SFTP_KNOWN_HOSTS,
    STATE_DIR,
    TABLE,
)

if TYPE_CHECKING:
    from streams.kafka.topics import Topic

__all__ = [
    "BOOTSTRAP", "DEMO", "LEDGER", "MASK", "PARTITIONS", "PREFIX", "PSEUDONYM_KEY", "RULES",
    "SEAL_KEY", "SFTP_KEY", "SFTP_KNOWN_HOSTS", "STATE_DIR", "TABLE", "Settings", "SettingsError",
]  # fmt: skip

OF_THE_JOURNAL = ("reports.raw", "reports")
"""The topics that a rebuild shares with the running system."""
OF_A_SOURCE = "reports.raw."
"""The beginning of the names of the sources' own raw topics, which are shared too."""

MASK = "********"

_DEMO_KEYS = {
    setting.name: sha256(f"ydelsesrefusion demo {setting.name}".encode()).hexdigest()
    for setting in (PSEUDONYM_KEY, SEAL_KEY)
}
"""Keys that everybody knows, hence good for fictive persons only."""
_FORMS: dict[str, Form] = {
    **dict.fromkeys((PREFIX.name, settings_table.JOURNAL_PREFIX.name), TOPIC_PREFIX),
    **dict.fromkeys((PARTITIONS.name, REPLICAS.name), NUMBER),
    **dict.fromkeys((DEMO.name, DEMO_ANYWHERE.name, REPLACEMENT_NUMBERS.name), SWITCH),
    **dict.fromkeys((FOUR_EYES.name, settings_table.RECEIPTS.name), SWITCH),
    **dict.fromkeys((PSEUDONYM_KEY.name, MASTER_KEY.name), hex_key(KEY_BYTES)),
    **dict.fromkeys((SEAL_KEY.name, JOURNAL_KEY.name), hex_keys(KEY_BYTES)),
    settings_table.METRICS_PORT.name: PORT,
    **security.FORMS,
    **WEB_FORMS,
}
"""The form of each setting that must have one."""
_PURPOSES: dict[str, Purpose] = {
    PSEUDONYM_KEY.name: "pseudonym",
    SEAL_KEY.name: "seal",
    JOURNAL_KEY.name: "journal",
}
"""The keys that are derived from the master key where they are not set."""


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """The settings of this process, checked."""

    values: Mapping[str, tuple[str | None, Origin]]

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """The settings of an environment, this process's own if none is given.

        SettingsError names every one that is wrong.
        """
        environ = own_environment() if environ is None else environ
        demo = _value(DEMO, environ, demo=False)[0] == "1"
        settings = cls({setting.name: _value(setting, environ, demo) for setting in TABLE})
        found = (_problem(setting, settings._text(setting)) for setting in TABLE)
        if problems := [*filter(None, found)]:
            raise SettingsError("; ".join(problems))
        return settings

    def __repr__(self) -> str:
        shown = (f"{row['name']}={row['value']}" for row in self.describe())
        return f"Settings({', '.join(shown)})"

    def describe(self) -> list[ShownSetting]:
        """Every setting with value, source and meaning; secrets masked."""
        texts = ((setting, self._text(setting)) for setting in TABLE)
        return [
            ShownSetting(
                name=setting.name,
                value=MASK if setting.secret and text is not None else text,
                source=self.values[setting.name][1],
                meaning=setting.meaning,
            )
            for setting, text in texts
        ]

    @property
    def bootstrap(self) -> security.BrokerAddress:
        """The brokers and how clients log on; SettingsError where none are set, or none safely."""
        brokers = self._text(BOOTSTRAP)
        if brokers is None:
            raise SettingsError(
                f"{BOOTSTRAP.name} is not set; set it to your brokers, or start one with"
                " `make kafka`"
            )
        logon = security.logon_of(self._text, brokers, demo=self.demo)
        return security.BrokerAddress(brokers, logon)

    @property
    def has_brokers(self) -> bool:
        """True if brokers are set."""
        return self._text(BOOTSTRAP) is not None

    @property
    def prefix(self) -> str:
        """The beginning of the names of all topics."""
        return self._text(PREFIX) or ""

    @property
    def journal_prefix(self) -> str:
        """The beginning of the names of the journal and of the topic that is taken into it."""
        return self._text(settings_table.JOURNAL_PREFIX) or self.prefix

    def topic(self, topic: "Topic") -> str:
        """The full name of a topic."""
        is_of_the_journal = topic.name in OF_THE_JOURNAL or topic.name.startswith(OF_A_SOURCE)
        return (self.journal_prefix if is_of_the_journal else self.prefix) + topic.name

    def group(self, stage: str) -> str:
        """The consumer group of a stage: intake is the journal's own, whoever reads that."""
        is_intake = stage.partition(".")[0] == "intake"
        return (self.journal_prefix if is_intake else self.prefix) + stage

    @property
    def partitions(self) -> int:
        """The number of partitions of the citizen-keyed topics."""
        return int(self._text(PARTITIONS) or 0)

    @property
    def replicas(self) -> int:
        """The number of brokers that have each record of the topics that are made."""
        return int(self._text(REPLICAS) or 0)

    @property
    def state_dir(self) -> Path:
        """The folder above those of the worker processes."""
        return Path(self._text(STATE_DIR) or ".")

    @property
    def operations_dir(self) -> Path:
        """The folder where operators' commands keep receipts, last outcomes and differences."""
        return Path(self._text(settings_table.OPERATIONS_DIR) or self.state_dir)

    @property
    def ledger(self) -> str:
        """The place of the ledger: a folder, or an address in an object store."""
        return self._text(LEDGER) or str(self.state_dir / "ledger")

    @property
    def lis(self) -> str:
        """The folder of the marts of LIS."""
        folder, slash, _ = self.ledger.rstrip("/").rpartition("/")
        return self._text(settings_table.LIS) or f"{folder}{slash}lis"

    @property
    def rules(self) -> Path | None:
        """The folder of further rule set files, if any. Raises SettingsError if it is not there."""
        return self._file(RULES, "folder")

    @property
    def inhabitants(self) -> Path | None:
        """The file of inhabitants by municipality. Raises SettingsError if it is not there."""
        return self._file(settings_table.INHABITANTS)

    @property
    def budgets(self) -> Path | None:
        """The file of the municipalities' budgets. Raises SettingsError if it is not there."""
        return self._file(settings_table.BUDGETS)

    @property
    def prices(self) -> Path | None:
        """The file of prices for invoices. Raises SettingsError if it is not there."""
        return self._file(settings_table.PRICES)

    @property
    def reporters(self) -> Path | None:
        """The file of the register of reporters. Raises SettingsError if it is not there."""
        return self._file(settings_table.REPORTERS)

    @property
    def expected(self) -> Path | None:
        """The file of expected payments. Raises SettingsError if it is not there."""
        return self._file(settings_table.EXPECTED)

    @property
    def receipts(self) -> bool:
        """True if reporters get receipts."""
        return self._text(settings_table.RECEIPTS) == "1"

    def _file(self, setting: Setting, kind: str = "file") -> Path | None:
        text = self._text(setting)
        is_there = Path.is_dir if kind == "folder" else Path.is_file
        if text is not None and not is_there(Path(text)):
            raise SettingsError(f"{setting.name} is {text}, which is no {kind}")
        return None if text is None else Path(text)

    @property
    def metrics_port(self) -> int | None:
        """The first port that metrics are served on; None: none are."""
        return int(text) if (text := self._text(settings_table.METRICS_PORT)) else None

    @property
    def metrics_host(self) -> str:
        """The address that metrics are served on."""
        return self._text(settings_table.METRICS_HOST) or ""

    @property
    def sftp_known_hosts(self) -> Path:
        """The file of known host keys; SettingsError where there is none."""
        path = _path(self._text(SFTP_KNOWN_HOSTS) or "")
        if not path.is_file():
            raise SettingsError(
                f"there is no file {path} with host keys; set {SFTP_KNOWN_HOSTS.name} to one"
            )
        return path

    @property
    def sftp_key(self) -> Path | None:
        """The file of the private key for deliveries; SettingsError where it is not there."""
        path = _path(self._text(SFTP_KEY) or "") if self._text(SFTP_KEY) else None
        if path is not None and not path.is_file():
            raise SettingsError(f"there is no file {path}, to which {SFTP_KEY.name} is set")
        return path

    @property
    def destinations(self) -> Path | None:
        """The file of destinations; None where none is set."""
        return Path(text) if (text := self._text(settings_table.DESTINATIONS)) else None

    @property
    def demo(self) -> bool:
        """True if fictive CPR numbers are accepted."""
        return self._text(DEMO) == "1"

    @property
    def accepts_sixty(self) -> bool:
        """True if CPR numbers with 60 added to the day are accepted, fictive or replacements."""
        return self.demo or self._text(REPLACEMENT_NUMBERS) == "1"

    @property
    def four_eyes(self) -> bool:
        """True if the acts of contract section 11 need another person's approval."""
        return self._text(FOUR_EYES) == "1"

    @property
    def persons(self) -> Path | None:
        """The file of persons; None where none is set, and nobody may approve."""
        return Path(text) if (text := self._text(settings_table.PERSONS)) else None

    @property
    def web(self) -> WebSettings:
        """The settings of the site. Raises SettingsError where some are missing."""
        return web_settings(self._text)

    @property
    def has_keys(self) -> bool:
        """True if there are keys that name and seal."""
        return bool(self._key(PSEUDONYM_KEY) and self._key(SEAL_KEY))

    def identity(self) -> Identity:
        """Pseudonyms and seals with the keys that are set; SettingsError where one is missing."""
        names, seals = (_keys(self._demanded(key)) for key in (PSEUDONYM_KEY, SEAL_KEY))
        return Identity(names[0], seals, _keys(self._key(JOURNAL_KEY)))

    def archive_keys(self) -> ArchiveKeys:
        """The keys of backups, by the seal keys alone; SettingsError where none is set."""
        return archive_keys(_keys(self._demanded(SEAL_KEY)))

    def archive_keys_if_set(self) -> ArchiveKeys | None:
        """The same; None where no seal key is set: no signature can be checked."""
        return self.archive_keys() if self._key(SEAL_KEY) else None

    def macs(self) -> MacKeys:
        """The keys that mark what we write; SettingsError where neither they nor others are set."""
        if macs := self.macs_if_set():
            return macs
        raise SettingsError(
            f"{JOURNAL_KEY.name} is not set; set it to the key that marks this journal, or set"
            f" {PSEUDONYM_KEY.name}, from which it follows where it was never set"
        )

    def macs_if_set(self) -> MacKeys | None:
        """The same; None where no key is set, as on a monitor's machine: nothing is checked."""
        if text := self._key(JOURNAL_KEY):
            return MacKeys(_keys(text))
        names = _keys(self._key(PSEUDONYM_KEY))
        return MacKeys([derived_key(names[0], "journal")]) if names else None

    @property
    def has_demo_keys(self) -> bool:
        """True if a key that names, seals or marks is one that everybody knows."""
        return any(
            key in _DEMO_KEYS.values()
            for setting in (*_PURPOSES, MASTER_KEY.name)
            for key in (self.values[setting][0] or "").lower().split(",")
        )

    @property
    def demo_anywhere(self) -> bool:
        """True if demo keys are taken for any broker and any CPR number."""
        return self._text(DEMO_ANYWHERE) == "1"

    @property
    def only_fictive(self) -> bool:
        """True if demo keys are used, and must name and seal fictive persons alone."""
        return self.has_demo_keys and not self.demo_anywhere

    def _text(self, setting: Setting) -> str | None:
        return self.values[setting.name][0]

    def _key(self, setting: Setting) -> str:
        """The text of a key: as it is set, else derived from the master key; "" without both."""
        if text := self._text(setting):
            return text
        master = self._text(MASTER_KEY)
        return derived_key(_keys(master)[0], _PURPOSES[setting.name]).hex() if master else ""

    def _demanded(self, setting: Setting) -> str:
        text = self._key(setting)
        if not text:
            raise SettingsError(
                f"{setting.name} is not set; make a key with `openssl rand -hex 32`, keep it"
                f" safe and set it (with {DEMO.name}=1 a fixed key for fictive persons is used)"
            )
        return text


def _value(setting: Setting, environ: Mapping[str, str], demo: bool) -> tuple[str | None, Origin]:
    """A setting's text and where it comes from. Set to nothing counts as not set."""
    text, file = given_in(environ, setting)
    if setting.secret and file:
        if text:
            raise SettingsError(
                f"{setting.name} and {setting.name}{FILE} are set both; take one of them away"
            )
        return secret_in(Path(file), setting.name + FILE), "file"
    if text:
        return text, "environment"
    if demo and setting.name in _DEMO_KEYS and not any(given_in(environ, MASTER_KEY)):
        return _DEMO_KEYS[setting.name], "demo"
    if demo and setting is REPLICAS:
        return "1", "demo"
    if demo and setting is FOUR_EYES:
        return "0", "demo"
    return setting.default, "not set" if setting.default is None else "default"


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - as it is where there is no home


def _problem(setting: Setting, text: str | None) -> str | None:
    """Say what is wrong with a setting's text and what to do, never with a secret; None if fine."""
    if text is None:
        return None
    form = _FORMS.get(setting.name)
    return None if form is None or form.fits(text) else f"{setting.name} must be {form.words}"


def _keys(text: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(key) for key in text.split(",") if key)
