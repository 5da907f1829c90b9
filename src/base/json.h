/* json.h - strict JSON from outside, on top of jansson: a document, then its fields by a table.
 *
 * Refused, with a text that names the offender: not one object, duplicate keys, depth over the
 * limit, NUL characters, trailing bytes, a field of the wrong type or range. Unknown fields are
 * ignored. */
#ifndef VENDGATE_BASE_JSON_H
#define VENDGATE_BASE_JSON_H

#include "base/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_ERROR_SIZE 160
#define JSON_DEPTH_MAX 16

/* For _cleanup_(). */
void json_release(json_t **json);

/* The object (caller owns), or NULL and the reason in ret_error. */
json_t *json_read_object(const char *bytes, size_t size, char ret_error[static JSON_ERROR_SIZE]);

enum json_field_kind {
    JSON_FIELD_TEXT = 1, /* char[max + 1] inside the struct; length min..max */
    JSON_FIELD_INTEGER,  /* int64_t; value min..max */
    JSON_FIELD_BOOL,     /* bool */
    JSON_FIELD_JSON, /* json_t *, borrowed from the document: any array or object; size min..max */
};

struct json_field {
    const char *name;
    enum json_field_kind kind;
    bool required;
    int64_t min, max;
    size_t offset;         /* of the value in the struct that is filled */
    size_t present_offset; /* of a bool that tells whether it was there; SIZE_MAX: nobody asks */
    /* TEXT: the bytes allowed; NULL: any UTF-8 without control characters */
    const char *allowed;
};

enum json_verdict { JSON_OK = 0, JSON_MISSING, JSON_BAD_TYPE, JSON_BAD_VALUE };

/* Fills `ret_struct` field by field; JSON null counts as absent. Absent optional fields leave the
 * struct's value as it is. On a failure ret_error names the field and what it should be. */
MUST_CHECK enum json_verdict json_fields_read(const json_t *object, const struct json_field *fields,
                                              size_t count, void *ret_struct,
                                              char ret_error[static JSON_ERROR_SIZE]);

#endif
