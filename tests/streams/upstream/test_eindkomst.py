"""Answers of eIndkomst become reports: the same ones in any order, with every øre accounted for."""

import gzip
import io
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from streams.kit.errors import UserError
from streams.offline.settle import settle
from streams.settings import Settings
from streams.upstream.answers import AnswerReader
from streams.upstream.bounded_xml import XmlTrouble
from streams.upstream.conversion import AnswerConversion, ConversionTotals
from streams.upstream.lines import PeriodReports
from streams.upstream.simulated_answers import NAMESPACE
from streams.upstream.tables import UpstreamTables
from streams.wire.validator import Validator
from tests.support.lives import RULES

DEMO = Settings.load({"REFUSION_DEMO": "1"})
CPR, OTHER = "6101901357", "6201901357"
SE, FUND, FIRM = "12345678", "30000001", "55667788"
SOURCED = {"source": "test", "evidence": "simulated"}


@pytest.fixture
def folder(tmp_path):
    """Tables of one's own: a municipality, a fund, one account, and where a person lived."""
    documents = {
        "service": {"reversed_report": "marked"},
        "reporters": [
            {"se": SE, "reporter": "municipality", "municipality": "730"} | SOURCED,
            {"se": FUND, "reporter": "a_kasse"} | SOURCED,
        ],
        "accounts": [{"account": "0115", "benefit": "KTH"} | SOURCED],
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))
    moves = f"cpr;municipality;from\n{CPR};751;2020-01-01\n{CPR};730;2024-01-16\n"
    (tmp_path / "residence.csv").write_text(moves)
    return tmp_path


def blanket(number, fields, below=""):
    texts = "".join(
        f"<Felt><BlanketFeltNummerIdentifikator>{100000000000000000 + field}"
        f"</BlanketFeltNummerIdentifikator><AngivelseFeltIndholdTekst>{text}"
        "</AngivelseFeltIndholdTekst></Felt>"
        for field, text in fields
    )
    return (
        f"<AngivelseNiveau1><BlanketNummerIdentifikator>{number}</BlanketNummerIdentifikator>"
        f"<AngivelseFeltSamling>{texts}</AngivelseFeltSamling>"
        f"<UnderAngivelseSamling>{below}</UnderAngivelseSamling></AngivelseNiveau1>"
    )


def period(*blankets, se=SE, report="A-1", start="2024-01-01", end="2024-01-31"):
    return (
        "<IndberetningPligtigVirksomhed><VirksomhedSENummerIdentifikator>"
        f"{se}</VirksomhedSENummerIdentifikator><LoenPeriodeOplysningStruktur>"
        f"<AngivelseVirksomhedEgenIdentifikator>{report}</AngivelseVirksomhedEgenIdentifikator>"
        f"<AngivelsePeriode><StartDate>{start}</StartDate><EndDate>{end}</EndDate>"
        f"</AngivelsePeriode>{''.join(blankets)}</LoenPeriodeOplysningStruktur>"
        "</IndberetningPligtigVirksomhed>"
    )


def answer(*persons, head='<?xml version="1.0" encoding="UTF-8"?>', namespace=NAMESPACE):
    inside = "".join(
        "<IndkomstOplysningPersonStruktur><PersonCivilRegistrationIdentifier>"
        f"{cpr}</PersonCivilRegistrationIdentifier>{''.join(periods)}"
        "</IndkomstOplysningPersonStruktur>"
        for cpr, *periods in persons
    )
    return (
        f'{head}<Svar xmlns="{namespace}"><HovedOplysningerSvar><TransaktionTid>'
        f"2024-02-05T08:00:00+01:00</TransaktionTid></HovedOplysningerSvar>{inside}</Svar>"
    )


def refund(*lines, art="0041", income=(), head=((11, "I"), (12, "6"))):
    """The blankets of one person and indtægtsart."""
    below = blanket("16001", income) + "".join(blanket("16300", line) for line in lines)
    return blanket("11000", head) + blanket("16000", [(19, art)], below)


