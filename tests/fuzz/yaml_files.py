"""The YAML files that people write beside the rules: reporters, persons and destinations."""

import random
import re
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from streams.acts.persons import PersonsError, read_persons
from streams.citizens.register_file import RegisterError, read_register
from streams.ledger.destinations import DestinationError, read_destinations
from streams.settings import Settings
from tests.fuzz.kinds import Case, check_told
from tests.fuzz.mutations import by_bytes_or, spoil_yaml
from tests.fuzz.records import CATALOGUE
from tests.streams.citizens.test_register_file import GOOD
from tests.streams.ledger.test_destinations import entry
from tests.support.acts_in_memory import PERSONS

SENTENCE: Final = r"REFUSION_[A-Z]+: [^\n]{5,1500}"


class _YamlFile:
    """A file of its own in a folder of its own."""

    name: str
    content: str

    def __init__(self) -> None:
        self.samples = {self.name: self.content.encode()}
        self._path = Path(tempfile.mkdtemp(prefix="fuzz-yaml-")) / f"{self.name}.yaml"

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        return by_bytes_or(spoil_yaml, chance, whole, others)

    def _write(self, case: Case) -> Path:
        self._path.write_bytes(case.content)
        self._path.chmod(0o600)
        return self._path


class Registers(_YamlFile):
    """The register of reporters."""

    name = "register"
    content = GOOD

    def check(self, case: Case) -> bool:
        try:
            reporters: list[Any] = read_register(self._write(case), CATALOGUE)
        except RegisterError as error:
            check_told(error, case.content, SENTENCE)
            return False
        assert reporters
        for reporter in reporters:
            assert re.fullmatch("[0-9]{8}", reporter.cvr)
            assert reporter.kind in ("municipality", "a_kasse", "udbetaling_danmark", "other")
            assert reporter.municipality in (None, *CATALOGUE.municipalities)
            assert reporter.benefits is None or reporter.benefits <= set(CATALOGUE.benefits)
            assert reporter.valid_from <= reporter.valid_to <= date.max.toordinal()
            assert re.fullmatch(r"(?:[A-Za-z0-9_-]{1,64})?", reporter.source), reporter.source
        return True


class PersonFiles(_YamlFile):
    """The file of persons."""

    name = "persons"
    content = PERSONS

    def check(self, case: Case) -> bool:
        try:
            persons = read_persons(self._write(case))
        except PersonsError as error:
            check_told(error, case.content, SENTENCE)
            return False
        for names in (persons._of_user, persons._of_subject):
            texts = [text for pair in names.items() for text in pair]
            assert all(isinstance(text, str) and text.strip() for text in texts)
        return True


class DestinationFiles(_YamlFile):
    """The file of destinations."""

    name = "destinations"
    content = entry() + entry("751", "sftp://u@host:2222/a/b")

    def check(self, case: Case) -> bool:
        path = self._write(case)
        settings = Settings.load({"REFUSION_DEMO": "1", "REFUSION_DESTINATIONS": str(path)})
        try:
            destinations = read_destinations(settings)
        except DestinationError as error:
            check_told(error, case.content, SENTENCE)
            return False
        for code, destination in destinations.of.items():
            assert re.fullmatch("[0-9]{3}", code)
            assert destination.municipality == code
            assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", destination.host_key)
            assert "\n" not in f"{destination.address}"
        return True
