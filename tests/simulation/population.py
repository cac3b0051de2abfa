"""The reports of a seed: a simulated population's, in disorder, repeated, with poison and rubbish.

A report with an id that begins with POISON_SETTLE is one at which settling fails, as by a defect of
ours; one with POISON_STEP lets the whole step fail. Nobody but the world knows of them.
"""

from io import BytesIO

import orjson

from domain.basics.weeks import month_number
from streams.simulation import SimulationOptions, simulate

FIRST_MONTH = month_number("2023-01")
POISON_SETTLE, POISON_STEP = "poison-settle-", "poison-step-"


def lines_of(plan) -> list[bytes]:
    """Return what upstream sends, in its order."""
    rng = plan.chance("population")
    lines = _simulated(plan)
    for _ in range(rng.randint(0, len(lines) // 3)):  # out of order
        at = rng.randrange(len(lines))
        lines.insert(rng.randrange(len(lines)), lines.pop(at))
    for _ in range(int(plan.repeats * len(lines))):
        at = rng.randrange(len(lines))
        again = _other_content(lines[at]) if rng.random() < 0.2 else lines[at]
        lines.insert(rng.randint(at + 1, len(lines)), again)
    payments = [line for line in lines if b'"benefit_payment"' in line]
    for number in range(plan.poison if payments else 0):
        prefix = POISON_STEP if rng.random() < 0.3 else POISON_SETTLE
        report = orjson.loads(rng.choice(payments)) | {"report_id": f"{prefix}{number}"}
        lines.insert(rng.randint(0, len(lines)), orjson.dumps(report))
    for _ in range(rng.randint(0, 3)):
        lines.insert(rng.randint(0, len(lines)), rng.randbytes(40))
    return lines


def _simulated(plan) -> list[bytes]:
    out = BytesIO()
    options = SimulationOptions(
        plan.citizens,
        FIRST_MONTH,
        FIRST_MONTH + plan.months - 1,
        seed=plan.seed,
        late=plan.late,
        faults=plan.faults,
        jobs=1,
    )
    simulate(options, out, lambda _: None)
    return out.getvalue().splitlines()


def _other_content(line: bytes) -> bytes:
    """The same id with another amount: a conflict, if the report has an amount."""
    report = orjson.loads(line)
    if "amount_ore" in report:
        report["amount_ore"] += 100
    return orjson.dumps(report)


def reports_in(lines) -> list[bytes]:
    """The lines that are reports; rubbish may begin as they do."""
    return [line for line in lines if b'"cpr"' in line]


def opening_rows(plan, lines) -> list[dict]:
    """Rows of an earlier system for citizens of the population."""
    rng = plan.chance("openings")
    persons = sorted({orjson.loads(line)["cpr"] for line in reports_in(lines)})
    rows = []
    for _ in range(plan.openings if persons else 0):
        week = rng.choice(("2023-01-09", "2023-02-06", "2022-11-07"))
        money = {"amount_ore": 270_000, "mechanism": "refusion", "rate": 80}
        row = {"schema": 1, "type": "opening", "reported_at": "2024-03-01T08:00:00Z"}
        row |= {"cpr": rng.choice(persons), "month": week[:7], "week": week, "benefit": "KTH"}
        rows.append(row | money | {"paying": "730", "financing": "730", "refusion_ore": 216_001})
    return rows
