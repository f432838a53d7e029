/*
 * memcached_fleet_exporter: the state of a fleet of memcached servers as Prometheus metrics.
 *
 * A map of the program. Each folder is called a room. A room may use the rooms above it in this list, never
 * those below; test/lint/lint.py has the exact table. The header of each file explains its purpose.
 *
 *     base/        What any program needs: slices, buffers, sets, numbers, clock, log.
 *     document/    Reads YAML and JSON into one tree of nodes.
 *     net/         Addresses, names and connections, for any protocol.
 *     metrics/     A library for metrics, independent of memcached: families, samples, formats.
 *     memcached/   Asks memcached servers: the fleet, its clients, the protocol, the table of all stats.
 *     watch/       Looks at what clients do with the items of a server: hot keys, prefixes, evictions.
 *     http/        Serves HTTP: parses requests, sends answers, and limits both.
 *     discovery/   Finds targets by DNS, in files, at a URL or at a cluster's endpoint.
 *     outputs/     Writes expositions to a file, pushes them to a Pushgateway, or fills the terminal.
 *     config/      Reads the configuration file into one struct, or reports its errors.
 *     cli/         Reads the command line and the environment; cli/flags is the table of all flags.
 *     settings/    Combines the flags with the configuration file; --config.check.
 *     targets/     Decides which servers are scraped, and changes that while scrapes run.
 *     collectors/  Turns snapshots, and the exporter's own numbers, into samples.
 *     gather/      Polls the targets of a scrape, keeps their snapshots, and writes the exposition.
 *     web/         The pages: who may see them, which path shows what, and which parameters a URL may have.
 *     process/     The process and its system: signals, crashes, the service manager, reserves for
 *                  libuv, the sandbox.
 *
 * exporter.c starts and stops all rooms in order.
 *
 * Two words need care. A scrape asks many targets once: for a request for /metrics, a write of the textfile,
 * or a push. A poll asks one target once: it sends stats commands over one connection. Scrapes that overlap
 * share the polls of their common targets.
 *
 * A scrape, from socket to socket:
 *
 *     http/connection -> web/handlers -> web/parameters: a scrape request -> gather/gather
 *         -> memcached/fan_out -> per target a poll: client, session, reply, snapshot_builder -> snapshot
 *         -> gather/expose -> collectors/ -> metrics/encoder -> http/exchange -> http/connection
 *
 * A reload, from file to fleet:
 *
 *     targets/reload -> config/ and settings/ -> targets/manager, which makes a generation: configuration,
 *         options, providers -> discovery/ -> targets/target_set_builder
 *         -> the target set that the next scrapes use
 *
 * src/README.md explains the design, and what was tried instead.
 */
#include "base/buffer.h"
#include "base/version.h"
#include "cli/options.h"
#include "exporter.h"
#include "process/crash.h"
#include "settings/check.h"
#include "settings/descriptors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

static int print(FILE *file, const struct buffer *text, int code)
{
    bool written = fwrite(text->data, 1, text->len, file) == text->len;
    if (fflush(file) == 0 && written) return code;
    if (file == stdout) fprintf(stderr, PROGRAM_NAME ": standard output: %s\n", strerror(errno));
    return 1;
}

static int check(const struct options *options)
{
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 2);
    bool good = check_config(options, &text);
    int code = print(good ? stdout : stderr, &text, good ? 0 : 1);
    buffer_deinit(&text);
    return code;
}

static int run(const struct options *options, enum options_outcome outcome, const struct buffer *text)
{
    switch (outcome) {
    case OPTIONS_TEXT:
        return print(stdout, text, 0);
    case OPTIONS_USAGE:
        return print(stderr, text, 2);
    case OPTIONS_FAILED:
        return print(stderr, text, 1);
    case OPTIONS_RUN:
        break;
    }
    return options->config_check ? check(options) : exporter_run(options);
}

int main(int argc, char **argv)
{
    struct options options;
    struct buffer text;
    (void) argc;
    descriptors_hold_standard();
    crash_report();
    buffer_init(&text, 1024 * 1024);
    enum options_outcome outcome = options_parse(&options, argv, environ, &text);
    int code = run(&options, outcome, &text);
    options_deinit(&options);
    buffer_deinit(&text);
    return code;
}
