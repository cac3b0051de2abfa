"""Writes the files of a package from what was read for it: proof, samples, sums, acts, rules."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from projections.pages.law import LawCase, law_pages
from streams.acts.chain import Entry
from streams.acts.four_eyes import STALE_DAYS, requests_of
from streams.citizens.rule_sets import DEFAULT, PACKAGED, LawBook, read_document
from streams.dossier.package_frame import PackageFrame
from streams.dossier.recomputation import (
    PartitionControls,
    PlainRecord,
    Recomputation,
    Recomputed,
    SampledCitizen,
)
from streams.dossier.run_part import FoldedPart, RunPart, Sums, added
from streams.dossier.run_sums import exported_sums, ledger_sums
from streams.dossier.sample_draw import Drawn
from streams.dossier.tables import (
    FOLDER,
    controls_table,
    partitions_table,
    sample_rows_table,
    sums_table,
    table,
    tests_table,
)
from streams.dossier.zip_file import Content, digest_of
from streams.kafka import topics
from streams.privacy.cpr import digits_in
from streams.settings import Settings, SettingsError

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = ("requirements.lock", "requirements-local.lock", "requirements-dev.lock")
STALE: Final = timedelta(days=STALE_DAYS)
DEVIATIONS: Final = "afvigelser.csv"
INDENTED: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS


class PackageRequest(NamedTuple):
    """The extent of a package: `each` citizens of `places` municipalities are drawn by `seed`.

    `tests` is a file of test results, `files` the folder of an export, `cases` the worked cases
    that the register of rules names. `jobs`: 0 for as many as fit.
    """

    run: int
    seed: int = 1
    each: int = 3
    places: int = 4
    tests: Path | None = None
    files: Path | None = None
    cases: Sequence[LawCase] = ()
    jobs: int = 0


@dataclass
class Material:
    """Everything that was read for a package."""

    settings: Settings
    request: PackageRequest
    parts: list[RunPart]
    anew: dict[int, FoldedPart]
    drawn: list[Drawn]
    entries: list[Entry]
    findings: list[str] = field(default_factory=list)
    content: Content = field(default_factory=dict)


def write_content(material: Material) -> None:
    """Write all files, and note what does not hold."""
    _write_proof(material)
    _write_samples(material)
    _write_sums(material)
    _write_acts(material)
    rule_sets = _write_rules(material)
    _write_program(material, rule_sets)
    _write_frame(material)


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=INDENTED)


def _write_proof(material: Material) -> None:
    """Write the digests of the run as booked and anew."""
    for part in material.parts:
        if part.digest != material.anew[part.partition].digest:
            material.findings.append(
                f"partition {part.partition}: what is booked in run {material.request.run} is not"
                " what the journal gives anew; see `refusion verify --fold`"
            )
    name = "genberegning/partitioner.csv"
    material.content[name] = partitions_table(material.parts, material.anew)


def _write_samples(material: Material) -> None:
    """Settle the citizens of the sample again, and write what they have."""
    settings = material.settings
    journal_topic = settings.topic(topics.REPORTS)
    recomputation = Recomputation(LawBook(settings.rules), settings.partitions, journal_topic)
    controls = {
        at: PartitionControls(
            *(
                [PlainRecord.of(record) for record in records if not record.key]
                for records in (part.journal, part.postings)
            )
        )
        for at, part in material.anew.items()
    }
    done: list[tuple[SampledCitizen, Recomputed]] = []
    for sample in samples_of(material.drawn, material.anew):
        if _names_a_cpr(settings, sample):
            material.findings.append(
                f"citizen {sample.citizen}: a report id holds the citizen's CPR number; the citizen"
                " is left out of the sample"
            )
            continue
        recomputed = recomputation.of(sample, controls[sample.partition])
        material.findings += recomputed.findings
        done.append((sample, recomputed))
        explained_life = orjson.loads(recomputed.explanation)
        name = f"stikproever/{sample.municipality}-{sample.citizen}.json"
        material.content[name] = _json(_plain(sample) | {"explanation": explained_life})
    for at in sorted({sample.partition for sample, _ in done}):
        material.content[f"genberegning/kontrolposter-{at}.json"] = _json(_plain(controls[at]))
    material.content["stikproever/raekker.csv"] = sample_rows_table(done)
    population = sum((part.citizens for part in material.parts), Counter[str]())
    material.content["stikproever/udtraek.csv"] = table(
        ("traekning", "kommune", "borgere_i_koerslen", "borger", "rang"),
        (
            (
                material.request.seed,
                one.municipality,
                population[one.municipality],
                one.citizen,
                one.rank,
            )
            for one in material.drawn
        ),
    )


def _plain(sample: SampledCitizen | PartitionControls) -> dict[str, Any]:
    """Return records as JSON has them."""
    return {
        name: [[*record] for record in value] if isinstance(value, list) else value
        for name, value in sample._asdict().items()
    }


def samples_of(drawn: Iterable[Drawn], anew: Mapping[int, FoldedPart]) -> Iterable[SampledCitizen]:
    """Yield the citizens who were drawn, each with all records up to the run's marker."""
    for one in drawn:
        for at, part in anew.items():
            key = one.citizen.encode()
            postings = [PlainRecord.of(each) for each in part.postings if each.key == key]
            if postings:
                journal = [PlainRecord.of(each) for each in part.journal if each.key == key]
                yield SampledCitizen(one.municipality, one.citizen, at, journal, postings)


