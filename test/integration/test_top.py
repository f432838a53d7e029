"""The command top: on a terminal, where it leaves no trace behind however it ends, and where there is none."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from support.exporter import binary, run
from support.process import PATIENCE_S, free_port, wait_until

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?25h\x1b[?1049l"


class Screen:
    """A pty with `top` in it, and what the last whole frame shows."""

    def __init__(self, *arguments, size=(24, 120), env=None, ignored=(), **popen):
        self.ignored = ignored
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.said = ""
        self.process = subprocess.Popen(
            [binary(), "top", "--interval=300ms", *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", **(env or {})}, preexec_fn=self._control, **popen)

    def _control(self):
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN if number in self.ignored else signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            data = os.read(self.master, 65536)
            self.said += data.decode(errors="replace")

    def frame(self):
        """The lines of the newest frame that is whole, without colours."""
        self.read()
        frames = self.said.split("\x1b[H")[1:]
        whole = [frame for frame in frames if "\x1b[0J" in frame]
        if not whole:
            return []
        text = whole[-1].partition("\x1b[0J")[0]
        return [line.rstrip("\r") for line in re.sub(r"\x1b\[(\d*m|K)", "", text).split("\n")]

    def names(self):
        return [line.split()[0] for line in self.frame()[2:-1]]

    def wait(self, condition, what):
        wait_until(lambda: condition(self.frame()), what)

    def is_restored(self):
        self.read()
        return self.said.count(ENTER) == self.said.count(LEAVE) > 0 and termios.tcgetattr(self.slave) == self.before

    def end(self):
        """The exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
        return self.process.wait(1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def screen(*arguments, **popen):
    shown = Screen(*arguments, **popen)
    try:
        yield shown
    finally:
        shown.close()


def test_the_table(memcached):
    one, two, dead = memcached("-m", "8"), memcached("-m", "8"), f"127.0.0.1:{free_port()}"
    for key in range(30):
        two.client.ask(b"set key%d 0 0 5\r\nvalue\r\n" % key)
    with screen(one.address, two.address, dead) as shown:
        shown.wait(lambda frame: frame and " 2 of 3 up" in frame[0] and "refused" in "".join(frame), "the servers")
        assert re.match(r"NAME▼ +STATE +ANSWER +GETS/S", shown.frame()[1])
        assert shown.names() == sorted([one.address, two.address, dead])
        assert shown.frame()[-1].startswith("1 to 3 of 3  sort:")
        line = next(line for line in shown.frame() if line.startswith(two.address))
        assert re.search(r" up +[\d.]+ ms ", line) and re.search(r" 30 +\d+ of 1024", line), line

        shown.press("i")
        shown.wait(lambda frame: "ITEMS▼" in frame[1], "sorted by items")
        assert shown.names() == [two.address, one.address, dead], "what is not known comes last"
        shown.press("i")
        shown.wait(lambda frame: "ITEMS▲" in frame[1], "reversed")
        assert shown.names() == [dead, one.address, two.address]
        shown.press("d")
        shown.wait(lambda frame: len(frame) == 4, "only what is down")
        assert shown.names() == [dead]
        shown.press("q")
        assert shown.end() == 0
        assert shown.is_restored()


def test_it_asks_again(memcached):
    server = memcached()
    with screen(server.address) as shown:
        shown.wait(lambda frame: frame and "1 of 1 up" in frame[0], "the server")
        server.kill()
        shown.wait(lambda frame: "0 of 1 up" in frame[0], "its end")


def test_resizing_and_scrolling(tmp_path):
    targets = [f"127.0.0.1:{port}" for port in range(1, 41)]
    with screen(*targets, size=(10, 200)) as shown:
        shown.wait(lambda frame: len(frame) == 10 and "VERSION" in frame[1], "a small screen")
        first = shown.names()
        assert len(first) == 7
        shown.press("\x1b[B")
        shown.wait(lambda frame: frame[-1].startswith("2 to 8 of 40"), "a line further")
        shown.press("\x1b[6~")
        shown.wait(lambda frame: frame[-1].startswith("8 to 14 of 40"), "a page further")
        shown.press("\x1b[F")
        shown.wait(lambda frame: frame[-1].startswith("34 to 40 of 40"), "the end")
        shown.resize(50, 40)
        shown.wait(lambda frame: len(frame) == 43 and all(len(line) <= 40 for line in frame), "a high and narrow screen")
        assert shown.names() == sorted(targets)
        shown.resize(2, 5)
        shown.wait(lambda frame: all(len(line) <= 5 for line in frame), "a screen for nothing")
        shown.press("q")
        assert shown.end() == 0


@pytest.mark.parametrize("number, code", [
    (signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGQUIT, -signal.SIGQUIT), (signal.SIGABRT, -signal.SIGABRT)])
def test_a_signal_leaves_the_terminal_as_it_was(number, code):
    with screen("127.0.0.1:1") as shown:
        shown.wait(lambda frame: frame, "the table")
        assert termios.tcgetattr(shown.slave) != shown.before
        shown.process.send_signal(number)
        assert shown.end() == code
        assert shown.is_restored()


def test_a_signal_that_was_ignored_before_it_started_stays_so():
    with screen("127.0.0.1:1", ignored=[signal.SIGQUIT]) as shown:
        shown.wait(lambda frame: frame, "the table")
        shown.process.send_signal(signal.SIGQUIT)
        shown.press("h")
        shown.press("q")
        assert shown.end() == 0
        assert shown.is_restored()


def test_two_signals_leave_the_terminal_as_it_was(deaf):
    with screen("--memcached.timeout=60s", deaf().address) as shown:
        shown.wait(lambda frame: frame, "the table")
        shown.process.send_signal(signal.SIGSTOP)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            shown.process.send_signal(number)
        assert shown.end() in (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)
        assert shown.is_restored()


def test_ctrl_c_ends_it():
    with screen("127.0.0.1:1") as shown:
        shown.wait(lambda frame: frame, "the table")
        shown.press("\x03")
        assert shown.end() == 0
        assert shown.is_restored()


def test_it_gives_the_terminal_back_while_it_is_suspended():
    with screen("127.0.0.1:1") as shown:
        shown.wait(lambda frame: frame, "the table")
        shown.process.send_signal(signal.SIGTSTP)
        wait_until(shown.is_restored, "the terminal")
        shown.process.send_signal(signal.SIGCONT)
        wait_until(lambda: shown.read() or shown.said.count(ENTER) > shown.said.count(LEAVE), "the table again")
        assert termios.tcgetattr(shown.slave) != shown.before
        shown.press("q")
        assert shown.end() == 0


def test_the_terminal_goes_away():
    shown = Screen("127.0.0.1:1")
    shown.wait(lambda frame: frame, "the table")
    os.close(shown.master)
    os.close(shown.slave)
    assert shown.process.wait(PATIENCE_S) in (0, 1, -signal.SIGHUP)


@pytest.mark.parametrize("env, colored", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colors(env, colored):
    with screen("127.0.0.1:1", env=env) as shown:
        shown.wait(lambda frame: "refused" in "".join(frame), "the table")
        assert ("\x1b[31m" in shown.said) == colored


def test_hostile_names_and_answers(fake):
    server = fake({"stats": b"STAT pid 1\r\nSTAT version 1\x1b[2J\r\nEND\r\n"})
    with screen(server.address, f"unix:/tmp/{'é' * 45}", size=(24, 140)) as shown:
        shown.wait(lambda frame: frame and "1 of 2 up" in frame[0], "the servers")
        assert "\x1b[2J" not in shown.said
        lines = shown.frame()
        assert all(len(line) == 140 for line in lines)
        assert any(line.startswith("unix:/tmp/éé") and "é… " in line for line in lines), "a long name is cut"


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}])
def test_without_a_screen_it_writes_one_table_below_the_other(memcached, env):
    """For a file, a pipe, or a terminal that understands nothing."""
    server = memcached()
    process = subprocess.Popen([binary(), "top", "--interval=100ms", server.address], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
    lines = [process.stdout.readline() for _ in range(12)]
    process.stdout.close()
    assert process.wait(PATIENCE_S) == 0, "whoever read has gone, as head does"
    assert process.stderr.read() == ""
    assert all(" 1 of 1 up, " in line for line in lines[0::4])
    assert all(line.startswith("NAME ") and line.rstrip().endswith("VERSION") for line in lines[1::4])
    assert all(line.startswith(f"{server.address} ") for line in lines[2::4])
    assert all(line == "\n" for line in lines[3::4])
    assert "\x1b" not in "".join(lines)


def test_a_stalled_reader_can_be_left():
    read, write = os.pipe()
    process = subprocess.Popen([binary(), "top", "--interval=10ms", *(f"127.0.0.1:{port}" for port in range(1, 200))],
                               stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    wait_until(lambda: _waiting(read) >= 60000, "a full pipe")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    os.close(read)


def _waiting(descriptor):
    """How many bytes a pipe holds."""
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]


def test_targets_of_a_file(memcached, tmp_path):
    server = memcached()
    file = tmp_path / "exporter.yml"
    file.write_text(f"groups: [{{name: a, targets: ['{server.address}']}}]")
    with screen(f"--config.file={file}") as shown:
        shown.wait(lambda frame: frame and "1 of 1 up" in frame[0], "the server of the file")


@pytest.mark.parametrize("arguments, expected", [
    (("top", "--output.textfile=/tmp/x.prom", "a:1"), "--output.textfile: check and top write to standard output"),
    (("top", "--push.url=http://g", "a:1"), "--push.url: check and top push nothing"),
    (("top", "--once", "a:1"), "--once: expected the command check instead"),
    (("top", "--interval=0s", "a:1"), "--interval"),
    (("check", "--interval=1s", "a:1"), "--interval: expected the command top"),
    (("--interval=1s",), "--interval: expected the command top"),
    (("top", "--json", "a:1"), "--json: expected the command check"),
    (("top", "a:99999"), "99999"),
])
def test_bad_command_lines(arguments, expected):
    process = run(*arguments)
    assert process.code in (1, 2)
    assert expected in process.stderr and process.stderr.count("\n") == 1
