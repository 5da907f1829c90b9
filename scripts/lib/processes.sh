# processes.sh - background programs of the demo: started with a log, stopped in reverse order; sourced.
#
# $SANDBOX/processes holds one name (process id and start time) a line, so that a demo that was killed is
# cleaned up by the next one.
# shellcheck shell=bash

SANDBOX=$VAR/demo

# start_process NAME COMMAND...: its output goes to $SANDBOX/NAME.log. It gets a session of its own, so that a
# Ctrl-C reaches only the demo, which then stops everything in order.
start_process() {
    local name=$1
    shift
    setsid "$@" >>"$SANDBOX/$name.log" 2>&1 </dev/null 8>&- 9>&- &
    printf '%s\n' "$(process_name $!)" >>"$SANDBOX/processes"
}

stop_one() {
    local process=$1 deadline=$((SECONDS + 15))
    kill -TERM "${process%%:*}" 2>/dev/null || return 0
    while process_alive "$process"; do
        if [ $SECONDS -ge $deadline ]; then
            kill -KILL "${process%%:*}" 2>/dev/null || true
            return 0
        fi
        sleep 0.05
    done
}

stop_processes() {
    local process
    [ -e "$SANDBOX/processes" ] || return 0
    tac "$SANDBOX/processes" | while read -r process; do
        if process_alive "$process"; then
            stop_one "$process"
        fi
    done
    rm -f "$SANDBOX/processes"
}

# Whether every program that was started still runs.
all_alive() {
    local process
    while read -r process; do
        process_alive "$process" || return 1
    done <"$SANDBOX/processes"
}

# show_log NAME: the last lines of a program's log, to standard error.
show_log() {
    say "--- $SANDBOX/$1.log" >&2
    tail -20 "$SANDBOX/$1.log" >&2 || true
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; false at the deadline.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            say "$what: not within its time" >&2
            return 1
        fi
        sleep 0.05
    done
}