LINE = ((58, "12000.00"), (202, "0115"), (203, "20240101-20240131"), (205, CPR))


def converted(folder, *answers):
    """Reports, rejects and summary of answers, each a text or bytes."""
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = AnswerConversion(DEMO, UpstreamTables(folder), out, rejects)
    for number, text in enumerate(answers):
        path = Path(folder) / f"given-{number}.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        conversion.convert([str(path)])
    reports, refused = ([json.loads(x) for x in f.getvalue().splitlines()] for f in (out, rejects))
    summary = conversion.totals.as_object()
    assert summary["difference_ore"] == 0, summary
    return reports, refused, summary


def one(folder, *blankets, **others):
    (report,), refused, _ = converted(folder, answer((CPR, period(*blankets, **others))))
    assert refused == []
    return report


def reasons(folder, text):
    reports, refused, _ = converted(folder, text)
    assert reports == []
    assert all(CPR not in json.dumps(each) for each in refused)
    return [each["reason"] for each in refused]


def test_a_line_of_blanket_16300_becomes_a_payment_that_is_valid(folder):
    report = one(folder, refund(LINE, income=((58, "12000.00"), (199, "90.00"))))
    assert {name: report[name] for name in report if name != "report_id"} == {
        "schema": 2, "type": "benefit_payment", "group": "A-1", "reporter": SE, "cpr": CPR,
        "reported_at": "2024-02-05T07:00:00Z", "benefit": "KTH", "period_start": "2024-01-01",
        "period_end": "2024-01-31", "amount_ore": 1_200_000, "atp_ore": 9_000,
        "paying_municipality": "730", "financing_municipality": "730", "channel": "eindkomst",
        "outside_act": False,
    }  # fmt: skip
    assert hasattr(Validator(RULES, demo=True).parse(json.dumps(report).encode()), "report")


def test_ids_are_made_from_content_whatever_the_order(folder):
    lines: list[Any] = [((58, f"{n}.00"), *LINE[1:]) for n in (7, 8, 8, 9)]
    lines.append(((58, "5.00"), (202, "0115"), (203, "20240101-20240107")))
    people = [
        (OTHER, period(refund(*lines), report="B")),
        (CPR, period(refund(*lines[:2])), period(refund(*lines), report="C")),
    ]
    expected = sorted(map(str, converted(folder, answer(*people))[0]))
    assert len(set(expected)) == len(expected) == 12
    rng = random.Random(4)
    for _ in range(5):
        rng.shuffle(lines)
        people = [
            (
                CPR,
                period(refund(*lines), report="C"),
                period(refund(*sorted(lines)[:0]), report="A"),
            ),
            (OTHER, period(refund(*lines), report="B")),
        ]
        again = {str(each) for each in converted(folder, answer(*people))[0]}
        assert again <= set(expected)
        assert len(again) == 10


def test_several_lines_share_the_atp_by_amount_to_the_ore(folder):
    lines = [((58, "100.00"), *LINE[1:]), ((58, "200.00"), *LINE[1:])]
    given = answer((CPR, period(refund(*lines, income=((199, "1.00"),)))))
    reports, _, _ = converted(folder, given)
    assert sorted((each["amount_ore"], each["atp_ore"]) for each in reports) == [
        (10_000, 33),
        (20_000, 67),
    ]


@pytest.mark.parametrize(("atp", "amounts"), [("1.00", (100, -200)), ("-1.00", (-100, 200))])
def test_atp_of_another_sign_than_all_amounts_is_refused_and_not_lost(folder, atp, amounts):
    lines = [((58, f"{kroner}.00"), *LINE[1:]) for kroner in amounts]
    alone = answer((CPR, period(refund(lines[1], income=((199, atp),)))))
    assert reasons(folder, alone) == ["bad_amount"]
    both = answer((CPR, period(refund(lines[1], lines[1], income=((199, atp),)))))
    reports, refused, summary = converted(folder, both)
    assert reports == []
    assert {(each["reason"], each["field"]) for each in refused} == {("bad_amount", "atp_ore")}
    assert summary["explained_ore"]["rejected"] == 2 * amounts[1] * 100


