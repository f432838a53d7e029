#include "collectors/process.h"

#include "base/container.h"
#include "base/log.h"
#include "base/number.h"
#include "collectors/process_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

/* Families of both collectors, in the order of the exposition. */
enum process_metric {
    PROCESS_CPU_SECONDS,
    PROCESS_THREADS,
    PROCESS_START_TIME,
    PROCESS_VIRTUAL_BYTES,
    PROCESS_RESIDENT_BYTES,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_VIRTUAL_MAX_BYTES,
    PROCESS_RECEIVED_BYTES,
    PROCESS_SENT_BYTES,
    PROCESS_METRIC_COUNT,
};

/*
 * One line per metric, in the order of enum process_metric: name without the prefix, type, help. The help
 * texts equal those of the Go client library, because a Pushgateway compares them with the texts that other
 * programs push.
 */
#define PROCESS_METRICS(M)                                                                                   \
    M(PROCESS_CPU_SECONDS, "process_cpu_seconds_total", METRIC_COUNTER,                                      \
      "Total user and system CPU time spent in seconds.")                                                    \
    M(PROCESS_THREADS, "process_threads", METRIC_GAUGE, "Number of threads.")                                \
    M(PROCESS_START_TIME, "process_start_time_seconds", METRIC_GAUGE,                                        \
      "Start time of the process since unix epoch in seconds.")                                              \
    M(PROCESS_VIRTUAL_BYTES, "process_virtual_memory_bytes", METRIC_GAUGE, "Virtual memory size in bytes.")  \
    M(PROCESS_RESIDENT_BYTES, "process_resident_memory_bytes", METRIC_GAUGE,                                 \
      "Resident memory size in bytes.")                                                                      \
    M(PROCESS_OPEN_FDS, "process_open_fds", METRIC_GAUGE, "Number of open file descriptors.")                \
    M(PROCESS_MAX_FDS, "process_max_fds", METRIC_GAUGE, "Maximum number of open file descriptors.")          \
    M(PROCESS_VIRTUAL_MAX_BYTES, "process_virtual_memory_max_bytes", METRIC_GAUGE,                           \
      "Maximum amount of virtual memory available in bytes.")                                                \
    M(PROCESS_RECEIVED_BYTES, "process_network_receive_bytes_total", METRIC_COUNTER,                         \
      "Number of bytes received by the process over the network.")                                           \
    M(PROCESS_SENT_BYTES, "process_network_transmit_bytes_total", METRIC_COUNTER,                            \
      "Number of bytes sent by the process over the network.")

#define OWN_FAMILY(metric, name, type, help) [metric] = &(const struct family){name, help, type, ""},
#define SERVER_FAMILY(metric, name, type, help)                                                              \
    [metric] = &(const struct family){"memcached_" name, help, type, ""},

static const struct family *const own_families[] = {PROCESS_METRICS(OWN_FAMILY)};
static const struct family *const server_families[] = {PROCESS_METRICS(SERVER_FAMILY)};
_Static_assert(ARRAY_LEN(own_families) == PROCESS_METRIC_COUNT, "each metric has its family");

const struct collector process_collector = {"process", own_families, PROCESS_METRIC_COUNT, ""};
const struct collector memcached_process_collector = {"memcached_process", server_families,
                                                      PROCESS_METRIC_COUNT, ""};

/* How long the counters of the network are remembered. The kernel takes longest to write those. */
#define NETWORK_MS 1000

/* What is kept between two walks. */
struct process_source {
    struct process_files files;
    uint64_t network_ms; /* time of the counters below, as uv_hrtime(); 0: they are not known */
    uint64_t received, sent;
};

static struct process_source own_source, server_source;

/* Announces a family. Returns true if its sample is wanted. */
static bool wants(const struct process_walk *process, struct encoder *encoder, enum process_metric metric)
{
    encoder_family(encoder, process->walk.collector->families[metric]);
    return !encoder->muted;
}

static void write_u64(struct process_walk *process, struct encoder *encoder, enum process_metric metric,
                      uint64_t value)
{
    encoder_family(encoder, process->walk.collector->families[metric]);
    encoder_sample_u64(encoder, SLICE(""), SLICE(""), value);
}

static void write_double(struct process_walk *process, struct encoder *encoder, enum process_metric metric,
                         double value)
{
    encoder_family(encoder, process->walk.collector->families[metric]);
    encoder_sample_double(encoder, SLICE(""), SLICE(""), value);
}

