"""Payment systems say what they have paid: it is held against what was received, never settled."""

import io
import json

import orjson
import pytest
import yaml

from domain.basics.weeks import day, month_number
from domain.citizen.reports import Copy, Join, Move, Payment, Reversal
from projections.lis.questions import LisQuestion
from projections.runs.books import Books
from projections.runs.expected_payments import ExpectedLine, ExpectedPayments
from projections.runs.partition_books import PartitionBooks
from projections.runs.payment_months import PaymentMonths
from projections.runs.totals import RunTotals
from streams.cli.run_report import _expected_lines, _expected_object
from streams.kit.errors import UserError
from streams.lis.expected import KEPT_EXPECTED, kept_expected
from streams.lis.inquiry import InquiryError, ask
from streams.operations.run_survey import Survey
from streams.settings import Settings, SettingsError
from streams.upstream.expected_file import read_expected
from streams.upstream.index_conversion import IndexConversion
from streams.upstream.tables import UpstreamTables
from tests.support.lives import RULES
from tests.support.run_books import LAW

DEMO = Settings.load({"REFUSION_DEMO": "1"})
CPR, OTHER = "6101901357", "6201901357"
OWNER, SE = "29189668", "12345678"
CLASS = "0a1b2c3d-0000-4000-8000-00000000000a"
SOURCED = {"source": "test", "evidence": "simulated"}
KOMBIT = "http://www.kombit.dk/int/2022/01/01/"
CONTEXT = "http://kombit.dk/xml/schemas/kontekst/2017/01/01/"


