/* A call of options_parse and checks of its result, for the tests of options. */
#ifndef SUPPORT_PARSED_OPTIONS_H
#define SUPPORT_PARSED_OPTIONS_H

#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX   "MEMCACHED_FLEET_EXPORTER_"
#define ARGS_MAX 6

/* Result of a call of options_parse. */
struct outcome {
    struct options options;
    struct buffer text;
    enum options_outcome code;
};

/* Calls options_parse. Both lists end with NULL. `arguments` has no argv[0]. */
static inline void parse(struct outcome *outcome, const char *const *arguments,
                         const char *const *environment)
{
    char *argv[ARGS_MAX + 2] = {(char *) "program"};
    for (size_t i = 0; arguments[i]; i++) argv[i + 1] = (char *) arguments[i];
    buffer_init(&outcome->text, OPTIONS_TEXT_MAX);
    outcome->code = options_parse(&outcome->options, argv, (char *const *) environment, &outcome->text);
    assert_false(outcome->text.failed);
}

static inline void release(struct outcome *outcome)
{
    options_deinit(&outcome->options);
    buffer_deinit(&outcome->text);
}

#define ARGUMENTS(...)   ((const char *const[ARGS_MAX + 1]){__VA_ARGS__})
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ENVIRONMENT   ((const char *const[]){NULL})

static inline void assert_text(const struct buffer *text, const char *expected)
{
    char *copy = strndup(text->data ? text->data : "", text->len);
    assert_non_null(copy);
    assert_string_equal(copy, expected);
    free(copy);
}

static inline void assert_runs(const struct outcome *outcome)
{
    assert_text(&outcome->text, "");
    assert_int_equal(outcome->code, OPTIONS_RUN);
}

/*
 * Writes the environment variable for a flag: "MEMCACHED_FLEET_EXPORTER_LOG_LEVEL=info" for "log.level" and
 * "info".
 */
static inline void variable_of(const char *flag, const char *value, char *out, size_t size)
{
    int len = snprintf(out, size, PREFIX "%s=", flag);
    for (char *c = out; *c; c++) {
        if (*c >= 'a' && *c <= 'z') *c = (char) (*c - 'a' + 'A');
        if (*c == '.' || *c == '-') *c = '_';
    }
    snprintf(out + len, size - (size_t) len, "%s", value);
}

#endif