@pytest.mark.parametrize(
    ("atp", "expected"),
    [
        ("10.00", [(-20_000, 0), (30_000, 231), (100_000, 769)]),
        ("-10.00", [(-20_000, -1_000), (30_000, 0), (100_000, 0)]),
    ],
)
def test_lines_of_the_atps_sign_alone_share_it(folder, atp, expected):
    lines = [((58, f"{kroner}.00"), *LINE[1:]) for kroner in (1000, -200, 300)]
    given = answer((CPR, period(refund(*lines, income=((199, atp),)))))
    reports, refused, _ = converted(folder, given)
    assert refused == []
    assert sorted((each["amount_ore"], each["atp_ore"]) for each in reports) == expected


def test_what_the_account_alone_decides_stays_undecided_without_it(folder):
    unknown = (LINE[0], (202, "9999"), *LINE[2:])
    assert reasons(folder, answer((CPR, period(refund(unknown))))) == ["unknown_account"]
    by_type = answer((CPR, period(refund((LINE[0], *LINE[2:]), art="0087"))))
    (report,), _, summary = converted(folder, by_type)
    assert report["benefit"] == "UDH"
    assert summary["mapped_by_type"] == {"UDH": 1}


def test_residence_gives_the_financing_municipality_by_days(folder):
    line = ((58, "3100.00"), (203, "20240101-20240131"))
    reports, _, summary = converted(
        folder, answer((CPR, period(refund(line, art="0005"), se=FUND)))
    )
    assert [
        (each["financing_municipality"], each["period_end"], each["amount_ore"]) for each in reports
    ] == [("751", "2024-01-15", 150_000), ("730", "2024-01-31", 160_000)]
    assert {each["paying_municipality"] for each in reports} == {None}
    assert len({each["report_id"] for each in reports}) == 2
    assert summary["split_periods"] == 1
    nobody = answer((OTHER, period(refund(line, art="0005"), se=FUND)))
    assert reasons(folder, nobody) == ["unknown_residence"]


def test_a_period_over_366_days_is_split_year_by_year_by_days(folder):
    line = ((58, "1000.01"), (202, "0115"), (203, "20210301-20230228"))
    reports, _, _ = converted(folder, answer((CPR, period(refund(line)))))
    assert [each["period_end"] for each in reports] == ["2021-12-31", "2022-12-31", "2023-02-28"]
    assert sum(each["amount_ore"] for each in reports) == 100_001


@pytest.mark.parametrize(
    ("shown", "types"),
    [("marked", ["reversal"]), ("negative", ["benefit_payment"]), ("left_out", [])],
)
def test_a_reversed_report_is_read_as_the_service_shows_it(folder, shown, types):
    (folder / "service.yaml").write_text(f"reversed_report: {shown}\n")
    head = ((11, "T"), (12, "6"))
    given = answer((CPR, period(refund(LINE, LINE, head=head))))
    reports, refused, summary = converted(folder, given)
    assert sorted({each["type"] for each in reports}) == types
    assert refused == []
    if shown == "marked":
        (report,) = reports
        assert report["reverses_group"] == "A-1"
        assert summary["explained_ore"]["reversals"] == 2_400_000


def test_nothing_starts_where_it_is_not_set_how_a_reversed_report_is_shown(folder):
    (folder / "service.yaml").unlink()
    with pytest.raises(UserError, match="reversed_report"):
        AnswerConversion(DEMO, UpstreamTables(folder), io.BytesIO(), None)


