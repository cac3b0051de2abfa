"""Makes the form with which one chooses what a view shows: a plain GET, as the address has it."""

from dataclasses import dataclass

from projections.lis.money_lines import LINES, MoneyKeys
from projections.lis.money_views import MUNICIPALITY
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.web.lis_desk import Answered
from streams.web.lis_figures import Speaker
from streams.web.lis_options import LisOptions


@dataclass(frozen=True)
class ChoiceOption:
    """A value that can be chosen."""

    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class ChoiceField:
    """A field of the form; one without options is a number that is typed."""

    name: str
    label: str
    value: str
    options: tuple[ChoiceOption, ...] = ()
    hint: str = ""
    takes_many: bool = False


@dataclass(frozen=True)
class ChoiceForm:
    """The form: its address, its fields, and what goes along unseen."""

    address: str
    fields: list[ChoiceField]
    kept: list[tuple[str, str]]


def choice_form(
    answered: Answered,
    question: LisQuestion,
    options: LisOptions,
    speaker: Speaker,
    *,
    sees_all: bool,
) -> ChoiceForm:
    """Make the form of a view's page, filled in as the question is."""
    view = VIEWS.get(question.view)
    names = {figure.name for figure in view.figures} if view else {"month", "benefit"}
    not_by = view.not_by if view else ()
    has_place = sees_all and "municipality" not in not_by
    fields = [_municipality(question, speaker)] if has_place else []
    is_of_last = view is not None and view.at_data_month
    if not is_of_last and ("month" in names or question.month):
        fields.append(_month(answered, question, speaker))
    if "benefit" not in not_by:
        fields.append(_benefit(question, speaker))
    fields += [_as(question, speaker), _run(answered, question, speaker)]
    if question.view == "paa-vej-ned":
        weeks = "" if question.weeks is None else str(question.weeks)
        fields.append(ChoiceField("weeks", speaker.word("lis.weeks"), weeks))
    if question.view == "sammenligning":
        fields.append(_others(question, speaker))
        alike = "" if question.alike is None else str(question.alike)
        fields.append(ChoiceField("alike", speaker.word("lis.alike"), alike))
    if view and view.of_reporters and (sees_all or MUNICIPALITY in view.of_reporters[0]):
        fields.append(_reporters(question, speaker))
    if view and view.adds and not options.persons:
        fields.append(_by(question, options, speaker))
    kept = [("persons", "1")] if options.persons else []
    kept += [("citizen", options.citizen)] if options.citizen else []
    for name in MoneyKeys._fields:
        value = getattr(options, name, None)
        kept += [(name, str(value))] if question.view == LINES and value is not None else []
    return ChoiceForm(f"/lis/{question.view}", fields, kept)


def _field(speaker: Speaker, name: str, value: str, options: list[tuple[str, str]]) -> ChoiceField:
    made = tuple(ChoiceOption(code, text, code == value) for code, text in options)
    return ChoiceField(name, speaker.word(f"lis.{name}"), value, made)


def _municipality(question: LisQuestion, speaker: Speaker) -> ChoiceField:
    codes = sorted(speaker.law.municipalities, key=lambda code: speaker.law.municipalities[code])
    named = [(code, f"{speaker.law.municipalities[code]} ({code})") for code in codes]
    return _field(
        speaker,
        "municipality",
        question.municipality or "",
        [("", speaker.word("lis.where_all")), *named],
    )


def _month(answered: Answered, question: LisQuestion, speaker: Speaker) -> ChoiceField:
    months = [*answered.months]
    if question.month and question.month not in months:
        months.insert(0, question.month)
    has_own = question.view in ("udvikling", "overgange")
    nothing = speaker.word("lis.data_month" if has_own else "lis.all_months")
    return _field(
        speaker,
        "month",
        question.month or "",
        [("", nothing), *((month, speaker.month(month)) for month in months)],
    )


def _benefit(question: LisQuestion, speaker: Speaker) -> ChoiceField:
    financed = sorted(
        (known.name, code) for code, known in speaker.law.benefits.items() if known.mechanism
    )
    return _field(
        speaker,
        "benefit",
        question.benefit or "",
        [
            ("", speaker.word("lis.all_benefits")),
            *((code, f"{name} ({code})") for name, code in financed),
        ],
    )


def _as(question: LisQuestion, speaker: Speaker) -> ChoiceField:
    choices = [(name, speaker.word(f"lis.as_{name}")) for name in ("known", "of", "settled")]
    return _field(speaker, "as", question.based_on, choices)


def _run(answered: Answered, question: LisQuestion, speaker: Speaker) -> ChoiceField:
    runs = [
        (
            str(run.run),
            speaker.word("lis.run_named", run=run.run, month=speaker.month(run.data_month)),
        )
        for run in reversed(answered.runs)
    ]
    chosen = "" if question.run is None else str(question.run)
    return _field(speaker, "run", chosen, [("", speaker.word("lis.no_run")), *runs])


def _others(question: LisQuestion, speaker: Speaker) -> ChoiceField:
    names = speaker.law.municipalities
    options = tuple(
        ChoiceOption(code, f"{names[code]} ({code})", code in question.others)
        for code in sorted(names, key=lambda code: names[code])
    )
    hint = speaker.word("lis.with_hint")
    return ChoiceField("with", speaker.word("lis.with"), "", options, hint, takes_many=True)


def _reporters(question: LisQuestion, speaker: Speaker) -> ChoiceField:
    """Offer the lines by reporter."""
    chosen = "1" if question.reporters else ""
    lines = [("", speaker.word("lis.no_reporters")), ("1", speaker.word("lis.by_reporters"))]
    return _field(speaker, "reporters", chosen, lines)


def _by(question: LisQuestion, options: LisOptions, speaker: Speaker) -> ChoiceField:
    """Offer the sum by each column alone, and what the address has beside."""
    view = VIEWS[question.view]
    figures = view.figures
    if question.reporters and view.of_reporters is not None:
        figures, _ = view.of_reporters
    by = [figure for figure in figures if not figure.adds and figure.kind not in ("percent", "ore")]
    named = [(figure.name, speaker.heading(question.view, figure)) for figure in by]
    keys = [figure.name for figure in by]
    if options.by and options.by not in keys:
        named.append((options.by, options.by.replace(",", " + ")))
    return _field(speaker, "by", options.by, [("", speaker.word("lis.by_all")), *named])
