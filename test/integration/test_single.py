"""One memcached and no target label: what someone sees who swaps the official exporter for this one."""

import re
import subprocess
from decimal import Decimal

import pytest

from support import official
from support.fake import reply

# Names that users have in dashboards, or that say what memcached says, against promtool's taste.
PROMTOOL_ALLOWED = (
    re.compile(r'memcached_(uptime_seconds|slab_items_moves_to_cold|slab_items_moves_to_warm|'
               r'slab_items_moves_within_lru|slab_items_evicted_time_seconds|slab_mem_requested_bytes|'
               r'extstore_bytes_used) counter metrics should have "_total" suffix'),
    re.compile(r'memcached_pointer_size_bits use base unit "bytes" instead of "bits"'),  # a width, as memcached tells it
)


def test_every_official_series_with_its_exact_value(memcached, exporter, data):
    table = official.read_table(data / "official-metrics.tsv")
    server = memcached()
    server.traffic()
    started = exporter(targets=[server.address])
    before = official.series(table, server.stats())
    got = started.exposition()
    after = official.series(table, server.stats())
    assert len(before) > 100
    for key, low in before.items():
        assert key in got.samples, f"missing: {key}"
        assert low <= Decimal(got.samples[key]) <= after[key], f"{key}: {low} {got.samples[key]} {after[key]}"


def test_official_types(memcached, exporter, data):
    server = memcached()
    server.traffic()
    got = exporter(targets=[server.address]).exposition()
    expected = official.types(official.read_table(data / "official-metrics.tsv"))
    shown = {name: kind for name, kind in expected.items() if name in got.types}
    assert len(shown) > 60
    assert {name: got.types[name] for name in shown} == shown


def test_help_names_the_stat(memcached, exporter):
    got = exporter(targets=[memcached().address]).exposition()
    assert "curr_items" in got.helps["memcached_current_items"]


def test_no_target_label_with_one_address(memcached, exporter):
    got = exporter(targets=[memcached().address]).exposition()
    assert got.value("memcached_up") == "1"
    assert not [key for key in got.samples if dict(key[1]).get("instance")]


def test_set_is_what_is_left_of_cmd_set(fake, exporter):
    server = fake({"stats": reply("cmd_set 100", "cas_hits 10", "cas_misses 20", "cas_badval 5"),
                   "stats slabs": reply("3:cmd_set 50", "3:cas_hits 7", "3:cas_badval 2")})
    got = exporter(targets=[server.address]).exposition()
    assert got.value("memcached_commands_total", command="set", status="hit") == "65"
    assert got.value("memcached_slab_commands_total", slab="3", command="set", status="hit") == "41"


def test_set_without_cas_stats(fake, exporter):
    got = exporter(targets=[fake({"stats": reply("cmd_set 100")}).address]).exposition()
    assert got.value("memcached_commands_total", command="set", status="hit") == "100"


@pytest.mark.parametrize("digits", ["18446744073709551615", "9007199254740993"])
def test_64_bits_are_exact(fake, exporter, digits):
    server = fake({"stats": reply(f"get_hits {digits}", f"cmd_set {digits}", "cas_hits 1", f"bytes {digits}",
                                  f"brand_new {digits}"),
                   "stats items": reply(f"items:42:evicted {digits}")})
    got = exporter(targets=[server.address]).exposition()
    assert got.value("memcached_commands_total", command="get", status="hit") == digits
    assert got.value("memcached_commands_total", command="set", status="hit") == str(int(digits) - 1)
    assert got.value("memcached_current_bytes") == digits
    assert got.value("memcached_unmapped_stat", command="stats", stat="brand_new") == digits
    assert got.value("memcached_slab_items_evicted_total", slab="42") == digits


def test_cpu_seconds_are_read_as_a_decimal(fake, exporter):
    got = exporter(targets=[fake({"stats": reply("rusage_user 0.5", "rusage_system 12.000345")}).address]).exposition()
    assert Decimal(got.value("memcached_process_user_cpu_seconds_total")) == Decimal("0.5")
    assert Decimal(got.value("memcached_process_system_cpu_seconds_total")) == Decimal("12.000345")


