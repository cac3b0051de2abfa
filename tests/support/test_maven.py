"""A program of Maven Central is run only if it is the one that was looked at."""

from hashlib import sha256

import pytest

from tests.support.maven import maven_file

COORDINATE = "org.example:tool:1.0"


def giving(content):
    def fetch(_coordinate, folder):
        (folder / "tool.jar").write_bytes(content)
        return folder / "tool.jar"

    return fetch


def never(_coordinate, _folder):
    raise AssertionError("it is fetched once")


def test_a_file_is_fetched_once_and_only_the_known_one_is_given(tmp_path):
    known = sha256(b"tool").hexdigest()
    with pytest.raises(AssertionError, match="is not run"):
        maven_file(COORDINATE, known, tmp_path, giving(b"other"))
    place = maven_file(COORDINATE, known, tmp_path, giving(b"tool"))
    assert maven_file(COORDINATE, known, tmp_path, never) == place
    place.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match="is not run"):
        maven_file(COORDINATE, known, tmp_path, never)
    assert [path.suffix for path in tmp_path.iterdir() if path != place] == [".lock"]
