/*
 * What a builder holds is the same with the plan and without it: replies of recorded servers, and mutations
 * of them, are cut into pieces and read by a session, which follows the plan, and whole by reply_next and
 * snapshot_add, which know of none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/reply_plan.h"
#include "memcached/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMMANDS  4
#define WANTED    ((1u << COMMANDS) - 1)
#define LINES_MAX 8192
#define TEXT_MAX  (1 << 20)

static uint64_t dice = 1;

static size_t roll(size_t sides)
{
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (size_t) (dice >> 33) % sides;
}

/* --- Two readers --- */

static void begin(struct session *session, size_t max_reply)
{
    char request[PROTOCOL_REQUESTS_MAX];
    struct snapshot *snapshot = snapshot_new(WANTED, max_reply, 0);
    assert_non_null(snapshot);
    session_init(session, &protocol_text, snapshot, WANTED);
    assert_true(session_ask(session, request) > 0);
}

/* Returns the place behind TEXT_MAX bytes. No byte from there on may be read. */
static char *guarded_end(void)
{
    static char *end;
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    if (end) return end;
    char *bytes = mmap(NULL, TEXT_MAX + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    end = bytes + TEXT_MAX;
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    return end;
}

/* Pieces of 1 to `most` bytes, at any alignment. Returns how many bytes were taken. */
static size_t hear(struct session *session, struct slice bytes, size_t most)
{
    size_t taken = 0, arrived = 0;
    enum session_status status = SESSION_WAITS;
    while (status == SESSION_WAITS && arrived < bytes.len) {
        arrived += 1 + roll(most);
        if (arrived > bytes.len) arrived = bytes.len;
        char *piece = guarded_end() - (arrived - taken); /* reading beyond the piece ends the test */
        memcpy(piece, bytes.data + taken, arrived - taken);
        struct slice input = {piece, arrived - taken};
        status = session_take(session, &input);
        taken = arrived - input.len;
    }
    return taken;
}

struct expected {
    struct snapshot *snapshot;
    bool has_storage, has_stats, is_broken;
    size_t taken;
};

static void expect_line(struct expected *expected, enum command command, struct slice key, struct slice value)
{
    assert_true(snapshot_add(expected->snapshot, command, key, value));
    if (command != COMMAND_STATS) return;
    expected->has_storage |= slice_is(key, "extstore_limit_maxbytes");
    expected->has_stats |= !slice_is(key, "version");
}

/* Reads until the replies are whole or broken. */
static struct expected read_plainly(struct slice bytes, size_t max_reply)
{
    struct expected expected = {.snapshot = snapshot_new(WANTED, max_reply, 0)};
    struct slice rest = bytes;
    for (enum command command = 0; command < COMMANDS && rest.len && !expected.is_broken;) {
        struct reply_line line = reply_next(&rest, command_info(command)->form);
        switch (line.kind) {
        case REPLY_STAT:
            expect_line(&expected, command, line.key, line.value);
            break;
        case REPLY_END:
            expected.is_broken = command == COMMAND_STATS && !expected.has_stats;
            command++;
            break;
        case REPLY_LONG:
            snapshot_builder_reject(&expected.snapshot->builder, command, line.key);
            if (command == COMMAND_STATS) expected.has_stats = true;
            assert_true(reply_skip(&rest, &line.len));
            break;
        default:
            expected.is_broken = true;
        }
    }
    expected.taken = bytes.len - rest.len;
    return expected;
}

static void assert_same_builder(const struct snapshot_builder *a, const struct snapshot_builder *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->text.len, b->text.len);
    assert_int_equal(a->cut, b->cut);
    assert_int_equal(a->parse_errors, b->parse_errors);
    assert_int_equal(a->unmapped, b->unmapped);
    if (a->text.len) assert_memory_equal(a->text.data, b->text.data, a->text.len);
    assert_memory_equal(&a->remark, &b->remark, sizeof(a->remark));
    for (size_t n = 0; n < a->count; n++) {
        const struct snapshot_builder_entry *left = &a->entries[n], *right = &b->entries[n];
        assert_int_equal(left->row, right->row);
        assert_int_equal(left->number, right->number);
        assert_int_equal(left->command, right->command);
        assert_int_equal(left->text, right->text);
        assert_int_equal(left->key_len, right->key_len);
        assert_int_equal(left->value_len, right->value_len);
        assert_int_equal(left->is_plain, right->is_plain);
    }
}

