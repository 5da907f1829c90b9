/* message_command.c - writing commands: one table of fields for each op. */
#include "machine_link/message_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How a field is written. */
enum field_kind {
    FIELD_INTEGER = 1,
    FIELD_NUMBER_OR_NULL, /* -1: null */
    FIELD_BALANCE,        /* left out when it is unknown */
    FIELD_BOOL,
    FIELD_TEXT,
    FIELD_KEYS,
    FIELD_HAVE,       /* [event_epoch, seq] */
    FIELD_NOW,        /* of the stamp */
    FIELD_KEEP_ALIVE, /* of the stamp */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in struct machine_command */
};

#define AT(member) offsetof(struct machine_command, member)
#define INTEGER(name_)                   \
    {                                    \
#name_, FIELD_INTEGER, AT(name_) \
    }
#define SESSION                                      \
    {                                                \
        "session", FIELD_NUMBER_OR_NULL, AT(session) \
    }
#define REQUEST                                      \
    {                                                \
        "request", FIELD_NUMBER_OR_NULL, AT(request) \
    }
#define APPROVAL                             \
    {                                        \
        "approval", FIELD_TEXT, AT(approval) \
    }
#define FIELDS_MAX 9

/* clang-format off */
static const struct field FIELDS[MACHINE_OP_COUNT][FIELDS_MAX] = {
    [MACHINE_OP_HELLO] = {{"have", FIELD_HAVE, 0}, {"new_epoch", FIELD_BOOL, AT(new_epoch)}, {"now_ms", FIELD_NOW, 0},
                          {"keepalive_s", FIELD_KEEP_ALIVE, 0}, SESSION, REQUEST},
    [MACHINE_OP_LOCK] = {SESSION, INTEGER(timeout_s), {"balance", FIELD_BALANCE, AT(balance)}},
    [MACHINE_OP_KEYS] = {SESSION, INTEGER(n), {"keys", FIELD_KEYS, 0}},
    [MACHINE_OP_APPROVE] = {SESSION, REQUEST, INTEGER(item), INTEGER(price), APPROVAL, INTEGER(n),
                            {"journal", FIELD_TEXT, AT(journal)}, INTEGER(amount)},
    [MACHINE_OP_DENY] = {SESSION, REQUEST},
    [MACHINE_OP_UNLOCK] = {SESSION},
    [MACHINE_OP_QUERY] = {APPROVAL, INTEGER(n)},
    [MACHINE_OP_RESEND] = {INTEGER(from), INTEGER(to)},
    [MACHINE_OP_CONFIG] = {{0}},
    [MACHINE_OP_REBOOT] = {{0}},
};
/* clang-format on */

struct writer {
    char *text;
    size_t size;
};

static void PRINTF_LIKE(2, 3) add(struct writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = COMMAND_TEXT_SIZE - writer->size;
    int size = vsnprintf(writer->text + writer->size, room, format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < room);
    writer->size += (size_t)size;
}

/* Journal ids come from machines, but were checked to hold no character that JSON escapes. */
static void add_text(struct writer *writer, const char *text)
{
    assert(!strpbrk(text, "\"\\"));
    add(writer, "\"%s\"", text);
}

static void add_keys(struct writer *writer, const struct machine_command *command)
{
    assert(command->key_count <= ARRAY_SIZE(command->keys));
    add(writer, "[");
    for (size_t i = 0; i < command->key_count; i++)
        add(writer, "%s%" PRId64, i > 0 ? "," : "", command->keys[i]);
    add(writer, "]");
}

static int64_t number_at(const struct machine_command *command, const struct field *field)
{
    int64_t number;
    memcpy(&number, (const char *)command + field->offset, sizeof number);
    return number;
}

static void add_value(struct writer *writer, const struct machine_command *command,
                      const struct command_stamp *stamp, const struct field *field)
{
    const char *at = (const char *)command + field->offset;
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_BALANCE:
        add(writer, "%" PRId64, number_at(command, field));
        break;
    case FIELD_NUMBER_OR_NULL:
        if (number_at(command, field) < 0)
            add(writer, "null");
        else
            add(writer, "%" PRId64, number_at(command, field));
        break;
    case FIELD_BOOL:
        add(writer, "%s", *(const bool *)at ? "true" : "false");
        break;
    case FIELD_TEXT:
        add_text(writer, at);
        break;
    case FIELD_KEYS:
        add_keys(writer, command);
        break;
    case FIELD_HAVE:
        add(writer, "[%" PRId64 ",%" PRId64 "]", command->have_epoch, command->have_seq);
        break;
    case FIELD_NOW:
        add(writer, "%" PRId64, stamp->now_ms);
        break;
    case FIELD_KEEP_ALIVE:
        add(writer, "%" PRId64, stamp->keep_alive_s);
        break;
    }
}

size_t machine_command_write(const struct machine_command *command,
                             const struct command_stamp *stamp,
                             char ret_text[static COMMAND_TEXT_SIZE])
{
    assert(command->op > MACHINE_OP_NONE && command->op < MACHINE_OP_COUNT);
    struct writer writer = {.text = ret_text};
    add(&writer, "{\"id\":\"%s\",\"op\":\"%s\",\"generation\":%" PRId64 ",\"ttl_ms\":%" PRId64,
        stamp->id, machine_op_name(command->op), stamp->generation, stamp->ttl_ms);
    const struct field *fields = FIELDS[command->op];
    for (size_t i = 0; i < FIELDS_MAX && fields[i].name; i++) {
        if (fields[i].kind == FIELD_BALANCE &&
            number_at(command, &fields[i]) == TXN_BALANCE_UNKNOWN)
            continue;
        add(&writer, ",\"%s\":", fields[i].name);
        add_value(&writer, command, stamp, &fields[i]);
    }
    add(&writer, "}");
    return writer.size;
}
