#include "discovery/paths.h"

#include "base/array.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static const char special[] = "*?[\\";

void paths_init(struct paths *paths)
{
    *paths = (struct paths){0};
}

void paths_deinit(struct paths *paths)
{
    for (size_t n = 0; n < paths->count; n++) free(paths->items[n]);
    free(paths->items);
    paths_init(paths);
}

int paths_add(struct paths *paths, const char *path)
{
    if (!array_reserve(&paths->items, paths->count, &paths->size, 16, SIZE_MAX)) return UV_ENOMEM;
    char *copy = strdup(path);
    if (!copy) return UV_ENOMEM;
    paths->items[paths->count++] = copy;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

void paths_sort(struct paths *paths)
{
    size_t kept = 0;
    if (paths->count > 1) qsort(paths->items, paths->count, sizeof(*paths->items), compare);
    for (size_t n = 0; n < paths->count; n++) {
        if (kept && strcmp(paths->items[kept - 1], paths->items[n]) == 0)
            free(paths->items[n]);
        else
            paths->items[kept++] = paths->items[n];
    }
    paths->count = kept;
}

/* --- Patterns --- */

void paths_escape(struct buffer *out, struct slice path)
{
    for (size_t n = 0; n < path.len; n++) {
        if (path.data[n] && strchr(special, path.data[n])) buffer_append_char(out, '\\');
        buffer_append_char(out, path.data[n]);
    }
}

static bool has_wildcard(const char *pattern)
{
    for (; *pattern; pattern++) {
        if (*pattern == '\\' && pattern[1])
            pattern++;
        else if (strchr(special, *pattern))
            return true;
    }
    return false;
}

/* Removes the backslashes, in place. */
static void unescape(char *pattern)
{
    char *to = pattern;
    for (const char *from = pattern; *from; from++) {
        if (*from == '\\' && from[1]) from++;
        *to++ = *from;
    }
    *to = '\0';
}

/* --- Matches --- */

/* The error of the last glob on this thread. The callback of glob has no context argument. */
static _Thread_local int refusal;

/* Stores the error. Returns nonzero to stop the glob, or 0 if the directory does not exist. */
static int on_refused(const char *path, int error)
{
    (void) path;
    if (error == ENOENT || error == ENOTDIR) return 0;
    refusal = error;
    return 1;
}

/* Adds the matches. Returns 1 if there are any, 0 if there are none, or a negative libuv code. */
static int add_matches(struct paths *paths, const char *pattern, int flags)
{
    glob_t matches;
    int result = glob(pattern, flags | GLOB_NOSORT, on_refused, &matches);
    if (result == GLOB_NOMATCH) return 0;
    if (result != 0) {
        globfree(&matches);
        return result == GLOB_NOSPACE ? UV_ENOMEM : -refusal;
    }
    for (size_t n = 0; n < matches.gl_pathc && result == 0; n++)
        result = paths_add(paths, matches.gl_pathv[n]);
    if (result == 0) result = matches.gl_pathc > 0;
    globfree(&matches);
    return result;
}

static int add_literal(struct paths *paths, const char *pattern)
{
    char *path = strdup(pattern);
    if (!path) return UV_ENOMEM;
    unescape(path);
    int result = paths_add(paths, path);
    free(path);
    return result;
}

int paths_add_files(struct paths *paths, const char *pattern, struct buffer *error)
{
    if (!has_wildcard(pattern)) return add_literal(paths, pattern);
    int result = add_matches(paths, pattern, 0);
    if (result >= 0) return 0;
    if (result != UV_ENOMEM)
        buffer_printf(error, "%s: a directory cannot be listed: %s", pattern, strerror(-result));
    return result;
}

/*
 * Removes the last name, in place: "/a/b" becomes "/a", "/a" becomes "/", "a" becomes ".". Returns false if
 * there is no directory above.
 */
static bool go_up(char *pattern)
{
    char *slash = strrchr(pattern, '/');
    if (strcmp(pattern, "/") == 0 || strcmp(pattern, ".") == 0) return false;
    if (!slash)
        strcpy(pattern, ".");
    else
        slash[slash == pattern] = '\0';
    return true;
}

int paths_add_directories(struct paths *paths, const char *pattern)
{
    int result = 0;
    char *at = strdup(pattern);
    if (!at) return UV_ENOMEM;
    while (go_up(at)) {
        result = add_matches(paths, at, GLOB_ONLYDIR);
        if (result == UV_ENOMEM || (result > 0 && !has_wildcard(at))) break;
    }
    free(at);
    return result == UV_ENOMEM ? UV_ENOMEM : 0;
}
