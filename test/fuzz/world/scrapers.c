#include "scrapers.h"

#include "answers.h"
#include "base/buffer.h"
#include "base/container.h"
#include "base/number.h"
#include "kernel.h"
#include "memcacheds.h"
#include "script.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server counts as healthy for a scrape if it was so this long before. */
#define SETTLED_NS (3000 * MS_NS)

/* What the turns of the loop may take beyond a deadline. */
#define SLACK_NS (100 * MS_NS)

struct expectations expectations;
static unsigned waiting;
static bool stops;

enum habit {
    HABIT_GOOD,     /* sends whole requests and reads at once */
    HABIT_DRIPPING, /* sends its request in pieces */
    HABIT_LEAVING,  /* shuts its end down after the request */
    HABIT_BREAKING, /* breaks the connection off after the request */
    HABIT_SLOW,     /* pauses reading */
    HABIT_STUCK,    /* never reads */
    HABIT_RAW,      /* sends bytes of the script */
    HABIT_MUTE,     /* sends nothing */
    HABIT_COUNT
};

/* A request whose answer is to come. */
struct question {
    uint64_t end;       /* sent bytes at its end */
    uint64_t read_tick; /* when the program had read all of it; 0 before */
    uint64_t read_ns;
    uint64_t stood_ns; /* how long the program had stood still by then */
    uint64_t limit_ns; /* its deadline; 0 for none */
    bool head;
    bool metrics;    /* asks all configured servers */
    bool checked;    /* its exposition can be checked */
    unsigned single; /* asks for one server by target=; MEMCACHEDS_MAX: no */
};

#define QUESTIONS_MAX 4

struct scraper {
    struct peer peer;
    enum habit habit;
    struct question questions[QUESTIONS_MAX];
    unsigned count, answered;
    struct buffer to_send, received;
    size_t sent;
    bool over;
};

/* --- Checking --- */

/* Returns the value of a sample of a server, or -1. `family` is the name without its labels. */
static double sample_of(struct slice body, const char *family, unsigned server, bool labelled)
{
    char start[128];
    int len;
    if (!labelled)
        len = snprintf(start, sizeof(start), "%s ", family);
    else if (expectations.by_name)
        len = snprintf(start, sizeof(start), "%s{instance=\"c%u.test:11211\"} ", family, server + 1);
    else
        len = snprintf(start, sizeof(start), "%s{instance=\"10.0.0.%u:11211\"} ", family, server + 1);
    while (body.len) {
        struct slice line = slice_cut(&body, '\n');
        if (slice_starts(line, start)) return strtod(line.data + len, NULL);
    }
    return -1;
}

static void note_read(struct question *question)
{
    question->read_tick = kernel_tick();
    question->read_ns = kernel_now();
    question->stood_ns = kernel_stood_still();
}

static void check_server(const struct question *question, struct slice body, unsigned server, bool labelled)
{
    uint64_t since_ns = memcacheds_healthy_since(server);
    double up = sample_of(body, "memcached_up", server, labelled);
    if (since_ns == NEVER || (since_ns && since_ns + SETTLED_NS > question->read_ns)) return;
    if (up != 1) fault("server %u is healthy and not up:\n%.*s", server + 1, (int) body.len, body.data);
    double items = sample_of(body, "memcached_current_items", server, labelled);
    /* An answer that would come too late is cut at servers, and says so. */
    if (items < 0 && sample_of(body, "memcached_target_truncated", server, labelled) > 0) return;
    if (items < 0) fault("server %u has no current_items:\n%.*s", server + 1, (int) body.len, body.data);
    uint64_t tick = memcacheds_read_tick(server, (uint64_t) items);
    if (tick == 0) fault("server %u never said %.0f", server + 1, items);
    if (tick < question->read_tick)
        fault("server %u: the sample %.0f is of an earlier poll", server + 1, items);
}

static void check_exposition(const struct question *question, struct slice body)
{
    if (!expectations.up || !question->checked || stops) return;
    /* Servers have a second at least, in which the program runs. */
    uint64_t stood_ns = kernel_stood_still() - question->stood_ns;
    if (question->limit_ns && question->limit_ns < 1000 * MS_NS + stood_ns) return;
    if (question->single < MEMCACHEDS_MAX) {
        check_server(question, body, question->single, false);
        return;
    }
    for (unsigned n = 0; question->metrics && n < expectations.servers; n++)
        check_server(question, body, n, expectations.labelled);
}

/* A pipelined request begins when the one before it is answered. */
static void begin_next(struct scraper *scraper)
{
    struct question *question = &scraper->questions[scraper->answered];
    if (scraper->answered == scraper->count || question->read_tick == 0) return;
    note_read(question);
}

