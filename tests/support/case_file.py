"""Law cases in a form that a caseworker can read, and the tables that show a difference.

    First month: four weeks at 80 %, the straddling week's first slice at 40 %
    rules 9, X2

    answers
      SPLIT: CALENDAR_DAYS

    reports  citizen 6101901357, reporter 12345678, reported 2026-01-05T08:00:00Z
      X02-0001        KTH  2024-01-01..2024-01-31         12,000.00  730/730
      X01-0001..0054  KTH  weekly from 2016-01-04 x 54     2,800.00  730/730
      X21-0003        reversal of X21-0001
      X17-0055        flex_job_wage 2022-01-01..2022-01-31  5,000.00 pension 600.00
      X18-0001        flex_referral 2013-03-01

    rows
      2024-01  2024-W01            n 1     KTH  730/730  2,709.68 x 80 % = 2,167.74 refusion
               2016-W05..2016-W26  n 5..26 KTH  730/730  400.00 a day: 2,800.00 x 40 % = 1,120.00
               refusion

    sums
      refusion 9,135.48, medfinansiering 0.00

    counters
      2024-01-31: seniority 5, earned weeks 0
      latest week 2024-W05: seniority 5, earned 2023-W20 x 3
      after transfer in 2024-W10: seniority 57, earned none

* `rule set R-2` before the reports names another rule set than the default.
* `notices` has a line `CODE REPORT_ID` for every notice, where the case is about them.
* `answers` are to open questions (rules section 11) where the case's rule set has others than the
  default.
* Municipalities are `paying/financing`: `-` is null, nothing is a field left out. After them may
  stand `ATP 284.00`, `outside the Act`, `by 87654321` (another reporter) and `through dfdg`.
* A row of a run of weeks stands for one row a week in its month. Without a month, a week that
  straddles two months has a row in each, of so much a day.
* `19,083.00 less ATP 284.00 = 18,799.00 x 80 % = …` says what was deducted; `account …` may end a
  row.
* Any number of spaces may part words, and lines that begin with `#` are remarks.

The arithmetic of every row is checked when it is read, to the øre or as the answer to ROUND has it.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

JsonObject = dict[str, Any]

WEEK = timedelta(days=7)
MONEY = r"-?[\d,]+\.\d\d"
DATE = r"\d{4}-\d\d-\d\d"
ISO_WEEK = r"\d{4}-W\d\d"
MUNICIPALITIES = r"(?P<paying>-|\d{3})?/(?P<financing>-|\d{3})?"

HEAD = re.compile(
    r"reports citizen (?P<cpr>\d{10}), reporter (?P<reporter>\d{8}), reported (?P<reported_at>\S+)"
)
PAYMENT = re.compile(
    rf"(?P<id>\S+?)(\.\.(?P<last_id>\d+))? (?P<benefit>[A-Z0-9-]+) "
    rf"(weekly from (?P<monday>{DATE}) x (?P<weeks>\d+)|(?P<start>{DATE})(\.\.(?P<end>{DATE}))?) "
    rf"(?P<amount>{MONEY}) {MUNICIPALITIES}( ATP (?P<atp>{MONEY}))?(?P<outside> outside the Act)?"
    rf"( by (?P<by>\d{{8}}))?( through (?P<channel>\w+))?"
)
REVERSAL = re.compile(r"(?P<id>\S+) reversal of (?P<reverses>\S+)( by (?P<by>\d{8}))?")
CASE_FACT = re.compile(rf"(?P<id>\S+) (?P<fact>[a-z_]+) (?P<date>{DATE})")
INCOME = re.compile(
    rf"(?P<id>\S+) (?P<kind>wage|flex_job_wage|self_employed) (?P<start>{DATE})\.\.(?P<end>{DATE}) "
    rf"(?P<amount>{MONEY}) pension (?P<pension>{MONEY})"
)
ROW = re.compile(
    rf"((?P<month>\d{{4}}-\d\d) )?(?P<week>{ISO_WEEK})(\.\.(?P<last_week>{ISO_WEEK}))? "
    rf"n (?P<n>\d+)(\.\.(?P<last_n>\d+))? (?P<benefit>[A-Z0-9-]+) {MUNICIPALITIES} "
    rf"((?P<daily>{MONEY}) a day: )?((?P<gross>{MONEY}) less ATP (?P<atp>{MONEY}) ="
    rf" )?(?P<amount>{MONEY}) "
    rf"x (?P<rate>\d+) % = (?P<result>{MONEY}) (?P<mechanism>refusion|medfinansiering)(, account"
    rf" (?P<account>\S+))?"
)
ANSWER = re.compile(r"(?P<switch>[A-Z_0-9]+): (?P<value>\S+)")
SUMS = re.compile(rf"refusion (?P<refusion>{MONEY}), medfinansiering (?P<medfinansiering>{MONEY})")
COUNTERS_AT = re.compile(
    rf"(?P<date>{DATE}): seniority (?P<seniority>\d+), earned weeks (?P<earned>\d+)"
)
BOTH = rf"seniority (?P<seniority>\d+), earned (?P<runs>none|{ISO_WEEK} x \d+(, {ISO_WEEK} x \d+)*)"
COUNTERS = re.compile(rf"latest week (?P<week>none|{ISO_WEEK}): {BOTH}")
AFTER_TRANSFER = re.compile(rf"after transfer in (?P<week>{ISO_WEEK}): {BOTH}")


class Case(NamedTuple):
    """Reports in, and what must come out. `account` is in a row only where the case states it."""

    name: str
    rule_set: str
    answers: dict[str, str]
    """Answers to open questions, by switch, where they are not the default's."""
    reports: list[JsonObject]
    rows: list[JsonObject]
    sums_ore: dict[str, int]
    counters_at: dict[date, tuple[int, int]]
    """Seniority and number of earned weeks at the end of the week of each day."""
    counters: JsonObject
    """Rows as in contract section 3; empty where the case does not state it."""
    notices: list[tuple[str, str]]
    """Code and report id of every notice, in their order, where the case states them."""


