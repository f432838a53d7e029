/* A temporary directory for a test, with files that are overwritten or replaced. */
#ifndef SUPPORT_DIRECTORY_H
#define SUPPORT_DIRECTORY_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/exporter-test-XXXXXX";

static inline void directory_open(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    assert_non_null(mkdtemp(directory));
}

static inline int on_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void) status;
    (void) flag;
    (void) walk;
    return remove(path);
}

static inline void directory_close(void)
{
    assert_int_equal(nftw(directory, on_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Returns the path of a file in the directory. The text is valid until the fourth call from now. */
static inline const char *path_of(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return path;
}

/* Creates or overwrites a file. */
static inline void write_bytes(const char *name, const char *bytes, size_t len)
{
    int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, len), len);
    close(file);
}

static inline void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Replaces a file atomically, by a rename. */
static inline void replace_file(const char *name, const char *text)
{
    write_file("new.tmp", text);
    assert_int_equal(rename(path_of("new.tmp"), path_of(name)), 0);
}

static inline void remove_file(const char *name)
{
    assert_int_equal(unlink(path_of(name)), 0);
}

/* Sets the file's times `seconds` into the past. */
static inline void age_file(const char *name, long seconds)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

#endif
