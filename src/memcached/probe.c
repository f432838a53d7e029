#include "memcached/probe.h"

#include "base/container.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Seconds that the key lives if it is not deleted. */
#define KEY_TTL_S 60

/* The longest answer: VALUE with the key, and the key again as data. A longer one is wrong. */
#define ANSWER_MAX 512

const char *probe_operation_name(enum probe_operation operation)
{
    static const char *const names[PROBE_OPERATIONS] = {"mn", "set", "get", "delete"};
    return names[operation];
}

void probe_write_key(char key[PROBE_KEY_MAX], uint64_t number)
{
    snprintf(key, PROBE_KEY_MAX, "memcached_fleet_exporter:probe:%016" PRIx64, number);
}

void probe_init(struct probe *probe, const char *key, unsigned operations)
{
    *probe = (struct probe){.key = key, .left = operations};
}

enum probe_operation probe_next(const struct probe *probe)
{
    enum probe_operation operation = PROBE_MN;
    while (operation < PROBE_OPERATIONS && !(probe->left & PROBE_BIT(operation))) operation++;
    return operation;
}

/* The value of the key is the key itself. */
size_t probe_ask(const struct probe *probe, char request[PROBE_REQUEST_MAX])
{
    int len = 0;
    switch (probe_next(probe)) {
    case PROBE_MN:
        len = snprintf(request, PROBE_REQUEST_MAX, "mn\r\n");
        break;
    case PROBE_SET:
        len = snprintf(request, PROBE_REQUEST_MAX, "set %s 0 %d %zu\r\n%s\r\n", probe->key, KEY_TTL_S,
                       strlen(probe->key), probe->key);
        break;
    case PROBE_GET:
        len = snprintf(request, PROBE_REQUEST_MAX, "get %s\r\n", probe->key);
        break;
    case PROBE_DELETE:
        len = snprintf(request, PROBE_REQUEST_MAX, "delete %s\r\n", probe->key);
        break;
    case PROBE_OPERATIONS:
        break;
    }
    return (size_t) len;
}

/* --- Answers --- */

/* Writes the answer that the operation must have. Returns it as a slice of `text`. */
static struct slice right_answer(const struct probe *probe, enum probe_operation operation,
                                 char text[ANSWER_MAX])
{
    static const char *const words[PROBE_OPERATIONS] = {
        [PROBE_MN] = "MN\r\n", [PROBE_SET] = "STORED\r\n", [PROBE_DELETE] = "DELETED\r\n"};
    if (operation == PROBE_GET)
        snprintf(text, ANSWER_MAX, "VALUE %s 0 %zu\r\n%s\r\nEND\r\n", probe->key, strlen(probe->key),
                 probe->key);
    else
        snprintf(text, ANSWER_MAX, "%s", words[operation]);
    return slice_of(text);
}

/* What an error of a server has in it that takes the operation and fails at it. */
static const char *const failures[] = {"out of memory", "backend", "failure", "timeout", "timed out"};

static bool is_error(struct slice line)
{
    return slice_starts(line, "ERROR") || slice_starts(line, "CLIENT_ERROR") ||
           slice_starts(line, "SERVER_ERROR");
}

/* Returns true if the line says that the server does not take the operation. */
static bool is_refusal(struct slice line)
{
    if (!is_error(line)) return false;
    for (size_t n = 0; n < ARRAY_LEN(failures); n++) {
        if (memmem(line.data, line.len, failures[n], strlen(failures[n]))) return false;
    }
    return true;
}

/* Handles a line that is not the right answer. */
static enum probe_status judge_line(struct probe *probe, enum probe_operation operation, struct slice line)
{
    bool refused = is_refusal(line);
    probe->failed |= !refused;
    if (refused) probe->refused |= operation == PROBE_MN ? PROBE_BIT(PROBE_MN) : PROBE_STORE;
    if (refused && operation == PROBE_MN) {
        probe->left &= ~PROBE_BIT(PROBE_MN);
        return PROBE_PASSED_OVER;
    }
    probe->left = 0;
    return PROBE_STOPPED;
}

enum probe_status probe_take(struct probe *probe, struct slice *input)
{
    char text[ANSWER_MAX];
    enum probe_operation operation = probe_next(probe);
    struct slice right = right_answer(probe, operation, text);
    size_t same = input->len < right.len ? input->len : right.len;
    if (memcmp(input->data, right.data, same) == 0) {
        if (same < right.len) return PROBE_WAITS;
        *input = slice_from(*input, right.len);
        probe->left &= ~PROBE_BIT(operation);
        return PROBE_ANSWERED;
    }
    const char *end = memchr(input->data, '\n', input->len);
    if (!end && input->len < ANSWER_MAX) return PROBE_WAITS;
    struct slice line = {input->data, end ? (size_t) (end - input->data) + 1 : input->len};
    *input = slice_from(*input, line.len);
    return judge_line(probe, operation, line);
}
