"""Makes the vendored files of the site anew from their npm packages, and compares their digests.

    python -m streams.devtools.web_files          compare; status 1 where they differ
    python -m streams.devtools.web_files --write  write files and SHA256SUMS

There are three folders: what pages ask for, the fonts of the PDF, and what tests look at pages
with. It needs `npm`, which the program itself never does.
"""

import base64
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
SUMS: Final = "SHA256SUMS"
PACKAGES: Final = {
    "dkfds@11.2.0": (
        "dkfds-11.2.0.tgz",
        "JuVf8NjEOeF+TKIhEFXa3BfZvk1ulQM8+XN+6QhgDo6kiwwvupyBY34YU4FglBeyFWHbE5mYDmnrcYTWOSKkEA==",
    ),
    "htmx.org@4.0.1": (
        "htmx.org-4.0.1.tgz",
        "oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
    ),
    "axe-core@4.14.1": (
        "axe-core-4.14.1.tgz",
        "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    ),
}
"""The packages, each with the name of its file and the SHA-512 of it."""
FONTS: Final = "dist/fonts/IBMPlexSans/complete"
FIRST_ASKED: Final = f"{FONTS}/woff/IBMPlexSans-Regular"
"""The cut that the style asks for as woff before woff2."""
STYLE: Final = "dist/css/dkfds.min.css"
MARKDOWN: Final = ".md"


class VendoredFolder(NamedTuple):
    """A folder of the repository; `files` are the places in it of files of each package."""

    path: Path
    files: Mapping[str, Mapping[str, str]]


OF_PAGES: Final = VendoredFolder(
    ROOT / "streams" / "web" / "static" / "vendored",
    {
        "dkfds@11.2.0": {
            STYLE: "css/dkfds.min.css",
            f"{FIRST_ASKED}.woff": "fonts/IBMPlexSans/complete/woff/IBMPlexSans-Regular.woff",
            "dist/img/all-svg-icons.svg": "img/all-svg-icons.svg",
            f"LICENSE{MARKDOWN}": "dkfds-LICENSE.txt",
            f"{FONTS}/woff2/license.txt": "fonts/IBMPlexSans-license.txt",
            **{
                f"{FONTS}/woff2/IBMPlexSans-{cut}.woff2": (
                    f"fonts/IBMPlexSans/complete/woff2/IBMPlexSans-{cut}.woff2"
                )
                for cut in ("Regular", "Medium", "SemiBold", "Bold")
            },
        },
        "htmx.org@4.0.1": {"dist/htmx.min.js": "js/htmx.min.js", "LICENSE": "htmx-LICENSE"},
    },
)
OF_PAPER: Final = VendoredFolder(
    ROOT / "streams" / "web" / "fonts",
    {
        "dkfds@11.2.0": {
            f"{FONTS}/ttf/license.txt": "IBMPlexSans-LICENSE.txt",
            f"{FONTS}/ttf/IBMPlexSans-Regular.ttf": "IBMPlexSans-Regular.ttf",
            f"{FONTS}/ttf/IBMPlexSans-SemiBold.ttf": "IBMPlexSans-SemiBold.ttf",
        }
    },
)
OF_TESTS: Final = VendoredFolder(
    ROOT / "tests" / "fixtures" / "axe-core",
    {"axe-core@4.14.1": {"axe.min.js": "axe.min.js", "LICENSE": "LICENSE"}},
)
FOLDERS: Final = (OF_PAGES, OF_PAPER, OF_TESTS)
_ICON: Final = re.compile(rb"url\(\.\./(img/svg-icons/[a-z0-9-]+\.svg)\)")


def vendored_files(folder: VendoredFolder, packed: Path) -> dict[str, bytes]:
    """Return the files of a folder, made from packed packages. ValueError for a wrong package."""
    made = {}
    for package, places in folder.files.items():
        name, digest = PACKAGES[package]
        content = (packed / name).read_bytes()
        if base64.b64encode(hashlib.sha512(content).digest()).decode() != digest:
            raise ValueError(f"{package} is not the package that was looked at")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for inside, place in places.items():
                made[place] = _member(archive, inside)
            if STYLE in places:
                for icon in sorted(set(_ICON.findall(made["css/dkfds.min.css"]))):
                    path = icon.decode()
                    made[path] = _member(archive, f"dist/{path}")
    return made


def _member(archive: tarfile.TarFile, inside: str) -> bytes:
    file = archive.extractfile(f"package/{inside}")
    assert file is not None
    return file.read()


def sums_of(files: dict[str, bytes]) -> str:
    """Return the lines of SHA256SUMS."""
    return "".join(f"{hashlib.sha256(files[at]).hexdigest()}  {at}\n" for at in sorted(files))


def differences(folder: Path, sums: str) -> list[str]:
    """Return the files of a folder that are not as the sums say, and those that are missing."""
    expected = {line[66:]: line[:64] for line in sums.splitlines()}
    there = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != SUMS
    }
    return sorted(at for at in expected.keys() | there.keys() if expected.get(at) != there.get(at))


def main() -> int:
    """Compare, or write. The exit status is 1 where something differs."""
    with tempfile.TemporaryDirectory() as name:
        packed = Path(name)
        command = ["npm", "pack", "--silent", "--pack-destination", name, *PACKAGES]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        made = {folder.path: vendored_files(folder, packed) for folder in FOLDERS}
    is_written = "--write" in sys.argv[1:]
    differing = [_differs(path, files, is_written) for path, files in made.items()]
    return int(any(differing))


def _differs(path: Path, files: dict[str, bytes], is_written: bool) -> bool:
    """Tell whether a folder is not as its packages have it; before, write it if that is wanted."""
    sums = sums_of(files)
    if is_written:
        for at, content in files.items():
            (path / at).parent.mkdir(parents=True, exist_ok=True)
            (path / at).write_bytes(content)
        (path / SUMS).write_text(sums)
    different = differences(path, sums)
    for at in different:
        sys.stderr.write(f"{path.relative_to(ROOT) / at} is not as the package has it\n")
    return bool(different) or (path / SUMS).read_text() != sums


if __name__ == "__main__":
    sys.exit(main())
