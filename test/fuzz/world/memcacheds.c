#include "memcacheds.h"

#include "base/container.h"
#include "kernel.h"
#include "script.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLIES_MAX 512
#define PORT        11211

/* Numbers of replies begin with that of the server. */
#define NUMBERS 1000000

static struct memcached {
    enum manner manner;
    uint64_t since_ns; /* in this manner, if it is a healthy one; else NEVER */
    unsigned replies;
    uint64_t read_ticks[REPLIES_MAX]; /* when the last byte of each reply was read; NEVER before */
} memcacheds[MEMCACHEDS_MAX];

/* A connection to one of them. */
struct line {
    struct peer peer;
    unsigned server;
    enum manner manner; /* that of the server when it was established */
    unsigned answered;  /* number of `stats` */
    bool is_binary;     /* its requests are packets */
    char asked[1024];   /* commands that are not whole yet */
    size_t asked_len;
    char *held; /* bytes to be sent later */
    size_t held_at, held_len;
    bool parts;         /* ends when everything is sent */
    unsigned reply;     /* number of the reply under way */
    uint64_t reply_end; /* sent bytes at its end; NEVER if it is not sent yet */
};

void memcacheds_begin(void)
{
    memset(memcacheds, 0, sizeof(memcacheds));
}

void memcacheds_set(unsigned server, enum manner manner)
{
    struct memcached *memcached = &memcacheds[server];
    bool was_healthy = memcached->manner < MANNER_HEALTHY_END;
    memcached->manner = manner;
    if (manner >= MANNER_HEALTHY_END)
        memcached->since_ns = NEVER;
    else if (!was_healthy)
        memcached->since_ns = kernel_now();
}

uint64_t memcacheds_healthy_since(unsigned server)
{
    return memcacheds[server].since_ns;
}

uint64_t memcacheds_read_tick(unsigned server, uint64_t number)
{
    uint64_t first = (uint64_t) (server + 1) * NUMBERS;
    if (number < first || number >= first + memcacheds[server].replies) return 0;
    return memcacheds[server].read_ticks[number - first];
}

/* --- Sending --- */

static void send_held(struct line *line, size_t most)
{
    size_t left = line->held_len - line->held_at, len = left < most ? left : most;
    kernel_send(&line->peer, (struct slice){line->held + line->held_at, len});
    line->held_at += len;
    if (line->held_at == line->held_len && line->parts) kernel_finish(&line->peer);
}

static void hold(struct line *line, struct slice bytes)
{
    if (line->held_at == line->held_len) line->held_at = line->held_len = 0;
    char *held = realloc(line->held, line->held_len + bytes.len + 1);
    if (!held) fault("the fuzzer is out of memory");
    line->held = held;
    memcpy(held + line->held_len, bytes.data, bytes.len);
    line->held_len += bytes.len;
}

static void on_due(struct peer *peer)
{
    struct line *line = container_of(peer, struct line, peer);
    if (line->manner == MANNER_FLOOD && line->held_at == line->held_len) {
        static const char stat[] = "STAT flood_of_stats 12345678901234567890\r\n";
        for (int n = 0; n < 200; n++) hold(line, (struct slice){stat, sizeof(stat) - 1});
    }
    if (line->manner == MANNER_SLOW)
        send_held(line, 64 + script_byte());
    else
        send_held(line, SIZE_MAX);
    if (line->held_at < line->held_len) peer->due_ns = kernel_now() + MS_NS;
    if (line->manner == MANNER_FLOOD && !script_is_over() && peer->sent < 400000)
        peer->due_ns = kernel_now() + MS_NS;
}

/* --- Answers --- */

static const char more_stats[] =
    "STAT pid 1\r\nSTAT uptime 100\r\nSTAT time 1700000000\r\nSTAT version 1.6.38\r\n"
    "STAT cmd_get 5\r\nSTAT cmd_set 7\r\nSTAT bytes 77\r\nSTAT evictions 0\r\n";

static void append_stats(struct line *line, char *text, size_t size)
{
    struct memcached *memcached = &memcacheds[line->server];
    unsigned reply = memcached->replies < REPLIES_MAX ? memcached->replies++ : REPLIES_MAX - 1;
    memcached->read_ticks[reply] = NEVER;
    line->reply = reply;
    line->reply_end = 0;
    line->answered++;
    snprintf(text, size, "STAT curr_items %u\r\n%s%sEND\r\n", (line->server + 1) * NUMBERS + reply,
             more_stats,
             script_byte() % 4 == 3 ? "STAT extstore_limit_maxbytes 1\r\nSTAT threads 4\r\n" : "");
}

static void hold_asked(struct line *line, struct slice bytes)
{
    if (line->asked_len + bytes.len > sizeof(line->asked)) fault("a server is sent a command without an end");
    memcpy(line->asked + line->asked_len, bytes.data, bytes.len);
    line->asked_len += bytes.len;
}

