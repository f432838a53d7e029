/*
 * Prints the manual page in roff's man macros. The flags come from the table; the other sections are below.
 */
#include "base/container.h"
#include "base/version.h"
#include "cli/flags.h"

/* Date of the last change to the text in this file; printed at the foot of the page. */
#define MANUAL_DATE "2026-11-29"

/* Longest line of the source. mandoc -Tlint warns about longer lines. */
#define SOURCE_WIDTH 78

/* --- Text --- */

/*
 * Escapes text for roff. A plain hyphen would be printed as a typographic hyphen, which does not work when
 * pasted into a shell.
 */
static void append_roff(struct buffer *text, struct slice words)
{
    for (size_t i = 0; i < words.len; i++) {
        if (words.data[i] == '\\')
            buffer_append_string(text, "\\e");
        else if (words.data[i] == '-')
            buffer_append_string(text, "\\-");
        else
            buffer_append_char(text, words.data[i]);
    }
}

/*
 * Appends wrapped text that ends with a line feed. A dot or a quote at the beginning of a line is escaped,
 * because roff would read it as a request.
 */
static void append_paragraph(struct buffer *text, struct slice words)
{
    size_t start = text->len;
    while (words.data) {
        struct slice word = slice_cut(&words, ' ');
        bool first = text->len == start;
        if (!first && text->len - start + 1 + word.len > SOURCE_WIDTH) {
            buffer_append_char(text, '\n');
            start = text->len;
            first = true;
        }
        if (first && word.len && (word.data[0] == '.' || word.data[0] == '\''))
            buffer_append_string(text, "\\&");
        if (!first) buffer_append_char(text, ' ');
        append_roff(text, word);
    }
    buffer_append_char(text, '\n');
}

static void append_term(struct buffer *text, struct slice term)
{
    buffer_append_string(text, ".TP\n\\fB");
    append_roff(text, term);
    buffer_append_string(text, "\\fR\n");
}

/* --- Sections --- */

/* A term in bold, and the indented text below it. */
struct entry {
    const char *term, *about;
};

static const struct entry endpoints[] = {
    {"/metrics", "Every configured server, and the exporter's own metrics."},
    {"/scrape?target=A&target=B", "Just these servers; /probe is the same."},
    {"/scrape?target=A&debug=true", "A text for people: what was resolved, tried, sent and received, how "
                                    "long each step took, the verdict and "
                                    "the samples."},
    {"/metrics?created=true",
     "In OpenMetrics, lines _created for the counters of servers, as --web.created-lines."},
    {"/sd?group=NAME", "The configured servers, for Prometheus' http_sd_configs."},
    {"/hotkeys, /hotkeys?format=json",
     "The hottest keys of each server, if watch is in the configuration file: as a page, or as JSON. "
     "target=NAME shows one server."},
    {"/", "A page for people."},
    {"/-/healthy, /-/ready",
     "Whether the exporter runs and serves; no server is asked. While it stops, every answer is a 503."},
    {"/-/reload", "POST: reads the configuration file again, if --web.enable-lifecycle is given."},
};

static const struct entry signals[] = {
    {"SIGTERM, SIGINT",
     "Stop. Scrapes under way are answered within five seconds. A second one ends the exporter at once."},
    {"SIGHUP",
     "Read the file of --config.file again. A file with an error changes nothing. Without a file, the "
     "signal is logged and ignored."},
};

static const struct entry variables[] = {
    {"NOTIFY_SOCKET",
     "The socket of sd_notify(3), where the service manager is told when the exporter serves, reads its file "
     "again, or stops."},
    {"WATCHDOG_USEC, WATCHDOG_PID", "The event loop tells the service manager three times in so many "
                                    "microseconds that it runs. systemd ends "
                                    "a loop that hangs by SIGABRT, so that the log says where it hung."},
    {"LISTEN_FDS, LISTEN_PID", "The sockets of --web.systemd-socket."},
};

static const struct entry files[] = {
    {"/etc/default/memcached_fleet_exporter", "Environment variables for the systemd unit, one a line."},
    {"/etc/default/prometheus-memcached-exporter",
     "ARGS, the flags for the systemd unit, as Debian's package of the official exporter has them."},
    {"/etc/hosts, /etc/resolv.conf, /etc/nsswitch.conf", "How names are resolved."},
};

static const struct entry codes[] = {
    {"0", "A clean stop. With --once: every server was up. With --config.check: the files are valid."},
    {"1", "The start failed, an output could not be written, or a file is not valid."},
    {"2", "The command line or an environment variable is wrong. One line on standard error names it."},
    {"3", "With --once: some servers were not up."},
    {"4", "With --once: no server was up, or the shard has none."},
    {"130, 143", "A second SIGINT or SIGTERM ended the exporter at once, or it could not stop within eight "
                 "seconds, since a "
                 "thread waited for a file system."},
    {"132, 134, 135, 136, 139, 159",
     "A crash, as a shell shows it: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV or SIGSYS ended the exporter. "
     "Standard error has a backtrace, whose places addr2line(1) turns into lines. The exporter leaves no "
     "core "
     "file once it has read a password or a key."},
};

