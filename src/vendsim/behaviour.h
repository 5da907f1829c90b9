/* behaviour.h - the scripts by which a simulated machine, its customer and its surroundings act.
 * Static tables; pure.
 *
 * A behaviour is chosen when a session is locked and holds for that session. Besides the rows of
 * the table any
 * `<misfortune>@<point>` is a name, such as `power_loss@approve_taken`: everything normal, but at
 * that point of the session that misfortune strikes once. */
#ifndef VENDGATE_VENDSIM_BEHAVIOUR_H
#define VENDGATE_VENDSIM_BEHAVIOUR_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Where in a purchase something can go wrong, in order. */
enum point {
    POINT_NONE = 0,
    POINT_LOCK_RECEIVED, /* the command never reaches the device */
    POINT_LOCK_TAKEN,    /* done, reply not sent */
    POINT_LOCK_REPLIED,
    POINT_SELECTION_MADE, /* numbered, not sent */
    POINT_SELECTION_SENT, /* not acknowledged */
    POINT_SELECTION_ACKED,
    POINT_APPROVE_RECEIVED, /* the command never reaches the device */
    POINT_APPROVE_TAKEN,    /* verdict in the journal, reply not sent */
    POINT_APPROVE_REPLIED,
    POINT_ON_BUS,         /* the motor runs */
    POINT_FELL,           /* the goods are in the tray, the journal does not say so yet */
    POINT_RESULT_WRITTEN, /* in the journal, not sent */
    POINT_RESULT_SENT,    /* not acknowledged */
    POINT_RESULT_ACKED,
    POINT_COUNT
};

enum misfortune {
    MISFORTUNE_NONE = 0,
    MISFORTUNE_RECONNECT,    /* the link breaks; the machine goes on and connects again */
    MISFORTUNE_SILENCE,      /* the link stays open, nothing passes; then as reconnect */
    MISFORTUNE_POWER_LOSS,   /* everything in RAM is gone; boots again */
    MISFORTUNE_JOURNAL_LOSS, /* the same, and the flash comes back empty */
    MISFORTUNE_COUNT
};

enum lock_answer { LOCK_ACCEPT = 0, LOCK_REFUSE, LOCK_MUTE };

/* What the customer does, one step after each pause. */
enum step {
    STEP_END = 0,
    STEP_SELECT,
    STEP_SELECT_OTHER, /* the next item of the planogram */
    STEP_REPEAT,       /* the machine tells the same choice again */
    STEP_WITHDRAW,
    STEP_GIVE_UP,
    STEP_CASH,
    STEP_OPEN_DOOR,
    STEP_COUNT
};
#define BEHAVIOUR_STEPS_MAX 4

enum vend { VEND_DISPENSE = 0, VEND_FAIL, VEND_NEVER };

struct behaviour {
    const char *name;
    const char *meaning;
    enum lock_answer lock;
    const char *refusal; /* LOCK_REFUSE: the word */
    enum step steps[BEHAVIOUR_STEPS_MAX];
    enum vend vend;
    int64_t code;     /* VEND_FAIL: as in /txn/vend */
    int64_t slowness; /* the motor takes that many times as long; 0 counts as 1 */
    bool twice;       /* every event is published twice */
    bool late;        /* an approve waits in the machine until it has expired */
    bool again;       /* after the goods the customer chooses another item in the same session */
    enum misfortune misfortune;
    enum point point; /* where it strikes */
};

#define BEHAVIOUR_NORMAL "normal"

/* False: there is no such behaviour. The texts inside are static or belong to *ret_behaviour's
 * table row. */
bool behaviour_parse(const char *name, struct behaviour *ret_behaviour);
enum misfortune misfortune_parse(const char *name); /* MISFORTUNE_NONE: no such name */
const char *misfortune_name(enum misfortune misfortune);
const char *point_name(enum point point);

/* The table as text for people: name and meaning, then the points and misfortunes. */
void behaviour_list(FILE *out);

#endif
