#include "memcached/resumption.h"

struct ssl_session_st *resumption_offer(const struct resumption *resumption,
                                        const struct tls_context *context)
{
    /*
     * The certificate is not verified again in a resumed session. Other rules therefore need a new session.
     */
    return resumption->context == context ? resumption->session : NULL;
}

void resumption_deinit(struct resumption *resumption)
{
    tls_session_release(resumption->session);
    tls_context_release(resumption->context);
    resumption->session = NULL;
    resumption->context = NULL;
}

void resumption_learn(struct resumption *resumption, const struct stream *stream)
{
    struct tls *tls = stream_tls(stream);
    struct ssl_session_st *session = tls && !resumption->refused ? tls_take_session(tls) : NULL;
    if (!session) return;
    resumption_deinit(resumption);
    resumption->session = session;
    resumption->context = tls_context_hold(tls->context);
}

void resumption_refuse(struct resumption *resumption)
{
    resumption_deinit(resumption);
    resumption->refused = true;
}
