#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/reply.h"

#include <stdlib.h>

#define assert_slice(slice, text) assert_true(slice_is(slice, text))

/* --- Lines that are whole --- */

static const struct {
    const char *line;
    enum reply_kind kind;
    const char *key, *value;
} whole_lines[] = {
    {"STAT pid 3862\r\n", REPLY_STAT, "pid", "3862"},
    {"STAT pid 3862\n", REPLY_STAT, "pid", "3862"},
    {"STAT k\r\n", REPLY_STAT, "k", ""},
    {"STAT k \r\n", REPLY_STAT, "k", ""},
    {"STAT k  v \r\n", REPLY_STAT, "k", " v "},
    {"STAT auth_enabled_ascii /run/auth with space\r\n", REPLY_STAT, "auth_enabled_ascii",
     "/run/auth with space"},
    {"STAT items:1:number 240\r\n", REPLY_STAT, "items:1:number", "240"},
    {"STAT a\rb c\rd\r\r\n", REPLY_STAT, "a\rb", "c\rd\r"},
    {"STAT \xff\x01 \xc3\r\n", REPLY_STAT, "\xff\x01", "\xc3"},
    {"END\r\n", REPLY_END, "", ""},
    {"END\n", REPLY_END, "", ""},
    {"ERROR\r\n", REPLY_REFUSED, "", "ERROR"},
    {"ERROR Too many open connections\r\n", REPLY_REFUSED, "", "ERROR Too many open connections"},
    {"CLIENT_ERROR unauthenticated\r\n", REPLY_REFUSED, "", "CLIENT_ERROR unauthenticated"},
    {"CLIENT_ERROR\n", REPLY_REFUSED, "", "CLIENT_ERROR"},
    {"SERVER_ERROR \r\n", REPLY_REFUSED, "", "SERVER_ERROR "},
    {"\r\n", REPLY_MALFORMED, "", NULL},
    {"\n", REPLY_MALFORMED, "", NULL},
    {"STAT\r\n", REPLY_MALFORMED, "", NULL},
    {"STAT \r\n", REPLY_MALFORMED, "", NULL},
    {"STAT  v\r\n", REPLY_MALFORMED, "", NULL},
    {"STATS pid 1\r\n", REPLY_MALFORMED, "", NULL},
    {"STA\r\n", REPLY_MALFORMED, "", NULL},
    {"stat pid 1\r\n", REPLY_MALFORMED, "", NULL},
    {"END \r\n", REPLY_MALFORMED, "", NULL},
    {"END\r\r\n", REPLY_MALFORMED, "", NULL},
    {"ENDING\r\n", REPLY_MALFORMED, "", NULL},
    {"ERRORS\r\n", REPLY_MALFORMED, "", NULL},
    {"RESET\r\n", REPLY_MALFORMED, "", NULL},
    {"OK\r\n", REPLY_MALFORMED, "", NULL},
    {"VERSION 1.6.18\r\n", REPLY_MALFORMED, "", NULL},
    {"PREFIX user get 300 hit 200 set 200 del 2\r\n", REPLY_MALFORMED, "", NULL},
};

static void test_whole_lines(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(whole_lines); i++) {
        char bytes[128];
        snprintf(bytes, sizeof(bytes), "%sEND\r\n", whole_lines[i].line);
        struct slice input = slice_of(bytes);
        struct reply_line line = reply_next(&input, REPLY_PAIRS);
        assert_int_equal(line.kind, whole_lines[i].kind);
        assert_slice(line.key, whole_lines[i].key);
        if (line.kind == REPLY_MALFORMED) {
            assert_ptr_equal(input.data, bytes);
            assert_int_equal(input.len, strlen(bytes));
            assert_ptr_equal(line.value.data, bytes);
            assert_int_equal(line.value.len, strcspn(whole_lines[i].line, "\n") -
                                                 (strstr(whole_lines[i].line, "\r\n") != NULL));
        } else {
            assert_slice(line.value, whole_lines[i].value);
            assert_slice(input, "END\r\n");
        }
    }
}

