#!/usr/bin/env bash
# Runs client.py against a server that this script starts on a fresh folder, and always stops. Needs cargo, and Python 3
# with venv; the client's packages come from PyPI into a folder that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
server=

finish() {
    local status=$?
    if [[ -n $server ]]; then
        kill -KILL "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if ((status != 0)) && [[ -s $work/server.log ]]; then
        echo "the server said:"
        tail -n 50 "$work/server.log"
    fi
    rm -rf "$work"
}
trap finish EXIT

# Installers are heard only when they fail, and then without the address of the registry that they used.
quietly() {
    if ! "$@" >"$work/install.log" 2>&1; then
        echo "failed: $1"
        sed -E "s#https?://[^/ ]+#REGISTRY#g; s#host='[^']*'#host='REGISTRY'#g" "$work/install.log"
        return 1
    fi
}

cargo build --locked --workspace --bin offpeakd
quietly python3 -m venv "$work/venv"
quietly "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/foreign/requirements.txt

port=$("$work/venv/bin/python" -c 'import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1])')
"${CARGO_TARGET_DIR:-target}/debug/offpeakd" serve --listen "127.0.0.1:$port" --data-dir "$work/data" \
    >"$work/server.log" 2>&1 </dev/null &
server=$!

timeout 120 "$work/venv/bin/python" -B tests/foreign/client.py "127.0.0.1:$port"

kill -TERM "$server"
for _ in $(seq 100); do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if kill -0 "$server" 2>/dev/null; then
    echo "the server still runs 10 s after SIGTERM"
    exit 1
fi
stopped=$server
server=
if ! wait "$stopped"; then
    echo "the server did not end with exit code 0 after SIGTERM"
    exit 1
fi
echo "the server stopped cleanly at SIGTERM"