@pytest.fixture
def tables(tmp_path):
    documents = {
        "index_benefits": [
            {"benefit_class": CLASS.upper(), "benefit": "KTH"} | SOURCED,
            {"name": "Boligstøtte", "benefit": None} | SOURCED,
            {"name": "Sygedagpenge", "benefit": "SDP-B"} | SOURCED,
        ],
        "index_owners": [{"owner": OWNER, "reporter": SE} | SOURCED],
        "service": {"index_not_paid": ["Annulleret"]},
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    return tmp_path


def line(amount="1000.00", start="2024-01-01", end="2024-01-31", **said):
    """A line of a payment; `said` takes the place of what it says by itself."""
    told = {"class": CLASS, "name": "Kontanthjælp", "owner": OWNER, "cpr": CPR} | said
    until = f"<OekonomiskYdelseseffektueringPeriodeTil>{end}" if end else ""
    until += "</OekonomiskYdelseseffektueringPeriodeTil>" if end else ""
    return (
        "<OEkonomiskYdelseseffektuering>"
        f"<OekonomiskYdelseseffektueringBeloeb>{amount}</OekonomiskYdelseseffektueringBeloeb>"
        f"<OekonomiskYdelseseffektueringPeriodeFra>{start}"
        f"</OekonomiskYdelseseffektueringPeriodeFra>{until}<BevilgetYdelse><YdelseKlasse>"
        f"<KlasseIdentifikation>{told['class']}</KlasseIdentifikation></YdelseKlasse>"
        f"<YdelseNavn>{told['name']}</YdelseNavn><BevilgetYdelseID>B-1</BevilgetYdelseID>"
        "<BevilgetYdelseEffektueringModtager><PartCPRNummer>6101900000</PartCPRNummer>"
        "</BevilgetYdelseEffektueringModtager><BevillingStruktur><BevillingEjer>"
        f"<VirksomhedCVRNummer>{told['owner']}</VirksomhedCVRNummer></BevillingEjer>"
        f"<Bevillingsmodtager><PartCPRNummer>{told['cpr']}</PartCPRNummer></Bevillingsmodtager>"
        "</BevillingStruktur></BevilgetYdelse></OEkonomiskYdelseseffektuering>"
    )


def payment(number, *lines, status="Udbetalt", last="2024-01-31"):
    return (
        "<OEkonomiskEffektuering><OekonomiskEffektueringStruktur>"
        f"<OekonomiskEffektueringUUID>{number}</OekonomiskEffektueringUUID>"
        f"<OekonomiskEffektueringUdbetalingStatus>{status}</OekonomiskEffektueringUdbetalingStatus>"
        f"<OekonomiskEffektueringSlutDato>{last}</OekonomiskEffektueringSlutDato>"
        "<OEkonomiskEffektueringModtager><PartCVRNummer>11223344</PartCVRNummer>"
        "</OEkonomiskEffektueringModtager></OekonomiskEffektueringStruktur>"
        f"<OEkonomiskYdelseseffektueringListe>{''.join(lines)}"
        "</OEkonomiskYdelseseffektueringListe></OEkonomiskEffektuering>"
    )


def answer(*payments, at="2024-02-05T08:00:00Z"):
    text = (
        f'<EffektueringHent_O xmlns="{KOMBIT}"><k:HovedOplysningerSvar xmlns:k="{CONTEXT}">'
        f"<k:TransaktionsTid>{at}</k:TransaktionsTid></k:HovedOplysningerSvar>"
        f"<OEkonomiskEffektueringListe>{''.join(payments)}</OEkonomiskEffektueringListe>"
        "</EffektueringHent_O>"
    )
    return text.encode()


def converted(tables, *answers):
    """Expected payments, rejects and the summary of answers."""
    names = []
    for number, content in enumerate(answers):
        (tables / f"answer-{number}.xml").write_bytes(content)
        names.append(str(tables / f"answer-{number}.xml"))
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = IndexConversion(DEMO, UpstreamTables(tables), out, rejects)
    conversion.convert(names)
    lines = [[json.loads(text) for text in file.getvalue().splitlines()] for file in (out, rejects)]
    assert conversion.totals.as_object()["difference_ore"] == 0
    assert not any(cpr in out.getvalue().decode() for cpr in (CPR, OTHER))
    return *lines, conversion.totals


def test_a_line_of_a_payment_becomes_an_expected_payment_without_a_cpr_number(tables):
    made, rejects, totals = converted(tables, answer(payment("U-1", line("1234.50"))))
    citizen, _ = DEMO.identity().of(CPR)
    assert not rejects
    (expected,) = made
    assert expected | {"payment": ""} == {
        "schema": 1, "type": "expected_payment", "payment": "", "line": 1, "citizen": citizen,
        "answered_at": "2024-02-05T08:00:00Z", "reporter": SE, "benefit": "KTH",
        "period_start": "2024-01-01", "period_end": "2024-01-31", "amount_ore": 123450,
    }  # fmt: skip
    assert totals.as_object()["expected"] == {"KTH": 1}


def test_what_no_table_decides_is_refused_and_what_was_not_paid_is_told(tables):
    made, rejects, totals = converted(
        tables,
        answer(
            payment("1", line("1", **{"class": "", "name": "Ukendt"})),
            payment("2", line("2", **{"class": "", "name": "Boligstøtte"})),
            payment("3", line("4"), status="Annulleret"),
            payment("4", line("8", owner="")),
            payment("5", line("16", cpr="0000000000")),
            payment("6", line("32", start="2024-02-30")),
            payment("7", line("64", start="2024-02-02", end="2024-02-01")),
            payment("8", line("x")),
            payment(
                "9", line("128", owner="11112222", end="", **{"class": ""}, name="Sygedagpenge")
            ),
            payment("", line("256")),
            payment("10", line("512", start="2013-12-31")),
        ),
    )
    assert [(each["benefit"], each["reporter"], each["amount_ore"]) for each in made] == [
        ("KTH", SE, 0),
        ("SDP-B", "11112222", 12800),
    ]
    assert made[1]["period_end"] == "2024-01-31"
    assert totals.as_object()["expected"] == {"KTH": 1, "SDP-B": 1}
    assert [each["reason"] for each in rejects] == [
        "unknown_benefit_class", "no_owner", "no_cpr", "bad_period", "bad_period", "bad_amount",
        "no_payment_id", "bad_period",
    ]  # fmt: skip
    told = totals.as_object()
    went = {name: told[f"{name}_ore"] for name in ("in", "out", "not_paid", "not_for_refusion")}
    assert went == {"in": 102300, "out": 12800, "not_paid": 400, "not_for_refusion": 200}
    assert (told["owners_as_reporters"], told["unreadable_amounts"]) == (1, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "unsafe_xml"),
        (answer(payment("1", line()))[:-200], "bad_xml"),
        (answer(payment("1", *[line()] * 1001)), "too_large"),
    ],
)
def test_what_cannot_be_read_is_a_reject_and_no_crash(tables, content, reason):
    _, rejects, _ = converted(tables, content)
    assert [each["reason"] for each in rejects] == [reason]