/* In the examples, `term` is a sentence and `about` is a command. */
static const struct entry examples[] = {
    {"One server on this machine:", PROGRAM_NAME},
    {"A fleet in one scrape:", PROGRAM_NAME " --memcached.address=cache-1:11211,cache-2:11211"},
    {"All servers behind a name, asked for again and again:",
     PROGRAM_NAME " --memcached.address=dns+memcached.example.com:11211"},
    {"Prometheus names the server in the URL:", PROGRAM_NAME " --memcached.address="},
    {"How two servers are, for people:", PROGRAM_NAME " check cache-1:11211 cache-2:11211"},
    {"The servers of a configuration file as a live table:", PROGRAM_NAME " top --config.file=exporter.yml"},
    {"What a configuration file means, or what is wrong with it:",
     PROGRAM_NAME " --config.file=exporter.yml --config.check"},
    {"A file for the textfile collector of node_exporter, once:",
     PROGRAM_NAME " --once --output.textfile=/var/lib/prometheus/node-exporter/memcached.prom"},
    {"A push to a Pushgateway, once, for cron:", PROGRAM_NAME " --once --push.url=http://pushgateway:9091"},
};

static void append_section(struct buffer *text, const char *title, const struct entry *entries, size_t count)
{
    buffer_printf(text, ".SH %s\n", title);
    for (size_t i = 0; i < count; i++) {
        append_term(text, slice_of(entries[i].term));
        append_paragraph(text, slice_of(entries[i].about));
    }
}

static void append_commands(struct buffer *text)
{
    buffer_append_string(text, ".SH COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        append_term(text, slice_of(cli_commands[i].name));
        append_paragraph(text, slice_of(cli_commands[i].about));
    }
}

static void append_examples(struct buffer *text)
{
    buffer_append_string(text, ".SH EXAMPLES\n");
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        buffer_append_string(text, i ? ".PP\n" : "");
        append_paragraph(text, slice_of(examples[i].term));
        buffer_append_string(text, ".PP\n.nf\n.RS\n");
        append_roff(text, slice_of(examples[i].about));
        buffer_append_string(text, "\n.RE\n.fi\n");
    }
}

static void append_flag(struct buffer *text, const struct flag *flag)
{
    struct buffer plain;
    buffer_init(&plain, OPTIONS_TEXT_MAX);
    if (flag->letter) buffer_printf(&plain, "-%c, ", flag->letter);
    flag_append_usage(flag, &plain);
    append_term(text, buffer_slice(&plain));
    buffer_clear(&plain);
    flag_append_help(flag, &plain);
    append_paragraph(text, buffer_slice(&plain));
    buffer_deinit(&plain);
}

static void append_flags(struct buffer *text)
{
    buffer_append_string(text, ".SH FLAGS\n");
    append_paragraph(text,
                     SLICE("Each flag can be set by the environment variable that is listed after its help; "
                           "the command line wins. @FILE stands for the arguments in a file, one a line. "
                           "Durations are written as 250ms, 1s or 1m30s."));
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].group) buffer_printf(text, ".SS %s\n", flags[i].group);
        if (!flags[i].hidden) append_flag(text, &flags[i]);
    }
}

void options_print_manual(struct buffer *text)
{
    /* .nh turns off hyphenation, so that names of variables can be copied. */
    buffer_printf(text, ".TH MEMCACHED_FLEET_EXPORTER 1 %s \"%s\" \"User Commands\"\n.nh\n", MANUAL_DATE,
                  build_info.version);
    buffer_append_string(text, ".SH NAME\n" PROGRAM_NAME " \\- Prometheus exporter for fleets of memcached\n"
                               ".SH SYNOPSIS\n.B " PROGRAM_NAME "\n[\\fIflags\\fR]\n");
    for (size_t i = 0; i < cli_command_count; i++)
        buffer_printf(text, ".PP\n.B " PROGRAM_NAME " %s\n[\\fIflags\\fR] [\\fItarget\\fR ...]\n",
                      cli_commands[i].name);
    buffer_append_string(text, ".SH DESCRIPTION\n");
    append_paragraph(text, slice_of(options_about));
    append_commands(text);
    append_flags(text);
    append_section(text, "ENDPOINTS", endpoints, ARRAY_LEN(endpoints));
    append_section(text, "SIGNALS", signals, ARRAY_LEN(signals));
    append_section(text, "ENVIRONMENT", variables, ARRAY_LEN(variables));
    append_section(text, "FILES", files, ARRAY_LEN(files));
    append_section(text, "EXIT STATUS", codes, ARRAY_LEN(codes));
    append_examples(text);
    buffer_append_string(text, ".SH SEE ALSO\n.BR memcached (1),\n.BR prometheus (1)\n");
}
