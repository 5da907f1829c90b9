/* database_steps.h - the statements that move a transaction. Internal to the database. */
#ifndef VENDGATE_TESTS_SIMULATION_DATABASE_STEPS_H
#define VENDGATE_TESTS_SIMULATION_DATABASE_STEPS_H

#include "database.h"

bool machine_owned(const struct machine_row *machine, const struct operation *operation);
/* Also when it carries no usable number. */
bool event_is_new(const struct machine_row *machine, const struct said_event *said);
void event_write(struct machine_row *machine, const struct said_event *said);

void step_begin(struct database *database, struct operation *operation);
void step_advance(struct database *database, struct operation *operation);
void step_succeed(struct database *database, struct operation *operation);
void step_note(struct database *database, struct operation *operation);
void step_spend(struct database *database, struct operation *operation);

#endif
