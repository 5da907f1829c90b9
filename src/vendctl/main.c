/* main.c - vendctl: the command table, and how a command line is read. */
#include "base/macros.h"
#include "vendctl/admin_client.h"
#include "vendctl/commands.h"
#include "vendctl/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command COMMANDS[] = {
    {"migrate",
     "",
     0,
     0,
     1,
     command_migrate,
     "bring the database's schema to this program's version",
     {NULL}},
    {"maintain",
     "",
     0,
     0,
     1,
     command_maintain,
     "make the journals' partitions ahead; run it daily",
     {"days=", NULL}},
    {"instances",
     "",
     0,
     0,
     1,
     command_instances,
     "the gateway processes and their heartbeats",
     {NULL}},

    {"integrator add",
     "NAME",
     1,
     1,
     1,
     command_integrator_add,
     "add an integrator; prints its credentials once",
     {"callback-url=!", "callback-ca=", "allow-private", "allow-http",
      "allow-cidr=", "client-cert=", "client-key=", "pin=", "rate=", "api-key=", "basic-user=",
      "basic-password=", "present-api-key=", "present-basic=", "allow-rename", "allow-multi-vend",
      "strict-codes", "doubt-policy=", NULL}},
    {"integrator list", "", 0, 0, 1, command_integrator_list, "all integrators", {NULL}},
    {"integrator show",
     "NAME",
     1,
     1,
     1,
     command_integrator_show,
     "one integrator with its keys and machines",
     {NULL}},
    {"integrator set",
     "NAME",
     1,
     1,
     1,
     command_integrator_set,
     "change what it may do; yes or no, refund, capture or hold",
     {"allow-rename=", "allow-multi-vend=", "strict-codes=", "doubt-policy=", "amount-max=",
      "v1a-only=", NULL}},
    {"integrator endpoint",
     "NAME",
     1,
     1,
     1,
     command_integrator_endpoint,
     "change where and how its callbacks go; none takes a thing away",
     {"callback-url=", "callback-ca=", "allow-private",
      "allow-http=", "allow-cidr=", "client-cert=", "client-key=", "pin=", "rate=", NULL}},
    {"integrator enable",
     "NAME",
     1,
     1,
     1,
     command_integrator_enable,
     "accept its calls again",
     {NULL}},
    {"integrator disable", "NAME", 1, 1, 1, command_integrator_disable, "refuse its calls", {NULL}},
    {"key add",
     "INTEGRATOR",
     1,
     1,
     1,
     command_key_add,
     "a further API key, or Basic with --basic-user",
     {"api-key=", "basic-user=", "basic-password=", NULL}},
    {"key revoke",
     "INTEGRATOR KEY",
     2,
     2,
     1,
     command_key_revoke,
     "end a key (its number as in `integrator show`)",
     {NULL}},

    {"integrator key rotate",
     "NAME",
     1,
     1,
     1,
     command_integrator_key_rotate,
     "a new key for signing callbacks, v1 or v1a; the former ones sign on for the overlap (24h)",
     {"kind=", "overlap=", NULL}},
    {"integrator key list",
     "NAME",
     1,
     1,
     1,
     command_integrator_key_list,
     "the keys that sign its callbacks",
     {NULL}},
    {"integrator key retire",
     "NAME KEY",
     2,
     2,
     1,
     command_integrator_key_retire,
     "end such a key at once (its number as in `integrator key list`)",
     {NULL}},

    {"secret init",
     "",
     0,
     0,
     0,
     command_secret_init,
     "make a file with a master key; --renew puts a new one above those of the file",
     {"key=!", "renew", NULL}},
    {"secret seal",
     "",
     0,
     0,
     1,
     command_secret_seal,
     "seal every secret in the database under the newest master key",
     {NULL}},

    {"machine add",
     "VM_ID",
     1,
     1,
     1,
     command_machine_add,
     "add a machine",
     {"allow-tool", "operator-name=", "address=", "business-address=", "company=",
      "operator-contact=", "photo-url=", "group=", NULL}},
    {"machine set",
     "VM_ID",
     1,
     1,
     1,
     command_machine_set,
     "change what is known of it, its limit, its group (or none)",
     {"operator-name=", "address=", "business-address=", "company=", "operator-contact=",
      "photo-url=", "price-max=", "group=", NULL}},
    {"machine list", "", 0, 0, 1, command_machine_list, "all machines", {NULL}},
    {"machine show",
     "VM_ID",
     1,
     1,
     1,
     command_machine_show,
     "one machine with its credentials and state",
     {NULL}},
    {"machine enable", "VM_ID", 1, 1, 1, command_machine_enable, "let it connect and sell", {NULL}},
    {"machine disable", "VM_ID", 1, 1, 1, command_machine_disable, "cut it off", {NULL}},
    {"machine enroll",
     "VM_ID",
     1,
     1,
     1,
     command_machine_enroll,
     "issue a certificate, for a CSR or with a new key, and register it",
     {"ca-dir=!", "cert=!", "key=", "csr=", NULL}},
    {"machine release",
     "VM_ID",
     1,
     1,
     0,
     command_machine_release,
     "free it from an unpaid purchase or an open session",
     {"because=!", ADMIN_SOCKET_OPTION, NULL}},
    {"machine token",
     "VM_ID",
     1,
     1,
     1,
     command_machine_token,
     "make a token for MQTT login; printed once",
     {NULL}},
    {"machine revoke",
     "VM_ID CREDENTIAL",
     2,
     2,
     1,
     command_machine_revoke,
     "end a certificate or token (its number as in `machine show`)",
     {NULL}},

    {"group add",
     "NAME",
     1,
     1,
     1,
     command_group_add,
     "add a group of machines; its policy for unknown outcomes is refund, capture or hold",
     {"doubt-policy=", NULL}},
    {"group set",
     "NAME",
     1,
     1,
     1,
     command_group_set,
     "change that policy; none: the integrators' own",
     {"doubt-policy=!", NULL}},
    {"group list", "", 0, 0, 1, command_group_list, "all groups", {NULL}},

    {"grant",
     "INTEGRATOR VM_ID...",
     2,
     OPERANDS_MAX,
     1,
     command_grant,
     "let an integrator see and use machines",
     {NULL}},
    {"revoke", "INTEGRATOR VM_ID...", 2, OPERANDS_MAX, 1, command_revoke, "take that back", {NULL}},

    {"ca init",
     "",
     0,
     0,
     0,
     command_ca_init,
     "make a private CA: ca.pem and ca.key",
     {"dir=!", NULL}},
    {"ca server",
     "",
     0,
     0,
     0,
     command_ca_server,
     "issue a server's certificate with a new key",
     {"dir=!", "host=!", "cert=!", "key=!", NULL}},

    {"txn show",
     "REF",
     1,
     1,
     1,
     command_txn_show,
     "one purchase with everything that happened",
     {"integrator=", NULL}},
    {"txn list",
     "",
     0,
     0,
     1,
     command_txn_list,
     "the latest purchases",
     {"integrator=", "machine=", "state=", "limit=", NULL}},
    {"txn verdict",
     "INTEGRATOR REF vended|failed",
     3,
     3,
     1,
     command_txn_verdict,
     "decide about a purchase in doubt; the reason goes into its journal",
     {"because=!", ADMIN_SOCKET_OPTION, NULL}},
    {"doubt list",
     "",
     0,
     0,
     1,
     command_doubt_list,
     "outcomes that are unknown: they wait for evidence, the policy or a verdict",
     {NULL}},
    {"adjustment list",
     "",
     0,
     0,
     1,
     command_adjustment_list,
     "evidence that came too late and contradicts the outcome",
     {"open", NULL}},
    {"adjustment settle",
     "NUMBER",
     1,
     1,
     1,
     command_adjustment_settle,
     "note that it was settled with the integrator, and how",
     {"because=!", NULL}},
    {"audit",
     "",
     0,
     0,
     2,
     command_audit,
     "check every promise over the database; 0: all kept, 1: not, 2: could not check",
     {"since=", NULL}},
    {"callbacks", "", 0, 0, 1, command_callbacks, "callbacks that are not delivered yet", {NULL}},
    {"callback list",
     "",
     0,
     0,
     1,
     command_callback_list,
     "callbacks, those that need somebody first",
     {"integrator=", "kind=", "state=", "since=", "until=", "limit=", NULL}},
    {"callback show",
     "CALLBACK",
     1,
     1,
     1,
     command_callback_show,
     "one callback with its body, attempts and what people did",
     {NULL}},
    {"callback replay",
     "[CALLBACK]",
     0,
     1,
     1,
     command_callback_replay,
     "send one again, or with --integrator many: without --yes it only counts them",
     {"because=", "integrator=", "kind=", "since=", "until=", "outcome=", "rate=", "yes", NULL}},
    {"callback skip",
     "CALLBACK",
     1,
     1,
     1,
     command_callback_skip,
     "take one out for good; the next of its session goes on",
     {"because=!", NULL}},
    {"callback acknowledge",
     "CALLBACK",
     1,
     1,
     1,
     command_callback_acknowledge,
     "take note of a parked one: it raises no alarm any more",
     {"because=", NULL}},
    {"callback hold",
     "INTEGRATOR",
     1,
     1,
     1,
     command_callback_hold,
     "send nothing to an integrator until it is released; nothing is lost",
     {"because=!", NULL}},
    {"callback release",
     "INTEGRATOR",
     1,
     1,
     1,
     command_callback_release,
     "send to it again, in order",
     {"because=", NULL}},
    {"callback test",
     "INTEGRATOR",
     1,
     1,
     1,
     command_callback_test,
     "send it a test callback of a feed, /feed/alerts unless said otherwise",
     {"kind=", NULL}},
    {"feed list",
     "[INTEGRATOR]",
     0,
     1,
     1,
     command_feed_list,
     "which integrator gets which feed",
     {NULL}},
    {"feed subscribe",
     "INTEGRATOR KIND...",
     2,
     OPERANDS_MAX,
     1,
     command_feed_subscribe,
     "transactions, refills, alerts, button_actions of its machines",
     {NULL}},
    {"feed unsubscribe",
     "INTEGRATOR KIND...",
     2,
     OPERANDS_MAX,
     1,
     command_feed_unsubscribe,
     "take that back",
     {NULL}},
};

