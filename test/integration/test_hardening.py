"""What the compiler and the linker did to the release program against those who would abuse a mistake in it."""

import re
import subprocess

import pytest

from support.exporter import binary


def readelf(*flags):
    run = subprocess.run(["readelf", "-W", *flags, binary(release=True)], capture_output=True, text=True, check=True, timeout=60)
    return run.stdout


@pytest.fixture(scope="module")
def symbols():
    """Those that it takes from libraries."""
    return set(re.findall(r" UND (\w+)", readelf("--dyn-syms")))


@pytest.fixture(scope="module")
def assembler():
    run = subprocess.run(["objdump", "-d", "--no-show-raw-insn", binary(release=True)], capture_output=True, text=True, timeout=120, check=True)
    return run.stdout


def segments():
    """{type: flags} of the program headers."""
    return dict(re.findall(r"^  (\w+) +(?:0x\w+ +){5}([RWE ]{3})", readelf("-l"), re.M))


def test_it_is_loaded_anywhere():
    """A position-independent executable: its addresses are drawn anew at each start."""
    assert re.search(r"Type: +DYN \(Position-Independent Executable", readelf("-h"))
    assert "PIE" in readelf("-d")


def test_the_stack_is_not_executable_and_nothing_is_written_and_executed():
    found = segments()
    assert found["GNU_STACK"] == "RW "
    assert not [kind for kind, flags in found.items() if "W" in flags and "E" in flags], found


def test_addresses_of_functions_are_read_only():
    """Full RELRO: all are found at the start, and their table is locked then."""
    assert "GNU_RELRO" in segments() and re.search(r"\(FLAGS(_1)?\).*NOW", readelf("-d"))


def test_stacks_are_guarded(symbols):
    assert "__stack_chk_fail" in symbols


def test_copies_are_checked(symbols):
    """Calls that may write beyond what the compiler knows of an object; level 3 finds it for allocated memory, too."""
    checked = {name for name in symbols if name.endswith("_chk")}
    assert {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk"} <= checked, checked


def test_level_3_of_fortify():
    """Only it knows the size of an object by an expression."""
    with open(binary(release=True).rsplit("/", 1)[0] + "/compile_commands.json", encoding="utf-8") as commands:
        assert "-D_FORTIFY_SOURCE=3" in commands.read()


def test_jumps_lead_to_where_they_may(assembler):
    """Functions whose address is taken begin with a mark of their own. The note that says so is not there where the C
    library's own start files lack it, as in Debian 12."""
    if "file format elf64-x86-64" not in assembler:
        pytest.skip("for x86-64")
    assert re.search(r"<main>:\n +\w+:\t(endbr64|.*\n.*endbr64)", assembler) or assembler.count("endbr64") > 500


def test_large_frames_are_probed(assembler):
    """-fstack-clash-protection: no frame steps over the page below the stack."""
    if "file format elf64-x86-64" not in assembler:
        pytest.skip("for x86-64")
    assert re.search(r"sub +\$0x1000,%rsp\n.*or[ql] +\$0x0,", assembler)
