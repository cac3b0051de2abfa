"""Says what notices mean and advise in another language than that of their records."""

from io import RawIOBase
from typing import Any, BinaryIO

import orjson

from domain.citizen.doubts import ONE_REPORTER
from streams.kit.catalogue import Catalogue, Language


class ToldNotices(RawIOBase):
    """A file of notices, one JSON object a line, whose advice is in a language.

    All else of a notice stays as it is.
    """

    def __init__(self, file: BinaryIO, language: Language) -> None:
        super().__init__()
        self._file = file
        self._words = Catalogue(language, "notices")

    def write(self, content: Any, /) -> int:
        """Write lines of notices."""
        lines = bytes(content).splitlines()
        self._file.write(b"".join(self._told(line) + b"\n" for line in lines))
        return len(content)

    def _told(self, line: bytes) -> bytes:
        notice = orjson.loads(line)
        detail, code = notice["detail"], notice["code"]
        is_of_one = detail.get("advice") == ONE_REPORTER
        key = f"advice_one_reporter.{code}" if is_of_one else f"advice.{code}"
        detail["advice"] = self._words.text(key)
        return orjson.dumps(notice)
