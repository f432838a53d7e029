/* Lines of memcached's log, as 1.6.18 and 1.6.45 write them, and lines that no memcached writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/watch_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct watch_event event;

static void read_text(const char *text)
{
    memset(&event, 0xa5, sizeof(event));
    watch_event_read(slice_of(text), &event);
}

static void assert_key(const char *key)
{
    assert_true(slice_equal((struct slice){event.key, event.key_len}, slice_of(key)));
}

static void reads_fetches(void **state)
{
    (void) state;
    read_text("ts=1700000000.12 gid=7 type=item_get key=user%3A1%20%25 status=found clsid=1 cfd=30 size=100");
    assert_int_equal(event.kind, WATCH_EVENT);
    assert_int_equal(event.stream, WATCH_FETCHERS);
    assert_string_equal(watch_status_name(event.stream, event.status), "found");
    assert_key("user:1 %");
    assert_true(event.has_size);
    assert_int_equal(event.size, 100);
    read_text("ts=1.2 gid=7 type=item_get key=x status=not_found clsid=0");
    assert_int_equal(event.kind, WATCH_EVENT);
    assert_false(event.has_size);
    assert_string_equal(watch_status_name(event.stream, event.status), "not_found");
}

static void reads_stores(void **state)
{
    (void) state;
    read_text("ts=1.2 gid=7 type=item_store key=k status=stored cmd=set ttl=300 clsid=1 cfd=30 size=5");
    assert_int_equal(event.stream, WATCH_MUTATIONS);
    assert_string_equal(watch_status_name(event.stream, event.status), "stored");
    assert_int_equal(event.ttl_s, 300);
    read_text("ts=1.2 gid=7 type=item_store key=k status=too_large cmd=set ttl=0 clsid=1 cfd=30 size=5");
    assert_int_equal(event.ttl_s, -1);
    read_text(
        "ts=1.2 gid=7 type=item_store key=k status=stored cmd=set ttl=4294967295 clsid=1 cfd=30 size=5");
    assert_int_equal(event.ttl_s, 0);
}

static void reads_evictions_and_deletions(void **state)
{
    (void) state;
    read_text("ts=1.2 gid=7 type=eviction key=k fetch=yes ttl=-1 la=86 clsid=1 size=9");
    assert_int_equal(event.stream, WATCH_EVICTIONS);
    assert_string_equal(watch_status_name(event.stream, event.status), "fetched");
    assert_int_equal(event.ttl_s, -1);
    assert_int_equal(event.idle_s, 86);
    assert_int_equal(event.size, 9);
    read_text("ts=1.2 gid=7 type=deleted key=k cmd=md clsid=1 size=9");
    assert_int_equal(event.stream, WATCH_DELETIONS);
    assert_string_equal(watch_status_name(event.stream, event.status), "deleted");
}

/* The text of a request may look like fields. */
static void reads_requests_to_a_proxy(void **state)
{
    (void) state;
    read_text(
        "ts=1.2 gid=7 type=proxy_req elapsed=120 type=105 code=17 status=0 res=ok cfd=3 be=10.0.0.1:11211 "
        "detail=logme req=get a res=good elapsed=7 be=evil:1");
    assert_int_equal(event.kind, WATCH_EVENT);
    assert_int_equal(event.stream, WATCH_PROXYREQS);
    assert_int_equal(event.elapsed_us, 120);
    assert_string_equal(watch_status_name(event.stream, event.status), "ok");
    assert_true(slice_is(event.backend, "10.0.0.1:11211"));
    assert_int_equal(event.key_len, 0);
}

static void reads_other_lines(void **state)
{
    (void) state;
    read_text("skipped=42");
    assert_int_equal(event.kind, WATCH_SKIPPED);
    assert_int_equal(event.skipped, 42);
    read_text("ts=1.2 gid=7 type=conn_new rip=127.0.0.1 rport=1 transport=tcp cfd=30");
    assert_int_equal(event.kind, WATCH_UNKNOWN);
}

