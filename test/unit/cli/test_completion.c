#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/flags.h"
#include "parsed_options.h"

static void assert_holds(const struct buffer *text, const char *part)
{
    if (!memmem(text->data, text->len, part, strlen(part))) fail_msg("no '%s' in the text", part);
}

/* For both names under which the program is run. What the scripts do is seen in the integration tests. */
static void completes_every_flag(void **state)
{
    static const char *const scripts[] = {"--completion-script-bash", "--completion-script-zsh",
                                          "--completion-script-fish"};
    (void) state;
    for (size_t n = 0; n < sizeof(scripts) / sizeof(*scripts); n++) {
        struct outcome outcome;
        parse(&outcome, ARGUMENTS(scripts[n]), NO_ENVIRONMENT);
        assert_int_equal(outcome.code, OPTIONS_TEXT);
        assert_holds(&outcome.text, " memcached_fleet_exporter memcached_exporter\n");
        assert_holds(&outcome.text, n == 2 ? "-a top -d 'Show the servers as a live table'" : "check top");
        for (size_t i = 0; i < flags_count; i++) {
            char name[64];
            snprintf(name, sizeof(name), "%s%s", n == 2 ? "-l " : "--", flags[i].name);
            if (!flags[i].hidden) assert_holds(&outcome.text, name);
        }
        release(&outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completes_every_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
