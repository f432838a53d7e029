/*
 * Lists of targets of file_sd and http_sd. The first byte chooses JSON or YAML. Two readings find the same,
 * and sorting twice is sorting once.
 */
#include "discovery/sd_format.h"
#include "fault.h"
#include "target.h"

static int read_list(struct results *found, const uint8_t *data, size_t size)
{
    struct slice text = {(const char *) data + 1, size - 1};
    struct buffer error;
    buffer_init(&error, 64 * 1024);
    results_init(found);
    int result = sd_format_read(found, text, data[0] & 1 ? SD_YAML : SD_JSON,
                                (struct results_label){"__meta_filepath", "here"}, &error);
    if (result < 0) {
        expect(error.len > 0 && !error.failed);
        for (size_t n = 0; n < error.len; n++) expect((unsigned char) error.data[n] >= ' ');
    }
    buffer_deinit(&error);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct results first, second;
    if (size < 1) return 0;
    int result = read_list(&first, data, size);
    expect(read_list(&second, data, size) == result);
    if (result == 0) {
        expect(results_equal(&first, &second));
        results_sort(&first);
        results_sort(&second);
        results_sort(&second);
        expect(results_equal(&first, &second));
    }
    results_deinit(&first);
    results_deinit(&second);
    return 0;
}
