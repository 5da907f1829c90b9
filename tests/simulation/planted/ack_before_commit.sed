# A machine's event is acknowledged when it arrives, before the store has it.
# file: src/broker/link_binding.c
# breaks: a machine's event is acknowledged only when it is stored
/^        input->event\.name = name;$/a\    machine_link_ack(machine->broker->link, ticket, EVENT_STORED);
