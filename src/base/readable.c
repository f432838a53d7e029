#include "base/readable.h"

#include "base/container.h"

#include <inttypes.h>
#include <time.h>

static void append_scaled(struct buffer *out, double value, double step, const char *const *units,
                          size_t count)
{
    size_t unit = 0;
    while (value >= step && unit + 1 < count) {
        value /= step;
        unit++;
    }
    buffer_printf(out, unit == 0 || value >= 100 ? "%.0f%s" : "%.1f%s", value, units[unit]);
}

void readable_bytes(struct buffer *out, double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
    append_scaled(out, bytes, 1024, units, ARRAY_LEN(units));
}

void readable_count(struct buffer *out, double count)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    append_scaled(out, count, 1000, units, ARRAY_LEN(units));
}

void readable_duration(struct buffer *out, uint64_t seconds)
{
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (days)
        buffer_printf(out, "%" PRIu64 " d %" PRIu64 " h", days, hours % 24);
    else if (hours)
        buffer_printf(out, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
    else if (minutes)
        buffer_printf(out, "%" PRIu64 " min", minutes);
    else
        buffer_printf(out, "%" PRIu64 " s", seconds);
}

void readable_rate(struct buffer *out, double rate)
{
    if (rate > 0 && rate < 10)
        buffer_printf(out, "%.1f", rate);
    else
        readable_count(out, rate);
}

void readable_time(struct buffer *out, double unix_s)
{
    time_t seconds = (time_t) unix_s;
    struct tm parts;
    char text[40];
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts))
        buffer_append_string(out, text);
}

void readable_ratio(struct buffer *out, uint64_t hits, uint64_t misses)
{
    if (hits + misses)
        buffer_printf(out, "%.1f %%", 100 * (double) hits / ((double) hits + (double) misses));
    else
        buffer_append_string(out, "–");
}
