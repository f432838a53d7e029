#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"

#include <stdio.h>

static void assert_holds(const struct buffer *buffer, const char *expected)
{
    assert_false(buffer->failed);
    assert_int_equal(buffer->len, strlen(expected));
    assert_memory_equal(buffer->data, expected, buffer->len);
}

static void appends_everything(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 1000);
    assert_null(buffer.data);
    buffer_append(&buffer, "abc", 2);
    buffer_append_string(&buffer, "/");
    buffer_append_slice(&buffer, SLICE("cd"));
    buffer_append_char(&buffer, '/');
    buffer_append_u64(&buffer, 0);
    buffer_append_char(&buffer, '/');
    buffer_append_u64(&buffer, UINT64_MAX);
    buffer_printf(&buffer, "/%s=%d%s", "x", -1, "");
    buffer_printf(&buffer, "%s", "");
    assert_holds(&buffer, "ab/cd/0/18446744073709551615/x=-1");
    assert_true(slice_is(buffer_slice(&buffer), "ab/cd/0/18446744073709551615/x=-1"));
    buffer_deinit(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.len, 0);
}

static void nothing_appended_allocates_nothing(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, NULL, 0);
    buffer_append_slice(&buffer, (struct slice){NULL, 0});
    buffer_append_string(&buffer, "");
    buffer_printf(&buffer, "%s", "");
    assert_false(buffer.failed);
    assert_null(buffer.data);
    buffer_deinit(&buffer);
}

static void keeps_its_bytes_while_growing(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 100000);
    for (unsigned i = 0; i < 100000; i++) buffer_append_char(&buffer, (char) ('a' + i % 26));
    assert_false(buffer.failed);
    assert_int_equal(buffer.len, 100000);
    for (unsigned i = 0; i < 100000; i++) assert_int_equal(buffer.data[i], 'a' + i % 26);
    buffer_deinit(&buffer);
}

static void a_write_past_the_cap_changes_nothing(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 4);
    buffer_append_string(&buffer, "abc");
    buffer_append_string(&buffer, "de");
    assert_true(buffer.failed);
    assert_int_equal(buffer.len, 3);
    /* Nor does any write after it, even one for which there is room. */
    buffer_append_char(&buffer, 'd');
    buffer_printf(&buffer, "d");
    assert_null(buffer_reserve(&buffer, 1));
    assert_int_equal(buffer.len, 3);
    assert_memory_equal(buffer.data, "abc", 3);

    buffer_clear(&buffer);
    buffer_append_string(&buffer, "wxyz");
    assert_holds(&buffer, "wxyz");
    buffer_printf(&buffer, "%d", 1);
    assert_true(buffer.failed);
    assert_int_equal(buffer.len, 4);
    buffer_deinit(&buffer);
}

/* printf's NUL is no part of the text, and needs no room below the cap. */
static void printf_fills_to_the_last_byte(void **state)
{
    struct buffer buffer;
    char text[600];
    (void) state;
    for (size_t cap = 1; cap < sizeof(text); cap++) {
        snprintf(text, sizeof(text), "%0*d", (int) cap, 7);
        buffer_init(&buffer, cap);
        buffer_printf(&buffer, "%s", text);
        assert_holds(&buffer, text);
        buffer_deinit(&buffer);
    }
}

static void reserves_room_that_is_written_by_hand(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 1000);
    buffer_append_string(&buffer, "ab");
    char *at = buffer_reserve(&buffer, 998);
    assert_non_null(at);
    assert_ptr_equal(at, buffer.data + 2);
    assert_int_equal(buffer.len, 2);
    memset(at, 'x', 998);
    buffer.len += 998;
    assert_null(buffer_reserve(&buffer, 1));
    assert_true(buffer.failed);
    buffer_deinit(&buffer);
}

static void a_huge_request_wraps_nowhere(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 1000);
    buffer_append_string(&buffer, "ab");
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 1));
    assert_int_equal(buffer.len, 2);
    buffer_deinit(&buffer);
}

/* Lets the next test ask the sanitizer's allocator for more than there is. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void fails_without_memory(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, PTRDIFF_MAX - 4096);
    buffer_append_string(&buffer, "ab");
    assert_null(buffer_reserve(&buffer, PTRDIFF_MAX - 4098));
    assert_true(buffer.failed);
    assert_int_equal(buffer.len, 2);
    assert_memory_equal(buffer.data, "ab", 2);
    buffer_deinit(&buffer);
}

/* --- Secrets --- */

static const char *watched;
static bool was_clean;

void __real_free(void *memory);
void __wrap_free(void *memory);

/* Looks at the bytes that are given back. */
void __wrap_free(void *memory)
{
    if (memory && memory == watched) {
        was_clean = true;
        for (size_t n = 0; n < 64; n++) was_clean = was_clean && watched[n] == '\0';
        watched = NULL;
    }
    __real_free(memory);
}

/* Also what was written before the buffer was emptied. */
static void wipes_all_bytes(void **state)
{
    struct buffer buffer;
    (void) state;
    buffer_init(&buffer, 1000);
    memset(buffer_reserve(&buffer, 64), 0, 64);
    buffer_append_string(&buffer, "a secret");
    buffer_clear(&buffer);
    buffer_append_char(&buffer, 'b');
    watched = buffer.data;
    buffer_wipe(&buffer);
    assert_true(was_clean);
    assert_null(buffer.data);
    assert_int_equal(buffer.len, 0);
    buffer_wipe(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_everything),
        cmocka_unit_test(nothing_appended_allocates_nothing),
        cmocka_unit_test(keeps_its_bytes_while_growing),
        cmocka_unit_test(a_write_past_the_cap_changes_nothing),
        cmocka_unit_test(printf_fills_to_the_last_byte),
        cmocka_unit_test(reserves_room_that_is_written_by_hand),
        cmocka_unit_test(a_huge_request_wraps_nowhere),
        cmocka_unit_test(fails_without_memory),
        cmocka_unit_test(wipes_all_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
