# What the guard of owner, epoch and version says is not looked at: a step that met it counts as done. (Steps that
# owe a callback are left out: an assertion would end the program before a promise is broken.) Which promise breaks
# first depends on the seed.
# file: src/broker/step.c
# breaks: .
/^    step_cancel_settle(machine, outcome,/i\    outcome = outcome == STORE_CONFLICT && machine->owed_count == 0 ? STORE_APPLIED : outcome;
