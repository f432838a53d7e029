#include "net/dns_srv.h"

#include <ares.h>
#include <limits.h>
#include <stdlib.h>

#define HEAD_LEN     12
#define QUESTION_LEN 4  /* behind its name: type, class */
#define RECORD_LEN   10 /* behind its name: type, class, TTL, length */
#define SRV_LEN      6  /* before its target: priority, weight, port */

#define TYPE_CNAME 5
#define TYPE_SRV   33
#define CLASS_IN   1

/* A message and how far it has been read. */
struct reader {
    const uint8_t *message;
    size_t len, at;
};

struct record {
    unsigned type, class;
    uint32_t ttl;
    size_t at, end; /* its data */
};

static unsigned get16(const uint8_t *bytes)
{
    return (unsigned) bytes[0] << 8 | bytes[1];
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t) get16(bytes) << 16 | get16(bytes + 2);
}

/*
 * A name at this place, which may point elsewhere in the message. Returns its length at the place itself, 0
 * if it is malformed. *name, if it is asked for, is to be freed by ares_free_string.
 */
static size_t expand(const struct reader *reader, size_t at, char **name)
{
    char *text;
    long used;
    if (at >= reader->len) return 0;
    if (ares_expand_name(reader->message + at, reader->message, (int) reader->len, &text, &used) !=
        ARES_SUCCESS)
        return 0;
    if (name)
        *name = text;
    else
        ares_free_string(text);
    return (size_t) used;
}

/* Passes over a name and the `more` bytes behind it, which are then before reader->at. */
static bool skip(struct reader *reader, size_t more)
{
    size_t used = expand(reader, reader->at, NULL);
    if (used == 0 || reader->len - reader->at < used + more) return false;
    reader->at += used + more;
    return true;
}

static bool read_record(struct reader *reader, struct record *record)
{
    if (!skip(reader, RECORD_LEN)) return false;
    const uint8_t *head = reader->message + reader->at - RECORD_LEN;
    size_t len = get16(head + 8);
    if (reader->len - reader->at < len) return false;
    *record = (struct record){get16(head), get16(head + 2), get32(head + 4), reader->at, reader->at + len};
    reader->at += len;
    return true;
}

/* False if it is malformed: the target must end where the record does. A host of length 0 is the root. */
static bool read_service(const struct reader *reader, const struct record *record,
                         struct dns_service *service)
{
    size_t target = record->at + SRV_LEN;
    char *host;
    size_t used = expand(reader, target, &host);
    if (used == 0) return false;
    struct slice text = slice_of(host);
    bool fits = target + used == record->end && text.len < sizeof(service->host);
    if (fits) memcpy(service->host, text.data, text.len + 1);
    service->port = (uint16_t) get16(reader->message + record->at + 4);
    ares_free_string(host);
    return fits;
}

/* A TTL of more than 31 bits is to be taken for 0 (RFC 2181, 8). */
static void shorten(uint32_t *ttl, uint32_t other)
{
    if (other > INT32_MAX) other = 0;
    if (other < *ttl) *ttl = other;
}

static bool read_records(struct reader *reader, unsigned records, struct dns_service *services, size_t *count,
                         uint32_t *ttl)
{
    struct record record;
    while (records--) {
        if (!read_record(reader, &record)) return false;
        if (record.class != CLASS_IN || (record.type != TYPE_SRV && record.type != TYPE_CNAME)) continue;
        shorten(ttl, record.ttl);
        if (record.type == TYPE_CNAME) continue;
        if (!read_service(reader, &record, &services[*count])) return false;
        if (services[*count].host[0]) ++*count;
    }
    return true;
}

int dns_srv_read(const uint8_t *message, size_t len, struct dns_service **services, size_t *count,
                 uint32_t *ttl)
{
    struct reader reader = {message, len, HEAD_LEN};
    *services = NULL;
    *count = 0;
    *ttl = INT32_MAX;
    if (len < HEAD_LEN || len > INT_MAX) return UV_EPROTO;
    unsigned questions = get16(message + 4), records = get16(message + 6);
    while (questions--) {
        if (!skip(&reader, QUESTION_LEN)) return UV_EPROTO;
    }
    /* No record is shorter than this, so a false number of them costs no more memory than it sent bytes. */
    size_t most = (len - reader.at) / (RECORD_LEN + 1);
    if (records > most) return UV_EPROTO;
    *services = calloc(records ? records : 1, sizeof(**services));
    if (!*services) return UV_ENOMEM;
    if (read_records(&reader, records, *services, count, ttl)) return 0;
    free(*services);
    *services = NULL;
    return UV_EPROTO;
}