def test_unknown_numbers_are_not_lost(fake, exporter):
    server = fake({"stats": reply("new_thing 12", "new_word hello"), "stats settings": reply("new_knob 3"),
                   "stats items": reply("items:7:new_age 4"), "stats slabs": reply("7:new_chunks 5", "new_total 6")})
    got = exporter(targets=[server.address]).exposition()
    found = {(labels["command"], value) for labels, value in got.find("memcached_unmapped_stat")}
    assert found == {("stats", "12"), ("settings", "3"), ("items", "4"), ("slabs", "5"), ("slabs", "6")}
    assert got.value("memcached_unmapped_stat", command="stats", stat="new_thing") == "12"


def test_unknown_words_are_not_lost(fake, exporter):
    """Switches are numbers, other words are labels; what is absent or very long is neither."""
    server = fake({"stats": reply("new_a yes", "new_b no", "new_c on", "new_d off", 'new_e quick "fox"', "new_f NULL", "new_g "),
                   "stats settings": reply("new_knob fast", "new_long " + 257 * "x", "new_short " + 256 * "x")})
    got = exporter(targets=[server.address]).exposition()
    assert {labels["stat"]: value for labels, value in got.find("memcached_unmapped_stat")} == {
        "new_a": "1", "new_b": "0", "new_c": "1", "new_d": "0"}
    assert {(labels["command"], labels["stat"], labels["value"], value)
            for labels, value in got.find("memcached_unmapped_text_info")} == {
                ("stats", "new_e", 'quick "fox"', "1"), ("settings", "new_knob", "fast", "1"),
                ("settings", "new_short", 256 * "x", "1")}
    assert got.value("memcached_target_truncated") == "1"
    assert got.value("memcached_target_parse_errors") == "0"


def remarks(started):
    return [(line["msg"].split(",")[0], line["command"], line["stat"]) for line in started.log() if "stat" in line]


def test_what_cannot_be_read_is_named_once_and_again_when_it_changes(fake, exporter):
    server = fake({"stats items": reply("items:3:age new", "items:4:age new")})
    started = exporter(targets=[server.address])
    unreadable = "the target gave a value that cannot be read"
    for _ in range(3):
        assert started.exposition().value("memcached_target_parse_errors") == "2"
    assert remarks(started) == [(unreadable, "items", "items:3:age")]
    server.answers["stats items"] = reply("items:4:age new")
    for _ in range(3):
        started.exposition()
    assert remarks(started) == [(unreadable, "items", "items:3:age"), (unreadable, "items", "items:4:age")]


@pytest.mark.parametrize("command, line, key", [
    ("stats", "STAT uptime " + "9" * 3000, "uptime"),
    ("stats settings", "STAT inter " + "10.0.0.1," * 400, "inter"),
    ("stats conns", "STAT 27:secs_since_last_cmd never", "secs_since_last_cmd"),
    ("stats sizes", "STAT 96 some", "96"),
    ("stats detail dump", "PREFIX session get 1 hit x set 1 del 1", "session"),
])
def test_other_values_that_cannot_be_read_are_named_too(fake, exporter, command, line, key):
    server = fake({command: b"STAT pid 1\r\n" * (command == "stats") + line.encode() + b"\r\nEND\r\n"})
    started = exporter("--collector.conns", "--collector.sizes", "--collector.detail", targets=[server.address])
    for _ in range(3):
        got = started.exposition()
        assert got.value("memcached_up") == got.value("memcached_target_parse_errors") == "1"
    name = "detail" if "detail" in command else command.split()[-1]
    assert remarks(started) == [("the target gave a value that cannot be read", name, key)]


def test_a_stat_that_is_given_twice_is_named_once(fake, exporter):
    server = fake({"stats slabs": reply("3:chunk_size 96", "3:chunk_size 0")})
    started = exporter(targets=[server.address])
    for _ in range(3):
        got = started.exposition()
        assert got.value("memcached_slab_chunk_size_bytes", slab="3") == "96"
        assert got.value("memcached_target_parse_errors") == "0"
    assert remarks(started) == [("the target gave a stat twice", "slabs", "chunk_size")]


