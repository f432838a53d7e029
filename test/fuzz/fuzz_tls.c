/*
 * TLS of both sides: a client and a server that shake hands and talk in memory, while the input says which
 * bytes travel, in which pieces, and which are changed, lost, sent twice or forged on the way. Whatever
 * happens, a side hears nothing but the beginning of what the other has said.
 */
#include "certificates.h"
#include "fault.h"
#include "net/tls.h"
#include "target.h"
#include "world/script.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define HEARD_MAX 65536

struct side {
    struct tls tls;
    enum tls_status status;
    struct buffer way; /* bytes on their way to this side */
    struct buffer said, heard;
    bool ended; /* said its end, or cannot say more */
};

static struct tls_context *clients[3], *servers[3];

static struct slice pem(const char *text)
{
    return slice_of(text);
}

static struct tls_context *make_client(struct tls_client_settings settings)
{
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    if (tls_context_new_client(&context, &settings, &error) < 0)
        fault("no client: %.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    return context;
}

static struct tls_context *make_server(struct tls_server_settings settings)
{
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    settings.min_version = TLS_1_2;
    if (!settings.max_version) settings.max_version = TLS_1_3;
    if (tls_context_new_server(&context, &settings, &error) < 0)
        fault("no server: %.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    return context;
}

static void release_contexts(void)
{
    for (int n = 0; n < 3; n++) {
        tls_context_release(clients[n]);
        tls_context_release(servers[n]);
    }
}

/* Contexts are made once; a scenario only makes sessions. */
static void make_contexts(void)
{
    struct certificate ca = certificate_make(&(struct certificate_request){.name = "test CA", .is_ca = true});
    struct certificate server = certificate_make(
        &(struct certificate_request){.name = "server", .san = "DNS:cache.example", .ca = &ca});
    struct certificate client =
        certificate_make(&(struct certificate_request){.name = "client", .san = "DNS:monitor", .ca = &ca});
    struct tls_identity identity = {pem(server.pem), pem(server.key)};
    clients[0] = make_client((struct tls_client_settings){.ca = pem(ca.pem)});
    clients[1] = make_client(
        (struct tls_client_settings){.ca = pem(ca.pem), .identity = {pem(client.pem), pem(client.key)}});
    clients[2] = make_client((struct tls_client_settings){.ca = pem(client.pem), .skip_verify = true});
    servers[0] = make_server((struct tls_server_settings){.identity = identity});
    servers[1] = make_server((struct tls_server_settings){.identity = identity,
                                                          .client_ca = pem(ca.pem),
                                                          .has_client_ca = true,
                                                          .client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT});
    servers[2] = make_server((struct tls_server_settings){.identity = identity, .max_version = TLS_1_2});
    certificate_free(&ca);
    certificate_free(&server);
    certificate_free(&client);
    atexit(release_contexts);
}

/* --- One side --- */

static void begin_side(struct side *side, struct tls_context *context, const char *name)
{
    *side = (struct side){.status = TLS_MORE};
    buffer_init(&side->way, 1 << 20);
    buffer_init(&side->said, HEARD_MAX);
    buffer_init(&side->heard, 2 * HEARD_MAX);
    if (tls_init(&side->tls, context, name) < 0) fault("the fuzzer is out of memory");
}

static void end_side(struct side *side)
{
    tls_deinit(&side->tls);
    buffer_deinit(&side->way);
    buffer_deinit(&side->said);
    buffer_deinit(&side->heard);
}

static void fail_side(struct side *side)
{
    side->status = TLS_FAILED;
    side->ended = true;
    expect(tls_why(&side->tls));
    (void) tls_met_http(&side->tls);
}

/* Gives bytes to a side; each in memory of its own. */
static void hear(struct side *side, const struct side *other, size_t len)
{
    char bytes[512];
    char *copy = malloc(len + 1);
    if (!copy) return;
    if (len) memcpy(copy, side->way.data, len);
    side->way.len -= len;
    if (side->way.len) memmove(side->way.data, side->way.data + len, side->way.len);
    struct slice input = {copy, len};
    if (side->status == TLS_MORE) side->status = tls_handshake(&side->tls, &input);
    if (side->status == TLS_FAILED && !side->ended) fail_side(side);
    while (side->status == TLS_DONE) {
        ssize_t n = tls_read(&side->tls, &input, bytes, sizeof(bytes));
        if (n == 0) break;
        if (n == UV_EOF) side->status = TLS_FAILED;
        if (n < 0) {
            if (n != UV_EOF) fail_side(side);
            break;
        }
        buffer_append_slice(&side->heard, (struct slice){bytes, (size_t) n});
    }
    struct slice said = buffer_slice(&other->said), heard = buffer_slice(&side->heard);
    if (heard.len > said.len || (heard.len && memcmp(heard.data, said.data, heard.len) != 0))
        fault("a side heard what was not said");
    free(copy);
}

static void say(struct side *side)
{
    char text[300];
    size_t len = 1 + script_byte();
    if (side->status != TLS_DONE || side->ended || side->said.len + len > HEARD_MAX) return;
    memset(text, 'a' + (int) (len % 26), len);
    buffer_append_slice(&side->said, (struct slice){text, len});
    if (tls_write(&side->tls, text, len) < 0) side->ended = true;
}

/* --- The way between them --- */

static void change_way(struct side *side, unsigned how)
{
    struct buffer *way = &side->way;
    size_t at = way->len ? (script_byte() * 7 + script_byte()) % way->len : 0;
    struct slice bytes;
    switch (how) {
    case 0: /* another byte */
        if (way->len) way->data[at] = (char) script_byte();
        break;
    case 1: /* the rest is lost */
        way->len = at;
        break;
    case 2: /* sent twice */
        if (way->len && way->len < 65536) {
            char *copy = malloc(way->len);
            if (!copy) return;
            memcpy(copy, way->data, way->len);
            buffer_append_slice(way, (struct slice){copy, way->len});
            free(copy);
        }
        break;
    default: /* forged */
        bytes = script_bytes(255);
        if (bytes.len) buffer_append_slice(way, bytes);
        break;
    }
}

/* Puts what a side has to send on the way to the other. */
static void send_off(struct side *from, struct side *to)
{
    if (from->tls.output.len) buffer_append_slice(&to->way, buffer_slice(&from->tls.output));
    buffer_clear(&from->tls.output);
}

static void act(struct side sides[2], unsigned action)
{
    unsigned n = action & 1;
    struct side *side = &sides[n], *other = &sides[1 - n];
    switch (action >> 1 & 7) {
    case 0:
    case 1:
        hear(side, other, side->way.len);
        break;
    case 2: {
        size_t len = script_byte() * (1 + script_byte() % 4);
        hear(side, other, len < side->way.len ? len : side->way.len);
        break;
    }
    case 3:
        say(side);
        break;
    case 4:
        if (side->status == TLS_DONE && !side->ended) tls_end(&side->tls);
        side->ended |= side->status == TLS_DONE;
        break;
    default:
        change_way(side, action >> 4 & 3);
        break;
    }
    send_off(&sides[0], &sides[1]);
    send_off(&sides[1], &sides[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct side sides[2];
    script_begin(data, size);
    if (!clients[0]) make_contexts();
    unsigned settings = script_byte();
    begin_side(&sides[0], clients[settings % 3], settings & 0x40 ? "other.example" : "cache.example");
    begin_side(&sides[1], servers[settings / 3 % 3], NULL);
    act(sides, 0);
    while (!script_is_over()) act(sides, script_byte());
    for (int turn = 0; turn < 8; turn++) act(sides, turn & 1);
    end_side(&sides[0]);
    end_side(&sides[1]);
    return 0;
}
