"""Writes the tables of a package as CSV that a spreadsheet of ours opens, and reads them again."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from projections.lis.amounts import AMOUNT, ore_of
from projections.runs.files import comma_kroner, harmless
from streams.dossier.recomputation import Recomputed, SampledCitizen
from streams.dossier.run_part import FoldedPart, PackageError, RunPart, Sums
from streams.kit.csv_table import csv_table
from streams.privacy.cpr import without_cpr

FOLDER: Final = Path(__file__).parent
LARGEST_RESULTS: Final = 64 << 20
"""Bytes of the largest file of test results that is read."""
OUTCOMES: Final = {"failure": "fejlede", "error": "fejl", "skipped": "sprunget over"}
"""Words for how a test ended, by JUnit's elements; a test without one passed."""
PARTITIONS: Final = (
    "partition", "journal_fra", "journal_til", "posteringer_fra", "posteringer_til",
    "meddelelser_bogfoert", "meddelelser_forfra", "raekker", "sha256_bogfoert",
    "sha256_forfra", "ens",
)  # fmt: skip
MONEY: Final = ("refusion", "medfinansiering")


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Write a table of a package."""
    return csv_table(names, rows, _cell)


def _cell(value: Any) -> Any:
    """Return a cell as it is written: no text begins a formula, and money less than 0 is a number.

    >>> _cell("-12,00"), _cell("-12+x"), _cell(3)
    ('-12,00', "'-12+x", 3)
    """
    is_text = isinstance(value, str) and AMOUNT.fullmatch(value) is None
    return harmless(value) if is_text else value


def money_of(text: str) -> int:
    """Read money of a table, in øre. Raises ValueError where it is none."""
    if AMOUNT.fullmatch(text) is None:
        raise ValueError("an amount is not kroner with a decimal comma")
    return ore_of(text)


def rows_of(content: bytes) -> list[dict[str, str]]:
    """Read a table; rows by the names of its header."""
    text = content.decode("utf-8-sig")
    return [*csv.DictReader(io.StringIO(text, newline=""), delimiter=";")]


@cache
def controls() -> Sequence[Mapping[str, Any]]:
    """Return the controls of the program: `id`, `control`, `coded` and `tests`."""
    listed: list[dict[str, Any]] = yaml.safe_load((FOLDER / "controls.yaml").read_text("utf-8"))
    return listed


def controls_table() -> bytes:
    """Write the controls, a row for each test."""
    return table(
        ("id", "kontrol", "kodet_i", "proeve"),
        (
            (each["id"], each["control"], each["coded"], test)
            for each in controls()
            for test in each["tests"]
        ),
    )


def tests_table(results: Path) -> tuple[bytes, list[str]]:
    """Write the outcomes of tests from JUnit's XML, and say what they do not show.

    Raises PackageError where the file cannot be read.
    """
    if results.stat().st_size > LARGEST_RESULTS:
        raise PackageError(f"{results} is larger than {LARGEST_RESULTS:,} bytes; give one of tests")
    try:
        root = ElementTree.parse(results).getroot()
    except (ElementTree.ParseError, DefusedXmlException) as error:
        raise PackageError(
            f"{results} is no file of test results; make one with `pytest --junit-xml FILE`"
        ) from error
    cases = root.iter("testcase") if root is not None else ()
    rows = sorted(
        (case.get("classname", ""), without_cpr(case.get("name", "")), _outcome(case))
        for case in cases
    )
    failed = sum(outcome in {"fejlede", "fejl"} for _, _, outcome in rows)
    findings = [f"{failed} of the tests in {results.name} failed"] if failed else []
    return table(("modul", "proeve", "udfald"), rows), [*findings, *_unproved(rows, results.name)]


def _unproved(rows: Iterable[tuple[str, str, str]], results: str) -> Iterator[str]:
    """Yield the tests of controls that did not run: without them the results show nothing."""
    outcomes: dict[str, set[str]] = {}
    for module, name, outcome in rows:
        outcomes.setdefault(f"{module}::{name.partition('[')[0]}", set()).add(outcome)
    for control in controls():
        for test in control["tests"]:
            path, _, name = test.partition("::")
            found = outcomes.get(f"{path.removesuffix('.py').replace('/', '.')}::{name}")
            if found is None:
                yield f"control {control['id']}: {results} has no result of {test}"
            elif OUTCOMES["skipped"] in found:
                yield f"control {control['id']}: {test} was skipped in {results}"


def _outcome(case: Any) -> str:
    return next((OUTCOMES[part.tag] for part in case if part.tag in OUTCOMES), "bestod")


def partitions_table(parts: Iterable[RunPart], anew: Mapping[int, FoldedPart]) -> bytes:
    """Write the proof of replay, a row for each partition."""
    return table(
        PARTITIONS,
        (
            (
                part.partition, part.journal_from, part.journal_to, part.postings_from,
                part.postings_to, part.messages, anew[part.partition].messages, part.rows,
                part.digest, anew[part.partition].digest,
                "ja" if part.digest == anew[part.partition].digest else "nej",
            )
            for part in parts
        ),
    )  # fmt: skip


def sums_table(sources: Mapping[str, Mapping[str, Sums]]) -> bytes:
    """Write the control sums of each municipality by source, and their largest difference."""
    names = [f"{what}_{source}" for what in MONEY for source in sources]
    rows = []
    for place in sorted({place for sums in sources.values() for place in sums}):
        money = [[sums.get(place, [0, 0, 0, 0])[at] for sums in sources.values()] for at in (2, 3)]
        apart = max(max(of_kind) - min(of_kind) for of_kind in money)
        rows.append(
            (place, *(comma_kroner(ore) for kind in money for ore in kind), comma_kroner(apart))
        )
    return table(("kommune", *names, "forskel"), rows)


def sample_rows_table(samples: Iterable[tuple[SampledCitizen, Recomputed]]) -> bytes:
    """Write the rows of the sample beside the reference computation; a column is for notes."""
    return table(
        (
            "kommune", "borger", "maaned", "uge", "ydelse", "betaler", "finansierer", "tal",
            "mekanisme", "procent", "konto", "beloeb", "resultat", "referenceberegning", "forskel",
            "revisors_note",
        ),
        (
            (
                sample.municipality, sample.citizen, row.cell.month, row.cell.week,
                row.cell.benefit, row.cell.paying or "", row.cell.financing or "", row.ordinal,
                row.mechanism, row.rate, row.account, comma_kroner(row.amount_ore),
                comma_kroner(row.result_ore),
                "" if row.reference_ore is None else comma_kroner(row.reference_ore),
                "" if row.reference_ore is None
                else comma_kroner(row.result_ore - row.reference_ore),
                "",
            )
            for sample, recomputed in samples
            for row in recomputed.rows
        ),
    )  # fmt: skip
