/* Quality values as browsers, scrapers and people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/accept.h"

#include "base/container.h"

#include <stdlib.h>

static void test_qualities(void **state)
{
    (void) state;
    static const struct {
        const char *header;
        int gzip, identity;
    } rows[] = {
        {"", 0, 1},
        {"gzip", 1000, 1},
        {"GZip", 1000, 1},
        {"gzip, deflate, br", 1000, 1},
        {"deflate , gzip ; q=0.8", 800, 1},
        {"gzip;q=0", 0, 1},
        {"gzip;Q=0.001", 1, 1},
        {"gzip;q=1.000", 1000, 1},
        {"gzip;level=9;q=0.5", 500, 1},
        {"gzip;q = 0.25", 250, 1},
        {"gzip;q=0.5, gzip;q=1", 500, 1},
        {"*", 1000, 1000},
        {"*;q=0.2", 200, 200},
        {"*;q=0, gzip", 1000, 0},
        {"gzip, *;q=0", 1000, 0},
        {"gzip;q=0.5, identity", 500, 1000},
        {"identity;q=0", 0, 0},
        {"x-gzip", 1000, 1},
        {"X-GZip;q=0.5, *;q=1", 500, 1000},
        {"x-gzip;q=0, gzip", 0, 1},
        {"gzip;q=.5", 500, 1},
        {"gzip;q=0.5555", 555, 1},
        {"gzip;q=0.00099", 0, 1},
        {"gzip;q=1.", 1000, 1},
        {"gzip;q=1.00000", 1000, 1},
        {"gzipped", 0, 1},
        {",,gzip,", 1000, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice header = slice_of(rows[i].header);
        assert_int_equal(accept_encoding_quality(header, "gzip"), rows[i].gzip);
        assert_int_equal(accept_encoding_quality(header, "identity"), rows[i].identity);
    }
}

static void test_malformed_qualities_count_as_none(void **state)
{
    (void) state;
    static const char *const rows[] = {
        "gzip;q=",     "gzip;q",      "gzip;q=2",     "gzip;q=1.001", "gzip;q=-1",
        "gzip;q=0,5",  "gzip;q=.",    "gzip;q=00.5",  "gzip;q=0.5x",  "gzip;q=1.0001",
        "gzip;q=high", "gzip;q=5e-1", "gzip;q=0.5.5",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(accept_encoding_quality(slice_of(rows[i]), "gzip"), 0);
    }
}

/* --- Media types --- */

static const struct media_offer offers[] = {
    {"text/plain", .version = "0.0.4"},
    {"application/openmetrics-text", .version = "1.0.0"},
    {"application/vnd.google.protobuf", .proto = "io.prometheus.client.MetricFamily",
     .encoding = "delimited"},
};

enum { TEXT, OPENMETRICS, PROTOBUF };

struct choice_row {
    const char *header;
    size_t offer;
    const char *escaping;
};

static void expect_choices(const struct choice_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct media_choice choice = accept_choose(slice_of(rows[i].header), offers, ARRAY_LEN(offers));
        if (choice.offer != rows[i].offer || !slice_is(choice.escaping, rows[i].escaping)) {
            fail_msg("\"%s\" chose %s, escaping \"%.*s\"", rows[i].header, offers[choice.offer].type,
                     SLICE_ARG(choice.escaping));
        }
    }
}

#define OM   "application/openmetrics-text"
#define OM_1 OM ";version=1.0.0"
#define OM_0 OM ";version=0.0.1"
#define T_4  "text/plain;version=0.0.4"
#define T_1  "text/plain;version=1.0.0"
#define P    "application/vnd.google.protobuf"
#define MF   ";proto=io.prometheus.client.MetricFamily"
#define PB   P MF ";encoding=delimited"

