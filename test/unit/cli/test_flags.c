/* The table of flags: how they are found, spelled and guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "cli/flags.h"
#include "parsed_options.h"

/* What options_parse, --help and the environment take for granted. */
static void table_is_sound(void **state)
{
    (void) state;
    assert_true(flags_count <= FLAGS_MAX);
    for (size_t i = 0; i < flags_count; i++) {
        const struct flag *flag = &flags[i];
        bool is_action = flag->type == &flag_action;
        assert_ptr_equal(flag_find(slice_of(flag->name)), flag);
        assert_int_equal(is_action, flag->print != NULL);
        size_t len = strlen(flag->help);
        if (flag->help[len - 1] != '.')
            fail_msg("the help of --%s is no sentence: %s", flag->name, flag->help);
        /* A name that begins so would be taken for the negation of another. */
        assert_false(slice_starts(slice_of(flag->name), "no-"));
    }
}

static void finds_each_variable(void **state)
{
    (void) state;
    for (size_t i = 0; i < flags_count; i++) {
        struct buffer name;
        buffer_init(&name, 256);
        flag_append_spelling(&flags[i], true, &name);
        const struct flag *found = flag_find_variable(buffer_slice(&name));
        assert_ptr_equal(found, flags[i].type == &flag_action ? NULL : &flags[i]);
        buffer_deinit(&name);
    }
    assert_null(flag_find_variable(SLICE("MEMCACHED_FLEET_EXPORTER_")));
    assert_null(flag_find_variable(SLICE("PATH")));
    assert_null(flag_find(SLICE("")));
    assert_null(flag_find(SLICE("memcached")));
}

/* Both flags do without HTTP or without an end, so each output has to be named there. */
static void helps_name_each_output(void **state)
{
    static const char *const without[] = {"web", "once"};
    (void) state;
    for (size_t i = 0; i < flags_count; i++) {
        const char *dot = strrchr(flags[i].name, '.');
        if (strcmp(flags[i].name, "output.textfile") != 0 && (!dot || strcmp(dot, ".url") != 0)) continue;
        for (size_t n = 0; n < ARRAY_LEN(without); n++) {
            if (!strstr(flag_find(slice_of(without[n]))->help, flags[i].name))
                fail_msg("the help of --%s does not name --%s", without[n], flags[i].name);
        }
    }
}

static void assert_nearest(const char *written, bool variable, const char *expected)
{
    const struct flag *flag = flag_nearest(slice_of(written), variable);
    if (!expected) {
        assert_null(flag);
        return;
    }
    assert_non_null(flag);
    assert_string_equal(flag->name, expected);
}

static void guesses_what_was_meant(void **state)
{
    (void) state;
    assert_nearest("--memcached.adress", false, "memcached.address");
    assert_nearest("-memcached.address", false, "memcached.address");
    assert_nearest("--push.intervall", false, "push.interval");
    assert_nearest("--bogus", false, NULL);
    assert_nearest("--help-mann", false, NULL); /* it is hidden */
    assert_nearest(PREFIX "PUSH_JOBS", true, "push.job");
    assert_nearest(PREFIX "VERSIO", true, NULL); /* it has no variable */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(finds_each_variable),
        cmocka_unit_test(helps_name_each_output),
        cmocka_unit_test(guesses_what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
