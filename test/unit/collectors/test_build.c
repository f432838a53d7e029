#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/version.h"
#include "collectors/build.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "memcached_exporter_"

static void expect_exposition(enum format format, const char *expected)
{
    struct exposition exposition;
    struct walk walk;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    build_walk(&walk);
    assert_ptr_equal(walk.collector, &build_collector);
    exposition_init(&exposition, format, SLICE(""));
    exposition_add(&exposition, &walk);
    assert_false(exposition_fill(&exposition, &out, 1 << 16));
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buffer_deinit(&out);
}

/* The labels of the Go exporter, all eight and in its order; what is Go's alone is empty. */
static void test_labels(void **unused)
{
    static const char help[] =
        "The version, revision, branch and compiler from which this exporter was built.";
    char sample[1024], whole[2048];
    (void) unused;
    assert_true(build_info.version[0] && build_info.compiler[0] && build_info.os[0] && build_info.arch[0]);
    snprintf(sample, sizeof(sample),
             PREFIX "build_info{branch=\"%s\",compiler=\"%s\",goarch=\"%s\",goos=\"%s\",goversion=\"\","
                    "revision=\"%s\",tags=\"\",version=\"%s\"} 1\n",
             build_info.branch, build_info.compiler, build_info.arch, build_info.os, build_info.revision,
             build_info.version);
    snprintf(whole, sizeof(whole), "# HELP " PREFIX "build_info %s\n# TYPE " PREFIX "build_info gauge\n%s",
             help, sample);
    expect_exposition(FORMAT_TEXT, whole);
    snprintf(whole, sizeof(whole), "# HELP " PREFIX "build %s\n# TYPE " PREFIX "build info\n%s# EOF\n", help,
             sample);
    expect_exposition(FORMAT_OPENMETRICS, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
