"""Lines that pay otherwise never share an id, in whatever order and pull their answers are read."""

import io
import random
import sqlite3
from typing import Any

import pytest

from domain.basics.weeks import day
from streams.upstream import answers, line_ids
from streams.upstream.answers import AnswerReader
from streams.upstream.bounded_xml import XmlTrouble
from streams.upstream.kept_lines import FILE, KeptLines
from tests.streams.upstream.test_eindkomst import (
    CPR,
    LINE,
    OTHER,
    SE,
    answer,
    blanket,
    converted,
    folder,
    period,
    refund,
    settled_money,
)

__all__ = ["folder"]  # the fixture


def line(kroner, account="0115", **others):
    own = {58: f"{kroner}.00", 202: account, 203: "20240101-20240131", 205: CPR}
    return tuple((own | others).items())


def more(text, **elements):
    """Add elements to a reported period, before its blankets."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    return text.replace("</AngivelsePeriode>", f"</AngivelsePeriode>{inside}")


def disposed(text, day):
    return more(text, IndkomstPersonGruppeDispositionDato=day)


def employed(text, number):
    return more(text, AnsaettelseforholdMedarbejderIdentifikator=number)


def paid(folder, *answers):
    """Give the ids and amounts of payments, each answer converted as a pull of its own."""
    found = []
    for text in answers:
        reports, refused, _ = converted(folder, text)
        assert refused == []
        found += [(each["report_id"], each["amount_ore"]) for each in reports]
    return found


PAIRS = {
    "two amounts of one place": (period(refund(line(1000))), period(refund(line(2000)))),
    "one amount and other ATP": (
        period(refund(line(1000), income=((199, "9.00"),))),
        period(refund(line(1000), income=((199, "8.00"),))),
    ),
    "shares of other ATP": (
        period(refund(line(1000), line(2000), income=((199, "9.00"),))),
        period(refund(line(1000), line(500), income=((199, "9.00"),))),
    ),
    "two days of disposition": (
        disposed(period(refund(line(1000))), "2024-01-31"),
        disposed(period(refund(line(1000))), "2024-02-10"),
    ),
    "two employments": (
        employed(period(refund(line(1000))), "7"),
        employed(period(refund(line(1000))), "8"),
    ),
    "two income types": (
        period(refund(line(1000))),
        period(refund(line(1000), head=((11, "I"), (12, "4")))),
    ),
    "two periods that are the same": (period(refund(line(1000))), period(refund(line(1000)))),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_two_periods_of_one_report_are_paid_each_in_any_order(folder, pair):
    one, other = pair
    both = paid(folder, answer((CPR, one, other)))
    assert len({report_id for report_id, _ in both}) == len(both)
    assert sorted(paid(folder, answer((CPR, other, one)))) == sorted(both)
    if one != other:  # in two pulls; what is the same is there again then
        assert sorted(paid(folder, answer((CPR, one)), answer((CPR, other)))) == sorted(both)
    whole, _, _ = converted(folder, answer((CPR, one, other)))
    assert settled_money(whole) == {("730", "KTH"): sum(ore for _, ore in both)}
    assert settled_money(whole, whole) == settled_money(whole)


def test_a_line_has_its_id_whatever_stands_beside_it(folder):
    lines = [line(1000), line(2000), line(2000, account="9115"), line(2000)]
    row = {"account": "9115", "benefit": "UDH", "source": "test", "evidence": "simulated"}
    with (folder / "accounts.yaml").open("a") as file:
        file.write(f"- {row}\n")
    together = paid(folder, answer((CPR, period(refund(*lines)))))
    assert len({report_id for report_id, _ in together}) == 4
    assert [*paid(folder, answer((CPR, period(refund(lines[1])))))] == [
        next(each for each in together if each[1] == 200_000)
    ]
    alone = {each for one in lines for each in paid(folder, answer((CPR, period(refund(one)))))}
    assert len(alone) == 3  # the second of two equal ones is known by its number alone
    assert alone < set(together)


def test_pulls_of_any_cut_and_order_pay_each_line_once(folder):
    """Each of 60 lines is paid once, whatever pulls its report is read by."""
    rng = random.Random(20)
    periods, due = [], 0
    for number in range(30):
        kroner = [rng.randint(1, 3) for _ in range(rng.randint(1, 3))]
        due += sum(kroner) * 100
        own = period(refund(*map(line, kroner), income=((58, "1.00"),)))
        periods.append(disposed(own, f"2024-01-{number + 1:02d}"))
    known = converted(folder, answer((CPR, *periods)))[0]
    assert settled_money(known) == {("730", "KTH"): due}
    for _ in range(3):
        rng.shuffle(periods)
        cut = rng.randint(1, 29)
        pulls = periods[:cut], periods[cut:], rng.sample(periods, 7)
        read = [converted(folder, answer((CPR, *own)))[0] for own in pulls]
        assert settled_money(*read, known) == {("730", "KTH"): due}


def test_equal_lines_are_counted_within_a_person_of_an_answer_alone(folder):
    own = period(refund(((58, "1000.00"), (202, "0115"), (203, "20240101-20240131"))))
    reports, _, _ = converted(folder, answer((CPR, own), (OTHER, own)))
    assert len({each["report_id"] for each in reports}) == 1
    again, _, _ = converted(folder, answer((CPR, own)))
    assert again == reports[:1]


def test_an_id_is_made_of_no_cpr_number(folder):
    one, other = (
        employed(period(refund(line(1000))), number) for number in (CPR, f"{CPR[:6]}-{CPR[6:]}")
    )
    first, second = (paid(folder, answer((CPR, each))) for each in (one, other))
    assert first == second == paid(folder, answer((CPR, period(refund(line(1000))))))


def test_a_marked_line_takes_back_its_own_report_among_periods_of_one_id(folder):
    def both(*mark):
        marked = blanket("16000", [(19, "0041"), *mark], blanket("16300", line(2000)))
        stands = blanket("16000", [(19, "0041")], blanket("16300", line(1000)))
        head = blanket("11000", [(11, "I"), (12, "6")])
        return answer((CPR, period(refund(line(2000))), period(head, stands, marked)))

    whole, _, _ = converted(folder, both())
    assert settled_money(whole) == {("730", "KTH"): 500_000}
    later, _, _ = converted(folder, both((21, "1")))
    assert settled_money(whole, later) == settled_money(later, whole)
    assert settled_money(whole, later)["730", "KTH"] in (100_000, 300_000)
    assert settled_money(later) == settled_money(whole, later) == {("730", "KTH"): 300_000}


def marked(*lines):
    """The blankets of lines below a 16000 that is marked as reversed."""
    below = "".join(blanket("16300", each) for each in lines)
    head = blanket("11000", [(11, "I"), (12, "6")])
    return head + blanket("16000", [(19, "0041"), (21, "1")], below)


def test_a_marked_period_leaves_other_periods_of_its_report_alone(folder):
    stands = period(refund(line(1000)))
    whole, _, _ = converted(folder, answer((CPR, stands, period(refund(line(2000))))))
    later, refused, _ = converted(folder, answer((CPR, stands, period(marked(line(2000))))))
    assert refused == []
    assert not any("reverses_group" in each for each in later)
    left = {("730", "KTH"): 100_000}
    assert (
        settled_money(whole, later) == settled_money(later, whole) == settled_money(later) == left
    )


@pytest.mark.parametrize("marked_ones", [1, 2])
def test_a_marked_line_leaves_its_equals_in_other_periods_alone(folder, marked_ones):
    """Equal lines in three periods, the last of which are marked later, or first seen so."""
    stands, taken = period(refund(line(2000))), period(marked(line(2000)))
    whole, _, _ = converted(folder, answer((CPR, *[stands] * 3)))
    assert settled_money(whole) == {("730", "KTH"): 600_000}
    left = {("730", "KTH"): 600_000 - marked_ones * 200_000}
    shown = [stands] * (3 - marked_ones) + [taken] * marked_ones
    for periods in (shown, [*reversed(shown)]):
        later, _, summary = converted(folder, answer((CPR, *periods), (OTHER, stands)))
        assert summary["explained_ore"]["reversals"] == marked_ones * 200_000
        assert settled_money(whole, later) == settled_money(later, whole) == left
        (folder / FILE).unlink()
        assert settled_money(converted(folder, answer((CPR, *periods)))[0]) == left


def test_a_marked_line_at_the_end_of_a_file_is_taken_back_or_refused(folder):
    unknown = line(2000, account="9999")
    given = answer((CPR, period(marked(line(2000), unknown))))
    (report,), (refused,), summary = converted(folder, given)
    assert report["type"] == "reversal"
    assert (refused["reason"], refused["line"]) == ("unknown_account", 1)
    assert summary["explained_ore"]["rejected"] == 200_000


def test_a_person_whose_number_stands_before_each_employer_is_one_person(folder):
    number = f"<PersonCivilRegistrationIdentifier>{CPR}</PersonCivilRegistrationIdentifier>"
    own = period(refund(line(1000)))
    reports, _, _ = converted(folder, answer((CPR, own, number, own)))
    assert len({each["report_id"] for each in reports}) == 2


def test_persons_whose_numbers_stand_in_their_periods_are_counted_each(folder, monkeypatch):
    monkeypatch.setattr(answers, "MOST_PERIODS", 3)
    tag = "PersonCivilRegistrationIdentifier"
    inside = [more(period(refund(LINE)), **{tag: cpr}) for cpr in [CPR] * 3 + [OTHER] * 3]
    found: list[Any] = []
    text = answer(("0000000000", *inside))
    AnswerReader(found.append).read(io.BytesIO(text.encode()))
    assert [each.cpr for each in found] == [CPR] * 3 + [OTHER] * 3
    assert len({id(each.person) for each in found}) == 2
    for own in (period(refund(line(1000))), period(refund(line(2000)))):
        alone = more(own, **{tag: CPR})
        assert paid(folder, answer(("", alone))) == paid(folder, answer((CPR, own)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (period(refund(LINE)), period(refund(LINE, income=((96, "7"),)))),
        (
            period(
                blanket("11000", [(12, "6")]),
                blanket("16000", [(19, "0041")], blanket("16300", LINE)),
            ),
            period(refund(LINE, head=((12, "6"),))),
        ),
        (period(refund(line(1000))), period(refund(((58, "1000.0"), *line(1000)[1:])))),
        (
            disposed(period(refund(LINE)), "2024-01-31"),
            disposed(period(refund(LINE)), "2024-01-31T00:00:00+01:00"),
        ),
        (period(refund(LINE)), period(refund(LINE), start="2024-01-01+01:00")),
    ],
    ids=["other fields", "an empty 16001", "zeros of an amount", "a time", "a time zone"],
)
def test_what_pays_the_same_has_one_id_however_it_is_written(folder, one, other):
    assert paid(folder, answer((CPR, one))) == paid(folder, answer((CPR, other)))


def test_the_money_of_lines_that_share_atp_is_gathered_once(folder, monkeypatch):
    """Two hundred lines take twice the work of a hundred, not four times."""
    gathered, calls = line_ids._money, [0]

    def counted(*given):
        calls[0] += 1
        return gathered(*given)

    monkeypatch.setattr(line_ids, "_money", counted)
    found = []
    for number in (100, 200):
        calls[0] = 0
        lines = [line(kroner) for kroner in range(1, number + 1)]
        own = period(refund(*lines, income=((199, "9.00"),)))
        reports, _, _ = converted(folder, answer((CPR, own)))
        assert len({each["report_id"] for each in reports}) == number
        found.append(calls[0])
    assert found[1] < 2.2 * found[0]


# --- files that were kept before ------------------------------------------------------------------

KEPT_BEFORE = """
create table salt (value blob not null);
create table versions (
    line blob, version integer, content blob, reports integer, primary key (line, version)
) without rowid;
insert into salt values (x'7F9F09B34FE37D3D793E55FF1CB940BE');
insert into versions values (x'0B46462A155C25CA3967D7D9F0F9FAF7', 1, x'1FAD774C10C6D56A', 1);
insert into versions values (x'0B464647373DFA12C0FDD6479FAA906E', 1, x'B361723FB4F4D38A', 1);
insert into versions values (x'0B46465FFBEBA729ADEE81EEC8A12358', 1, x'B830DE0587D86D4E', 1);
"""
"""The program kept this of `KNOWN_BEFORE` when ids had no money in them."""
OF_OTHER = ((58, "500.00"), (202, "0115"), (203, "20240101-20240131"))
KNOWN_BEFORE = answer(
    (CPR, period(refund(line(1000), line(2000), income=((58, "3000.00"), (199, "9.00"))))),
    (OTHER, period(refund(OF_OTHER), report="B")),
)


def test_a_line_that_was_converted_before_keeps_its_former_id(folder):
    with sqlite3.connect(folder / FILE) as file:
        file.executescript(KEPT_BEFORE)
    for _ in range(2):
        assert paid(folder, KNOWN_BEFORE) == [
            ("A-1/gfjknjmihibbabji", 100_000),
            ("A-1/frpjiedqggnkcpga", 200_000),
            ("B/gfjknjmihibbabji", 50_000),
        ]
    later = answer((CPR, period(refund(line(700), income=((58, "700.00"),)))))
    (found,) = paid(folder, later)  # it shared the id of the first one
    assert found[0] not in ("A-1/gfjknjmihibbabji", "A-1/frpjiedqggnkcpga")
    (folder / FILE).unlink()
    assert paid(folder, later) == [found]


def test_a_former_id_has_one_owner_among_lines_that_differ_in_what_it_had_not(folder):
    with sqlite3.connect(folder / FILE) as file:
        file.executescript(KEPT_BEFORE)
    own = period(refund(OF_OTHER), report="B")
    others = [disposed(own, "2024-02-10"), employed(own, "7"), own]
    first = paid(folder, answer((OTHER, own, *others)))
    assert first[0] == ("B/gfjknjmihibbabji", 50_000)
    assert len({report_id for report_id, _ in first}) == 4
    assert sorted(paid(folder, answer((OTHER, *others, own)))) == sorted(first)
    assert sorted(paid(folder, *[answer((OTHER, each)) for each in [own, *others[:2]]])) == sorted(
        {each for each in first if each in paid(folder, answer((OTHER, own, *others[:2])))}
    )


def test_two_lines_that_were_kept_under_one_former_id_are_paid_each(folder):
    """The first that comes keeps the id; the other one, which was lost, gets its own."""
    with sqlite3.connect(folder / FILE) as file:
        file.executescript(KEPT_BEFORE)
    lost = period(refund(((58, "700.00"), *OF_OTHER[1:])), report="B")
    own = period(refund(OF_OTHER), report="B")
    with KeptLines(folder) as kept:
        content: Any = "0041", sorted(((58, "700.00"), *OF_OTHER[1:])), []
        key = kept.key(day("2024-01-01"), SE, OTHER, "B/gfjknjmihibbabji", content)
        kept.version_of(key, [{"amount_ore": 70_000}])
        assert kept.has_former
    found = paid(folder, answer((OTHER, own)), answer((OTHER, lost)))
    assert found[0] == ("B/gfjknjmihibbabji", 50_000)
    assert found[1][0] != found[0][0]
    assert paid(folder, answer((OTHER, lost)), answer((OTHER, own))) == [found[1], found[0]]


def test_a_person_with_periods_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(answers, "MOST_PERIODS", 3)
    reader = AnswerReader(lambda _period: None)
    with pytest.raises(XmlTrouble, match="over 3 reported periods"):
        reader.read(io.BytesIO(answer((CPR, *[period(refund(LINE))] * 4)).encode()))
    AnswerReader(lambda _period: None).read(
        io.BytesIO(answer(*[(CPR, *[period(refund(LINE))] * 3)] * 4).encode())
    )
