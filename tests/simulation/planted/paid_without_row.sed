# A payment is answered success before its row is on disk.
# file: src/broker/call_paid.c
# breaks: promise 4
s/^        plan_pay(&plan, machine, call, &verdict);$/        plan_pay(\&plan, machine, call, \&verdict), call_answer(TAKE(input->call), REASON_NONE, ACTION_NONE);/
