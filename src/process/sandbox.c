#include "process/sandbox.h"

#include "base/container.h"
#include "sandbox_filter.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of later Landlock versions, which the kernel headers may lack. */
#define FILES_REFER    (UINT64_C(1) << 13) /* version 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14) /* version 3 */
#define FILES_V1       ((UINT64_C(1) << 13) - 1)

/* --- Files --- */

/* Rights for reading files and directories. Executing is not allowed anywhere. */
static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
/* Rights for writing a temporary file, renaming it into place, and listening on a unix socket. */
static const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE | FILES_REFER |
                                FILES_TRUNCATE;

static void allow_below(int ruleset, const char *directory, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rule.parent_fd < 0) return;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

static bool restrict_files(const char *const *writable, size_t count)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t handled = FILES_V1 | (version >= 2 ? FILES_REFER : 0) | (version >= 3 ? FILES_TRUNCATE : 0);
    struct landlock_ruleset_attr attributes = {.handled_access_fs = handled};
    if (version < 1) return false;
    /* The size covers only the first member, which all versions have. */
    int ruleset =
        (int) syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
    if (ruleset < 0) return false;
    allow_below(ruleset, "/", reading & handled);
    for (size_t n = 0; n < count; n++) allow_below(ruleset, writable[n], (reading | writing) & handled);
    bool restricted = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return restricted;
}

void sandbox_enter(struct sandbox *sandbox, bool files, const char *const *writable, size_t count)
{
    *sandbox = (struct sandbox){0};
    sandbox->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    sandbox->files = files && sandbox->no_new_privileges && restrict_files(writable, count);
}

/* --- System calls --- */

void sandbox_filter_calls(struct sandbox *sandbox)
{
    if (!sandbox->no_new_privileges) return;
    struct sock_fprog program = {.len = ARRAY_LEN(sandbox_filter),
                                 .filter = (struct sock_filter *) sandbox_filter};
    sandbox->calls = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}
