"""The law on paper: the rules of a rule set as a Danish document for people who read law, not code.

Everything in it about a rule comes from the rule data. The first chapters hold what is not law:
open questions, values that are not verified, and what is left out on purpose.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from domain.ruledata.coverage import series
from domain.ruledata.ruleset import (
    Band,
    Benefit,
    DatedValue,
    Evidence,
    LegalSource,
    NotCoded,
    Question,
    RuleSet,
)
from projections.pages.danish import (
    AFTER,
    EVIDENCE,
    FIELDS,
    MARKS,
    NAMES,
    UNITS,
    day_text,
    number_text,
    period_text,
    value_text,
)


class LawCase(NamedTuple):
    """A worked case: its title, its link in the document, and the rules that it shows."""

    title: str
    link: str
    shows: tuple[str, ...]


class _Book:
    """The sources of the document: rules, addresses and cases."""

    def __init__(
        self, rules: RuleSet, sources: Mapping[str, str], cases: Iterable[LawCase]
    ) -> None:
        self.rules = rules
        self.sources = sources
        self.values = series(rules.dated)
        self.names = rule_names(rules)
        self.cases: dict[str, list[LawCase]] = {}
        for case in cases:
            for rule in case.shows:
                self.cases.setdefault(rule, []).append(case)


def rule_names(rules: RuleSet) -> dict[str, str]:
    """Return the Danish name of each rule, by the name that law cases use for it."""
    names = dict(NAMES)
    names |= {
        f"catalogue.{code}": f"{code} {benefit.name}" for code, benefit in rules.benefits.items()
    }
    names |= {
        f"switches.{name}": f"{question.id} {name}" for name, question in rules.questions.items()
    }
    names |= {f"accounts.{account}": f"Konto {account}" for account in rules.accounts.values()}
    return names | {
        f"staircase.{number}": f"Trin {number}"
        for number, _ in enumerate(rules.staircases[0].bands, 1)
    }


def law_pages(
    rules: RuleSet,
    sources: Mapping[str, str],
    cases: Iterable[LawCase],
    later: Iterable[RuleSet] = (),
) -> str:
    """Write the document in Markdown. `sources` are addresses by the ids that references name.

    `later` are rule sets that build on the first; the document lists their differences.
    """
    cases = list(cases)
    book = _Book(rules, sources, cases)
    parts = (
        _opening,
        _questions,
        _unverified,
        _left_out,
        _staircase,
        _reset_and_dates,
        _fleksbidrag,
        _legacy,
    )
    more: tuple[Callable[[_Book], Iterator[str]], ...] = (
        _benefits,
        _accounts,
        _municipalities,
    )
    lines = [line for part in (*parts, *more) for line in part(book)]
    for other in later:
        new = [
            case._replace(shows=tuple(rule for rule in case.shows if rule not in book.names))
            for case in cases
        ]
        lines += _differences(book, _Book(other, sources, new))
    text = "\n".join([*lines, *_source_list(book)])
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


# --- the first chapters: what is not law -------------------------------------------------------


def _opening(book: _Book) -> Iterator[str]:
    validity = book.values["validity"][0]
    yield f"""# Loven, som opgørelsen følger den: regelsæt {book.rules.name}

Dette dokument er dannet af reglernes data i `domain/rules` med `make law` og skal ikke rettes i
hånden. Lov 994/2015 er lov om kommunernes finansiering af visse offentlige ydelser udbetalt af
kommunerne, Udbetaling Danmark og arbejdsløshedskasserne.
Regelsættet gælder {period_text(validity)}.

Hver regel bærer et mærke for, hvor sikker den er:
"""
    yield from (f"* **{EVIDENCE[mark]}**: {meaning}." for mark, meaning in MARKS.items())
    yield """