static void assert_as_expected(const struct session *session, size_t taken, const struct expected *expected)
{
    assert_same_builder(&session->snapshot->builder, &expected->snapshot->builder);
    assert_int_equal(taken, expected->taken);
    assert_int_equal(session->failure != TARGET_UP, expected->is_broken);
    assert_int_equal(session->has_storage, expected->has_storage);
    assert_int_equal(session->has_stats, expected->has_stats);
}

static void compare_readers(struct slice bytes, size_t most, size_t max_reply)
{
    struct session session;
    struct expected expected = read_plainly(bytes, max_reply);
    begin(&session, max_reply);
    size_t taken = hear(&session, bytes, most);
    assert_as_expected(&session, taken, &expected);
    snapshot_release(session.snapshot);
    snapshot_release(expected.snapshot);
}

/* --- Replies --- */

static const char *const servers[] = {"v1.4.5", "v1.4.25", "v1.5.22", "d18",
                                      "d18x",   "v1.6.33", "v45x",    "prox33"};

static struct buffer made;

static const char *const odd_values[] = {
    "-1",
    "NULL",
    "(null)",
    "",
    "0",
    "7",
    "12345678",
    "123456789",
    "1234567890123456",
    "12345678901234567",
    "1234567890123456789",
    "4294967295",
    "18446744073709551615",
    "18446744073709551616",
    "00000000000000000001",
    "0000000000000000000000000000000000000001",
    "1.5",
    "yes",
    "no",
    "on",
    "off",
    "x y z",
    " 1",
    "1 ",
    "1\r",
    "+1",
    "1e5",
    "1e999",
    "/",
    ":",
    "12:",
    "12/3",
    "\xff\xfe",
};

enum mutation { WHOLE, SHUFFLED, DROPPED, DOUBLED, ODD_VALUES, LONG_VALUES, ODD_BYTES, BARE_ENDS, MUTATIONS };

static void append_mutated(struct slice line, enum mutation mutation)
{
    size_t start = made.len;
    struct slice key = line;
    buffer_append_slice(&made, line);
    switch (roll(16) ? WHOLE : mutation) {
    case DROPPED:
        made.len = start;
        return;
    case DOUBLED:
        buffer_append_string(&made, "\r\n");
        buffer_append_slice(&made, line);
        break;
    case ODD_VALUES:
    case LONG_VALUES:
        slice_cut(&key, ' ');
        slice_cut(&key, ' ');
        made.len -= key.len;
        for (size_t n = mutation == LONG_VALUES ? roll(2100) : 0; n; n--) buffer_append_char(&made, '7');
        if (mutation == ODD_VALUES) buffer_append_string(&made, odd_values[roll(ARRAY_LEN(odd_values))]);
        break;
    case ODD_BYTES:
        made.data[start + 5 + roll(line.len - 5)] = "0123456789 :_\r\nxS"[roll(17)];
        break;
    default:
        break;
    }
    bool is_bare = mutation == BARE_ENDS || mutation == ODD_VALUES;
    buffer_append_string(&made, is_bare && roll(2) ? "\n" : "\r\n");
}

static void append_reply(struct slice reply, enum mutation mutation)
{
    static struct slice lines[LINES_MAX];
    size_t count = 0;
    while (reply.len && !slice_starts(reply, "END")) {
        lines[count] = slice_cut(&reply, '\n');
        lines[count++].len--;
    }
    for (size_t n = count; mutation == SHUFFLED && n > 1; n--) {
        size_t other = roll(n);
        struct slice line = lines[n - 1];
        lines[n - 1] = lines[other];
        lines[other] = line;
    }
    for (size_t n = 0; n < count; n++) append_mutated(lines[n], mutation);
    buffer_append_string(&made, "END\r\n");
}

/* What a server said, mutated, in `made`. */
static void make_replies(const char *server, enum mutation mutation)
{
    static const char *const commands[COMMANDS] = {"stats", "stats-settings", "stats-items", "stats-slabs"};
    buffer_clear(&made);
    for (size_t n = 0; n < COMMANDS; n++) {
        char name[64];
        snprintf(name, sizeof(name), "samples/%s-%s.txt", server, commands[n]);
        struct slice reply = data_read(name);
        append_reply(reply, mutation);
        free((char *) reply.data);
    }
}

/* --- Tests --- */