def read_case(path: Path) -> Case:
    """A case from its file; ValueError names the file and the line."""
    name, *lines = path.read_text(encoding="utf-8").splitlines()
    rule_set = next((line.split()[2] for line in lines if line.startswith("rule set ")), "R-1")
    case = Case(name, rule_set, {}, [], [], {}, {}, {}, [])
    common: JsonObject = {}
    section = ""
    for number, line in enumerate(lines, start=2):
        try:
            if line.startswith("  ") and not line.lstrip().startswith("#"):
                READERS[section](case, common, " ".join(line.split()))
            elif line.startswith("reports"):
                common |= {"schema": 1} | _match(HEAD, " ".join(line.split())).groupdict()
            section = line.split()[0] if line[:1].strip() else section
        except (KeyError, ValueError) as problem:
            raise ValueError(f"{path.name}:{number}: {problem}") from None
    return case


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(f"not of the form of its section: {line}")
    return found


def _money(text: str | None) -> int:
    """Øre; nothing is 0."""
    return int(re.sub("[,.]", "", text or "0"))


def _week(text: str) -> date:
    return date.fromisoformat(text + "-1")


def _read_answer(case: Case, _common: JsonObject, line: str) -> None:
    found = _match(ANSWER, line)
    case.answers[found["switch"]] = found["value"]


def _read_notice(case: Case, _common: JsonObject, line: str) -> None:
    code, report_id = line.split()
    case.notices.append((code, report_id))


# Reports


def _read_report(case: Case, common: JsonObject, line: str) -> None:
    case.reports.extend(common | report for report in _reports(line))


def _reports(line: str) -> Iterator[JsonObject]:
    if found := REVERSAL.fullmatch(line):
        reversal = {"type": "reversal", "report_id": found["id"], "reverses": found["reverses"]}
        yield reversal | _reporter(found)
    elif found := CASE_FACT.fullmatch(line):
        yield {
            "type": "case_fact",
            "report_id": found["id"],
            "fact": found["fact"],
            "date": found["date"],
        }
    elif found := INCOME.fullmatch(line):
        yield _income(found)
    else:
        found = _match(PAYMENT, line)
        yield from (payment | _reporter(found) for payment in _payments(found))


