/* utf8.h - tells well-formed UTF-8 from bytes that would break a line, a log or a document. Pure.
 */
#ifndef VENDGATE_BASE_UTF8_H
#define VENDGATE_BASE_UTF8_H

#include <stddef.h>

/* Bytes (1 to 4) of the printable character at the start of `text`; 0: a control character (C0,
 * DEL, C1), an ill-formed sequence (RFC 3629), or nothing left. */
size_t utf8_printable(const char *text, size_t size);

#endif