static void test_same_with_and_without(void **state)
{
    (void) state;
    static const size_t pieces[] = {1, 7, 100, 1460, TEXT_MAX};
    for (size_t round = 0; round < 40; round++) {
        const char *server = servers[roll(ARRAY_LEN(servers))];
        for (enum mutation mutation = 0; mutation < MUTATIONS; mutation++) {
            make_replies(server, mutation);
            compare_readers(buffer_slice(&made), pieces[roll(ARRAY_LEN(pieces))], TEXT_MAX);
        }
    }
}

/* A server that may say little: its lines are cut at the same places. */
static void test_same_bounds(void **state)
{
    (void) state;
    for (size_t max_reply = 16; max_reply < 4096; max_reply += 1 + max_reply / 8) {
        make_replies("d18", roll(2) ? WHOLE : ODD_VALUES);
        compare_readers(buffer_slice(&made), 1 + roll(5000), max_reply);
    }
}

/* Two servers whose lines differ, in turn: both are expected. Most lines are taken by the plan alone. */
static void test_lines_are_expected(void **state)
{
    (void) state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t n = 0; n < 2; n++) {
            make_replies(n ? "v1.6.33" : "d18", WHOLE);
            compare_readers(buffer_slice(&made), TEXT_MAX, TEXT_MAX);
        }
    }
    make_replies("d18", WHOLE);
    struct snapshot *snapshot = snapshot_new(WANTED, TEXT_MAX, 0);
    struct plan_line *place = NULL;
    struct slice input = buffer_slice(&made);
    /* The plan goes on up to the version, which a session has to see. */
    struct reply_pair pair;
    assert_true(reply_plan_take(&place, COMMAND_STATS, &snapshot->builder, &input));
    assert_true(input.len < made.len);
    assert_true(slice_starts(input, "STAT version "));
    assert_true(reply_take_pair(&input, &pair));
    assert_true(snapshot_add(snapshot, COMMAND_STATS, pair.key, pair.value));
    reply_plan_note(&place, &snapshot->builder, pair.key);
    assert_true(reply_plan_take(&place, COMMAND_STATS, &snapshot->builder, &input));
    assert_true(slice_starts(input, "END\r\n"));
    snapshot_release(snapshot);
}

/* More lines than the plan holds, from a server that invents slab classes, while another one is read. */
static void test_begins_anew_when_full(void **state)
{
    (void) state;
    struct session session;
    make_replies("d18", WHOLE);
    struct expected expected = read_plainly(buffer_slice(&made), TEXT_MAX);
    for (size_t round = 0; round < 20; round++) {
        size_t half = roll(made.len), taken;
        begin(&session, TEXT_MAX);
        taken = hear(&session, (struct slice){made.data, half}, 1000);

        struct buffer strange;
        buffer_init(&strange, TEXT_MAX);
        buffer_append_string(&strange, "STAT maxconns 1\r\nSTAT pid 1\r\nEND\r\nSTAT maxconns 7\r\nEND\r\n");
        for (unsigned n = 0; n < PLAN_LINES_MAX + 100; n++)
            buffer_printf(&strange, "STAT items:%zu:number %u\r\n", 1000 + roll(1000000), n);
        buffer_append_string(&strange, "END\r\nEND\r\n");
        compare_readers(buffer_slice(&strange), TEXT_MAX, TEXT_MAX);
        buffer_deinit(&strange);

        taken += hear(&session, slice_from(buffer_slice(&made), taken), 1000);
        assert_as_expected(&session, taken, &expected);
        snapshot_release(session.snapshot);
    }
    snapshot_release(expected.snapshot);
}

/* A line that is expected in one reply is none of another one, though it reads the same. */
static void test_commands_are_apart(void **state)
{
    (void) state;
    static const char both[] =
        "STAT pid 1\r\nSTAT threads 4\r\nEND\r\nSTAT pid 1\r\nSTAT threads 4\r\nEND\r\nEND\r\n"
        "STAT threads 4\r\nSTAT pid 1\r\nEND\r\n";
    for (size_t round = 0; round < 3; round++) compare_readers(slice_of(both), TEXT_MAX, TEXT_MAX);
}

static int setup(void **state)
{
    (void) state;
    buffer_init(&made, 4 * TEXT_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    buffer_deinit(&made);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_with_and_without), cmocka_unit_test(test_same_bounds),
        cmocka_unit_test(test_lines_are_expected),    cmocka_unit_test(test_begins_anew_when_full),
        cmocka_unit_test(test_commands_are_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
