/* machine.h - one simulated vending machine: a device, its connection, its customer and what
 * befalls it.
 *
 * Boots, connects, connects again with back-off and jitter, works off commands strictly in order,
 * and follows the behaviour of each session (behaviour.h). Loop thread only. */
#ifndef VENDGATE_VENDSIM_MACHINE_H
#define VENDGATE_VENDSIM_MACHINE_H

#include "vendsim/behaviour.h"
#include "vendsim/story.h"

#include <jansson.h>

struct uv_loop_s;
struct machine;

/* How fast things go, and what the customer wants; LEDGER_NONE (-1): as usual. */
struct pace {
    int64_t select_after_ms; /* pause before each step of the customer */
    int64_t vend_ms;         /* the motor's time */
    int64_t away_ms;         /* how long a misfortune lasts; -1: as the misfortune has it */
    int64_t item, price;     /* the customer's choice; -1: the next of the planogram, its price */
};

/* Shared by all machines of a process; borrowed while they live. */
struct machine_world {
    struct uv_loop_s *loop;
    struct story *story;
    const char *host;
    int port;
    const char *ca_file;
    const char *state_dir;
    struct pace pace;
    int64_t backoff_ms; /* at most so long before the first try to connect again; > 0 */
};

/* Texts are borrowed while the machine lives. */
struct machine_identity {
    const char *vm_id, *cert_file, *key_file;
    struct behaviour habit;
    bool v5;
};

/* What somebody outside wants of a machine, from now on or for its next sessions. */
struct machine_order {
    bool behaves; /* `behaviour`, `times` and `pace` are meant */
    struct behaviour behaviour;
    int64_t times; /* sessions; 0: for ever */
    struct pace pace;
    enum misfortune act; /* strikes at once */
    const json_t *event; /* borrowed: an event's body to number and tell; NULL: none */
};

/* Opens its journal. Negative errno: the state directory cannot be used. */
MUST_CHECK int machine_new(const struct machine_world *world,
                           const struct machine_identity *identity, struct machine **ret_machine);
/* Says goodbye if it is connected. The memory of timers goes at the loop's edge. */
void machine_free(struct machine **machine);

/* Switches it on after `delay_ms`. */
void machine_start(struct machine *machine, int64_t delay_ms);
void machine_order(struct machine *machine, const struct machine_order *order);
/* About once a second. */
void machine_tick(struct machine *machine);
bool machine_online(const struct machine *machine);

#endif