static void test_nul_is_a_byte(void **state)
{
    (void) state;
    struct slice input = SLICE("STAT a\0b c\0d\r\n");
    struct reply_line line = reply_next(&input, REPLY_PAIRS);
    assert_int_equal(line.kind, REPLY_STAT);
    assert_true(slice_equal(line.key, SLICE("a\0b")));
    assert_true(slice_equal(line.value, SLICE("c\0d")));
}

/* --- Lines that are not whole --- */

static enum reply_kind kind_of_piece(struct slice piece)
{
    struct slice input = piece;
    struct reply_line line = reply_next(&input, REPLY_PAIRS);
    assert_ptr_equal(input.data, piece.data);
    assert_int_equal(input.len, piece.len);
    return line.kind;
}

static void test_beginnings_wait(void **state)
{
    static const char *const pieces[] = {
        "",  "S",   "STAT",  "STAT ", "STAT k",  "STAT k ", "STAT k v",   "STAT k v\r",
        "E", "END", "END\r", "ERROR", "ERROR\r", "ERROR T", "CLIENT_ERR", "SERVER_ERROR "};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        assert_int_equal(kind_of_piece(slice_of(pieces[i])), REPLY_MORE);
}

/* A server that speaks first and then waits would otherwise cost the whole deadline. */
static void test_strangers_are_known_at_once(void **state)
{
    static const char *const pieces[] = {
        "H",      "HTTP/1.1 400",  "\x15\x03", "220 smtp", "\r",     "EX",      "ENDX",    "END ",
        "END\rX", "STATS",         "STAT  ",   "ERRORS",   "STATUS", "PREFIX",  "VERSION", "OK",
        "RESET",  "SERVER_ERRORS", "SS",       "stat",     " STAT",  "CLIENT ", "\x80\x01"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        assert_int_equal(kind_of_piece(slice_of(pieces[i])), REPLY_MALFORMED);
    assert_int_equal(kind_of_piece(SLICE("\0")), REPLY_MALFORMED);
}

static void test_line_without_end(void **state)
{
    char bytes[REPLY_LINE_MAX + 16];
    (void) state;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "STAT k ", 7);
    assert_int_equal(kind_of_piece((struct slice){bytes, REPLY_LINE_MAX - 1}), REPLY_MORE);
    assert_int_equal(kind_of_piece((struct slice){bytes, REPLY_LINE_MAX}), REPLY_LONG);

    struct slice input = {bytes, sizeof(bytes)};

    bytes[REPLY_LINE_MAX] = '\n'; /* one byte too late */
    assert_int_equal(kind_of_piece((struct slice){bytes, sizeof(bytes)}), REPLY_LONG);
    struct slice skipped = input;
    size_t left = 0;
    assert_true(reply_skip(&skipped, &left));
    assert_int_equal(skipped.len, sizeof(bytes) - REPLY_LINE_MAX - 1);
    assert_false(reply_skip(&skipped, &left));
    assert_int_equal(skipped.len, 0);

    /* A key is never so long, whatever follows. */
    bytes[6] = 'x';
    bytes[REPLY_LINE_MAX + 1] = ' ';
    assert_int_equal(kind_of_piece((struct slice){bytes, sizeof(bytes)}), REPLY_MALFORMED);
    assert_int_equal(reply_next(&input, REPLY_PAIRS).value.len, REPLY_LINE_MAX);
    bytes[6] = ' ';

    bytes[REPLY_LINE_MAX - 1] = '\n';
    struct reply_line line = reply_next(&input, REPLY_PAIRS);
    assert_int_equal(line.kind, REPLY_STAT);
    assert_int_equal(line.value.len, REPLY_LINE_MAX - 1 - 7);
    assert_int_equal(input.len, sizeof(bytes) - REPLY_LINE_MAX);
}

