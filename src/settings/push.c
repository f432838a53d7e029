#include "settings/push.h"

#include "base/duration.h"
#include "base/utf8.h"
#include "base/version.h"

#include <stdlib.h>
#include <uv.h>

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

/* "label=value" to its two parts. */
static int split_label(struct push_options *push, const char *item, const char **setting,
                       struct buffer *reason)
{
    char *text = push->texts[push->count] = strdup(item);
    if (!text) return UV_ENOMEM;
    char *equals = strchr(text, '=');
    if (!equals) {
        *setting = "grouping";
        buffer_append_char(reason, '"');
        utf8_append_escaped(reason, slice_of(item));
        buffer_append_string(reason, "\": expected label=value");
    } else {
        *equals = '\0';
        push->labels[push->count] = (struct push_label){text, equals + 1};
    }
    push->count++;
    return equals ? 0 : UV_EINVAL;
}

static int split_labels(struct push_options *push, const struct string_list *list, const char **setting,
                        struct buffer *reason)
{
    int result = 0;
    push->labels = calloc(list->count + 1, sizeof(push->labels[0]));
    push->texts = calloc(list->count + 1, sizeof(push->texts[0]));
    if (!push->labels || !push->texts) return UV_ENOMEM;
    for (size_t n = 0; n < list->count && result == 0; n++) {
        result = split_label(push, list->items[n], setting, reason);
    }
    return result;
}

int push_options_make(struct push_options *push, const struct options *options, const char **setting,
                      struct buffer *reason)
{
    *push = (struct push_options){0};
    *setting = NULL;
    int result = split_labels(push, &options->push_grouping, setting, reason);
    if (result < 0) return result;
    push->config = (struct push_config){
        .url = options->push_url,
        .job = options->push_job,
        .grouping = push->labels,
        .count = push->count,
        .post = options->push_post,
        .delete_on_exit = options->push_delete_on_exit,
        .interval_ms = duration_to_ms(options->push_interval_ns),
        .timeout_ms = duration_to_ms(options->push_timeout_ns),
        .username = or_null(options->push_username),
        .password_file = or_null(options->push_password_file),
        .ca_file = or_null(options->push_ca_file),
        .cert_file = or_null(options->push_cert_file),
        .key_file = or_null(options->push_key_file),
        .content_type = CONTENT_TYPE,
        .user_agent = PROGRAM_NAME,
    };
    buffer_append_string(reason, "expected ");
    return push_config_check(&push->config, setting, reason);
}

void push_options_deinit(struct push_options *push)
{
    for (size_t n = 0; n < push->count; n++) free(push->texts[n]);
    free(push->texts);
    free(push->labels);
    *push = (struct push_options){0};
}