def _income(found: re.Match[str]) -> JsonObject:
    head = {"type": "income", "report_id": found["id"], "kind": found["kind"]}
    money = {"amount_ore": _money(found["amount"]), "pension_ore": _money(found["pension"])}
    return head | {"period_start": found["start"], "period_end": found["end"]} | money


def _reporter(found: re.Match[str]) -> JsonObject:
    return {"reporter": found["by"]} if found["by"] else {}


def _payments(found: re.Match[str]) -> Iterator[JsonObject]:
    """The line's report, or its weekly reports with growing ids."""
    payment = {
        "type": "benefit_payment",
        "benefit": found["benefit"],
        "amount_ore": _money(found["amount"]),
        "atp_ore": _money(found["atp"]),
        "channel": found["channel"] or "eindkomst",
    }
    for name in ("paying", "financing"):
        if found[name]:
            payment[f"{name}_municipality"] = None if found[name] == "-" else found[name]
    if found["outside"]:
        payment["outside_act"] = True
    for report_id, (start, end) in zip(_ids(found), _periods(found), strict=True):
        yield payment | {"report_id": report_id, "period_start": start, "period_end": end}


def _ids(found: re.Match[str]) -> list[str]:
    first_id, last = found["id"], found["last_id"]
    if last is None:
        return [first_id]
    stem, first = first_id[: -len(last)], first_id[-len(last) :]
    return [f"{stem}{number:0{len(last)}d}" for number in range(int(first), int(last) + 1)]


def _periods(found: re.Match[str]) -> list[tuple[str, str]]:
    if found["monday"] is None:
        return [(found["start"], found["end"] or found["start"])]
    monday = date.fromisoformat(found["monday"])
    weeks = [monday + i * WEEK for i in range(int(found["weeks"]))]
    return [(week.isoformat(), (week + timedelta(days=6)).isoformat()) for week in weeks]


# Rows


