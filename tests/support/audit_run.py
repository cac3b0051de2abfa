"""A run to audit: its reports, the audit of topics in memory, and helpers for damaging them."""

import subprocess
from collections import defaultdict

import orjson

from streams.audit.verify import VerifyRequest, verify
from tests.support.lines import CASE_FACT, PAYMENT, REVERSAL, changed
from tests.support.pipeline import PROGRAM

CITIZEN_CPR = "6101801234"
TAKEN_OVER_CPR = "6101801236"
"""CPR of a citizen with weeks that an earlier system settled, before and after a report of ours."""
SIMPLE = {"KTH", "SDP-B", "ADP", "LTS", "UDH"}
"""Benefits whose rows depend on nothing but their payments and the count."""


def some_lines(lives):
    """The lives, a citizen with a reversal and late data, and a refusal by each stage."""
    mine = {
        "cpr": CITIZEN_CPR,
        "reporter": "12345678",
        "benefit": "KTH",
        "atp_ore": 0,
        "channel": "eindkomst",
    }
    months = [(f"2023-{month:02}-01", f"2023-{month:02}-28") for month in (3, 4, 5, 2, 6)]
    for number, (start, end) in enumerate(months):
        yield changed(
            PAYMENT, **mine, report_id=f"mine-{number}", period_start=start, period_end=end
        )
    yield changed(
        REVERSAL, cpr=CITIZEN_CPR, reporter="12345678", report_id="back", reverses="mine-4"
    )
    yield changed(
        PAYMENT, **mine, report_id="mine-0", period_start="2023-07-01", period_end="2023-07-31"
    )
    yield changed(
        PAYMENT, **mine, report_id="bad", period_start="2023-07-01", period_end="2023-06-30"
    )
    yield changed(CASE_FACT, cpr=CITIZEN_CPR)
    yield changed(
        PAYMENT, **mine | {"cpr": TAKEN_OVER_CPR}, report_id="own", period_start="2024-01-01"
    )
    for portion in lives:
        yield from portion


def openings(*weeks, financing="730"):
    """Rows of an earlier system, whose results are not to be worked out again."""
    money = {"amount_ore": 270_000, "mechanism": "refusion", "rate": 80, "refusion_ore": 216_001}
    cell = {"benefit": "KTH", "paying": "730", "financing": financing}
    common = {
        "schema": 1,
        "type": "opening",
        "reported_at": "2024-03-01T08:00:00Z",
        "cpr": TAKEN_OVER_CPR,
    }
    return [common | cell | money | {"month": week[:7], "week": week} for week in weeks]


def run_both_halves(lives, publish, load, settle, close_run):
    """A run in two halves, with a cut between them, by whatever publishes and settles."""
    lines = list(some_lines(lives))
    load(openings("2023-01-09", "2024-01-08"))
    publish(lines[: len(lines) // 2])
    settle()
    beside_a_result = openings("2024-01-22", financing="751")
    load([*openings("2024-01-15", "2023-01-16"), *beside_a_result])
    close_run("2023-05")
    publish(lines[len(lines) // 2 :])
    settle()


def load_opening_file(settings, file, rows):
    """Write rows to a file, and load it with the program."""
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    subprocess.run([PROGRAM, "opening", "load", file], env=environment_of(settings), check=True)


def environment_of(settings):
    """The environment variables that settings were made of."""
    return {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }


def run_verify(settings, *options):
    """Run the program: its exit status, what it says for programs, and what it says for people."""
    done = subprocess.run(
        [PROGRAM, "verify", "--json", "--jobs", "1", *options],
        env=environment_of(settings),
        capture_output=True,
        check=False,
    )
    return done.returncode, orjson.loads(done.stdout) if done.stdout else None, done.stderr.decode()


# --- the audit of topics in memory ----------------------------------------------------------------


def audit(topics, sample_percent=0.0, fold=False, ends=None):
    """Audit topics in memory, which end where they end or where `ends` says."""
    request = VerifyRequest(sample_percent, fold=fold)
    return verify(topics.settings, request, lambda *_: None, topics.open(ends))


def codes_at(verified):
    """The codes of an audit's violations by topic, partition and offset."""
    codes = defaultdict(set)
    for violation in verified.violations.named:
        codes[violation.topic, violation.partition, violation.offset].add(violation.code)
    return codes


def source_of(posting):
    """The offset in the journal that a posting follows from."""
    return int(dict(posting.headers)["ce_id"].rpartition(b"/")[2])


def is_of_a_payment(message):
    """Tell if a message must have come of the payment that it names."""
    benefits = {row["benefit"] for row in message["rows"]}
    return message["reason"] == "report" and bool(benefits & SIMPLE)


def spoil_row(message, position, **changes):
    """The bytes of a message with a changed row."""
    message["rows"][position] |= changes
    return orjson.dumps(message)


def result(amount_ore, rate):
    """The rate of a positive amount in whole øre."""
    return (amount_ore * rate + 50) // 100
