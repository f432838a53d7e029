/*
 * The binary protocol. A request is one packet. The answer to `stats` is one packet for each stat and an
 * empty packet at the end. A packet is a header of 24 bytes, then a key, then a value:
 *
 *     0      1        2..3         4            5          6..7       8..11         12..23
 *     magic  opcode   key length   extras len.  data type  status     body length   opaque, cas
 *
 * Numbers are big-endian. The status of a request is 0. The login is SASL's PLAIN (RFC 4616): the key is the
 * name of the mechanism, the value is "\0user\0password".
 */
#include "memcached/protocol.h"

#include <string.h>

#define HEADER_LEN 24

enum { MAGIC_REQUEST = 0x80, MAGIC_ANSWER = 0x81 };
enum { OPCODE_STAT = 0x10, OPCODE_LOGIN = 0x21 };
enum { STATUS_OK = 0, STATUS_AUTH_ERROR = 0x20, STATUS_UNKNOWN_COMMAND = 0x81 };

/* --- Requests --- */

static void write_header(char header[HEADER_LEN], uint8_t opcode, size_t key_len, size_t body_len)
{
    memset(header, 0, HEADER_LEN);
    header[0] = (char) MAGIC_REQUEST;
    header[1] = (char) opcode;
    header[2] = (char) (key_len >> 8);
    header[3] = (char) key_len;
    for (unsigned n = 0; n < 4; n++) header[8 + n] = (char) (body_len >> (24 - 8 * n));
}

/* Writes a request. Its key is the text after "stats " of the text protocol. */
static size_t binary_request(enum command command, char *request)
{
    struct slice key = command_info(command)->request;
    key.len -= strlen("\r\n");
    slice_cut(&key, ' ');
    write_header(request, OPCODE_STAT, key.len, key.len);
    if (key.len) memcpy(request + HEADER_LEN, key.data, key.len);
    return HEADER_LEN + key.len;
}

static void append_binary_login(struct buffer *request, const char *username, const char *password)
{
    static const char mechanism[] = "PLAIN";
    char header[HEADER_LEN];
    size_t key_len = strlen(mechanism);
    size_t value_len = 1 + strlen(username) + 1 + strlen(password);
    write_header(header, OPCODE_LOGIN, key_len, key_len + value_len);
    buffer_reserve(request, HEADER_LEN + key_len + value_len);
    buffer_append_slice(request, (struct slice){header, HEADER_LEN});
    buffer_append_string(request, mechanism);
    buffer_append_char(request, '\0');
    buffer_append_string(request, username);
    buffer_append_char(request, '\0');
    buffer_append_string(request, password);
}

/* --- Answers --- */

struct packet {
    unsigned status;
    size_t len;              /* bytes of the packet with its header */
    struct slice key, value; /* set for a complete packet; point into the input */
};

static unsigned number_at(const char *bytes, unsigned len)
{
    unsigned number = 0;
    for (unsigned n = 0; n < len; n++) number = number << 8 | (unsigned char) bytes[n];
    return number;
}

/*
 * Checks for a refusal in the text protocol. A server with too many connections sends it before it knows the
 * client's protocol.
 */
static enum reply_kind look_at_text(struct slice input)
{
    static const char words[] = "ERROR Too many open connections";
    size_t len = strlen(words);
    if (memcmp(input.data, words, input.len < len ? input.len : len) != 0) return REPLY_MALFORMED;
    return input.len < len ? REPLY_MORE : REPLY_REFUSED;
}

/* Finds the key of a packet that is too long to keep, as far as it fits into REPLY_LINE_MAX bytes. */
static enum reply_kind look_at_long(struct slice input, size_t at, size_t len, struct packet *packet)
{
    if (input.len < at + len && input.len < REPLY_LINE_MAX) return REPLY_MORE;
    size_t arrived = input.len > at ? input.len - at : 0;
    packet->key = (struct slice){input.data + input.len - arrived, arrived < len ? arrived : len};
    return REPLY_LONG;
}

/*
 * Tells what the input begins with; REPLY_STAT means a complete packet. Lengths that contradict each other,
 * and answers to another opcode, are malformed.
 */