def test_wages_come_from_blanket_16001_with_the_pension_apart(folder):
    below = blanket("16001", [(57, "30000.00"), (197, "1000.00"), (198, "2000.00")])
    wage = blanket("11000", [(11, "I"), (12, "0")]) + blanket("16000", [(19, "0001")], below)
    report = one(folder, wage, se=FIRM)
    assert (report["type"], report["kind"]) == ("income", "wage")
    assert (report["amount_ore"], report["pension_ore"]) == (3_000_000, 300_000)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (((58, "1.00"), (70, "1.00"), *LINE[1:]), "ambiguous_amount"),
        (LINE[1:], "no_amount"),
        (((58, "1,00"), *LINE[1:]), "bad_amount"),
        (((58, "1.005"), *LINE[1:]), "bad_amount"),
        ((*LINE[:2], (203, "uge 7")), "bad_period"),
        ((*LINE[:3], (205, "0000000000")), "no_cpr"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_reason(folder, line, reason):
    assert reasons(folder, answer((CPR, period(refund(line))))) == [reason]


def test_a_repayment_counts_negative_and_an_unknown_blanket_is_told(folder):
    line = ((95, "100.00"), *LINE[1:])
    given = answer((CPR, period(refund(line), blanket("19999", [(1, "x")]))))
    (report,), _, summary = converted(folder, given)
    assert report["amount_ore"] == -10_000
    assert summary["unknown_blankets"] == {"19999": 1}


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]>'
WHOLE = answer((CPR, period(refund(LINE))), (CPR, period(refund(LINE), report="B")))


@pytest.mark.parametrize(
    ("given", "reason", "number"),
    [
        (answer((CPR, period(refund(LINE))), head=BOMB), "unsafe_xml", 0),
        (WHOLE[:-30], "bad_xml", 2),
        (WHOLE[: len(WHOLE) // 2], "bad_xml", 0),
        (WHOLE.replace("B<", "\xe6<").encode("latin-1"), "bad_xml", 1),
        (b"", "bad_xml", 0),
        ("<a>" * 100, "too_deep", 0),
        (f"<a>{'x' * 5000}</a>", "too_large", 0),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "bad_xml", 0),
    ],
)
def test_bad_xml_is_refused_with_what_stood_before_it_converted(folder, given, reason, number):
    reports, refused, _ = converted(folder, given)
    assert [each["reason"] for each in refused] == [reason]
    assert len(reports) == number


def test_other_encodings_and_a_byte_order_mark_are_read(folder):
    plain = WHOLE.replace(">B<", ">æ<")
    latin = plain.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    expected = converted(folder, plain)[0]
    assert len(expected) == 2
    assert converted(folder, latin)[0] == expected
    assert converted(folder, b"\xef\xbb\xbf" + plain.encode())[0] == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "windows-1252"])
def test_an_encoding_that_is_declared_rightly_is_read(folder, encoding):
    plain = WHOLE.replace(">B<", ">æ<")
    declared = plain.replace("UTF-8", encoding.partition("-le")[0].partition("-be")[0])
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    given = marks.get(encoding, b"") + declared.encode(encoding)
    assert converted(folder, given)[0] == converted(folder, plain)[0]


@pytest.mark.parametrize(
    "given",
    [
        WHOLE.encode("utf-16-le"),  # declared as UTF-8, and no byte order mark
        WHOLE.replace("UTF-8", "UTF-16").encode(),
        b"\xff\xfe" + WHOLE.encode(),
        WHOLE.replace("B<", "\xe6\xf8<").encode("latin-1"),
        WHOLE.replace("UTF-8", "UTF-32").encode("utf-32"),
        WHOLE.replace("UTF-8", "utf-7").encode(),
    ],
)
def test_an_encoding_that_is_declared_wrongly_is_a_reject(folder, given):
    reports, refused, _ = converted(folder, given)
    assert [each["reason"] for each in refused] == ["bad_xml"]
    assert len(reports) < 2


def test_an_answer_that_is_cut_off_anywhere_is_a_reject_and_loses_nothing_before(folder):
    whole, given = converted(folder, WHOLE)[0], WHOLE.encode()
    for at in range(60, len(given) - 1, 151):
        reports, refused, _ = converted(folder, given[:at])
        assert [each["reason"] for each in refused] == ["bad_xml"]
        assert reports == whole[: given[:at].count(b"</LoenPeriodeOplysningStruktur>")]


