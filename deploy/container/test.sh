#!/usr/bin/env bash
# Run what is in the image as an engine would: its root file system read-only, its user, its entry point, its
# environment, and ask it with its health check: test.sh ARCHIVE LIST
# LIST says what is in the binary: target/sbom/vigie.cdx.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/checks.sh
alone "$@"
ip link set lo up

home=$(mktemp -d)
mount -t tmpfs tmpfs "$home"
root=$home/root
mkdir "$root"
python3 deploy/container/inspect.py "$1" "$root" >"$home/config.json"
of_config() {
    python3 -c 'import json, sys; print(*eval(sys.argv[2], json.load(open(sys.argv[1]))), sep="\n")' \
        "$home/config.json" "$1"
}

# What it is.
size=$(of_config '[size]')
[ "$size" -le 15000000 ] || failed "the image has $size bytes, more than 15 MB"
passed "the image has $size bytes"
user=$(of_config '[User]')
is "the user" 65532:65532 "$user"
passed "it runs as $user"
is "the port" 9980/tcp "$(of_config ExposedPorts)"
contains "$(of_config Labels)" org.opencontainers.image.version org.opencontainers.image.licenses
is "the version" "$(of_config '[Labels["org.opencontainers.image.version"]]')" \
    "$("$root/vigie" --version | cut -d' ' -f2)"
passed "it says what it is"
is "what is in it" "./etc/ssl/certs/ca-certificates.crt $(printf './usr/share/doc/vigie/%s ' LICENSE THIRD-PARTY-NOTICES.txt)./vigie " \
    "$(cd "$root" && find . ! -type d | sort | tr '\n' ' ')"
passed "there is nothing in it but the binary, certificates, the licence and notices: no shell"
noticed=$(python3 deploy/supply/noticed.py "$2" "$root/usr/share/doc/vigie/THIRD-PARTY-NOTICES.txt") || failed "$noticed"
passed "$noticed"

# As an engine does: /dev and /proc from outside, the rest read-only.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs dev "$root/dev"
touch "$root/dev/null" && mount --bind /dev/null "$root/dev/null"
mount -o remount,bind,ro "$root"
mapfile -t environment < <(of_config Env)
mapfile -t entrypoint < <(of_config Entrypoint)
mapfile -t arguments < <(of_config Cmd)
mapfile -t health < <(of_config 'Healthcheck["Test"][1:]')
# engine VARIABLE=VALUE… -- COMMAND…; with EXEC=exec it takes the place of the shell that runs it in the background.
engine() {
    local given=()
    while [ "$1" != -- ]; do
        given+=("$1")
        shift
    done
    shift
    ${EXEC:-} env -i "${environment[@]}" "${given[@]}" chroot --userspec="$user" --groups= "$root" "$@"
}
healthy() { engine -- "${health[@]}"; }
scrape() { curl --silent --fail --show-error "http://127.0.0.1:9980/metrics"; }

# The demo, with nothing given.
EXEC=exec engine -- "${entrypoint[@]}" demo --still >"$home/said" 2>&1 &
demo=$!
wait_for "the demo to be ready" curl --silent --fail http://127.0.0.1:9980/-/ready
contains "$(scrape)" 'vigie_poll_success{account="demo",kind="instances",region="eu-west-2"} 1' \
    "cloud_instance_state{" "process_resident_memory_bytes"
passed "the demo is scraped: $(scrape | grep --count --invert-match '^#') samples"
is "the user of the process" "$(printf '65532\t65532\t65532\t65532')" \
    "$(sed -n 's/^Uid:\t//p' "/proc/$demo/status")"
is "the capabilities of the process" 0000000000000000 "$(sed -n 's/^CapEff:\t//p' "/proc/$demo/status")"
ends 0 healthy
passed "it is healthy, says \`${health[*]}\`"
kill -TERM "$demo"
wait "$demo" || failed "the demo ended with $?: $(cat "$home/said")"
ends 1 healthy
contains "$said" "asking http://127.0.0.1:9980/-/healthy"
passed "it ends when told to, and is healthy no more"

# Bad input.
ends 64 engine -- "${entrypoint[@]}" "${arguments[@]}"
contains "$said" "no account to poll" "--config" "VIGIE_CONFIG" "--provider" "VIGIE_PROVIDER" "VIGIE_REGIONS"
passed "without settings it says what to set"

# A cloud with keys, outside.
"$root/vigie" demo --cloud-only --still --cloud-listen 127.0.0.1:9000 2>"$home/cloud" &
cloud=$!
wait_for "the cloud" grep --quiet Ctrl-C "$home/cloud"
mount -t tmpfs tmpfs "$root/etc/vigie"
key() { sed -n "s/.* export OSC_ACCESS_KEY=\([^ ]*\) OSC_SECRET_KEY=\(.*\)/\\$2/p" "$home/cloud" | sed -n "$1p"; }
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$(key 1 1)" "$(key 1 2)" \
    >"$root/etc/vigie/credentials"
