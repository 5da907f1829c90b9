/* api_fields.h - the fields that calls of the API share, as rows for json_fields_read(), and vm_id
 * with its older name. */
#ifndef VENDGATE_GATEWAY_API_FIELDS_H
#define VENDGATE_GATEWAY_API_FIELDS_H

#include "gateway/request.h"
#include "txn/record.h"

#define API_INTEGER_MAX ((INT64_C(1) << 53) - 1) /* what every JSON reader holds exactly */
#define API_KEYS_MAX 32

#define API_VM_ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
/* Printable ASCII. */
#define API_REF_CHARACTERS \
    " !\"#$%&'()*+,-./"    \
    "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

/* The machine a call is about. Part of the struct that a call's rows fill. */
struct api_vm {
    char vm_id[VM_ID_SIZE];
    char id[VM_ID_SIZE]; /* the older name of the same field */
    bool has_vm_id, has_id;
};

/* Rows for a struct `type_` with the member `vm_` of type struct api_vm. */
#define API_VM_FIELDS(type_, vm_)                                                 \
    {"vm_id",                                                                     \
     JSON_FIELD_TEXT,                                                             \
     false,                                                                       \
     1,                                                                           \
     VM_ID_SIZE - 1,                                                              \
     offsetof(type_, vm_.vm_id),                                                  \
     offsetof(type_, vm_.has_vm_id),                                              \
     API_VM_ID_CHARACTERS},                                                       \
    {                                                                             \
        "id", JSON_FIELD_TEXT, false, 1, VM_ID_SIZE - 1, offsetof(type_, vm_.id), \
            offsetof(type_, vm_.has_id), API_VM_ID_CHARACTERS                     \
    }
#define API_REF_FIELD(type_, member_)                                                             \
    {                                                                                             \
        "txnRef", JSON_FIELD_TEXT, true, 1, TXN_REF_SIZE - 1, offsetof(type_, member_), SIZE_MAX, \
            API_REF_CHARACTERS                                                                    \
    }
#define API_INTEGER_FIELD(name_, min_, type_, member_)                                    \
    {                                                                                     \
        name_, JSON_FIELD_INTEGER, true, min_, API_INTEGER_MAX, offsetof(type_, member_), \
            SIZE_MAX, NULL                                                                \
    }
#define API_ARRAY_FIELD(name_, max_, type_, member_)                                    \
    {                                                                                   \
        name_, JSON_FIELD_JSON, true, 1, max_, offsetof(type_, member_), SIZE_MAX, NULL \
    }

/* The vm_id, by whichever name it came. REASON_NONE, else why not, with *ret_message (static)
 * saying more. */
enum reason api_vm_read(const struct api_vm *vm, const char **ret_vm_id, const char **ret_message);
/* The keys of an array: 1 to API_KEYS_MAX integers from 0. False: it is something else. */
bool api_keys_read(const json_t *array, int64_t ret_keys[static API_KEYS_MAX], size_t *ret_count);
bool api_vm_id_valid(const char *text, size_t size);

#endif
