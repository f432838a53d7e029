#include "files.h"

#include "kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __real_open64(const char *path, int flags, ...);
ssize_t __real_write(int descriptor, const void *bytes, size_t len);
int __real_close(int descriptor);

static const char *const names[] = {"exporter.yml", "targets.json", "targets.yml", "memcached.prom",
                                    "resolv.conf",  "hosts",        "password"};

static char folder[64];

static void remove_folder(void)
{
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) files_remove(names[n]);
    rmdir(folder);
}

/* Memory is faster than a disk, where there is such a folder. */
static void make_folder(void)
{
    strcpy(folder, "/dev/shm/fuzz.XXXXXX");
    if (!mkdtemp(folder)) {
        strcpy(folder, "/tmp/fuzz.XXXXXX");
        if (!mkdtemp(folder)) fault("no folder in /dev/shm or /tmp");
    }
    atexit(remove_folder);
    files_write("resolv.conf", SLICE("nameserver 10.0.0.100\nsearch test\n"));
    files_write("hosts", SLICE("127.0.0.1 localhost\n10.0.0.1 known\n"));
}

const char *files_name(const char *name)
{
    static char path[128];
    if (!folder[0]) make_folder();
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

void files_write(const char *name, struct slice content)
{
    int file = __real_open64(files_name(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || __real_write(file, content.data, content.len) != (ssize_t) content.len)
        fault("cannot write %s", files_name(name));
    __real_close(file);
}

void files_remove(const char *name)
{
    unlink(files_name(name));
}

const char *files_path(const char *path)
{
    if (strcmp(path, "/etc/resolv.conf") == 0) return files_name("resolv.conf");
    if (strcmp(path, "/etc/hosts") == 0) return files_name("hosts");
    return path;
}
