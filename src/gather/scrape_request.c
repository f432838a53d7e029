#include "gather/scrape_request.h"

#include <stdlib.h>

struct scrape_request *scrape_request_new(void)
{
    struct scrape_request *request = calloc(1, sizeof(*request));
    if (!request) return NULL;
    request->references = 1;
    return request;
}

struct scrape_request *scrape_request_hold(struct scrape_request *request)
{
    request->references++;
    return request;
}

void scrape_request_release(struct scrape_request *request)
{
    if (!request || --request->references) return;
    target_list_clear(&request->url_targets);
    target_set_release(request->target_set);
    buffer_deinit(&request->names);
    free(request);
}

const struct target_list *scrape_request_targets(const struct scrape_request *request)
{
    return request->target_set ? &request->target_set->targets : &request->url_targets;
}
