/* main.c - vendctl: how a command line is read. */
#include "base/macros.h"
#include "vendctl/command_table.h"
#include "vendctl/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    size_t count;
    const struct command *commands = command_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct command *command = &commands[i];
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
    size_t count;
    const struct command *commands = command_table(&count);
    for (size_t i = 0; i < count; i++) {
        int words = name_match(line, commands[i].name);
        if (words > 0) {
            line->next = words + 1;
            return &commands[i];
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
