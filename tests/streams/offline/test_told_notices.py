"""The advice of notices is told in Danish, and nothing else of them changes."""

import io
import json

import pytest

from domain.citizen.doubts import ADVICE, ONE_REPORTER
from streams.kit.catalogue import Catalogue
from streams.offline.told_notices import ToldNotices

CASES = [*ADVICE.items(), ("possible_duplicate", ONE_REPORTER)]


@pytest.mark.parametrize(("code", "advice"), CASES)
def test_each_advice_is_told_in_danish(code, advice):
    detail = {"benefit": "KTH", "municipalities": ["730"], "advice": advice}
    notice = {"schema": 1, "type": "notice", "code": code, "citizen": "ab", "detail": detail}
    out = io.BytesIO()
    ToldNotices(out, "da").write(json.dumps(notice).encode() + b"\n")
    (told,) = map(json.loads, out.getvalue().splitlines())
    said = told["detail"].pop("advice")
    head = "advice_one_reporter" if advice == ONE_REPORTER else "advice"
    assert said == Catalogue("da", "notices").text(f"{head}.{code}") != advice
    del detail["advice"]
    assert told == notice
    same = io.BytesIO()
    ToldNotices(same, "en").write(
        json.dumps(notice | {"detail": detail | {"advice": advice}}).encode()
    )
    assert json.loads(same.getvalue())["detail"]["advice"] == advice
