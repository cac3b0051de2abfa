"""Writes and reads the zip file of a package: the same content, the same bytes.

Files are in the order of their names, not compressed (libraries compress differently), with one
fixed time. `CHECKSUMS` has the SHA-256 of each other file, as `sha256sum` writes it.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.dossier.run_part import PackageError

CHECKSUMS: Final = "CHECKSUMS"
TIME: Final = (1980, 1, 1, 0, 0, 0)
LARGEST_BYTES: Final = 1 << 30
"""Bytes of the largest package that is read."""
_NAME: Final = re.compile(
    r"CHECKSUMS|LAES-MIG\.txt|pakke\.json|versioner\.json"
    r"|(kontroller|proever|afvigelser)\.csv"
    r"|genberegning/(partitioner\.csv|kontrolposter-[0-9]{1,6}\.json)"
    r"|afstemning/(kontrolsummer|filer)\.csv"
    r"|handlinger/(handlinger\.jsonl|godkendelser\.csv)"
    r"|stikproever/((udtraek|raekker)\.csv|([0-9]{3})?-[0-9a-f]{32}\.json)"
    r"|regler/(regelsaet\.csv|(regelregister-|egne/|program/(rule-sets/)?)[A-Za-z0-9][A-Za-z0-9._-]{0,100})"
)
"""The names of files that a package may have; none of them leads out of a folder."""
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")

Content = dict[str, bytes]
"""The files of a package by name."""


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()


def packed(content: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a package, with its checksums."""
    lines = [f"{digest_of(content[name])}  {name}\n" for name in sorted(content)]
    whole = {**content, CHECKSUMS: "".join(lines).encode()}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(whole):
            file.writestr(zipfile.ZipInfo(name, TIME), whole[name])
    return written.getvalue()


def write_package(path: Path, package: bytes) -> None:
    """Write the bytes of a package; the file gets its place when it is whole."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(package)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_package(path: Path) -> tuple[Content, list[str]]:
    """Read a package; return its files, and a sentence for each that is not what it was.

    Raises PackageError where it is no package at all.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise PackageError(f"{path} is larger than {LARGEST_BYTES:,} bytes; it is no package")
    whole = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as file:
            content, findings = _files(path, file)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise PackageError(
            f"{path} is no zip file, or was damaged beyond reading; get it again"
        ) from error
    if CHECKSUMS not in content:
        raise PackageError(
            f"{path} has no readable file {CHECKSUMS}; it is no package of `refusion audit package`"
        )
    findings += _unlike_checksums(content, set(content))
    checked = {name: each for name, each in content.items() if name != CHECKSUMS}
    if not findings and packed(checked) != whole:
        findings.append(f"{path.name}: bytes between its files are not as the program writes them")
    return content, findings


def _files(path: Path, file: zipfile.ZipFile) -> tuple[Content, list[str]]:
    entries = file.infolist()
    if sum(entry.file_size for entry in entries) > LARGEST_BYTES:
        raise PackageError(f"{path} is larger than {LARGEST_BYTES:,} bytes; it is no package")
    content: Content = {}
    findings = []
    for entry in entries:
        is_plain = _NAME.fullmatch(entry.filename) and entry.compress_type == zipfile.ZIP_STORED
        if not is_plain or entry.filename in content:
            findings.append(f"{entry.filename!a}: no package has such a file")
            continue
        try:
            content[entry.filename] = file.read(entry)
        except (zipfile.BadZipFile, OSError, RuntimeError):
            content[entry.filename] = b""  # its checksum is another one now
    return content, findings


def _unlike_checksums(content: Content, names: set[str]) -> list[str]:
    findings, known = [], {CHECKSUMS}
    for number, line in enumerate(content[CHECKSUMS].decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            findings.append(f"{CHECKSUMS}: line {number} is no checksum of a file")
        elif match[2] not in names:
            findings.append(f"{match[2]}: it has a checksum, and is not there")
        elif digest_of(content[match[2]]) != match[1]:
            findings.append(f"{match[2]}: it was changed: its SHA-256 is not that of {CHECKSUMS}")
        known |= {match[2]} if match else set()
    return findings + [f"{name}: it has no checksum" for name in sorted(names - known)]
