/* story.h - what the machines say and do, one JSON line per thing, for a person or a test that
 * watches.
 *
 * {"t_ms":unix ms, "vm":"..", "what":"lock received", ...}: one write(2) a line, so that several
 * processes share a file. */
#ifndef VENDGATE_VENDSIM_STORY_H
#define VENDGATE_VENDSIM_STORY_H

#include "base/macros.h"

#include <jansson.h>

struct story;

/* "-": standard output; NULL: nobody listens; else a file that is appended to. */
MUST_CHECK int story_open(const char *path, struct story **ret_story);
void story_close(struct story **story);

/* Takes `detail` (an object whose fields are added to the line, or NULL). */
void story_tell(struct story *story, const char *vm_id, const char *what, json_t *detail);

#endif