Kun det verificerede er læst som lov. Kapitel 1 og 2 samler alt det øvrige, og kapitel 3 det, der
med vilje er udeladt. En regel har en værdi på hver dag fra 1. juli 2014, eller det står ved den,
hvorfor ikke. *Sager* er gennemregnede eksempler, som programmet prøves på (på engelsk)."""


def _questions(book: _Book) -> Iterator[str]:
    yield "\n## 1. Åbne spørgsmål og de svar, der er valgt\n"
    yield "Svarene er ikke lov. Et andet regelsæt kan vælge et andet svar, hvor det er kodet.\n"
    for question in book.rules.questions.values():
        yield from _question(book, question)


def _question(book: _Book, question: Question) -> Iterator[str]:
    yield f"\n### {question.id}. {question.question}\n"
    yield f"* **Svar: {question.meaning}** (`{question.switch}: {question.value}`)"
    for other in question.alternatives:
        state = f"ikke kodet: {other.not_coded}" if other.not_coded else "kan vælges."
        yield f"* Ellers: {other.meaning} (`{other.value}`) — {state}"
    yield from _origin(book, f"switches.{question.switch}", question.source)


def _unverified(book: _Book) -> Iterator[str]:
    yield "\n## 2. Regler, der ikke er verificerede\n"
    for mark in ("assumed", "expert", "inferred"):
        yield f"\n### {EVIDENCE[mark].capitalize()}: {MARKS[mark]}\n"
        for name, values in book.values.items():
            if not name.startswith("switches."):
                yield from _marked(book, name, values, mark)


def _marked(book: _Book, name: str, values: Iterable[DatedValue], mark: Evidence) -> Iterator[str]:
    """List the parts of a rule with a mark; years with the same remark share a line."""
    remarks: dict[str, list[str]] = {}
    for value in values:
        parts = [FIELDS[field] for field, of_field in value.source.evidence_of if of_field == mark]
        if value.source.evidence == mark:
            parts = ["hele reglen", *parts]
        if parts and name != "validity":
            remark = f"{', '.join(parts)}. {value.source.note}".rstrip()
            remarks.setdefault(remark, []).append(str(value.valid_from.year))
    for remark, years in remarks.items():
        of_years = f" ({', '.join(years)})" if name == "flex_basis" else ""
        yield f"* **{book.names[name]}**{of_years}: {_linked(book, remark)}"


def _left_out(book: _Book) -> Iterator[str]:
    yield "\n## 3. Hvad der med vilje ikke er kodet\n"
    yield from _rows_left_out(book, book.rules.not_coded)


def _rows_left_out(book: _Book, left_out: Iterable[NotCoded]) -> Iterator[str]:
    yield "| regel | hvorfor ikke | hvor den ville stå |\n|---|---|---|"
    for each in left_out:
        reference = _cell(_linked(book, each.reference))
        yield f"| {_cell(each.rule)} | {_cell(each.reason)} | {reference} |"


# --- the rules ---------------------------------------------------------------------------------


def _staircase(book: _Book) -> Iterator[str]:
    yield "\n## 4. Refusionstrappen (§ 5)\n"
    for value, staircase in zip(book.values["staircase"], book.rules.staircases, strict=True):
        yield f"\nGælder {period_text(value)}. Pct. af beløbet.\n"
        yield "| trin | uger med ydelser | refusion | medfinansiering | hjemmel | sager |"
        yield "|---|---|---:|---:|---|---|"
        for number, band in enumerate(staircase.bands, 1):
            yield _band(book, number, band)
        yield ""
        yield from _origin(book, "staircase", value.source)


def _band(book: _Book, number: int, band: Band) -> str:
    weeks = f"{band.from_week}-{band.to_week}" if band.to_week else f"{band.from_week} og flere"
    cases = _case_links(book, f"staircase.{number}")
    percent = f"{band.refusion} | {band.medfinansiering}"
    return f"| {number} | {weeks} | {percent} | {band.reference} | {cases} |"


def _reset_and_dates(book: _Book) -> Iterator[str]:
    yield "\n## 5. Ny start på trappen (§ 6)\n"
    yield from _values(book, "reset.")
    yield "\n## 6. Hvornår der tælles, og hvornår satserne begynder (§§ 29 og 30)\n"
    yield from _values(book, "dates.")


def _fleksbidrag(book: _Book) -> Iterator[str]:
    yield "\n## 7. Det særlige fleksbidrag (§ 7)\n"
    yield """Bidraget for en person og en måned er (det mindste af *andelen* × (B − R) og loftet,
minus *nedsættelsen* × W) × den del af månedens dage med fleksløntilskud, der ligger på trinnet;
i hele kroner og mindst 0. B er beløbet, som fleksløntilskuddet beregnes af, R månedens refusion af
fleksløntilskud på trinnet og W månedens løn uden pension."""
    yield from _values(book, "fleksbidrag.")
    yield f"\n### {book.names['flex_basis']}\n"
    yield "| år | B, kr. om måneden | højeste dagpenge | grundlag | hjemmel |"
    yield "|---|---:|---:|---|---|"
    for value in book.values["flex_basis"]:
        basis = book.rules.flex_basis[value.valid_from.year]
        figures = f"{number_text(basis.kroner)} | {number_text(basis.highest_benefit_kroner)}"
        reference, year = _cell(_linked(book, value.source.reference)), value.valid_from.year
        yield f"| {year} | {figures} | {_mark(value.source)} | {reference} |"
    last = book.values["flex_basis"][-1]
    yield f"\nEfter {last.valid_from.year}: {AFTER[last.after_last]}." if last.after_last else ""
    yield from _case_lines(book, "flex_basis")


def _legacy(book: _Book) -> Iterator[str]:
    yield "\n## 8. Gamle sager (§ 30, stk. 2-5)\n"
    yield from _values(book, "legacy.")


def _values(book: _Book, group: str) -> Iterator[str]:
    """Write the rules of a group, each with its values."""
    for name, values in book.values.items():
        if name.startswith(group):
            for value in values:
                shown = f"{value_text(value.value)} {UNITS[value.unit]}".rstrip()
                yield f"\n### {book.names[name]}: {shown}\n"
                yield f"* Gælder {period_text(value)}."
                yield from _origin(book, name, value.source)


def _benefits(book: _Book) -> Iterator[str]:
    yield "\n## 9. Ydelserne (§ 3)\n"
    yield """En ydelse, der *tæller*, gør ugen til en uge med ydelser. En ydelse, der *spærrer*,
