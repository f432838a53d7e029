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
    struct snapshot_builder_entry stat; /* row, number and command */
    uint8_t len;                        /* length of the text */
    bool is_number;                     /* any whole number is kept as sent */
    uint8_t again_len;     /* for other lines: length of the last value with its line end; 0 for no value */
    uint8_t kept_len;      /* what the builder has kept of that value */
    char again[AGAIN_MAX]; /* the last value as sent, with its line end, if it is short */
    char kept[AGAIN_MAX];
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
 * Compare `text`, which has PLAN_TEXT_MAX bytes, with a line of at least one block, and with a shorter one.
 * The first and the last block of the line may overlap, and so may words in a shorter line.
 */
static inline uint64_t long_line_differs(const char *text, const struct plan_line *line)
{
    size_t last = line->len - sizeof(block);
    block differs = block_differs(text, line->text, 0) | block_differs(text, line->text, last);
    if (line->len > 2 * sizeof(block)) differs |= block_differs(text, line->text, sizeof(block));
    return differs[0] | differs[1];
}

static inline uint64_t short_line_differs(const char *text, const struct plan_line *line)
{
    return word_differs(text, line->text, 0) | word_differs(text, line->text, line->len - WORD);
}

/* Returns true if `text`, which has PLAN_TEXT_MAX bytes, begins with the line. */
static inline bool begins_like(const char *text, const struct plan_line *line)
{
    if (line->len >= sizeof(block)) return !long_line_differs(text, line);
    return !short_line_differs(text, line);
}

/* Returns the expected line that the input begins with, or no_line. */
static struct plan_line *expected_line(const struct plan_line *place, const char *text)
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

/* Returns the known line that the input begins with and that was not expected first, or no_line. */
static struct plan_line *other_line(struct plan_line *place, const char *text)
{
    return begins_like(text, place->next[1]) ? place->next[1] : known_line(place, text);
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
    return len <= SAFE_DIGITS && memcmp(value + len, "\r\n", 2) == 0 ? len : 0;
}

/* Returns true if the line has a value that the builder has taken before. AGAIN_MAX bytes are readable. */
static inline bool has_value_again(const struct plan_line *line, const char *value)
{
    static const char ones_then_zeros[2 * AGAIN_MAX] = "\xff\xff\xff\xff\xff\xff\xff\xff"
                                                       "\xff\xff\xff\xff\xff\xff\xff\xff";
    block mask, differs = block_differs(value, line->again, 0);
    memcpy(&mask, ones_then_zeros + AGAIN_MAX - line->again_len, sizeof(mask));
    differs &= mask;
    return line->again_len && !(differs[0] | differs[1]);
}

/*
 * Remembers a value, which the builder has kept as its last entry, or has left out because the server says
 * that there is none.
 */
static void note_good_value(struct plan_line *line, const struct snapshot_builder *builder,
                            struct slice value, bool is_kept)
{
    struct slice kept = {line->kept, 0};
    if (is_kept) kept = snapshot_builder_value(builder, &builder->entries[builder->count - 1]);
    line->again_len = 0;
    if (value.len + strlen("\r\n") > AGAIN_MAX || kept.len > AGAIN_MAX) return;
    char *end = slice_put(slice_put(line->again, value), SLICE("\r\n"));
    line->again_len = (uint8_t) (end - line->again);
    memcpy(line->kept, kept.data, kept.len);
    line->kept_len = (uint8_t) kept.len;
}

/* Returns the expected line near the end of the input, where less than PLAN_TEXT_MAX bytes may be left. */
static struct plan_line *last_line(const struct plan_line *place, struct slice input)
{
    char text[PLAN_TEXT_MAX] = {0};
    slice_put(text, (struct slice){input.data, input.len < sizeof(text) ? input.len : sizeof(text)});
    struct plan_line *line = expected_line(place, text);
    return line->len <= input.len ? line : &no_line;
}

/* Bytes of the shortest line that is remembered, with a value and the line end. */
#define PLAN_LINE_MIN (PLAN_TEXT_MIN + 1 + 2)

/*
 * Returns how far lines can be taken without looking for the end of the input or of the builder's memory: a
 * line that begins before that place fits.
 */
static const char *free_way(const struct snapshot_builder *builder, struct slice input)
{
    size_t input_room = input.len < PLAN_TEXT_MAX + AHEAD ? 0 : input.len + 1 - PLAN_TEXT_MAX - AHEAD;
    size_t memory_room = PLAN_LINE_MIN * snapshot_builder_room(builder, AHEAD);
    return input.data + (input_room < memory_room ? input_room : memory_room);
}

/*
 * Keeps known lines with good values, which nearly all lines are, as far as the way is free. Returns the next
 * line if it is known, else no_line.
 */
static struct plan_line *take_good_lines(struct plan_line **place, struct snapshot_builder *builder,
                                         struct slice *input)
{
    const char *at = input->data, *const stop = free_way(builder, *input);
    struct snapshot_builder_entry *entry = builder->entries + builder->count;
    struct plan_line *line = *place, *next = NULL;
    char *const texts = builder->text.data;
    size_t text = builder->text.len, len;
    while (at < stop) {
        next = line->next[0];
        if ((next->len >= sizeof(block) && long_line_differs(at, next)) ||
            (next->len < sizeof(block) && short_line_differs(at, next)))
            next = other_line(line, at);
        const char *value = at + next->len;
        if (next->is_number) {
            len = number_length(value);
            if (len == 0) break;
            at = value + len + 2;
            memcpy(texts + text, value, 8);
            if (len > 8) memcpy(texts + text + 8, value + 8, AHEAD - 8);
        } else {
            if (!has_value_again(next, value)) break;
            at = value + next->again_len;
            len = next->kept_len;
            memcpy(texts + text, next->kept, AGAIN_MAX);
        }
        line = next;
        if (len == 0) continue;
        *entry = line->stat;
        entry->text = (uint32_t) text;
        entry->value_len = (uint16_t) len;
        text += len;
        entry++;
    }
    if (line == next) next = NULL;
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
        unsigned errors = builder->parse_errors + builder->cut;
        if (!snapshot_builder_add_value(builder, &line->stat, key, value)) return false;
        if (builder->parse_errors + builder->cut == errors)
            note_good_value(line, builder, value, builder->count > count);
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
        .len = (uint8_t) len,
        .stat = *stat,
        .is_number = form == FORM_UNSIGNED,
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