/* Only a stat may have a value that is too long. */
static void test_refusal_without_end(void **state)
{
    char bytes[REPLY_LINE_MAX];
    (void) state;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "SERVER_ERROR ", 13);
    assert_int_equal(kind_of_piece((struct slice){bytes, sizeof(bytes) - 1}), REPLY_MORE);
    assert_int_equal(kind_of_piece((struct slice){bytes, sizeof(bytes)}), REPLY_MALFORMED);
}

/* In memory of its own, so that the sanitizer sees each byte that is read behind the input. */
static void test_pairs_of_every_length(void **state)
{
    static const char line[] = "STAT k v\n";
    (void) state;
    for (size_t len = 0; len < sizeof(line); len++) {
        char *bytes = malloc(len ? len : 1);
        struct slice input = {bytes, len};
        struct reply_pair pair;
        assert_non_null(bytes);
        memcpy(bytes, line, len);
        assert_int_equal(reply_take_pair(&input, &pair), len == strlen(line));
        assert_int_equal(input.len, len == strlen(line) ? 0 : len);
        free(bytes);
    }
}

/* --- Captures, cut at every byte --- */

#define LINES_MAX 2048

/* A line as positions in the capture, so that two readings can be compared. */
struct place {
    enum reply_kind kind;
    size_t key, key_len, value, value_len;
};

struct reading {
    struct place lines[LINES_MAX];
    size_t count;
    bool malformed;
    size_t taken;
};

/* Reads on from `taken` with the first `len` bytes of the capture, in memory that ends there. */
static void read_on(struct reading *reading, struct slice capture, size_t len)
{
    char *bytes = malloc(len + (len == 0));
    assert_non_null(bytes);
    memcpy(bytes, capture.data, len);
    struct slice input = {bytes + reading->taken, len - reading->taken};
    while (!reading->malformed) {
        struct reply_line line = reply_next(&input, REPLY_PAIRS);
        if (line.kind == REPLY_MORE) break;
        struct place *place = &reading->lines[reading->count++];
        assert_true(reading->count < LINES_MAX);
        *place = (struct place){.kind = line.kind};
        reading->malformed = line.kind == REPLY_MALFORMED;
        if (reading->malformed) break; /* how much of the line was seen depends on the cut */
        if (line.key.len) place->key = (size_t) (line.key.data - bytes);
        if (line.value.len) place->value = (size_t) (line.value.data - bytes);
        place->key_len = line.key.len;
        place->value_len = line.value.len;
    }
    reading->taken = len - input.len;
    free(bytes);
}

static struct {
    unsigned stats, ends, refusals;
} seen;

/* The others hold the answers of other commands as well. */
static bool is_stats_reply(const char *name)
{
    static const char *const sections[] = {"-stats.txt", "-settings.txt", "-items.txt",    "-slabs.txt",
                                           "-conns.txt", "-sizes.txt",    "-extstore.txt", "-proxy.txt"};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (strstr(name, sections[i])) return true;
    }
    return false;
}

static void on_capture(const char *name, struct slice capture)
{
    static struct reading whole, cut;
    whole.count = whole.taken = 0;
    whole.malformed = false;
    read_on(&whole, capture, capture.len);
    for (size_t at = 0; at <= capture.len; at++) {
        cut.count = cut.taken = 0;
        cut.malformed = false;
        read_on(&cut, capture, at);
        read_on(&cut, capture, capture.len);
        if (cut.count != whole.count || cut.taken != whole.taken ||
            memcmp(cut.lines, whole.lines, whole.count * sizeof(whole.lines[0])) != 0)
            fail_msg("%s reads differently when cut at %zu", name, at);
    }
    for (size_t i = 0; i < whole.count; i++) {
        seen.stats += whole.lines[i].kind == REPLY_STAT;
        seen.ends += whole.lines[i].kind == REPLY_END;
        seen.refusals += whole.lines[i].kind == REPLY_REFUSED;
    }
    if (is_stats_reply(name)) {
        assert_false(whole.malformed);
        assert_int_equal(whole.taken, capture.len);
    }
}

