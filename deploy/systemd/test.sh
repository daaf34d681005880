#!/usr/bin/env bash
# Judge the unit with systemd's own tools, then let a systemd of this machine run it, in a file system and namespaces that
# are thrown away: test.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/checks.sh
. deploy/systemd/boot.sh
alone "$@"
ip link set lo up

home=$(mktemp -d)
throwaway "$home"
root=$home/root
install -D --mode=0755 "$1" "$root/usr/bin/vigie"
install -D --mode=0644 --target-directory="$root/usr/lib/systemd/system" deploy/systemd/*.{service,path}
install -D --mode=0644 deploy/systemd/vigie.toml "$root/etc/vigie/vigie.toml"

# What systemd thinks of them.
units=(vigie.service vigie-key.path vigie-key.service)
verdict=$(chroot "$root" systemd-analyze verify --man=no "${units[@]/#//usr/lib/systemd/system/}" 2>&1) ||
    failed "systemd-analyze verify: $verdict"
is "the verdict of systemd-analyze verify" "" "$verdict"
passed "systemd-analyze verify has nothing to say"
# The threshold is in tenths.
exposure=$(chroot "$root" systemd-analyze security --offline=true --threshold=15 --no-pager \
    /usr/lib/systemd/system/vigie.service) || failed "systemd-analyze security: $exposure"
passed "systemd-analyze security: $(grep --only-matching 'exposure level.*: [0-9.]*' <<<"$exposure")"

cloud
boot

# drop_in NAME: what stands on stdin, beside the unit.
drop_in() {
    install -D --mode=0644 /dev/stdin "$root/etc/systemd/system/vigie.service.d/$1.conf"
    inside systemctl daemon-reload
}

# Nothing is there yet.
inside systemctl enable --quiet vigie.service vigie-key.path
inside systemctl start vigie.service
is "the state without a key" "inactive success" "$(property ActiveState) $(property Result)"
passed "without a key it is skipped, not failed"

admin bootstrap "${place[@]}" --out /etc/vigie/credentials
is "the key's mode" "600 root" "$(stat --format='%a %U' "$root/etc/vigie/credentials")"
ends 1 inside systemctl start vigie.service
is "the end without an account" "exit-code 64 0" "$(property Result) $(property ExecMainStatus) $(property NRestarts)"
# By its name: of a process that is gone so soon, the journal may not know the unit any more.
said=$(journal --identifier=vigie)
contains "$said" "/etc/vigie/vigie.toml" "account"
passed "without an account it fails once and says: $(grep 'vigie: ' <<<"$said")"

# Short, to see it bite.
printf '[Service]\nWatchdogSec=2s\nRestartSec=100ms\n' | drop_in watchdog
echo "$account" >>"$root/etc/vigie/vigie.toml"
inside systemctl reset-failed vigie.service
inside systemctl start vigie.service
is "the state after start" active "$(property ActiveState)"
is "the status" "listening on http://127.0.0.1:9980" "$(property StatusText)"
wait_for "the first polls" polls_of prod
contains "$(metrics)" "process_start_time_seconds" "process_resident_memory_bytes" "process_open_fds"
lacks "$(said_last)" WARN ERROR
is "the user" "$(property UID)" "$(inside stat --format=%u "/proc/$(property MainPID)")"
[ "$(property UID)" -gt 60000 ] || failed "the user is $(property UID), not a dynamic one"
is "the capabilities" 0000000000000000 "$(inside sed -n 's/^CapEff:\t//p' "/proc/$(property MainPID)/status")"
passed "it runs as user $(property UID), without capabilities, with the key of root, and is scraped"

before=$(property WatchdogTimestampMonotonic)
wait_for "another sign of life" changed WatchdogTimestampMonotonic "$before"
passed "it gives signs of life"
pid=$(property MainPID)
inside kill -STOP "$pid"
restarted() { [ "$(property NRestarts)" -ge 1 ] && [ "$(property SubState)" = running ]; }
wait_for "the watchdog to start it anew" restarted
contains "$(journal --unit=vigie.service)" "Watchdog timeout"
wait_for "polls after the watchdog" polls_of prod
passed "it is started anew where it gives none"

pid=$(property MainPID)
sed -i 's/^name = "prod"/name = "renamed"/' "$root/etc/vigie/vigie.toml"
inside systemctl reload vigie.service
wait_for "polls by the other settings" polls_of renamed
is "the process after a reload" "$pid active" "$(property MainPID) $(property ActiveState)"
passed "it follows its settings without a restart"
cp "$root/etc/vigie/vigie.toml" "$home/vigie.toml"
echo 'intervall = "60s"' >>"$root/etc/vigie/vigie.toml"
ends 1 inside systemctl reload vigie.service
contains "$(said_last)" "intervall" "interval"
is "the process after a bad reload" "$pid active" "$(property MainPID) $(property ActiveState)"
polls_of renamed || failed "settings that are no good took the page away"
cp "$home/vigie.toml" "$root/etc/vigie/vigie.toml"
passed "settings that are no good fail the reload, and change nothing"

# The page's certificate and key as the key, by names that mean root's files to `vigie check`.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=vigie -addext subjectAltName=IP:127.0.0.1 -days 30 \
    -keyout "$root/etc/vigie/web.key" -out "$root/etc/vigie/web.crt" 2>"$home/openssl" || failed "openssl: $(cat "$home/openssl")"
printf 'tls_server_config: { cert_file: web.crt, key_file: web.key }\n' >"$root/etc/vigie/web.yml"
chmod 0600 "$root"/etc/vigie/web.*
sed -i 's/^# \(web_config_file = "web.yml"\)/\1/' "$root/etc/vigie/vigie.toml"
printf '[Service]\nLoadCredential=%s\nLoadCredential=%s\nLoadCredential=%s\n' \
    web.yml:/etc/vigie/web.yml web.crt:/etc/vigie/web.crt web.key:/etc/vigie/web.key | drop_in web
inside /usr/bin/vigie check --config /etc/vigie/vigie.toml >"$home/check" 2>&1 || failed "vigie check: $(cat "$home/check")"
contains "$(cat "$home/check")" "TLS: yes"
inside systemctl restart vigie.service
is "the status with TLS" "listening on https://127.0.0.1:9980" "$(property StatusText)"
inside systemctl reload vigie.service
curl --silent --fail --cacert "$root/etc/vigie/web.crt" https://127.0.0.1:9980/-/healthy >/dev/null ||
    failed "the page is not spoken with over TLS"
lacks "$(said_last)" WARN ERROR
cp "$home/vigie.toml" "$root/etc/vigie/vigie.toml"
rm "$root/etc/systemd/system/vigie.service.d/web.conf" "$root"/etc/vigie/web.*
inside systemctl daemon-reload
inside systemctl restart vigie.service
wait_for "polls without TLS" polls_of renamed
passed "with TLS of root's files it is reloaded, too"

is "the watch over the key" active "$(property ActiveState vigie-key.path)"
# Each time that it was given what is in the file.
given() { journal --unit=vigie-key.service | grep --count '^Finished'; }
invocation=$(property InvocationID)
before=$(given)
admin rotate "${place[@]}" --out /etc/vigie/credentials --grace 10s
wait_for "the service to start anew" changed InvocationID "$invocation"
wait_for "polls with the new key" polls_of renamed
lacks "$(said_last)" WARN ERROR
is "the restarts for one new key" 1 "$(($(given) - before))"
passed "a new key is given to it, once"

inside systemctl stop vigie.service
is "the end" "inactive success 0" "$(property ActiveState) $(property Result) $(property ExecMainStatus)"
passed "it ends when told to"

# As the unit's comment says.
sed -n 's/^#   //p' "$root/usr/lib/systemd/system/vigie.service" | sed '/VIGIE_CREDENTIALS_FILE/q' |
    sed 's,VIGIE_PROVIDER=,VIGIE_ENDPOINT_URL=http://127.0.0.1:9000 &,' | drop_in flags
inside systemctl start vigie.service
wait_for "polls without a settings file" polls_of default
passed "one account without a settings file is watched too"
inside systemctl stop vigie.service
summary
