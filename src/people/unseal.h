/* unseal.h - a row of an integrator with its secrets in the clear; used by people*.c only. */
#ifndef VENDGATE_PEOPLE_UNSEAL_H
#define VENDGATE_PEOPLE_UNSEAL_H

#include "people/vault.h"
#include "store/people.h"

#define UNSEALED_TEXTS (2 + STORE_SIGNING_KEYS_MAX)

struct unsealed {
    struct store_integrator_row row; /* texts as in the row that was given, but for the secrets */
    char *texts[UNSEALED_TEXTS];     /* the opened ones; NULL where there is none */
    int in_the_clear;                /* how many secrets were not sealed at all */
    const char *fault; /* static; why one could not be opened, and then none is there; NULL: all
                          were */
};

/* `vault` NULL: there is no master key. unsealed_done() ends it in any case. */
void unsealed_init(struct unsealed *unsealed, const struct vault *vault,
                   const struct store_integrator_row *row);
/* Wipes what was opened. */
void unsealed_done(struct unsealed *unsealed);

#endif
