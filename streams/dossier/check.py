"""Checks a package on any machine: with the package and the program alone, or with the topics too.

1. Each file has its SHA-256 in `CHECKSUMS`, and nothing else is in the zip file.
2. What the package says of itself holds: booked is as anew, the sums agree.
3. The citizens of the sample are settled again, and explained again, from the package's own
   records; rule sets of one's own are read from the package.
4. Where it is asked for, the whole run is read and settled anew from the topics, and compared
   with the digests in the package.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streams.citizens.rule_sets import LawBook
from streams.dossier.package_content import DEVIATIONS, FORMAT, PackageRequest
from streams.dossier.recomputation import (
    PartitionControls,
    PlainRecord,
    Recomputation,
    SampledCitizen,
)
from streams.dossier.run_part import PackageError
from streams.dossier.tables import rows_of
from streams.dossier.zip_file import Content, read_package
from streams.kit.errors import UserError
from streams.kit.scratch import scratch_folder
from streams.privacy.cpr import without_cpr

OWN_RULES: Final = "regler/egne/"
SAMPLES: Final = "stikproever/"
PROOF: Final = "genberegning/partitioner.csv"
SUMS: Final = "afstemning/kontrolsummer.csv"
NEEDED: Final = ("pakke.json", "versioner.json", PROOF, SUMS, DEVIATIONS)
NOTHING: Final = "0,00"

Readings = Callable[[PackageRequest], Mapping[int, tuple[str, str]]]
"""Reads a run in the topics: the digest as booked and as settled anew, by partition."""


class CheckedPackage(NamedTuple):
    """The outcome of a check: a sentence for all that does not hold, and what was looked at."""

    findings: list[str]
    run: int
    data_month: str
    files: int
    citizens: int
    partitions: int
    is_live: bool

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"fine": not self.findings} | self._asdict()


def check_package(path: Path, read_live: Readings | None = None) -> CheckedPackage:
    """Check a package. Raises PackageError where it is none."""
    content, findings = read_package(path)
    missing = [name for name in NEEDED if name not in content]
    if missing:
        raise PackageError(f"{path} has no {missing[0]}; get the whole package again")
    try:
        about = orjson.loads(content["pakke.json"])
        if about["format"] != FORMAT:
            raise PackageError(
                f"{path} has format {about['format']}, which this version of the program does not"
                " read; use the version that made it"
            )
        findings += _of_itself(content)
        findings += _of_rules(content)
        citizens, of_samples = _of_samples(content, about)
        findings += of_samples
        if read_live is not None:
            findings += _of_topics(content, about, read_live)
        partitions = len(rows_of(content[PROOF]))
    except (ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        if not findings:
            raise PackageError(f"{path} has a file that is not of its form") from error
        findings.append("a file is not of its form any more; what is in it was not checked")
        return CheckedPackage(findings, 0, "", len(content), 0, 0, read_live is not None)
    return CheckedPackage(
        findings, about["run"], about["data_month"], len(content), citizens, partitions,
        read_live is not None,
    )  # fmt: skip


def _of_itself(content: Content) -> Iterator[str]:
    """Yield what does not hold by the package's own figures."""
    for row in rows_of(content[DEVIATIONS]):
        yield f"noted when the package was made: {without_cpr(row['afvigelse'])}"
    for row in rows_of(content[PROOF]):
        if row["sha256_bogfoert"] != row["sha256_forfra"]:
            yield f"partition {row['partition']}: what is booked is not what came out anew"
    for row in rows_of(content[SUMS]):
        if row["forskel"] != NOTHING:
            yield f"municipality {row['kommune']}: the control sums are apart by {row['forskel']}"


def _of_rules(content: Content) -> Iterator[str]:
    """Yield the rule sets of this program that are others than those of the package."""
    said = orjson.loads(content["versioner.json"])
    with _rules_of(content) as laws:
        for name, digest in said["rule_sets"].items():
            try:
                known = laws.digest(name)
            except UserError:
                known = "none"
            if known != digest:
                yield (
                    f"rule set {name}: this program has {known}, the package was made with"
                    f" {digest}; use version {said['program']} of the program"
                )


@contextmanager
def _rules_of(content: Content) -> Iterator[LawBook]:
    """Read the rule sets of the program, and those of one's own from the package."""
    with scratch_folder("rules") as folder:
        for name, text in content.items():
            if name.startswith(OWN_RULES):
                (folder / Path(name).name).write_bytes(text)
        yield LawBook(folder)


def _of_samples(content: Content, about: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Settle the citizens of the sample again; return how many, and what does not hold."""
    findings: list[str] = []
    names = [name for name in content if name.startswith(SAMPLES) and name.endswith(".json")]
    with _rules_of(content) as laws:
        recomputation = Recomputation(laws, about["partitions"], about["journal_topic"])
        for name in sorted(names):
            value = orjson.loads(content[name])
            at = value["partition"]
            kept = orjson.loads(content[f"genberegning/kontrolposter-{at}.json"])
            controls = PartitionControls(_records(kept["journal"]), _records(kept["postings"]))
            sample = SampledCitizen(
                value["municipality"], value["citizen"], at, _records(value["journal"]),
                _records(value["postings"]),
            )  # fmt: skip
            recomputed = recomputation.of(sample, controls)
            findings += recomputed.findings
            if orjson.loads(recomputed.explanation) != value["explanation"]:
                findings.append(f"citizen {sample.citizen}: the explanation comes out otherwise")
    return len(names), findings


def _records(values: list[Any]) -> list[PlainRecord]:
    return [PlainRecord(*value) for value in values]


def _of_topics(content: Content, about: Mapping[str, Any], read_live: Readings) -> Iterator[str]:
    """Yield the partitions of which the topics give other digests than the package has."""
    request = PackageRequest(about["run"], about["seed"], about["each"], about["places"])
    live = read_live(request)
    for row in rows_of(content[PROOF]):
        booked, anew = live.get(int(row["partition"]), ("", ""))
        if booked != row["sha256_bogfoert"]:
            yield f"partition {row['partition']}: the topics have other postings of the run"
        if anew != row["sha256_forfra"]:
            yield f"partition {row['partition']}: the journal gives other postings of the run now"
