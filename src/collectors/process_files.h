/*
 * The files of one process in /proc, kept open. Reading a file again then takes one system call, and no
 * search for its path. The kernel writes the content anew for each read.
 */
#ifndef COLLECTORS_PROCESS_FILES_H
#define COLLECTORS_PROCESS_FILES_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum process_file {
    PROCESS_FILE_STAT,
    PROCESS_FILE_LIMITS,
    PROCESS_FILE_NETSTAT,
    PROCESS_FILE_FD, /* the directory with an entry for each open descriptor */
    PROCESS_FILE_COUNT,
};

/* All zero at first. Descriptor 0 is standard input, so it stands for a file that is not open. */
struct process_files {
    pid_t pid; /* 0 for this process */
    int descriptors[PROCESS_FILE_COUNT];
};

/* Selects the process; 0 for this process. Closes the files of another process. */
void process_files_select(struct process_files *files, pid_t pid);

/* Closes all files. */
void process_files_close(struct process_files *files);

/* Opens a file unless it is open. Returns its descriptor, or -1. */
int process_files_open(struct process_files *files, enum process_file file);

/*
 * Reads a file other than PROCESS_FILE_FD from its beginning. Opens it first unless it is open, and again if
 * the process has ended and another process has its number. Returns the empty slice if that fails.
 */
struct slice process_files_read(struct process_files *files, enum process_file file, char *bytes,
                                size_t size);

/*
 * Counts the open descriptors of the process. Returns false if the kernel does not show them. The process of
 * another user hides its descriptors on kernels before Linux 6.2.
 */
bool process_files_count_descriptors(struct process_files *files, uint64_t *count);

#endif
