#include "http/response.h"

const char *response_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 303:
        return "See Other";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

/*
 * Appends a Date header such as "Sat, 21 Nov 2026 13:17:10 GMT" (RFC 9110, 5.6.7). strftime's %a and %b would
 * follow the locale.
 */
static void append_date(struct buffer *out, time_t now)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm utc;
    if (!gmtime_r(&now, &utc)) return;
    buffer_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[utc.tm_wday], utc.tm_mday,
                  months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

static void append_framing(struct buffer *out, const struct response_transfer *transfer)
{
    switch (transfer->framing) {
    case FRAMING_LENGTH:
        buffer_append_string(out, "Content-Length: ");
        buffer_append_u64(out, transfer->length);
        buffer_append_string(out, "\r\n");
        break;
    case FRAMING_CHUNKED:
        buffer_append_string(out, "Transfer-Encoding: chunked\r\n");
        break;
    case FRAMING_CLOSE:
        break;
    }
}

/* Returns true if one of the lines is the header `name`. */
static bool has_header(struct slice lines, const char *name)
{
    while (lines.len) {
        struct slice line = slice_cut(&lines, '\n');
        if (slice_is_nocase(slice_cut(&line, ':'), name)) return true;
    }
    return false;
}

void response_append_head(struct buffer *out, const struct response *response,
                          const struct response_transfer *transfer)
{
    /* The version is the server's own, not the client's (RFC 9110, 6.2). */
    buffer_printf(out, "HTTP/1.1 %d %s\r\n", response->status, response_reason(response->status));
    append_date(out, transfer->now);
    buffer_printf(out, "Content-Type: %s\r\n", response->content_type);
    if (transfer->coding) buffer_printf(out, "Content-Encoding: %s\r\n", transfer->coding);
    /* Keeps browsers from interpreting an error text as HTML. The text may quote the request. */
    if (response->status >= 400 && !has_header(transfer->headers, "X-Content-Type-Options"))
        buffer_append_string(out, "X-Content-Type-Options: nosniff\r\n");
    if (response->varies) buffer_append_string(out, "Vary: Accept, Accept-Encoding\r\n");
    if (response->authenticate) buffer_printf(out, "WWW-Authenticate: %s\r\n", response->authenticate);
    if (response->allow) buffer_printf(out, "Allow: %s\r\n", response->allow);
    if (response->location) buffer_printf(out, "Location: %s\r\n", response->location);
    if (response->retry_after) buffer_append_string(out, "Retry-After: 1\r\n");
    buffer_append_slice(out, transfer->headers);
    append_framing(out, transfer);
    if (!transfer->keep_alive)
        buffer_append_string(out, "Connection: close\r\n");
    else if (transfer->minor == 0)
        buffer_append_string(out, "Connection: keep-alive\r\n");
    buffer_append_string(out, "\r\n");
}
