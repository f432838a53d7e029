#include "watch/distinct.h"

#include <stddef.h>

#define REGISTERS (1 << DISTINCT_BITS)
#define RANK_MAX  (64 - DISTINCT_BITS + 1)

/* 1 / (2 ln 2) */
#define ALPHA 0.72134752044448170

/* The function sigma of the paper, section 2.3. `x` is the share of registers that are 0; x < 1. */
static double sigma(double x)
{
    double sum = x, before = 0;
    for (double factor = 1; sum > before; factor *= 2) {
        x *= x;
        before = sum;
        sum += x * factor;
    }
    return sum;
}

/*
 * Estimates from the number of registers of each rank. The paper's term for registers of the highest rank is
 * left out: a register reaches that rank after about 2^52 keys.
 */
double distinct_estimate(const struct distinct *distinct)
{
    unsigned counts[RANK_MAX + 1] = {0};
    double sum = 0;
    for (size_t n = 0; n < REGISTERS; n++) counts[distinct->registers[n]]++;
    if (counts[0] == REGISTERS) return 0;
    for (unsigned rank = RANK_MAX; rank > 0; rank--) sum = (sum + counts[rank]) / 2;
    sum += REGISTERS * sigma((double) counts[0] / REGISTERS);
    return ALPHA * REGISTERS * REGISTERS / sum;
}
