#include "cli/flags.h"

#include "base/container.h"
#include "base/nearest.h"
#include "memcached/stats.h"

/* Longest spelling of a flag, including "--" or the prefix of variables. */
#define LONGEST_NAME 128

#define FLAG(flag_name, type_name, member, default)                                                          \
    .name = flag_name, .type = &flag_##type_name, .place = offsetof(struct options, member),                 \
    .fallback = default
#define COLLECTOR(name) .bit = name

/* In the order of --help: file, asking memcached, collectors, serving, scraping, outputs, logging. */
const struct flag flags[] = {
    {.name = "help",
     .type = &flag_action,
     .fallback = "",
     .help = "Show this help.",
     .print = options_print_help,
     .letter = 'h'},
    {.name = "help-man",
     .type = &flag_action,
     .fallback = "",
     .help = "Show the manual page.",
     .print = options_print_manual,
     .hidden = true},
    {.name = "help-long",
     .type = &flag_action,
     .fallback = "",
     .help = "Show this help.",
     .print = options_print_help,
     .hidden = true},
    {.name = "completion-script-bash",
     .type = &flag_action,
     .fallback = "",
     .help = "Show a script that completes the flags in bash.",
     .print = options_print_bash_completion,
     .hidden = true},
    {.name = "completion-script-zsh",
     .type = &flag_action,
     .fallback = "",
     .help = "Show a script that completes the flags in zsh.",
     .print = options_print_zsh_completion,
     .hidden = true},
    {.name = "completion-script-fish",
     .type = &flag_action,
     .fallback = "",
     .help = "Show a script that completes the flags in fish.",
     .print = options_print_fish_completion,
     .hidden = true},

    {FLAG("config.file", string, config_file, ""), .group = "Configuration file",
     .help =
         "YAML file that says what to scrape and how. Its values win over the flags. SIGHUP reads it again."},
    {FLAG("config.check", switch, config_check, "false"),
     .help = "Check --config.file and --web.config.file, print what would be scraped, and exit: 0 if they "
             "are valid, 1 if not."},

    {FLAG("memcached.address", list, addresses, "localhost:11211"), .group = "Asking memcached",
     .help = "Servers that /metrics asks: host:port, host, [::1]:11211 or unix:/path; dns+host:port for all "
             "addresses of a name, dnssrv+name for all servers of its SRV records; repeatable or separated "
             "by commas; empty for none. With --config.file there is no default."},
    {FLAG("memcached.timeout", positive_duration, timeout_ns, "1s"),
     .help = "Time limit for one server, from resolving its name to the last line of its answer."},
    {FLAG("memcached.pid-file", string, pid_file, ""),
     .help = "File with the process id of a memcached on this machine, for memcached_process_* metrics."},
    {FLAG("memcached.max-connecting", count, max_connecting, "256"),
     .help = "How many connections to servers may be opening at once."},
    {FLAG("memcached.idle-timeout", duration, idle_timeout_ns, "5m"),
     .help = "How long an unused connection to a server is kept; 0 opens a new one for each scrape."},
    {FLAG("memcached.max-reply", bytes, max_reply, "4MiB"),
     .help = "Largest answer of a server in one scrape: bytes, or a number with KiB, MiB or GiB (KB, MB and "
             "GB mean the same)."},
    {FLAG("memcached.max-memory", memory, max_memory, "auto"),
     .help = "The most that the answers of all servers may take of memory while they are collected; auto for "
             "half "
             "of the limit of the cgroup, or of the machine."},
    {FLAG("memcached.tls.enable", switch, tls_enable, "false"),
     .help =
         "Speak TLS to memcached. This and the next flags are for the module default of a --config.file."},
    {FLAG("memcached.tls.cert-file", string, tls_cert_file, ""),
     .help = "Certificate to show to servers, PEM; read again when it changes."},
    {FLAG("memcached.tls.key-file", string, tls_key_file, ""), .help = "Key of that certificate, PEM."},
    {FLAG("memcached.tls.ca-file", string, tls_ca_file, ""),
     .help = "Certificates that may sign a server's, PEM; those of the system if there is no file."},
    {FLAG("memcached.tls.insecure-skip-verify", switch, tls_insecure_skip_verify, "false"),
     .help = "Take any certificate of a server."},
    {FLAG("memcached.tls.server-name", string, tls_server_name, ""),
     .help = "Name that each server's certificate must bear; the host of its address if it is empty."},
    {FLAG("memcached.username", string, username, ""),
     .help = "User to log in as at servers that want a login (memcached -Y, or -S)."},
    {FLAG("memcached.password-file", string, password_file, ""),
     .help = "File with the password of that user, read again when it changes. Without a file: the variable "
             "MEMCACHED_FLEET_EXPORTER_MEMCACHED_PASSWORD."},
    {FLAG("memcached.protocol", protocol, protocol, "auto"),
     .help = "Protocol of the servers: text, binary (memcached -S, or -B binary), or auto: text, and binary "
             "where a server wants a login and takes none in text."},

    {FLAG("collector.settings", collector, collectors, "true"), .group = "Collectors",
     .help = "Ask the servers for \"stats settings\".", COLLECTOR(COMMAND_BIT(COMMAND_SETTINGS))},
    {FLAG("collector.slab", switch, collect_slab, "true"),
     .help = "Show the metrics that have a label slab; --collector.items and --collector.slabs override it "
             "for what comes of each of them. The five figures over all slab classes stay without it, unless "
             "--no-collector.slab-summary is given, too."},
    {FLAG("collector.slab-summary", collector, collectors, "true"),
     .help = "Show five figures over all slab classes: memcached_slab_wasted_bytes, "
             "memcached_slab_classes_evicting, memcached_eviction_age_seconds, "
             "memcached_slab_free_while_evicting_bytes and memcached_slab_imbalance_ratio. They need both "
             "\"stats items\" and \"stats slabs\". --no-collector.slab does not hide them.",
     COLLECTOR(SLAB_SUMMARY)},
    {FLAG("collector.items", collector, collectors, "true"), .help = "Ask the servers for \"stats items\".",
     COLLECTOR(COMMAND_BIT(COMMAND_ITEMS))},
    {FLAG("collector.slabs", collector, collectors, "true"), .help = "Ask the servers for \"stats slabs\".",
     COLLECTOR(COMMAND_BIT(COMMAND_SLABS))},

    {FLAG("collector.probe", collector, collectors, "false"),
     .help = "After the stats, time mn and the set, get and delete of one key of the exporter's own on each "
             "configured server.",
     COLLECTOR(COLLECTOR_PROBE)},

    {FLAG("collector.sizes", collector, collectors, "false"),
     .help =
         "Ask the servers for \"stats sizes\"; needs memcached 1.4.27 or later, started with -o track_sizes.",
     COLLECTOR(COMMAND_BIT(COMMAND_SIZES))},
    {FLAG("collector.conns", collector, collectors, "false"),
     .help = "Ask the servers for \"stats conns\": connections by state and listener, and how long they are "
             "idle.",
     COLLECTOR(COMMAND_BIT(COMMAND_CONNS))},
    {FLAG("collector.detail", collector, collectors, "false"),
     .help = "Ask the servers for \"stats detail dump\": commands by prefix of the keys. Needs \"stats "
             "detail on\" at the server, which the exporter never sends.",
     COLLECTOR(COMMAND_BIT(COMMAND_DETAIL))},
    {FLAG("collector.detail.max-prefixes", count, max_prefixes, "1000"),
     .help = "How many key prefixes of a server get series of their own; the others are added up."},
    {FLAG("collector.extstore", collector, collectors, "false"),
     .help = "Ask the servers that have an external store for \"stats extstore\": its pages.",
     COLLECTOR(COMMAND_BIT(COMMAND_EXTSTORE))},
    {FLAG("collector.proxy", collector, collectors, "false"),
     .help = "Ask the servers for \"stats proxy\": counters of a proxy's own configuration.",
     COLLECTOR(COMMAND_BIT(COMMAND_PROXY))},
    {FLAG("collector.proxyfuncs", collector, collectors, "false"),
     .help = "Ask the servers for \"stats proxyfuncs\": functions of a proxy.",
     COLLECTOR(COMMAND_BIT(COMMAND_PROXYFUNCS))},
    {FLAG("collector.proxybe", collector, collectors, "false"),
     .help = "Ask the servers for \"stats proxybe\": backends of a proxy that are bad.",
     COLLECTOR(COMMAND_BIT(COMMAND_PROXYBE))},

    {FLAG("collector.build", switch, collect_build, "true"),
     .help = "Serve the build of the exporter: memcached_exporter_build_info."},
    {FLAG("collector.telemetry", switch, collect_telemetry, "true"),
     .help = "Serve metrics of the exporter's own work: memcached_exporter_*."},
    {FLAG("collector.process", switch, collect_process, "true"),
     .help = "Serve metrics of the exporter's process: process_*."},

    {FLAG("web.listen-address", filled_list, listen_addresses, ":9150"), .group = "Serving",
     .help = "Addresses to serve HTTP on, vsock://:9150 among them; repeatable or separated by commas."},
    {FLAG("web.systemd-socket", switch, systemd_socket, "false"),
     .help = "Serve on the sockets that systemd passes instead of on --web.listen-address."},
    {FLAG("web.config.file", string, web_config_file, ""),
     .help =
         "File with TLS, users, headers and rate limit of the web endpoints, as exporter-toolkit has it."},
    {FLAG("web.telemetry-path", path_or_root, telemetry_path, "/metrics"),
     .help = "Path of the metrics of all configured servers and of the exporter itself; / replaces the start "
             "page."},
    {FLAG("web.scrape-path", path, scrape_path, "/scrape"),
     .help = "Path that scrapes the servers named by its target parameters."},
    {FLAG("web.target-label", label, target_label, "instance"),
     .help = "Label that names the server when one answer carries several."},
    {FLAG("web.max-connections", count, max_connections, "512"),
     .help = "How many HTTP connections may be open at once."},
    {FLAG("web.max-requests", count, max_requests, "64"),
     .help = "How many scrapes may run at once; further ones are answered with 503."},
    {FLAG("web.enable-lifecycle", switch, enable_lifecycle, "false"),
     .help = "Let POST /-/reload read --config.file again."},
    {FLAG("web.disable-exporter-metrics", switch, disable_exporter_metrics, "false"),
     .help = "Leave out the metrics of the exporter itself."},
    {FLAG("web.created-lines", switch, created_lines, "false"),
     .help = "In OpenMetrics, add a line _created to each counter of a server: when it began to count."},

    {FLAG("scrape.timeout-offset", duration, timeout_offset_ns, "250ms"), .group = "Scraping",
     .help = "How long before the scrape time-out of Prometheus the answer is sent."},
    {FLAG("scrape.max-targets", count, max_targets, "10000"), .help = "How many servers one scrape may ask."},
    {FLAG("scrape.endpoint", switch, scrape_endpoint, "true"),
     .help = "Serve --web.scrape-path and /probe, so that a request can name the servers."},
    {FLAG("scrape.allow", rules, scrape_allow, ""),
     .help = "Servers that a URL may name beside the configured ones: private (which is also the default, "
             "private "
             "networks and this machine), loopback, link-local, metadata, any, a network such as 10.0.0.0/8, "
             "*.example.com:11211, or unix:/path; repeatable, also with commas between them. scrape_policy "
             "of the "
             "file takes the place of this list and the next."},
    {FLAG("scrape.deny", rules, scrape_deny, ""),
     .help = "Servers that no URL may name, whatever allows them, in the same words."},
    {FLAG("shard", shard, shard, "0/1"),
     .help = "I/N: scrape only shard I of N of the configured servers, counted from 0; I may be the name of "
             "a pod that ends in -I."},

    {FLAG("web", switch, web, "true"), .group = "Outputs",
     .help = "Serve HTTP. Without it, one of --once, --output.textfile, --push.url and --remote-write.url is "
             "required."},
    {FLAG("once", switch, once, "false"),
     .help = "Collect once, to --output.textfile, --push.url and --remote-write.url, or without them to "
             "standard output, and exit: 0 if every server was up, 3 if some were not, 4 if none was or the "
             "shard is empty, 1 if an output could not be written."},
    {FLAG("json", switch, json, "false"),
     .help = "With the command check: report as a JSON array, with an object for each server."},
    {FLAG("keys", switch, keys, "false"),
     .help = "With the command top: show the hottest keys of the servers instead, from their logs. memcached "
             "before 1.6.45 needs trusted_versions, see watch in the configuration file."},
    {FLAG("interval", positive_duration, interval_ns, "2s"),
     .help = "With the command top: time between two polls of the servers."},
    {FLAG("output.textfile", prom_file, textfile, ""),
     .help = "File to write the metrics to, for the textfile collector of node_exporter; its name ends in "
             ".prom."},
    {FLAG("output.interval", positive_duration, textfile_interval_ns, "15s"),
     .help = "How often --output.textfile is written."},
    {FLAG("push.url", string, push.url, ""),
     .help = "URL of the Pushgateway, such as http://pushgateway:9091; credentials have flags of their own."},
    {FLAG("push.job", string, push.job, "memcached"), .help = "Value of the label job of what is pushed."},
    {FLAG("push.grouping", labels, push.grouping, ""),
     .help = "Further labels of the group at the Pushgateway, as label=value; repeatable. The samples must "
             "not have these labels themselves."},
    {FLAG("push.interval", positive_duration, push.interval_ns, "15s"),
     .help = "How often the metrics are pushed."},
    {FLAG("push.timeout", positive_duration, push.timeout_ns, "10s"), .help = "How long one push may take."},
    {FLAG("push.method", push_method, push.post, "put"),
     .help = "put replaces the whole group at the Pushgateway, post only the metrics of the same names."},
    {FLAG("push.delete-on-exit", switch, push.delete_on_exit, "false"),
     .help = "Delete the group from the Pushgateway when the exporter stops."},
    {FLAG("push.username", string, push.username, ""),
     .help = "User for basic authentication at the Pushgateway."},
    {FLAG("push.password-file", string, push.password_file, ""),
     .help = "File with the password for basic authentication, read at each push."},
    {FLAG("push.bearer-token-file", string, push.bearer_token_file, ""),
     .help = "File with a token for the Pushgateway, in place of a user and a password; read at each push."},
    {FLAG("push.tls.ca-file", string, push.ca_file, ""),
     .help = "File with the CA certificates for the Pushgateway; empty for those of the system."},
    {FLAG("push.tls.cert-file", string, push.cert_file, ""),
     .help = "Client certificate for the Pushgateway."},
    {FLAG("push.tls.key-file", string, push.key_file, ""), .help = "Key of that certificate."},
    {FLAG("remote-write.url", string, remote_write.url, ""),
     .help = "URL of a receiver of Prometheus' remote write 1.0, such as "
             "http://prometheus:9090/api/v1/write; credentials have flags of their own."},
    {FLAG("remote-write.job", string, remote_write.job, "memcached"),
     .help = "Value of the label job of all series."},
    {FLAG("remote-write.labels", labels, remote_write.grouping, ""),
     .help =
         "Further labels of all series that do not have them, as label=value; repeatable. instance is the "
         "name of this machine if it is not among them."},
    {FLAG("remote-write.interval", positive_duration, remote_write.interval_ns, "15s"),
     .help = "How often the metrics are sent."},
    {FLAG("remote-write.timeout", positive_duration, remote_write.timeout_ns, "10s"),
     .help = "How long one request may take."},
    {FLAG("remote-write.username", string, remote_write.username, ""),
     .help = "User for basic authentication at the receiver."},
    {FLAG("remote-write.password-file", string, remote_write.password_file, ""),
     .help = "File with the password for basic authentication, read at each request."},
    {FLAG("remote-write.bearer-token-file", string, remote_write.bearer_token_file, ""),
     .help = "File with a token for the receiver, in place of a user and a password; read at each request."},
    {FLAG("remote-write.tls.ca-file", string, remote_write.ca_file, ""),
     .help = "File with the CA certificates for the receiver; empty for those of the system."},
    {FLAG("remote-write.tls.cert-file", string, remote_write.cert_file, ""),
     .help = "Client certificate for the receiver."},
    {FLAG("remote-write.tls.key-file", string, remote_write.key_file, ""),
     .help = "Key of that certificate."},

    {FLAG("sandbox", switch, sandbox, "true"), .group = "Process and log",
     .help =
         "After the start, give up what the exporter does not need: new privileges, writing of files but in "
         "the folders of its outputs, and system calls."},
    {FLAG("log.level", log_level, log_level, "info"),
     .help = "Only log messages of this severity or above: debug, info, warn, error."},
    {FLAG("log.format", log_format, log_format, "logfmt"), .help = "Format of log lines: logfmt, json."},
    {.name = "version",
     .type = &flag_action,
     .fallback = "",
     .help = "Show the version.",
     .print = options_print_version},
};

