"""Spellings of addresses that no URL may reach by default: whatever the answer, the kernel is never asked to connect there."""

import ipaddress
import re
import shutil
from urllib.parse import quote

import pytest

from support.process import wait_until

METADATA = """
169.254.169.254 169.254.169.254:80 169.254.169.254. 0xA9FEA9FE 2852039166 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe
169.254.43518 169.16689662 0169.254.169.254 169.254.169.254:080 [169.254.169.254] 169.254.169.254/latest
http://169.254.169.254/ user@169.254.169.254 169.254.169.254#a 169.254.169.254?a 169.254.169.254:80:80
[::ffff:169.254.169.254] [::ffff:169.254.169.254]:80 [::ffff:a9fe:a9fe] [::FFFF:A9FE:A9FE] [0:0:0:0:0:ffff:a9fe:a9fe]
[::169.254.169.254] [::a9fe:a9fe] [64:ff9b::169.254.169.254] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::]
[2002:a9fe:a9fe::1]:80 [2001:0:a9fe:a9fe::] [64:ff9b:1::a9fe:a9fe] [fd00:ec2::254] [fd00:0ec2:0:0:0:0:0:254]
[fd20:ce::254] 100.100.100.200 [::ffff:100.100.100.200] [::ffff:6464:64c8] 168.63.129.16 192.0.0.192 169.254.170.2
169.254.170.23 [64:ff9b::6464:64c8] dns+169.254.169.254 dnssrv+169.254.169.254
""".split()
OTHERS = """
169.254.0.1 [fe80::1] [fe80::1%lo] [fe80::1%1]:11211 [fe80::5efe:a9fe:a9fe] 224.0.0.1 239.255.255.255 [ff02::1] [ff05::1]:11211
[::ffff:224.0.0.1] 255.255.255.255 [::ffff:255.255.255.255] 0.0.0.0 0.0.0.0:11211 0 [::] [::]:11211 [::ffff:0.0.0.0] 8.8.8.8
[2001:4860:4860::8888] [::ffff:8.8.8.8] 192.0.2.1 198.18.0.1 240.0.0.1 unix:/run/secret.sock unix:///run/secret.sock
/run/secret.sock ./secret.sock unix:secret.sock @secret
""".split()
UNCLEAN = ("169。254。169。254", "①⑥⑨.254.169.254", "169.254.169.254\0.example", " 169.254.169.254", "169.254.169.254\t",
           "169.254.169.254\r\nx", "\x1b[31m169.254.169.254")
SPELLINGS = (*METADATA, *OTHERS, *UNCLEAN)

CONNECT = re.compile(r"connect\(\d+, \{sa_family=AF_INET6?,.*?sin6?_port=htons\((\d+)\).*?\"([0-9a-fA-F.:]+)\"")
DNS = 53


def is_harmless(address):
    address = ipaddress.ip_address(address)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def test_no_spelling_reaches_a_forbidden_address(exporter, fake, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace, allowed = tmp_path / "trace", fake()
    started = exporter("--memcached.timeout=200ms", release=True, env={"HOSTALIASES": ""},
                       wrapper=("strace", "-D", "-f", "-qq", "-o", str(trace), "-e", "trace=connect"))
    assert len(SPELLINGS) >= 70
    wrong = []
    for spelling in SPELLINGS:
        for path in ("/scrape", "/probe"):
            answer = started.get(f"{path}?target={quote(spelling, safe='')}")
            if answer.status == 200 and "memcached_up 0" not in answer.text:
                wrong.append((spelling, answer.status))
            assert answer.status in (200, 400, 403), (spelling, answer)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", answer.text), spelling
    assert not wrong
    # The watch sees what is allowed.
    assert started.scrape(f"127.0.0.1:{allowed.port}").value("memcached_up") == "1"
    started.stop()

    def connected():
        return [(int(port), address) for port, address in CONNECT.findall(trace.read_text(encoding="utf-8"))]

    wait_until(lambda: (allowed.port, "127.0.0.1") in connected(), "the connection that is allowed")
    assert [where for where in connected() if where[0] != DNS and not is_harmless(where[1])] == []
    assert "secret" not in trace.read_text(encoding="utf-8")
    for line in started.process.stderr.splitlines():
        assert line.isprintable(), repr(line)
