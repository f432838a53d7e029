/* Values of Accept and Accept-Encoding. */
#include "fault.h"
#include "http/accept.h"
#include "target.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct media_offer offers[] = {
        {.type = "text/plain", .version = "0.0.4"},
        {.type = "application/openmetrics-text", .version = "1.0.0"},
        {.type = "application/vnd.google.protobuf",
         .proto = "io.prometheus.client.MetricFamily",
         .encoding = "delimited"},
    };
    static const char *const codings[] = {"gzip", "zstd", "identity"};
    struct slice header = {(const char *) data, size};
    struct media_choice choice = accept_choose(header, offers, 3);
    expect(choice.offer < 3);
    if (choice.escaping.len) {
        expect(choice.escaping.data >= header.data);
        expect(choice.escaping.data + choice.escaping.len <= header.data + header.len);
    }
    for (int n = 0; n < 3; n++) {
        int quality = accept_encoding_quality(header, codings[n]);
        expect(quality >= 0 && quality <= 1000);
    }
    return 0;
}