const size_t flags_count = ARRAY_LEN(flags);
_Static_assert(ARRAY_LEN(flags) <= FLAGS_MAX, "options_parse keeps a mark for each flag");

const struct flag *flag_find(struct slice name)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (slice_is(name, flags[i].name)) return &flags[i];
    }
    return NULL;
}

static char variable_letter(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : '_';
}

static bool is_variable_of(struct slice name, const struct flag *flag)
{
    if (flag->type == &flag_action || name.len != strlen(flag->name)) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] != variable_letter(flag->name[i])) return false;
    }
    return true;
}

const struct flag *flag_find_variable(struct slice name)
{
    if (!slice_starts(name, FLAG_VARIABLE_PREFIX)) return NULL;
    name = slice_from(name, strlen(FLAG_VARIABLE_PREFIX));
    for (size_t i = 0; i < flags_count; i++) {
        if (is_variable_of(name, &flags[i])) return &flags[i];
    }
    return NULL;
}

void flag_append_spelling(const struct flag *flag, bool variable, struct buffer *text)
{
    buffer_append_string(text, variable ? FLAG_VARIABLE_PREFIX : "--");
    for (const char *c = flag->name; *c; c++) buffer_append_char(text, variable ? variable_letter(*c) : *c);
}

void flag_append_usage(const struct flag *flag, struct buffer *text)
{
    switch (flag->type->shape) {
    case FLAG_VALUE:
        buffer_printf(text, "--%s=%s", flag->name, flag->fallback);
        break;
    case FLAG_STRING:
        buffer_printf(text, "--%s=\"%s\"", flag->name, flag->fallback);
        break;
    case FLAG_LIST:
        buffer_printf(text, "--%s=%s ...", flag->name, flag->fallback);
        break;
    case FLAG_SWITCH:
        buffer_printf(text, "--[no-]%s", flag->name);
        break;
    case FLAG_ACTION:
        buffer_printf(text, "--%s", flag->name);
        break;
    }
}

