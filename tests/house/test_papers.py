"""The papers that a newcomer reads first: they name what is there, in lines that fit a screen."""

import re

import click
import pytest

from streams.citizens.rule_sets import load_rule_set
from streams.cli.main import main
from streams.kafka.topic_settings import FOR_EVER
from streams.kafka.topics import DAY_MS, all_topics
from streams.settings_table import FOUR_EYES
from streams.web import documents
from tests.house.test_house import files_of_ours, relative
from tests.support.places import DOCS, ROOT

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()
CONTRACT = (DOCS / "contract.md").read_text()
GLOSSARY = (DOCS / "glossary.md").read_text()
PACKAGES = ("domain", "projections", "streams")
BESIDE_THEM = ("bench", "demo", "examples", "tests")

LONGEST_LINE = 100
IN_DANISH = {f"docs/{name}.md" for name in documents.IN_DANISH}


def rooms():
    """Yield the folders of the packages that have code or data."""
    for package in PACKAGES:
        yield from (
            relative(folder)
            for folder in sorted((ROOT / package).iterdir())
            if folder.is_dir() and [*folder.glob("*.py"), *folder.glob("*.yaml")]
        )


def test_architecture_names_each_room_and_no_other():
    named = re.findall(r"^\| `([\w/.]+)` \|", ARCHITECTURE, re.MULTILINE)
    assert sorted(named) == sorted([*rooms(), "streams/settings.py", "streams/settings_table.py"])
    assert [name for name in BESIDE_THEM if f"**{name}/**" not in ARCHITECTURE] == []


def test_architecture_names_each_folder_of_tests():
    folders = {
        relative(folder)
        for folder in (ROOT / "tests").iterdir()
        if folder.is_dir() and list(folder.glob("*.py"))
    }
    mirrored = {f"tests/{package}" for package in PACKAGES}
    assert folders - mirrored == set(re.findall(r"`(tests/\w+)`", ARCHITECTURE))


def test_the_rooms_are_listed_as_the_import_contracts_have_them():
    contracts = (ROOT / "pyproject.toml").read_text()
    (block,) = re.findall(
        r'arrows downward only"\ntype = "layers"\nlayers = \[(.*?)\]', contracts, re.DOTALL
    )
    layers = [name.replace(".", "/") for name in re.findall(r'"([\w.]+)"', block)]
    listed = re.findall(r"^\| `(streams/\w+)(?:\.py)?` \|", ARCHITECTURE, re.MULTILINE)
    assert listed == layers


def test_architecture_names_each_decision():
    pages = [relative(path) for path in sorted((DOCS / "decisions").glob("*.md"))]
    titles = [(ROOT / page).read_text().partition("\n")[0].removeprefix("# ") for page in pages]
    links = re.findall(r"^\* \[([^\]]+)\]\((docs/decisions/[^)]+)\)", ARCHITECTURE, re.MULTILINE)
    links = [(" ".join(title.split()), page) for title, page in links]
    assert links == list(zip(titles, pages, strict=True))


PATH = re.compile(r"`((?:domain|projections|streams|tests|bench|demo|docs|examples)/[\w./-]*)`")


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_paths_in_the_papers_exist(name):
    text = (ROOT / name).read_text()
    made_by_it = set(re.findall(r"`([\w./-]+)`,\s+a\s+new\s+file:", text))  # by a recipe
    paths = set(PATH.findall(text)) - made_by_it
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("text", [README, CONTRACT], ids=["README", "contract"])
def test_every_command_is_in_the_table_of_commands(text):
    names = main.list_commands(click.Context(main))
    assert [name for name in names if f"| `refusion {name}" not in text] == []


@pytest.mark.parametrize("text", [README, CONTRACT], ids=["README", "contract"])
def test_every_exit_status_is_told(text):
    assert all(word in text for word in ("0", "1", "2"))
    assert "could not be done" in text
    assert "wrong or held" in text


def test_the_acts_that_need_two_persons_are_the_same_in_each_list():
    handbook = (DOCS / "operations.md").read_text()
    (told,) = re.findall(
        r"These acts wait for a second person: (.*?)\. Who asks", handbook, re.DOTALL
    )
    (agreed,) = re.findall(r"is for rule sets, (.*?): without approval", CONTRACT, re.DOTALL)
    lists = [
        {" ".join(name.split()) for name in re.findall(r"`([^`]+)`", text)}
        for text in (told, agreed, FOUR_EYES.meaning)
    ]
    assert len(lists[0]) == 9
    assert lists[0] == lists[1] == lists[2]


def prose(text):
    """Yield the numbered lines of a page without tables, code, headings and lines with links."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        if not (code or line.lstrip().startswith(("|", "#", "```")) or "](" in line):
            yield number, line


def test_pages_break_at_a_hundred_columns():
    long = [
        f"{relative(path)}:{number}"
        for path in files_of_ours(".md")
        if relative(path) not in IN_DANISH
        for number, line in prose(path.read_text())
        if len(line) > LONGEST_LINE and " " in line.strip()
    ]
    assert long == []


LEGAL_TERM = re.compile(
    r"\b[a-zæøå]+(?:ydelse|dagpenge|pension|hjælp|tilskud|tæller|kommune|bidrag|støtte|godtgørelse"
    r"|forløb|finansiering|refusion|a-kasse|afregning)\b"
)
"""Danish words that name a benefit, a payment, a counter or an authority."""


def test_the_glossary_has_every_benefit():
    codes = {code for name in ("R-1", "R-2") for code in load_rule_set(name).benefits}
    assert codes <= set(re.findall(r"[A-Z][A-Z0-9]+(?:-[AB])?", GLOSSARY))


def test_the_glossary_has_every_danish_term_of_code_and_papers():
    readers = [path for path in files_of_ours(".md") if relative(path) not in IN_DANISH]
    code = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    words = {
        word.replace("oe", "ø").replace("aa", "å").replace("ae", "æ")
        for path in [*readers, *code]
        for word in LEGAL_TERM.findall(path.read_text().partition("\n## 12. Sources\n")[0].lower())
    }
    assert len(words) > 30
    assert sorted(word for word in words if word not in GLOSSARY.lower()) == []


def test_the_licence_is_the_one_that_the_project_names():
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert 'license = "EUPL-1.2"' in (ROOT / "pyproject.toml").read_text()
    assert max(map(len, licence.splitlines())) <= LONGEST_LINE


def test_the_run_of_a_change_calls_the_test_command_of_the_readme():
    assert "\nmake test " in README
    script = (ROOT / ".ci" / "run").read_text()
    assert "\nmake test\n" in script


def test_the_record_of_processing_has_the_period_of_each_topic():
    _, periods = (DOCS / "fortegnelse.md").read_text().split("## Slettefrister")
    for topic in all_topics((), receipts=True):
        named = rf"^\| [^|]*`{re.escape(topic.name)}`[^|]*\|.*$"
        (line,) = re.findall(named, periods, re.MULTILINE)
        kept_ms = topic.settings.get("retention.ms", FOR_EVER)
        days = re.search(r"\| (\d+) dage \|$", line)
        assert kept_ms == (str(int(days[1]) * DAY_MS) if days else FOR_EVER)
