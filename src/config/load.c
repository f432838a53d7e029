/* Loads a configuration from its file. */
#include "base/read_file.h"
#include "config/config.h"

int config_load(struct config *config, const char *file, const struct config_rules *rules,
                struct buffer *error)
{
    struct buffer text;
    *config = (struct config){0};
    buffer_init(&text, CONFIG_FILE_MAX + 1);
    buffer_clear(error);
    buffer_append_string(error, "--config.file: ");
    int result = read_file(file, CONFIG_FILE_MAX, &text, error);
    if (result == 0) result = config_read(config, file, buffer_slice(&text), rules, error);
    buffer_deinit(&text);
    return result;
}
