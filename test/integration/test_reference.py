"""The pages of config/reference say what the program says."""

import re

import pytest

from support import reference
from support.exporter import binary


@pytest.fixture(scope="module")
def written():
    return reference.pages(binary())


@pytest.mark.parametrize("page", ["flags.md", "metrics.md"])
def test_the_reference_is_what_the_program_says(written, page):
    assert (reference.FOLDER / page).read_text(encoding="utf-8") == written[page], "run ./dev reference"


def test_the_reference_has_every_stat_that_is_known(data, written):
    for line in (data / "stats.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        for name in re.findall(r"\bmemcached_[a-z_]+", line.split("\t")[4]):
            assert f"| `{name}` |" in written["metrics.md"], line
