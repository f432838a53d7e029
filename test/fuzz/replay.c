/*
 * Feeds files to a fuzz target that is built without a fuzzer, by any compiler: replay PATH..., where a
 * folder stands for all files in it. Prints how many there were; a fault ends the process, after the name of
 * the file.
 */
#include "target.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned count;
static const char *current = "";

/* The sanitizers and abort() end here, too. */
static void on_exit_of_fault(int code, void *context)
{
    (void) context;
    if (code) fprintf(stderr, "while it read %s\n", current);
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file || fstat(fileno(file), &status) < 0) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t) status.st_size;
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size) exit(1);
    fclose(file);
    current = path;
    if (getenv("REPLAY_VERBOSE")) fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
}

static void replay(const char *path)
{
    struct stat status;
    char child[4096];
    if (stat(path, &status) < 0) return; /* no fault was found yet */
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort);
    for (int n = 0; n < found; n++) {
        snprintf(child, sizeof(child), "%s/%s", path, entries[n]->d_name);
        if (entries[n]->d_name[0] != '.') replay(child);
        free(entries[n]);
    }
    if (found >= 0) free(entries);
}

int main(int argc, char **argv)
{
    on_exit(on_exit_of_fault, NULL);
    for (int n = 1; n < argc; n++) replay(argv[n]);
    printf("%u inputs\n", count);
    return 0;
}
