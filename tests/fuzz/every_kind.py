"""Every kind of bad input by its name, made when it is asked for."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from tests.fuzz.journal import JournalRecords
from tests.fuzz.kinds import Kind
from tests.fuzz.ledger import LedgerFiles
from tests.fuzz.records import ControlRecords, RawRecords
from tests.fuzz.rule_files import RuleFiles
from tests.fuzz.state import StateEntries
from tests.fuzz.tables import OpeningFiles
from tests.fuzz.yaml_files import DestinationFiles, PersonFiles, Registers

_KINDS: Final[Mapping[str, Callable[[], Kind]]] = {
    "raw": RawRecords,
    "control": ControlRecords,
    "journal": JournalRecords,
    "state": StateEntries,
    "ledger": LedgerFiles,
    "rules": RuleFiles,
    "opening": OpeningFiles,
    "register": Registers,
    "persons": PersonFiles,
    "destinations": DestinationFiles,
}
NAMES: Final = tuple(_KINDS)


@cache
def kind_named(name: str) -> Kind:
    """Make a kind; the same one for the same name."""
    return _KINDS[name]()
