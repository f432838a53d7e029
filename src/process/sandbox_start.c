#include "process/sandbox_start.h"

#include "base/log.h"
#include "net/address.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* List of writable folders; owned strings. `paths` has room for all. */
struct folders {
    char **paths;
    size_t count;
};

/* Removes the last part of a path: "/name" becomes "/", and a name without a slash becomes ".". */
static void step_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        path[slash == path ? 1 : slash - path] = '\0';
    else
        strcpy(path, ".");
}

/*
 * Adds the folder of `file`. If it does not exist yet, adds its nearest existing parent. Returns false when
 * out of memory.
 */
static bool add_folder_of(struct folders *folders, const char *file)
{
    char *path = malloc(strlen(file) + 2);
    if (!path) return false;
    strcpy(path, file);
    do step_up(path);
    while (access(path, F_OK) < 0 && strcmp(path, "/") != 0 && strcmp(path, ".") != 0);
    folders->paths[folders->count++] = path;
    return true;
}

static bool add_listeners(struct folders *folders, const struct string_list *listen)
{
    for (size_t n = 0; n < listen->count; n++) {
        struct address address;
        if (address_parse_listen(&address, slice_of(listen->items[n]), 1)) continue;
        if (address.kind == ADDRESS_UNIX && !add_folder_of(folders, address.host)) return false;
    }
    return true;
}

int sandbox_start(struct sandbox *sandbox, const struct options *flags, const struct config *config)
{
    struct folders folders = {calloc(1 + flags->listen_addresses.count, sizeof(char *)), 0};
    bool listens = flags->web && !flags->once && !flags->systemd_socket;
    *sandbox = (struct sandbox){0};
    if (!folders.paths) return UV_ENOMEM;
    bool complete = (!config->textfile[0] || add_folder_of(&folders, config->textfile)) &&
                    (!listens || add_listeners(&folders, &flags->listen_addresses));
    if (complete && flags->sandbox)
        sandbox_enter(sandbox, !flags->pid_file[0], (const char *const *) folders.paths, folders.count);
    while (folders.count) free(folders.paths[--folders.count]);
    free(folders.paths);
    return complete ? 0 : UV_ENOMEM;
}

static const char *yes_or_no(bool yes)
{
    return yes ? "yes" : "no";
}

void sandbox_finish(struct sandbox *sandbox, const struct options *flags, struct telemetry *telemetry)
{
    if (flags->sandbox) sandbox_filter_calls(sandbox);
    telemetry->no_new_privileges = sandbox->no_new_privileges;
    telemetry->landlock = sandbox->files;
    telemetry->seccomp = sandbox->calls;
    /* --once is for cron, which mails all output. */
    log_line(flags->once ? LOG_DEBUG : LOG_INFO,
             flags->sandbox ? "the exporter has given up rights that it does not need"
                            : "the exporter runs without its sandbox because of --no-sandbox",
             LOG_FIELD("no_new_privileges", yes_or_no(sandbox->no_new_privileges)),
             LOG_FIELD("landlock", yes_or_no(sandbox->files)),
             LOG_FIELD("seccomp", yes_or_no(sandbox->calls)));
}
