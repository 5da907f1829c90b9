/* link.h - the link's own state and its register of machines; for the files of this folder only.
 *
 * Ownership: the link owns machines and connections; a machine stays as long as something counts on
 * it (`users`): its connections until their streams are closed, its queued events, the event that
 * is handed up. */
#ifndef VENDGATE_MACHINE_LINK_LINK_H
#define VENDGATE_MACHINE_LINK_LINK_H

#include "base/timer.h"
#include "machine_link/link_metrics.h"
#include "machine_link/machine_link.h"

#include <uthash.h>
#include <utlist.h>

struct connection;
struct queued_event;

struct machine {
    char vm_id[VM_ID_SIZE];
    struct machine_link *link;
    UT_hash_handle by_vm_id;
    size_t users;

    struct connection *live;  /* the machine's own connection, NULL: none */
    struct connection *tools; /* list */
    size_t tool_count;

    struct queued_event *events; /* received, not handed up yet; in order of arrival */
    size_t event_count;
    bool handed; /* an event is with our owner: */
    struct event_ticket handed_ticket;
    uint16_t handed_packet_id; /* 0: came at QoS 0 */
    UT_hash_handle by_ticket;  /* in link->handed, while `handed` */

    int64_t takeover_window_ms, takeover_count; /* counted since */
    int64_t refused_until_ms;                   /* flapping */

    bool woken; /* in link->woken */
    struct machine *prev, *next;
};

struct machine_link {
    uv_loop_t *loop;
    struct machine_link_options options;
    struct machine_link_handlers handlers;
    void *arg;
    struct net_listener *listener;
    struct link_metrics metrics;

    struct machine *machines;       /* by vm_id */
    struct machine *handed;         /* by ticket number */
    struct connection *connections; /* by id */
    uint64_t last_connection, last_ticket;

    /* Callbacks never run inside the call that caused them: what is owed is listed here and told
     * from this timer. */
    struct timer *turn;
    struct connection *ended; /* gone() is owed */
    struct machine *woken;    /* something may have become possible */

    bool draining, freeing;
};

/* The machine, made if need be; with one more user. */
struct machine *machine_hold(struct machine_link *link, const char *vm_id);
struct machine *machine_find(const struct machine_link *link, const char *vm_id);
void machine_add_user(struct machine *machine);
/* Frees it with its last user. */
void machine_release(struct machine *machine);
/* Has the loop look at it in its next turn. */
void machine_wake(struct machine *machine);
/* Counts a takeover; false: there were too many, it must be refused. */
bool machine_takeover_allowed(struct machine *machine);

struct connection *link_connection(const struct machine_link *link, uint64_t id);
/* Tells what is owed about connections that have ended: dropped(), gone(). Only from the loop. */
void link_report_ended(struct machine_link *link);
/* The next turn will come. */
void link_wake(struct machine_link *link);
/* After machine_link_free(): the last connection is closed. */
void link_closed_one(struct machine_link *link);

#endif
