/* machine_private.h - shared by machine.c (power and link), machine_command.c (what it is told) and
 * machine_session.c (customer and motor). */
#ifndef VENDGATE_VENDSIM_MACHINE_PRIVATE_H
#define VENDGATE_VENDSIM_MACHINE_PRIVATE_H

#include "base/timer.h"
#include "vendsim/device.h"
#include "vendsim/machine.h"
#include "vendsim/wire.h"

#define MACHINE_QUEUE_MAX 16

struct waiting_command {
    json_t *command;
    int64_t arrived_ms;
};

struct plan {
    struct behaviour behaviour;
    struct pace pace;
};

struct machine {
    const struct machine_world *world;
    const char *vm_id;
    struct wire *wire;
    struct journal *journal;
    struct device *device;

    bool powered;
    bool online;        /* hello was answered on this connection */
    bool muted;         /* silence is over when `away` fires */
    unsigned failures;  /* connection attempts since the last time online */
    struct timer *away; /* the next boot or connection */

    struct waiting_command queue[MACHINE_QUEUE_MAX];
    size_t queue_size;
    struct timer *hold; /* the command at the head is held back until it fires */

    struct plan habit;   /* for sessions without an order */
    struct plan ordered; /* for the next `ordered_times` sessions */
    int64_t ordered_times;
    struct plan plan; /* of the session `plan_session` */
    int64_t plan_session;
    bool struck;      /* this session's misfortune has happened */
    size_t step;      /* of plan.behaviour.steps */
    uint64_t choices; /* counts through the planogram */
    struct timer *customer, *motor, *session_end;
};

void machine_tell(struct machine *machine, const char *what, json_t *detail);
/* Publishes every event that is not acknowledged and not under way, in order; nothing while
 * offline. */
void machine_flush(struct machine *machine);
/* True: this session's misfortune is due at `point`, and has struck now. */
bool machine_strikes(struct machine *machine, enum point point);
void machine_strike(struct machine *machine, enum misfortune misfortune);

/* machine_command.c */
void machine_command_arrived(struct machine *machine, const char *bytes, size_t size);
void machine_commands_forget(struct machine *machine);
void machine_commands_held(void *arg); /* timer */

/* machine_session.c */
/* The plan for this session; the same for a session that has one. */
void machine_session_plan(struct machine *machine, int64_t session);
void machine_session_open(struct machine *machine, int64_t timeout_s);
/* Customer and motor stop, as the session is over or the power is gone. */
void machine_session_stop(struct machine *machine);
void machine_session_keys(struct machine *machine);
void machine_session_dispense(struct machine *machine);
void machine_session_customer(void *arg); /* timers */
void machine_session_motor(void *arg);
void machine_session_timeout(void *arg);

#endif
