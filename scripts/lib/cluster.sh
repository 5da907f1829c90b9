# cluster.sh - private PostgreSQL clusters; sourced by scripts/cluster and scripts/demo after common.sh.
#
# HOME/NAME/owner    the process that wants it
# HOME/NAME/sockets  the folder of its UNIX socket
# HOME/NAME/data     PostgreSQL's own, with the server's messages in server.log
# HOME/NAME/log      what initdb printed
# shellcheck shell=bash

CLUSTER_ROLE=vendgate

# PostgreSQL refuses to run as root; then the user of Debian's package, or else nobody, runs it.
server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        printf postgres
    else
        printf nobody
    fi
}

as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        local user
        user=$(server_user)
        (cd / && exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@")
    else
        "$@"
    fi
}

postgres_program() {
    local found
    found=$(compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -1)
    [ -n "$found" ] || found=$(command -v "$1") || die "$1 not found: run scripts/packages demo"
    printf '%s' "$found"
}

# Makes the folder that holds this clone's clusters and prints it: in the clone if the server's user can reach
# and write it, else (a clone under /root, say) in /var/tmp under a name derived from the clone's path.
cluster_home() {
    local home=$VAR/cluster
    if mkdir -p "$home" 2>/dev/null && own_folder "$home"; then
        printf '%s' "$home"
        return
    fi
    home=/var/tmp/vendgate-$(printf '%s %s' "$(id -u)" "$VAR" | sha256sum | cut -c1-12)
    mkdir -m 700 "$home" 2>/dev/null || true
    own_folder "$home" || die "$home cannot be used"
    printf '%s' "$home"
}

# Gives a folder to the server's user. False: it belongs to a stranger, is a link, or cannot be reached.
own_folder() {
    local user
    user=$(server_user)
    [ -d "$1" ] && [ ! -L "$1" ] || return 1
    case $(stat -c %U "$1") in
    "$user" | "$(id -un)") ;;
    *) return 1 ;;
    esac
    chown "$user" "$1" 2>/dev/null && chmod 700 "$1" && as_server test -w "$1" -a -x "$1"
}

# remove_cluster FOLDER: stops the server if it still runs, then removes the folder and its socket folder.
remove_cluster() {
    local folder=$1 sockets
    if [ -e "$folder/data/postmaster.pid" ]; then
        as_server "$(postgres_program pg_ctl)" -D "$folder/data" -s -w -m immediate stop >/dev/null 2>&1 || true
    fi
    sockets=$(cat "$folder/sockets" 2>/dev/null || true)
    if [[ $sockets == /tmp/vg.?* && ! -L $sockets ]]; then
        rm -rf "$sockets"
    fi
    rm -rf "$folder"
}

# Removes what killed runs of this clone left behind.
sweep_clusters() {
    local folder
    for folder in "$1"/*/; do
        [ -e "$folder" ] || continue
        if ! process_alive "$(cat "$folder/owner" 2>/dev/null || true)"; then
            remove_cluster "${folder%/}"
        fi
    done
}

# Everything that makes a lost power supply harmless stays on; only memory and sockets differ from the defaults.
# mmap: shared memory of parallel queries needs no room in /dev/shm, which is small in containers.
write_settings() {
    cat <<END
listen_addresses = ''
unix_socket_directories = '$1'
unix_socket_permissions = 0700
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 100
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
log_line_prefix = '%m [%p] %a '
END
}

# The socket's folder admits only root and the server's user, so whoever reaches it is trusted.
make_cluster() {
    local folder=$1 sockets
    sockets=$(mktemp -d /tmp/vg.XXXXXX)
    chown "$(server_user)" "$sockets"
    printf '%s\n' "$sockets" >"$folder/sockets"
    as_server "$(postgres_program initdb)" -D "$folder/data" -U "$CLUSTER_ROLE" --auth=trust \
        --data-checksums --encoding=UTF8 --locale=C.UTF-8 --no-instructions >"$folder/log" 2>&1 ||
        { cat "$folder/log" >&2; die "initdb failed"; }
    write_settings "$sockets" >>"$folder/data/postgresql.conf"
}

# The folder appears with its owner inside, so that a sweep at the same time does not take it for a leftover.
claim_folder() {
    local home=$1 folder=$2 owner=$3 fresh
    fresh=$(mktemp -d "$home/.new.XXXXXX")
    printf '%s\n' "$owner" >"$fresh/owner"
    chown -R "$(server_user)" "$fresh"
    if ! mv -T "$fresh" "$folder" 2>/dev/null; then
        rm -rf "$fresh"
        return 1
    fi
}

# The server outlives a caller that is killed; it must not keep the caller's lock (descriptor 9) as well.
cluster_start() {
    local name=$1 owner home folder
    home=$(cluster_home)
    folder=$home/$name
    owner=$(process_name "$2") || die "no process $2"
    sweep_clusters "$home"
    claim_folder "$home" "$folder" "$owner" ||
        die "cluster '$name' of this clone is in use by process $(cut -d: -f1 "$folder/owner")"
    make_cluster "$folder"
    as_server "$(postgres_program pg_ctl)" -D "$folder/data" -s -w -t 60 -l "$folder/data/server.log" start 9>&- ||
        { cat "$folder/data/server.log" >&2; remove_cluster "$folder"; die "PostgreSQL did not start"; }
    as_server "$(postgres_program createdb)" -h "$(cat "$folder/sockets")" -U "$CLUSTER_ROLE" vendgate
    cluster_url "$name"
}

cluster_url() {
    local folder sockets
    folder=$(cluster_home)/$1
    sockets=$(cat "$folder/sockets" 2>/dev/null) || die "no cluster '$1' in this clone"
    printf 'postgresql:///vendgate?host=%s&user=%s\n' "$sockets" "$CLUSTER_ROLE"
}

cluster_stop() {
    local folder
    folder=$(cluster_home)/$1
    if [ -d "$folder" ]; then
        as_server "$(postgres_program pg_ctl)" -D "$folder/data" -s -w -m fast stop >/dev/null 2>&1 || true
        remove_cluster "$folder"
    fi
}
