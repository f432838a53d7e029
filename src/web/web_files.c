#include "web/web_files.h"

#include "base/log.h"

#include <uv.h>

#define ERROR_MAX 4096

/* How long an empty configuration counts as being written; see web_files.h. */
#define WRITING_MS 1000

/*
 * Returns true if only a changed file can change the result. Other errors, such as a lack of descriptors, are
 * retried.
 */
static bool is_final(int status)
{
    return status == 0 || status == UV_EINVAL;
}

static void write_headers(struct web_files *files)
{
    buffer_clear(&files->headers);
    for (size_t n = 0; n < files->config.header_count; n++)
        buffer_printf(&files->headers, "%s: %s\r\n", files->config.headers[n].name,
                      files->config.headers[n].value);
}

static int read_config(struct web_files *files, struct buffer *error)
{
    struct web_config config;
    files->stamp = file_stamp_take(files->file);
    int result = web_config_load(&config, files->file, error);
    if (result < 0) {
        web_config_deinit(&config);
        return result;
    }
    web_config_deinit(&files->config);
    files->config = config;
    files->tls_is_read = false;
    write_headers(files);
    return files->headers.failed ? UV_ENOMEM : 0;
}

/*
 * Reads the certificates. Clients may resume their TLS sessions if the rules for client certificates are
 * unchanged.
 */
static int read_tls(struct web_files *files, struct buffer *error)
{
    struct web_tls tls;
    int result = web_tls_load(&tls, &files->config, error);
    files->tls_is_read = true;
    if (result == 0) {
        if (files->tls.context &&
            slice_equal(buffer_slice(&tls.client_rules), buffer_slice(&files->tls.client_rules)))
            tls_context_share_tickets(tls.context, files->tls.context);
        web_tls_deinit(&files->tls);
        files->tls = tls;
        return 0;
    }
    files->tls.cert_file = tls.cert_file;
    files->tls.key_file = tls.key_file;
    files->tls.client_ca_file = tls.client_ca_file;
    web_tls_deinit(&tls);
    return result;
}

int web_files_open(struct web_files *files, const char *file, struct buffer *error)
{
    *files = (struct web_files){.file = file, .stamp = file_stamp_take(file), .tls_is_read = true};
    buffer_init(&files->headers, SIZE_MAX / 2);
    buffer_init(&files->config_reading.error, ERROR_MAX);
    buffer_init(&files->tls_reading.error, ERROR_MAX);
    int result = web_tls_open(&files->tls, &files->config, file, error);
    if (result == 0) write_headers(files);
    return result == 0 && files->headers.failed ? UV_ENOMEM : result;
}

/* Logs the result of a read, unless it is the same as last time. */
static void note_reading(struct web_reading *reading, int status, struct buffer *error, const char *failure)
{
    reading->status = status;
    if (status < 0 && !error->len) buffer_append_string(error, uv_strerror(status));
    if (slice_equal(buffer_slice(error), buffer_slice(&reading->error))) return;
    if (status < 0)
        log_line(LOG_ERROR, failure, (struct log_field){"err", buffer_slice(error)});
    else
        log_write(LOG_INFO, "the web configuration is mended", NULL, 0);
    buffer_clear(&reading->error);
    buffer_append_slice(&reading->error, buffer_slice(error));
}

/*
 * Returns true if the configuration may still be being written. The previous configuration then stays in use.
 */
static bool is_being_written(const struct web_files *files)
{
    struct file_stamp now = file_stamp_take(files->file);
    bool was_empty = files->stamp.size == 0;
    return files->config_reading.status == 0 && !was_empty && !now.error && now.size == 0 &&
           file_stamp_is_younger(&now, WRITING_MS);
}

const struct web_config *web_files_config(struct web_files *files)
{
    struct buffer error;
    if ((!is_final(files->config_reading.status) || !file_stamp_holds(&files->stamp, files->file)) &&
        !is_being_written(files)) {
        buffer_init(&error, ERROR_MAX);
        note_reading(&files->config_reading, read_config(files, &error), &error,
                     "Unable to parse configuration: requests are answered 500 until it is mended");
        buffer_deinit(&error);
    }
    return files->config_reading.status == 0 ? &files->config : NULL;
}

struct tls_context *web_files_tls(struct web_files *files)
{
    const struct web_config *config = web_files_config(files);
    struct buffer error;
    if (!config) return NULL;
    if (!files->tls_is_read || !is_final(files->tls_reading.status) ||
        !web_tls_is_current(&files->tls, config)) {
        buffer_init(&error, ERROR_MAX);
        int status = read_tls(files, &error);
        if (status == UV_EAGAIN)
            files->tls_reading.status = status;
        else
            note_reading(&files->tls_reading, status, &error,
                         "TLS handshakes fail until the web configuration or its files are mended");
        buffer_deinit(&error);
    }
    /* UV_EAGAIN: the files are being replaced. The previous ones stay in use for a moment. */
    return files->tls_reading.status == 0 || files->tls_reading.status == UV_EAGAIN ? files->tls.context
                                                                                    : NULL;
}

void web_files_deinit(struct web_files *files)
{
    web_config_deinit(&files->config);
    web_tls_deinit(&files->tls);
    buffer_deinit(&files->headers);
    buffer_deinit(&files->config_reading.error);
    buffer_deinit(&files->tls_reading.error);
    *files = (struct web_files){.file = NULL};
}
