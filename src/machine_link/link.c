/* link.c - the register of machines and the loop's turn. */
#include "machine_link/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "machine_link/connection.h"
#include "machine_link/events.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000

struct machine *machine_find(const struct machine_link *link, const char *vm_id)
{
    struct machine *machine;
    HASH_FIND(by_vm_id, link->machines, vm_id, strlen(vm_id), machine);
    return machine;
}

struct machine *machine_hold(struct machine_link *link, const char *vm_id)
{
    struct machine *machine = machine_find(link, vm_id);
    if (!machine) {
        size_t size = strlen(vm_id);
        assert(size > 0 && size < VM_ID_SIZE);
        machine = memory_zero(1, sizeof *machine);
        machine->link = link;
        memcpy(machine->vm_id, vm_id, size);
        HASH_ADD_KEYPTR(by_vm_id, link->machines, machine->vm_id, size, machine);
    }
    machine_add_user(machine);
    return machine;
}

void machine_add_user(struct machine *machine)
{
    machine->users++;
}

void machine_release(struct machine *machine)
{
    assert(machine->users > 0);
    if (--machine->users > 0)
        return;
    assert(!machine->live && !machine->tools && !machine->handed && !machine->events);
    if (machine->woken)
        DL_DELETE(machine->link->woken, machine);
    HASH_DELETE(by_vm_id, machine->link->machines, machine);
    free(machine);
}

void machine_wake(struct machine *machine)
{
    if (machine->woken || machine->link->freeing)
        return;
    machine->woken = true;
    DL_APPEND(machine->link->woken, machine);
    link_wake(machine->link);
}

/* Two devices with one identity would throw each other out for ever; whoever asks too often has to
 * wait. */
bool machine_takeover_allowed(struct machine *machine)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < machine->refused_until_ms)
        return false;
    if (now_ms - machine->takeover_window_ms >= MINUTE_MS) {
        machine->takeover_window_ms = now_ms;
        machine->takeover_count = 0;
    }
    if (++machine->takeover_count <= machine->link->options.takeovers_per_minute)
        return true;
    machine->refused_until_ms = now_ms + MINUTE_MS;
    log_warning("machine_flapping", LOG_TEXT("vm", machine->vm_id),
                LOG_INT("takeovers", machine->takeover_count));
    return false;
}

struct connection *link_connection(const struct machine_link *link, uint64_t id)
{
    struct connection *connection;
    HASH_FIND(by_id, link->connections, &id, sizeof id, connection);
    return connection;
}

void link_report_ended(struct machine_link *link)
{
    while (link->ended)
        connection_report(link->ended);
}

void link_wake(struct machine_link *link)
{
    if (!timer_running(link->turn))
        timer_start(link->turn, 0);
}
