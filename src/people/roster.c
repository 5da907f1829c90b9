#include "people/roster.h"

#include "base/memory.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
    struct integrator integrator; /* its id is the key */
    UT_hash_handle hh;
};

struct roster {
    struct entry *entries;
};

/* The texts of an integrator, for copying, comparing and freeing alike. */
enum { TEXT_COUNT = 11 + STORE_SIGNING_KEYS_MAX };

static void list_texts(struct integrator *integrator, char **ret_texts[static TEXT_COUNT])
{
    char **texts[] = {&integrator->name,
                      &integrator->callback_url,
                      &integrator->callback_ca_file,
                      &integrator->present_api_key,
                      &integrator->present_user,
                      &integrator->present_password,
                      &integrator->doubt_policy,
                      &integrator->allow_cidr,
                      &integrator->client_cert_file,
                      &integrator->client_key_file,
                      &integrator->public_key_pins};
    static_assert(ARRAY_SIZE(texts) + STORE_SIGNING_KEYS_MAX == TEXT_COUNT, "list_texts");
    memcpy(ret_texts, texts, sizeof(texts));
    for (size_t i = 0; i < STORE_SIGNING_KEYS_MAX; i++)
        ret_texts[ARRAY_SIZE(texts) + i] = &integrator->signing_keys[i];
}

struct roster *roster_new(void)
{
    return memory_zero(1, sizeof(struct roster));
}

static void copy_texts(struct integrator *integrator, const struct store_integrator_row *row)
{
    integrator->name = memory_text(row->name);
    integrator->callback_url = memory_text(row->callback_url);
    integrator->callback_ca_file = memory_text(row->callback_ca_file);
    integrator->present_api_key = memory_text(row->present_api_key);
    integrator->present_user = memory_text(row->present_user);
    integrator->present_password = memory_text(row->present_password);
    integrator->doubt_policy = memory_text(row->doubt_policy);
    integrator->allow_cidr = memory_text(row->allow_cidr);
    integrator->client_cert_file = memory_text(row->client_cert_file);
    integrator->client_key_file = memory_text(row->client_key_file);
    integrator->public_key_pins = memory_text(row->public_key_pins);
    for (size_t i = 0; i < STORE_SIGNING_KEYS_MAX && row->signing_keys[i].secret; i++) {
        integrator->signing_keys[i] = memory_text(row->signing_keys[i].secret);
        integrator->signing_until_ms[i] = row->signing_keys[i].until_ms;
    }
}

static void entry_free(struct entry *entry)
{
    char **texts[TEXT_COUNT];
    list_texts(&entry->integrator, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (*texts[i])
            explicit_bzero(*texts[i], strlen(*texts[i]));
        free(*texts[i]);
    }
    free(entry);
}

static struct entry *find_entry(const struct roster *roster, int64_t integrator_id)
{
    struct entry *entry;
    HASH_FIND(hh, roster->entries, &integrator_id, sizeof(integrator_id), entry);
    return entry;
}

void roster_add(struct roster *roster, const struct store_integrator_row *row, bool unreadable)
{
    struct entry *old = find_entry(roster, row->integrator_id);
    if (old) {
        HASH_DEL(roster->entries, old);
        entry_free(old);
    }
    struct entry *entry = memory_zero(1, sizeof(*entry));
    entry->integrator = (struct integrator){
        .id = row->integrator_id,
        .enabled = row->enabled,
        .allow_http = row->allow_http,
        .rate_per_second = row->rate_per_second,
        .v1a_only = row->v1a_only,
        .held = row->held || unreadable,
        .unreadable = unreadable,
        .amount_max = row->amount_max,
        .allow_rename = row->allow_rename,
        .allow_multi_vend = row->allow_multi_vend,
        .strict_codes = row->strict_codes,
        .requests_per_second = row->requests_per_second,
    };
    copy_texts(&entry->integrator, row);
    HASH_ADD(hh, roster->entries, integrator.id, sizeof(entry->integrator.id), entry);
}

const struct integrator *roster_find(const struct roster *roster, int64_t integrator_id)
{
    const struct entry *entry = find_entry(roster, integrator_id);
    return entry ? &entry->integrator : NULL;
}

size_t roster_count(const struct roster *roster)
{
    return HASH_COUNT(roster->entries);
}

static bool is_same_text(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

static bool is_same(struct integrator *left, struct integrator *right)
{
    char **left_texts[TEXT_COUNT], **right_texts[TEXT_COUNT];
    list_texts(left, left_texts);
    list_texts(right, right_texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        if (!is_same_text(*left_texts[i], *right_texts[i]))
            return false;
    return left->enabled == right->enabled && left->allow_http == right->allow_http &&
           left->rate_per_second == right->rate_per_second && left->v1a_only == right->v1a_only &&
           left->held == right->held && left->unreadable == right->unreadable &&
           memcmp(left->signing_until_ms, right->signing_until_ms,
                  sizeof(left->signing_until_ms)) == 0 &&
           left->amount_max == right->amount_max && left->allow_rename == right->allow_rename &&
           left->allow_multi_vend == right->allow_multi_vend &&
           left->strict_codes == right->strict_codes &&
           left->requests_per_second == right->requests_per_second;
}

void roster_compare(const struct roster *before, const struct roster *after,
                    roster_differs_cb *differs, void *arg)
{
    struct entry *entry, *next;
    HASH_ITER (hh, before->entries, entry, next) {
        struct entry *other = find_entry(after, entry->integrator.id);
        if (!other || !is_same(&entry->integrator, &other->integrator))
            differs(arg, entry->integrator.id);
    }
    HASH_ITER (hh, after->entries, entry, next) {
        if (!find_entry(before, entry->integrator.id))
            differs(arg, entry->integrator.id);
    }
}

void roster_free(struct roster **roster)
{
    struct roster *old = TAKE(*roster);
    if (!old)
        return;
    struct entry *entry, *next;
    HASH_ITER (hh, old->entries, entry, next) {
        HASH_DEL(old->entries, entry);
        entry_free(entry);
    }
    free(old);
}
