#!/bin/bash
# kill - the daemon is killed N times with SIGKILL while machines and integrators buy; nothing may be lost or doubled.
#
#   tests/campaign/kill.sh N --state DIR [--build release|asan] [--seed TEXT]
#
# Every 50 kills and at the end nobody buys, everything ends, and the records of PostgreSQL, the machines and the
# integrators are compared; at the end vendctl audits what is stored, too. DIR holds all of them, the count and the
# seed: a second call with a higher N goes on, also after one that was cut off. Exit 1: something does not agree (its
# refs are printed), or the campaign cannot go on.
. "$(dirname "$0")/../../scripts/lib/common.sh"
. "$ROOT/scripts/lib/cluster.sh"

usage() {
    die "usage: tests/campaign/kill.sh N --state DIR [--build release|asan] [--seed TEXT]"
}

KILLS='' STATE='' BUILD=release SEED=''

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --state) STATE=${2:?--state needs a folder} && shift ;;
        --build) BUILD=${2:?--build needs a name} && shift ;;
        --seed) SEED=${2:?--seed needs a text} && shift ;;
        *) [[ -z $KILLS && $1 =~ ^[1-9][0-9]{0,7}$ ]] || usage && KILLS=$1 ;;
        esac
        shift
    done
    if [ -z "$KILLS" ] || [ -z "$STATE" ]; then
        usage
    fi
}

# postgres_control ARGUMENTS...: pg_ctl on our cluster.
postgres_control() {
    as_server "$(postgres_program pg_ctl)" -D "$POSTGRES/data" -s -w "$@"
}

# The cluster stays in DIR between two calls; the folder of its socket may have gone with a restart of the machine.
start_postgres() {
    own_folder "$POSTGRES" || die "PostgreSQL's user cannot reach $POSTGRES; give a folder elsewhere"
    [ -e "$POSTGRES/sockets" ] || make_cluster "$POSTGRES"
    local sockets
    sockets=$(cat "$POSTGRES/sockets")
    if [ ! -d "$sockets" ]; then
        mkdir -m 700 "$sockets"
        chown "$(server_user)" "$sockets"
    fi
    if ! postgres_control status >/dev/null; then
        postgres_control -t 120 -l "$POSTGRES/data/server.log" start 9>&- || die "see $POSTGRES/data/server.log"
    fi
}

main() {
    read_arguments "$@"
    mkdir -p "$STATE/postgres"
    STATE=$(cd "$STATE" && pwd -P)
    POSTGRES=$STATE/postgres
    exec 9>"$STATE/lock"
    flock -n 9 || die "a campaign is running in $STATE"
    trap 'postgres_control -m fast stop || true' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start_postgres
    VENDGATE_BUILD=$BUILD PYTHONPATH=$ROOT/tests/integration /usr/bin/python3 "$ROOT/tests/campaign/kill.py" "$KILLS" \
        --state "$STATE" --database "postgresql:///postgres?host=$(cat "$POSTGRES/sockets")&user=$CLUSTER_ROLE" \
        ${SEED:+--seed "$SEED"}
}

main "$@"
