#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/flags.h"
#include "parsed_options.h"

/* A line that begins with a dot is a request, and these are all that the page uses. */
static void manual_has_no_text_that_roff_takes_for_a_request(void **state)
{
    static const char *const requests[] = {".TH ", ".nh",  ".SH ", ".SS ", ".TP", ".PP",
                                           ".B ",  ".BR ", ".nf",  ".fi",  ".RS", ".RE"};
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--help-man"), NO_ENVIRONMENT);
    struct slice rest = buffer_slice(&outcome.text);
    while (rest.data) {
        struct slice line = slice_cut(&rest, '\n');
        bool known = !line.len || (line.data[0] != '.' && line.data[0] != '\'');
        for (size_t n = 0; n < sizeof(requests) / sizeof(*requests); n++)
            known |= slice_starts(line, requests[n]);
        if (!known) fail_msg("%.*s", (int) line.len, line.data);
    }
    release(&outcome);
}

/* The sections that a reader looks for, each once, in the order of man-pages(7). */
static void has_its_sections(void **state)
{
    static const char *const sections[] = {"NAME",  "SYNOPSIS",    "DESCRIPTION", "COMMANDS",
                                           "FLAGS", "ENDPOINTS",   "SIGNALS",     "ENVIRONMENT",
                                           "FILES", "EXIT STATUS", "EXAMPLES",    "SEE ALSO"};
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--help-man"), NO_ENVIRONMENT);
    size_t found = 0;
    struct slice rest = buffer_slice(&outcome.text);
    while (rest.data) {
        struct slice line = slice_cut(&rest, '\n');
        if (!slice_starts(line, ".SH ")) continue;
        assert_true(found < sizeof(sections) / sizeof(*sections));
        assert_true(slice_is(slice_from(line, 4), sections[found++]));
    }
    assert_int_equal(found, sizeof(sections) / sizeof(*sections));
    release(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manual_has_no_text_that_roff_takes_for_a_request),
        cmocka_unit_test(has_its_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