void flag_append_help(const struct flag *flag, struct buffer *text)
{
    buffer_append_string(text, flag->help);
    if (flag->type->shape == FLAG_ACTION) return;
    if (flag->type->shape == FLAG_SWITCH && strcmp(flag->fallback, "true") == 0)
        buffer_append_string(text, " (default: enabled)");
    buffer_append_string(text, " ($");
    flag_append_spelling(flag, true, text);
    buffer_append_char(text, ')');
}

/* Names of variables are compared without their common prefix, which matches already. */
const struct flag *flag_nearest(struct slice written, bool variable)
{
    const struct flag *flag = NULL;
    size_t prefix = variable ? strlen(FLAG_VARIABLE_PREFIX) : 0;
    struct nearest nearest;
    struct buffer name;
    nearest_init(&nearest, slice_from(written, prefix));
    buffer_init(&name, LONGEST_NAME);
    for (size_t i = 0; i < flags_count; i++) {
        size_t distance = nearest.distance;
        if (flags[i].hidden || (variable && flags[i].type == &flag_action)) continue;
        buffer_clear(&name);
        flag_append_spelling(&flags[i], variable, &name);
        buffer_append_char(&name, '\0');
        if (!name.failed) nearest_try(&nearest, name.data + prefix);
        if (nearest.distance < distance) flag = &flags[i];
    }
    buffer_deinit(&name);
    return flag;
}