def test_every_number_of_a_real_server_is_known(memcached, exporter):
    server = memcached()
    server.traffic()
    assert exporter(targets=[server.address]).exposition().find("memcached_unmapped_stat") == []


def test_promtool_is_content(memcached, exporter):
    server = memcached()
    server.traffic()
    body = exporter(targets=[server.address]).get("/metrics").body
    check = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=20, check=False)
    said = (check.stdout + check.stderr).decode().splitlines()
    assert [line for line in said if not any(allowed.fullmatch(line) for allowed in PROMTOOL_ALLOWED)] == []
    assert check.returncode in (0, 3), said  # 3: remarks on style alone


def test_what_the_exporter_knows_of_the_target(memcached, exporter):
    started = exporter(targets=[memcached().address])
    got = started.exposition()
    assert got.state() == "up"
    assert 0 < float(got.value("memcached_target_scrape_duration_seconds")) < 1
    assert got.value("memcached_target_connection_reused") == "0"
    assert got.value("memcached_target_parse_errors") == "0"
    collectors = {labels["collector"]: value for labels, value in got.find("memcached_target_collector_success")}
    assert {name: collectors.get(name) for name in ("settings", "items", "slabs")} == dict.fromkeys(
        ("settings", "items", "slabs"), "1")
    assert started.exposition().value("memcached_target_connection_reused") == "1"


def test_an_answer_of_an_empty_cache_is_whole(memcached, exporter):
    got = exporter(targets=[memcached().address]).exposition()
    assert got.value("memcached_target_collector_success", collector="items") == "1"
    assert got.find("memcached_slab_current_items") == []


def test_only_whole_known_words_in_one_write(fake, exporter):
    server = fake()
    exporter(targets=[server.address]).exposition()
    assert server.requests == ["stats", "stats settings", "stats items", "stats slabs"]
    assert len(server.writes) == 1


def test_a_collector_that_is_off_is_not_asked(fake, exporter):
    server = fake()
    got = exporter("--no-collector.slabs", "--no-collector.settings", targets=[server.address]).exposition()
    assert server.requests == ["stats", "stats items"]
    assert got.find("memcached_slab_chunk_size_bytes") == []
    assert got.find("memcached_max_connections") == []
    assert got.find("memcached_slab_current_items") != []
    assert {labels["collector"] for labels, _ in got.find("memcached_target_collector_success")}.isdisjoint(
        {"slabs", "settings"})


def test_pid_file(memcached, exporter, tmp_path):
    server = memcached()
    file = tmp_path / "memcached.pid"
    file.write_text(f"{server.process.pid}\n")
    got = exporter(f"--memcached.pid-file={file}", targets=[server.address]).exposition()
    assert int(got.value("memcached_process_open_fds")) > 3
    assert float(got.value("memcached_process_resident_memory_bytes")) > 100000
    for name in ("cpu_seconds_total", "virtual_memory_bytes", "virtual_memory_max_bytes", "max_fds", "start_time_seconds"):
        assert got.value("memcached_process_" + name) is not None, name


def test_pid_file_that_is_not_there(memcached, exporter, tmp_path):
    got = exporter(f"--memcached.pid-file={tmp_path / 'none'}", targets=[memcached().address]).exposition()
    assert got.value("memcached_up") == "1"
    assert got.find("memcached_process_open_fds") == []


def test_own_metrics(memcached, exporter):
    got = exporter(targets=[memcached().address]).exposition()
    (labels, value), = got.find("memcached_exporter_build_info")
    assert value == "1"
    assert set(labels) >= {"version", "revision", "branch", "goversion", "goos", "goarch", "tags"}
    assert got.value("process_open_fds") is not None


def test_own_metrics_can_be_switched_off(memcached, exporter):
    got = exporter("--web.disable-exporter-metrics", targets=[memcached().address]).exposition()
    assert got.value("memcached_up") == "1"
    assert got.find("memcached_exporter_build_info") == []
    assert got.find("process_open_fds") == []


def test_telemetry_path(memcached, exporter):
    started = exporter("--web.telemetry-path=/other", targets=[memcached().address])
    assert started.exposition("/other").value("memcached_up") == "1"
    assert started.get("/metrics").status == 404
