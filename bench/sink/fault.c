#include "bench/sink/fault.h"

#include <string.h>

static const char *const NAMES[FAULT_COUNT] = {
    [FAULT_NONE] = "none",   [FAULT_SILENT] = "silent", [FAULT_TLS_STALL] = "tls_stall",
    [FAULT_DRIP] = "drip",   [FAULT_DNS] = "dns",       [FAULT_STORM] = "storm",
    [FAULT_RESET] = "reset",
};

bool fault_parse(const char *name, enum fault *ret_fault)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            *ret_fault = (enum fault)i;
            return true;
        }
    }
    return false;
}