# --- held against what was received ---------------------------------------------------------------


def expected_of(tables, *answers):
    made, _, _ = converted(tables, *answers)
    path = tables / "expected.jsonl"
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in made))
    return read_expected(path, PaymentMonths(LAW))


def received(citizen, number, ore, month="2024-01", reporter=SE):
    start = day(f"{month}-01")
    names = (reporter, number, "KTH", start, start + 27, ore, 0)
    return citizen, Payment(*names, "730", "730", "eindkomst", False, start + 40)


def held(expected, *reports):
    """Fold a journal beside what is expected."""
    fold = PartitionBooks(LAW, 10**9, (), 0, expected)
    for offset, (citizen, report) in enumerate(reports):
        fold.take(offset, citizen, report)
    fold.close(Books())
    return expected


def test_the_latest_answer_about_a_payment_holds_and_the_same_answer_counts_once(tables):
    first = answer(payment("U-1", line("100"), line("100")))
    later = answer(payment("u-1", line("70")), at="2024-02-06T08:00:00Z")
    assert expected_of(tables, first, first).lines()[0].expected_ore == 20000
    assert expected_of(tables, later, first).lines()[0].expected_ore == 7000


def test_what_a_later_answer_says_was_not_paid_is_not_expected_any_more(tables):
    first = answer(payment("U-1", line("100")), payment("U-2", line("30")))
    at = "2024-02-06T08:00:00Z"
    later = answer(payment("U-1", line("100"), status="Annulleret"), at=at)
    expected = expected_of(tables, first, later)
    assert expected.lines()[0].expected_ore == 3000
    assert [each.lacking for each in expected.lines()] == [1]


def test_what_is_lacking_differs_or_was_reversed_is_shown_by_reporter_and_citizen(tables):
    citizens = [DEMO.identity().of(cpr)[0] for cpr in (CPR, OTHER, "6301901357")]
    expected = expected_of(
        tables,
        answer(*(
            payment(str(number), line("100", end="2024-01-28", cpr=cpr))
            for number, cpr in enumerate((CPR, OTHER, "6301901357"))
        )),
    )  # fmt: skip
    assert expected.first_month == month_number("2024-01")
    held(
        expected,
        received(citizens[0], "A", 10000),
        received(citizens[1], "B", 10000),
        (citizens[1], Reversal(SE, "C", "B", 0)),
        received("d" * 32, "D", 500),
        received(citizens[2], "E", 10000, month="2024-02"),
        received(citizens[2], "F", 10000, reporter="87654321"),
    )
    assert expected.lines() == [
        ExpectedLine(SE, "KTH", month_number("2024-01"), 3, 30000, 10500, 3, 2)
    ]
    assert [(each.citizen, each.expected_ore, each.received_ore)
            for each in expected.of_citizens()] == [
        *sorted((citizen, 10000, 0) for citizen in citizens[1:]), ("d" * 32, 0, 500),
    ]  # fmt: skip


