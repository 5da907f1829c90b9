# Nobody is told that the time to choose is over.
# file: src/broker/callbacks.c
# breaks: promise 3
s/^    if (actions & TXN_CALL_UNLOCK)$/    if ((actions \& TXN_CALL_UNLOCK) \&\& machine->plan.event != TXN_SELECTION_TIMER)/
