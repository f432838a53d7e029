/*
 * memcached_fleet_exporter: the state of a fleet of memcached servers as Prometheus metrics.
 *
 * The map of the program, in the order of a scrape:
 *
 *     options     the command line and the environment
 *     exporter    starts and stops everything, in order
 *     http/       bytes to requests, answers to bytes, and the limits on both
 *     handlers    which path answers what; everything that can be wrong with a request
 *     scrape      one scrape, from its targets to the last byte of its answer
 *     memcached/  round: many targets, one deadline; client: one server; reply and snapshot: what it said;
 *                 stats: the table of all stats and the metrics that they become
 *     net/        addresses, names, connections
 *     collectors/ snapshots, and the exporter's own state, to families and samples
 *     metrics/    families and samples to the bytes of an exposition
 *     base/       what all of these stand on
 */
#include "base/buffer.h"
#include "exporter.h"
#include "options.h"

#include <stdio.h>

extern char **environ;

static int print(FILE *file, const struct buffer *text, int code)
{
    fwrite(text->data, 1, text->len, file);
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
    return exporter_run(options);
}

int main(int argc, char **argv)
{
    struct options options;
    struct buffer text;
    (void) argc;
    buffer_init(&text, 1024 * 1024);
    enum options_outcome outcome = options_parse(&options, argv, environ, &text);
    int code = run(&options, outcome, &text);
    options_deinit(&options);
    buffer_deinit(&text);
    return code;
}
