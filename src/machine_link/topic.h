/* topic.h - the fixed topics `vm/1/<vm_id>/<leaf>`; `me` may stand for the own id. Pure. */
#ifndef VENDGATE_MACHINE_LINK_TOPIC_H
#define VENDGATE_MACHINE_LINK_TOPIC_H

#include "machine_link/mqtt_packet.h"

enum topic_leaf {
    TOPIC_FOREIGN = 0, /* not in the machine's own tree */
    TOPIC_EVENT,       /* ev */
    TOPIC_REPLY,       /* re */
    TOPIC_STATUS,      /* st */
    TOPIC_COMMAND,     /* cmd */
    TOPIC_UNKNOWN,     /* some other leaf of the own tree */
};

/* ret_me tells whether it was written with `me`. */
enum topic_leaf topic_read(struct mqtt_text topic, const char *vm_id, bool *ret_me);
/* MQTT's wildcards may stand in filters only [MQTT-3.3.2-2]. */
bool topic_has_wildcard(struct mqtt_text topic);
bool topic_is_shared(struct mqtt_text filter);

/* "vm/1/" + a vm_id + "/cmd" + NUL. */
#define TOPIC_COMMAND_SIZE 80
/* `vm_id` is "me" for a machine that subscribed so. */
void topic_command_write(const char *vm_id, char ret_topic[static TOPIC_COMMAND_SIZE]);

#endif
