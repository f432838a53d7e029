#include "http/accept.h"

/*
 * Reads a quality such as "0", "0.5" or "1.000", in thousandths. RFC 9110 wants one digit before the point
 * and at most three after it. Some clients write ".5" or "0.3333", so these are read, too, cut to
 * thousandths. Returns 0 if the text is no such number or the number is more than 1.
 */
static int parse_quality(struct slice text)
{
    struct slice fraction = text, whole = slice_cut(&fraction, '.');
    int quality = 0, weight = 100;
    if (whole.len > 1 || whole.len + fraction.len == 0) return 0;
    if (whole.len && (whole.data[0] < '0' || whole.data[0] > '1')) return 0;
    if (whole.len) quality = 1000 * (whole.data[0] - '0');
    for (size_t i = 0; i < fraction.len; i++, weight /= 10) {
        char c = fraction.data[i];
        if (c < '0' || c > '9' || (quality >= 1000 && c != '0')) return 0;
        quality += weight * (c - '0');
    }
    return quality;
}

/*
 * Returns the quality in the parameters of an entry, such as "q=0.5" of "gzip;q=0.5". Without "q" the quality
 * is 1.
 */
static int entry_quality(struct slice parameters)
{
    while (parameters.len) {
        struct slice value = slice_trim(slice_cut(&parameters, ';'));
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(name, "q")) return parse_quality(slice_trim(value));
    }
    return 1000;
}

/* "x-gzip" is the old name of "gzip" (RFC 9110, 8.4.1.3). */
static bool names_coding(struct slice name, const char *coding)
{
    if (slice_is_nocase(name, "x-gzip")) name = SLICE("gzip");
    return slice_is_nocase(name, coding);
}

int accept_encoding_quality(struct slice header, const char *coding)
{
    int fallback = slice_is_nocase(slice_of(coding), "identity") ? 1 : 0;
    while (header.len) {
        struct slice parameters = slice_cut(&header, ',');
        struct slice name = slice_trim(slice_cut(&parameters, ';'));
        if (names_coding(name, coding)) return entry_quality(parameters);
        if (slice_is(name, "*")) fallback = entry_quality(parameters);
    }
    return fallback;
}

/* --- Media types --- */

/* How exactly a range matches an offer, from worst to best. */
enum exactness { MATCHES_NOT, MATCHES_ANY, MATCHES_KIND, MATCHES_TYPE, MATCHES_PARAMETERS };

struct media_range {
    struct slice type, version, proto, encoding, escaping;
    int quality;
};

/* Parses a range such as "text/plain;version=0.0.4;q=0.2". The value of a parameter may be quoted. */
static struct media_range read_range(struct slice text)
{
    struct media_range range = {.type = slice_trim(slice_cut(&text, ';')), .quality = 1000};
    while (text.len) {
        struct slice value = slice_trim(slice_cut(&text, ';'));
        struct slice name = slice_trim(slice_cut(&value, '='));
        value = slice_trim(value);
        if (value.len > 1 && value.data[0] == '"' && value.data[value.len - 1] == '"') {
            value = (struct slice){value.data + 1, value.len - 2};
        }
        if (slice_is_nocase(name, "q"))
            range.quality = parse_quality(value);
        else if (slice_is_nocase(name, "version"))
            range.version = value;
        else if (slice_is_nocase(name, "proto"))
            range.proto = value;
        else if (slice_is_nocase(name, "encoding"))
            range.encoding = value;
        else if (slice_is_nocase(name, "escaping"))
            range.escaping = value;
    }
    return range;
}

static bool is_asked(struct slice wish, const char *offered)
{
    return offered && wish.len;
}

static bool refuses(struct slice wish, const char *offered)
{
    return is_asked(wish, offered) && !slice_is(wish, offered);
}

static enum exactness match(const struct media_range *range, const struct media_offer *offer)
{
    struct slice kind = slice_of(offer->type);
    if (slice_is(range->type, "*/*")) return MATCHES_ANY;
    kind = slice_cut(&kind, '/');
    if (range->type.len == kind.len + 2 && strncasecmp(range->type.data, kind.data, kind.len) == 0 &&
        memcmp(range->type.data + kind.len, "/*", 2) == 0) {
        return MATCHES_KIND;
    }
    if (!slice_is_nocase(range->type, offer->type)) return MATCHES_NOT;
    if (refuses(range->version, offer->version) || refuses(range->proto, offer->proto) ||
        refuses(range->encoding, offer->encoding)) {
        return MATCHES_NOT;
    }
    bool asked = is_asked(range->version, offer->version) || is_asked(range->proto, offer->proto) ||
                 is_asked(range->encoding, offer->encoding);
    return asked ? MATCHES_PARAMETERS : MATCHES_TYPE;
}

/*
 * Finds the range of the header that matches an offer most exactly. Returns MATCHES_NOT if no range matches.
 */
static enum exactness find_range(struct slice header, const struct media_offer *offer,
                                 struct media_range *found)
{
    enum exactness best = MATCHES_NOT;
    while (header.len) {
        struct media_range range = read_range(slice_cut(&header, ','));
        enum exactness exactness = match(&range, offer);
        if (exactness <= best) continue;
        best = exactness;
        *found = range;
    }
    return best;
}

struct media_choice accept_choose(struct slice header, const struct media_offer *offers, size_t count)
{
    struct media_choice choice = {0};
    enum exactness best = MATCHES_NOT;
    int quality = 0;
    for (size_t n = 0; n < count; n++) {
        struct media_range range;
        enum exactness exactness = find_range(header, &offers[n], &range);
        if (exactness == MATCHES_NOT || range.quality == 0) continue;
        if (range.quality < quality || (range.quality == quality && exactness <= best)) continue;
        choice = (struct media_choice){n, range.escaping};
        quality = range.quality;
        best = exactness;
    }
    return choice;
}