/* Puts the reply to one command into `text`. */
static void make_reply(struct line *line, struct slice command, char *text, size_t size)
{
    text[0] = '\0';
    if (slice_is(command, "stats"))
        append_stats(line, text, size);
    else if (line->manner == MANNER_REFUSING)
        snprintf(text, size, "ERROR\r\n");
    else if (slice_is(command, "stats settings"))
        snprintf(text, size, "STAT maxbytes 67108864\r\nSTAT maxconns 1024\r\nSTAT evictions on\r\nEND\r\n");
    else if (slice_is(command, "stats items"))
        snprintf(text, size,
                 "STAT items:1:number 3\r\nSTAT items:1:age 9\r\nSTAT items:31:number 1\r\nEND\r\n");
    else if (slice_is(command, "stats slabs"))
        snprintf(text, size,
                 "STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 3\r\nSTAT active_slabs 1\r\nEND\r\n");
    else if (slice_is(command, "stats sizes"))
        snprintf(text, size, "STAT 96 3\r\nEND\r\n");
    else if (slice_is(command, "stats conns"))
        snprintf(text, size, "STAT 27:addr tcp:0.0.0.0:11211\r\nSTAT 27:state conn_listening\r\nEND\r\n");
    else if (slice_is(command, "stats detail dump"))
        snprintf(text, size, "PREFIX user get 1 hit 1 set 1 del 0\r\nEND\r\n");
    else if (slice_is(command, "config get cluster"))
        snprintf(text, size,
                 "CONFIG cluster 0 61\r\n%u\nc1.test|10.0.0.1|11211 c2.test|10.0.0.2|11211 "
                 "c9.test||11211\n\n\r\nEND\r\n",
                 1 + script_below(9));
    else if (slice_starts(command, "stats") || slice_starts(command, "get "))
        snprintf(text, size, "END\r\n");
    else if (slice_starts(command, "set auth "))
        return; /* its second line is answered */
    else if (slice_is(command, "u p") || slice_is(command, "u secret"))
        snprintf(text, size, script_byte() % 4 ? "CLIENT_ERROR authentication failure\r\n" : "STORED\r\n");
    else
        fault("a server is sent a command that is none: %.*s", (int) command.len, command.data);
}

/* Sends a reply in the manner of the connection. */
static void give(struct line *line, struct slice reply)
{
    struct peer *peer = &line->peer;
    switch (line->manner) {
    case MANNER_SLOW:
        hold(line, reply);
        if (peer->due_ns == NEVER) peer->due_ns = kernel_now() + MS_NS;
        return;
    case MANNER_LATE:
        hold(line, reply);
        if (peer->due_ns == NEVER) peer->due_ns = kernel_now() + (900 + 4 * script_byte()) * MS_NS;
        return;
    case MANNER_CUT:
    case MANNER_RESET:
    case MANNER_STUCK:
        kernel_send(peer, (struct slice){reply.data, script_byte() % reply.len});
        if (line->manner == MANNER_CUT) kernel_finish(peer);
        if (line->manner == MANNER_RESET) kernel_reset(peer);
        line->manner = MANNER_DEAF;
        return;
    case MANNER_DOUBLE:
        kernel_send(peer, reply);
        kernel_send(peer, reply);
        return;
    case MANNER_BINARY:
        kernel_send(peer, SLICE("\x81\x10"));
        kernel_send(peer, script_bytes(255));
        return;
    case MANNER_GARBAGE:
        kernel_send(peer, script_bytes(255));
        if (script_below(2)) kernel_send(peer, reply);
        return;
    case MANNER_FLOOD:
        peer->due_ns = kernel_now();
        return;
    default:
        kernel_send(peer, reply);
        if (line->manner == MANNER_PARTING && line->answered) line->parts = true;
    }
}

static void answer(struct line *line, struct slice command)
{
    char text[1024];
    bool dead = line->manner == MANNER_DEAF ||
                (line->manner == MANNER_FORGETFUL && line->answered && slice_is(command, "stats"));
    if (dead) line->manner = MANNER_DEAF;
    if (dead) return;
    make_reply(line, command, text, sizeof(text));
    if (text[0]) give(line, slice_of(text));
    if (line->answered == 0 || line->manner >= MANNER_HEALTHY_END) return;
    /* A poll ends with its last reply. */
    memcacheds[line->server].read_ticks[line->reply] = NEVER;
    line->reply_end = line->peer.sent + (line->held_len - line->held_at);
}

/* --- The binary protocol --- */

#define HEADER_LEN 24

/* Sends an answer to a request with this header. */
static void send_packet(struct line *line, const char *request, unsigned status, struct slice key,
                        struct slice value)
{
    char packet[HEADER_LEN] = {(char) 0x81, request[1], 0, (char) key.len};
    packet[7] = (char) status;
    packet[11] = (char) (key.len + value.len);
    kernel_send(&line->peer, (struct slice){packet, sizeof(packet)});
    kernel_send(&line->peer, key);
    kernel_send(&line->peer, value);
}

