/*
 * Reads the web configuration file and the certificates that it names: at the start, and again when a file
 * has changed. Callers always get the current contents.
 *
 * Each request checks the configuration file for changes (users, headers). Each TLS handshake checks all
 * files. A check costs one stat(2) per file. Changed files are read on the loop. They are at most 1 MiB, and
 * no request sees a half-loaded state. On a mount that hangs, stat(2) would hang as well, so reading in a
 * thread would not help.
 *
 * While a file is unreadable or invalid, requests or handshakes that need it fail. There are two exceptions,
 * for files that are still being written: after the configuration becomes empty, or while certificate and key
 * do not match, the previous contents stay in use for one second.
 */
#ifndef WEB_WEB_FILES_H
#define WEB_WEB_FILES_H

#include "base/buffer.h"
#include "base/file_stamp.h"
#include "config/web_config.h"
#include "config/web_tls.h"

#include <stdbool.h>

/* Result of the last read. */
struct web_reading {
    int status;
    struct buffer error; /* message; "" after a success */
};

struct web_files {
    const char *file; /* borrowed */
    struct web_config config;
    struct file_stamp stamp; /* stamp of the configuration file at its last read */
    struct web_tls tls;      /* last valid certificates, with the stamps of the last read */
    bool tls_is_read;        /* certificates were read since the configuration was last read */
    struct web_reading config_reading, tls_reading;
    struct buffer headers; /* headers of the configuration, each with a line end */
};

/*
 * Reads and checks all files. Returns 0, or a negative code with a line in `error`, without a line end. Call
 * web_files_deinit in every case. Blocks.
 */
int web_files_open(struct web_files *files, const char *file, struct buffer *error);

/*
 * Returns the current configuration, valid until the next call. Returns NULL while the file is invalid. An
 * error is logged once.
 */
const struct web_config *web_files_config(struct web_files *files);

/*
 * Returns the TLS context for a new handshake, borrowed. Returns NULL while a file is invalid. An error is
 * logged once.
 */
struct tls_context *web_files_tls(struct web_files *files);

void web_files_deinit(struct web_files *files);

#endif