static void test_captures_at_every_cut(void **state)
{
    (void) state;
    unsigned captures = data_each_sample(on_capture);
    assert_true(captures > 100 && seen.stats > 5000 && seen.ends > 60 && seen.refusals > 5);
}

/* As the slowest network brings it: one byte at a time. */
static void test_capture_byte_by_byte(void **state)
{
    static struct reading reading;
    struct slice capture = data_read("samples/v1.6.33-stats.txt");
    (void) state;
    for (size_t len = 0; len <= capture.len; len++) read_on(&reading, capture, len);
    assert_int_equal(reading.taken, capture.len);
    assert_int_equal(reading.lines[reading.count - 1].kind, REPLY_END);
    for (size_t i = 0; i + 1 < reading.count; i++) assert_int_equal(reading.lines[i].kind, REPLY_STAT);
    free((char *) capture.data);
}

/* --- Refusals --- */

static enum refusal refusal_of(const char *sample)
{
    struct slice capture = data_read(sample), input = capture;
    struct reply_line line = reply_next(&input, REPLY_PAIRS);
    assert_int_equal(line.kind, REPLY_REFUSED);
    enum refusal refusal = reply_refusal(line.value);
    free((char *) capture.data);
    return refusal;
}

static void test_refusals(void **state)
{
    (void) state;
    assert_int_equal(refusal_of("samples/lim18-too-many.txt"), REFUSAL_OVERLOADED);
    assert_int_equal(refusal_of("samples/auth18-unauthenticated.txt"), REFUSAL_UNAUTHENTICATED);
    assert_int_equal(refusal_of("samples/prox33-bogus.txt"), REFUSAL_COMMAND);
    assert_int_equal(refusal_of("samples/v1.4.15-stats-conns.txt"), REFUSAL_COMMAND);
    assert_int_equal(reply_refusal(SLICE("SERVER_ERROR ")), REFUSAL_COMMAND);
    assert_int_equal(reply_refusal(SLICE("CLIENT_ERROR bad command line format")), REFUSAL_COMMAND);
}

/* --- The other forms --- */

