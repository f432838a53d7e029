/* The login and the answers of the text protocol are those of test_session.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/protocol.h"

static void test_requests_have_room(void **state)
{
    static const struct protocol *const protocols[] = {&protocol_text, &protocol_binary};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(protocols); n++) {
        size_t sum = 0;
        for (enum command command = 0; command < COMMAND_COUNT; command++) {
            char request[PROTOCOL_REQUEST_MAX];
            if (!(protocols[n]->commands & COMMAND_BIT(command))) continue;
            sum += protocols[n]->request(command, request);
        }
        assert_true(sum + PROTOCOL_REQUEST_MAX <= PROTOCOL_REQUESTS_MAX);
    }
}

static void test_choices(void **state)
{
    enum protocol_choice choice = PROTOCOL_BINARY;
    (void) state;
    assert_true(protocol_choice_parse(SLICE("auto"), &choice));
    assert_int_equal(choice, PROTOCOL_AUTO);
    assert_true(protocol_choice_parse(SLICE("text"), &choice));
    assert_int_equal(choice, PROTOCOL_TEXT);
    assert_true(protocol_choice_parse(SLICE("binary"), &choice));
    assert_int_equal(choice, PROTOCOL_BINARY);
    assert_false(protocol_choice_parse(SLICE("ascii"), &choice));
    assert_false(protocol_choice_parse(SLICE(""), &choice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_have_room),
        cmocka_unit_test(test_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
