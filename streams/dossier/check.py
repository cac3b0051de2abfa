"""Checks a package on any machine: with the package and the program alone, or with the topics too.

1. Each file has its SHA-256 in `CHECKSUMS`, and nothing else is in the zip file.
2. What the package says of itself holds: each partition is there, booked is as anew, the sums
   agree, and the sample is the one that its seed draws.
3. The citizens of the sample are settled again, and explained again, from the package's own
   records; rule sets of one's own are read from the package.
4. Where it is asked for, the whole run is read and settled anew from the topics, and compared
   with the package: digests, sums, who is drawn, and the records of the sample.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streams.citizens.rule_sets import LawBook
from streams.dossier.live_run import (
    LiveRun,
    Readings,
    unlike_frame,
    unlike_proof,
    unlike_sample,
    unlike_sums,
)
from streams.dossier.package_content import DEVIATIONS, PackageRequest
from streams.dossier.package_frame import DAMAGED, PackageFrame
from streams.dossier.run_part import PackageError
from streams.dossier.sample_check import (
    DRAWN,
    SAMPLE_ROWS,
    CheckedSample,
    check_citizens,
    draw_findings,
)
from streams.dossier.stated_figures import proof_findings, sum_findings
from streams.dossier.tables import rows_of
from streams.dossier.zip_file import Content, read_package
from streams.kit.errors import UserError
from streams.kit.scratch import scratch_folder
from streams.privacy.cpr import without_cpr

OWN_RULES: Final = "regler/egne/"
PROOF: Final = "genberegning/partitioner.csv"
SUMS: Final = "afstemning/kontrolsummer.csv"
FRAME: Final = "pakke.json"
NEEDED: Final = (FRAME, "versioner.json", PROOF, SUMS, DEVIATIONS, DRAWN, SAMPLE_ROWS)


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
    frame, sample = None, CheckedSample([], [])
    with _damage_noted(path, findings):
        frame = PackageFrame.read(path, content[FRAME])
        findings += _of_itself(content, frame)
        with _rules_of(content) as laws:
            findings += _of_rules(content, laws)
            sample = check_citizens(content, frame, laws)
        findings += sample.findings
    if frame is None:
        return CheckedPackage(findings, 0, "", len(content), 0, 0, False)
    if read_live is not None:
        live = read_live(PackageRequest(frame.run, frame.seed, frame.each, frame.places))
        with _damage_noted(path, findings):
            findings += _of_topics(content, frame, sample, live)
    return CheckedPackage(
        findings, frame.run, frame.data_month, len(content), len(sample.citizens),
        frame.partitions, read_live is not None,
    )  # fmt: skip


@contextmanager
def _damage_noted(path: Path, findings: list[str]) -> Iterator[None]:
    """Note it as a finding if a block meets a file that is not of its form.

    Raises PackageError where nothing was found before: then it is no package of ours.
    """
    try:
        yield
    except DAMAGED as error:
        if not findings:
            raise PackageError(f"{path} has a file that is not of its form") from error
        findings.append("a file is not of its form any more; what is in it was not checked")


def _of_itself(content: Content, frame: PackageFrame) -> Iterator[str]:
    """Yield what does not hold by the package's own figures."""
    for row in rows_of(content[DEVIATIONS]):
        yield f"noted when the package was made: {without_cpr(row['afvigelse'])}"
    sums = rows_of(content[SUMS])
    yield from proof_findings(rows_of(content[PROOF]), frame)
    yield from sum_findings(sums)
    yield from draw_findings(rows_of(content[DRAWN]), sums, frame)


def _of_rules(content: Content, laws: LawBook) -> Iterator[str]:
    """Yield the rule sets of this program that are others than those of the package."""
    said = orjson.loads(content["versioner.json"])
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


def _of_topics(
    content: Content, frame: PackageFrame, sample: CheckedSample, live: LiveRun
) -> Iterator[str]:
    """Yield what the topics have otherwise than the package."""
    yield from unlike_frame(frame, live)
    yield from unlike_proof(rows_of(content[PROOF]), live)
    yield from unlike_sums(rows_of(content[SUMS]), live)
    yield from unlike_sample(rows_of(content[DRAWN]), sample.citizens, live)
