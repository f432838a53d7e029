/*
 * request_read -> check_lines, as bytes arrive -> check_body -> read_head -> split_target
 *
 * check_lines checks each line once. It is strict, whatever the version of llhttp accepts. When the head is
 * complete and all lines passed, llhttp parses it and reports the target and the headers.
 */
#include "http/request.h"

#include "base/container.h"

#include <llhttp.h>

/* The first byte of a TLS connection: the record type "handshake". */
#define TLS_HANDSHAKE 0x16

static bool refuse_head(struct request_refusal *refusal, int status, const char *why)
{
    *refusal = (struct request_refusal){status, why};
    return false;
}

/* --- Lines --- */

/* Returns true if the text is a token (RFC 9110, 5.6.2). */
static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char) text.data[i];
        bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter_or_digit && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return text.len > 0;
}

enum line_outcome { LINE_WHOLE, LINE_PART, LINE_BAD };

/*
 * Finds the next line, without its end. Only CR LF ends a line: a proxy in front of this server might not
 * accept a bare CR or LF as a line end.
 */
static enum line_outcome take_line(struct request_reader *reader, struct slice bytes, struct slice *line,
                                   struct request_refusal *refusal)
{
    for (; reader->seen < bytes.len; reader->seen++) {
        char c = bytes.data[reader->seen];
        if (c != '\0' && c != '\n' && c != '\r') continue;
        if (c == '\r' && reader->seen + 1 == bytes.len) break;
        if (c == '\r' && bytes.data[reader->seen + 1] == '\n') {
            *line = (struct slice){bytes.data + reader->line, reader->seen - reader->line};
            reader->line = reader->seen += 2;
            return LINE_WHOLE;
        }
        refuse_head(refusal, 400,
                    c == '\r'   ? "a carriage return stands without a line feed behind it"
                    : c == '\n' ? "a line ends without a carriage return"
                                : "a NUL byte stands in the request head");
        return LINE_BAD;
    }
    return LINE_PART;
}

static bool is_version(struct slice text)
{
    return text.len == 8 && slice_starts(text, "HTTP/") && text.data[5] >= '0' && text.data[5] <= '9' &&
           text.data[6] == '.' && text.data[7] >= '0' && text.data[7] <= '9';
}

static bool check_request_line(struct request_reader *reader, struct slice line,
                               struct request_refusal *refusal)
{
    struct slice method = slice_cut(&line, ' '), target = slice_cut(&line, ' ');
    if (!is_token(method) || target.len == 0 || !is_version(line)) {
        return refuse_head(refusal, 400, "the request line is not of the form: METHOD /path HTTP/1.1");
    }
    reader->method_len = method.len;
    if (!slice_is(line, "HTTP/1.1") && !slice_is(line, "HTTP/1.0")) {
        return refuse_head(refusal, 505, "this server speaks HTTP/1.1 and HTTP/1.0 only");
    }
    for (size_t i = 0; i < target.len; i++) {
        char c = target.data[i];
        if (c > ' ' && c < 0x7f && c != '#') continue;
        return refuse_head(refusal, 400, "the request target holds a byte that must be percent-encoded");
    }
    return true;
}

/*
 * Returns true if all characters are allowed in host and port (RFC 3986, without percent-encoding). A comma
 * is not allowed: it would mean two joined values.
 */
static bool is_host(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"#,/<>?@\\^`{|}", c)) return false;
    }
    return true;
}

/* Records a Content-Length line. The server only accepts zero: "0", "000". */
static void check_length(struct request_reader *reader, struct slice value)
{
    reader->content_lengths++;
    reader->bad_length |= value.len == 0;
    for (size_t i = 0; i < value.len; i++) {
        reader->bad_length |= value.data[i] < '0' || value.data[i] > '9';
        reader->has_body |= value.data[i] != '0';
    }
}

