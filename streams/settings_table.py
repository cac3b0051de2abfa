"""The table of settings: their names in the environment, defaults and meanings."""

from streams.kafka import security
from streams.kit import web_settings
from streams.kit.setting import Setting

BOOTSTRAP = Setting("REFUSION_BOOTSTRAP", None, "Kafka brokers, host:port, separated by commas")
PREFIX = Setting("REFUSION_PREFIX", "refusion.", "what the names of all topics begin with")
JOURNAL_PREFIX = Setting(
    "REFUSION_JOURNAL_PREFIX",
    None,
    "what the names of reports.raw and reports begin with, where all else is made anew from them"
    " under another prefix",
)
PARTITIONS = Setting(
    "REFUSION_PARTITIONS", "12", "partitions of the citizen-keyed topics, fixed at creation"
)
REPLICAS = Setting(
    "REFUSION_REPLICAS",
    "3",
    "how many brokers have each record of the topics that are made; in demo mode 1",
)
STATE_DIR = Setting(
    "REFUSION_STATE_DIR", "refusion-state", "where each worker process takes a folder of its own"
)
OPERATIONS_DIR = Setting(
    "REFUSION_OPERATIONS_DIR",
    None,
    "where operators' commands keep receipts, last outcomes and differences, the same for them and"
    " the site; not set: the state folder",
)
LEDGER = Setting(
    "REFUSION_LEDGER",
    None,
    "the ledger's folder or its address in an object store, the same for all; not set: `ledger`"
    " below the state folder",
)
LIS = Setting(
    "REFUSION_LIS",
    None,
    "the folder of the marts of LIS, which are made from the ledger; not set: `lis` beside it",
)
INHABITANTS = Setting(
    "REFUSION_INHABITANTS",
    None,
    "a table municipality;year;inhabitants_16_66;region, by which views compare; not set: those"
    " columns are left out",
)
BUDGETS = Setting(
    "REFUSION_BUDGETS",
    None,
    "a table municipality;month;finansieringsbeloeb, in kroner, that LIS holds what was settled"
    " against; not set: those columns are left out",
)
PRICES = Setting(
    "REFUSION_PRICES",
    None,
    "a table valid_from;valid_to;unit;kroner_a_year;reference, by which `refusion invoices` makes"
    " the basis of invoices",
)
RULES = Setting(
    "REFUSION_RULES",
    None,
    "a folder of rule set files, NAME.yaml each, that are known beside those of the program; the"
    " same for all workers",
)
REPORTERS = Setting(
    "REFUSION_REPORTERS",
    None,
    "the register of reporters, a YAML file: who may report, from which source, and which benefits;"
    " not set: reporters are not checked",
)
EXPECTED = Setting(
    "REFUSION_EXPECTED",
    None,
    "a file of expected payments (`refusion convert ydelsesindeks`) that `refusion run` holds"
    " against what was received; not set: nothing is held",
)
RECEIPTS = Setting(
    "REFUSION_RECEIPTS",
    "0",
    "1: `refusion worker projections` tells reporters in the topic receipts what became of their"
    " reports",
)
SFTP_KNOWN_HOSTS = Setting(
    "REFUSION_SFTP_KNOWN_HOSTS",
    "~/.ssh/known_hosts",
    "the host keys of the servers that files are delivered to",
)
SFTP_KEY = Setting(
    "REFUSION_SFTP_KEY",
    None,
    "file with the private key for deliveries; not set: the SSH agent's keys",
)
DESTINATIONS = Setting(
    "REFUSION_DESTINATIONS",
    None,
    "the file of addresses and host keys that files are delivered to, as two persons have confirmed"
    " it; not set: `deliver` needs --to",
)
PSEUDONYM_KEY = Setting(
    "REFUSION_PSEUDONYM_KEY",
    None,
    "64 hex digits; names the citizens; `refusion rekey` exchanges it",
    secret=True,
)
SEAL_KEY = Setting(
    "REFUSION_SEAL_KEY",
    None,
    "64 hex digits, or several separated by commas: the first seals, all unseal",
    secret=True,
)
JOURNAL_KEY = Setting(
    "REFUSION_JOURNAL_KEY",
    None,
    "64 hex digits, or several separated by commas: the first marks what we write, all are"
    " believed; not set: derived from the master key, or from the pseudonym key",
    secret=True,
)
MASTER_KEY = Setting(
    "REFUSION_MASTER_KEY",
    None,
    "64 hex digits, from which those of the other three keys are derived that are not set",
    secret=True,
)
DEMO_ANYWHERE = Setting(
    "REFUSION_DEMO_ANYWHERE",
    "0",
    "1: the demo keys, which everybody knows, are taken for any broker and any CPR number",
)
METRICS_PORT = Setting(
    "REFUSION_METRICS_PORT",
    None,
    "a worker process serves /metrics, /healthz and /readyz on this port plus the number of its"
    " state folder",
)
METRICS_HOST = Setting(
    "REFUSION_METRICS_HOST", "127.0.0.1", "the address that metrics are served on"
)
DEMO = Setting(
    "REFUSION_DEMO",
    "0",
    "1: fictive CPR numbers are accepted and fixed keys are used where none are given",
)
REPLACEMENT_NUMBERS = Setting(
    "REFUSION_REPLACEMENT_NUMBERS",
    "0",
    "1: replacement numbers (erstatningspersonnumre, 60 added to the day) are accepted outside demo"
    " mode too, as any CPR number is",
)
FOUR_EYES = Setting(
    "REFUSION_FOUR_EYES",
    "1",
    "1: rule sets, `replay --apply`, `run close --accept`, `opening load`, `dead-letters retry"
    " --unchanged`, `free-id`, `merge`, `rekey`, `keys state --apply` and `destinations --confirm`"
    " wait for another person's approval; 0 in demo mode unless set",
)
PERSONS = Setting(
    "REFUSION_PERSONS",
    None,
    "file that says which users of the operating system and which OIDC subjects are which person;"
    " who is not in it may not approve",
)

TABLE = (
    BOOTSTRAP,
    *security.SETTINGS,
    PREFIX,
    JOURNAL_PREFIX,
    PARTITIONS,
    REPLICAS,
    STATE_DIR,
    OPERATIONS_DIR,
    LEDGER,
    LIS,
    INHABITANTS,
    BUDGETS,
    PRICES,
    RULES,
    REPORTERS,
    EXPECTED,
    RECEIPTS,
    SFTP_KNOWN_HOSTS,
    SFTP_KEY,
    DESTINATIONS,
    PSEUDONYM_KEY,
    SEAL_KEY,
    JOURNAL_KEY,
    MASTER_KEY,
    DEMO,
    DEMO_ANYWHERE,
    REPLACEMENT_NUMBERS,
    FOUR_EYES,
    PERSONS,
    METRICS_PORT,
    METRICS_HOST,
    *web_settings.SETTINGS,
)
