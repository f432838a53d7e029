#include "memcached/reply_plan.h"

#include "base/digits.h"

#include <string.h>

/* Lines are compared in words of eight bytes. So shorter lines cannot be remembered. */
#define WORD          sizeof(uint64_t)
#define PLAN_TEXT_MIN WORD

_Static_assert(PLAN_TEXT_MAX <= 3 * 16, "three blocks hold a line");

/* Most bytes of a value that is remembered, with its line end. Texts like "auto-negotiate" fit. */
#define AGAIN_MAX 16

struct plan_line {
    char text[PLAN_TEXT_MAX];           /* the line up to its value: "STAT items:1:number " */
    size_t len;                         /* length of the text */
    struct snapshot_builder_entry stat; /* row, number and command */
    bool is_number;                     /* the form accepts any whole number */
    char again
        [AGAIN_MAX];  /* for other forms: the last value that was kept, with its line end, if it is short */
    size_t again_len; /* length of `again`; 0 for no value */
    struct plan_line *next[2]; /* lines that came next, the most recent first */
};

/* Size of the index, which uses open addressing. A power of two. */
#define SLOTS (2 * PLAN_LINES_MAX)

static struct {
    struct plan_line starts[COMMAND_COUNT];
    struct plan_line lines[PLAN_LINES_MAX];
    size_t count;
    uint16_t slots[SLOTS]; /* line numbers from 1, found by command and text; 0 is a free slot */
} plan;

/*
 * Stands for no expected line. Even if the input begins like it, no value is good for it, so it is never
 * kept.
 */
static struct plan_line no_line = {.len = PLAN_TEXT_MIN};

static void reset_place(struct plan_line *line)
{
    line->next[0] = line->next[1] = &no_line;
}

/* Forgets all lines. A session may still be at an old place; nothing comes next there. */
static void forget_all(void)
{
    for (size_t n = 0; n < plan.count; n++) reset_place(&plan.lines[n]);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        plan.starts[command].stat.command = (uint8_t) command;
        reset_place(&plan.starts[command]);
    }
    memset(plan.slots, 0, sizeof(plan.slots));
    plan.count = 0;
}

bool reply_plan_knows(enum command command)
{
    switch (command) {
    case COMMAND_STATS:
    case COMMAND_SETTINGS:
    case COMMAND_ITEMS:
    case COMMAND_SLABS:
    case COMMAND_EXTSTORE:
        return true;
    default:
        return false;
    }
}

/* --- Following it --- */

static inline uint64_t load_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t word_differs(const char *a, const char *b, size_t at)
{
    return load_word(a + at) ^ load_word(b + at);
}

/* Sixteen bytes that the compiler compares at once where the processor can. */
typedef uint64_t block __attribute__((vector_size(16)));

static inline block block_differs(const char *a, const char *b, size_t at)
{
    block left, right;
    memcpy(&left, a + at, sizeof(left));
    memcpy(&right, b + at, sizeof(right));
    return left ^ right;
}

/*
 * Returns true if `text`, which has PLAN_TEXT_MAX bytes, begins with the line. The first and the last block
 * of the line may overlap, and so may words in a shorter line.
 */
static inline bool begins_like(const char *text, const struct plan_line *line)
{
    if (line->len < sizeof(block))
        return !(word_differs(text, line->text, 0) | word_differs(text, line->text, line->len - WORD));
    size_t last = line->len - sizeof(block);
    block differs = block_differs(text, line->text, 0) | block_differs(text, line->text, last);
    if (last > sizeof(block)) differs |= block_differs(text, line->text, sizeof(block));
    return !(differs[0] | differs[1]);
}

/* Returns the expected line that the input begins with, or no_line. */
static inline struct plan_line *expected_line(const struct plan_line *place, const char *text)
{
    if (begins_like(text, place->next[0])) return place->next[0];
    return begins_like(text, place->next[1]) ? place->next[1] : &no_line;
}

static void expect_line(struct plan_line *place, struct plan_line *line)
{
    if (place->next[0] == line) return;
    place->next[1] = place->next[0];
    place->next[0] = line;
}

/*
 * Returns the slot of the line that equals the first `len` bytes of `text`, or the free slot where it
 * belongs.
 */
static uint16_t *slot_of_line(enum command command, const char *text, size_t len)
{
    uint64_t hash = (uint64_t) command;
    for (size_t at = 0; at < len; at += WORD)
        hash = (hash ^ load_word(text + (at + WORD < len ? at : len - WORD))) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = hash >> 32;; at++) {
        uint16_t *slot = &plan.slots[at % SLOTS];
        if (*slot == 0) return slot;
        const struct plan_line *line = &plan.lines[*slot - 1];
        if (line->len == len && line->stat.command == command && begins_like(text, line)) return slot;
    }
}

/*
 * Finds a known line that was not expected, and expects it next time. Returns no_line if the line is unknown.
 */
static struct plan_line *known_line(struct plan_line *place, const char *text)
{
    const char *blank = memchr(text + strlen("STAT "), ' ', PLAN_TEXT_MAX - strlen("STAT "));
    size_t len = blank ? (size_t) (blank - text) + 1 : 0;
    if (len < PLAN_TEXT_MIN) return &no_line;
    const uint16_t *slot = slot_of_line(place->stat.command, text, len);
    if (*slot == 0) return &no_line;
    expect_line(place, &plan.lines[*slot - 1]);
    return place->next[0];
}

/* Bytes of a value that are read and written at once. A 64-bit number and the line end fit. */
#define AHEAD 24

