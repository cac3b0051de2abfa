"""The views of `refusion lis`: their options, and the forms in which an answer is shown."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streams.cli.console import echo_json, load_settings, output, run_async, terminal
from streams.kit.errors import UserError

if TYPE_CHECKING:
    from domain.ruledata.ruleset import RuleSet
    from projections.lis.answers import Answer
    from projections.lis.questions import LisQuestion
    from projections.lis.views import View
    from streams.settings import Settings

WIDEST: Final = 1_000
"""Characters of a line of a table that goes to a file or a pipe, at most."""
SHOWN: Final = 400
"""The rows of a table on a terminal; the other forms have all."""
IN_ALL: Final = "i alt"
WRONG: Final = 1
"""The exit status of a control that found a difference."""
WRITTEN: Final = click.Path(dir_okay=False, path_type=Path)

COMMON: Final[Sequence[click.Parameter]] = (
    click.Option(["--municipality"], metavar="K", help="Its code, such as 730.  [default: all]"),
    click.Option(["--month"], metavar="M", help="One month, such as 2024-01."),
    click.Option(["--run"], type=click.IntRange(1), metavar="N", help="The run of --as."),
    click.Option(["--benefit"], metavar="B", help="One benefit by its code, such as KTH."),
    click.Option(
        ["--as", "based_on"],
        type=click.Choice(["known", "of", "settled"]),
        default="known",
        show_default=True,
        help="All that is posted; what was true when the run closed; what the run booked.",
    ),
    click.Option(["--by"], metavar="COLUMNS", default="", help="Sum by these columns: month,rate."),
    click.Option(["--explain"], is_flag=True, help="Say what exactly is counted, and by which §."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print JSON; money in øre."),
    click.Option(["--csv", "as_csv"], is_flag=True, help="Print CSV for a spreadsheet."),
    click.Option(["--parquet"], type=WRITTEN, metavar="FILE", help="Write Parquet; money in øre."),
    click.Option(["--svg"], type=WRITTEN, metavar="FILE", help="Write a picture."),
)
OF_CITIZENS: Final[Sequence[click.Parameter]] = (
    click.Option(
        ["--cpr"],
        is_flag=True,
        help="Name citizens by CPR; needs --municipality and --purpose, and is recorded.",
    ),
    click.Option(
        ["--purpose"],
        metavar="TEXT",
        default="",
        help="Why you look; it is recorded with your name.",
    ),
)
BEHIND: Final = click.Option(
    ["--persons"], is_flag=True, help="List the citizens behind the figures."
)
OF_VIEWS: Final[Mapping[str, Sequence[click.Parameter]]] = {
    "paa-vej-ned": (
        click.Option(
            ["--weeks"], type=click.IntRange(0), metavar="N", help="Only who falls within N weeks."
        ),
    ),
    "sammenligning": (
        click.Option(
            ["--with", "others"],
            metavar="K",
            multiple=True,
            help="Compare with this municipality alone; may be given again.",
        ),
        click.Option(
            ["--alike"],
            type=click.IntRange(1, 98),
            metavar="N",
            help="Compare with the N whose percentages are most like those of --municipality.",
        ),
    ),
    "afstemning": (
        click.Option(
            ["--books"],
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            required=True,
            metavar="FILE.csv",
            help="The municipality's own books: account;month;amount.",
        ),
    ),
    "korrektioner": (
        click.Option(
            ["--reporters"], is_flag=True, help="By the reporter whose report it was, too."
        ),
    ),
    "kontrol": (
        click.Option(
            ["--reporters"],
            is_flag=True,
            help="What each reporter sent against what is settled, instead of the tables' sums.",
        ),
    ),
    "borger": (click.Argument(["citizen"], required=False),),
    "prognose": (
        click.Option(
            ["--rules"],
            metavar="A",
            help="The money under another rule set: a name, or a rule set file.",
        ),
    ),
}
"""The options that some views have beside the common ones."""


def command_of(view: "View") -> click.Command:
    """Make the command of a view."""
    own = OF_VIEWS.get(view.name, ())
    citizens = OF_CITIZENS if view.names_citizens or view.behind else ()
    behind = (BEHIND,) if view.behind else ()
    return click.Command(
        view.name,
        params=[*own, *COMMON, *behind, *citizens],
        callback=lambda **options: show(view, options),
        help=f"{view.title}.\n\n{view.definition.counts}",
        short_help=view.title,
    )


def show(view: "View", options: dict[str, Any]) -> None:
    """Answer the question of a command line, in the form that is wanted."""
    from streams.acts.acts import checked_reason, record_acts
    from streams.citizens.rule_sets import LawBook, chosen_rule_set
    from streams.lis.citizens import CITIZEN, acts_of, with_cprs
    from streams.lis.inquiry import ask, budgets_in, inhabitants_in
    from streams.lis.marts import open_marts

    settings = load_settings()
    law = LawBook(settings.rules).catalogue()
    names_cpr, persons = options.pop("cpr", False), options.pop("persons", False)
    purpose, other = options.pop("purpose", ""), options.pop("rules", None)
    question = _question(view, options, settings)
    if names_cpr:
        _demand_for_cpr(view, question, purpose, persons=persons)
    if purpose:
        checked_reason("--purpose", purpose)
    given = inhabitants_in(settings.inhabitants), budgets_in(settings.budgets)
    with open_marts(settings.lis) as marts:
        if other is not None:
            marts.price_by(law, chosen_rule_set(other), question.run)
        answer = ask(marts, law, question, settings.ledger, *given, persons=persons)
    if view.name == "borger" or CITIZEN in answer.names:
        acts = acts_of(
            question, answer, purpose, names_cpr=names_cpr, ledger_version=marts.ledger_version
        )
        if names_cpr:
            settings.identity()  # a missing key is an error before anything is recorded
        run_async(record_acts(settings, acts))
        answer = with_cprs(settings, question, answer) if names_cpr else answer
    _write(settings, law, view, question, answer, options)
    if view.name == "kontrol" and any(row[-1] for row in answer.rows):
        raise SystemExit(WRONG)


def _question(view: "View", options: dict[str, Any], settings: "Settings") -> "LisQuestion":
    from projections.lis.questions import LisQuestion

    citizen = None
    if view.name == "borger":
        from streams.explain.find import named_citizen

        citizen = named_citizen(options["citizen"], settings)
    books = ()
    if view.name == "afstemning":
        books = _books(options["books"])
    return LisQuestion(
        view.name,
        options["municipality"],
        options["month"],
        options["run"],
        options["benefit"],
        options["based_on"],
        tuple(filter(None, options["by"].split(","))),
        options.get("others", ()),
        options.get("weeks"),
        citizen,
        books,
        options.get("alike"),
        options.get("reporters", False),
    )


def _books(path: Path) -> Any:
    from projections.lis.books import BooksError, read_books

    try:
        return tuple(read_books(path.read_text(encoding="utf-8-sig").splitlines()))
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8; save it as CSV UTF-8") from None
    except BooksError as error:
        raise UserError(f"{path}: {error}") from None


def _demand_for_cpr(view: "View", question: "LisQuestion", purpose: str, *, persons: bool) -> None:
    """Raise UserError where CPR numbers must not be shown, or nobody is named."""
    if not (view.names_citizens or persons):
        raise UserError(f"{view.name} names nobody; --cpr goes with --persons there")
    if question.municipality is None:
        raise UserError("--cpr needs --municipality: CPR numbers are for the own citizens alone")
    if not purpose:
        raise UserError("--cpr needs --purpose: why you look is recorded with your name")


# --- the forms ------------------------------------------------------------------------------------


def _write(
    settings: "Settings",
    law: "RuleSet",
    view: "View",
    question: "LisQuestion",
    answer: "Answer",
    options: Mapping[str, Any],
) -> None:
    """Write the answer in each form that is asked for; a table, where none is."""
    from projections.lis.answers import as_object

    said = _explained(settings, law, view, question, answer) if options["explain"] else None
    if options["parquet"]:
        from streams.lis.parquet import write_answer

        write_answer(answer, options["parquet"])
    if options["svg"]:
        options["svg"].write_text(_picture(law, question, answer), encoding="utf-8")
    if options["as_csv"]:
        print_csv(answer)
    elif options["as_json"]:
        echo_json(as_object(answer) | ({"definition": said} if said else {}))
    elif not (options["parquet"] or options["svg"]):
        show_table(answer, _place(law, question))
    if said and not options["as_json"]:
        for name, text in said.items():
            click.echo(f"{name}: {text}", err=options["as_csv"])


def _picture(law: "RuleSet", question: "LisQuestion", answer: "Answer") -> str:
    from projections.lis.drawings import drawing_of
    from projections.lis.questions import ViewError

    try:
        return drawing_of(answer, law, _place(law, question))
    except ViewError as error:
        raise UserError(str(error)) from None


def _place(law: "RuleSet", question: "LisQuestion") -> str:
    code, month = question.municipality, question.month
    where = f"{code} {law.municipalities[code]}" if code else "alle kommuner"
    return f"{where}, {month}" if month else where


def print_csv(answer: "Answer") -> None:
    """Print an answer as CSV."""
    from io import StringIO

    from projections.lis.answers import write_csv

    written = StringIO()
    write_csv(answer, written)
    output().write(written.getvalue().encode())


def show_table(answer: "Answer", place: str) -> None:
    """Show an answer as a table with its totals; `place` says where and when it is about."""
    from rich.box import SIMPLE
    from rich.table import Table

    console = terminal()
    if not console.is_terminal:
        console.width = WIDEST  # who reads a file or a pipe wants every heading whole
    title = f"{answer.title}: {place} ({answer.as_of()})"
    shown = Table(title=title, title_justify="left", box=SIMPLE if console.is_terminal else None)
    for figure in answer.figures:
        shown.add_column(figure.heading, justify="left" if figure.kind == "text" else "right")
    for cells in _lines(answer):
        shown.add_row(*cells)
    console.print(shown)
    if len(answer.rows) > SHOWN:
        console.print(f"… {len(answer.rows) - SHOWN:,} more rows; --csv and --json have all")
    if not answer.rows:
        console.print("ingen rækker")


def _lines(answer: "Answer") -> Iterator[list[str]]:
    """Yield the cells of the rows, of the areas beside them, and of the sum of all rows."""
    from projections.lis.answers import shown_value, sums_of_columns

    kinds = [figure.kind for figure in answer.figures]
    total_at = answer.names.index(answer.total) if answer.total in answer.names else 0
    for row in (*answer.rows[:SHOWN], *answer.areas):
        cells = [shown_value(kind, value) for kind, value in zip(kinds, row, strict=True)]
        if row[total_at] is None and (answer.total or answer.areas):
            cells[total_at] = IN_ALL
        yield cells
    sums = sums_of_columns(answer)
    if len(answer.rows) > 1 and any(value is not None for value in sums):
        cells = [shown_value(kind, value) for kind, value in zip(kinds, sums, strict=True)]
        yield [IN_ALL, *cells[1:]] if not cells[0] else cells


def _explained(
    settings: "Settings",
    law: "RuleSet",
    view: "View",
    question: "LisQuestion",
    answer: "Answer",
) -> dict[str, str]:
    """Say what is counted, by which §, by which answers to open questions, and if sums agree."""
    from streams.lis.ledger_sums import sum_line

    definition = view.definition
    said = {"Hvad tælles": definition.counts, "Lov": definition.law}
    for switch in definition.switches:
        question_of_law = law.questions[switch]
        said[f"Valg {switch}"] = f"{question_of_law.value}: {question_of_law.meaning}"
    headings = {figure.name: figure.heading for figure in answer.figures}
    for name, meaning in definition.figures.items():
        if name in headings:
            said[headings[name]] = meaning
    if line := sum_line(settings.ledger, question, answer):
        said["Kontrol"] = line
    return said