static void print_option(const char *option)
{
    size_t size = strcspn(option, "=");
    bool must = option[size] && option[size + 1] == '!';
    printf(must ? " --%.*s%s" : " [--%.*s%s]", (int)size, option, option[size] ? " ..." : "");
}

static void print_help(void)
{
    puts("vendctl - administers vendgate\n\n"
         "  vendctl COMMAND ... [--database URL] [--master-key FILE] [--json]\n\n"
         "The database is a libpq connection string, from --database or VENDGATE_DATABASE_URL.\n"
         "Secrets are sealed under the key in --master-key or VENDGATE_MASTER_KEY_FILE, which is "
         "the\n"
         "file that the gateway reads ([secrets] master_key_file).\n"
         "What acts on the running gateway asks it at --admin-socket, VENDGATE_ADMIN_SOCKET or\n"
         "/run/vendgate/admin.sock, as root or the gateway's own user.\n");
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
        const struct command *command = &COMMANDS[i];
        printf("  %s%s%s", command->name, command->operands[0] ? " " : "", command->operands);
        for (size_t j = 0; command->options[j]; j++)
            print_option(command->options[j]);
        printf("\n      %s\n", command->help);
    }
}

/* --- Reading the command line --- */

struct line {
    int count, next;
    char **words;
    const char *database, *master_key;
};