static void check_answer(struct scraper *scraper, const struct answer_read *answer)
{
    const struct question *question = &scraper->questions[scraper->answered++];
    bool good = scraper->habit == HABIT_GOOD || scraper->habit == HABIT_DRIPPING;
    if (question->read_tick == 0) {
        /* Turned away before the request was read to its end. */
        if (answer->status < 400) fault("an answer with status %d to half a request", answer->status);
        return;
    }
    uint64_t took_ns = kernel_now() - question->read_ns;
    uint64_t slack_ns = SLACK_NS + expectations.stalled_ns;
    if (good && expectations.in_time && question->limit_ns && took_ns > question->limit_ns + slack_ns)
        fault("an answer took %llu ms of %llu ms", (unsigned long long) (took_ns / MS_NS),
              (unsigned long long) (question->limit_ns / MS_NS));
    if (answer->status == 200 && answer->plain && !question->head) check_exposition(question, answer->body);
    begin_next(scraper);
}

/* Looks at what has been received; `ended`: nothing will follow. */
static void check_received(struct scraper *scraper, bool ended)
{
    struct slice rest = buffer_slice(&scraper->received);
    struct answer_read answer;
    while (rest.len) {
        bool known = scraper->answered < scraper->count;
        const struct question *question = &scraper->questions[scraper->answered];
        bool head = known && question->head && question->read_tick;
        enum answer_outcome outcome = answer_next(&rest, head, ended, &answer);
        if (outcome == ANSWER_MALFORMED) fault("not an answer: %.*s", (int) rest.len, rest.data);
        if (outcome == ANSWER_PART) break;
        if (scraper->habit == HABIT_RAW) continue;
        if (known)
            check_answer(scraper, &answer);
        else if (answer.status < 400 || !answer.closes) /* a client may be turned away before it asks */
            fault("an answer with status %d that nobody asked for", answer.status);
        if (answer.closes && rest.len) fault("after the last answer: %.*s", (int) rest.len, rest.data);
    }
    bool has_time = !stops || scraper->habit != HABIT_SLOW;
    if (ended && rest.len && expectations.whole && has_time)
        fault("half an answer: %.*s", (int) rest.len, rest.data);
    size_t taken = scraper->received.len - rest.len;
    if (taken) memmove(scraper->received.data, scraper->received.data + taken, rest.len);
    scraper->received.len = rest.len;
}

/* --- Life --- */

static void end_scraper(struct scraper *scraper)
{
    if (scraper->over) return;
    scraper->over = true;
    waiting--;
}

static bool reads(const struct scraper *scraper)
{
    return scraper->habit != HABIT_STUCK && scraper->habit != HABIT_BREAKING;
}

static void on_bytes(struct peer *peer, struct slice bytes)
{
    struct scraper *scraper = container_of(peer, struct scraper, peer);
    if (!reads(scraper)) return;
    buffer_append_slice(&scraper->received, bytes);
    bool raw = scraper->habit == HABIT_RAW;
    if (!raw) check_received(scraper, false);
    if (scraper->habit == HABIT_SLOW) {
        kernel_stop_reading(peer, true);
        peer->due_ns = kernel_now() + (1 + script_byte()) * MS_NS;
    }
    if (!raw && scraper->answered == scraper->count && scraper->sent == scraper->to_send.len) {
        kernel_finish(peer);
        end_scraper(scraper);
    }
}

static void on_read(struct peer *peer, uint64_t total)
{
    struct scraper *scraper = container_of(peer, struct scraper, peer);
    for (unsigned n = 0; n < scraper->count; n++) {
        struct question *question = &scraper->questions[n];
        if (question->read_tick || total < question->end) continue;
        note_read(question);
    }
}

static void on_end(struct peer *peer)
{
    struct scraper *scraper = container_of(peer, struct scraper, peer);
    bool raw = scraper->habit == HABIT_RAW;
    /* Whether a raw request is HEAD is not known. */
    bool head = raw && scraper->to_send.len && memmem(scraper->to_send.data, scraper->to_send.len, "HEAD", 4);
    if (reads(scraper) && !head) check_received(scraper, true);
    kernel_finish(peer);
    end_scraper(scraper);
}

static void send_piece(struct scraper *scraper)
{
    size_t left = scraper->to_send.len - scraper->sent, len = left;
    if (scraper->habit == HABIT_DRIPPING && left) len = 1 + script_byte() % left;
    kernel_send(&scraper->peer, (struct slice){scraper->to_send.data + scraper->sent, len});
    scraper->sent += len;
    if (scraper->sent < scraper->to_send.len) {
        scraper->peer.due_ns = kernel_now() + script_byte() * MS_NS;
        return;
    }
    switch (scraper->habit) {
    case HABIT_LEAVING:
        kernel_finish(&scraper->peer);
        break;
    case HABIT_BREAKING:
        if (len > 0) {
            scraper->peer.due_ns = kernel_now() + script_byte() * MS_NS;
            return;
        }
        kernel_reset(&scraper->peer);
        end_scraper(scraper);
        break;
    case HABIT_RAW:
        if (script_below(2)) kernel_finish(&scraper->peer);
        break;
    default:
        break;
    }
}

static void on_due(struct peer *peer)
{
    struct scraper *scraper = container_of(peer, struct scraper, peer);
    kernel_stop_reading(peer, scraper->habit == HABIT_STUCK);
    if (scraper->sent < scraper->to_send.len || scraper->habit == HABIT_BREAKING) send_piece(scraper);
}