def test_elements_are_known_by_the_uri_of_their_namespace(folder):
    other = answer((CPR, period(refund(LINE))), namespace="http://example.org/")
    assert converted(folder, other)[0] == []
    prefixed = WHOLE.replace("</", "</e:").replace("<", "<e:").replace("<e:/e:", "</e:")
    prefixed = prefixed.replace("<e:?", "<?").replace("xmlns=", "xmlns:e=")
    assert converted(folder, prefixed)[0] == converted(folder, WHOLE)[0]


def test_archives_and_folders_are_read(folder, tmp_path):
    given = tmp_path / "answers"
    given.mkdir()
    with ZipFile(given / "a.zip", "w") as archive:
        archive.writestr("one.xml", WHOLE)
    (given / "b.xml.gz").write_bytes(gzip.compress(WHOLE.encode()))
    (given / "c.xml").write_text(WHOLE)
    out = io.BytesIO()
    AnswerConversion(DEMO, UpstreamTables(folder), out, None).convert([str(given)])
    assert len(out.getvalue().splitlines()) == 6
    assert len(set(out.getvalue().splitlines())) == 2


def settled_money(*conversions):
    """Give what stands in the postings, by financing municipality and benefit; none is rejected."""
    lines = [json.dumps(each).encode() for reports in conversions for each in reports]
    postings, rejects = io.BytesIO(), io.BytesIO()
    settle(lines, DEMO, 1, postings, rejects)
    assert rejects.getvalue() == b""
    sums: Counter[Any] = Counter()
    for message in map(json.loads, postings.getvalue().splitlines()):
        for row in message["rows"]:
            sums[row["financing"], row["benefit"]] += row["amount_ore"]
    return {place: ore for place, ore in sums.items() if ore}


DAGPENGE = ((58, "3100.00"), (203, "20240101-20240131"))


def test_a_line_whose_person_moved_later_known_is_paid_once(folder):
    given = answer((CPR, period(refund(DAGPENGE, art="0005"), se=FUND)))
    parts = {("751", "ADP"): 150_000, ("730", "ADP"): 160_000}
    table = folder / "residence.csv"
    late = table.read_text()
    table.write_text(late.splitlines(keepends=True)[0] + f"{CPR};751;2020-01-01\n")
    before, _, _ = converted(folder, given)
    assert settled_money(before) == {("751", "ADP"): 310_000}
    table.write_text(late)
    after, _, summary = converted(folder, given)
    assert summary["replaced_lines"] == 1
    assert settled_money(before, after) == settled_money(after, before) == parts
    again, _, _ = converted(folder, given)
    assert again == after
    table.write_text(late.replace("2024-01-16", "2024-01-11"))
    moved, _, _ = converted(folder, given)
    table.write_text(late)
    back, _, _ = converted(folder, given)
    assert settled_money(before, after, moved, back) == parts
    assert settled_money(back, moved, after, before) == parts


def test_a_line_whose_account_gets_another_benefit_is_paid_once(folder):
    given = answer((CPR, period(refund(LINE))))
    before, _, _ = converted(folder, given)
    for benefit, found in (("UDH", {("730", "UDH"): 1_200_000}), (None, {})):
        art = {"reporter": "municipality", "income_type": "6", "indtaegtsart": "0041"}
        (folder / "by_type.yaml").write_text("[]")
        row = {"account": "0115", "benefit": benefit} | SOURCED
        (folder / "accounts.yaml").write_text(yaml.safe_dump([row]))
        after, refused, _ = converted(folder, given)
        if benefit is None:
            assert [each["reason"] for each in refused] == ["unknown_account"], art
        else:
            assert settled_money(before, after) == found


