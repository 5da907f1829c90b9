/* sink - the integrators' servers of a measurement, all in one process: HTTPS endpoints that stamp
 * what arrives and answer {"success":true}, and the name server that knows them.
 *
 *   sink --cert FILE --key FILE --arrivals FILE [--endpoints N]
 *
 * Prints {"ports": [...], "names_port": N} when it is ready. Endpoint N's name is
 * "endpoint-N.test". Each line of standard input is a command: "fault ENDPOINT NAME" (fault.h). At
 * its end the arrivals are written to their file, and {"cpu_s", "requests", "connections"} is
 * printed. */
#include "base/memory.h"
#include "bench/lib/lines.h"
#include "bench/sink/endpoint.h"
#include "bench/sink/names.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FAULT_NAME_SIZE = 16 };

struct sink {
    uv_loop_t loop;
    const char *certificate_file, *key_file, *arrivals_file;
    size_t endpoint_count;
    SSL_CTX *tls;
    struct arrivals *arrivals;
    struct endpoint **endpoints;
    struct names *names;
    size_t opened; /* connections, over all endpoints */
};

static void fail(const char *why)
{
    (void)fprintf(stderr, "sink: %s\n", why);
    exit(1);
}

static void read_options(struct sink *sink, int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"cert", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"arrivals", required_argument, NULL, 'a'},
                                            {"endpoints", required_argument, NULL, 'e'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'c')
            sink->certificate_file = optarg;
        else if (option == 'k')
            sink->key_file = optarg;
        else if (option == 'a')
            sink->arrivals_file = optarg;
        else if (option == 'e')
            sink->endpoint_count = strtoul(optarg, NULL, 10);
        else
            exit(2);
    }
    if (!sink->certificate_file || !sink->key_file || !sink->arrivals_file)
        fail("--cert, --key and --arrivals are needed");
}

static void open_tls(struct sink *sink)
{
    sink->tls = SSL_CTX_new(TLS_server_method());
    if (!sink->tls || SSL_CTX_use_certificate_chain_file(sink->tls, sink->certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(sink->tls, sink->key_file, SSL_FILETYPE_PEM) != 1)
        fail("the certificate or its key cannot be used");
    SSL_CTX_set_mode(sink->tls, SSL_MODE_RELEASE_BUFFERS);
}

/* NULL: none has this name or number. */
static struct endpoint *endpoint_numbered(const struct sink *sink, size_t number)
{
    return number < sink->endpoint_count ? sink->endpoints[number] : NULL;
}

static bool silent(void *arg, const char *name)
{
    const struct sink *sink = arg;
    size_t number;
    if (sscanf(name, "endpoint-%zu.test", &number) != 1)
        return false;
    const struct endpoint *endpoint = endpoint_numbered(sink, number);
    return endpoint && endpoint_fault(endpoint) == FAULT_DNS;
}

static void open_servers(struct sink *sink)
{
    static const struct names_handlers NAMES = {.silent = silent};
    sink->endpoints = memory_zero(sink->endpoint_count, sizeof(struct endpoint *));
    for (size_t i = 0; i < sink->endpoint_count; i++) {
        sink->endpoints[i] = endpoint_open(&sink->loop, sink->tls, sink->arrivals);
        if (!sink->endpoints[i])
            fail("cannot listen");
    }
    sink->names = names_open(&sink->loop, &NAMES, sink);
    if (!sink->names)
        fail("no port for the name server");
}

static void tell_ports(const struct sink *sink)
{
    printf("{\"ports\": [");
    for (size_t i = 0; i < sink->endpoint_count; i++)
        printf("%s%u", i > 0 ? ", " : "", endpoint_port(sink->endpoints[i]));
    printf("], \"names_port\": %u}\n", names_port(sink->names));
    (void)fflush(stdout);
}

static void on_command(void *arg, const char *line)
{
    struct sink *sink = arg;
    size_t number;
    char name[FAULT_NAME_SIZE];
    enum fault fault = FAULT_NONE;
    struct endpoint *endpoint = NULL;
    if (sscanf(line, "fault %zu %15s", &number, name) == 2 && fault_parse(name, &fault))
        endpoint = endpoint_numbered(sink, number);
    if (!endpoint)
        fail("a command that is none");
    endpoint_set_fault(endpoint, fault);
}

static void on_end(void *arg)
{
    struct sink *sink = arg;
    for (size_t i = 0; i < sink->endpoint_count; i++) {
        sink->opened += endpoint_opened(sink->endpoints[i]);
        endpoint_close(sink->endpoints[i]);
    }
    names_close(sink->names);
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void close_sink(struct sink *sink)
{
    double used_s = cpu_s();
    if (arrivals_write(sink->arrivals, sink->arrivals_file) < 0)
        fail("the arrivals cannot be written");
    printf("{\"cpu_s\": %.3f, \"requests\": %zu, \"connections\": %zu}\n", used_s,
           arrivals_count(sink->arrivals), sink->opened);
    arrivals_free(&sink->arrivals);
    free(sink->endpoints);
    SSL_CTX_free(sink->tls);
    uv_loop_close(&sink->loop);
}

int main(int argc, char **argv)
{
    static const struct lines_handlers COMMANDS = {.line = on_command, .ended = on_end};
    struct sink sink = {.endpoint_count = 1};
    read_options(&sink, argc, argv);
    (void)signal(SIGPIPE, SIG_IGN); /* who hangs up early is seen by the write's result */
    uv_loop_init(&sink.loop);
    open_tls(&sink);
    sink.arrivals = arrivals_new();
    open_servers(&sink);
    lines_open(&sink.loop, STDIN_FILENO, &COMMANDS, &sink);
    tell_ports(&sink);
    uv_run(&sink.loop, UV_RUN_DEFAULT);
    close_sink(&sink);
    return 0;
}
