/* Web configuration files: TLS, users, headers, the limit of requests. */
#include "config/web_config.h"
#include "fault.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_config config;
    struct buffer error;
    enum tls_client_auth type;
    buffer_init(&error, 64 * 1024);
    int result = web_config_read(&config, "/etc/web.yml", (struct slice){(const char *) data, size}, &error);
    if (result < 0) {
        expect(error.len > 0 && !error.failed);
    } else {
        (void) web_config_client_auth(&config, &type, &error);
        (void) web_config_check_hashes(&config, &error);
        for (size_t n = 0; n < config.user_count; n++)
            expect(web_config_hash(&config, slice_of(config.users[n].name)));
        (void) web_config_hash(&config, SLICE("nobody"));
    }
    for (size_t n = 0; n < error.len; n++) expect((unsigned char) error.data[n] >= ' ');
    web_config_deinit(&config);
    buffer_deinit(&error);
    return 0;
}
