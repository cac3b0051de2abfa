"""Texts of foreign XML are bounded as they come, and are whole wherever the reading is cut."""

import gc
import io
from functools import partial

import pytest

from domain.basics.cache import Memo
from streams.upstream import bounded_xml
from streams.upstream.bounded_xml import LONGEST_TEXT, READ_BYTES, BoundedXml, Place, XmlTrouble


class Texts(BoundedXml):
    """Keeps the text of each element."""

    def __init__(self):
        super().__init__(Memo(str, 10))
        self.found = []

    def meet(self, place):
        place.at_end = partial(self.find, place.local)

    def find(self, local, text):
        self.found.append((local, text))

    def hand_on(self):
        pass


def texts_of(file):
    reader = Texts()
    reader.read(file)
    return reader.found


def test_a_text_is_that_of_its_own_element():
    given = b"<a>before<b> one <c/>two</b>between<b>3<!-- - -->4&amp;5</b>\n after </a>"
    found = [("c", ""), ("b", "two"), ("b", "34&5"), ("a", "after")]
    assert texts_of(io.BytesIO(given)) == found


@pytest.mark.parametrize("digits", [1, 4, 7])
def test_a_text_is_whole_where_the_reading_is_cut(digits):
    head, tail = b"<a><!--", b"--><b>"
    head += b"x" * (READ_BYTES - len(head + tail) - digits) + tail
    assert texts_of(io.BytesIO(head + b"12345678</b></a>")) == [("b", "12345678"), ("a", "")]


@pytest.mark.parametrize("after", [b"</a>", b"<b/></a>", b""])
def test_a_text_that_is_too_long_is_refused_whatever_follows(after):
    with pytest.raises(XmlTrouble) as trouble:
        texts_of(io.BytesIO(b"<a>" + b"x" * (LONGEST_TEXT + 1) + after))
    assert trouble.value.reason == "too_large"
    texts_of(io.BytesIO(b"<a>" + b"x" * LONGEST_TEXT + b"</a>"))


class Endless(io.RawIOBase):
    """A text that never ends."""

    given = 0

    def read(self, size=-1):
        assert self.given < 4, "it was read on"
        self.given += 1
        return b"<a>" if self.given == 1 else b"x" * size


def test_a_text_that_does_not_end_is_not_read_on():
    with pytest.raises(XmlTrouble) as trouble:
        texts_of(Endless())
    assert trouble.value.reason == "too_large"


def many_paths(names):
    """An element that is open for long, with many paths of others below it."""
    inside = [f"<{one}><{two}><{three}/></{two}></{one}>" for one in names for two in names
              for three in names]  # fmt: skip
    return f"<a>{''.join(inside)}<b>text</b></a>".encode()


def test_places_beyond_the_bound_are_forgotten_and_found_again(monkeypatch):
    text = many_paths([*"klmnopqrst"])
    found = texts_of(io.BytesIO(text))
    monkeypatch.setattr(bounded_xml, "MOST_PLACES", 50)
    assert texts_of(io.BytesIO(text)) == found
    gc.collect()
    gc.disable()
    try:
        reader = Texts()
        reader.read(io.BytesIO(text))
        kept = sum(isinstance(each, Place) for each in gc.get_objects())
    finally:
        gc.enable()
    assert kept <= 50 + 5, "forgotten places hold each other"
