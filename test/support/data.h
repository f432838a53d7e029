/* Reads files of test/data, for unit tests. Include this header after <cmocka.h>. */
#ifndef SUPPORT_DATA_H
#define SUPPORT_DATA_H

#include "base/slice.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline FILE *data_open(const char *name)
{
    char path[512];
    const char *root = getenv("TEST_DATA");
    assert_non_null(root);
    snprintf(path, sizeof(path), "%s/%s", root, name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing", path);
    return file;
}

/*
 * Reads a whole file into an allocation of exactly its length, so that memory checkers find reads past the
 * end. The caller frees its data.
 */
static inline struct slice data_read(const char *name)
{
    FILE *file = data_open(name);
    fseek(file, 0, SEEK_END);
    size_t len = (size_t) ftell(file);
    rewind(file);
    char *data = malloc(len + (len == 0));
    assert_non_null(data);
    assert_int_equal(fread(data, 1, len, file), len);
    fclose(file);
    return (struct slice){data, len};
}

/* Calls `on_line` for each line of a tab-separated file, except the first, which holds column names. */
#define DATA_COLUMNS_MAX 8
static inline void data_each_line(const char *name, void (*on_line)(struct slice *columns))
{
    struct slice data = data_read(name), rest = data;
    slice_cut(&rest, '\n');
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n'), columns[DATA_COLUMNS_MAX] = {{0}};
        for (size_t i = 0; i < DATA_COLUMNS_MAX && line.data; i++) columns[i] = slice_cut(&line, '\t');
        on_line(columns);
    }
    free((char *) data.data);
}

/* Calls `on_sample` for every captured server answer. Returns the number of captures. */
static inline unsigned data_each_sample(void (*on_sample)(const char *name, struct slice bytes))
{
    char path[512];
    unsigned count = 0;
    snprintf(path, sizeof(path), "%s/samples", getenv("TEST_DATA"));
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char name[300];
        snprintf(name, sizeof(name), "samples/%s", entry->d_name);
        struct slice bytes = data_read(name);
        on_sample(entry->d_name, bytes);
        free((char *) bytes.data);
        count++;
    }
    closedir(folder);
    return count;
}

#endif
