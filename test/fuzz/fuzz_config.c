/*
 * Configuration files, and any YAML. A file that is refused has one line that says why; a file that is
 * accepted can be printed.
 */
#include "config/config.h"
#include "document/document.h"
#include "fault.h"
#include "memcached/stats.h"
#include "target.h"

#include <string.h>

static bool is_reserved(struct slice name)
{
    return slice_is(name, "slab") || slice_is(name, "command");
}

static const char *check_textfile(struct slice path)
{
    return path.len > 5 ? NULL : "a longer path";
}

static const struct config_rules rules = {
    .timeout_ns = 1000000000,
    .collectors = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS),
    .target_label = "instance",
    .shard = {0, 0},
    .textfile = "",
    .textfile_interval_ns = 15000000000,
    .push = {.url = "", .job = "memcached", .interval_ns = 1000000000, .timeout_ns = 1000000000},
    .label_reserved = is_reserved,
    .check_textfile = check_textfile,
};

/* One line, with text, without control characters. */
static void check_error(int result, const struct buffer *error)
{
    expect(!error->failed && error->len > 0 && result < 0);
    for (size_t n = 0; n < error->len; n++) expect((unsigned char) error->data[n] >= ' ');
}

static void read_document(struct slice text, enum document_aliases aliases)
{
    struct document document;
    struct buffer error;
    buffer_init(&error, 64 * 1024);
    int result = document_read_yaml(&document, text, aliases, &error);
    if (result < 0) check_error(result, &error);
    document_deinit(&document);
    buffer_deinit(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *) data, size};
    struct config config;
    struct buffer error, print;
    buffer_init(&error, 64 * 1024);
    buffer_init(&print, 16 * 1024 * 1024);
    int result = config_read(&config, "/etc/exporter.yml", text, &rules, &error);
    if (result < 0)
        check_error(result, &error);
    else
        config_print(&config, &print);
    config_deinit(&config);
    buffer_deinit(&error);
    buffer_deinit(&print);
    read_document(text, DOCUMENT_ALIASES);
    read_document(text, DOCUMENT_NO_ALIASES);
    return 0;
}
