#include "memcached/tail_ages.h"

#include "base/number.h"
#include "memcached/snapshot_order.h"

const double tail_age_bounds[TAIL_AGE_BOUNDS] = {1, 10, 60, 300, 900, 3600, 14400, 86400, 604800, 2419200};

/* Row of the stats table. */
static uint16_t age_row(void)
{
    static uint16_t row;
    uint32_t class;
    if (!row) row = stats_find(COMMAND_ITEMS, SLICE("items:0:age"), &class);
    return row;
}

void tail_ages_count(struct tail_ages *ages, const struct snapshot_builder *builder)
{
    const uint16_t row = age_row();
    *ages = (struct tail_ages){0};
    const struct snapshot_builder_entry *entry = snapshot_order_from(builder, row),
                                        *end = &builder->entries[builder->count];
    for (; entry < end && entry->row == row; entry++) {
        uint64_t age = 0;
        size_t bucket = 0;
        number_parse_u64(snapshot_builder_value(builder, entry), &age);
        while (bucket < TAIL_AGE_BOUNDS && (double) age > tail_age_bounds[bucket]) bucket++;
        ages->counts[bucket]++;
    }
}
