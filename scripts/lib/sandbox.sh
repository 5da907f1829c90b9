# sandbox.sh - the parts of the demo: certificates, integrators, machines, gateway; sourced.
#
# var/demo/            everything of one run; made anew by the next one
#   ca/                the private CA
#   *.pem *.key        certificates and keys
#   *.log              what each program printed
#   callbacks-*.jsonl  the callbacks that each sample integrator received
#   machines.json      what vendsim plays
# var/demo-master.key  seals the integrators' secrets in the database; kept
# var/sandbox.json     how to reach all of it (docs/sandbox.md)
# shellcheck shell=bash

BIN=$ROOT/build/release
CA=$SANDBOX/ca
# With a database that is kept, names must be new in every run.
RUN=

vendctl() {
    "$BIN/vendctl" "$@"
}

api_port() { printf '%s' $((PORT_BASE + 1)); }
link_port() { printf '%s' $((PORT_BASE + 2)); }
private_port() { printf '%s' $((PORT_BASE + 3)); }
integrator_port() { printf '%s' $((PORT_BASE + 10 + $1)); }
api_url() { printf 'https://localhost:%s' "$(api_port)"; }

# A socket's path has at most 107 bytes, so sockets stand in a short folder; a killed run left its own behind.
sandbox_folder() {
    SOCKETS=$(cat "$SANDBOX/sockets" 2>/dev/null || true)
    if [[ $SOCKETS == /tmp/vgd.?* && ! -L $SOCKETS ]]; then
        rm -rf "$SOCKETS"
    fi
    rm -rf "$SANDBOX"
    mkdir -p "$SANDBOX"
    SOCKETS=$(mktemp -d /tmp/vgd.XXXXXX)
    printf '%s\n' "$SOCKETS" >"$SANDBOX/sockets"
    if [ -n "$DATABASE" ]; then
        RUN=-$(date +%s)
    fi
    INTEGRATORS=("shop$RUN" "neighbour$RUN")
    SPARE=spare$RUN
}

# The simulated machines' ids.
machine_ids() {
    local i
    for ((i = 1; i <= MACHINES; i++)); do
        printf 'demo-%s%s\n' "$i" "$RUN"
    done
}

make_certificates() {
    vendctl ca init --dir "$CA"
    local name
    for name in gateway "${INTEGRATORS[@]}"; do
        vendctl ca server --dir "$CA" --host localhost,127.0.0.1 --cert "$SANDBOX/$name.pem" --key "$SANDBOX/$name.key"
    done
}

# Outside the folder of one run: what it seals in a database that is kept must be readable by the next run.
make_master_key() {
    export VENDGATE_MASTER_KEY_FILE=$VAR/demo-master.key
    if [ ! -e "$VENDGATE_MASTER_KEY_FILE" ]; then
        vendctl secret init --key "$VENDGATE_MASTER_KEY_FILE"
    fi
}

# Each integrator has both kinds of credentials; what vendctl tells of them is kept for var/sandbox.json.
add_integrators() {
    local i name
    for i in "${!INTEGRATORS[@]}"; do
        name=${INTEGRATORS[i]}
        vendctl integrator add "$name" --callback-url "https://127.0.0.1:$(integrator_port "$i")" \
            --callback-ca "$CA/ca.pem" --allow-private --basic-user "$name" \
            --basic-password "$(openssl rand -hex 12)" --json >"$SANDBOX/$name.json"
    done
}

# shop may sell at every machine, neighbour only at the last one and the spare.
add_machines() {
    local vm_id
    while read -r vm_id; do
        add_machine "$vm_id"
        jq -n --arg id "$vm_id" --arg folder "$SANDBOX" \
            '{vm_id: $id, cert_file: "\($folder)/\($id).pem", key_file: "\($folder)/\($id).key"}'
    done < <(machine_ids) | jq -s . >"$SANDBOX/machines.json"
    add_machine "$SPARE"
    vendctl grant "${INTEGRATORS[1]}" "$(machine_ids | tail -1)" >/dev/null
    vendctl grant "${INTEGRATORS[1]}" "$SPARE" >/dev/null
}

add_machine() {
    vendctl machine add "$1" --allow-tool --operator-name "Demo Vending" --address "1 Example Street" >&2
    vendctl machine enroll "$1" --ca-dir "$CA" --cert "$SANDBOX/$1.pem" --key "$SANDBOX/$1.key" >&2
    vendctl grant "${INTEGRATORS[0]}" "$1" >&2
}

integrator_entry() {
    local i=$1 name=$2
    jq --arg name "$name" --arg url "https://127.0.0.1:$(integrator_port "$i")" \
        --arg log "$SANDBOX/callbacks-$name.jsonl" \
        '{name: $name, api_key, basic_user, basic_password, callback_url: $url, callback_log: $log, signing_secret}' \
        "$SANDBOX/$name.json"
}