static uint64_t read_boot_time(void)
{
    /* The line comes after a line for each processor and a long line of interrupts. */
    FILE *file = fopen("/proc/stat", "re");
    unsigned long long seconds = 0;
    char *line = NULL;
    size_t size = 0;
    if (!file) return 0;
    while (getline(&line, &size, file) > 0) {
        if (sscanf(line, "btime %llu", &seconds) == 1) break;
    }
    free(line);
    fclose(file);
    return seconds;
}

/*
 * Returns the boot time in Unix seconds, or 0 if it is unknown. Start times in /proc/PID/stat are relative to
 * it. Read only once: the kernel takes long to write that file, and a later change of the clock must not move
 * the start time.
 */
static uint64_t boot_time(void)
{
    static uint64_t seconds;
    if (seconds == 0) seconds = read_boot_time();
    return seconds;
}

/*
 * Reads fields of /proc/PID/stat; `fields` has the numbers of proc(5). The second field, the name, may
 * contain blanks and parentheses. Returns false if there is no such process.
 */
static bool read_stat(struct process_source *source, uint64_t fields[25])
{
    char bytes[1024];
    struct slice text = process_files_read(&source->files, PROCESS_FILE_STAT, bytes, sizeof(bytes));
    const char *name_end = text.len ? memrchr(text.data, ')', text.len) : NULL;
    if (!name_end) return false;
    text = slice_from(text, (size_t) (name_end - text.data) + 1);
    if (text.len) text = slice_from(text, 1);
    for (int field = 3; field < 25; field++) {
        fields[field] = 0;
        number_parse_u64(slice_cut(&text, ' '), &fields[field]);
    }
    return true;
}

static void write_stat(struct process_walk *process, struct encoder *encoder, const uint64_t fields[25])
{
    double tick = 1.0 / (double) sysconf(_SC_CLK_TCK);
    uint64_t booted = boot_time();
    write_double(process, encoder, PROCESS_CPU_SECONDS, (double) (fields[14] + fields[15]) * tick);
    write_u64(process, encoder, PROCESS_THREADS, fields[20]);
    if (booted) {
        write_double(process, encoder, PROCESS_START_TIME, (double) booted + (double) fields[22] * tick);
    }
    write_u64(process, encoder, PROCESS_VIRTUAL_BYTES, fields[23]);
    write_u64(process, encoder, PROCESS_RESIDENT_BYTES, fields[24] * (uint64_t) sysconf(_SC_PAGESIZE));
}

static void write_open_fds(struct process_walk *process, struct encoder *encoder)
{
    uint64_t count;
    if (wants(process, encoder, PROCESS_OPEN_FDS) &&
        process_files_count_descriptors(&process->source->files, &count)) {
        write_u64(process, encoder, PROCESS_OPEN_FDS, count);
    }
}

/* Finds the soft limit in the line of /proc/PID/limits that begins with `name`. */
static bool find_limit(struct slice limits, const char *name, struct slice *limit)
{
    while (limits.data) {
        struct slice line = slice_cut(&limits, '\n');
        if (!slice_starts(line, name)) continue;
        line = slice_trim(slice_from(line, strlen(name)));
        *limit = slice_cut(&line, ' ');
        return true;
    }
    return false;
}

/* If the address space has no limit, the value is the largest number, as in the client libraries. */
static void write_own_limits(struct process_walk *process, struct encoder *encoder)
{
    struct rlimit limit;
    if (wants(process, encoder, PROCESS_MAX_FDS) && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY) {
        write_u64(process, encoder, PROCESS_MAX_FDS, limit.rlim_cur);
    }
    if (!wants(process, encoder, PROCESS_VIRTUAL_MAX_BYTES) || getrlimit(RLIMIT_AS, &limit) < 0) return;
    write_u64(process, encoder, PROCESS_VIRTUAL_MAX_BYTES,
              limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur);
}

static void write_limits(struct process_walk *process, struct encoder *encoder)
{
    char bytes[4096];
    struct slice limits, limit;
    uint64_t value;
    if (!wants(process, encoder, PROCESS_MAX_FDS) && !wants(process, encoder, PROCESS_VIRTUAL_MAX_BYTES))
        return;
    limits = process_files_read(&process->source->files, PROCESS_FILE_LIMITS, bytes, sizeof(bytes));
    if (find_limit(limits, "Max open files", &limit) && number_parse_u64(limit, &value)) {
        write_u64(process, encoder, PROCESS_MAX_FDS, value);
    }
    if (!find_limit(limits, "Max address space", &limit)) return;
    encoder_family(encoder, process->walk.collector->families[PROCESS_VIRTUAL_MAX_BYTES]);
    encoder_sample(encoder, SLICE(""), SLICE(""),
                   number_parse_u64(limit, &value) ? limit : SLICE("18446744073709551615"));
}

