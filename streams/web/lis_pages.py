"""Makes the page of a view from its answer: what people see, as plain values for the templates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import unescape

from projections.lis.answers import Answer
from projections.lis.drawings import drawing_of
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.views import VIEWS
from streams.web import lis_desk
from streams.web.doorway import LARGEST_BODY
from streams.web.lis_desk import Answered, LisRun
from streams.web.lis_figures import Speaker
from streams.web.lis_files import written_books
from streams.web.lis_findings import finding
from streams.web.lis_forms import ChoiceForm, choice_form
from streams.web.lis_links import Paths
from streams.web.lis_options import LisOptions, query_of
from streams.web.lis_tables import PageTable, page_table

FORMS: Final = ("csv", "json", "parquet", "pdf")
"""The forms of an answer beside the page; each is the address's ending."""
MOST_SENT_BYTES: Final = LARGEST_BODY - 4096
"""Bytes of books that a form sends again; the rest of a body is for its own parts."""
OF_THE_FIRST: Final = ("pdf",)
"""Forms that have the first rows, however many there are."""


@dataclass(frozen=True)
class ViewMeaning:
    """The meaning of a view: what it counts, in the words of the definitions, which are Danish."""

    counts: str
    law: str
    switches: list[tuple[str, str]]


@dataclass(frozen=True)
class ViewPage:
    """A page of a view."""

    view: str
    title: str
    finding: str
    place: str
    as_of: list[str]
    hint: str
    table: PageTable
    cut: str
    picture: str
    picture_text: str
    meaning: ViewMeaning | None
    form: ChoiceForm
    files: list[tuple[str, str]]
    others: list[tuple[str, str]]
    permalink: str
    permalink_text: str
    above: tuple[str, str] | None = None
    beside: "BesidePart | None" = None
    books: "SentBooks | None" = None


@dataclass(frozen=True)
class SentBooks:
    """The books that a page was made of, to be sent again for a file: they are not kept.

    `table` is "" where they are too long for that; `files` has the words and addresses of forms.
    """

    table: str
    files: list[tuple[str, str]]


@dataclass(frozen=True)
class BesidePart:
    """Another view's figures on the same page: what one has to know beside the first."""

    title: str
    finding: str
    table: PageTable
    address: str


BESIDE: Final = {"prognose": "prognosefejl"}
"""Views on whose page another one stands: how good a forecast is, beside it."""


def beside_part(
    answered: Answered, question: LisQuestion, options: LisOptions, speaker: Speaker, paths: Paths
) -> BesidePart:
    """Make the part of a page that another view has, of all its rows."""
    answer = answered.answer
    shown = range(options.rows_of_page.stop - options.rows_of_page.start)
    values = {name: options.given()[name] for name in ("as", "run")}
    values = {"municipality": question.municipality} | values
    return BesidePart(
        speaker.title(answer.view),
        finding(answer, speaker, question.municipality),
        page_table(answer, speaker, paths, shown),
        f"/lis/{answer.view}{query_of(values)}",
    )


def view_page(
    answered: Answered,
    question: LisQuestion,
    options: LisOptions,
    speaker: Speaker,
    paths: Paths,
    *,
    sees_all: bool,
    shown: range,
) -> ViewPage:
    """Make the page of an answer, with those of its rows that are to be shown."""
    answer = answered.answer
    # An address that leaves the page is of the same place for who has another one, or all of them.
    options = options.but(municipality=question.municipality)
    picture = "" if options.persons or options.by else _picture(answer, speaker, question)
    table = page_table(answer, speaker, paths, shown)
    # What was made of an uploaded file is at no address, so no link leads to it.
    is_at_address = not question.books
    permalink, permalink_text = (
        _permalink(answered, options, speaker) if is_at_address else ("", "")
    )
    return ViewPage(
        answer.view,
        speaker.word("lis.citizens_of") if options.persons else speaker.title(answer.view),
        finding(answer, speaker, question.municipality),
        place_of(speaker, question),
        as_of_lines(answered, speaker),
        speaker.word("lis.behind_row") if table.has_links else "",
        table,
        _cut(table, answered, speaker),
        picture,
        _text_of(picture),
        _meaning(answer, speaker),
        choice_form(answered, question, options, speaker, sees_all=sees_all),
        _files(answer.view, _forms(answered) if is_at_address else (), options, speaker),
        _other_pages(table, answer.view, options, speaker) if is_at_address else [],
        permalink,
        permalink_text,
        _above(paths, speaker),
        books=None if is_at_address else _sent_books(question, options, speaker),
    )


def _sent_books(question: LisQuestion, options: LisOptions, speaker: Speaker) -> SentBooks:
    """Give uploaded books as a form sends them again for each file."""
    table = written_books(question.books)
    is_sent = len(table.encode()) + table.count("\n") <= MOST_SENT_BYTES
    return SentBooks(table if is_sent else "", _files(question.view, FORMS, options, speaker))


def _files(
    view: str, forms: Iterable[str], options: LisOptions, speaker: Speaker
) -> list[tuple[str, str]]:
    return [(speaker.word(f"lis.{form}"), f"/lis/{view}.{form}{options.query()}") for form in forms]


