# An approval that was not answered is sent again under a new id.
# file: src/broker/deadlines.c
# breaks: promise 2
/^    plan_init(&plan, live, TXN_APPROVE_ACK_TIMER, "timer");$/a\    random_hex(plan.next.approval, 16);
1i #include "base/random.h"
