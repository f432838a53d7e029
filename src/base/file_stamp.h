/* Whether a file has changed since it was read: what stat(2) tells of it, to be compared later. */
#ifndef BASE_FILE_STAMP_H
#define BASE_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
    int error; /* errno of stat(2), or 0; the rest is 0 then */
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* since 1970, mtime and ctime */
    bool unsure;                     /* changed so lately that another change might leave the same stamp */
};

/* To be taken before the file is read. Blocks as long as stat(2) does. */
struct file_stamp file_stamp_take(const char *path);

/* Whether the file is still the one of the stamp; false for one that was unsure. */
bool file_stamp_holds(const struct file_stamp *stamp, const char *path);

/*
 * Whether the file was changed less than so long before now, by its own account. False for one that has no
 * stamp.
 */
bool file_stamp_is_younger(const struct file_stamp *stamp, unsigned ms);

#endif
