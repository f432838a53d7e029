#include "collectors/build.h"

#include "base/version.h"

/*
 * Appends the same labels as the Go exporter. `goversion` and `tags` are empty, because they describe Go's
 * toolchain.
 */
static void append_build_labels(struct buffer *labels)
{
    labels_append(labels, "branch", slice_of(build_info.branch));
    labels_append(labels, "compiler", slice_of(build_info.compiler));
    labels_append(labels, "goarch", slice_of(build_info.arch));
    labels_append(labels, "goos", slice_of(build_info.os));
    labels_append(labels, "goversion", SLICE(""));
    labels_append(labels, "revision", slice_of(build_info.revision));
    labels_append(labels, "tags", SLICE(""));
    labels_append(labels, "version", slice_of(build_info.version));
}

static const struct family build_info_family = {
    "memcached_exporter_build_info",
    "The version, revision, branch and compiler from which this exporter was built.", METRIC_INFO,
    "branch,compiler,goarch,goos,goversion,revision,tags,version"};

static const struct family *const families[] = {&build_info_family};

const struct collector build_collector = {"build", families, 1, ""};

static bool build_step(struct walk *walk, struct encoder *encoder)
{
    struct buffer labels;
    (void) walk;
    buffer_init(&labels, 4096);
    append_build_labels(&labels);
    encoder_family(encoder, &build_info_family);
    encoder_sample_u64(encoder, SLICE(""), buffer_slice(&labels), 1);
    buffer_deinit(&labels);
    return false;
}

void build_walk(struct walk *walk)
{
    *walk = (struct walk){&build_collector, build_step};
}
