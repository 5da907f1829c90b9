# What the guard of owner, epoch and version says is not looked at: a step that met it counts as done. (Steps that
# owe a callback are left out: an assertion would end the program before the promise is broken.)
# file: src/broker/step.c
# breaks: promise [1-8]|nothing leaves the gateway before the commit|success on (lock|unlock)|an operator's success|the journal has
/^    step_cancel_settle(machine, outcome);$/i\    outcome = outcome == STORE_CONFLICT && machine->owed_count == 0 ? STORE_APPLIED : outcome;