def _names_a_cpr(settings: Settings, sample: SampledCitizen) -> bool:
    """Tell whether the citizen's own CPR number stands in a record, as no new one can have it."""
    try:
        identity = settings.identity()
    except SettingsError:  # on a monitor's machine nobody can tell; `refusion verify` says as much
        return False
    text = orjson.dumps(_plain(sample))
    return any(identity.of(digits)[0] == sample.citizen for digits in digits_in(text))


def _write_sums(material: Material) -> None:
    """Write the sums of the postings, the ledger and the files beside each other."""
    settings, request = material.settings, material.request
    posted = added(material.parts)
    sources: dict[str, Mapping[str, Sums]] = {
        "posteringer": posted, "ledger": ledger_sums(settings.ledger, request.run)
    }  # fmt: skip
    if request.files is not None:
        exported = exported_sums(request.files, request.run)
        sources |= exported.sums
        names = ("fil", "sha256", "linjer")
        material.content["afstemning/filer.csv"] = table(names, exported.files)
    for name, sums in sources.items():
        for place in sorted(posted.keys() | sums.keys()):
            nothing = [0, 0, 0, 0]
            if posted.get(place, nothing)[2:] != sums.get(place, nothing)[2:]:
                material.findings.append(
                    f"municipality {place}: the sums of {name} are not those of the postings"
                )
    material.content["afstemning/kontrolsummer.csv"] = sums_table(sources)


def _write_acts(material: Material) -> None:
    """Write who did what in the time of the run, or with the run."""
    entries, first = material.entries, material.parts[0]
    lines = [orjson.dumps(dict(entry.fields)) + b"\n" for entry in entries]
    material.content["handlinger/handlinger.jsonl"] = b"".join(lines)
    requests = requests_of(entries, datetime.fromisoformat(first.closed_at) - STALE)
    material.content["handlinger/godkendelser.csv"] = table(
        ("id", "tidspunkt", "handling", "bedt_af", "grund", "udfald", "afgjort_af", "afgjort"),
        (
            (
                each.id, each.fields["at"], each.fields["act"], each.fields["user"],
                each.fields.get("reason", ""), each.state, each.decided_by, each.decided_at,
            )
            for each in requests
        ),
    )  # fmt: skip


