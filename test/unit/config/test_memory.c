/* No memory at any moment: nothing is lost, and whoever asked is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_file.h"

static const char text[] = "target_label: server\n"
                           "shard: 0/1\n"
                           "modules: {a: {timeout: 1s, collectors: [items]}}\n"
                           "scrape_policy: {allow: [any], deny: [10.0.0.0/8]}\n"
                           "watch: {streams: [evictions], separator: '/'}\n"
                           "outputs: {textfile: {path: a.prom}, push: {url: 'http://a', grouping: {a: b}}}\n"
                           "groups:\n"
                           "  - {name: a, module: a, labels: {a: '$b'}, targets: [a, b, a, dns+c]}\n"
                           "  - {name: b, file_sd: {files: [a.yml]}, dns: {name: a, port: 1}}\n"
                           "  - {name: c, http_sd: {url: 'http://a'}, elasticache: {endpoint: a}}\n";

/* So many allocations succeed; then one fails. */
static int until_failure = -1;

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

/* A block for each thing that comes from an arena, so that each of them can fail. */
void *__real_arena_alloc(struct arena *arena, size_t count, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t count, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t count, size_t size)
{
    return fails() ? NULL : __real_arena_alloc(arena, count, size);
}

const char *__real_arena_copy(struct arena *arena, struct slice slice);
const char *__wrap_arena_copy(struct arena *arena, struct slice slice);
const char *__wrap_arena_copy(struct arena *arena, struct slice slice)
{
    return fails() ? NULL : __real_arena_copy(arena, slice);
}

static void test_each_allocation(void **unused)
{
    int told = 0;
    (void) unused;
    for (int n = 0;; n++) {
        struct config config;
        struct buffer error;
        buffer_init(&error, 4096);
        until_failure = n;
        int result = config_read(&config, "f", slice_of(text), &rules, &error);
        bool failed = until_failure < 0;
        until_failure = -1;
        if (result == -ENOMEM && !error.failed) {
            assert_buffer(&error, "f: out of memory");
            told++;
        } else {
            /* Only the line itself may lack memory without any harm. */
            assert_true(result == 0 || error.failed);
        }
        config_deinit(&config);
        buffer_deinit(&error);
        if (!failed) break;
    }
    assert_true(told > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
