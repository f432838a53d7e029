/*
 * The whole program in a world of the script: scripted memcached servers, scrapers and a name server, in a
 * kernel of this process (world/). The first bytes choose how the exporter is started; then, whenever the
 * program waits, the script may let something happen: a new scraper, a server that changes its manner, a
 * reload, a signal.
 *
 * When the script is over, the world is as on a good day: all scrapers get their answers, and SIGTERM ends
 * the program. A fault is: a crash, a finding of the sanitizers, a failed assertion, an open handle or
 * descriptor or lost memory at the end, an answer that is not whole, late, or says what is not so of a
 * healthy server, a log line with a control character, a loop that spins or waits for ever.
 */
#include "base/container.h"
#include "base/log.h"
#include "exporter.h"
#include "target.h"
#include "world/files.h"
#include "world/kernel.h"
#include "world/memcacheds.h"
#include "world/names.h"
#include "world/scrapers.h"
#include "world/script.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 32

/* Virtual time that the scrapers have after the end of the script, and the program after SIGTERM. */
#define PATIENCE_NS (400000 * MS_NS)
#define GRACE_NS    (30000 * MS_NS)

static struct director {
    unsigned servers;
    bool configured;  /* by a file, which may be reloaded */
    bool scarce;      /* descriptors run out, once the loop runs */
    bool stopped;     /* SIGTERM was sent */
    uint64_t over_ns; /* when the script was over; 0 before */
    uint64_t stopped_ns;
    unsigned reloads;
} director;

/* --- Files --- */

static const char *const configurations[] = {
    "groups:\n- name: a\n  targets: [10.0.0.1, 10.0.0.2]\n- name: b\n  labels: {zone: x}\n  targets: "
    "[10.0.0.3]\n",
    "modules:\n  quick: {timeout: 300ms, collectors: []}\ngroups:\n- name: a\n  module: quick\n  targets: "
    "[10.0.0.1, c2.test]\n",
    "groups:\n- name: a\n  dns: {name: all.test, type: A, port: 11211, refresh: 1s}\n",
    "groups:\n- name: a\n  dns: {name: _memcache._tcp.test, type: SRV, refresh: 1s}\n- name: b\n  targets: "
    "[10.0.0.1]\n",
    "groups:\n- name: a\n  elasticache: {endpoint: '10.0.0.1:11211', refresh: 1s}\n",
    "groups:\n- name: a\n  file_sd: {files: [targets.*], refresh: 1s}\n",
    "groups:\n- name: a\n  targets: [10.0.0.1]\nscrape_policy:\n  allow: [10.0.0.2, loopback]\n  deny: "
    "[10.0.0.3]\n",
    "modules:\n  login: {auth: {username: u, password_file: password}}\ngroups:\n- name: a\n  module: "
    "login\n  targets: "
    "[10.0.0.1]\n",
    "modules:\n  all: {timeout: 700ms, collectors: [settings, items, slabs, sizes, conns, detail, extstore, "
    "proxy]}\n"
    "groups:\n- name: a\n  module: all\n  targets: [10.0.0.1, 10.0.0.2]\n",
    "groups: [",
    "",
};

static const char *const lists[] = {
    "[{\"targets\": [\"10.0.0.1\", \"10.0.0.2:11211\"], \"labels\": {\"zone\": \"a\"}}]",
    "[{\"targets\": [\"10.0.0.3\"]}, {\"targets\": [\"10.0.0.3\", \"no address:x\"], \"labels\": {\"up\": "
    "\"1\"}}]",
    "[]",
    "[{\"targets\"",
    "{}",
};

static void write_files(void)
{
    files_write("exporter.yml", slice_of(configurations[script_below(ARRAY_LEN(configurations))]));
    unsigned list = script_below(2 * ARRAY_LEN(lists));
    if (list < ARRAY_LEN(lists))
        files_write("targets.json", slice_of(lists[list]));
    else
        files_write("targets.json", script_bytes(255));
    kernel_touch("targets.json");
}

/* --- What happens while the program waits --- */

static void stop_program(void)
{
    if (director.stopped) return;
    director.stopped = true;
    director.stopped_ns = kernel_now();
    scrapers_note_stop();
    kernel_signal(script_byte() % 2 ? SIGINT : SIGTERM);
}

static void reload(void)
{
    director.reloads++;
    if (script_byte() % 4) write_files();
    kernel_signal(SIGHUP);
}

/* The process is stopped for a while, or its machine sleeps. */
static void stall(unsigned ms)
{
    expectations.stalled_ns += ms * MS_NS;
    kernel_stand_still(ms * MS_NS);
}

static void act(unsigned action)
{
    switch (action % 16) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        scrapers_add();
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        memcacheds_set(script_below(MEMCACHEDS_MAX), (enum manner) script_below(MANNER_COUNT));
        break;
    case 10:
        if (director.configured) reload();
        break;
    case 11:
        stall(script_byte());
        break;
    case 12:
        if (script_byte() == 255) stop_program();
        break;
    default:
        break;
    }
}

/* Ends the scenario when the script is over and all scrapers have what they came for. */
static void come_to_end(void)
{
    if (!script_is_over()) return;
    if (director.over_ns == 0) {
        director.over_ns = kernel_now();
        scrapers_add(); /* at least one, who is to find all well */
    }
    if (director.stopped && kernel_now() > director.stopped_ns + GRACE_NS) fault("the program does not stop");
    if (scrapers_waiting() == 0) stop_program();
    if (kernel_now() > director.over_ns + PATIENCE_NS) fault("%u scrapers get no answer", scrapers_waiting());
}