static bool check_header_line(struct request_reader *reader, struct slice line,
                              struct request_refusal *refusal)
{
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return refuse_head(refusal, 400, "a header is folded over several lines");
    }
    if (!memchr(line.data, ':', line.len)) return refuse_head(refusal, 400, "a header line has no colon");
    struct slice name = slice_cut(&line, ':'), value = slice_trim(line);
    if (slice_trim(name).len != name.len) {
        return refuse_head(refusal, 400, "a blank stands between the name of a header and its colon");
    }
    if (!is_token(name)) return refuse_head(refusal, 400, "the name of a header is no token");

    if (slice_is_nocase(name, "host")) {
        reader->hosts++;
        if (!is_host(value))
            return refuse_head(refusal, 400, "the Host header is no host with an optional port");
    } else if (slice_is_nocase(name, "content-length")) {
        check_length(reader, value);
    } else if (slice_is_nocase(name, "transfer-encoding")) {
        reader->transfer_encodings++;
    }
    return true;
}

/* --- The whole head --- */

static bool check_body(const struct request_reader *reader, struct request_refusal *refusal)
{
    static const char no_body[] = "no request to this server takes a body";
    if (reader->content_lengths && reader->transfer_encodings) {
        return refuse_head(refusal, 400, "Content-Length stands beside Transfer-Encoding");
    }
    if (reader->content_lengths > 1)
        return refuse_head(refusal, 400, "there is more than one Content-Length");
    if (reader->transfer_encodings) return refuse_head(refusal, 413, no_body);
    if (reader->bad_length) return refuse_head(refusal, 400, "Content-Length is not a number");
    return !reader->has_body || refuse_head(refusal, 413, no_body);
}

static enum request_outcome check_lines(struct request_reader *reader, struct slice bytes,
                                        struct request_refusal *refusal)
{
    struct slice line, head = bytes;
    enum line_outcome outcome;
    if (head.len > REQUEST_HEAD_MAX) head.len = REQUEST_HEAD_MAX;
    if (bytes.len && bytes.data[0] == TLS_HANDSHAKE) {
        refuse_head(refusal, 400, "this port speaks plain HTTP, the client began with TLS");
        return REQUEST_REFUSED;
    }
    while ((outcome = take_line(reader, head, &line, refusal)) == LINE_WHOLE) {
        bool good = true;
        if (reader->method_len == 0) {
            reader->start = (size_t) (line.data - bytes.data);
            if (line.len) good = check_request_line(reader, line, refusal);
        } else if (line.len) {
            good = check_header_line(reader, line, refusal);
        } else {
            return check_body(reader, refusal) ? REQUEST_DONE : REQUEST_REFUSED;
        }
        if (!good) return REQUEST_REFUSED;
    }
    if (outcome == LINE_BAD) return REQUEST_REFUSED;
    if (bytes.len < REQUEST_HEAD_MAX) return REQUEST_MORE;
    refuse_head(refusal, 431, "the request line and headers are longer than 16 KiB");
    return REQUEST_REFUSED;
}

/* --- llhttp --- */

static const struct {
    const char *name;
    bool list; /* several lines are joined by commas */
} header_table[REQUEST_HEADERS] = {
    [HEADER_ACCEPT] = {"Accept", true},
    [HEADER_ACCEPT_ENCODING] = {"Accept-Encoding", true},
    [HEADER_USER_AGENT] = {"User-Agent", false},
    [HEADER_AUTHORIZATION] = {"Authorization", false},
    [HEADER_SCRAPE_TIMEOUT] = {"X-Prometheus-Scrape-Timeout-Seconds", false},
};

struct head_walk {
    llhttp_t parser;
    struct request *request;
    struct request_reader *reader;
    struct slice name, value; /* name and value of the header that is being parsed */
};

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct head_walk *walk = container_of(parser, struct head_walk, parser);
    walk->request->target = (struct slice){at, len};
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct head_walk *walk = container_of(parser, struct head_walk, parser);
    walk->name = (struct slice){at, len};
    walk->value = (struct slice){NULL, 0};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct head_walk *walk = container_of(parser, struct head_walk, parser);
    walk->value = (struct slice){at, len};
    return 0;
}

/*
 * Joins another line of a list header in the reader's memory. If there is no memory, only the first line
 * counts.
 */
