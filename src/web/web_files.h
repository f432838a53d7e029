/*
 * The web configuration file and the certificates that it names, as they are now: read at the start, and
 * again whenever one of them has changed. Who asks gets what holds at that moment.
 *
 * Each request looks at the configuration (users and headers), each TLS handshake at all of the files. A look
 * costs one stat(2) for each file. Only a file that has changed is read, on the loop: it is small (at most 1
 * MiB), and a request then sees the file as it is, with no state in between. On a mount that hangs the look
 * would hang too, so that reading elsewhere would gain nothing.
 *
 * A file that cannot be read or is no good fails what asks for it, until it is mended. Two exceptions, for
 * files that are just being written: an empty configuration, and a certificate and key that do not fit, leave
 * what was before in force for a second.
 */
#ifndef WEB_WEB_FILES_H
#define WEB_WEB_FILES_H

#include "base/buffer.h"
#include "base/file_stamp.h"
#include "config/web_config.h"
#include "config/web_tls.h"

#include <stdbool.h>

/* What reading came to last time. */
struct web_reading {
    int status;
    struct buffer error; /* "" when it was good */
};

struct web_files {
    const char *file; /* borrowed */
    struct web_config config;
    struct file_stamp stamp; /* of the configuration, when it was read last */
    struct web_tls tls;      /* the last good one; its stamps are those of the last reading */
    bool tls_is_read;        /* since the configuration was */
    struct web_reading config_reading, tls_reading;
    struct buffer headers; /* those of the configuration, each with its line end */
};

/*
 * Reads and checks everything. 0; or a negative code with a line in `error`, without a line end.
 * web_files_deinit follows in any case. Blocks.
 */
int web_files_open(struct web_files *files, const char *file, struct buffer *error);

/* What the file says now, good until the next call; NULL while it is no good, which is logged once. */
const struct web_config *web_files_config(struct web_files *files);

/*
 * What a handshake that begins now is to use, borrowed; NULL while the files are no good, which is logged
 * once.
 */
struct tls_context *web_files_tls(struct web_files *files);

void web_files_deinit(struct web_files *files);

#endif