static const struct {
    enum reply_form form;
    const char *line;
    enum reply_kind kind;
    const char *key, *value;
} formed_lines[] = {
    {REPLY_NAMES, "STAT funcs_my func 2\r\n", REPLY_STAT, "funcs_my func", "2"},
    {REPLY_NAMES, "STAT bad_down one  2\r\n", REPLY_STAT, "bad_down one ", "2"},
    {REPLY_NAMES, "STAT bad_x 2\n", REPLY_STAT, "bad_x", "2"},
    {REPLY_NAMES, "STAT bad_x\r\n", REPLY_STAT, "bad_x", ""},
    {REPLY_NAMES, "STAT bad_\xff \xff 1\r\n", REPLY_STAT, "bad_\xff \xff", "1"},
    {REPLY_NAMES, "STAT\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_NAMES, "STAT  x 1\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_NAMES, "PREFIX x get 1\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_NAMES, "END\r\n", REPLY_END, "", ""},
    {REPLY_NAMES, "ERROR\r\n", REPLY_REFUSED, "", "ERROR"},
    {REPLY_PREFIXES, "PREFIX user get 300 hit 200 set 200 del 2\r\n", REPLY_STAT, "user",
     "get 300 hit 200 set 200 del 2"},
    {REPLY_PREFIXES, "PREFIX  get 0 hit 0 set 1 del 0\r\n", REPLY_STAT, "", "get 0 hit 0 set 1 del 0"},
    {REPLY_PREFIXES, "PREFIX a get 1 hit 1 set 1 del 1 get 2 hit 2 set 2 del 2\n", REPLY_STAT,
     "a get 1 hit 1 set 1 del 1", "get 2 hit 2 set 2 del 2"},
    {REPLY_PREFIXES, "PREFIX \xff\xc3\xa9\"\\{} get 0 hit 0 set 1 del 0\r\n", REPLY_STAT,
     "\xff\xc3\xa9\"\\{}", "get 0 hit 0 set 1 del 0"},
    {REPLY_PREFIXES, "PREFIX END get 0 hit 0 set 1 del 0\r\n", REPLY_STAT, "END", "get 0 hit 0 set 1 del 0"},
    {REPLY_PREFIXES, "PREFIX get 0 hit 0 set 1 del 0\r\n", REPLY_STAT, "get 0 hit 0 set 1 del 0", ""},
    {REPLY_PREFIXES, "PREFIX \r\n", REPLY_STAT, "", ""},
    {REPLY_PREFIXES, "PREFIX\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_PREFIXES, "PREFIXES x\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_PREFIXES, "STAT a 1\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_PREFIXES, "OK\r\n", REPLY_MALFORMED, "", NULL},
    {REPLY_PREFIXES, "END\r\n", REPLY_END, "", ""},
    {REPLY_PREFIXES, "CLIENT_ERROR stats detail not allowed\r\n", REPLY_REFUSED, "",
     "CLIENT_ERROR stats detail not allowed"},
};

static void test_other_forms(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(formed_lines); i++) {
        char bytes[128];
        snprintf(bytes, sizeof(bytes), "%sEND\r\n", formed_lines[i].line);
        struct slice input = slice_of(bytes);
        struct reply_line line = reply_next(&input, formed_lines[i].form);
        assert_int_equal(line.kind, formed_lines[i].kind);
        if (line.kind == REPLY_MALFORMED) continue;
        assert_slice(line.key, formed_lines[i].key);
        assert_slice(line.value, formed_lines[i].value);
        assert_slice(input, "END\r\n");
    }
}

/* No beginning of a line is taken for a line, or for a stranger if the line is none. */
static void test_beginnings_of_other_forms(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(formed_lines); i++) {
        if (formed_lines[i].kind == REPLY_MALFORMED) continue;
        for (size_t len = 1; len < strlen(formed_lines[i].line); len++) {
            struct slice input = {formed_lines[i].line, len};
            assert_int_equal(reply_next(&input, formed_lines[i].form).kind, REPLY_MORE);
            assert_int_equal(input.len, len);
        }
    }
}

/* The longest prefix that a server keeps is no fault; a line without end is one. */
static void test_long_prefix(void **state)
{
    char bytes[REPLY_LINE_MAX + 8];
    (void) state;
    memset(bytes, 'p', sizeof(bytes));
    memcpy(bytes, "PREFIX ", 7);
    strcpy(bytes + 7 + 250,
           " get 18446744073709551615 hit 18446744073709551615 set 18446744073709551615 del 0\n");
    struct slice input = slice_of(bytes);
    struct reply_line line = reply_next(&input, REPLY_PREFIXES);
    assert_int_equal(line.kind, REPLY_STAT);
    assert_int_equal(line.key.len, 250);

    memset(bytes + 7, 'p', sizeof(bytes) - 7);
    input = (struct slice){bytes, sizeof(bytes)};
    assert_int_equal(reply_next(&input, REPLY_PREFIXES).kind, REPLY_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_lines),          cmocka_unit_test(test_nul_is_a_byte),
        cmocka_unit_test(test_beginnings_wait),      cmocka_unit_test(test_strangers_are_known_at_once),
        cmocka_unit_test(test_refusal_without_end),  cmocka_unit_test(test_pairs_of_every_length),
        cmocka_unit_test(test_line_without_end),     cmocka_unit_test(test_captures_at_every_cut),
        cmocka_unit_test(test_capture_byte_by_byte), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_forms),          cmocka_unit_test(test_beginnings_of_other_forms),
        cmocka_unit_test(test_long_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
