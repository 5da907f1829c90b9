#include "chance.h"

#include <string.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void chance_seed(struct chance *chance, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        chance->state[i] = splitmix(&seed);
}

static uint64_t rotated(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t chance_next(struct chance *chance)
{
    uint64_t *s = chance->state;
    uint64_t result = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return result;
}

uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return bound == 0 ? 0 : (chance_next(chance) >> 11) % bound;
}

int64_t chance_between(struct chance *chance, int64_t low, int64_t high)
{
    return low + (int64_t)chance_below(chance, (uint64_t)(high - low) + 1);
}

bool chance_hits(struct chance *chance, unsigned parts)
{
    return parts != 0 && chance_below(chance, 1000000) < parts;
}

void chance_fill(void *chance, void *ret_bytes, size_t size)
{
    char *to = ret_bytes;
    while (size > 0) {
        uint64_t drawn = chance_next(chance);
        size_t part = size < sizeof drawn ? size : sizeof drawn;
        memcpy(to, &drawn, part);
        to += part;
        size -= part;
    }
}