write_sandbox() {
    local i
    for i in "${!INTEGRATORS[@]}"; do
        : >"$SANDBOX/callbacks-${INTEGRATORS[i]}.jsonl"
        integrator_entry "$i" "${INTEGRATORS[i]}"
    done | jq -s . >"$SANDBOX/integrators.json"
    jq -n --arg api "$(api_url)" --arg admin "unix:$SOCKETS/admin.sock" \
        --arg metrics "http://127.0.0.1:$(private_port)/metrics" --argjson link_port "$(link_port)" \
        --arg ca "$CA/ca.pem" --arg database "$VENDGATE_DATABASE_URL" \
        --arg spare "$SPARE" --arg folder "$SANDBOX" --arg master "$VENDGATE_MASTER_KEY_FILE" \
        --slurpfile integrators "$SANDBOX/integrators.json" --slurpfile machines "$SANDBOX/machines.json" \
        '{api_url: $api, admin_url: $admin, metrics_url: $metrics,
          machine_link: {host: "localhost", port: $link_port}, ca_file: $ca, database_url: $database,
          master_key_file: $master,
          integrators: $integrators[0], machines: $machines[0],
          spare_machine: {vm_id: $spare, cert_file: "\($folder)/\($spare).pem", key_file: "\($folder)/\($spare).key"}}' \
        >"$VAR/sandbox.json.new"
    mv "$VAR/sandbox.json.new" "$VAR/sandbox.json"
}

# One key of the gateway's configuration a line; long timers, so that a person can play.
gateway_settings() {
    cat <<END
VENDGATE_STORE_URL=$VENDGATE_DATABASE_URL
VENDGATE_API_ADDRESS=0.0.0.0
VENDGATE_API_PORT=$(api_port)
VENDGATE_API_CERTIFICATE=$SANDBOX/gateway.pem
VENDGATE_API_KEY=$SANDBOX/gateway.key
VENDGATE_MACHINES_ADDRESS=0.0.0.0
VENDGATE_MACHINES_PORT=$(link_port)
VENDGATE_MACHINES_CERTIFICATE=$SANDBOX/gateway.pem
VENDGATE_MACHINES_KEY=$SANDBOX/gateway.key
VENDGATE_MACHINES_CLIENT_CA=$CA/ca.pem
VENDGATE_PRIVATE_ADDRESS=127.0.0.1
VENDGATE_PRIVATE_PORT=$(private_port)
VENDGATE_ADMIN_SOCKET=$SOCKETS/admin.sock
VENDGATE_SECRETS_MASTER_KEY_FILE=$VENDGATE_MASTER_KEY_FILE
VENDGATE_MACHINES_WELCOME=300s
VENDGATE_TIMERS_LOCK_ACK=30s
VENDGATE_TIMERS_SELECTION=300s
VENDGATE_TIMERS_PAYMENT=120s
VENDGATE_TIMERS_APPROVE_ACK=15s
VENDGATE_TIMERS_APPROVE_TTL=60s
END
}

gateway_ready() {
    curl -sf -o "$SANDBOX/readyz" "http://127.0.0.1:$(private_port)/readyz"
}

start_gateway() {
    local settings
    mapfile -t settings < <(gateway_settings)
    start_process vendgated env "${settings[@]}" "$BIN/vendgated"
    wait_for 30 "gateway" gateway_ready || { show_log vendgated && return 1; }
}

# api_call INTEGRATOR PATH BODY: the answer's body.
api_call() {
    curl -sS --max-time 40 --cacert "$CA/ca.pem" -H "X-API-Key: $(jq -r .api_key "$SANDBOX/$1.json")" \
        -H 'Content-Type: application/json' -d "$3" "$(api_url)$2"
}

machines_online() {
    local ids
    ids=$(machine_ids | head -500 | jq -R . | jq -sc '{vms: .}')
    api_call "${INTEGRATORS[0]}" /api/vmc_bulk_search "$ids" 2>/dev/null |
        jq -e '(.vendingMachines | length) > 0 and all(.vendingMachines[]; .online)' >/dev/null
}

start_machines() {
    start_process vendsim "$BIN/vendsim" --host localhost --port "$(link_port)" --ca "$CA/ca.pem" \
        --machines "$SANDBOX/machines.json" --state-dir "$SANDBOX/vendsim" --mqtt 5 --select-after-ms 1500 \
        --events "$SANDBOX/vendsim.events"
    wait_for 60 "machines online" machines_online || { show_log vendsim && show_log vendgated && return 1; }
}

# start_integrator I [--buy VM_ID --ref REF]
start_integrator() {
    local i=$1 name=${INTEGRATORS[$1]}
    shift
    start_process "$name" "$BIN/sample_integrator" --port "$(integrator_port "$i")" \
        --cert "$SANDBOX/$name.pem" --key "$SANDBOX/$name.key" --callback-log "$SANDBOX/callbacks-$name.jsonl" \
        --api-url "$(api_url)" --api-ca "$CA/ca.pem" --api-key "$(jq -r .api_key "$SANDBOX/$name.json")" \
        --signing-secret "$(jq -r .signing_secret "$SANDBOX/$name.json")" "$@"
}
