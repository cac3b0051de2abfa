"""PDFs are set in processes of their own: which end, are started anew, and give up once."""

import sys
from contextlib import contextmanager

import pytest

from streams.web.lis_pdf import pdf
from streams.web.lis_typesetter import LARGE_BYTES, Typesetter, TypesettingError, TypesettingProcess

PAPER = {
    "title": "Beløb",
    "language": "da",
    "finding": "Randers fik 12 kr.",
    "place": "730 Randers",
    "as_of": "kørsel 60",
    "picture": "",
    "picture_text": "",
    "words": {"figures": "Tal", "no_rows": "Ingen", "meaning": "Hvad det betyder"},
    "heads": [{"title": "Måned", "meaning": "Måneden", "is_number": False}],
    "rows": [{"cells": ["januar 2024"], "is_sum": False}],
    "cut": "",
    "counts": "",
    "law": "",
}


@contextmanager
def counted():
    """Lend a typesetter, and the processes that it has started."""
    started = []

    def start():
        started.append(TypesettingProcess())
        return started[-1]

    typesetter = Typesetter(start)
    try:
        yield typesetter, started
    finally:
        typesetter.close()


def test_a_document_has_the_bytes_of_this_process_and_the_next_has_the_same_process():
    with counted() as (typesetter, started):
        assert typesetter.pdf(PAPER) == typesetter.pdf(PAPER) == pdf(PAPER)
        assert len(started) == 1
        typesetter.pdf(PAPER | {"law": " " * LARGE_BYTES})
        assert started[0]._process.returncode is not None, "its memory goes back"
    assert all(process._process.returncode is not None for process in started)


def test_a_document_that_names_nobody_is_set_once_of_the_same_values():
    with counted() as (typesetter, started):
        kept = [typesetter.kept_pdf(PAPER) for _ in range(3)]
        assert {*kept} == {pdf(PAPER)}
        assert started[0]._made == 1
        other = typesetter.kept_pdf(PAPER | {"place": "751 Aarhus"})
        assert other not in kept
        typesetter.pdf(PAPER)
        assert started[0]._made == 3


def test_a_process_that_always_ends_is_told_and_the_next_document_tries_again():
    started = []

    def start():
        started.append(TypesettingProcess((sys.executable, "-c", "")))
        return started[-1]

    typesetter = Typesetter(start)
    for number in (2, 4):
        with pytest.raises(TypesettingError):
            typesetter.pdf(PAPER)
        assert len(started) == number
    typesetter.close()
