"""The commands of the operator's handbook, run."""

import re
import shlex
import subprocess

from tests.support.lines import PAYMENT, changed
from tests.support.pipeline import PROGRAM
from tests.support.places import DOCS

HANDBOOK = DOCS / "operations.md"
BLOCK = re.compile(r"<!-- run -->\n```sh\n(.*?)```", re.DOTALL)


def test_the_commands_of_the_handbook_work(pipeline, lives):
    worker = pipeline.start()
    pipeline.publish([*lives[0], changed(PAYMENT, period_end="2023-01-01")])
    pipeline.wait_until_settled()
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    lines = [line for block in BLOCK.findall(HANDBOOK.read_text()) for line in block.splitlines()]
    assert len(lines) >= 8
    for line in lines:
        name, *words = shlex.split(line)
        assert name == "refusion"
        done = subprocess.run(
            [PROGRAM, *words], env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if words[0] == "run":
            pipeline.wait_until_settled()
    pipeline.stop(worker)
