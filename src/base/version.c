#include "base/version.h"

/* Made by the build: EXPORTER_BRANCH and EXPORTER_REVISION. */
#include "revision.h"

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

#if defined(__clang__)
#define COMPILER "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__)
#else
#define COMPILER "unknown"
#endif

#if defined(__linux__)
#define OS "linux"
#elif defined(__FreeBSD__)
#define OS "freebsd"
#elif defined(__APPLE__)
#define OS "darwin"
#else
#define OS "unknown"
#endif

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__riscv) && defined(__LP64__)
#define ARCH "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH "ppc64le"
#elif defined(__s390x__)
#define ARCH "s390x"
#else
#define ARCH "unknown"
#endif

const struct build_info build_info = {
    .version = EXPORTER_VERSION,
    .revision = EXPORTER_REVISION,
    .branch = EXPORTER_BRANCH,
    .compiler = COMPILER,
    .os = OS,
    .arch = ARCH,
};
