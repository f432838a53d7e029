#include "cli/flags.h"

#include "base/container.h"
#include "base/duration.h"
#include "base/label_name.h"
#include "base/number.h"
#include "memcached/protocol.h"
#include "memcached/stats.h"
#include "net/policy_rule.h"

#include <stdlib.h>

/* Limits of values. Larger values are probably typos, and their sums could overflow. */
#define LARGEST_COUNT  1000000
#define LARGEST_REPLY  (UINT64_C(1) << 30)
#define LARGEST_MEMORY (UINT64_C(1) << 50)

const char flag_out_of_memory[] = "more memory";

static bool is_one_of(struct slice text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(text, words[i])) return true;
    }
    return false;
}

static bool parse_switch(struct slice text, bool *on)
{
    /* As Go reads them, since templates write True or t, and what people type. */
    static const char *const yes[] = {"true", "1", "True", "TRUE", "t", "T", "yes"};
    static const char *const no[] = {"false", "0", "False", "FALSE", "f", "F", "no"};
    *on = is_one_of(text, yes, ARRAY_LEN(yes));
    return *on || is_one_of(text, no, ARRAY_LEN(no));
}

static const char *read_switch(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return parse_switch(text, place) ? NULL : "true or false";
}

static const char *read_collector(const struct flag *flag, void *place, struct slice text)
{
    bool on;
    unsigned *collectors = place;
    if (!parse_switch(text, &on)) return "true or false";
    *collectors |= COMMAND_BIT(COMMAND_STATS);
    if (on) *collectors |= flag->bit;
    return NULL;
}

static bool same_collector(const struct flag *flag, const void *a, const void *b)
{
    const unsigned *commands_a = a, *commands_b = b;
    return (*commands_a & flag->bit) == (*commands_b & flag->bit);
}

static const char *read_string(const struct flag *flag, void *place, struct slice text)
{
    const char **string = place;
    (void) flag;
    *string = strndup(text.len ? text.data : "", text.len);
    return *string ? NULL : flag_out_of_memory;
}

static void release_string(void *place)
{
    const char **string = place;
    free((void *) *string);
}

static bool same_string(const struct flag *flag, const void *a, const void *b)
{
    const char *const *string_a = a, *const *string_b = b;
    (void) flag;
    return strcmp(*string_a, *string_b) == 0;
}

/* Fixed routes. A configured path must not hide them. */
static const char *const fixed_paths[] = {"/",          "/probe",   "/sd",      "/hotkeys",
                                          "/-/healthy", "/-/ready", "/-/reload"};

static const char *read_path(const struct flag *flag, void *place, struct slice text)
{
    if (!slice_starts(text, "/")) return "a path that begins with /";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char) text.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("?#%", c)) return "a path without blanks, ?, # and %";
    }
    if (is_one_of(text, fixed_paths, ARRAY_LEN(fixed_paths)))
        return "a path other than /, /probe, /sd, /hotkeys, /-/healthy, /-/ready and /-/reload";
    return read_string(flag, place, text);
}

/* Labels that metric families already use. A test compares this list with the families. */
const char *const flag_taken_labels[] = {
    "backend", "collector", "command", "le",      "listener", "lru",  "memcached_target_state",
    "name",    "page",      "prefix",  "queue",   "setting",  "slab", "stat",
    "state",   "status",    "value",   "version", NULL,
};

/* Those of its own metrics, by which a push may not be grouped. The same test compares. */
const char *const flag_own_labels[] = {
    "branch", "code",     "compiler", "goarch",    "goos",   "goversion", "group",    "handler",
    "hash",   "kind",     "layer",    "operation", "output", "part",      "quantile", "reason",
    "result", "revision", "rule",     "source",    "tags",   NULL,
};

bool options_label_of_exporter(struct slice name)
{
    return is_one_of(name, flag_own_labels, ARRAY_LEN(flag_own_labels) - 1);
}

bool options_label_reserved(struct slice name)
{
    return is_one_of(name, flag_taken_labels, ARRAY_LEN(flag_taken_labels) - 1);
}

static const char *read_path_or_root(const struct flag *flag, void *place, struct slice text)
{
    return slice_is(text, "/") ? read_string(flag, place, text) : read_path(flag, place, text);
}

static const char *read_label(const struct flag *flag, void *place, struct slice text)
{
    if (!label_name_is_valid(text))
        return "a label name of letters, digits and _, not beginning with a digit or __";
    if (options_label_reserved(text)) return "a label name that no metric uses already";
    return read_string(flag, place, text);
}