def _read_row(case: Case, _common: JsonObject, line: str) -> None:
    found = _match(ROW, line)
    _check_arithmetic(case, found)
    first, last = _week(found["week"]), _week(found["last_week"] or found["week"])
    first_n, last_n = int(found["n"]), int(found["last_n"] or found["n"])
    weeks = [first + i * WEEK for i in range((last - first) // WEEK + 1)]
    if last_n - first_n not in (0, len(weeks) - 1):
        raise ValueError("n neither stands still nor grows by one a week")
    for i, week in enumerate(weeks):
        n = min(first_n + i, last_n)
        case.rows.extend(_rows_of_week(case, found, week, n))


def _check_arithmetic(case: Case, found: re.Match[str]) -> None:
    """Half away from zero."""
    amount, rate, result = _money(found["amount"]), int(found["rate"]), _money(found["result"])
    if result != _percent(case, amount, rate):
        raise ValueError("amount x rate is not the result")
    if found["gross"] and _money(found["gross"]) - _money(found["atp"]) != amount:
        raise ValueError("the amount less ATP is not the amount")
    if found["daily"] and _money(found["daily"]) * 7 != amount:
        raise ValueError("seven days are not the amount")


def _percent(case: Case, amount_ore: int, rate: int) -> int:
    unit_ore = 100 if case.answers.get("ROUND") == "ROW_KRONE" else 1
    half_up = (abs(amount_ore) * rate * 2 + 100 * unit_ore) // (200 * unit_ore) * unit_ore
    return half_up if amount_ore >= 0 else -half_up


def _rows_of_week(case: Case, found: re.Match[str], week: date, n: int) -> Iterator[JsonObject]:
    if found["month"]:
        yield _row(case, found, found["month"], week, n, _money(found["amount"]))
        return
    if found["daily"] is None:
        raise ValueError("a row without a month needs an amount a day")
    months = [(week + timedelta(days=i)).isoformat()[:7] for i in range(7)]
    for month in sorted(set(months)):
        yield _row(case, found, month, week, n, _money(found["daily"]) * months.count(month))


def _row(
    case: Case, found: re.Match[str], month: str, week: date, n: int, amount_ore: int
) -> JsonObject:
    rate, mechanism = int(found["rate"]), found["mechanism"]
    row: JsonObject = {"month": month, "week": week.isoformat(), "benefit": found["benefit"]}
    row |= {
        name: None if found[name] in (None, "-") else found[name]
        for name in ("paying", "financing")
    }
    row |= {"amount_ore": amount_ore, "ordinal": n, "mechanism": mechanism, "rate": rate}
    row |= {"refusion_ore": 0, "medfinansiering_ore": 0} | {
        f"{mechanism}_ore": _percent(case, amount_ore, rate)
    }
    if found["atp"]:
        row["atp_ore"] = _money(found["atp"])
    if found["account"]:
        row["account"] = found["account"]
    return row


# Sums and counters


def _read_sums(case: Case, _common: JsonObject, line: str) -> None:
    found = _match(SUMS, line)
    case.sums_ore.update({f"{name}_ore": _money(text) for name, text in found.groupdict().items()})


def _read_counters(case: Case, _common: JsonObject, line: str) -> None:
    if found := COUNTERS_AT.fullmatch(line):
        case.counters_at[date.fromisoformat(found["date"])] = (
            int(found["seniority"]),
            int(found["earned"]),
        )
        return
    if found := AFTER_TRANSFER.fullmatch(line):
        case.counters["after_transfer"] = {
            "from": _week(found["week"]).isoformat()
        } | _both_counters(found)
        return
    found = _match(COUNTERS, line)
    week = None if found["week"] == "none" else _week(found["week"]).isoformat()
    case.counters.update({"week": week} | _both_counters(found))


def _both_counters(found: re.Match[str]) -> JsonObject:
    earned = [run.split(" x ") for run in found["runs"].split(", ") if run != "none"]
    runs = [[_week(first).isoformat(), int(length)] for first, length in earned]
    return {"seniority": int(found["seniority"]), "earned": runs}


READERS: dict[str, Callable[[Case, JsonObject, str], None]] = {
    "answers": _read_answer,
    "reports": _read_report,
    "rows": _read_row,
    "sums": _read_sums,
    "counters": _read_counters,
    "notices": _read_notice,
}


# Differences


def difference(expected: list[JsonObject], got: list[JsonObject]) -> str:
    """The rows that differ, aligned, `-` what the case says and `+` what came; nothing where all
    agree.

    The account of a row is compared only where the case states it.
    """
    wanted = {_cell(row): row for row in expected}
    came = {_cell(row): row for row in got}
    if len(wanted) != len(expected) or len(came) != len(got):
        return "two rows for one cell"
    lines = []
    for cell in sorted(wanted | came):
        want, have = wanted.get(cell), came.get(cell)
        if want != _comparable(have, want):
            lines += [f"- {format_row(want)}"] if want else []
            lines += [f"+ {format_row(have)}"] if have else []
    return "\n".join(lines)


def _cell(row: JsonObject) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("month", "week", "benefit", "paying", "financing"))


def _comparable(row: JsonObject | None, pattern: JsonObject | None) -> JsonObject | None:
    if row is None or pattern is None or "account" in pattern:
        return row
    return {name: value for name, value in row.items() if name != "account"}


def format_row(row: JsonObject) -> str:
    """A row as it stands in a case."""
    year, week, _ = date.fromisoformat(row["week"]).isocalendar()
    cell = f"{row['month']}  {year}-W{week:02d}  n {row['ordinal']:<3} {row['benefit']:<5}"
    payers = f"{row['paying'] or '-'}/{row['financing'] or '-'}"
    money = format_money(row[row["mechanism"] + "_ore"])
    result = f"{row['rate']:>3} % = {money:>10} {row['mechanism']}"
    account = f", account {row['account']}" if row.get("account") else ""
    return f"{cell} {payers:<7}  {_format_base(row)} x {result}{account}"


def _format_base(row: JsonObject) -> str:
    amount = format_money(row["amount_ore"])
    if not row.get("atp_ore"):
        return f"{amount:>10}"
    gross, atp = format_money(row["amount_ore"] + row["atp_ore"]), format_money(row["atp_ore"])
    return f"{gross} less ATP {atp} = {amount}"


def format_money(ore: int) -> str:
    """Kroner with two decimals."""
    sign = "-" if ore < 0 else ""
    return f"{sign}{abs(ore) // 100:,}.{abs(ore) % 100:02d}"
