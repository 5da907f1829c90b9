/* vendsim - simulated vending machines that speak the machine protocol to a gateway (see options.c
 * for the command line, behaviour.c for what they can be told to do, journal.h for what they leave
 * behind). */
#include "base/log.h"
#include "vendsim/options.h"
#include "vendsim/roster.h"
#include "vendsim/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Three descriptors a machine, two of them a socket pair that libmosquitto makes for itself: as
 * many as we may have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct options options;
    struct roster roster;
    char error[ROSTER_ERROR_SIZE];
    enum options_verdict verdict = options_read(argc, argv, &options);
    if (verdict != OPTIONS_RUN)
        return verdict == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTTIN, SIG_IGN); /* in the background there is no terminal to read from */
    raise_descriptors();
    if (mkdir(options.state_dir, 0755) != 0 && errno != EEXIST) {
        log_error("state_dir_unusable", LOG_TEXT("path", options.state_dir),
                  LOG_TEXT("error", strerror(errno)));
        return EXIT_FAILURE;
    }
    if (roster_read(options.machines_file, &options.behaviour, &roster, error) < 0) {
        log_error("machines_unreadable", LOG_TEXT("path", options.machines_file),
                  LOG_TEXT("error", error));
        return EXIT_FAILURE;
    }
    int status = supervisor_run(&options, &roster);
    roster_done(&roster);
    return status;
}
