"""The guides: their pages exist and their readers may see them; pictures are small and told."""

from struct import unpack

import pytest

from demo.pictures import LARGEST_BYTES, PICTURES
from demo.site import OPERATORS, PERSONS
from streams.web.app import STATIC, right_of, routes_of
from streams.web.guide_routes import GUIDES
from streams.web.visitors import Role
from streams.web.words import catalogue
from tests.support.site_client import a_site, client_of

READERS = {"sagsbehandler": Role.CASEWORKER, "controller": Role.ECONOMY, "drift": Role.OPERATOR}
STEPS = [(guide, step) for guide, steps in GUIDES.items() for step in steps]
FOLDER = STATIC / "guides"


@pytest.mark.parametrize(("guide", "step"), STEPS, ids=[step.key for _, step in STEPS])
def test_each_page_of_a_guide_is_there_for_whom_the_guide_is(guide, step):
    routes = [
        route
        for route in routes_of()
        if "GET" in (route.methods or ()) and route.path_regex.fullmatch(step.path)
    ]
    assert routes, step.path
    roles = right_of(routes[0]).roles
    assert not roles or READERS[guide] in roles


def test_each_picture_is_small_told_in_words_and_made_by_the_script():
    used = [step for _, step in STEPS if step.picture]
    made = {picture.name: picture for picture in PICTURES if picture.name}
    assert {step.picture for step in used} == set(made) == {p.stem for p in FOLDER.iterdir()}
    for step in used:
        content = (FOLDER / f"{step.picture}.png").read_bytes()
        assert len(content) < LARGEST_BYTES
        assert unpack(">II", content[16:24]) == (900, 720)
        told = catalogue()[f"guides.{step.key}_alt"]
        assert all(len(told[language]) > 30 for language in ("da", "en"))
        assert made[step.picture].person in PERSONS | OPERATORS
    paths = {step.picture: step.path for step in used}
    assert {name: picture.path for name, picture in made.items()} == paths


@pytest.mark.parametrize("language", ["", "/en"])
def test_the_guides_are_public_and_show_each_picture_with_its_words(language):
    client = client_of(a_site())
    start = client.get(f"{language}/vejledning").text
    for guide, steps in GUIDES.items():
        assert f'href="{language}/vejledning/{guide}"' in start
        page = client.get(f"{language}/vejledning/{guide}").text
        assert page.count("<img ") == sum(bool(step.picture) for step in steps)
        assert page.count(' alt="') == page.count("<img ")
        assert ' alt=""' not in page
        for step in steps:
            assert f'href="{language}{step.path}"' in page
    assert client.get("/vejledning/x").status_code == 404
    assert f'href="{language}/vejledning"' in client.get(f"{language}/").text
