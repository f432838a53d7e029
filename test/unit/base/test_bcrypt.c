#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bcrypt.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

static void test_every_letter_means_the_same(void **state)
{
    static const char *const versions[] = {"$2$", "$2a$", "$2b$", "$2x$", "$2y$", "$2z$"};
    static const char password[] = "pass\xc3\xa9\xff\xa3"; /* with bytes that the fault of 2x mixed up */
    struct crypt_data data = {0};
    char hash[BCRYPT_HASH_MAX + 1];
    (void) state;
    const char *made = crypt_rn(password, "$2b$04$abcdefghijklmnopqrstuu", &data, sizeof(data));
    assert_non_null(made);
    for (size_t n = 0; n < sizeof(versions) / sizeof(versions[0]); n++) {
        snprintf(hash, sizeof(hash), "%s%s", versions[n], made + 4);
        assert_null(bcrypt_check_hash(slice_of(hash)));
        assert_true(bcrypt_matches(hash, password));
        assert_false(bcrypt_matches(hash, "pass"));
    }
    snprintf(hash, sizeof(hash), "%sx", made);
    assert_null(bcrypt_check_hash(slice_of(hash)));
    assert_false(bcrypt_matches(hash, password)); /* longer than any that comes about */
}

static void test_what_is_no_hash_is_named(void **state)
{
    static const char *const bad[][2] = {
        {"doe", "too short"},
        {"", "too short"},
        {"$1$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "begins with"},
        {"$2bb$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "begins with"},
        {"$2b$03$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"$2b$32$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"x2b$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "begins with"},
        {"$2b$/4$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"$2b$x4$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"$2b$0/$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"$2b$04xabcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
        {"$2b$1x$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "cost"},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        const char *expected = bcrypt_check_hash(slice_of(bad[n][0]));
        if (!expected || !strstr(expected, bad[n][1]))
            fail_msg("%s: %s", bad[n][0], expected ? expected : "taken");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_letter_means_the_same),
        cmocka_unit_test(test_what_is_no_hash_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
