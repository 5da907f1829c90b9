/* sample_integrator - the smallest integrator that does everything right: it locks a machine, is
 * told what the customer chose, books the payment, and learns what became of it.
 *
 *   callbacks.c  the HTTPS server (libmicrohttpd): verify, log, answer
 *   api.c        the calls to the gateway (libcurl)
 *   shop.c       what an integrator decides
 *   regulars.c   customers who come again and again
 *
 * One loop, one thread: libcurl waits for its own sockets and for the server's and the commands'
 * descriptors. */
#include "sample_integrator/api.h"
#include "sample_integrator/callbacks.h"
#include "sample_integrator/commands.h"
#include "sample_integrator/options.h"
#include "sample_integrator/regulars.h"
#include "sample_integrator/say.h"
#include "sample_integrator/shop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct integrator {
    struct options options;
    struct api_config api_config;
    struct signature_secret secret;
    struct api *api;
    struct shop *shop;
    struct regulars *regulars;
    struct callbacks *callbacks;
    struct commands *commands;
    int signals;
};

static void on_callback(void *arg, const char *path, const json_t *body)
{
    struct integrator *integrator = arg;
    shop_callback(integrator->shop, path, body);
}

static void on_buy(void *arg, const char *vm_id, const char *ref)
{
    struct integrator *integrator = arg;
    shop_buy(integrator->shop, vm_id, ref);
}

static void on_come(void *arg, const char *vm_id, const char *prefix)
{
    struct integrator *integrator = arg;
    regulars_come(integrator->regulars, vm_id, prefix);
}

static void on_stay_away(void *arg)
{
    struct integrator *integrator = arg;
    regulars_stay_away(integrator->regulars);
}

static const struct commands_hooks COMMANDS = {
    .buy = on_buy, .come = on_come, .stay_away = on_stay_away};

static void on_ended(void *arg, const char *vm_id, const char *ref)
{
    struct integrator *integrator = arg;
    regulars_ended(integrator->regulars, vm_id, ref);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTTIN, SIG_IGN); /* in the background there is no terminal to read from */
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool signalled(const struct integrator *integrator)
{
    struct signalfd_siginfo info;
    return read(integrator->signals, &info, sizeof(info)) == (ssize_t)sizeof(info);
}

static int open_api(struct integrator *integrator)
{
    const struct options *options = &integrator->options;
    integrator->api_config = (struct api_config){
        .url = options->api_url,
        .ca_file = options->api_ca,
        .key = options->api_key,
        .user = options->basic_user,
        .password = options->basic_password,
        .log_path = options->call_log,
    };
    int result = api_new(&integrator->api_config, &integrator->api);
    if (result < 0) {
        fprintf(stderr, "sample_integrator: libcurl or the call log: %s\n", strerror(-result));
        return result;
    }
    struct shop_config config = {
        .api = integrator->api,
        .api_config = &integrator->api_config,
        .retry_ms = options->retry_ms,
        .patience_ms = options->patience_ms,
        .pay_all = options->pay_all,
        .ended = on_ended,
        .arg = integrator,
    };
    integrator->shop = shop_new(&config);
    integrator->regulars = regulars_new(integrator->shop, options->pause_ms);
    return 0;
}

static int open_server(struct integrator *integrator)
{
    const struct options *options = &integrator->options;
    char *end;
    unsigned long port = strtoul(options->port, &end, 10);
    if (*end || port == 0 || port > UINT16_MAX) {
        fprintf(stderr, "sample_integrator: --port is a number from 1 to 65535\n");
        return -EINVAL;
    }
    if (signature_secret_parse(options->signing_secret, &integrator->secret) < 0) {
        fprintf(stderr, "sample_integrator: --signing-secret is whsec_ and base64\n");
        return -EINVAL;
    }
    struct callbacks_config config = {
        .address = options->address,
        .port = (uint16_t)port,
        .cert_file = options->cert_file,
        .key_file = options->key_file,
        .log_path = options->callback_log,
        .secret = &integrator->secret,
        .received = on_callback,
        .arg = integrator,
    };
    return callbacks_open(&config, &integrator->callbacks);
}

static int integrator_open(struct integrator *integrator)
{
    int result = integrator->signals = open_signals();
    if (result >= 0)
        result = open_api(integrator);
    if (result >= 0)
        result = open_server(integrator);
    if (result < 0)
        return result;
    result =
        commands_open(integrator->options.control, &COMMANDS, integrator, &integrator->commands);
    if (result < 0)
        fprintf(stderr, "sample_integrator: --control %s: %s\n", integrator->options.control,
                strerror(-result));
    return result;
}

static void integrator_close(struct integrator *integrator)
{
    commands_close(&integrator->commands);
    callbacks_close(&integrator->callbacks);
    api_free(&integrator->api);
    shop_free(&integrator->shop);
    regulars_free(&integrator->regulars);
    if (integrator->signals >= 0)
        close(integrator->signals);
}

static int shorter(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static void wait_for_work(struct integrator *integrator, int timeout_ms)
{
    enum { LONGEST_MS = 1000 };
    struct curl_waitfd fds[COMMANDS_FDS_MAX + 2];
    unsigned count = commands_wait_for(integrator->commands, fds);
    fds[count++] =
        (struct curl_waitfd){.fd = callbacks_fd(integrator->callbacks), .events = CURL_WAIT_POLLIN};
    fds[count++] = (struct curl_waitfd){.fd = integrator->signals, .events = CURL_WAIT_POLLIN};
    api_wait(integrator->api, fds, count, shorter(timeout_ms, LONGEST_MS));
}

/* The purchase has ended, and its last callback is answered. */
static bool is_over(const struct integrator *integrator)
{
    return integrator->options.once && shop_outcome(integrator->shop) != SHOP_OPEN &&
           callbacks_idle(integrator->callbacks);
}

/* The exit status. */
static int run(struct integrator *integrator)
{
    while (!signalled(integrator)) {
        callbacks_work(integrator->callbacks);
        commands_work(integrator->commands);
        int due_ms = regulars_work(integrator->regulars);
        due_ms = shorter(due_ms, shop_work(integrator->shop));
        api_work(integrator->api);
        if (is_over(integrator))
            return shop_outcome(integrator->shop) == SHOP_DISPENSED ? EXIT_SUCCESS : EXIT_FAILURE;
        wait_for_work(integrator, shorter(due_ms, callbacks_timeout_ms(integrator->callbacks)));
    }
    return integrator->options.once ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct integrator integrator = {.signals = -1};
    enum options_verdict verdict = options_read(argc, argv, &integrator.options);
    if (verdict != OPTIONS_RUN)
        return verdict == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
    int status = EXIT_FAILURE;
    if (integrator_open(&integrator) >= 0) {
        say(0, "integrator", "receives callbacks on https://%s:%s", integrator.options.address,
            integrator.options.port);
        if (integrator.options.buy)
            shop_buy(integrator.shop, integrator.options.buy, integrator.options.ref);
        status = run(&integrator);
    }
    integrator_close(&integrator);
    return status;
}
