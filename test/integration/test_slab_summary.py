"""The figures over all slab classes, which stay when the series of the classes are switched off."""

import pytest

from support.fake import reply

SUMMARY = ("memcached_slab_wasted_bytes", "memcached_slab_classes_evicting", "memcached_eviction_age_seconds",
           "memcached_slab_free_while_evicting_bytes", "memcached_slab_imbalance_ratio")


def fill_unevenly(server):
    """Small items take most of the memory and are deleted; then large ones evict one another in what is left."""
    ask = server.client.ask
    for n in range(60000):
        server.client.send(b"set small%d 0 0 60 noreply\r\n%s\r\n" % (n, b"x" * 60))
    for n in range(0, 60000, 2):
        server.client.send(b"delete small%d noreply\r\n" % n)
    for n in range(3000):
        server.client.send(b"set large%d 0 0 9000 noreply\r\n%s\r\n" % (n, b"x" * 9000))
    ask(b"version\r\n")


def by_hand(said):
    """What the figures must be, from what the server says: {name: number}. An eviction age is absent if nothing was evicted."""
    slabs, items = {}, {}
    for key, value in said["slabs"].items():
        if ":" in key:
            slabs.setdefault(int(key.split(":")[0]), {})[key.split(":")[1]] = int(value)
    for key, value in said["items"].items():
        items.setdefault(int(key.split(":")[1]), {})[key.split(":")[2]] = int(value)
    evicting = [number for number, item in items.items() if item["evicted"]]
    used = sum(slab["used_chunks"] * slab["chunk_size"] for slab in slabs.values())
    free = sum(slab["free_chunks"] * slab["chunk_size"] for number, slab in slabs.items() if number not in evicting)
    expected = {
        "memcached_slab_wasted_bytes": used - sum(item["mem_requested"] for item in items.values()),
        "memcached_slab_classes_evicting": len(evicting),
        "memcached_slab_free_while_evicting_bytes": free if evicting else 0,
        "memcached_slab_imbalance_ratio": (free if evicting else 0) / int(said["stats"]["limit_maxbytes"]),
    }
    if evicting:
        expected["memcached_eviction_age_seconds"] = min(items[number]["evicted_time"] for number in evicting)
    return expected


def shown(exposition):
    return {name: float(value) for (name, labels), value in exposition.samples.items() if name in SUMMARY and not labels}


@pytest.mark.parametrize("flag", ["--collector.slab", "--no-collector.slab"])
def test_uneven_server(exporter, memcached, flag):
    server = memcached("-o", "no_slab_reassign")
    empty = exporter(flag, targets=[server.address])
    assert shown(empty.exposition()) == by_hand(server.stats())
    fill_unevenly(server)
    expected = by_hand(server.stats())
    assert expected["memcached_slab_classes_evicting"] == 1
    assert expected["memcached_slab_free_while_evicting_bytes"] > 2 << 20
    assert expected["memcached_slab_wasted_bytes"] > 100000
    assert 0.1 < expected["memcached_slab_imbalance_ratio"] < 1
    exposition = empty.exposition()
    assert shown(exposition) == expected
    assert any("slab" in dict(labels) for _, labels in exposition.samples) == (flag == "--collector.slab")


ASKED = {
    "": "settings items slabs",
    "--no-collector.slab-summary": "settings items slabs",
    "--no-collector.slab": "settings items slabs",
    "--no-collector.slab --no-collector.slab-summary": "settings slabs",
    "--no-collector.items": "settings slabs",
    "--no-collector.items --no-collector.slabs": "settings",
}


@pytest.mark.parametrize("flags", ASKED)
def test_what_is_asked_for_it(exporter, fake, flags):
    """Switched off, not a byte more is sent than without it."""
    server = fake({"stats": reply("pid 1"), "stats settings": reply(), "stats slabs": reply(), "stats items": reply()})
    names = exporter(*flags.split(), targets=[server.address]).exposition().names()
    asked = "".join(f"stats {one}\r\n" for one in ASKED[flags].split())
    assert b"".join(server.writes).decode() == f"stats\r\n{asked}"
    assert ("memcached_slab_classes_evicting" in names) == (flags in ("", "--no-collector.slab"))


def test_module_and_request(exporter, memcached, tmp_path):
    server = memcached()
    server.traffic()
    config = tmp_path / "exporter.yml"
    config.write_text(f"modules: {{ few: {{ collectors: [slab-summary] }}, most: {{ collectors: [items, slabs] }} }}\n"
                      f"groups: [{{ name: g, module: few, targets: ['{server.address}'] }}]\n", encoding="utf-8")
    running = exporter(f"--config.file={config}", targets=None)
    few = running.exposition()
    assert "memcached_slab_classes_evicting" in few.names()
    assert not any("slab" in dict(labels) for _, labels in few.samples)
    most = running.exposition(f"/scrape?module=most&target={server.address}")
    assert "memcached_slab_classes_evicting" in most.names() and "memcached_slab_current_items" in most.names()
    narrowed = running.exposition(f"/scrape?module=most&collect[]=slab-summary&target={server.address}")
    assert "memcached_slab_classes_evicting" in narrowed.names()
    assert "memcached_slab_current_items" not in narrowed.names()
