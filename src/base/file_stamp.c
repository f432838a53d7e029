#include "base/file_stamp.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SECOND_NS 1000000000

/* File systems record the time of the kernel's last tick. A tick comes every 1 to 10 ms. */
#define TICK_MS 20

static int64_t in_ns(struct timespec time)
{
    return (int64_t) time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* Returns the time since the file changed. Negative if the file's time is in the future. */
static int64_t age_ms(const struct file_stamp *stamp)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (in_ns(now) - stamp->changed_ns) / 1000000;
}

bool file_stamp_is_younger(const struct file_stamp *stamp, unsigned ms)
{
    int64_t age = stamp->error ? ms : age_ms(stamp);
    return age > -(int64_t) ms && age < (int64_t) ms;
}

struct file_stamp file_stamp_take(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0) return (struct file_stamp){.error = errno};
    struct file_stamp stamp = {
        .device = (uint64_t) status.st_dev,
        .inode = (uint64_t) status.st_ino,
        .size = (uint64_t) status.st_size,
        .modified_ns = in_ns(status.st_mtim),
        .changed_ns = in_ns(status.st_ctim),
    };
    stamp.unsure = file_stamp_is_younger(&stamp, TICK_MS);
    return stamp;
}

bool file_stamp_holds(const struct file_stamp *stamp, const char *path)
{
    struct file_stamp now = file_stamp_take(path);
    return !stamp->unsure && stamp->error == now.error && stamp->device == now.device &&
           stamp->inode == now.inode && stamp->size == now.size && stamp->modified_ns == now.modified_ns &&
           stamp->changed_ns == now.changed_ns;
}
