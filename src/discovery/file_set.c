#include "discovery/file_set.h"

#include "base/container.h"
#include "base/hash.h"
#include "discovery/sd_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define PIECE     (64 * 1024)
#define ERROR_MAX 4096

struct file_set_member {
    char *path; /* owned */
    bool good;  /* the file was accepted: `found` has its targets, `hash` is the hash of its text */
    uint64_t hash;
    struct results found;
    int64_t waits_since_ms; /* when waiting for the file to rest began, CLOCK_MONOTONIC; 0: not waiting */
};

/* --- Life --- */

static const struct {
    const char *suffix;
    enum sd_syntax syntax;
} suffixes[] = {{".json", SD_JSON}, {".yml", SD_YAML}, {".yaml", SD_YAML}};

/* Returns the index of the path's suffix in the table, or the table's length if no suffix matches. */
static size_t suffix_of(const char *path)
{
    size_t n = 0, len = strlen(path);
    while (n < ARRAY_LEN(suffixes)) {
        size_t suffix = strlen(suffixes[n].suffix);
        if (len > suffix && strcasecmp(path + len - suffix, suffixes[n].suffix) == 0) break;
        n++;
    }
    return n;
}

static int add_pattern(struct file_set *set, const char *pattern, const char *directory, struct buffer *error)
{
    struct buffer path;
    if (suffix_of(pattern) == ARRAY_LEN(suffixes)) {
        buffer_printf(error, "%s: expected a name that ends in .json, .yml or .yaml", pattern);
        return UV_EINVAL;
    }
    buffer_init(&path, SIZE_MAX);
    if (pattern[0] != '/' && directory[0]) {
        paths_escape(&path, slice_of(directory));
        if (path.len && path.data[path.len - 1] != '/') buffer_append_char(&path, '/');
    }
    buffer_append_string(&path, pattern);
    buffer_append_char(&path, '\0');
    int result = path.failed ? UV_ENOMEM : paths_add(&set->patterns, path.data);
    buffer_deinit(&path);
    return result;
}

int file_set_init(struct file_set *set, const char *const *patterns, size_t count, const char *directory,
                  struct buffer *error)
{
    int result = 0;
    *set = (struct file_set){0};
    paths_init(&set->patterns);
    for (size_t n = 0; n < count && result == 0; n++)
        result = add_pattern(set, patterns[n], directory, error);
    return result;
}

static void release_members(struct file_set_member *members, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        free(members[n].path);
        results_deinit(&members[n].found);
    }
    free(members);
}

void file_set_deinit(struct file_set *set)
{
    release_members(set->members, set->count);
    paths_deinit(&set->patterns);
}

void file_set_answer_deinit(struct file_set_answer *answer)
{
    results_deinit(&answer->found);
    buffer_deinit(&answer->error);
}

/* --- The list of files --- */

int file_set_directories(const struct file_set *set, struct paths *directories)
{
    int result = 0;
    for (size_t n = 0; n < set->patterns.count && result == 0; n++)
        result = paths_add_directories(directories, set->patterns.items[n]);
    paths_sort(directories);
    return result;
}

static int list(const struct file_set *set, struct paths *paths, struct buffer *error)
{
    int result = 0;
    for (size_t n = 0; n < set->patterns.count && result == 0; n++)
        result = paths_add_files(paths, set->patterns.items[n], error);
    paths_sort(paths);
    return result;
}

/*
 * Replaces the members by the files that exist now. Both lists are sorted, so one walk compares them. Files
 * that stay keep their targets. Moves the strings of new paths out of `paths`.
 */
static int renew_members(struct file_set *set, struct paths *paths)
{
    struct file_set_member *members = calloc(paths->count + 1, sizeof(*members));
    size_t old = 0;
    if (!members) return UV_ENOMEM;
    for (size_t n = 0; n < paths->count; n++) {
        while (old < set->count && strcmp(set->members[old].path, paths->items[n]) < 0)
            set->owes |= set->members[old++].good;
        if (old < set->count && strcmp(set->members[old].path, paths->items[n]) == 0) {
            members[n] = set->members[old];
            set->members[old++] = (struct file_set_member){0};
        } else {
            members[n].path = paths->items[n];
            paths->items[n] = NULL;
        }
    }
    while (old < set->count) set->owes |= set->members[old++].good;
    release_members(set->members, set->count);
    set->members = members;
    set->count = paths->count;
    return 0;
}

/* --- One file --- */

static int refuse_file(struct buffer *reason, const char *text)
{
    buffer_append_string(reason, text);
    return UV_EINVAL;
}

static int refuse_errno(struct buffer *reason)
{
    return errno == ENOMEM ? UV_ENOMEM : refuse_file(reason, strerror(errno));
}

static int read_text(int file, struct buffer *text, struct buffer *reason)
{
    ssize_t n = 1;
    while (n > 0 && text->len <= SD_TEXT_MAX) {
        char *at = buffer_reserve(text, PIECE);
        if (!at) return UV_ENOMEM;
        n = read(file, at, PIECE);
        if (n > 0) text->len += (size_t) n;
    }
    if (n < 0) return refuse_errno(reason);
    return text->len > SD_TEXT_MAX ? refuse_file(reason, "expected at most 16 MiB") : 0;
}

/*
 * Reads a regular file. Returns UV_ENOENT if the file does not exist. Refuses other kinds: a FIFO would
 * block.
 */
static int read_file(const char *path, struct buffer *text, struct stat *status, struct buffer *reason)
{
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno == ENOENT || errno == ENOTDIR ? UV_ENOENT : refuse_errno(reason);
    int result = fstat(file, status) == 0 ? 0 : refuse_errno(reason);
    if (result == 0 && !S_ISREG(status->st_mode)) result = refuse_file(reason, "expected a regular file");
    if (result == 0) result = read_text(file, text, reason);
    /* The second fstat sees changes that were made while the file was read. */
    if (result == 0 && fstat(file, status) < 0) result = refuse_errno(reason);
    close(file);
    return result;
}

