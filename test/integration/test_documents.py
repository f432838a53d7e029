"""Links between the documents lead to something."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {"build", "deps", ".git"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def documents():
    return sorted(path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts))


def anchors(text):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_folder_of_config_with_a_page_is_linked_from_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "config").glob("*/README.md"):
        assert f"]({page.relative_to(ROOT)})" in text, page


@pytest.mark.parametrize("command", ["deb", "tarball", "reference", "test", "bench", "demo"])
def test_the_usage_of_dev_names_its_commands(command):
    usage = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  {command}\b", usage, re.MULTILINE)