/* Answers one packet: as it should be, with a failure, or with bytes of the script. */
static void answer_packet(struct line *line, const char *request)
{
    static const unsigned failures[] = {0x01, 0x20, 0x81, 0x85};
    unsigned choice = script_byte() % 8;
    bool asks_stats = request[1] == 0x10;
    if (choice == 7) {
        kernel_send(&line->peer, script_bytes(255));
    } else if (choice == 6) {
        send_packet(line, request, failures[script_byte() % 4], SLICE(""), SLICE("no"));
    } else {
        if (asks_stats) send_packet(line, request, 0, SLICE("pid"), SLICE("1"));
        if (asks_stats) send_packet(line, request, 0, SLICE("curr_items"), SLICE("5"));
        if (asks_stats && choice == 5) send_packet(line, request, 0, script_bytes(60), script_bytes(60));
        send_packet(line, request, 0, SLICE(""), SLICE(""));
    }
}

/* Packets are collected until they are whole; all of them are short. */
static void take_packets(struct line *line, struct slice bytes)
{
    hold_asked(line, bytes);
    while (line->asked_len >= HEADER_LEN) {
        size_t len = HEADER_LEN + (unsigned char) line->asked[11];
        if (line->asked_len < len) return;
        answer_packet(line, line->asked);
        line->asked_len -= len;
        memmove(line->asked, line->asked + len, line->asked_len);
    }
}

static void on_bytes(struct peer *peer, struct slice bytes)
{
    struct line *line = container_of(peer, struct line, peer);
    if (line->asked_len == 0 && bytes.len && (unsigned char) bytes.data[0] == 0x80) line->is_binary = true;
    if (line->is_binary) {
        take_packets(line, bytes);
        return;
    }
    for (size_t n = 0; n < bytes.len; n++) {
        if (bytes.data[n] != '\n') {
            hold_asked(line, (struct slice){bytes.data + n, 1});
            continue;
        }
        size_t len = line->asked_len && line->asked[line->asked_len - 1] == '\r' ? line->asked_len - 1
                                                                                 : line->asked_len;
        line->asked_len = 0;
        answer(line, (struct slice){line->asked, len});
    }
    if (line->parts) peer->due_ns = kernel_now() + 5 * MS_NS; /* more commands may follow */
}

static void on_read(struct peer *peer, uint64_t total)
{
    const struct line *line = container_of(peer, struct line, peer);
    struct memcached *memcached = &memcacheds[line->server];
    if (line->reply_end && total >= line->reply_end && memcached->read_ticks[line->reply] == NEVER)
        memcached->read_ticks[line->reply] = kernel_tick();
}

/* --- Connections --- */

static void free_line(struct peer *peer)
{
    struct line *line = container_of(peer, struct line, peer);
    free(line->held);
    free(line);
}

static void on_established(struct peer *peer);

static const struct peer_kind line_kind = {on_bytes, on_read, NULL, on_due, free_line};
static const struct peer_kind new_kind = {on_bytes, on_read, NULL, on_established, free_line};

static void on_established(struct peer *peer)
{
    struct line *line = container_of(peer, struct line, peer);
    peer->kind = &line_kind;
    kernel_establish(peer, line->manner == MANNER_CLOSED ? ECONNREFUSED : 0);
    if (line->manner == MANNER_FULL) {
        kernel_send(peer, SLICE("ERROR Too many open connections\r\n"));
        kernel_finish(peer);
    }
}

/* Returns the number of the server at a name, or MEMCACHEDS_MAX. */
static unsigned server_of(const struct sockaddr *name)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *) (const void *) name;
    if (name->sa_family != AF_INET || ntohs(v4->sin_port) != PORT) return MEMCACHEDS_MAX;
    uint32_t host = ntohl(v4->sin_addr.s_addr) - 0x0a000001;
    return host < MEMCACHEDS_MAX ? host : MEMCACHEDS_MAX;
}

int memcacheds_connect(int descriptor, const struct sockaddr *name)
{
    unsigned server = server_of(name);
    if (server == MEMCACHEDS_MAX) return ECONNREFUSED;
    enum manner manner = memcacheds[server].manner;
    if (manner == MANNER_UNREACHABLE) return script_below(2) ? EADDRNOTAVAIL : ENETUNREACH;
    struct line *line = calloc(1, sizeof(*line));
    if (!line) fault("the fuzzer is out of memory");
    line->server = server;
    line->manner = manner;
    kernel_add(&line->peer, &new_kind);
    kernel_join(&line->peer, descriptor);
    if (manner != MANNER_SILENT) line->peer.due_ns = kernel_now() + (script_byte() % 8) * MS_NS;
    return EINPROGRESS;
}
