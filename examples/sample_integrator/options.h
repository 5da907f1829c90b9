/* options.h - the command line of the sample integrator. Texts are borrowed from argv. */
#ifndef SAMPLE_INTEGRATOR_OPTIONS_H
#define SAMPLE_INTEGRATOR_OPTIONS_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *address, *port, *cert_file, *key_file, *callback_log;
    const char *call_log; /* NULL: none */
    const char *api_url, *api_ca, *api_key;
    const char *basic_user, *basic_password; /* NULL: the key alone */
    const char *signing_secret;
    const char *buy, *ref; /* NULL: only what commands say */
    const char *control;   /* NULL: no socket */
    int64_t retry_ms, patience_ms, pause_ms;
    bool once, pay_all;
};

enum options_verdict {
    OPTIONS_RUN = 1,
    OPTIONS_DONE /* help was given */,
    OPTIONS_BAD /* it was said */
};

enum options_verdict options_read(int argc, char **argv, struct options *ret_options);

#endif
