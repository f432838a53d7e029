/*
 * memcached_fleet_exporter: the state of a fleet of memcached servers as Prometheus metrics.
 *
 * The map of the program, in the order of a scrape:
 *
 *     options     the command line and the environment; options_flags is the table of all flags
 *     check       --config.check: what a configuration file means
 *     exporter    starts and stops everything, in order
 *     http/       bytes to requests, answers to bytes, and the limits on both
 *     handlers    which path answers what, in which format
 *     parameters  an HTTP request as a scrape request: servers, stats commands, families, format, time
 *     scrape      a scrape request, what is gathered for it, and the exposition that answers it
 *     gather      polls the targets of a scrape request and holds what they said
 *     expose      what was gathered, and what the exporter says of itself, as bytes
 *     targets     what users wrote, as servers to ask
 *     sd          the configured targets, for Prometheus to discover
 *     memcached/  fleet: all servers; round: many targets, one deadline; client: one server; poll: who asks it;
 *                 session and reply: its protocol; snapshot: what it said;
 *                 stats and stats_*.inc: the table of all stats and the metrics that they become
 *     net/        addresses, names, connections
 *     collectors/ fleet and counts: snapshots to samples; telemetry, manager, build: the exporter's own
 *     metrics/    registry: which families there are; collector: the walk over their samples;
 *                 encoder, and for one of the formats protobuf and wire: samples to bytes;
 *                 histogram, native, summary, sketch, process: what is observed here; labels: rendered ones
 *     publisher    scrapes that nobody asked for: the textfile, the push, --once
 *     outputs/    bytes to a file or to a Pushgateway
 *     base/       what all of these stand on
 *
 * And what is to be scraped, which changes while the program runs:
 *
 *     config/     the configuration file: text to one struct; from_flags: the same of the flags alone
 *     reload      reads the file, at the start and when asked to
 *     settings    the flags with what the file says instead; terms: both, shared by who works by them
 *     discovery/  sources of targets, each with its own timer; providers: the sources in use
 *     generation  a configuration with its sources
 *     builder    makes a target_set, the list of targets, from what a generation knows
 *     manager   the generation and the target_set in force, and how the next ones come to be
 *
 * descriptors, listen and turns are parts of the exporter's start.
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
