#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "discovery/discoverer.h"
#include "discovery/discovery.h"
#include "loop.h"

static const char *const patterns[] = {"none/*.json"};

static const struct discovery_config configs[] = {
    {.kind = DISCOVERY_DNS, .dns = {"cache.test", DNS_A, 11211}},
    {.kind = DISCOVERY_FILE_SD, .file_sd = {patterns, 1, "/nonexistent"}},
    {.kind = DISCOVERY_HTTP_SD, .http_sd = {"http://127.0.0.1:1/", 1}},
    {.kind = DISCOVERY_ELASTICACHE, .elasticache = {{ADDRESS_NAME, 1, "cfg"}, 1}},
};

static const char *const names[] = {"dns", "file_sd", "http_sd", "elasticache"};

static void on_close(struct discoverer *discoverer)
{
    ++*(unsigned *) discoverer->owner;
}

/* Each is made and closed without having been asked. */
static void test_every_kind(void **state)
{
    uv_loop_t loop;
    struct discovery_services services = {.loop = &loop};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct discoverer *discoverer;
        struct buffer error;
        unsigned closed = 0;
        loop_open(&loop);
        buffer_init(&error, 256);
        assert_int_equal(discoverer_new(&discoverer, &services, &configs[i], &error), 0);
        assert_string_equal(discoverer->kind->name, names[i]);
        discoverer->owner = &closed;
        discoverer->on_close = on_close;
        discoverer->kind->close(discoverer);
        loop_close(&loop);
        assert_int_equal(closed, 1);
        buffer_deinit(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
