#include "memcached/draft.h"

#include "base/number.h"
#include "memcached/names.h"
#include "memcached/value.h"

#include <stdlib.h>
#include <string.h>

/* A server of today says some 370 lines that become samples. */
#define FIRST_ENTRIES 256

void draft_init(struct draft *draft, size_t text_cap)
{
    *draft = (struct draft){.last_row = STAT_UNMAPPED};
    /* Entries find their text by an offset of 32 bits. */
    buffer_init(&draft->text, text_cap < UINT32_MAX ? text_cap : UINT32_MAX);
}

void draft_deinit(struct draft *draft)
{
    buffer_deinit(&draft->text);
    free(draft->entries);
    draft->entries = NULL;
    draft->count = draft->size = 0;
}

/* --- Filling --- */

static bool make_room(struct draft *draft)
{
    if (draft->count < draft->size) return true;
    size_t size = draft->size ? 2 * draft->size : FIRST_ENTRIES;
    struct draft_entry *entries = realloc(draft->entries, size * sizeof(entries[0]));
    if (!entries) return false;
    draft->entries = entries;
    draft->size = size;
    return true;
}

/* The name that becomes a label; false when it is too long. */
static bool append_name(struct draft *draft, struct draft_entry *entry, struct slice key)
{
    size_t start = draft->text.len;
    if (entry->row == STAT_UNMAPPED)
        name_append(&draft->text, key);
    else if (stats_traits(entry->row)->scope == SCOPE_NAME)
        name_append(&draft->text, slice_from(key, strlen(stats_row(entry->row)->key)));
    entry->key_len = (uint16_t) (draft->text.len - start);
    return draft->text.len - start <= UINT16_MAX;
}

/* Completes the entry behind the last one, and keeps it. */
static bool append(struct draft *draft, struct draft_entry *entry, struct slice key, struct slice value)
{
    entry->text = (uint32_t) draft->text.len;
    if (!append_name(draft, entry, key) || value.len > UINT16_MAX) return false;
    char *at = buffer_reserve(&draft->text, value.len);
    if (!at) return false;
    memcpy(at, value.data, value.len);
    draft->text.len += value.len;
    entry->value_len = (uint16_t) value.len;
    draft->count++;
    return true;
}

bool draft_add(struct draft *draft, enum command command, struct slice key, struct slice value)
{
    if (!make_room(draft)) return false;
    struct draft_entry *entry = &draft->entries[draft->count];
    if (draft->last_command != command) draft->last_row = STAT_UNMAPPED;
    draft->last_command = (uint8_t) command;
    entry->row = stats_find_after(draft->last_row, command, key, &entry->number);
    entry->command = (uint8_t) command;
    if (entry->row == STAT_UNMAPPED) return !number_is_decimal(value) || append(draft, entry, key, value);

    draft->last_row = entry->row;
    switch (value_judge(stats_traits(entry->row)->form, value)) {
    case VALUE_KEEP:
        return append(draft, entry, key, value);
    case VALUE_WRONG:
        draft->parse_errors++;
        break;
    case VALUE_ABSENT:
        break;
    }
    return true;
}

void draft_drop(struct draft *draft, enum command command)
{
    size_t kept = 0;
    for (size_t i = 0; i < draft->count; i++) {
        if (draft->entries[i].command != command) draft->entries[kept++] = draft->entries[i];
    }
    draft->count = kept;
}

bool draft_copy(struct draft *copy, const struct draft *original)
{
    copy->parse_errors = original->parse_errors;
    buffer_append_slice(&copy->text, buffer_slice(&original->text));
    if (copy->text.failed) return false;
    if (original->count == 0) return true;

    copy->entries = malloc(original->count * sizeof(copy->entries[0]));
    if (!copy->entries) return false;
    memcpy(copy->entries, original->entries, original->count * sizeof(copy->entries[0]));
    copy->count = copy->size = original->count;
    return true;
}

/* --- Sorting --- */

/* 0 when they are the same stat. Only entries of unmapped stats and of names have a key. */
static int compare_stats(const struct draft *draft, const struct draft_entry *a, const struct draft_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->command != b->command) return a->command < b->command ? -1 : 1;
    return name_compare(draft_key(draft, a), draft_key(draft, b));
}

/* Every entry has at least one byte of text, so that the offset tells which one came first. */
static int compare_entries(const void *left, const void *right, void *draft)
{
    const struct draft_entry *a = left, *b = right;
    int order = compare_stats(draft, a, b);
    return order ? order : (a->text > b->text) - (a->text < b->text);
}