/* A small byte lets the program go on. */
static void on_wait(void)
{
    unsigned byte = script_byte();
    if (director.scarce) kernel_make_scarce();
    if (byte >= 0x60) act(byte);
    come_to_end();
}

static void on_idle(void)
{
    if (!script_is_over()) act(script_byte());
    come_to_end();
}

static const struct outside outside = {
    .on_connect = memcacheds_connect,
    .on_datagram = names_ask,
    .on_wait = on_wait,
    .on_idle = on_idle,
};

/* --- The start --- */

struct arguments {
    char *items[ARGUMENTS_MAX];
    unsigned count;
    char texts[2048];
    size_t len;
    bool logs_in;
};

static void __attribute__((format(printf, 2, 3))) add(struct arguments *arguments, const char *format, ...)
{
    va_list values;
    char *text = arguments->texts + arguments->len;
    va_start(values, format);
    arguments->len += (size_t) vsnprintf(text, sizeof(arguments->texts) - arguments->len, format, values) + 1;
    va_end(values);
    arguments->items[arguments->count++] = text;
}

static void add_switches(struct arguments *arguments, unsigned bits)
{
    static const char *const switches[] = {
        "--memcached.idle-timeout=0",
        "--memcached.idle-timeout=2s",
        "--collector.process",
        "--collector.extstore",
        "--collector.conns",
        "--collector.sizes",
        "--collector.detail",
        "--memcached.max-reply=16KiB",
        "--web.max-requests=2",
        "--web.max-connections=3",
        "--memcached.protocol=binary",
        "--memcached.username=u",
        "--memcached.max-connecting=1",
        "--log.level=debug",
        "--log.format=json",
        "--memcached.max-memory=100KiB",
    };
    for (unsigned n = 0; n < ARRAY_LEN(switches); n++) {
        if (bits >> n & 1) add(arguments, "%s", switches[n]);
    }
}

#define SWITCH_USERNAME (1u << 11)

/* The switches that make room scarce. */
#define SWITCHES_OF_ROOM (1u << 8 | 1u << 9)

/* The switches under which a healthy server need not be up, or not in time. */
#define SWITCHES_OF_LIMITS (1u << 7 | 1u << 8 | 1u << 9 | 1u << 10 | SWITCH_USERNAME | 1u << 12 | 1u << 15)

static void choose_start(struct arguments *arguments)
{
    unsigned kinds = script_byte(), bits = script_byte(), byte = script_byte();
    bits |= script_byte() << 8;
    if (bits & 1) bits &= ~2u;
    director.servers = 1 + byte % MEMCACHEDS_MAX;
    director.configured = kinds & 1;
    bool by_name = kinds & 2, slow = (kinds & 0x1c) == 0x1c, scarce = (kinds & 0xe0) == 0xe0;
    names_begin(director.servers, !(kinds & 0x20));
    expectations = (struct expectations){
        .servers = director.configured ? 0 : director.servers,
        .labelled = director.servers > 1,
        .by_name = by_name,
        .whole = !scarce && !(bits & SWITCHES_OF_ROOM),
        .in_time = !slow && !scarce,
        .up = !slow && !scarce && !(bits & SWITCHES_OF_LIMITS) && names_are_honest(),
    };
    add(arguments, "exporter");
    add(arguments, "--no-sandbox");
    add(arguments, "--web.listen-address=127.0.0.1:9150");
    if (!(bits & 4)) add(arguments, "--no-collector.process");
    add_switches(arguments, bits);
    arguments->logs_in = bits & SWITCH_USERNAME;
    for (unsigned n = 1; n <= director.servers && !director.configured; n++)
        add(arguments, by_name ? "--memcached.address=c%u.test:11211" : "--memcached.address=10.0.0.%u:11211",
            n);
    if (director.configured) {
        add(arguments, "--config.file=%s", files_name("exporter.yml"));
        add(arguments, "--web.enable-lifecycle");
        write_files();
    }
    if (kinds & 0x80 && !scarce) add(arguments, "--output.textfile=%s", files_name("memcached.prom"));
    if (slow) kernel_slow_down(1 + script_byte());
    director.scarce = scarce;
}

/* The program checks its tables of metrics at each start; here, once is enough. */
int __real_expose_check(struct buffer *error);
int __wrap_expose_check(struct buffer *error);
int __wrap_expose_check(struct buffer *error)
{
    static bool checked;
    if (checked) return 0;
    checked = true;
    return __real_expose_check(error);
}

static void run(struct arguments *arguments)
{
    char password[] = "MEMCACHED_FLEET_EXPORTER_MEMCACHED_PASSWORD=p";
    char *environment[] = {arguments->logs_in ? password : NULL, NULL};
    struct options options;
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    enum options_outcome outcome = options_parse(&options, arguments->items, environment, &text);
    if (outcome != OPTIONS_RUN) fault("the flags are refused: %.*s", (int) text.len, text.data);
    int code = exporter_run(&options);
    if (code != 0 && !director.configured && !director.scarce) fault("the program ends with code %d", code);
    options_deinit(&options);
    buffer_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arguments arguments = {0};
    script_begin(data, size);
    kernel_begin(&outside);
    memcacheds_begin();
    scrapers_begin();
    director = (struct director){0};
    files_write("password", SLICE("secret"));
    choose_start(&arguments);
    run(&arguments);
    kernel_end();
    return 0;
}