def test_a_run_says_what_was_expected_and_nothing_where_nothing_was(tables):
    survey = Survey(Books(), RunTotals(), {}, 0)
    assert (_expected_object(survey), [*_expected_lines(survey)]) == ({}, [])
    survey = survey._replace(expected=expected_of(tables, answer(payment("1", line("100")))))
    first, second = _expected_lines(survey)
    assert "1 benefits and months of reporters, 1 of them otherwise received" in first
    assert "0.00 kr. came, 100.00 kr. was expected" in second
    told = _expected_object(survey)
    assert told["expected"][0]["month"] == told["expected_of_citizens"][0]["month"] == "2024-01"


@pytest.mark.parametrize(
    "text", ['{"type": "expected_payment"}', "nothing", '{"more": ' + "[" * 2_000]
)
def test_a_file_that_is_none_is_told_with_its_line(tables, text):
    path = tables / "expected.jsonl"
    path.write_text(f"{text}\n")
    with pytest.raises(UserError, match=r"REFUSION_EXPECTED.*line 1: not an expected payment"):
        read_expected(path, PaymentMonths(LAW))
    made, _, _ = converted(tables, answer(payment("1", line())))
    path.write_bytes(orjson.dumps(made[0] | {"period_start": "0001-01-01"}))
    with pytest.raises(UserError, match="line 1"):
        read_expected(path, PaymentMonths(LAW))
    with pytest.raises(SettingsError, match="REFUSION_EXPECTED is nowhere"):
        Settings.load({"REFUSION_EXPECTED": "nowhere"}).expected  # noqa: B018
    assert not read_expected(None, PaymentMonths(LAW))


class _Marts:
    """Marts in which two runs are closed."""

    ledger_version = 1

    def need_run(self, run):
        pass

    def rows(self, _sql, _values=()):
        return []

    def remembered(self, _sql, _values=()):
        return [
            (run, "R-1", month, month, month, None)
            for run, month in ((49, "2024-01"), (50, "2024-02"))
        ]


def test_lis_shows_what_each_run_kept_by_reporter_and_by_citizen(tables):
    ledger = str(tables / "ledger")
    citizen, _ = DEMO.identity().of(CPR)
    for run, ore in ((49, 0), (50, 10000)):
        expected = expected_of(tables, answer(payment("1", line("100", end="2024-01-28"))))
        held(expected, *([received(citizen, "A", ore)] if ore else []))
        KEPT_EXPECTED.keep(ledger, run, [*kept_expected(run, expected)])

    def rows(persons=False, **asked):
        question = LisQuestion("forventet", **asked)
        return ask(_Marts(), RULES, question, ledger, {}, persons=persons).rows

    sums = [
        (49, SE, "KTH", "2024-01", 1, 10000, 0, -10000, 1, 1),
        (50, SE, "KTH", "2024-01", 1, 10000, 10000, 0, 0, 0),
    ]
    assert rows() == rows(based_on="of", run=50) == sums
    assert rows(based_on="of", run=49) == rows(based_on="settled", run=49) == sums[:1]
    assert rows(run=50) == sums[1:]
    assert rows(benefit="SDP-B") == rows(month="2024-02") == []
    assert rows(persons=True) == [(49, SE, "KTH", "2024-01", citizen, 10000, 0, -10000)]
    with pytest.raises(InquiryError, match="no rows by municipality"):
        rows(municipality="730")


def test_nothing_is_expected_where_nothing_was_given():
    assert not ExpectedPayments()
    assert ExpectedPayments().first_month is None


def test_what_was_paid_to_a_former_number_is_held_against_the_new_one(tables):
    """Payment systems go on naming the number that they have, in whichever partition it is."""
    former, new = (DEMO.identity().of(cpr)[0] for cpr in (CPR, OTHER))
    paid = answer(payment("1", line("100", end="2024-01-28", cpr=CPR)))
    expected = expected_of(tables, paid)
    _, report = received(former, "A", 10000)
    held(expected, (former, report), (former, Move("m", new, "s")))
    held(expected, (new, Join("m", former, "s")), (new, Copy(report, "m")))
    assert expected.lines() == [
        ExpectedLine(SE, "KTH", month_number("2024-01"), 1, 10000, 10000, 0, 0)
    ]
    assert expected.of_citizens() == []