def test_what_lines_became_is_kept_only_where_all_was_written(folder):
    given = answer((CPR, period(refund(DAGPENGE, art="0005"), se=FUND)))

    class Broken(io.BytesIO):
        def flush(self):
            raise BrokenPipeError

    path = folder / "given.xml"
    path.write_text(given)
    with pytest.raises(BrokenPipeError):
        AnswerConversion(DEMO, UpstreamTables(folder), Broken(), None).convert([str(path)])
    moves = (folder / "residence.csv").read_text()
    (folder / "residence.csv").write_text(moves.replace("2024-01-16", "2024-01-11"))
    reports, _, summary = converted(folder, given)
    assert {each["type"] for each in reports} == {"benefit_payment"}
    assert summary["replaced_lines"] == 0


def two_groups(mark, art="0087"):
    """A report with two indtægtsarter, of which the second may be marked as reversed."""
    other = blanket("16300", [(58, "500.00"), (203, "20240101-20240131")])
    marked = blanket("16000", [(19, art), *mark], other)
    return answer((CPR, period(refund(LINE), marked)))


def test_a_16000_marked_as_reversed_takes_back_its_own_lines_alone(folder):
    whole, _, _ = converted(folder, two_groups(()))
    assert settled_money(whole) == {("730", "KTH"): 1_200_000, ("730", "UDH"): 50_000}
    marked, refused, summary = converted(folder, two_groups(((21, "1"),)))
    assert refused == []
    assert summary["explained_ore"]["reversals"] == 50_000
    left = {("730", "KTH"): 1_200_000}
    assert settled_money(whole, marked) == settled_money(marked, whole) == left
    assert settled_money(marked) == left


def test_a_line_beside_its_own_reversal_counts_nothing(folder):
    line = blanket("16300", LINE)
    both = [blanket("16000", [(19, "0041"), *mark], line) for mark in ((), ((21, "1"),))]
    head = blanket("11000", [(11, "I"), (12, "6")])
    reports, _, _ = converted(folder, answer((CPR, period(head, *both))))
    assert settled_money(reports) == {}


def test_an_empty_16000_marked_as_reversed_beside_lines_is_refused(folder):
    empty = blanket("16000", [(19, "0087"), (21, "1")])
    (report,), (refused,), _ = converted(folder, answer((CPR, period(refund(LINE), empty))))
    assert report["benefit"] == "KTH"
    assert refused["reason"] == "unclear_reversal"


def test_a_reversal_shown_with_negative_amounts_takes_its_original_back(folder):
    (folder / "service.yaml").write_text("reversed_report: negative\n")
    original = answer((CPR, period(refund(LINE))))
    negative = ((58, "-12000.00"), *LINE[1:])
    taken = answer((CPR, period(refund(negative, head=((11, "T"), (12, "6"))))))
    reports = converted(folder, original)[0], converted(folder, taken)[0]
    assert settled_money(*reports) == settled_money(*reversed(reports)) == {}


def test_no_16001_and_no_16300_is_lost_wherever_it_stands(folder):
    incomes = [blanket("16001", [(57, f"{kroner}.00")]) for kroner in (100, 20)]
    head = blanket("11000", [(11, "I"), (12, "0")])
    wages = blanket("16000", [(19, "0001")], "".join(incomes)) + blanket("16001", [(57, "3.00")])
    reports, _, summary = converted(folder, answer((CPR, period(head, wages, se=FIRM))))
    assert sorted(each["amount_ore"] for each in reports) == [300, 2_000, 10_000]
    assert summary["in_ore"] == {"057": 12_300}
    outside = answer((CPR, period(refund(LINE), blanket("16300", ((58, "1.00"), *LINE[1:])))))
    reports, _, _ = converted(folder, outside)
    assert sorted(each["amount_ore"] for each in reports) == [100, 1_200_000]
    atps = [blanket("16001", [(58, "60.00"), (199, ore)]) for ore in ("1.00", "2.00")]
    both = blanket("16000", [(19, "0041")], "".join(atps) + blanket("16300", LINE))
    (report,), _, summary = converted(folder, answer((CPR, period(head, both))))
    assert report["atp_ore"] == 300
    assert summary["explained_ore"]["beside_16300"] == 12_000