def _above(paths: Paths, speaker: Speaker) -> tuple[str, str] | None:
    """Give the title and address of the view that a list or a citizen lies behind."""
    view, address = paths.above()
    return (speaker.title(view), address) if view else None


def _forms(answered: Answered) -> tuple[str, ...]:
    return FORMS if answered.has_files else OF_THE_FIRST


def _cut(table: PageTable, answered: Answered, speaker: Speaker) -> str:
    """Say which rows are shown of how many, and where they all are; "" where they are shown."""
    if not table.is_cut:
        return ""
    numbers = {"first": table.first, "last": table.shown.stop, "count": table.count}
    return speaker.word(
        "lis.cut" if answered.has_files else "lis.cut_large",
        **{name: speaker.number("count", number) for name, number in numbers.items()},
        most=speaker.number("count", lis_desk.MOST_ROWS),
    )


def _other_pages(
    table: PageTable, view: str, options: LisOptions, speaker: Speaker
) -> list[tuple[str, str]]:
    """Give the words and addresses of the pages before and after this one."""
    numbers = []
    if options.page > 1:
        numbers.append(("lis.page_before", options.page - 1))
    if table.count > options.rows_of_page.stop:
        numbers.append(("lis.page_after", options.page + 1))
    return [
        (speaker.word(key), f"/lis/{view}{query_of(options.given() | {'page': number})}")
        for key, number in numbers
    ]


def place_of(speaker: Speaker, question: LisQuestion) -> str:
    """Say where and when a question is about."""
    code, month, benefit = question.municipality, question.month, question.benefit
    parts = [speaker.municipality(code) if code else speaker.word("lis.where_all")]
    parts += [speaker.month(month)] if month else []
    parts += [speaker.benefit(benefit)] if benefit else []
    return ", ".join(parts)


def as_of_lines(answered: Answered, speaker: Speaker) -> list[str]:
    """Say as of when figures are, by which rules and which version of the ledger."""
    answer, word, last = answered.answer, speaker.word, answered.last
    lines = [word(f"lis.as_{answer.based_on}_line", run=answer.run)]
    if last is None:
        lines.append(word("lis.no_run_line"))
    else:
        key = "lis.last_run_line" if answer.based_on == "known" else "lis.run_line"
        lines.append(
            word(
                key,
                run=last.run,
                month=speaker.month(last.data_month),
                closed=closed_on(last, speaker),
            )
        )
    lines.append(
        word("lis.version_line", rules=answer.rules or "-", version=answered.ledger_version)
    )
    return lines


def closed_on(run: LisRun, speaker: Speaker) -> str:
    """Write the day on which a run was closed."""
    day = int(run.closed_at[8:10])
    month = speaker.month(run.closed_at[:7])
    return f"{day}. {month}" if speaker.language == "da" else f"{day} {month}"


def paper(page: ViewPage, speaker: Speaker) -> Mapping[str, Any]:
    """Give the values of a page to the template for paper."""
    word, table = speaker.word, page.table
    cut = (
        word("lis.cut_on_paper", shown=len(table.shown), count=table.count) if table.is_cut else ""
    )
    return {
        "title": page.title,
        "language": speaker.language,
        "finding": page.finding,
        "place": page.place,
        "as_of": " ".join(page.as_of),
        "picture": page.picture,
        "picture_text": page.picture_text,
        "words": {name: word(f"lis.{name}") for name in ("figures", "no_rows", "meaning")},
        "heads": [
            {"title": head.title, "meaning": head.meaning, "is_number": head.is_number}
            for head in table.heads
        ],
        "rows": [
            {"cells": [cell.text for cell in row.cells], "is_sum": row.is_sum} for row in table.rows
        ],
        "cut": cut,
        "counts": page.meaning.counts if page.meaning else "",
        "law": f"{word('lis.law')}: {page.meaning.law}" if page.meaning else "",
    }


def _permalink(answered: Answered, options: LisOptions, speaker: Speaker) -> tuple[str, str]:
    """Give the address of these figures as of the run, which no later run changes."""
    answer = answered.answer
    if answer.run is None or options.citizen:
        return "", ""  # a token of this session leads nowhere later
    pinned, key = options, "lis.permalink"
    if options.based_on == "known":
        pinned, key = options.but(based_on="of", run=answer.run), "lis.permalink_known"
    return f"/lis/{answer.view}{pinned.query_of_page()}", speaker.word(key, run=answer.run)


def _picture(answer: Answer, speaker: Speaker, question: LisQuestion) -> str:
    if not answer.rows:
        return ""
    try:
        return drawing_of(answer, speaker.law, place_of(speaker, question), speaker.language)
    except ViewError:
        return ""


def _text_of(picture: str) -> str:
    """Read the text alternative of a picture: all its figures in words."""
    return unescape(picture.partition("<desc>")[2].partition("</desc>")[0])


def _meaning(answer: Answer, speaker: Speaker) -> ViewMeaning | None:
    view = VIEWS.get(answer.view)
    if view is None:
        return None
    definition = view.definition
    questions = speaker.law.questions
    switches = [
        (switch, f"{questions[switch].value}: {questions[switch].meaning}")
        for switch in definition.switches
    ]
    return ViewMeaning(definition.counts, definition.law, switches)
