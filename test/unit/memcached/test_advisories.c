#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/advisories.h"

#include <string.h>

static void test_versions(void **state)
{
    static const struct {
        const char *version, *text; /* NULL: none */
    } rows[] = {
        {"1.6.18", "CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"},
        {"1.6.21", "CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"},
        {"1.6.22", NULL},
        {"1.6.45", NULL},
        {"1.6.9", "CVE-2021-37519, CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"},
        {"1.5.16", "CVE-2019-15026; fixed in 1.5.17"},
        {"1.5.22", NULL},
        {"1.4.38", "CVE-2017-9951, CVE-2018-1000115, CVE-2019-11596, CVE-2019-15026; fixed in 1.5.17"},
        {"1.6.18_3_gabc", "CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"},
        {"1.6.18-beta1", "CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"},
        {"", NULL},
        {"1.6", NULL},
        {"1.6.", NULL},
        {"twemproxy", NULL},
        {"1.x.3", NULL},
        {"df-v1.20.0", NULL},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct buffer out;
        buffer_init(&out, 1024);
        assert_int_equal(advisories_append(&out, slice_of(rows[n].version)), rows[n].text != NULL);
        buffer_append_char(&out, '\0');
        assert_string_equal(out.data, rows[n].text ? rows[n].text : "");
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