static void refuses_other_texts(void **state)
{
    static const char *const texts[] = {
        "",
        "x",
        "OK",
        "skipped=",
        "skipped=-1",
        "skipped=1 2",
        "STAT version 1.6.18",
        "type=item_get key=a status=found",
        "gid=1 ts=1 type=item_get key=a status=found",
        "ts=1 gid=1 type=item_get key=a",
        "ts=1 gid=1 type=item_get key= status=found",
        "ts=1 gid=1 type=item_get status=found",
        "ts=1 gid=1 type=item_get key=a status=lost",
        "ts=1 gid=1 type=item_get key=a status=",
        "ts=1 gid=1 type=item_get key=a%2 status=found",
        "ts=1 gid=1 type=item_get key=a%zz status=found",
        "ts=1 gid=1 type=item_get key=a\x01 status=found",
        "ts=1 gid=1 type=item_get key=a\xff status=found",
        "ts=1 gid=1 type=item_get key=a:b status=found",
        "ts=1 gid=1 type=item_get key=a\"b status=found",
        "ts=1 gid=1 type=item_get key=a=b status=found",
        "ts=1 gid=1 type=item_get key=a status=found size=-1",
        "ts=1 gid=1 type=item_get key=a status=found size=99999999999999999999999",
        "ts=1 gid=1 type=item_store key=a status=stored ttl=x size=1",
        "ts=1 gid=1 type=eviction key=a fetch=maybe ttl=1 la=1",
        "ts=1 gid=1 type=eviction key=a fetch=yes ttl=1",
        "ts=1 gid=1 type=proxy_req elapsed=1 res=ok detail=x be=a:1",
    };
    (void) state;
    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++) {
        read_text(texts[n]);
        if (event.kind != WATCH_MALFORMED) fail_msg("taken: %s", texts[n]);
    }
}

/* A key has at most 250 bytes, however it is encoded. */
static void limits_keys(void **state)
{
    char text[2000];
    (void) state;
    for (unsigned len = 249; len <= 252; len++) {
        size_t at = (size_t) sprintf(text, "ts=1 gid=1 type=item_get key=");
        for (unsigned n = 0; n < len; n++) at += (size_t) sprintf(text + at, "%%%02X", n & 0xff);
        sprintf(text + at, " status=found");
        read_text(text);
        assert_int_equal(event.kind, len <= WATCH_KEY_MAX ? WATCH_EVENT : WATCH_MALFORMED);
        if (len > WATCH_KEY_MAX) continue;
        assert_int_equal(event.key_len, len);
        assert_int_equal((unsigned char) event.key[200], 200);
    }
}

/* A line that was cut anywhere is either read or malformed, and nothing is read behind its end. */
static void survives_every_cut(void **state)
{
    static const char line[] =
        "ts=1700000000.12 gid=7 type=eviction key=user%3A1 fetch=yes ttl=-1 la=86 clsid=1 size=9";
    (void) state;
    for (size_t len = 0; len < sizeof(line); len++) {
        char *cut = malloc(len + 1);
        memcpy(cut, line, len);
        watch_event_read((struct slice){cut, len}, &event);
        if (len < sizeof("ts=1700000000.12 gid=7 type=eviction key=user%3A1 fetch=yes ttl=-1 la=") - 1)
            assert_int_not_equal(event.kind, WATCH_EVENT);
        free(cut);
    }
}

static void names_every_status(void **state)
{
    (void) state;
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        assert_non_null(watch_status_name(stream, 0));
        assert_null(watch_status_name(stream, WATCH_STATUSES_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fetches),
        cmocka_unit_test(reads_stores),
        cmocka_unit_test(reads_evictions_and_deletions),
        cmocka_unit_test(reads_requests_to_a_proxy),
        cmocka_unit_test(reads_other_lines),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(limits_keys),
        cmocka_unit_test(survives_every_cut),
        cmocka_unit_test(names_every_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
