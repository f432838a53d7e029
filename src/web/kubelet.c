#include "web/kubelet.h"

/*
 * Kubelets usually probe at least once a minute. After this time without a probe, probing is assumed to have
 * ended.
 */
#define PROBES_END_NS (300 * UINT64_C(1000000000))

bool kubelet_asks(const struct request *request)
{
    return slice_starts(request->headers[HEADER_USER_AGENT], "kube-probe/");
}

void kubelet_observe(struct kubelet *kubelet, uint64_t now_ns)
{
    if (kubelet->scraped_ns) kubelet->interval_ns = now_ns - kubelet->scraped_ns;
    kubelet->scraped_ns = now_ns;
}

void kubelet_forget(struct kubelet *kubelet)
{
    gather_release(kubelet->last);
    kubelet->last = NULL;
}

void kubelet_keep(struct kubelet *kubelet, struct gather *gather, uint64_t now_ns)
{
    kubelet_forget(kubelet);
    if (!kubelet->probed_ns || now_ns - kubelet->probed_ns > PROBES_END_NS) return;
    kubelet->last = gather_hold(gather);
    kubelet->gathered_ns = now_ns;
}

struct gather *kubelet_gather(struct kubelet *kubelet, struct scrape_request *request,
                              struct telemetry *telemetry, uint64_t now_ns)
{
    kubelet->probed_ns = now_ns;
    if (kubelet->last && now_ns - kubelet->gathered_ns > kubelet->interval_ns) kubelet_forget(kubelet);
    return kubelet->last ? gather_hold(kubelet->last) : gather_nothing(request, telemetry);
}