static void join_value(struct head_walk *walk, size_t n)
{
    struct slice *joined = &walk->request->headers[n];
    struct buffer *list = &walk->reader->joined[n];
    if (list->len == 0) {
        buffer_init(list, REQUEST_HEAD_MAX);
        buffer_append_slice(list, *joined);
    }
    buffer_append_char(list, ',');
    buffer_append_slice(list, walk->value);
    if (!list->failed) *joined = buffer_slice(list);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct head_walk *walk = container_of(parser, struct head_walk, parser);
    walk->value = slice_trim(walk->value);
    for (size_t n = 0; n < REQUEST_HEADERS; n++) {
        if (!slice_is_nocase(walk->name, header_table[n].name)) continue;
        if (walk->request->headers[n].len == 0)
            walk->request->headers[n] = walk->value;
        else if (header_table[n].list)
            join_value(walk, n);
    }
    return 0;
}

/* Stops llhttp at the end of the head, before it parses a body or another protocol. */
static int on_headers_complete(llhttp_t *parser)
{
    struct head_walk *walk = container_of(parser, struct head_walk, parser);
    walk->request->minor = parser->http_minor;
    walk->request->keep_alive = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

/*
 * Parses the complete head with llhttp, which gets "GET" instead of the method. llhttp knows only some
 * methods, and it parses some requests differently depending on the method. This server accepts any token as
 * a method (RFC 9110, 9.1); the handler decides which methods it allows.
 */
static bool read_head(struct request_reader *reader, struct slice head, struct request *request,
                      struct request_refusal *refusal)
{
    struct head_walk walk = {.request = request, .reader = reader};
    struct slice rest = slice_from(head, reader->method_len);
    llhttp_init(&walk.parser, HTTP_REQUEST, &settings);
    llhttp_execute(&walk.parser, "GET", 3);
    llhttp_errno_t outcome = llhttp_execute(&walk.parser, rest.data, rest.len);
    if (outcome == HPE_PAUSED) return true;
    const char *reason = llhttp_get_error_reason(&walk.parser);
    return refuse_head(refusal, 400, reason && *reason ? reason : "malformed request");
}

/*
 * Splits the target into path and query. From an absolute form (RFC 9112, 3.2.2), scheme and host are
 * dropped.
 */
static void split_target(struct request *request)
{
    struct slice target = request->target;
    const char *scheme_end = target.data[0] == '/' ? NULL : memmem(target.data, target.len, "://", 3);
    if (scheme_end) {
        target = slice_from(target, (size_t) (scheme_end + 3 - target.data));
        while (target.len && target.data[0] != '/' && target.data[0] != '?') target = slice_from(target, 1);
    }
    request->target = request->query = target;
    request->path = slice_cut(&request->query, '?');
    if (request->path.len == 0) request->path = SLICE("/");
}

static enum request_method find_method(struct slice name)
{
    return slice_is(name, "GET")    ? METHOD_GET
           : slice_is(name, "HEAD") ? METHOD_HEAD
           : slice_is(name, "POST") ? METHOD_POST
                                    : METHOD_OTHER;
}

void request_reader_init(struct request_reader *reader)
{
    *reader = (struct request_reader){0};
}

void request_reader_reset(struct request_reader *reader)
{
    for (size_t n = 0; n < REQUEST_HEADERS; n++) buffer_deinit(&reader->joined[n]);
    request_reader_init(reader);
}

enum request_outcome request_read(struct request_reader *reader, struct request *request, struct slice bytes,
                                  size_t *consumed, struct request_refusal *refusal)
{
    enum request_outcome outcome = check_lines(reader, bytes, refusal);
    if (outcome != REQUEST_DONE) return outcome;

    struct slice head = {bytes.data + reader->start, reader->line - reader->start};
    *request = (struct request){.method = find_method((struct slice){head.data, reader->method_len})};
    if (!read_head(reader, head, request, refusal)) return REQUEST_REFUSED;
    if (reader->hosts > 1 || (reader->hosts == 0 && request->minor == 1)) {
        refuse_head(refusal, 400,
                    reader->hosts ? "there is more than one Host header" : "the Host header is missing");
        return REQUEST_REFUSED;
    }
    split_target(request);
    *consumed = reader->line;
    return REQUEST_DONE;
}
