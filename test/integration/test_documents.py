"""Links between the documents lead to something."""

import pathlib
import re
import subprocess

import pytest

from support.exporter import binary

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


# What the documents say of the program is there.

# Flags of other programs whose names begin as one of ours.
FOREIGN = {"collector.textfile.directory", "web.enable-remote-write-receiver"}


def texts():
    """Every file that people read or start the exporter by."""
    folders = [ROOT / "config", ROOT / "src/cli"]
    files = documents() + [ROOT / name for name in ("compose.yaml", "Dockerfile")]
    files += [path for folder in folders for path in folder.rglob("*") if path.suffix in {".yml", ".yaml", ".service", ".c"}]
    return sorted({path for path in files if "grafana" not in path.parts})


@pytest.fixture(scope="module")
def flags():
    words = subprocess.run([binary(), "--help"], capture_output=True, text=True, check=True).stdout
    names = set()
    for no, name in re.findall(r"--(\[no-\])?([a-z][a-z0-9.-]+)", words):
        names |= {name, f"no-{name}"} if no else {name}
    return names


def test_every_flag_that_a_document_names_is_there(flags):
    """A flag with a dot in its name is one of ours, wherever it is shown; so is one on a line with our name."""
    prefixes = {name.split(".")[0].removeprefix("no-") for name in flags if "." in name}
    unknown = []
    for path in texts():
        for name in re.findall(r"--((?:no-)?[a-z]+\.[a-z0-9.-]*[a-z0-9])(?![.a-z0-9-]*\*)", path.read_text(encoding="utf-8")):
            if name.removeprefix("no-").split(".")[0] in prefixes and name not in flags | FOREIGN:
                unknown.append(f"{path.relative_to(ROOT)}: --{name}")
    assert not unknown


def test_every_metric_that_a_document_names_is_there(data):
    """Those of the exporter itself, which nothing else has; those of memcached are in stats.tsv."""
    reference = (ROOT / "config/reference/metrics.md").read_text(encoding="utf-8")
    there = set(re.findall(r"\bmemcached_[a-z0-9_]+", reference))
    unknown = []
    for path in texts():
        for name in re.findall(r"\bmemcached_(?:exporter|target)_[a-z0-9_]+[a-z0-9]\b(?![.*-])", path.read_text(encoding="utf-8")):
            plain = re.sub(r"_(bucket|sum|count)$", "", name)
            if not {name, plain} & there:
                unknown.append(f"{path.relative_to(ROOT)}: {name}")
    assert not unknown


def test_every_path_that_is_served_is_in_the_manual_and_cannot_be_taken():
    """The paths of the metrics and of scrapes are not among them: flags name these."""
    routes = set(re.findall(r'"(/[a-z/-]+)"', (ROOT / "src/web/handlers.c").read_text(encoding="utf-8")))
    assert {"/sd", "/-/healthy"} <= routes
    manual = subprocess.run([binary(), "--help-man"], capture_output=True, text=True, check=True).stdout.replace("\\", "")
    for path in routes:
        assert path in manual, path
        refused = subprocess.run([binary(), f"--web.scrape-path={path}"], capture_output=True, text=True, check=False, timeout=60)
        assert refused.returncode == 2 and "expected a path other than" in refused.stderr, path