/* How many of the line's words the name takes; 0: it is another command's. */
static int name_match(const struct line *line, const char *name)
{
    int words = 0;
    while (name[0]) {
        size_t size = strcspn(name, " ");
        const char *word = words + 1 < line->count ? line->words[words + 1] : "";
        if (strncmp(name, word, size) != 0 || word[size] != '\0')
            return 0;
        words++;
        name += name[size] ? size + 1 : size;
    }
    return words;
}

/* Takes the words of the command's name. NULL: there is none of that name. */
static const struct command *command_find(struct line *line)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
        int words = name_match(line, COMMANDS[i].name);
        if (words > 0) {
            line->next = words + 1;
            return &COMMANDS[i];
        }
    }
    return NULL;
}

/* The value behind an option: "--name value" or "--name=value". NULL: there is none. */
static const char *value_take(struct line *line, const char *word, size_t name_size)
{
    if (word[name_size] == '=')
        return word + name_size + 1;
    return line->next < line->count ? line->words[line->next++] : NULL;
}

/* An option with a value that every command takes; NULL: it is none of them. */
static const char **common_slot(struct line *line, const char *word, size_t size)
{
    const struct {
        const char *name;
        const char **slot;
    } common[] = {{"database", &line->database}, {"master-key", &line->master_key}};
    for (size_t i = 0; i < ARRAY_SIZE(common); i++)
        if (strlen(common[i].name) == size && !strncmp(common[i].name, word, size))
            return common[i].slot;
    return NULL;
}

