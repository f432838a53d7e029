#include "memcached/snapshot_builder.h"

#include "base/array.h"
#include "base/number.h"
#include "memcached/name_set.h"
#include "memcached/value.h"

#include <stdlib.h>
#include <string.h>

/* First allocation. A current memcached sends some 370 lines that become samples, with some 2,000 digits. */
#define FIRST_ENTRIES 512
#define FIRST_TEXT    4096

/*
 * Most bytes of text. Sums of values with the same name are appended after the lines, and may take as much
 * room.
 */
#define TEXT_CAP (2 * SNAPSHOT_TEXT_MAX + SLICE_BLOCK)

void snapshot_builder_init(struct snapshot_builder *builder, size_t max_reply)
{
    *builder = (struct snapshot_builder){.max_reply = max_reply};
    buffer_init(&builder->text, TEXT_CAP);
}

void snapshot_builder_deinit(struct snapshot_builder *builder)
{
    buffer_deinit(&builder->text);
    free(builder->entries);
    builder->entries = NULL;
    builder->count = builder->size = 0;
}

/* --- Filling --- */

/* Bytes of the shortest stat lines. */
#define LINE_MIN 16

static size_t max_entries(const struct snapshot_builder *builder)
{
    size_t lines = builder->max_reply / LINE_MIN + FIRST_ENTRIES;
    return lines < SNAPSHOT_SERIES_MAX ? lines : SNAPSHOT_SERIES_MAX;
}

static size_t max_text(const struct snapshot_builder *builder)
{
    return builder->max_reply < SNAPSHOT_TEXT_MAX ? builder->max_reply : SNAPSHOT_TEXT_MAX;
}

/* Appends the name that becomes a label. Returns false if out of memory or if the name is too long. */
static bool append_name(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                        struct slice key)
{
    size_t start = builder->text.len;
    if (stats_is_unmapped(entry->row))
        name_append(&builder->text, key);
    else if (stats_traits(entry->row)->scope == SCOPE_NAME)
        name_append(&builder->text, slice_from(key, strlen(stats_row(entry->row)->key)));
    entry->key_len = (uint16_t) (builder->text.len - start);
    return builder->text.len - start <= UINT16_MAX;
}

/*
 * Appends the text of `entry`, which is at the end of the entries, and keeps the entry if its text fits. Of a
 * known stat, the value becomes the sample's number. Returns false if out of memory.
 */
static bool append_entry(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                         struct slice key, struct slice value)
{
    struct buffer *text = &builder->text;
    entry->text = (uint32_t) text->len;
    if (!append_name(builder, entry, key) || value.len > UINT16_MAX) return false;
    if (text->len + value.len > max_text(builder)) {
        text->len = entry->text;
        builder->cut++;
        return true;
    }
    if (!buffer_reserve(text, value.len + VALUE_GROWTH + SLICE_BLOCK)) return false;
    size_t start = text->len;
    if (stats_is_unmapped(entry->row))
        buffer_append_slice(text, value);
    else
        value_append_number(text, (enum stat_form) stats_traits(entry->row)->form, value);
    entry->value_len = (uint16_t) (text->len - start);
    builder->count++;
    return true;
}

void snapshot_builder_remark(struct snapshot_builder *builder, enum remark_kind kind, unsigned command,
                             struct slice key)
{
    struct snapshot_remark *remark = &builder->remark;
    if (remark->kind >= kind) return;
    *remark = (struct snapshot_remark){.kind = (uint8_t) kind, .command = (uint8_t) command};
    memcpy(remark->key, key.data, key.len < sizeof(remark->key) ? key.len : sizeof(remark->key) - 1);
}

void snapshot_builder_reject(struct snapshot_builder *builder, enum command command, struct slice key)
{
    builder->parse_errors++;
    snapshot_builder_remark(builder, REMARK_UNREADABLE, command, key);
}

