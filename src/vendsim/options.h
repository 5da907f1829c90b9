/* options.h - the command line of vendsim. Texts are borrowed from argv. */
#ifndef VENDGATE_VENDSIM_OPTIONS_H
#define VENDGATE_VENDSIM_OPTIONS_H

#include "base/macros.h"
#include "vendsim/machine.h"

enum mqtt_mix { MQTT_311 = 1, MQTT_5, MQTT_MIXED };

struct options {
    const char *host;
    int port;
    const char *ca_file, *machines_file, *state_dir;
    const char *events;  /* NULL: nobody listens */
    const char *control; /* path of a UNIX socket, or NULL */
    struct behaviour behaviour;
    struct pace pace;
    enum mqtt_mix mqtt;
    int64_t connect_rate; /* first connections per second and process */
    int64_t backoff_ms;   /* at most so long before the first try to connect again */
};

enum options_verdict {
    OPTIONS_RUN = 1,
    OPTIONS_DONE /* help was given */,
    OPTIONS_BAD /* it was said */
};

enum options_verdict options_read(int argc, char **argv, struct options *ret_options);

#endif