def test_a_line_is_refused_where_it_is_unclear_which_11000_holds_for_it(folder):
    heads = [blanket("11000", [(11, mark), (12, "6")]) for mark in "IT"]
    line = blanket("16000", [(19, "0041")], blanket("16300", LINE))
    assert reasons(folder, answer((CPR, period(*heads, line)))) == ["ambiguous_report"]
    below = blanket("11000", [(11, "I"), (12, "6")], line)
    (report,), _, _ = converted(folder, answer((CPR, period(heads[0], below))))
    assert report["benefit"] == "KTH"


@pytest.mark.parametrize("time", ["2024-13-05T08:00:00", "2024-02-05T08:00:00+99:00"])
def test_an_answer_with_a_time_that_does_not_exist_is_told_so(folder, time):
    given = answer((CPR, period(refund(LINE)))).replace("2024-02-05T08:00:00+01:00", time)
    (refused,) = converted(folder, given)[1]
    assert (refused["reason"], refused["field"]) == ("no_time", "reported_at")


def test_fields_that_are_not_known_are_counted_and_told(folder):
    given = answer((CPR, period(refund((*LINE, (333, "x")), income=((59, "1.00"), (218, "2"))))))
    summary = converted(folder, given)[2]
    assert summary["unknown_fields"] == {"16001/218": 1, "16300/333": 1}


class Endless(io.BytesIO):
    """An answer that never ends; reading more than a few megabytes of it is an error."""

    def __init__(self, head, repeated):
        super().__init__()
        self._left = head.encode()
        self._repeated, self._number = repeated, 0
        self.given = 0

    def read(self, size=-1, /):
        while len(self._left) < size:
            many = [self._repeated.replace("{n}", str(self._number + at)) for at in range(500)]
            self._left += "".join(many).encode()
            self._number += 500
        piece, self._left = self._left[:size], self._left[size:]
        self.given += len(piece)
        assert self.given < 8_000_000, "it is read without an end"
        return piece


PERSON = f'<a xmlns="{NAMESPACE}"><IndkomstOplysningPersonStruktur>'


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        ("<a", "a"),
        ("<a><!--", "x"),
        ("<a><?b ", "x"),
        ("<a b='", "x"),
        ("<a>", "<b{n}/>"),
        ("<a>", "<b c{n}=''/>"),
        ("<a>", "<b xmlns:c{n}='d'/>"),
        (f"{PERSON}<LoenPeriodeOplysningStruktur>", "<AngivelseNiveau1></AngivelseNiveau1>"),
        (
            f"{PERSON}<LoenPeriodeOplysningStruktur>",
            "<AngivelseFeltIndholdTekst>1</AngivelseFeltIndholdTekst>",
        ),
    ],
)
def test_nothing_without_an_end_is_gathered(head, repeated):
    reader = AnswerReader(lambda _period: None)
    with pytest.raises(XmlTrouble) as caught:
        reader.read(Endless(head, repeated))
    assert caught.value.reason == "too_large"


def test_endless_numbers_of_persons_are_forgotten():
    text = "<PersonCivilRegistrationIdentifier>1</PersonCivilRegistrationIdentifier>" * 1000
    reader = AnswerReader(lambda _period: None)
    with pytest.raises(XmlTrouble):
        reader.read(io.BytesIO((PERSON + text).encode()))
    assert sum(map(len, reader._scopes.values())) == 1


@pytest.mark.parametrize("lost_ore", [100_00, -1])
def test_a_report_whose_money_is_not_that_of_its_line_shows_in_the_difference(lost_ore):
    totals = ConversionTotals()
    held, explained = Counter({"058": 1_200_300}), Counter({"rejected": 300})
    report = {"type": "benefit_payment", "benefit": "KTH", "amount_ore": 1_200_000 - lost_ore}
    totals.take(PeriodReports([report], held, explained, Counter(), []))
    assert totals.as_object()["difference_ore"] == lost_ore
