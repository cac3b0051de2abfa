"""The words of the house: a class name means one thing, a module is a noun, a docstring says
what a thing is.
"""

import ast
import re
from collections import defaultdict

import pytest

from tests.support.places import ROOT

PRODUCT = ("domain", "projections", "streams")
FIRST_WORDS = {"What", "Whether", "Of", "So", "Who", "Whose", "That", "As", "How", "Why", "By"}
"""A docstring that begins with one of these is half a sentence."""

NOUNS_IN_ING = {
    "opening.py", "posting.py", "reading.py", "reporting.py", "setting.py", "stopping.py",
    "timing.py", "tuning.py",
}  # fmt: skip


def modules(*packages):
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for package in packages or PRODUCT
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def docstrings(tree):
    """The docstrings of a module, its classes, functions and constants, with their lines."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def test_a_class_name_means_one_thing():
    places = defaultdict(list)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


@pytest.mark.parametrize(
    "source", ["class A:\n    'Whether it is.'", "A = 1\n'''Of all.'''", "def f():\n    'What.'"]
)
def test_half_a_sentence_is_found(source):
    assert [text for _, text in docstrings(ast.parse(source)) if is_half_a_sentence(text)]


def is_half_a_sentence(text):
    word = re.match(r"\W*(\w+)", text)
    return word is not None and word[1] in FIRST_WORDS


def test_a_docstring_begins_with_a_whole_sentence():
    found = [
        f"{path}:{line} {text.splitlines()[0][:60]}"
        for path, tree in modules(*PRODUCT, "bench", "demo", "examples", "tests").items()
        for line, text in docstrings(tree)
        if is_half_a_sentence(text)
    ]
    assert found == []


def test_modules_are_nouns():
    participles = [
        path
        for path in modules()
        if re.search(r"ing\.py$", path) and path.rsplit("/", 1)[1] not in NOUNS_IN_ING
    ]
    assert participles == []
