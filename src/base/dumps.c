#include "base/dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void dumps_forbid(void)
{
    static const struct rlimit none;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
}
