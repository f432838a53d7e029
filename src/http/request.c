/*
 * A head is read twice. First its lines are checked here, byte by byte, as far as they have arrived
 * (check_head), strictly and whatever the version of llhttp would say. When the head is whole and good so
 * far, llhttp reads it (read_head) and hands out the target and the headers that somebody asks for.
 */
#include "http/request.h"

#include "base/container.h"

#include <llhttp.h>

/* The first byte of a TLS connection: the record type "handshake". */
#define TLS_HANDSHAKE 0x16

/* What the check has seen of one head. */
struct head {
    struct slice bytes; /* from the request line to the empty line, that one included */
    struct slice method;
    struct slice content_length; /* of the last one */
    unsigned hosts, content_lengths, transfer_encodings;
};

static bool refuse(struct request_refusal *refusal, int status, const char *why)
{
    *refusal = (struct request_refusal){status, why};
    return false;
}

/* --- Lines --- */

/* RFC 9110, 5.6.2. */
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

/* Cuts a line off `rest`. Only CR LF ends one: a parser in front of us might not take the bare ones for an
 * end. */
static enum line_outcome take_line(struct slice *rest, struct slice *line, struct request_refusal *refusal)
{
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->data[i];
        if (c != '\0' && c != '\n' && c != '\r') continue;
        if (c == '\r' && i + 1 == rest->len) break;
        if (c == '\r' && rest->data[i + 1] == '\n') {
            *line = (struct slice){rest->data, i};
            *rest = slice_from(*rest, i + 2);
            return LINE_WHOLE;
        }
        refuse(refusal, 400,
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

static bool check_request_line(struct head *head, struct slice line, struct request_refusal *refusal)
{
    head->bytes.data = line.data;
    head->method = slice_cut(&line, ' ');
    struct slice target = slice_cut(&line, ' ');
    if (!is_token(head->method) || target.len == 0 || !is_version(line)) {
        return refuse(refusal, 400, "the request line is not of the form: METHOD /path HTTP/1.1");
    }
    if (!slice_is(line, "HTTP/1.1") && !slice_is(line, "HTTP/1.0")) {
        return refuse(refusal, 505, "this server speaks HTTP/1.1 and HTTP/1.0 only");
    }
    for (size_t i = 0; i < target.len; i++) {
        char c = target.data[i];
        if (c > ' ' && c < 0x7f && c != '#') continue;
        return refuse(refusal, 400, "the request target holds a byte that must be percent-encoded");
    }
    return true;
}

/* What RFC 3986 allows in host and port, but for the percent-encoded; a comma would be two values joined. */
static bool is_host(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"#,/<>?@\\^`{|}", c)) return false;
    }
    return true;
}

static bool check_header_line(struct head *head, struct slice line, struct request_refusal *refusal)
{
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return refuse(refusal, 400, "a header is folded over several lines");
    }
    if (!memchr(line.data, ':', line.len)) return refuse(refusal, 400, "a header line has no colon");
    struct slice name = slice_cut(&line, ':'), value = slice_trim(line);
    if (slice_trim(name).len != name.len) {
        return refuse(refusal, 400, "a blank stands between the name of a header and its colon");
    }
    if (!is_token(name)) return refuse(refusal, 400, "the name of a header is no token");

    if (slice_is_nocase(name, "host")) {
        head->hosts++;
        if (!is_host(value)) return refuse(refusal, 400, "the Host header is no host with an optional port");
    } else if (slice_is_nocase(name, "content-length")) {
        head->content_lengths++;
        head->content_length = value;
    } else if (slice_is_nocase(name, "transfer-encoding")) {
        head->transfer_encodings++;
    }
    return true;
}

/* --- The whole head --- */

static bool check_body(const struct head *head, struct request_refusal *refusal)
{
    static const char no_body[] = "no request to this server takes a body";
    struct slice length = head->content_length;
    size_t zeros = 0;
    if (head->content_lengths && head->transfer_encodings) {
        return refuse(refusal, 400, "Content-Length stands beside Transfer-Encoding");
    }
    if (head->content_lengths > 1) return refuse(refusal, 400, "there is more than one Content-Length");
    if (head->transfer_encodings) return refuse(refusal, 413, no_body);
    if (head->content_lengths == 0) return true;

    for (size_t i = 0; i < length.len; i++) {
        char c = length.data[i];
        if (c < '0' || c > '9') length.len = 0;
        if (c == '0') zeros++;
    }
    if (length.len == 0) return refuse(refusal, 400, "Content-Length is not a number");
    return zeros == length.len || refuse(refusal, 413, no_body);
}