/* `word` is without the dashes. False: complained. */
static bool option_take(struct invocation *invocation, struct line *line, const char *word)
{
    size_t size = strcspn(word, "=");
    if (!strcmp(word, "json")) {
        invocation->json = true;
        return true;
    }
    const char **slot = common_slot(line, word, size);
    bool valued = slot != NULL;
    for (size_t i = 0; !slot && invocation->command->options[i]; i++) {
        const char *option = invocation->command->options[i];
        if (strcspn(option, "=") == size && !strncmp(option, word, size)) {
            slot = &invocation->values[i];
            valued = option[size] == '=';
        }
    }
    if (!slot) {
        complain("`%s` has no option --%.*s", invocation->command->name, (int)size, word);
        return false;
    }
    *slot = valued ? value_take(line, word, size) : "";
    if (!*slot)
        complain("--%.*s needs a value", (int)size, word);
    return *slot != NULL;
}

static bool words_take(struct invocation *invocation, struct line *line)
{
    bool only_operands = false;
    while (line->next < line->count) {
        const char *word = line->words[line->next++];
        if (!only_operands && !strcmp(word, "--")) {
            only_operands = true;
        } else if (!only_operands && !strncmp(word, "--", 2)) {
            if (!option_take(invocation, line, word + 2))
                return false;
        } else if (invocation->operand_count < OPERANDS_MAX) {
            invocation->operands[invocation->operand_count++] = word;
        } else {
            complain("more than %d operands", OPERANDS_MAX);
            return false;
        }
    }
    return true;
}

static bool check_complete(const struct invocation *invocation)
{
    const struct command *command = invocation->command;
    if (invocation->operand_count < command->operands_min ||
        invocation->operand_count > command->operands_max) {
        complain("usage: vendctl %s %s", command->name, command->operands);
        return false;
    }
    for (size_t i = 0; command->options[i]; i++) {
        const char *mark = strchr(command->options[i], '!');
        if (mark && !invocation->values[i]) {
            complain("`%s` needs --%.*s", command->name, (int)(mark - command->options[i] - 1),
                     command->options[i]);
            return false;
        }
    }
    return true;
}

static int run(struct invocation *invocation, const char *database)
{
    if (!invocation->command->database)
        return invocation->command->run(invocation);
    if (!database || !database[0]) {
        complain("no database: give --database URL or set VENDGATE_DATABASE_URL");
        return 2;
    }
    char error[STORE_ERROR_SIZE];
    if (store_tool_open(database, &invocation->tool, error) < 0) {
        complain("%s", error);
        return invocation->command->database;
    }
    int status = invocation->command->run(invocation);
    store_tool_close(&invocation->tool);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    struct line line = {.count = argc,
                        .words = argv,
                        .database = getenv("VENDGATE_DATABASE_URL"),
                        .master_key = getenv("VENDGATE_MASTER_KEY_FILE")};
    struct invocation invocation = {.command = command_find(&line)};
    if (!invocation.command) {
        complain("unknown command `%s%s%s`: see vendctl --help", argv[1], argc > 2 ? " " : "",
                 argc > 2 ? argv[2] : "");
        return 2;
    }
    if (!words_take(&invocation, &line) || !check_complete(&invocation))
        return 2;
    if (line.master_key && line.master_key[0] != '\0')
        invocation.master_key = line.master_key;
    int status = run(&invocation, line.database);
    if (fflush(stdout) != 0 && status == 0) {
        complain("standard output: %s", "cannot be written");
        return 1;
    }
    return status;
}
