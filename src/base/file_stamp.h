/* Detects whether a file has changed since it was read: compares results of stat(2). */
#ifndef BASE_FILE_STAMP_H
#define BASE_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
    int error; /* errno of stat(2), or 0; if not 0, all other fields are 0 */
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* mtime and ctime, in ns since 1970 */
    bool unsure;                     /* changed so recently that another change could give the same stamp */
};

/* Takes the stamp of a file. Call it before reading the file. Blocks as long as stat(2) does. */
struct file_stamp file_stamp_take(const char *path);

/* Returns true if the file still has this stamp. Returns false if the stamp is unsure. */
bool file_stamp_holds(const struct file_stamp *stamp, const char *path);

/*
 * Returns true if the file was last changed less than `ms` before now, judged by its ctime. Returns false if
 * stat(2) failed for the stamp.
 */
bool file_stamp_is_younger(const struct file_stamp *stamp, unsigned ms);

#endif