static bool append_unmapped(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                            struct slice key, struct slice value)
{
    bool on;
    if (value_read_switch(value, &on)) {
        value = on ? SLICE("1") : SLICE("0");
    } else if (!number_is_decimal(value)) {
        if (value_judge(FORM_TEXT, value) != VALUE_KEEP) return true;
        entry->row = STAT_UNMAPPED_TEXT;
    }
    if (value.len > UNMAPPED_TEXT_MAX) {
        builder->cut++;
        return true;
    }
    if (builder->unmapped == max_entries(builder) / 2) {
        builder->cut++;
        return true;
    }
    builder->unmapped++;
    return append_entry(builder, entry, key, value);
}

/*
 * Reserves memory for one more entry. Returns false if out of memory. If the limit is reached, counts the
 * line in `cut` and sets `has_room` to false.
 */
static bool reserve_entry(struct snapshot_builder *builder, bool *has_room)
{
    size_t most = max_entries(builder);
    *has_room = builder->count < builder->size || builder->size < most || builder->size == 0;
    if (!*has_room) builder->cut++;
    if (builder->size == 0 && !buffer_reserve(&builder->text, FIRST_TEXT)) return false;
    return !*has_room ||
           array_reserve(&builder->entries, builder->count, &builder->size, FIRST_ENTRIES, most);
}

/* Adds a line of a known stat. An entry must be reserved. */
static bool add_known(struct snapshot_builder *builder, const struct snapshot_builder_entry *stat,
                      struct slice key, struct slice value)
{
    struct snapshot_builder_entry *entry = &builder->entries[builder->count];
    switch (value_judge(stats_traits(stat->row)->form, value)) {
    case VALUE_KEEP:
        *entry = *stat;
        return append_entry(builder, entry, key, value);
    case VALUE_WRONG:
        snapshot_builder_reject(builder, (enum command) stat->command, key);
        break;
    case VALUE_ABSENT:
        break;
    }
    return true;
}

bool snapshot_builder_add_value(struct snapshot_builder *builder, const struct snapshot_builder_entry *stat,
                                struct slice key, struct slice value)
{
    bool has_room;
    if (!reserve_entry(builder, &has_room)) return false;
    return !has_room || add_known(builder, stat, key, value);
}

bool snapshot_builder_add(struct snapshot_builder *builder, enum command command, struct slice key,
                          struct slice value)
{
    struct snapshot_builder_entry *stat = &builder->last;
    bool has_room;
    *stat = (struct snapshot_builder_entry){.row = STAT_UNMAPPED, .command = (uint8_t) command};
    if (!reserve_entry(builder, &has_room)) return false;
    if (!has_room) return true;
    stat->row = stats_find(command, key, &stat->number);
    if (stat->row != STAT_UNMAPPED) {
        stat->is_plain = stats_traits(stat->row)->plain;
        return add_known(builder, stat, key, value);
    }
    struct snapshot_builder_entry *entry = &builder->entries[builder->count];
    *entry = *stat;
    return append_unmapped(builder, entry, key, value);
}

void snapshot_builder_drop(struct snapshot_builder *builder, enum command command)
{
    size_t kept = 0;
    for (size_t i = 0; i < builder->count; i++) {
        if (builder->entries[i].command != command) builder->entries[kept++] = builder->entries[i];
    }
    builder->count = kept;
}

bool snapshot_builder_copy(struct snapshot_builder *copy, const struct snapshot_builder *original)
{
    copy->parse_errors = original->parse_errors;
    copy->cut = original->cut;
    copy->remark = original->remark;
    if (!buffer_reserve(&copy->text, original->text.len + SLICE_BLOCK)) return false;
    buffer_append_slice(&copy->text, buffer_slice(&original->text));
    if (original->count == 0) return true;

    copy->entries = malloc(original->count * sizeof(copy->entries[0]));
    if (!copy->entries) return false;
    memcpy(copy->entries, original->entries, original->count * sizeof(copy->entries[0]));
    copy->count = copy->size = original->count;
    return true;
}
