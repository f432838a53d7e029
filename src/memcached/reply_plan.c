#include "memcached/reply_plan.h"

#include "base/digits.h"

#include <string.h>

/* Compared eight bytes at a time, so that a shorter line cannot be remembered either. */
#define WORD          sizeof(uint64_t)
#define PLAN_TEXT_MIN WORD

struct plan_line {
    char text[PLAN_TEXT_MAX];           /* "STAT items:1:number ": all that goes before the value */
    size_t len;                         /* of the text */
    struct snapshot_builder_entry stat; /* row, number and command */
    bool is_number;                     /* the form takes any whole number */
    char again
        [WORD]; /* a short value, with the end of its line, that was found good before; for other forms */
    size_t again_len;          /* 0 for none */
    struct plan_line *next[2]; /* the newer one first */
};

/* Slots of the index, by open addressing. A power of two. */
#define SLOTS (2 * PLAN_LINES_MAX)

static struct {
    struct plan_line starts[COMMAND_COUNT];
    struct plan_line lines[PLAN_LINES_MAX];
    size_t count;
    uint16_t slots[SLOTS]; /* lines by command and text, counted from 1; 0 is a free slot */
} plan;

/* Where no line is expected. It has no good value, so that it is never kept, even if the input is like it. */
static struct plan_line no_line = {.len = PLAN_TEXT_MIN};

static void reset_place(struct plan_line *line)
{
    line->next[0] = line->next[1] = &no_line;
}

/* Sessions may still be at places of old: those lead nowhere then. */
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

/*
 * `text` has PLAN_TEXT_MAX bytes. The last words of the line may overlap those before them; they are the
 * first to differ.
 */
static inline bool begins_like(const char *text, const struct plan_line *line)
{
    size_t last = line->len - WORD;
    if (word_differs(text, line->text, last)) return false;
    uint64_t differs = word_differs(text, line->text, 0);
    if (last <= WORD) return !differs;
    differs |= word_differs(text, line->text, WORD) | word_differs(text, line->text, last - WORD);
    for (size_t at = 2 * WORD; at + WORD < last; at += WORD) differs |= word_differs(text, line->text, at);
    return !differs;
}

/* The line that the input begins with, if it is expected. */
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

/* The slot of the line that begins with these `len` bytes of `text`, or the free one where it would stand. */
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

/* A line that is known and was not expected: next time it is. */
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

/* So many bytes are read, and written, at once: more than a number of 64 bits and the end of a line have. */
#define AHEAD 24

/* Numbers of so many digits fit 64 bits, whatever they are. */
#define SAFE_DIGITS 19

/* How many digits a value has that is a whole number and nothing else; 0 for any other. */
static inline size_t number_length(const char *value)
{
    size_t len = digits_count(value);
    if (len == 8) len += digits_count(value + 8);
    if (len == 16) len += digits_count(value + 16);
    return len <= SAFE_DIGITS && value[len] == '\r' && value[len + 1] == '\n' ? len : 0;
}

/* The length of a value that need not be judged: a number, or what the server said before. Else 0. */
static inline size_t good_length(const struct plan_line *line, const char *value)
{
    if (line->is_number) return number_length(value);
    bool is_same = line->again_len && memcmp(value, line->again, line->again_len) == 0;
    return is_same ? line->again_len - strlen("\r\n") : 0;
}

/* Of a value that the builder has kept. */
static void note_good_value(struct plan_line *line, struct slice value)
{
    line->again_len = 0;
    if (value.len + strlen("\r\n") > WORD) return;
    char *end = slice_put(slice_put(line->again, value), SLICE("\r\n"));
    line->again_len = (size_t) (end - line->again);
}

/* Near the end of the input: the line that it begins with, if that is expected. */
static struct plan_line *last_line(const struct plan_line *place, struct slice input)
{
    char text[PLAN_TEXT_MAX] = {0};
    slice_put(text, (struct slice){input.data, input.len < sizeof(text) ? input.len : sizeof(text)});
    struct plan_line *line = expected_line(place, text);
    return line->len <= input.len ? line : &no_line;
}

/*
 * Keeps the lines that are known and have a good value, as nearly all do, as long as nothing has to be looked
 * after: the end of the input and of the builder's memory are far. Returns the next line if it is known.
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