/*
 * Reads the counters of the process' network namespace from /proc/PID/net/netstat. The file has pairs of
 * lines with the same beginning: names, then values.
 */
static void read_network(struct process_source *source)
{
    char bytes[8192];
    struct slice text = process_files_read(&source->files, PROCESS_FILE_NETSTAT, bytes, sizeof(bytes));
    source->network_ms = 0;
    while (text.data) {
        struct slice names = slice_cut(&text, '\n'), values;
        if (!slice_starts(names, "IpExt: ")) continue;
        values = slice_cut(&text, '\n');
        while (names.data && values.data) {
            struct slice name = slice_cut(&names, ' '), value = slice_cut(&values, ' ');
            if (slice_is(name, "InOctets")) number_parse_u64(value, &source->received);
            if (slice_is(name, "OutOctets")) number_parse_u64(value, &source->sent);
        }
        source->network_ms = uv_hrtime() / 1000000;
        return;
    }
}

static void write_network(struct process_walk *process, struct encoder *encoder)
{
    struct process_source *source = process->source;
    if (!wants(process, encoder, PROCESS_RECEIVED_BYTES) && !wants(process, encoder, PROCESS_SENT_BYTES))
        return;
    if (!source->files.descriptors[PROCESS_FILE_NETSTAT] ||
        uv_hrtime() / 1000000 >= source->network_ms + NETWORK_MS) {
        read_network(source);
    }
    if (!source->network_ms) return;
    write_u64(process, encoder, PROCESS_RECEIVED_BYTES, source->received);
    write_u64(process, encoder, PROCESS_SENT_BYTES, source->sent);
}

/*
 * Logs when the process of the pid file is lost, when the reason changes, and when the process is found
 * again. `fault` is a string constant, or NULL if the process was found.
 */
static void log_pid_file(const char *file, const char *fault)
{
    static const char *logged;
    if (fault == logged) return;
    logged = fault;
    if (fault)
        log_line(LOG_WARN,
                 "cannot find the process named in the pid file, the memcached_process_* metrics are left "
                 "out until that process exists",
                 LOG_FIELD("file", file), LOG_FIELD("err", fault));
    else
        log_line(LOG_INFO, "found the process of the pid file again", LOG_FIELD("file", file));
}

/* Reads the process id from the pid file. Returns NULL, or the reason why that failed. */
static const char *read_pid_file(struct process_walk *process)
{
    char bytes[64];
    uint64_t pid;
    int fd = open(process->pid_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    if (fd >= 0) close(fd);
    if (n <= 0) return "it cannot be read or is empty";
    struct slice text = {bytes, (size_t) n};
    text = slice_trim(slice_cut(&text, '\n'));
    if (!number_parse_u64(text, &pid) || pid == 0 || pid > INT32_MAX) return "it does not hold a process id";
    process_files_select(&process->source->files, (pid_t) pid);
    return NULL;
}

/* Returns false if there is no process to observe. */
static bool find_process(struct process_walk *process, uint64_t fields[25])
{
    if (!process->pid_file) return read_stat(process->source, fields);
    const char *fault = read_pid_file(process);
    if (!fault && !read_stat(process->source, fields)) fault = "there is no process of that id";
    log_pid_file(process->pid_file, fault);
    return !fault;
}

static bool process_step(struct walk *walk, struct encoder *encoder)
{
    struct process_walk *process = container_of(walk, struct process_walk, walk);
    uint64_t fields[25];
    if (!find_process(process, fields)) return false;
    write_stat(process, encoder, fields);
    write_open_fds(process, encoder);
    if (process->pid_file)
        write_limits(process, encoder);
    else
        write_own_limits(process, encoder);
    write_network(process, encoder);
    return false;
}

void process_walk_self(struct process_walk *process)
{
    *process = (struct process_walk){.walk = {&process_collector, process_step}, .source = &own_source};
    process_files_open(&own_source.files, PROCESS_FILE_NETSTAT); /* so that it is counted from the start */
}

void process_walk_pid_file(struct process_walk *process, const char *pid_file)
{
    *process = (struct process_walk){
        .walk = {&memcached_process_collector, process_step}, .source = &server_source, .pid_file = pid_file};
}
