/* choices.h - what could happen next, each with its weight; the scheduler takes one. */
#ifndef VENDGATE_TESTS_SIMULATION_CHOICES_H
#define VENDGATE_TESTS_SIMULATION_CHOICES_H

#include <stddef.h>
#include <stdint.h>

#define CHOICES_MAX 512

typedef void choice_act(void *subject, int64_t argument);

struct choice {
    const char *what;
    choice_act *act;
    void *subject;
    int64_t argument;
    unsigned weight;
};

struct choices {
    struct choice list[CHOICES_MAX];
    size_t count;
    uint64_t total;
};

/* Weight 0 is no offer. */
void offer(struct choices *choices, unsigned weight, const char *what, choice_act *act,
           void *subject, int64_t argument);

#endif