static enum reply_kind look_at(struct slice input, uint8_t opcode, struct packet *packet)
{
    if (input.len == 0) return REPLY_MORE;
    if ((unsigned char) input.data[0] != MAGIC_ANSWER) return look_at_text(input);
    if (input.len < HEADER_LEN) return REPLY_MORE;
    const char *header = input.data;
    size_t key_len = number_at(header + 2, 2), extras_len = number_at(header + 4, 1);
    size_t body_len = number_at(header + 8, 4);
    if ((uint8_t) header[1] != opcode || key_len + extras_len > body_len) return REPLY_MALFORMED;
    packet->status = number_at(header + 6, 2);
    packet->len = HEADER_LEN + body_len;
    if (packet->len > REPLY_LINE_MAX) return look_at_long(input, HEADER_LEN + extras_len, key_len, packet);
    if (input.len < packet->len) return REPLY_MORE;
    const char *key = header + HEADER_LEN + extras_len;
    packet->key = (struct slice){key, key_len};
    packet->value = (struct slice){key + key_len, body_len - extras_len - key_len};
    return REPLY_STAT;
}

/* What a peer said that is no packet: its first line, for people. Nothing of a packet that is wrong. */
static struct slice beginning_of(struct slice input)
{
    struct slice said = {input.data, input.len < REPLY_LINE_MAX ? input.len : REPLY_LINE_MAX};
    const char *end = said.len ? memchr(said.data, '\r', said.len) : NULL;
    if (end) said.len = (size_t) (end - said.data);
    if (said.len && (unsigned char) said.data[0] == MAGIC_ANSWER) said.len = 0;
    return said;
}

static bool take_binary_pair(struct slice *input, struct reply_pair *pair)
{
    struct packet packet;
    if (look_at(*input, OPCODE_STAT, &packet) != REPLY_STAT) return false;
    if (packet.status != STATUS_OK || packet.key.len == 0) return false;
    *pair = (struct reply_pair){packet.key, packet.value};
    *input = slice_from(*input, packet.len);
    return true;
}

static struct reply_line binary_next(struct slice *input, enum reply_form form)
{
    struct packet packet;
    struct reply_line reply = {.kind = look_at(*input, OPCODE_STAT, &packet)};
    (void) form; /* each packet has the lengths of its key and value */
    switch (reply.kind) {
    case REPLY_STAT:
        reply.key = packet.key;
        reply.value = packet.value;
        if (packet.status == STATUS_OK && packet.key.len == 0) reply.kind = REPLY_END;
        if (packet.status != STATUS_OK) reply.kind = REPLY_REFUSED;
        if (packet.status == STATUS_AUTH_ERROR) reply.refusal = REFUSAL_UNAUTHENTICATED;
        *input = slice_from(*input, packet.len);
        break;
    case REPLY_LONG:
        reply.len = packet.len;
        reply.key = packet.key;
        if (packet.status != STATUS_OK) reply.kind = REPLY_MALFORMED;
        reply.value = beginning_of(*input);
        break;
    case REPLY_REFUSED:
        reply.refusal = REFUSAL_OVERLOADED;
        reply.value = beginning_of(*input);
        *input = slice_from(*input, input->len);
        break;
    default:
        reply.value = beginning_of(*input);
        break;
    }
    return reply;
}

static bool skip_binary(struct slice *input, size_t *left)
{
    size_t taken = input->len < *left ? input->len : *left;
    *input = slice_from(*input, taken);
    *left -= taken;
    return *left == 0;
}

static enum login_answer take_binary_login(struct slice *input, struct slice *said)
{
    struct packet packet;
    *said = beginning_of(*input);
    switch (look_at(*input, OPCODE_LOGIN, &packet)) {
    case REPLY_MORE:
        return LOGIN_MORE;
    case REPLY_REFUSED:
        return LOGIN_OVERLOADED;
    case REPLY_STAT:
        break;
    default:
        return LOGIN_NONSENSE;
    }
    *said = packet.value;
    *input = slice_from(*input, packet.len);
    switch (packet.status) {
    case STATUS_OK:
    case STATUS_UNKNOWN_COMMAND: /* a server without SASL */
        return LOGIN_DONE;
    case STATUS_AUTH_ERROR:
        return LOGIN_REFUSED;
    default:
        return LOGIN_UNKNOWN;
    }
}

/* Never asks `stats detail dump`: its answer would be text in one packet of any length. */
const struct protocol protocol_binary = {
    .commands = (COMMAND_BIT(COMMAND_COUNT) - 1) & ~COMMAND_BIT(COMMAND_DETAIL),
    .request = binary_request,
    .append_login = append_binary_login,
    .take_login = take_binary_login,
    .take_pair = take_binary_pair,
    .next = binary_next,
    .skip = skip_binary,
};