static void free_scraper(struct peer *peer)
{
    struct scraper *scraper = container_of(peer, struct scraper, peer);
    buffer_deinit(&scraper->to_send);
    buffer_deinit(&scraper->received);
    free(scraper);
}

static const struct peer_kind scraper_kind = {on_bytes, on_read, on_end, on_due, free_scraper};

/* --- Requests --- */

struct page {
    const char *line;
    bool metrics, checked;
    int single; /* of target=, or -1 */
};

static const struct page pages[] = {
    {"GET /metrics", true, true, -1},
    {"GET /scrape?target=10.0.0.1:11211", false, true, 0},
    {"GET /scrape?target=10.0.0.2", false, true, 1},
    {"GET /", false, false, -1},
    {"GET /sd", false, false, -1},
    {"GET /-/healthy", false, false, -1},
    {"GET /-/ready", false, false, -1},
    {"POST /-/reload", false, false, -1},
    {"HEAD /metrics", false, false, -1},
    {"GET /metrics?collect[]=slabs&name[]=memcached_up", false, false, -1},
    {"GET /scrape?target=10.0.0.1&target=10.0.0.2&target=c3.test&debug=true", false, false, -1},
    {"GET /scrape?target=all.test&fail=true", false, false, -1},
    {"GET /scrape?target=169.254.169.254:80", false, false, -1},
    {"GET /probe?target=nobody.example:1&module=none", false, false, -1},
    {"GET /nothing", false, false, -1},
    {"DELETE /metrics", false, false, -1},
    {"GET /scrape?target=[fe80::1]:11211", false, false, -1},
    {"GET /scrape?target=127.0.0.1:9150", false, false, -1},
};

static const struct {
    const char *header;
    unsigned limit_ms;
} limits[] = {
    {"", 0},
    {"X-Prometheus-Scrape-Timeout-Seconds: 10\r\n", 10000},
    {"X-Prometheus-Scrape-Timeout-Seconds: 1\r\n", 1000},
    {"X-Prometheus-Scrape-Timeout-Seconds: 0.5\r\n", 500},
    {"X-Prometheus-Scrape-Timeout-Seconds: 0.02\r\n", 20},
    {"X-Prometheus-Scrape-Timeout-Seconds: soon\r\n", 0},
};

static const char *const accepts[] = {
    "",
    "Accept: application/openmetrics-text;version=1.0.0\r\n",
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n",
    "Accept-Encoding: gzip\r\n",
    "Accept-Encoding: zstd\r\n",
    "User-Agent: kube-probe/1.30\r\n",
    "Connection: close\r\n",
};

static void add_question(struct scraper *scraper)
{
    const struct page *page = &pages[script_below(ARRAY_LEN(pages))];
    unsigned limit = script_below(ARRAY_LEN(limits)), accept = script_below(ARRAY_LEN(accepts));
    struct question *question = &scraper->questions[scraper->count++];
    bool scrapes = strstr(page->line, "metrics") || strstr(page->line, "target=");
    buffer_printf(&scraper->to_send, "%s HTTP/1.%d\r\nHost: exporter\r\n%s%s\r\n", page->line,
                  script_byte() % 8 == 7 ? 0 : 1, limits[limit].header, accepts[accept]);
    *question = (struct question){
        .end = scraper->to_send.len,
        .limit_ns = scrapes ? limits[limit].limit_ms * MS_NS : 0,
        .head = slice_starts(slice_of(page->line), "HEAD"),
        .metrics = page->metrics,
        .checked = page->checked && accept != 5,
        .single = page->single < 0 ? MEMCACHEDS_MAX : (unsigned) page->single,
    };
}

void scrapers_begin(void)
{
    waiting = 0;
    stops = false;
}

void scrapers_add(void)
{
    struct scraper *scraper = calloc(1, sizeof(*scraper));
    struct sockaddr_storage from = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *) &from;
    if (!scraper) fault("the fuzzer is out of memory");
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(50000)};
    v4->sin_addr.s_addr = htonl(0x0a000200 + script_byte() % 4);
    kernel_add(&scraper->peer, &scraper_kind);
    buffer_init(&scraper->to_send, 65536);
    buffer_init(&scraper->received, SIZE_MAX / 2);
    waiting++;
    if (!kernel_knock(&scraper->peer, &from)) {
        end_scraper(scraper);
        return;
    }
    scraper->habit = (enum habit) script_below(HABIT_COUNT);
    if (scraper->habit == HABIT_RAW) {
        buffer_append_slice(&scraper->to_send, script_bytes(255));
    } else if (scraper->habit != HABIT_MUTE) {
        unsigned questions = 1 + script_below(QUESTIONS_MAX);
        while (questions--) add_question(scraper);
    }
    if (scraper->habit == HABIT_STUCK) kernel_stop_reading(&scraper->peer, true);
    if (scraper->to_send.len) send_piece(scraper);
}

unsigned scrapers_waiting(void)
{
    return waiting;
}

void scrapers_note_stop(void)
{
    stops = true;
}
