/* Answers of name servers. The first byte chooses the type of the records. */
#include "fault.h"
#include "net/dns_message.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV};
    struct dns_records records;
    if (size < 1) return 0;
    enum dns_type type = types[data[0] % 3];
    uint8_t *message = malloc(size); /* of exactly the message's bytes, and one for an empty one */
    if (!message) return 0;
    memcpy(message, data + 1, size - 1);
    int result = dns_message_read(message, size - 1, type, &records);
    free(message);
    if (result < 0) {
        expect(!records.endpoints && !records.services && records.count == 0);
        return 0;
    }
    for (size_t n = 0; n < records.count && type != DNS_SRV; n++)
        expect(records.endpoints[n].any.sa_family == (type == DNS_A ? AF_INET : AF_INET6));
    for (size_t n = 0; n < records.count && type == DNS_SRV; n++)
        expect(memchr(records.services[n].host, '\0', sizeof(records.services[n].host)));
    free(records.endpoints);
    free(records.services);
    return 0;
}
