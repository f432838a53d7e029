#include "collectors/process_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    int flags;
} process_files[PROCESS_FILE_COUNT] = {
    [PROCESS_FILE_STAT] = {"stat", O_RDONLY},
    [PROCESS_FILE_LIMITS] = {"limits", O_RDONLY},
    [PROCESS_FILE_NETSTAT] = {"net/netstat", O_RDONLY},
    /* Looking at the directory of another user's process is allowed, and reading it is not. */
    [PROCESS_FILE_FD] = {"fd", O_PATH | O_DIRECTORY},
};

void process_files_close(struct process_files *files)
{
    for (enum process_file file = 0; file < PROCESS_FILE_COUNT; file++) {
        if (files->descriptors[file]) close(files->descriptors[file]);
        files->descriptors[file] = 0;
    }
}

void process_files_select(struct process_files *files, pid_t pid)
{
    if (files->pid != pid) process_files_close(files);
    files->pid = pid;
}

int process_files_open(struct process_files *files, enum process_file file)
{
    char path[64];
    if (files->descriptors[file]) return files->descriptors[file];
    if (files->pid)
        snprintf(path, sizeof(path), "/proc/%ld/%s", (long) files->pid, process_files[file].name);
    else
        snprintf(path, sizeof(path), "/proc/self/%s", process_files[file].name);
    int descriptor = open(path, process_files[file].flags | O_CLOEXEC);
    if (descriptor > 0) files->descriptors[file] = descriptor;
    return descriptor;
}

/* The file of a process that has ended has no content. Its other files then belong to the past, too. */
struct slice process_files_read(struct process_files *files, enum process_file file, char *bytes, size_t size)
{
    ssize_t n = pread(process_files_open(files, file), bytes, size, 0);
    if (n <= 0) {
        process_files_close(files);
        n = pread(process_files_open(files, file), bytes, size, 0);
    }
    return (struct slice){bytes, n > 0 ? (size_t) n : 0};
}

static bool list_descriptors(int fd, bool own, uint64_t *count)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    if (!directory) {
        if (again >= 0) close(again);
        return false;
    }
    *count = 0;
    while (readdir(directory)) ++*count;
    closedir(directory);
    /* Excludes "." and "..", and for this process also the descriptor of `directory`. */
    *count -= own ? 3 : 2;
    return true;
}

/*
 * Since Linux 6.2, the size of the directory is the number of open descriptors. On older kernels the size is
 * 0, and the directory must be listed: ten thousand descriptors take a tenth of a second.
 */
bool process_files_count_descriptors(struct process_files *files, uint64_t *count)
{
    struct stat status;
    int fd = process_files_open(files, PROCESS_FILE_FD);
    if (fd < 0 || fstat(fd, &status) < 0) return false;
    *count = (uint64_t) status.st_size;
    return *count > 0 || list_descriptors(fd, files->pid == 0, count);
}
