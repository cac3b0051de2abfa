"""Rule files and rule set files, spoiled: an error names the file, or the rules can settle a life.

By fields the parsed document is spoiled, which is quick; by bytes the file itself.
"""

import copy
import random
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from domain.law.staircase import Law
from domain.ruledata.reading import FILES, rule_set_from
from domain.ruledata.ruleset import RuleError, RuleSet
from streams.citizens.rule_sets import PACKAGED, chosen_rule_set, read_documents
from tests.fuzz.kinds import Case, check_told
from tests.fuzz.mutations import spoil_bytes, spoil_document
from tests.support import product
from tests.support.lives import life
from tests.support.places import ROOT

OWN: Final = {"R-1": "rule-sets/R-1.yaml", "R-2": "rule-sets/R-2.yaml"}
WHAT_IF: Final = sorted((ROOT / "examples" / "what-if").glob("*.yaml"))
SETTLED_EVERY: Final = 20
"""The number of accepted rule sets of which one settles a life."""


class RuleFiles:
    """The program's rule files as documents, and rule set files of others as bytes.

    A case of a document is a seed for it: the document is spoiled when it is tried.
    """

    name = "rules"

    def __init__(self) -> None:
        self._documents = {name: read_documents(name, PACKAGED) for name in OWN}
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-rules-"))
        self._accepted = 0
        self._life = life("plan_of", 1)[:25]
        self.samples = {
            **{f"document|{number}": b"" for number in range(6)},
            **{f"file|{path.name}": path.read_bytes() for path in WHAT_IF},
        }

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        if not whole:
            return b"%d" % chance.randrange(10**9)
        return spoil_bytes(chance, whole, [other or whole for other in others])

    def check(self, case: Case) -> bool:
        try:
            if case.sample.startswith("document|"):
                rules = self._of_document(case.content)
            else:
                rules = self._of_file(case)
        except RuleError as error:
            check_told(error, b"", r"(?=.*(?:\.yaml: |rule set))[^\n]{5,2000}")
            return False
        _check_rules(rules)
        self._accepted += 1
        if self._accepted % SETTLED_EVERY == 0:
            product.outcomes(self._life, settled_by=Law(rules))
        return True

    def _of_document(self, seed: bytes) -> RuleSet:
        chance = random.Random(seed)
        name = chance.choice([*OWN])
        documents: Mapping[str, Any] = self._documents[name]
        file = chance.choice([*FILES, OWN[name], OWN[name]])
        spoiled = copy.deepcopy(documents[file])
        for _ in range(chance.choice([1, 1, 2])):
            spoiled = spoil_document(chance, spoiled, [documents[chance.choice([*FILES])]])
        return rule_set_from(OWN[name], {**documents, file: spoiled})

    def _of_file(self, case: Case) -> RuleSet:
        path = self._folder / case.sample.removeprefix("file|")
        path.write_bytes(case.content)
        return chosen_rule_set(str(path))


def _check_rules(rules: RuleSet) -> None:
    """The promises of the law's page for every rule set, written down a second time."""
    for staircase in rules.staircases:
        bands = staircase.bands
        assert bands[0].from_week == 1
        assert bands[-1].to_week is None
        for band, next_band in pairwise(bands):
            assert band.to_week is not None
            assert next_band.from_week == band.to_week + 1
        assert all(0 <= band.refusion <= 100 for band in bands)
        assert all(band.refusion + band.medfinansiering == 100 for band in bands)
        assert staircase.valid_from.weekday() == 0
    for one, following in pairwise(rules.staircases):
        assert one.valid_to is not None
        assert following.valid_from == one.valid_to + timedelta(1)
    assert rules.staircases[-1].valid_to is None
    for code, benefit in rules.benefits.items():
        assert benefit.code == code
        assert (benefit.valid_to or date.max) >= benefit.valid_from
    assert all(len(code) == 3 and code.isdigit() for code in rules.municipalities)
