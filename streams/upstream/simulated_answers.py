"""Writes the reports of an invented population as answers of eIndkomst, with the tables they need.

The answers are those of a pull by month (basismåned): one file for each month in which reports
came. They say what the plain reports say: a reported period and one 16300 for each payment, a
reversed report for each reversal. Where faults are asked for, payments that come together and are
not reversed are several 16300 below one 16000. What no answer carries goes into `facts.jsonl`.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import orjson
import yaml

from domain.basics.weeks import day
from streams.simulation import owner_of
from streams.upstream.tables import UpstreamTables

JsonObject = dict[str, Any]
NAMESPACE: Final = "http://rep.oio.dk/skat.dk/eindkomst/"
_CLASSES: Final = {
    "municipality": "municipality",
    "a-kasse": "a_kasse",
    "udbetaling-danmark": "udbetaling_danmark",
}
_FIELD: Final = "1" + "0" * 14
_SOURCE: Final = {"source": "refusion simulate", "evidence": "simulated"}
ACCOUNT_DIGITS: Final = 4


class AnswerWriter:
    """Writes answers and tables into a folder."""

    def __init__(self, folder: Path, *, joins: bool = False) -> None:
        """`joins` puts payments that come together below one 16000."""
        self._folder, self._joins = folder, joins
        self._reversed: set[tuple[str, str, str]] = set()
        self._accounts: dict[tuple[str, str | None, bool], str] = {}
        self._reporters: dict[str, JsonObject] = {}
        self._moves: dict[str, list[tuple[str, str]]] = {}
        self._first: dict[tuple[str, str, str], JsonObject] = {}

    def write(self, lines: Iterable[bytes]) -> None:
        """Write the answers of plain reports, given as lines in the order of their arrival."""
        self._folder.mkdir(parents=True, exist_ok=True)
        months: dict[str, dict[str, list[JsonObject]]] = {}
        facts: list[bytes] = []
        for line in lines:
            report = orjson.loads(line)
            key = report["cpr"], report["reporter"], report["report_id"]
            if key in self._first:
                continue  # repeated, or a conflict, of which the first stands
            self._first[key] = report
            if report["type"] == "reversal":
                self._reversed.add((*key[:2], report["reverses"]))
            if report["type"] == "case_fact" or report.get("kind", "wage") != "wage":
                facts.append(line.rstrip(b"\n"))
                continue
            month = report["reported_at"][:7]
            months.setdefault(month, {}).setdefault(report["cpr"], []).append(report)
        facts += self._reversals_of_facts(months)
        self._write_residence()
        for month, persons in sorted(months.items()):
            text = "".join(self._answer(month, persons))
            (self._folder / f"answer-{month}.xml").write_text(text, encoding="utf-8")
        (self._folder / "facts.jsonl").write_bytes(b"".join(line + b"\n" for line in facts))
        self._write_tables()

    def _reversals_of_facts(self, months: dict[str, dict[str, list[JsonObject]]]) -> list[bytes]:
        """Take out the reversals of what no answer carries."""
        taken: list[bytes] = []
        for persons in months.values():
            for reports in persons.values():
                for report in [each for each in reports if each["type"] == "reversal"]:
                    key = report["cpr"], report["reporter"], report["reverses"]
                    target = self._first.get(key, {})
                    if target.get("type") == "case_fact" or target.get("kind", "wage") != "wage":
                        taken.append(orjson.dumps(report))
                        reports.remove(report)
        return taken

    # --- residence and tables ---------------------------------------------------------------------

    def _write_residence(self) -> None:
        """Find where citizens live from the payments of others than municipalities."""
        places: dict[str, list[tuple[str, str]]] = {}
        for (cpr, reporter, _), report in self._first.items():
            if report["type"] == "benefit_payment" and owner_of(reporter).kind != "municipality":
                code = report.get("financing_municipality")
                if code:
                    places.setdefault(cpr, []).append((report["period_start"], code))
        for cpr, moves in places.items():
            own = self._moves[cpr] = []
            for since, code in sorted(moves):
                if not own or own[-1][1] != code:
                    own.append((since, code))
        rows = [f"{cpr};{code};{at}\n" for cpr, own in self._moves.items() for at, code in own]
        text = "cpr;municipality;from\n" + "".join(rows)
        (self._folder / "residence.csv").write_text(text, encoding="utf-8")
        self._tables = UpstreamTables(self._folder)

    def _account(self, report: JsonObject) -> str:
        """Give the account of a payment; it says what residence and reporter do not."""
        paying, financing = (report.get(f"{part}_municipality") for part in ("paying", "financing"))
        owner = owner_of(report["reporter"])
        days = day(report["period_start"]), day(report["period_end"])
        known: list[tuple[int, int, str | None]] = (
            [(*days, owner.code)]
            if owner.kind == "municipality"
            else self._tables.residences(report["cpr"], *days)
        )
        due = financing or paying
        said = None if due is None or known == [(*days, due)] else due
        place = report["benefit"], said, bool(report.get("outside_act"))
        return self._accounts.setdefault(place, f"{len(self._accounts) + 1:0{ACCOUNT_DIGITS}d}")

    def _write_tables(self) -> None:
        rows = [
            {
                "account": account,
                "benefit": benefit,
                "financing": financing,
                "outside_act": outside,
                **_SOURCE,
            }
            for (benefit, financing, outside), account in self._accounts.items()
        ]
        service = {"reversed_report": "marked"}
        documents = {"accounts": rows, "reporters": [*self._reporters.values()], "service": service}
        for name, document in documents.items():
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
            (self._folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    # --- answers ----------------------------------------------------------------------------------

    def _answer(self, month: str, persons: dict[str, list[JsonObject]]) -> Iterator[str]:
        latest = max(each["reported_at"] for own in persons.values() for each in own)
        yield (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<IndkomstOplysningPersonHent_O xmlns="{NAMESPACE}">\n'
            f"<HovedOplysningerSvar><TransaktionIdentifikator>{month}</TransaktionIdentifikator>"
            f"<TransaktionTid>{latest}</TransaktionTid></HovedOplysningerSvar>\n"
            "<IndkomstPersonUddata><IndkomstOplysningPersonSamling>\n"
        )
        for cpr, reports in persons.items():
            yield (
                "<IndkomstOplysningPersonStruktur><PersonCivilRegistrationIdentifier>"
                f"{cpr}</PersonCivilRegistrationIdentifier><IndkomstOplysningSamling>\n"
            )
            for own in self._together(reports):
                yield self._reported(own)
            yield "</IndkomstOplysningSamling></IndkomstOplysningPersonStruktur>\n"
        yield (
            "</IndkomstOplysningPersonSamling></IndkomstPersonUddata>"
            "</IndkomstOplysningPersonHent_O>\n"
        )

    def _together(self, reports: list[JsonObject]) -> Iterator[list[JsonObject]]:
        """Yield the reports that are one reported period.

        A reversal takes the whole of it back, and ATP is shared by amount: payments that are
        reversed or have ATP stand alone.
        """
        for (_, is_joined), own in groupby(reports, self._joined_with):
            together = [*own]
            if is_joined:
                yield together
            else:
                yield from ([report] for report in together)

    def _joined_with(self, report: JsonObject) -> tuple[str, bool]:
        """Give the reporter, and whether a report may stand below one 16000 with others."""
        key = report["cpr"], report["reporter"], report["report_id"]
        is_plain = report["type"] == "benefit_payment" and not report.get("atp_ore")
        return report["reporter"], self._joins and is_plain and key not in self._reversed

    def _reported(self, reports: list[JsonObject]) -> str:
        """Write one reported period, of several payments where they stand together."""
        report = reports[0]
        group, content, mark = report["report_id"], report, "I"
        if report["type"] == "reversal":
            group, mark = report["reverses"], "T"
            key = report["cpr"], report["reporter"], group
            content = self._first.get(key, report)
            reports = [content]
        start = content.get("period_start", content["reported_at"][:10])
        end = content.get("period_end", start)
        blankets = self._blankets(reports, mark)
        return (
            "<IndberetningPligtigVirksomhed><VirksomhedSENummerIdentifikator>"
            f"{report['reporter']}</VirksomhedSENummerIdentifikator><IndkomstLoenPeriodeSamling>"
            "<LoenPeriodeOplysningStruktur><AngivelseVirksomhedEgenIdentifikator>"
            f"{escape(group)}</AngivelseVirksomhedEgenIdentifikator><AngivelsePeriode>"
            f"<StartDate>{start}</StartDate><EndDate>{end}</EndDate></AngivelsePeriode>"
            f"<AngivelseBlanketIndholdStruktur><AngivelseOplysningSamling>{blankets}"
            "</AngivelseOplysningSamling></AngivelseBlanketIndholdStruktur>"
            "</LoenPeriodeOplysningStruktur></IndkomstLoenPeriodeSamling>"
            "</IndberetningPligtigVirksomhed>\n"
        )

    def _blankets(self, reports: list[JsonObject], mark: str) -> str:
        report = reports[0]
        if report["type"] == "benefit_payment":
            amount = _kroner(sum(each["amount_ore"] for each in reports))
            income = {58: amount, 199: _kroner(report.get("atp_ore", 0))}
            inner = _blanket(3, "16001", income) + "".join(map(self._line, reports))
            return _blanket(1, "11000", {11: mark, 12: "4"}) + _blanket(1, "16000", {19: ""}, inner)
        if report["type"] == "income":
            income = {57: _kroner(report["amount_ore"]), 198: _kroner(report["pension_ore"])}
            inner = _blanket(3, "16001", income)
            return _blanket(1, "11000", {11: mark, 12: "0"}) + _blanket(1, "16000", {19: ""}, inner)
        return _blanket(1, "11000", {11: mark, 12: "4"})

    def _line(self, report: JsonObject) -> str:
        """Write the 16300 of a payment."""
        owner = owner_of(report["reporter"])
        kind = _CLASSES[owner.kind]
        is_municipality = kind == "municipality"
        code = owner.code if is_municipality else None
        self._reporters.setdefault(
            report["reporter"],
            {"se": report["reporter"], "reporter": kind, "municipality": code} | _SOURCE,
        )
        period = f"{report['period_start']}/{report['period_end']}".replace("-", "")
        account = 202 if is_municipality else 201
        own = {account: self._account(report), 203: period, 205: report["cpr"]}
        return _blanket(3, "16300", {58: _kroner(report["amount_ore"])} | own)


def _kroner(ore: int) -> str:
    """Write øre as kroner with a decimal point.

    >>> _kroner(-5), _kroner(123450)
    ('-0.05', '1234.50')
    """
    whole, part = divmod(abs(ore), 100)
    return f"{'-' if ore < 0 else ''}{whole}.{part:02d}"


def _blanket(level: int, number: str, fields: dict[int, str], below: str = "") -> str:
    values = "".join(
        f"<AngivelseFelt><BlanketFeltNummerIdentifikator>{_FIELD}{field:03d}"
        f"</BlanketFeltNummerIdentifikator><AngivelseFeltIndholdTekst>{escape(text)}"
        "</AngivelseFeltIndholdTekst></AngivelseFelt>"
        for field, text in fields.items()
        if text
    )
    inner = f"<UnderAngivelseSamling>{below}</UnderAngivelseSamling>" if below else ""
    return (
        f"<AngivelseNiveau{level}><BlanketNummerIdentifikator>{number}"
        f"</BlanketNummerIdentifikator><AngivelseFeltSamling>{values}</AngivelseFeltSamling>"
        f"{inner}</AngivelseNiveau{level}>"
    )