static int64_t ms_of(struct timespec time)
{
    return (int64_t) time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return ms_of(now);
}

/*
 * Returns true if the file has not changed for FILE_SET_REST_MS, or if this has been awaited for
 * FILE_SET_PATIENCE_MS. A file time in the future counts as rested, since the clock of a file system may be
 * ahead.
 */
static bool has_rested(struct file_set_member *member, const struct stat *status)
{
    int64_t age_ms = now_ms(CLOCK_REALTIME) - ms_of(status->st_mtim), now = now_ms(CLOCK_MONOTONIC);
    if (age_ms < 0 || age_ms >= FILE_SET_REST_MS) return true;
    if (member->waits_since_ms == 0) member->waits_since_ms = now;
    return now - member->waits_since_ms >= FILE_SET_PATIENCE_MS;
}

/* Returns true if the file is blank. A blank file has no targets, whatever its syntax. */
static bool is_blank(struct slice text)
{
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.data[at]) && text.data[at]) at++;
    return at == text.len;
}

/* Parses the text, if it has changed, and stores its targets. */
static int take_text(struct file_set *set, struct file_set_member *member, struct slice text,
                     struct buffer *reason)
{
    struct results_label origin = {"__meta_filepath", member->path};
    struct results found;
    uint64_t hash = hash_fnv1a(text);
    if (member->good && member->hash == hash) return 0;
    results_init(&found);
    int result = is_blank(text)
                     ? 0
                     : sd_format_read(&found, text, suffixes[suffix_of(member->path)].syntax, origin, reason);
    if (result < 0) {
        results_deinit(&found);
        return result;
    }
    results_deinit(&member->found);
    member->found = found;
    member->hash = hash;
    member->good = set->owes = true;
    return 0;
}

/* Writes the error of the first broken file. A line and column follow the file name without a blank. */
static void note(struct file_set_answer *answer, const char *path, int result, const struct buffer *reason)
{
    if (answer->broken++ > 0) return;
    bool has_place = reason->len && reason->data[0] >= '0' && reason->data[0] <= '9';
    buffer_printf(&answer->error, "%s:%s", path, has_place ? "" : " ");
    if (result == UV_ENOMEM)
        buffer_append_string(&answer->error, "out of memory");
    else
        buffer_append_slice(&answer->error, buffer_slice(reason));
}

static void forget(struct file_set *set, struct file_set_member *member)
{
    set->owes |= member->good;
    member->good = false;
    results_deinit(&member->found);
}

/*
 * Returns true if the text may be incomplete. A part of a YAML file may be valid YAML, so a YAML file that
 * already has targets must rest. A part of a JSON file is not valid JSON, but every file is empty at first.
 */
static bool may_be_a_part(const struct file_set_member *member, struct slice text)
{
    return suffixes[suffix_of(member->path)].syntax == SD_YAML ? member->good : is_blank(text);
}

static void renew(struct file_set *set, struct file_set_member *member, struct file_set_answer *answer)
{
    struct buffer text, reason;
    struct stat status;
    buffer_init(&text, SD_TEXT_MAX + PIECE);
    buffer_init(&reason, ERROR_MAX);
    int result = read_file(member->path, &text, &status, &reason);
    if (result == UV_ENOENT) {
        forget(set, member);
    } else if (result == 0 && may_be_a_part(member, buffer_slice(&text)) && !has_rested(member, &status)) {
        answer->restless = true;
    } else {
        member->waits_since_ms = 0;
        if (result == 0) result = take_text(set, member, buffer_slice(&text), &reason);
        if (result < 0) note(answer, member->path, result, &reason);
    }
    buffer_deinit(&text);
    buffer_deinit(&reason);
}

/* --- All files --- */

static bool add_all(struct results *found, const struct results *more)
{
    bool added = true;
    for (size_t n = 0; n < more->count && added; n++) {
        const struct results_target *target = &more->targets[n];
        added = results_add(found, slice_of(target->address), target->labels, target->label_count);
    }
    if (added && more->dropped) added = results_drop(found, more->dropped_example, more->dropped);
    return added;
}

/*
 * Reports the targets of all files, if they have changed since the last report. If all files are broken,
 * reports nothing rather than an empty list.
 */
static void tell(struct file_set *set, struct file_set_answer *answer)
{
    bool complete = true;
    if (!set->answered && answer->broken == 0) set->owes = true;
    if (!set->owes) return;
    for (size_t n = 0; n < set->count && complete; n++) {
        if (set->members[n].good) complete = add_all(&answer->found, &set->members[n].found);
    }
    if (complete) {
        answer->changed = set->answered = true;
        set->owes = false;
        return;
    }
    if (answer->broken++ == 0 && answer->found.count == RESULTS_MAX)
        buffer_printf(&answer->error, "more than %d targets in all files", RESULTS_MAX);
    results_deinit(&answer->found);
}

void file_set_read(struct file_set *set, struct file_set_answer *answer)
{
    struct paths paths;
    *answer = (struct file_set_answer){0};
    results_init(&answer->found);
    buffer_init(&answer->error, ERROR_MAX);
    paths_init(&paths);
    int result = list(set, &paths, &answer->error);
    if (result == 0) result = renew_members(set, &paths);
    paths_deinit(&paths);
    for (size_t n = 0; n < set->count && result == 0; n++) renew(set, &set->members[n], answer);
    if (result < 0)
        answer->broken = 1;
    else
        tell(set, answer);
    if (answer->broken && answer->error.len == 0) buffer_append_string(&answer->error, "out of memory");
}
