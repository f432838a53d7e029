/*
 * Addresses of servers, as flags, files and URLs name them, and the rules of the target policy. An address
 * and its canonical text mean the same; a decision of the policy does not depend on the spelling.
 */
#include "fault.h"
#include "net/address.h"
#include "net/network.h"
#include "net/policy.h"
#include "net/policy_rule.h"
#include "target.h"

#include <string.h>

static enum policy_verdict judge(const struct address *address)
{
    struct policy_refusal refusal = {.why = ""};
    enum policy_verdict verdict = policy_check(policy_none(), address, NULL, &refusal);
    if (verdict == POLICY_FORBIDDEN) expect(refusal.why[0] && memchr(refusal.why, '\0', sizeof(refusal.why)));
    return verdict;
}

static void check_address(const struct address *address)
{
    struct address again;
    struct buffer text, second;
    buffer_init(&text, 1024);
    buffer_init(&second, 1024);
    address_format(address, &text);
    const char *expected = address_parse(&again, buffer_slice(&text), 1);
    if (expected) fault("%.*s: expected %s", (int) text.len, text.data, expected);
    address_format(&again, &second);
    expect(slice_equal(buffer_slice(&text), buffer_slice(&second)));
    expect(again.kind == address->kind && again.port == address->port);
    expect(judge(address) == judge(&again));
    buffer_deinit(&text);
    buffer_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *) data, size};
    struct address address;
    struct network network;
    struct policy_rule rule;
    if (!address_parse(&address, text, 11211)) check_address(&address);
    (void) address_parse_listen(&address, text, 9150);
    if (network_parse(&network, text)) expect(network_has(&network, &network.prefix) || network.bits < 96);
    if (!policy_rule_parse(&rule, text)) {
        struct policy *policy = policy_new();
        if (policy && policy_add(&policy->deny, &rule) &&
            !address_parse(&address, SLICE("10.0.0.1:11211"), 1)) {
            struct policy_refusal refusal;
            (void) policy_check(policy, &address, NULL, &refusal);
        }
        policy_release(policy);
    }
    return 0;
}
