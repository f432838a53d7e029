/* The vectors that the authors of SipHash publish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"

/* The secret is 00 01 .. 0f, the text 00 01 .. of the given length. */
static void hashes_as_published(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
        {9, UINT64_C(0x9e0082df0ba9e4b0)}, {15, UINT64_C(0xa129ca6149be45e5)},
    };
    struct siphash_secret secret = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    char text[16];
    (void) state;
    for (size_t n = 0; n < sizeof(text); n++) text[n] = (char) n;
    for (size_t n = 0; n < sizeof(vectors) / sizeof(*vectors); n++)
        assert_true(siphash(&secret, (struct slice){text, vectors[n].len}) == vectors[n].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_as_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