static const char *add_item(void *place, struct slice item)
{
    struct string_list *list = place;
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items) return flag_out_of_memory;
    list->items = items;
    items[list->count] = strndup(item.data, item.len);
    if (!items[list->count]) return flag_out_of_memory;
    list->count++;
    return NULL;
}

/*
 * Reads items separated by commas, or no items. `add` adds one item. Both functions return NULL, or what was
 * expected.
 */
static const char *read_items(void *place, struct slice text, const char *expected,
                              const char *(*add)(void *place, struct slice item))
{
    const char *wrong = NULL;
    if (slice_trim(text).len == 0) return NULL;
    while (text.data && !wrong) {
        struct slice item = slice_trim(slice_cut(&text, ','));
        wrong = item.len ? add(place, item) : expected;
    }
    return wrong;
}

static const char *read_list(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return read_items(place, text, "addresses with one comma between them", add_item);
}

static const char *read_filled_list(const struct flag *flag, void *place, struct slice text)
{
    if (slice_trim(text).len == 0) return "an address such as :9150 or [::1]:9150";
    return read_list(flag, place, text);
}

static const char *add_rule(void *place, struct slice item)
{
    struct policy_rule rule;
    const char *expected = policy_rule_parse(&rule, item);
    return expected ? expected : add_item(place, item);
}

static const char *read_rules(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return read_items(place, text, "rules with one comma between them", add_rule);
}

static void release_list(void *place)
{
    struct string_list *list = place;
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
}

static bool same_list(const struct flag *flag, const void *a, const void *b)
{
    const struct string_list *list_a = a, *list_b = b;
    (void) flag;
    bool same = list_a->count == list_b->count;
    for (size_t i = 0; same && i < list_a->count; i++) same = strcmp(list_a->items[i], list_b->items[i]) == 0;
    return same;
}

/* Adds a label. One allocation holds name and value; `name` owns it. */
static const char *add_label(void *place, struct slice item)
{
    struct push_labels *labels = place;
    if (!memchr(item.data, '=', item.len)) return "label=value";
    struct push_label *items = realloc(labels->items, (labels->count + 1) * sizeof(*items));
    if (!items) return flag_out_of_memory;
    labels->items = items;
    char *name = strndup(item.data, item.len);
    if (!name) return flag_out_of_memory;
    char *equals = strchr(name, '=');
    *equals = '\0';
    items[labels->count++] = (struct push_label){name, equals + 1};
    return NULL;
}

static const char *read_labels(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return read_items(place, text, "label=value", add_label);
}

static void release_labels(void *place)
{
    struct push_labels *labels = place;
    for (size_t i = 0; i < labels->count; i++) free((void *) labels->items[i].name);
    free(labels->items);
}

static bool same_labels(const struct flag *flag, const void *a, const void *b)
{
    const struct push_labels *labels_a = a, *labels_b = b;
    (void) flag;
    bool same = labels_a->count == labels_b->count;
    for (size_t i = 0; same && i < labels_a->count; i++) {
        const struct push_label *label_a = &labels_a->items[i], *label_b = &labels_b->items[i];
        same = strcmp(label_a->name, label_b->name) == 0 && strcmp(label_a->value, label_b->value) == 0;
    }
    return same;
}

static const char *read_duration(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return duration_parse(text, place) ? NULL : "a duration such as 250ms, 1s or 1m30s";
}

static const char *read_positive_duration(const struct flag *flag, void *place, struct slice text)
{
    uint64_t *nanoseconds = place;
    const char *expected = read_duration(flag, place, text);
    if (expected) return expected;
    return *nanoseconds > 0 ? NULL : "a duration above 0";
}

static const char *read_count(const struct flag *flag, void *place, struct slice text)
{
    uint64_t value;
    unsigned *count = place;
    (void) flag;
    if (!number_parse_u64(text, &value) || value < 1 || value > LARGEST_COUNT)
        return "a whole number from 1 to 1000000";
    *count = (unsigned) value;
    return NULL;
}

/* As in Prometheus, KB is 1,024 bytes, the same as KiB. */
static bool read_size(struct slice text, uint64_t largest, uint64_t *bytes)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0},    {"B", 0},    {"KB", 10},  {"MB", 20},
                 {"GB", 30}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    uint64_t value;
    struct slice digits = text;

    digits.len = 0;
    while (digits.len < text.len && text.data[digits.len] >= '0' && text.data[digits.len] <= '9')
        digits.len++;
    if (!number_parse_u64(digits, &value) || value < 1) return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!slice_is(slice_from(text, digits.len), units[i].name)) continue;
        *bytes = value << units[i].shift;
        return value <= largest >> units[i].shift;
    }
    return false;
}

