"""The units that users copy: systemd finds nothing wrong with them, and calls them well isolated."""

import pathlib
import re
import shutil
import subprocess

import pytest

UNITS = pathlib.Path(__file__).parents[2] / "config/systemd"
MOST_EXPOSED = 1.5

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_units_are_isolated(unit):
    run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / unit],
                         capture_output=True, text=True, timeout=60)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", run.stdout)
    if not level:
        pytest.skip("this systemd judges no files: " + run.stderr.strip())
    assert float(level[1]) <= MOST_EXPOSED, run.stdout


def test_the_unit_stands_in_for_the_official_package():
    unit = (UNITS / "memcached_fleet_exporter.service").read_text(encoding="utf-8")
    assert "EnvironmentFile=-/etc/default/prometheus-memcached-exporter\n" in unit
    assert re.search(r"^ExecStart=\S+/memcached_fleet_exporter \$ARGS$", unit, re.MULTILINE)
    assert "Alias=prometheus-memcached-exporter.service\n" in unit


def test_the_service_runs_as_the_user_of_sysusers():
    unit = (UNITS / "memcached_fleet_exporter.service").read_text(encoding="utf-8")
    user = re.search(r"^u (\S+) - ", (UNITS / "sysusers.conf").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert f"\nUser={user}\nDynamicUser=yes\n" in unit, "systemd makes the user where nobody else has"


def test_the_service_is_supervised():
    """As test_supervision.py shows for the exporter: it tells systemd of its states, and serves the watchdog."""
    unit = (UNITS / "memcached_fleet_exporter.service").read_text(encoding="utf-8")
    for line in ("Type=notify", "WatchdogSec=30", "Restart=on-failure", "RestartPreventExitStatus=2"):
        assert f"\n{line}\n" in unit
