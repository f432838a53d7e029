#include "collectors/process.h"

#include "base/container.h"
#include "base/log.h"
#include "base/number.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Reads a small file of /proc as a whole. Returns the empty slice if that fails. */
static struct slice read_file(const char *path, char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return (struct slice){bytes, 0};
    ssize_t n = read(fd, bytes, size);
    close(fd);
    return (struct slice){bytes, n > 0 ? (size_t) n : 0};
}

static struct slice read_proc(pid_t pid, const char *name, char *bytes, size_t size)
{
    char path[64];
    if (pid)
        snprintf(path, sizeof(path), "/proc/%ld/%s", (long) pid, name);
    else
        snprintf(path, sizeof(path), "/proc/self/%s", name);
    return read_file(path, bytes, size);
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
static bool read_stat(pid_t pid, uint64_t fields[25])
{
    char bytes[1024];
    struct slice text = read_proc(pid, "stat", bytes, sizeof(bytes));
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

/*
 * Counts the open descriptors of a process; `pid` is 0 for this process. Returns false if the kernel does not
 * show them.
 */
static bool list_descriptors(const char *path, pid_t pid, uint64_t *count)
{
    DIR *directory = opendir(path);
    if (!directory) return false;
    *count = 0;
    while (readdir(directory)) ++*count;
    closedir(directory);
    /* Excludes "." and "..", and for this process also the descriptor of `directory`. */
    *count -= pid ? 2 : 3;
    return true;
}

/*
 * Since Linux 6.2, the size of the directory is the number of open descriptors. On older kernels the size is
 * 0, and the directory must be listed: ten thousand descriptors take a tenth of a second. A process of
 * another user hides its descriptors; then no sample is written.
 */
static void write_open_fds(struct process_walk *process, struct encoder *encoder)
{
    char path[64];
    struct stat status;
    uint64_t count;
    if (process->pid)
        snprintf(path, sizeof(path), "/proc/%ld/fd", (long) process->pid);
    else
        snprintf(path, sizeof(path), "/proc/self/fd");
    if (stat(path, &status) == 0 && status.st_size > 0)
        count = (uint64_t) status.st_size;
    else if (!list_descriptors(path, process->pid, &count))
        return;
    write_u64(process, encoder, PROCESS_OPEN_FDS, count);
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
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        write_u64(process, encoder, PROCESS_MAX_FDS, limit.rlim_cur);
    }
    if (getrlimit(RLIMIT_AS, &limit) < 0) return;
    write_u64(process, encoder, PROCESS_VIRTUAL_MAX_BYTES,
              limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur);
}

static void write_limits(struct process_walk *process, struct encoder *encoder)
{
    char bytes[4096];
    struct slice limits = read_proc(process->pid, "limits", bytes, sizeof(bytes)), limit;
    uint64_t value;
    if (find_limit(limits, "Max open files", &limit) && number_parse_u64(limit, &value)) {
        write_u64(process, encoder, PROCESS_MAX_FDS, value);
    }
    if (!find_limit(limits, "Max address space", &limit)) return;
    encoder_family(encoder, process->walk.collector->families[PROCESS_VIRTUAL_MAX_BYTES]);
    encoder_sample(encoder, SLICE(""), SLICE(""),
                   number_parse_u64(limit, &value) ? limit : SLICE("18446744073709551615"));
}

/*
 * Opens the netstat file of this process, once, and keeps it open. For each read the kernel writes the text
 * anew. After an open it does so twice, because the text is longer than the page that it tries first. Opening
 * the file each time would take a fifth of the time of a scrape of one server.
 */
static int open_own_netstat(void)
{
    static bool opened;
    static int fd;
    if (!opened) fd = open("/proc/self/net/netstat", O_RDONLY | O_CLOEXEC);
    opened = true;
    return fd;
}

static struct slice read_netstat(pid_t pid, char *bytes, size_t size)
{
    if (pid) return read_proc(pid, "net/netstat", bytes, size);
    ssize_t n = pread(open_own_netstat(), bytes, size, 0);
    return (struct slice){bytes, n > 0 ? (size_t) n : 0};
}

/*
 * Writes the counters of the process' network namespace, from /proc/PID/net/netstat. The file has pairs of
 * lines with the same beginning: names, then values.
 */
static void write_network(struct process_walk *process, struct encoder *encoder)
{
    char bytes[8192];
    struct slice text = read_netstat(process->pid, bytes, sizeof(bytes));
    while (text.data) {
        struct slice names = slice_cut(&text, '\n'), values;
        if (!slice_starts(names, "IpExt: ")) continue;
        values = slice_cut(&text, '\n');
        while (names.data && values.data) {
            struct slice name = slice_cut(&names, ' '), value = slice_cut(&values, ' ');
            uint64_t octets;
            if (!number_parse_u64(value, &octets)) continue;
            if (slice_is(name, "InOctets")) write_u64(process, encoder, PROCESS_RECEIVED_BYTES, octets);
            if (slice_is(name, "OutOctets")) write_u64(process, encoder, PROCESS_SENT_BYTES, octets);
        }
        return;
    }
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
    struct slice text = read_file(process->pid_file, bytes, sizeof(bytes));
    if (text.len == 0) return "it cannot be read or is empty";
    text = slice_trim(slice_cut(&text, '\n'));
    if (!number_parse_u64(text, &pid) || pid == 0 || pid > INT32_MAX) return "it does not hold a process id";
    process->pid = (pid_t) pid;
    return NULL;
}

/* Returns false if there is no process to observe. */
static bool find_process(struct process_walk *process, uint64_t fields[25])
{
    if (!process->pid_file) return read_stat(process->pid, fields);
    const char *fault = read_pid_file(process);
    if (!fault && !read_stat(process->pid, fields)) fault = "there is no process of that id";
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
    if (process->pid)
        write_limits(process, encoder);
    else
        write_own_limits(process, encoder);
    write_network(process, encoder);
    return false;
}

void process_walk_self(struct process_walk *process)
{
    *process = (struct process_walk){.walk = {&process_collector, process_step}};
    open_own_netstat(); /* opened here so that it is among the counted descriptors */
}

void process_walk_pid_file(struct process_walk *process, const char *pid_file)
{
    *process =
        (struct process_walk){.walk = {&memcached_process_collector, process_step}, .pid_file = pid_file};
}