def _write_rules(material: Material) -> dict[str, str]:
    """Write the register of rules, the files behind it, and the digest of each rule set."""
    laws, content = LawBook(material.settings.rules), material.content
    controls = [record for part in material.anew.values() for record in part.journal]
    records = [orjson.loads(each.value or b"") for each in controls if not each.key]
    named = {DEFAULT, *(each["rules"] for each in records if each["type"] == "rules")}
    sources: Any = read_document(PACKAGED, "sources.yaml")
    cases = material.request.cases
    for name in sorted(named):
        pages = law_pages(laws.law(name).rules, sources["sources"], cases, [])
        content[f"regler/regelregister-{name}.txt"] = pages.encode()
    for path, text in _rule_files(material.settings.rules):
        content[f"regler/{path}"] = text
    digests = {name: laws.digest(name) for name in laws.names()}
    rows = ((name, digest, "ja" if name in named else "nej") for name, digest in digests.items())
    content["regler/regelsaet.csv"] = table(
        ("regelsaet", "kontrolsum", "gaelder_i_journalen"), rows
    )
    return digests


def _rule_files(own: Path | None) -> Iterable[tuple[str, bytes]]:
    """Yield the program's rule files, and those of one's own."""
    for file in PACKAGED.iterdir():
        if file.name.endswith(".yaml"):
            yield f"program/{file.name}", file.read_bytes()
    for file in (PACKAGED / "rule-sets").iterdir():
        yield f"program/rule-sets/{file.name}", file.read_bytes()
    for path in sorted(own.glob("*.yaml")) if own else ():
        yield f"egne/{path.name}", path.read_bytes()


def _write_program(material: Material, rule_sets: Mapping[str, str]) -> None:
    """Write controls, tests, and what the program is made of."""
    content, tests = material.content, material.request.tests
    content["kontroller.csv"] = controls_table()
    if tests is not None:
        content["proever.csv"], findings = tests_table(tests)
        material.findings += findings
    packages = {each.metadata["Name"].lower(): each.version for each in distributions()}
    content["versioner.json"] = _json(
        {
            "program": version("ydelsesrefusion"),
            "program_sha256": program_digest(),
            "rule_sets": dict(rule_sets),
            "packages": packages,
            "locks": {
                name: digest_of((ROOT / name).read_bytes()) if (ROOT / name).is_file() else None
                for name in LOCKS
            },
        }
    )


def program_digest() -> str:
    """Return the SHA-256 of the code and the rules of this program, whatever folder it is in."""
    known = hashlib.sha256()
    for package in ("domain", "projections", "streams"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in {".py", ".yaml"}:
                name = path.relative_to(ROOT).as_posix()
                known.update(f"{digest_of(path.read_bytes())}  {name}\n".encode())
    return known.hexdigest()


def _write_frame(material: Material) -> None:
    """Write what the package is about, what does not hold, and how to read it."""
    request, first, content = material.request, material.parts[0], material.content
    frame = PackageFrame(
        request.run, first.data_month, first.closed_at, material.settings.partitions,
        material.settings.topic(topics.REPORTS), request.seed, request.each, request.places,
    )  # fmt: skip
    content["pakke.json"] = _json(frame.as_json())
    content[DEVIATIONS] = table(("afvigelse",), ((each,) for each in material.findings))
    said = "" if "proever.csv" in content else " (ikke med: kommandoen fik ingen fil med dem)"
    files = "" if request.files else " (ikke med: kommandoen fik ingen mappe med filerne)"
    verdict = (
        f"**{len(material.findings)} afvigelser** er fundet; de er i `{DEVIATIONS}`."
        if material.findings
        else "Ingen afvigelser er fundet, da pakken blev lavet."
    )
    text = (FOLDER / "readme.txt").read_text("utf-8")
    content["LAES-MIG.txt"] = text.format(
        run=request.run, data_month=first.data_month, closed_at=first.closed_at,
        version=version("ydelsesrefusion"), verdict=verdict, tests=said, files=files,
        seed=request.seed, places=request.places, each=request.each,
    ).encode()  # fmt: skip