static const char *read_bytes(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return read_size(text, LARGEST_REPLY, place) ? NULL
                                                 : "a size from 1 to 1GiB such as 65536, 512KiB or 4MiB";
}

static const char *read_memory(const struct flag *flag, void *place, struct slice text)
{
    uint64_t *bytes = place;
    (void) flag;
    if (slice_is(text, "auto")) {
        *bytes = 0;
        return NULL;
    }
    return read_size(text, LARGEST_MEMORY, bytes) ? NULL : "auto, or a size such as 512MiB or 4GiB";
}

static const char *read_shard(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return shard_parse(place, text);
}

static const char *read_log_level(const struct flag *flag, void *place, struct slice text)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    enum log_level *level = place;
    (void) flag;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!slice_is_nocase(text, names[i])) continue;
        *level = (enum log_level) i;
        return NULL;
    }
    return "debug, info, warn or error";
}

static const char *read_log_format(const struct flag *flag, void *place, struct slice text)
{
    enum log_format *format = place;
    (void) flag;
    if (!slice_is(text, "logfmt") && !slice_is(text, "json")) return "logfmt or json";
    *format = slice_is(text, "json") ? LOG_JSON : LOG_LOGFMT;
    return NULL;
}

static const char *read_protocol(const struct flag *flag, void *place, struct slice text)
{
    (void) flag;
    return protocol_choice_parse(text, place) ? NULL : PROTOCOL_CHOICES;
}

static const char *read_push_method(const struct flag *flag, void *place, struct slice text)
{
    bool *post = place;
    (void) flag;
    if (!slice_is(text, "put") && !slice_is(text, "post")) return "put or post";
    *post = slice_is(text, "post");
    return NULL;
}

/* node_exporter reads only files with this ending, and no hidden files. */
const char *options_check_textfile(struct slice path)
{
    const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
    struct slice name = slash ? slice_from(path, (size_t) (slash - path.data) + 1) : path;
    if (slice_starts(name, ".") || name.len <= 5 || !slice_is(slice_from(name, name.len - 5), ".prom"))
        return "a file whose name ends in .prom and does not begin with a dot";
    return NULL;
}

static const char *read_prom_file(const struct flag *flag, void *place, struct slice text)
{
    const char *expected = text.len ? options_check_textfile(text) : NULL;
    return expected ? expected : read_string(flag, place, text);
}

/* --- The types --- */

#define VALUE_TYPE(name, type)                                                                               \
    const struct flag_type flag_##name = {.shape = FLAG_VALUE, .read = read_##name, .size = sizeof(type)}
#define STRING_TYPE(name)                                                                                    \
    const struct flag_type flag_##name = {                                                                   \
        .shape = FLAG_STRING, .read = read_##name, .release = release_string, .same = same_string}
#define LIST_TYPE(name, of)                                                                                  \
    const struct flag_type flag_##name = {                                                                   \
        .shape = FLAG_LIST, .read = read_##name, .release = release_##of, .same = same_##of}

const struct flag_type flag_action = {.shape = FLAG_ACTION};
const struct flag_type flag_switch = {.shape = FLAG_SWITCH, .read = read_switch, .size = sizeof(bool)};
const struct flag_type flag_collector = {
    .shape = FLAG_SWITCH, .read = read_collector, .same = same_collector};
STRING_TYPE(string);
STRING_TYPE(path);
STRING_TYPE(path_or_root);
STRING_TYPE(label);
STRING_TYPE(prom_file);
LIST_TYPE(list, list);
LIST_TYPE(filled_list, list);
LIST_TYPE(rules, list);
LIST_TYPE(labels, labels);
VALUE_TYPE(duration, uint64_t);
VALUE_TYPE(positive_duration, uint64_t);
VALUE_TYPE(count, unsigned);
VALUE_TYPE(bytes, uint64_t);
VALUE_TYPE(memory, uint64_t);
VALUE_TYPE(shard, struct shard);
VALUE_TYPE(log_level, enum log_level);
VALUE_TYPE(log_format, enum log_format);
VALUE_TYPE(protocol, enum protocol_choice);
VALUE_TYPE(push_method, bool);