static enum request_outcome check_head(struct head *head, struct slice bytes, struct request_refusal *refusal)
{
    struct slice rest = bytes, line;
    enum line_outcome outcome;
    if (rest.len > REQUEST_HEAD_MAX) rest.len = REQUEST_HEAD_MAX;
    if (bytes.len && bytes.data[0] == TLS_HANDSHAKE) {
        refuse(refusal, 400, "this port speaks plain HTTP, the client began with TLS");
        return REQUEST_REFUSED;
    }
    while ((outcome = take_line(&rest, &line, refusal)) == LINE_WHOLE) {
        bool good = true;
        if (!head->bytes.data) {
            if (line.len) good = check_request_line(head, line, refusal);
        } else if (line.len) {
            good = check_header_line(head, line, refusal);
        } else {
            head->bytes.len = (size_t) (rest.data - head->bytes.data);
            return check_body(head, refusal) ? REQUEST_DONE : REQUEST_REFUSED;
        }
        if (!good) return REQUEST_REFUSED;
    }
    if (outcome == LINE_BAD) return REQUEST_REFUSED;
    if (bytes.len < REQUEST_HEAD_MAX) return REQUEST_MORE;
    refuse(refusal, 431, "the request line and headers are longer than 16 KiB");
    return REQUEST_REFUSED;
}

/* --- llhttp --- */

struct reading {
    llhttp_t parser;
    struct request *request;
    struct slice name, value; /* of the header that is being read */
};

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = container_of(parser, struct reading, parser);
    reading->request->target = (struct slice){at, len};
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = container_of(parser, struct reading, parser);
    reading->name = (struct slice){at, len};
    reading->value = (struct slice){NULL, 0};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *reading = container_of(parser, struct reading, parser);
    reading->value = (struct slice){at, len};
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct reading *reading = container_of(parser, struct reading, parser);
    struct request *request = reading->request;
    struct slice *place = slice_is_nocase(reading->name, "accept")            ? &request->accept
                          : slice_is_nocase(reading->name, "accept-encoding") ? &request->accept_encoding
                          : slice_is_nocase(reading->name, "x-prometheus-scrape-timeout-seconds")
                              ? &request->scrape_timeout
                              : NULL;
    if (place && place->len == 0) *place = slice_trim(reading->value);
    return 0;
}

/* The head is all that there is of a request: stop before llhttp begins with a body or another protocol. */
static int on_headers_complete(llhttp_t *parser)
{
    struct reading *reading = container_of(parser, struct reading, parser);
    reading->request->minor = parser->http_minor;
    reading->request->keep_alive = llhttp_should_keep_alive(parser);
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
 * llhttp gets "GET" in place of the method: it knows a closed list of them and reads what follows some of
 * them differently, while any token is a method (RFC 9110, 9.1) and whether it is allowed is for the handler
 * to say.
 */
static bool read_head(const struct head *head, struct request *request, struct request_refusal *refusal)
{
    struct reading reading = {.request = request};
    struct slice rest = slice_from(head->bytes, head->method.len);
    llhttp_init(&reading.parser, HTTP_REQUEST, &settings);
    llhttp_execute(&reading.parser, "GET", 3);
    llhttp_errno_t outcome = llhttp_execute(&reading.parser, rest.data, rest.len);
    if (outcome == HPE_PAUSED) return true;
    const char *reason = llhttp_get_error_reason(&reading.parser);
    return refuse(refusal, 400, reason && *reason ? reason : "malformed request");
}

/* Splits the target; of an absolute form (RFC 9112, 3.2.2) the scheme and the host are dropped. */
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

enum request_outcome request_parse(struct request *request, struct slice bytes, size_t *consumed,
                                   struct request_refusal *refusal)
{
    struct head head = {.bytes = {NULL, 0}};
    enum request_outcome outcome = check_head(&head, bytes, refusal);
    if (outcome != REQUEST_DONE) return outcome;

    *request = (struct request){.method = slice_is(head.method, "GET")    ? METHOD_GET
                                          : slice_is(head.method, "HEAD") ? METHOD_HEAD
                                          : slice_is(head.method, "POST") ? METHOD_POST
                                                                          : METHOD_OTHER};
    if (!read_head(&head, request, refusal)) return REQUEST_REFUSED;
    if (head.hosts > 1 || (head.hosts == 0 && request->minor == 1)) {
        refuse(refusal, 400,
               head.hosts ? "there is more than one Host header" : "the Host header is missing");
        return REQUEST_REFUSED;
    }
    split_target(request);
    *consumed = (size_t) (head.bytes.data + head.bytes.len - bytes.data);
    return REQUEST_DONE;
}
