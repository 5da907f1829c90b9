/* people.c - people/people.h: integrators as the database has them, read anew when told to. */
#include "people/people.h"
#include "base/macros.h"
#include "base/memory.h"
#include "gateway.h"
#include "world.h"

#include <stdlib.h>

struct people {
    struct gateway *gateway;
    struct people_handlers handlers;
    void *arg;
    bool loaded, asking;
    struct integrator integrators[DATABASE_INTEGRATORS_MAX];
    size_t count;
};

struct people *people_simulated(struct gateway *gateway, const struct people_handlers *handlers,
                                void *arg)
{
    struct people *people = memory_zero(1, sizeof *people);
    people->gateway = gateway;
    people->handlers = *handlers;
    people->arg = arg;
    return people;
}

static void integrator_read(const struct integrator_row *row, struct integrator *ret_integrator)
{
    *ret_integrator = (struct integrator){.id = row->id,
                                          .enabled = true,
                                          .callback_url = (char *)"https://shop.example",
                                          .amount_max = row->amount_max,
                                          .allow_rename = row->allow_rename,
                                          .allow_multi_vend = row->allow_multi_vend,
                                          .strict_codes = row->strict_codes,
                                          .doubt_policy = (char *)row->doubt_policy,
                                          .requests_per_second = row->revision};
}

static bool same(const struct integrator *left, const struct integrator *right)
{
    return left->doubt_policy == right->doubt_policy && left->amount_max == right->amount_max &&
           left->allow_rename == right->allow_rename &&
           left->allow_multi_vend == right->allow_multi_vend &&
           left->strict_codes == right->strict_codes &&
           left->requests_per_second == right->requests_per_second;
}

static void read_again(void *arg, enum store_outcome outcome)
{
    struct people *people = arg;
    const struct database *database = &people->gateway->world->database;
    people->asking = false;
    if (outcome != STORE_APPLIED)
        return;
    bool first = !people->loaded;
    people->count = database->integrator_count;
    for (size_t i = 0; i < people->count; i++) {
        struct integrator before = people->integrators[i];
        integrator_read(&database->integrators[i], &people->integrators[i]);
        if (!first && !same(&before, &people->integrators[i]))
            people->handlers.integrator_changed(people->arg, people->integrators[i].id);
    }
    people->loaded = true;
    if (first)
        people->handlers.loaded(people->arg);
}

void people_refresh(struct people *people, const char *what UNUSED, const char *key UNUSED)
{
    if (people->asking)
        return;
    people->asking = true;
    store_sim_people(&people->gateway->store, read_again, people);
}

bool people_loaded(const struct people *people)
{
    return people->loaded;
}

const struct integrator *people_integrator(const struct people *people, int64_t integrator_id)
{
    for (size_t i = 0; i < people->count; i++)
        if (people->integrators[i].id == integrator_id)
            return &people->integrators[i];
    return NULL;
}

bool people_granted(const struct people *people UNUSED, int64_t integrator_id UNUSED,
                    const char *vm_id UNUSED)
{
    return true;
}

void people_free(struct people **people)
{
    free(TAKE(*people));
}