/* Where the entries of each row begin, the unmapped ones behind those of all rows. */
static void count_rows(const struct draft *draft, uint32_t starts[STAT_ROWS_MAX + 1])
{
    const unsigned rows = stats_count();
    uint32_t start = 0;
    memset(starts, 0, (rows + 1) * sizeof(starts[0]));
    for (size_t i = 0; i < draft->count; i++) {
        uint16_t row = draft->entries[i].row;
        starts[row < rows ? row : rows]++;
    }
    for (unsigned row = 0; row <= rows; row++) {
        uint32_t count = starts[row];
        starts[row] = start;
        start += count;
    }
}

/* By row, each one's entries in the order of their arrival: as many steps as there are entries. */
static bool sort_rows(struct draft *draft)
{
    const unsigned rows = stats_count();
    uint32_t places[STAT_ROWS_MAX + 1];
    struct draft_entry *sorted = malloc(draft->count * sizeof(sorted[0]));
    if (!sorted) return false;
    count_rows(draft, places);
    for (size_t i = 0; i < draft->count; i++) {
        uint16_t row = draft->entries[i].row;
        sorted[places[row < rows ? row : rows]++] = draft->entries[i];
    }
    free(draft->entries);
    draft->entries = sorted;
    draft->size = draft->count;
    return true;
}

/* The end of the row that begins there; tells whether its entries are in order. */
static size_t end_of_row(const struct draft *draft, size_t at, bool *ordered)
{
    const struct draft_entry *entry = &draft->entries[at], *end = &draft->entries[draft->count];
    *ordered = true;
    while (++entry < end && entry->row == entry[-1].row) {
        bool greater = entry->number > entry[-1].number;
        if (!greater && compare_stats(draft, entry - 1, entry) >= 0) *ordered = false;
    }
    return (size_t) (entry - draft->entries);
}

/* Adds a number to an entry of the same name, which moves to the end of the text; false if there is no room.
 */
static bool add_up(struct draft *draft, struct draft_entry *sum, const struct draft_entry *entry)
{
    uint64_t a = 0, b = 0;
    struct buffer *text = &draft->text;
    size_t start = text->len, key = sum->text;
    number_parse_u64(draft_value(draft, sum), &a);
    number_parse_u64(draft_value(draft, entry), &b);
    char *copy = buffer_reserve(text, sum->key_len);
    if (!copy) return false;
    memcpy(copy, text->data + key, sum->key_len);
    text->len += sum->key_len;
    buffer_append_u64(text, a + b);
    if (text->failed) return false;
    sum->text = (uint32_t) start;
    sum->value_len = (uint16_t) (text->len - start - sum->key_len);
    return true;
}

/* What becomes of a stat that has been given before. */
static void take_double(struct draft *draft, struct draft_entry *first, const struct draft_entry *entry)
{
    bool named = entry->row != STAT_UNMAPPED && stats_row(entry->row)->scope == SCOPE_NAME;
    if (!named || !add_up(draft, first, entry)) draft->parse_errors++;
}

/* Brings the entries of one row into order and appends them to the `kept` first ones. */
static size_t settle_row(struct draft *draft, size_t kept, size_t begin, size_t end, bool ordered)
{
    struct draft_entry *entries = draft->entries;
    size_t first = kept;
    if (!ordered) qsort_r(&entries[begin], end - begin, sizeof(entries[0]), compare_entries, draft);
    for (size_t at = begin; at < end; at++) {
        if (!ordered && kept > first && compare_stats(draft, &entries[kept - 1], &entries[at]) == 0)
            take_double(draft, &entries[kept - 1], &entries[at]);
        else
            entries[kept++] = entries[at];
    }
    return kept;
}

/*
 * Servers list slab classes in order and nothing twice, so that sorting by rows is nearly always all there is
 * to do: it takes a twentieth of the time of a comparing sort.
 */
bool draft_sort(struct draft *draft)
{
    size_t kept = 0;
    if (draft->count == 0) return true;
    if (!sort_rows(draft)) return false;
    for (size_t at = 0; at < draft->count;) {
        bool ordered;
        size_t end = end_of_row(draft, at, &ordered);
        if (ordered && kept == at)
            kept = end;
        else
            kept = settle_row(draft, kept, at, end, ordered);
        at = end;
    }
    draft->count = kept;
    return true;
}

const struct draft_entry *draft_find(const struct draft *draft, uint16_t row, uint32_t number)
{
    size_t low = 0, high = draft->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct draft_entry *entry = &draft->entries[middle];
        if (entry->row < row || (entry->row == row && entry->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    const struct draft_entry *entry = low < draft->count ? &draft->entries[low] : NULL;
    return entry && entry->row == row && entry->number == number ? entry : NULL;
}