/* As Prometheus 2.42 and 3 send them, by default, with protobuf preferred and with single protocols. */
static void test_what_prometheus_sends(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {OM_1 "," OM_0 ";q=0.75," T_4 ";q=0.5,*/*;q=0.1", OPENMETRICS, ""},
        {PB "," OM_1 ";q=0.8," OM_0 ";q=0.7," T_4 ";q=0.5,*/*;q=0.1", PROTOBUF, ""},
        {OM_1 ";escaping=allow-utf-8;q=0.6," OM_0 ";q=0.5," T_1 ";escaping=allow-utf-8;q=0.4," T_4
              ";q=0.3,*/*;q=0.2",
         OPENMETRICS, "allow-utf-8"},
        {PB ";q=0.6," OM_1 ";escaping=underscores;q=0.5," OM_0 ";q=0.4," T_4 ";q=0.3,*/*;q=0.2", PROTOBUF,
         ""},
        {PB ";escaping=allow-utf-8;q=0.6," OM_1 ";escaping=underscores;q=0.5," T_4 ";q=0.3,*/*;q=0.2",
         PROTOBUF, "allow-utf-8"},
        {PB ";q=0.4," OM_1 ";escaping=underscores;q=0.5," OM_0 ";q=0.4," T_4 ";q=0.3,*/*;q=0.2", OPENMETRICS,
         "underscores"},
        {T_4 ";q=0.6,*/*;q=0.5", TEXT, ""},
        {T_1 ";escaping=allow-utf-8;q=0.6," T_4 ";q=0.5,*/*;q=0.4", TEXT, ""},
        {OM_0 ";q=0.6,*/*;q=0.5", TEXT, ""},
        {PB ";q=0.6,*/*;q=0.5", PROTOBUF, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* What cannot be had, and nothing at all, get the first offer. */
static void test_no_choice(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {"", TEXT, ""},
        {" ", TEXT, ""},
        {",,;;,=,;q=1", TEXT, ""},
        {"*/*", TEXT, ""},
        {"*", TEXT, ""},
        {"/", TEXT, ""},
        {"application/json", TEXT, ""},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", TEXT, ""},
        {OM ";version=2.0.0", TEXT, ""},
        {OM ";q=0", TEXT, ""},
        {OM ";q=0.0000", TEXT, ""},
        {OM ";q=high", TEXT, ""},
        {OM ";q=2", TEXT, ""},
        {OM "x", TEXT, ""},
        {"application", TEXT, ""},
        {"application/", TEXT, ""},
        {"application/*x", TEXT, ""},
        {"applicatio/*", TEXT, ""},
        {"*/openmetrics-text", TEXT, ""},
        {"\"" OM "\"", TEXT, ""},
        {"text/plain;q=0," OM ";q=0", TEXT, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* Every parameter that is named has to be the offer's own. */
static void test_parameters(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {PB, PROTOBUF, ""},
        {P, PROTOBUF, ""},
        {P MF, PROTOBUF, ""},
        {P " ; Encoding=\"delimited\" ; PROTO = io.prometheus.client.MetricFamily", PROTOBUF, ""},
        {P MF ";encoding=text", TEXT, ""},
        {P MF ";encoding=compact-text", TEXT, ""},
        {P ";proto=io.prometheus.client.Other;encoding=delimited", TEXT, ""},
        {P ";proto=io.prometheus.client.MetricFamilies", TEXT, ""},
        {PB ";q=0", TEXT, ""},
        {PB ";q=0.5,text/plain", TEXT, ""},
        {P MF ";encoding=text," OM ";q=0.1", OPENMETRICS, ""},
        {PB ";version=7", PROTOBUF, ""},
        {"text/plain;encoding=delimited;q=0.5," OM ";q=0.1", TEXT, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* By quality first; the quality of an offer is that of the range that names it best. */
static void test_quality_and_exactness(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {OM, OPENMETRICS, ""},
        {"application/*", OPENMETRICS, ""},
        {"Application/OpenMetrics-Text", OPENMETRICS, ""},
        {"APPLICATION/*", OPENMETRICS, ""},
        {OM " ; q=0.001", OPENMETRICS, ""},
        {"text/plain;q=0.4, " OM ";q=0.5", OPENMETRICS, ""},
        {"text/plain;q=0.5, " OM ";q=0.4", TEXT, ""},
        {"*/*;q=0.4, " OM ";q=0.5", OPENMETRICS, ""},
        {"*/*, " OM ";q=0.5", TEXT, ""},
        {"*/*, text/plain;q=0", OPENMETRICS, ""},
        {"*/*, text/*;q=0", OPENMETRICS, ""},
        {"*/*;q=0.5, text/*;q=0.6, text/plain;q=0.1", OPENMETRICS, ""},
        {"*/*;q=0.5, text/*;q=0.1, text/plain;q=0.6", TEXT, ""},
        {"application/*;q=0.9, " OM ";q=0.1, " P ";q=0.1, text/plain;q=0.2", TEXT, ""},
        {OM ";q=0.9, " OM_1 ";q=0.1, text/plain;q=0.2", TEXT, ""},
        {OM_1 ";q=0.9, " OM ";q=0.1, text/plain;q=0.2", OPENMETRICS, ""},
        {OM ";q=0.1, " OM ";q=0.9, text/plain;q=0.2", TEXT, ""},
        {OM ";Q=0.5, text/plain;q=0.2", OPENMETRICS, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* Of equally liked ones the one that is named more exactly, then the earlier offer. */
static void test_ties(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {"text/plain, " OM, TEXT, ""},
        {OM ", text/plain", TEXT, ""},
        {OM_1 ", text/plain", OPENMETRICS, ""},
        {OM_1 ", " T_4, TEXT, ""},
        {"text/*, " OM, OPENMETRICS, ""},
        {"text/*, application/*", TEXT, ""},
        {"*/*, application/*", OPENMETRICS, ""},
        {"*/*, " OM, OPENMETRICS, ""},
        {"text/plain;q=0.5, " OM_1 ";q=0.500", OPENMETRICS, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* Parameters in any order and case, with blanks or quotes; the escaping is that of the range that chose. */
static void test_parameters_of_ranges(void **state)
{
    (void) state;
    static const struct choice_row rows[] = {
        {OM ";version=\"1.0.0\"", OPENMETRICS, ""},
        {OM ";version=\"2.0.0\"", TEXT, ""},
        {OM ";Version=1.0.0", OPENMETRICS, ""},
        {OM " ;\tversion = 1.0.0 ; q = 0.5", OPENMETRICS, ""},
        {OM ";version=", OPENMETRICS, ""},
        {OM ";version=\"", TEXT, ""},
        {OM ";version=\"\"", OPENMETRICS, ""},
        {OM ";q=\"0.5\", text/plain;q=0.2", OPENMETRICS, ""},
        {OM ";charset=utf-8;q=0.5;version=1.0.0;escaping=dots", OPENMETRICS, "dots"},
        {OM ";escaping=\"values\"", OPENMETRICS, "values"},
        {OM ";ESCAPING=values", OPENMETRICS, "values"},
        {OM ";escaping=anything", OPENMETRICS, "anything"},
        {"*/*;escaping=dots, " OM ";escaping=values", OPENMETRICS, "values"},
        {OM ";escaping=values;q=0.1, " T_4 ";escaping=underscores", TEXT, "underscores"},
        {OM ";escaping=values;q=0, " T_4, TEXT, ""},
        {"application/json;escaping=values", TEXT, ""},
    };
    expect_choices(rows, ARRAY_LEN(rows));
}

/* Cut anywhere, in memory that ends there, a header is still read without looking past it. */
static void test_cut_headers(void **state)
{
    static const char header[] = OM_1 ";escaping=\"dots\";q=0.6,application/*;q=\"0.5\",*/*;q=0.2";
    (void) state;
    for (size_t len = 0; len < sizeof(header); len++) {
        char *copy = malloc(len + (len == 0));
        assert_non_null(copy);
        memcpy(copy, header, len);
        struct media_choice choice = accept_choose((struct slice){copy, len}, offers, ARRAY_LEN(offers));
        assert_true(choice.offer < ARRAY_LEN(offers));
        assert_true(choice.escaping.len == 0 || choice.escaping.data + choice.escaping.len <= copy + len);
        if (len == sizeof(header) - 1) assert_int_equal(choice.offer, OPENMETRICS);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qualities),
        cmocka_unit_test(test_malformed_qualities_count_as_none),
        cmocka_unit_test(test_what_prometheus_sends),
        cmocka_unit_test(test_no_choice),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_quality_and_exactness),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_parameters_of_ranges),
        cmocka_unit_test(test_cut_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
