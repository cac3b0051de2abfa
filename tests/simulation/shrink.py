"""Makes a failing seed smaller while it still fails: fewer people, fewer faults, a shorter life."""

from tests.simulation.network import Rates
from tests.simulation.plan import Plan, changed, plan_of
from tests.simulation.run import Outcome, run_plan

MOST_TRIES = 60
_HALVED = ("citizens", "months", "workers", "partitions", "raw_partitions", "faulty_s")
_NONE = (
    "operator_acts",
    "openings",
    "foreign",
    "merges",
    "poison",
    "repeats",
    "is_former",
    "has_ledger",
)
_RATES = ("lost_request", "lost_answer", "doubled", "slow", "refused")


def kind_of(failure: str) -> str:
    """Tell failures of one kind from others: their first words, without places and numbers."""
    return " ".join(word for word in failure.split()[:9] if word.isalpha() or word.endswith(":"))


def shrunk(
    seed: int, changes: dict[str, str], plant: str, failure: str, tries: int = MOST_TRIES
) -> tuple[dict, Outcome | None]:
    """Return the changes of the smallest plan found that fails in this way, and how it went."""
    best, outcome = dict(changes), None
    kind = kind_of(failure)
    is_smaller = True
    while is_smaller and tries:
        is_smaller = False
        for step in _steps(changed(plan_of(seed), best), best):
            if not tries:
                break
            tries -= 1
            found = run_plan(changed(plan_of(seed), best | step), plant)
            if kind_of(found.failure) == kind:
                best, outcome, is_smaller = best | step, found, True
    return best, outcome


def _steps(plan: Plan, changes):
    """Changes that make a plan smaller, the largest first."""
    without = changes.get("without", "")
    kinds = sorted(plan.mishaps)
    half = len(kinds) // 2
    groups = [kinds[:half], kinds[half:]] if len(kinds) > 2 else []
    for group in (*groups, *([kind] for kind in kinds)):
        if group:
            yield {"without": ",".join(filter(None, [without, *group]))}
    for name in _NONE:
        if getattr(plan, name):
            yield {name: "0" if name not in ("is_former", "has_ledger") else "False"}
    for name in _RATES:
        if getattr(plan.rates, name):
            yield {name: "0"}
    for name in _HALVED:
        if (value := getattr(plan, name)) > 1:
            yield {name: str(value // 2)}


assert set(_RATES) <= set(Rates.names())
