/*
 * memcached_fleet_exporter: the state of a fleet of memcached servers as Prometheus metrics.
 *
 * The map of the program. A room (a folder) may use rooms above it, never those below; test/lint/lint.py has
 * the exact table. Each header says what its file is for.
 *
 *     base/        What any program needs: slices, buffers, sets, numbers, clock, log.
 *     document/    Reads YAML and JSON into one tree of nodes.
 *     net/         Addresses, names and connections: what two sides need to talk, whatever they say.
 *     metrics/     A library of metrics that knows no memcached: families, samples, their formats.
 *     memcached/   Asks memcached servers: the fleet, its clients, the protocol, the table of all stats.
 *     http/        Serves HTTP: bytes to requests, answers to bytes, and the limits on both.
 *     discovery/   Finds targets by DNS, in files, at a URL or at a cluster's endpoint.
 *     outputs/     Carries finished bytes away: to a file, to a Pushgateway.
 *     config/      Reads the configuration file into one struct, or says where it is wrong.
 *     cli/         Reads the command line and the environment; cli/flags is the table of all flags.
 *     settings/    Answers which value holds, the flag's or the file's; --config.check.
 *     targets/     Decides which servers are scraped, and changes that while scrapes run.
 *     collectors/  Turns snapshots, and what the exporter knows of itself, into samples.
 *     gather/      Polls the targets of a scrape, holds what they said, and exposes it to whoever asked.
 *     web/         The pages: who may see them, which path answers what, and what a URL may ask for.
 *
 * At the top, exporter starts and stops everything in order; signals, reserve and the
 * sandbox are parts of its start.
 *
 * Two words stand for "ask once". A scrape is one asker's question to many targets: a request for /metrics, a
 * write of the textfile, a push. A poll is one target asked once: its stats commands, over one connection.
 * Scrapes that overlap share the polls of the targets that they have in common.
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
 *         -> the target set that the next scrapes walk
 *
 * Why it is built like this, and what was tried instead: src/README.md.
 */
#include "base/buffer.h"
#include "base/version.h"
#include "cli/options.h"
#include "exporter.h"
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
    buffer_init(&text, 1024 * 1024);
    enum options_outcome outcome = options_parse(&options, argv, environ, &text);
    int code = run(&options, outcome, &text);
    options_deinit(&options);
    buffer_deinit(&text);
    return code;
}
