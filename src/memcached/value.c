#include "memcached/value.h"

#include "base/number.h"

#include <inttypes.h>

static bool is_null(struct slice value)
{
    bool may_be = value.len && (value.data[0] == 'N' || value.data[0] == '(');
    return may_be && (slice_is(value, "NULL") || slice_is(value, "(null)"));
}

bool value_read_switch(struct slice value, bool *on)
{
    *on = slice_is(value, "yes") || slice_is(value, "on") || slice_is(value, "1");
    return *on || slice_is(value, "no") || slice_is(value, "off") || slice_is(value, "0");
}

static enum value_verdict judge_unsigned(struct slice value)
{
    uint64_t ignored;
    if (number_parse_u64(value, &ignored)) return VALUE_KEEP;
    return slice_is(value, "-1") ? VALUE_ABSENT : VALUE_WRONG;
}

/*
 * Reads a signed number. Old versions print a negative number as unsigned, so a large number wraps to a
 * negative one.
 */
static bool read_signed(struct slice value, int64_t *number)
{
    uint64_t wrapped;
    if (number_parse_i64(value, number)) return true;
    if (!number_parse_u64(value, &wrapped)) return false;
    *number = (int64_t) wrapped;
    return true;
}

static bool read_kibibytes(struct slice value, uint64_t *bytes)
{
    uint64_t kibibytes;
    return number_parse_u64(value, &kibibytes) && !__builtin_mul_overflow(kibibytes, (uint64_t) 1024, bytes);
}

static enum value_verdict judge_number(enum stat_form form, struct slice value)
{
    int64_t number;
    uint64_t bytes;
    bool on, fits = false;
    switch (form) {
    case FORM_NONE_MAX:
        return slice_is(value, "4294967295") ? VALUE_ABSENT : judge_unsigned(value);
    case FORM_LEVEL:
        return value_read_switch(value, &on) ? VALUE_KEEP : judge_unsigned(value);
    case FORM_KIBIBYTES:
        fits = read_kibibytes(value, &bytes);
        break;
    case FORM_SIGNED:
        fits = read_signed(value, &number);
        break;
    case FORM_DECIMAL:
        fits = number_is_decimal(value);
        break;
    case FORM_SWITCH:
        fits = value_read_switch(value, &on);
        break;
    case FORM_SWITCH_PATH:
        fits = value.len > 0;
        break;
    default:
        return judge_unsigned(value);
    }
    return fits ? VALUE_KEEP : VALUE_WRONG;
}

/* Any number of this many digits fits into 64 bits. */
#define SAFE_DIGITS 19

static bool is_short_number(struct slice value)
{
    if (value.len == 0 || value.len > SAFE_DIGITS) return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return false;
    }
    return true;
}

enum value_verdict value_judge(enum stat_form form, struct slice value)
{
    if (form == FORM_UNSIGNED && is_short_number(value)) return VALUE_KEEP;
    if (form == FORM_HIDDEN || is_null(value)) return VALUE_ABSENT;
    if (form == FORM_TEXT) return value.len ? VALUE_KEEP : VALUE_ABSENT;
    return judge_number(form, value);
}

void value_append_number(struct buffer *out, enum stat_form form, struct slice value)
{
    int64_t number;
    uint64_t microseconds = 0, bytes = 0;
    bool on;
    switch (form) {
    case FORM_SIGNED:
        if (read_signed(value, &number)) buffer_printf(out, "%" PRId64, number);
        break;
    case FORM_MICROSECONDS:
        number_parse_u64(value, &microseconds);
        number_append_scaled(out, microseconds, 6);
        break;
    case FORM_KIBIBYTES:
        read_kibibytes(value, &bytes);
        buffer_append_u64(out, bytes);
        break;
    case FORM_SWITCH:
        value_read_switch(value, &on);
        buffer_append_char(out, on ? '1' : '0');
        break;
    case FORM_SWITCH_PATH:
        buffer_append_char(out, slice_is(value, "no") ? '0' : '1');
        break;
    case FORM_LEVEL:
        if (value_read_switch(value, &on))
            buffer_append_char(out, on ? '1' : '0');
        else
            buffer_append_slice(out, value);
        break;
    default:
        buffer_append_slice(out, value);
    }
}
