#include "names.h"

#include "base/container.h"
#include "kernel.h"
#include "script.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD         12
#define TTL          30
#define MESSAGE      1024
#define NAME_MAX_LEN 256

static unsigned server_count;
static bool honest;

/* An answer on its way. */
struct answer {
    struct peer peer;
    int descriptor;
    uint64_t generation;
    size_t len;
    char message[MESSAGE];
};

void names_begin(unsigned servers, bool is_honest)
{
    server_count = servers;
    honest = is_honest;
}

bool names_are_honest(void)
{
    return honest;
}

/* --- Messages --- */

static void append_byte(struct answer *answer, unsigned byte)
{
    if (answer->len < MESSAGE) answer->message[answer->len++] = (char) byte;
}

static void append_u16(struct answer *answer, unsigned number)
{
    append_byte(answer, number >> 8 & 0xff);
    append_byte(answer, number & 0xff);
}

/* A record of the asked name, up to its data. */
static void append_record(struct answer *answer, unsigned type, unsigned len)
{
    append_u16(answer, 0xc000 | HEAD);
    append_u16(answer, type);
    append_u16(answer, ns_c_in);
    append_u16(answer, 0);
    append_u16(answer, TTL);
    append_u16(answer, len);
    answer->message[7]++;
}

static void append_a(struct answer *answer, unsigned server)
{
    append_record(answer, ns_t_a, 4);
    append_u16(answer, 0x0a00);
    append_u16(answer, server);
}

static void append_srv(struct answer *answer, unsigned server)
{
    append_record(answer, ns_t_srv, 6 + 3 + 6);
    append_u16(answer, 0);
    append_u16(answer, 0);
    append_u16(answer, 11211);
    append_byte(answer, 2);
    append_byte(answer, 'c');
    append_byte(answer, '0' + server);
    append_byte(answer, 4);
    for (const char *c = "test"; *c; c++) append_byte(answer, (unsigned char) *c);
    append_byte(answer, 0);
}

/* Reads the question's name as text, without the last dot. Returns the length of the question, or 0. */
static size_t read_question(struct slice query, char name[NAME_MAX_LEN], unsigned *type)
{
    size_t at = HEAD, out = 0;
    while (at < query.len && query.data[at]) {
        size_t len = (unsigned char) query.data[at++];
        if (at + len >= query.len || out + len + 1 >= NAME_MAX_LEN) return 0;
        memcpy(name + out, query.data + at, len);
        out += len;
        name[out++] = '.';
        at += len;
    }
    if (at + 5 > query.len) return 0;
    name[out ? out - 1 : 0] = '\0';
    *type = (unsigned) (unsigned char) query.data[at + 1] << 8 | (unsigned char) query.data[at + 2];
    return at + 5 - HEAD;
}

static void append_truth(struct answer *answer, const char *name, unsigned type)
{
    unsigned server;
    if (type == ns_t_a && sscanf(name, "c%1u.test", &server) == 1 && server && server <= server_count)
        append_a(answer, server);
    else if (type == ns_t_a && strcmp(name, "all.test") == 0)
        for (server = 1; server <= server_count; server++) append_a(answer, server);
    else if (type == ns_t_srv && strcmp(name, "_memcache._tcp.test") == 0)
        for (server = 1; server <= server_count; server++) append_srv(answer, server);
    else if (!strstr(name, "test"))
        answer->message[3] |= ns_r_nxdomain;
}

static void append_lie(struct answer *answer, unsigned lie)
{
    struct slice bytes;
    switch (lie) {
    case 1: /* any bytes after the question */
        answer->message[7] = (char) script_byte();
        bytes = script_bytes(255);
        for (size_t n = 0; n < bytes.len; n++) append_byte(answer, (unsigned char) bytes.data[n]);
        break;
    case 2: /* one byte is another */
        answer->message[script_byte() % answer->len] = (char) script_byte();
        break;
    case 3:
        answer->len = script_byte() % answer->len;
        break;
    case 4:
        answer->message[2] |= 2; /* truncated: to be asked by TCP, which is refused */
        break;
    default:
        answer->message[3] |= (char) (lie & 0xf); /* some failure */
        break;
    }
}

/* --- Sending --- */

static void on_due(struct peer *peer)
{
    const struct answer *answer = container_of(peer, struct answer, peer);
    kernel_send_datagram(answer->descriptor, answer->generation,
                         (struct slice){answer->message, answer->len});
}

static void free_answer(struct peer *peer)
{
    free(container_of(peer, struct answer, peer));
}

static const struct peer_kind answer_kind = {NULL, NULL, NULL, on_due, free_answer};

void names_ask(int descriptor, struct slice query)
{
    char name[NAME_MAX_LEN];
    unsigned type = 0, delay_ms = 0, lie = 0;
    size_t question = query.len > HEAD ? read_question(query, name, &type) : 0;
    if (!honest) {
        lie = script_below(16);
        delay_ms = lie ? script_byte() : 0;
        if (lie == 15) return;
    }
    if (question == 0) return;
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer) fault("the fuzzer is out of memory");
    memcpy(answer->message, query.data, HEAD + question);
    answer->len = HEAD + question;
    answer->message[2] = (char) 0x81;
    answer->message[3] = (char) 0x80;
    memset(answer->message + 6, 0, 6);
    append_truth(answer, name, type);
    if (lie && lie < 14) append_lie(answer, lie);
    answer->descriptor = descriptor;
    answer->generation = kernel_generation(descriptor);
    kernel_add(&answer->peer, &answer_kind);
    answer->peer.due_ns = kernel_now() + delay_ms * MS_NS;
}