settings=(VIGIE_PROVIDER=outscale VIGIE_REGIONS=eu-west-2 VIGIE_ENDPOINT_URL=http://127.0.0.1:9000)
file=VIGIE_CREDENTIALS_FILE=/etc/vigie/credentials

chmod 0600 "$root/etc/vigie/credentials"
ends 64 engine "${settings[@]}" "$file" -- "${entrypoint[@]}" "${arguments[@]}"
contains "$said" "credentials file /etc/vigie/credentials cannot be read (permission denied)" \
    "make it readable to the user that vigie runs as"
passed "a key of root alone is refused with what to do"
ends 64 engine "${settings[@]}" "${file}s" -- "${entrypoint[@]}" "${arguments[@]}"
contains "$said" "credentials file /etc/vigie/credentialss does not exist"
passed "a key that was not mounted is told of"
mkdir "$root/etc/vigie/missing"
ends 64 engine "${settings[@]}" VIGIE_CREDENTIALS_FILE=/etc/vigie/missing -- "${entrypoint[@]}" "${arguments[@]}"
contains "$said" "is a directory: name the file in it"
passed "the folder that an engine makes of a file that is not there is told of"

chown 65532:65532 "$root/etc/vigie" "$root/etc/vigie/credentials"
mount -o remount,ro "$root/etc/vigie"
EXEC=exec engine "${settings[@]}" "$file" -- "${entrypoint[@]}" "${arguments[@]}" >"$home/said" 2>&1 &
vigie=$!
wait_for "vigie to be ready" curl --silent --fail http://127.0.0.1:9980/-/ready
contains "$(scrape)" 'vigie_poll_success{account="default",kind="load_balancers",region="eu-west-2"} 1'
ends 0 healthy
kill -TERM "$vigie"
wait "$vigie" || failed "vigie ended with $?: $(cat "$home/said")"
lacks "$(cat "$home/said")" WARN ERROR
passed "a key on a read-only mount is all that it needs"
ends 1 engine "${settings[@]}" OSC_ACCESS_KEY="$(key 2 1)" OSC_SECRET_KEY="$(key 2 2)" -- \
    "${entrypoint[@]}" bootstrap --user other --group other --policy other --out /etc/vigie/other
contains "$said" /etc/vigie "Read-only file system" "name a file where writing is possible"
lacks "$said" "$(key 2 2)"
passed "a new key is not written to a read-only mount: ${said##*vigie: }"
kill "$cloud"

# Certificates: somebody unknown is refused for that, and not for want of certificates to trust.
openssl req -x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$home/key.pem" -out "$home/certificate.pem" 2>/dev/null
openssl s_server -quiet -accept 127.0.0.1:9443 -key "$home/key.pem" -cert "$home/certificate.pem" -www >/dev/null 2>&1 &
server=$!
wait_for "a server with TLS" curl --silent --insecure https://127.0.0.1:9443/
over_tls=(VIGIE_PROVIDER=outscale VIGIE_REGIONS=eu-west-2 VIGIE_ENDPOINT_URL=https://127.0.0.1:9443
    OSC_ACCESS_KEY=TESTKEYEXAMPLE OSC_SECRET_KEY=SecretEXAMPLE)
ends 1 engine "${over_tls[@]}" -- "${entrypoint[@]}" once
contains "$said" UnknownIssuer
passed "a stranger's certificate is refused: $(grep --only-matching --max-count=1 'invalid peer certificate[^;]*' <<<"$said")"
code=0
without=$(engine "${over_tls[@]}" SSL_CERT_FILE=/nowhere -- "${entrypoint[@]}" once 2>&1) || code=$?
lacks "$without" UnknownIssuer
passed "without the image's certificates it would be another refusal ($code): ${without%%$'\n'*}"
kill "$server"

# As the first process, which the kernel ends by no signal that it does not listen for; the cloud takes connections and
# says nothing.
python3 -c 'import socket
server, taken = socket.create_server(("127.0.0.1", 9000)), []
print("it listens", flush=True)
while taken.append(server.accept()) is None:
    print("it is asked", flush=True)' >>"$home/silent" &
silent=$!
wait_for "the silent cloud" grep --quiet listens "$home/silent"
as_first=(OSC_ACCESS_KEY=TESTKEYEXAMPLE OSC_SECRET_KEY=SecretEXAMPLE)
for told in "TERM 143 once" "INT 130 audit" "TERM 143 check --live"; do
    read -r signal wanted command <<<"$told"
    : >"$home/silent"
    EXEC='exec unshare --pid --fork --kill-child' engine "${settings[@]}" "${as_first[@]}" -- "${entrypoint[@]}" $command \
        >"$home/said" 2>&1 &
    outside=$!
    wait_for "a question of $command" grep --quiet asked "$home/silent"
    kill -s "$signal" "$(pgrep --parent "$outside")"
    code=0
    wait "$outside" || code=$?
    is "the end of $command by SIG$signal" "$wanted" "$code"
done
kill "$silent"
passed "as the first process it ends when told to, whatever it waits for"
summary
