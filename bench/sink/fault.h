/* fault.h - the ways in which an endpoint of the sink can be ill. */
#ifndef VENDGATE_BENCH_SINK_FAULT_H
#define VENDGATE_BENCH_SINK_FAULT_H

#include <stdbool.h>

enum fault {
    FAULT_NONE = 0,
    FAULT_SILENT,    /* accepts, reads the request, answers nothing */
    FAULT_TLS_STALL, /* accepts, says nothing in the handshake */
    FAULT_DRIP,      /* answers 200 with a body of which a byte comes now and then, without end */
    FAULT_DNS,       /* its name is asked for in vain; who is connected is hung up on */
    FAULT_STORM,     /* answers 503 at once */
    FAULT_RESET,     /* resets the connection when the request is there */
    FAULT_COUNT
};

/* "none", "silent" ...; false: no such fault. */
bool fault_parse(const char *name, enum fault *ret_fault);

#endif