/* Any number of this many digits fits into 64 bits. */
#define SAFE_DIGITS 19

/*
 * Returns the number of digits of a value that is a whole number and nothing else. Returns 0 for any other
 * value.
 */
static inline size_t number_length(const char *value)
{
    size_t len = digits_count(value);
    if (len == 8) len += digits_count(value + 8);
    if (len == 16) len += digits_count(value + 16);
    return len <= SAFE_DIGITS && value[len] == '\r' && value[len + 1] == '\n' ? len : 0;
}

/*
 * Returns the length of a value that is known to be good: a number, or the same value as before. Else returns
 * 0.
 */
static inline size_t good_length(const struct plan_line *line, const char *value)
{
    if (line->is_number) return number_length(value);
    bool is_same = line->again_len && memcmp(value, line->again, line->again_len) == 0;
    return is_same ? line->again_len - strlen("\r\n") : 0;
}

/* Remembers a value that the builder has kept. */
static void note_good_value(struct plan_line *line, struct slice value)
{
    line->again_len = 0;
    if (value.len + strlen("\r\n") > AGAIN_MAX) return;
    char *end = slice_put(slice_put(line->again, value), SLICE("\r\n"));
    line->again_len = (size_t) (end - line->again);
}

/* Returns the expected line near the end of the input, where less than PLAN_TEXT_MAX bytes may be left. */
static struct plan_line *last_line(const struct plan_line *place, struct slice input)
{
    char text[PLAN_TEXT_MAX] = {0};
    slice_put(text, (struct slice){input.data, input.len < sizeof(text) ? input.len : sizeof(text)});
    struct plan_line *line = expected_line(place, text);
    return line->len <= input.len ? line : &no_line;
}

/*
 * Keeps known lines with good values, which nearly all lines are. Stops near the end of the input or of the
 * builder's memory, so that the loop need not check for them. Returns the next line if it is known, else
 * no_line.
 */
static struct plan_line *take_good_lines(struct plan_line **place, struct snapshot_builder *builder,
                                         struct slice *input)
{
    const char *at = input->data, *end = at + input->len;
    struct snapshot_builder_entry *entry = builder->entries + builder->count;
    struct plan_line *line = *place, *next = NULL;
    size_t text = builder->text.len, lines = snapshot_builder_room(builder, AHEAD);
    for (; (size_t) (end - at) >= PLAN_TEXT_MAX + AHEAD; lines--) {
        next = expected_line(line, at);
        if (next == &no_line) next = known_line(line, at);
        const char *value = at + next->len;
        size_t len = lines ? good_length(next, value) : 0;
        if (len == 0) break;

        memcpy(builder->text.data + text, value, 8);
        if (len > 8) memcpy(builder->text.data + text + 8, value + 8, AHEAD - 8);
        *entry = next->stat;
        entry->text = (uint32_t) text;
        entry->value_len = (uint16_t) len;
        text += len;
        entry++;
        at = value + len + 2;
        line = next;
        next = NULL;
    }
    builder->count = (size_t) (entry - builder->entries);
    builder->text.len = text;
    *input = slice_from(*input, (size_t) (at - input->data));
    *place = line;
    return next ? next : last_line(line, *input);
}

bool reply_plan_take(struct plan_line **place, enum command command, struct snapshot_builder *builder,
                     struct slice *input)
{
    struct plan_line *line;
    if (!plan.starts[command].next[0]) forget_all();
    if (!*place || (*place)->stat.command != command) *place = &plan.starts[command];
    while ((line = take_good_lines(place, builder, input)) != &no_line) {
        struct slice value, rest = slice_from(*input, line->len);
        if (!reply_take_value(&rest, line->len, &value)) break;
        struct slice key = {line->text + strlen("STAT "), line->len - strlen("STAT ") - strlen(" ")};
        size_t count = builder->count;
        if (!snapshot_builder_add_value(builder, &line->stat, key, value)) return false;
        if (builder->count > count) note_good_value(line, value);
        *input = rest;
        *place = line;
    }
    return true;
}

/* --- Learning it --- */

static void remember_line(struct plan_line *line, const struct snapshot_builder_entry *stat, const char *text,
                          size_t len)
{
    enum stat_form form = stats_traits(stat->row)->form;
    *line = (struct plan_line){
        .len = len,
        .stat = *stat,
        .is_number = form == FORM_UNSIGNED || form == FORM_MICROSECONDS,
    };
    memcpy(line->text, text, len);
    reset_place(line);
}

void reply_plan_note(struct plan_line **place, const struct snapshot_builder *builder, struct slice key)
{
    const struct snapshot_builder_entry *stat = &builder->last;
    char text[PLAN_TEXT_MAX];
    size_t len = strlen("STAT ") + key.len + strlen(" ");
    if (stats_is_unmapped(stat->row) || !stats_traits(stat->row)->may_be_planned) return;
    if (len < PLAN_TEXT_MIN || len > PLAN_TEXT_MAX) return;
    *slice_put(slice_put(text, SLICE("STAT ")), key) = ' ';
    uint16_t *slot = slot_of_line(stat->command, text, len);
    if (*slot == 0 && plan.count == PLAN_LINES_MAX) {
        forget_all();
        *place = NULL;
        return;
    }
    if (*slot == 0) {
        remember_line(&plan.lines[plan.count++], stat, text, len);
        *slot = (uint16_t) plan.count;
    }
    struct plan_line *line = &plan.lines[*slot - 1];
    expect_line(*place, line);
    *place = line;
}