gør, at ugen ikke er selvforsørgelse. En kode kan kun indberettes for perioder, hvor den gælder."""
    for benefit in book.rules.benefits.values():
        yield from _benefit(book, benefit)


def _benefit(book: _Book, benefit: Benefit) -> Iterator[str]:
    (value,) = book.values[f"catalogue.{benefit.code}"]
    yield f"\n### {benefit.code} {benefit.name}\n"
    yield f"* {_financed(benefit)}; {_touch(benefit)}."
    yield from _specialities(benefit)
    yield f"* Gælder {period_text(value)}."
    accounts = [
        f"{account} ({rate} pct.)"
        for (code, _, rate), account in book.rules.accounts.items()
        if code == benefit.code
    ]
    if accounts:
        yield f"* Konti: {', '.join(accounts)}"
    yield from _origin(book, f"catalogue.{benefit.code}", value.source)


def _financed(benefit: Benefit) -> str:
    if benefit.mechanism is None:
        return "Finansieres ikke efter loven"
    if benefit.rate == "computed":
        return f"{benefit.mechanism.capitalize()} af et beregnet beløb (kapitel 7)"
    how = "efter trappen" if benefit.rate == "staircase" else f"med {benefit.rate} pct."
    return f"{benefit.mechanism.capitalize()} {how}"


def _touch(benefit: Benefit) -> str:
    counts = "tæller" if benefit.counts else "tæller ikke"
    return f"{counts}, {'spærrer' if benefit.blocks else 'spærrer ikke'}"


def _specialities(benefit: Benefit) -> Iterator[str]:
    if benefit.atp_deducted:
        yield "* Grundlaget er beløbet uden ATP-bidrag (§ 5, stk. 4)."
    if benefit.turn_of_year_weekly:
        yield "* Ugen fra 28. december 2015 finansieres i sin helhed (§ 29, stk. 3)."
    if not benefit.reportable:
        yield "* Beregnes og kan ikke indberettes."
    if benefit.last_new_case:
        yield f"* En ny sag kan senest begynde {day_text(benefit.last_new_case)}."


def _accounts(book: _Book) -> Iterator[str]:
    yield "\n## 10. Konti\n"
    yield "| konto | gælder | hjemmel | grundlag | sager |\n|---|---|---|---|---|"
    for name, values in book.values.items():
        if name.startswith("accounts."):
            for value in values:
                reference = _cell(_linked(book, value.source.reference))
                marks_and_cases = f"{_mark(value.source)} | {_case_links(book, name)}"
                yield f"| {value.value} | {period_text(value)} | {reference} | {marks_and_cases} |"


def _municipalities(book: _Book) -> Iterator[str]:
    yield "\n## 11. Kommunerne\n"
    for name, values in book.values.items():
        if name.startswith("municipalities."):
            for value in values:
                codes = dict(value.value) if isinstance(value.value, dict) else {}
                yield f"\n### {book.names[name]}\n"
                yield f"* {', '.join(f'{code} {of}' for code, of in codes.items())}"
                yield f"* Gælder {period_text(value)}."
                yield from _origin(book, name, value.source)


# --- rule sets that build on the first ---------------------------------------------------------


def _differences(book: _Book, other: _Book) -> Iterator[str]:
    """Write a chapter about a later rule set: its questions, benefits and omissions that differ."""
    rules, later = book.rules, other.rules
    yield f"\n## Regelsæt {later.name}: det, der er anderledes\n"
    yield f"{other.values['validity'][0].source.note}"
    for switch, question in later.questions.items():
        if question != rules.questions.get(switch):
            yield from _question(other, question)
    for code, benefit in later.benefits.items():
        if benefit != rules.benefits.get(code):
            yield from _benefit(other, benefit)
    left_out = [each for each in later.not_coded if each not in rules.not_coded]
    if left_out:
        yield "\nMed vilje udeladt:\n"
        yield from _rows_left_out(other, left_out)


def _source_list(book: _Book) -> Iterator[str]:
    yield "\n## Kilder\n"
    yield "| id | adresse |\n|---|---|"
    yield from (
        f'| <a id="{_anchor(book, id_)}"></a>{id_} | {_cell(at)} |'
        for id_, at in book.sources.items()
    )


# --- the parts of every rule -------------------------------------------------------------------


def _origin(book: _Book, name: str, source: LegalSource) -> Iterator[str]:
    """Write the reference, evidence mark, remark and cases of a rule."""
    yield f"* Hjemmel: {_linked(book, source.reference)}"
    yield f"* Grundlag: {_mark(source)}"
    if source.note:
        yield f"* Bemærkning: {_linked(book, source.note)}"
    yield from _case_lines(book, name)


def _mark(source: LegalSource) -> str:
    marks = [f"{FIELDS[field]}: {EVIDENCE[mark]}" for field, mark in source.evidence_of]
    return EVIDENCE[source.evidence] + (f" ({'; '.join(marks)})" if marks else "")


def _case_lines(book: _Book, name: str) -> Iterator[str]:
    if name in book.cases:
        yield f"* Sager: {_case_links(book, name)}"


def _case_links(book: _Book, name: str) -> str:
    return "; ".join(f"[{_cell(case.title)}]({case.link})" for case in book.cases.get(name, ()))


def _linked(book: _Book, reference: str) -> str:
    """Turn the ids of sources in a reference into links to their addresses."""

    def link(match: re.Match[str]) -> str:
        id_ = match[0].rstrip(".")
        if id_ not in book.sources:
            return match[0]
        return f"[{id_}](#{_anchor(book, id_)})" + match[0][len(id_) :]

    return re.sub(r"\bS-[\w§][\w§.-]*", link, reference)


def _anchor(book: _Book, id_: str) -> str:
    return f"kilde-{[*book.sources].index(id_) + 1}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
