"""Writes the reports of an invented population as answers of eIndkomst, with the tables they need.

The answers are those of a pull by month (basismåned): one file for each month in which reports
came. They say what the plain reports say: a reported period and one 16300 for each payment, a
reversed report for each reversal. Where faults are asked for, payments that come together are one
report: those without ATP that are never reversed below one 16000, each other one in a 16000 of its
own, and half of these may stand in a second reported period of the same indberetningsID. Then a
reversal is a mark on its 16000, and the report is shown again whole. What no answer carries goes
into `facts.jsonl`.
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
_Key = tuple[str, str, str]
"""The person, the reporter and the id of a report."""
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
        """`joins` makes payments that come together one report."""
        self._folder, self._joins = folder, joins
        self._reversed: dict[_Key, str] = {}
        self._together: dict[_Key, list[JsonObject]] = {}
        self._accounts: dict[tuple[str, str | None, bool], str] = {}
        self._reporters: dict[str, JsonObject] = {}
        self._moves: dict[str, list[tuple[str, str]]] = {}
        self._first: dict[_Key, JsonObject] = {}

    def write(self, lines: Iterable[bytes]) -> None:
        """Write the answers of plain reports, given as lines in the order of their arrival."""
        self._folder.mkdir(parents=True, exist_ok=True)
        months: dict[str, dict[str, list[JsonObject]]] = {}
        facts: list[bytes] = []
        for line in lines:
            report = orjson.loads(line)
            key = _key(report)
            if key in self._first:
                continue  # repeated, or a conflict, of which the first stands
            self._first[key] = report
            month = report["reported_at"][:7]
            if report["type"] == "reversal":
                self._reversed.setdefault((*key[:2], report["reverses"]), month)
            if report["type"] == "case_fact" or report.get("kind", "wage") != "wage":
                facts.append(line.rstrip(b"\n"))
                continue
            months.setdefault(month, {}).setdefault(report["cpr"], []).append(report)
        facts += self._reversals_of_facts(months)
        if self._joins:
            self._put_together(months)
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
        service = {"reversed_report": "marked", "marked_beside_equal": "stands"}
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
            yield from self._reported_of(month, reports)
            yield "</IndkomstOplysningSamling></IndkomstOplysningPersonStruktur>\n"
        yield (
            "</IndkomstOplysningPersonSamling></IndkomstPersonUddata>"
            "</IndkomstOplysningPersonHent_O>\n"
        )

    def _put_together(self, months: dict[str, dict[str, list[JsonObject]]]) -> None:
        """Make payments of a person that come together from one reporter one report."""
        for persons in months.values():
            for reports in persons.values():
                for (_, kind), own in groupby(
                    reports, lambda each: (each["reporter"], each["type"])
                ):
                    together = [*own]
                    if kind == "benefit_payment" and len(together) > 1:
                        self._together |= {_key(each): together for each in together}

    def _reported_of(self, month: str, reports: list[JsonObject]) -> Iterator[str]:
        """Yield the reported periods of a person; those of payments together stand there once."""
        shown: set[_Key] = set()
        for report in reports:
            key = _key(report)
            if report["type"] == "reversal":
                key = *key[:2], report["reverses"]
            together = self._together.get(key)
            if together is None:
                yield self._reported(report)
            elif (first := _key(together[0])) not in shown:
                shown.add(first)
                yield from self._reported_together(month, together)

    def _reported(self, report: JsonObject) -> str:
        """Write the reported period of a report that stands alone, or of its reversal."""
        group, content, mark = report["report_id"], report, "I"
        if report["type"] == "reversal":
            group, mark = report["reverses"], "T"
            content = self._first.get((*_key(report)[:2], group), report)
        blankets = _blanket(1, "11000", {11: mark, 12: _income_type(content)})
        if content["type"] == "benefit_payment":
            blankets += self._payments([content])
        elif content["type"] == "income":
            wages = {57: _kroner(content["amount_ore"]), 198: _kroner(content["pension_ore"])}
            blankets += _blanket(1, "16000", {19: ""}, _blanket(3, "16001", wages))
        return _period(group, content, blankets)

    def _reported_together(self, month: str, together: list[JsonObject]) -> Iterator[str]:
        """Write the reported periods of payments that are one report, as a month shows them."""
        group = together[0]["report_id"]
        plain = [
            each
            for each in together
            if not each.get("atp_ore") and _key(each) not in self._reversed
        ]
        alone = [each for each in together if each not in plain]
        cut = len(alone) - len(alone) // 2 if group[-1] in "02468" else len(alone)
        for number, own in enumerate((alone[:cut], alone[cut:])):
            first = plain if number == 0 else []
            if not (first or own):
                continue
            blankets = _blanket(1, "11000", {11: "I", 12: "4"})
            if first:
                blankets += self._payments(first)
            for each in own:
                is_reversed = self._reversed.get(_key(each), "9999") <= month
                blankets += self._payments([each], "1" if is_reversed else "")
            yield _period(group, (first or own)[0], blankets)

    def _payments(self, reports: list[JsonObject], mark: str = "") -> str:
        """Write the 16000 of payments."""
        amount_ore, atp_ore = (
            sum(each.get(name, 0) for each in reports) for name in ("amount_ore", "atp_ore")
        )
        income = _blanket(3, "16001", {58: _kroner(amount_ore), 199: _kroner(atp_ore)})
        return _blanket(1, "16000", {19: "", 21: mark}, income + "".join(map(self._line, reports)))

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


def _key(report: JsonObject) -> _Key:
    return report["cpr"], report["reporter"], report["report_id"]


def _income_type(content: JsonObject) -> str:
    return "0" if content["type"] == "income" else "4"


def _period(group: str, content: JsonObject, blankets: str) -> str:
    """Write a reported period."""
    start = content.get("period_start", content["reported_at"][:10])
    end = content.get("period_end", start)
    return (
        "<IndberetningPligtigVirksomhed><VirksomhedSENummerIdentifikator>"
        f"{content['reporter']}</VirksomhedSENummerIdentifikator><IndkomstLoenPeriodeSamling>"
        "<LoenPeriodeOplysningStruktur><AngivelseVirksomhedEgenIdentifikator>"
        f"{escape(group)}</AngivelseVirksomhedEgenIdentifikator><AngivelsePeriode>"
        f"<StartDate>{start}</StartDate><EndDate>{end}</EndDate></AngivelsePeriode>"
        f"<AngivelseBlanketIndholdStruktur><AngivelseOplysningSamling>{blankets}"
        "</AngivelseOplysningSamling></AngivelseBlanketIndholdStruktur>"
        "</LoenPeriodeOplysningStruktur></IndkomstLoenPeriodeSamling>"
        "</IndberetningPligtigVirksomhed>\n"
    )


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
