#!/usr/bin/env bash
# Judge the unit with systemd's own tools, then let a systemd of this machine run it, in a file system and namespaces that
# are thrown away: test.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/checks.sh
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

# A cloud, and keys for it.
"$root/usr/bin/vigie" demo --cloud-only --still --cloud-listen 127.0.0.1:9000 2>"$home/cloud" &
wait_for "the cloud" grep --quiet Ctrl-C "$home/cloud"
export_of() { sed -n 's/.* export \(OSC_ACCESS_KEY=.*\)/\1/p' "$home/cloud" | sed -n "$1p"; }
place=(--provider outscale --region eu-west-2 --endpoint-url http://127.0.0.1:9000)
# An admin on the machine, not in the service.
admin() {
    local key
    read -r -a key <<<"$(export_of 2)"
    env -i PATH="$PATH" "${key[@]}" chroot "$root" /usr/bin/vigie "$@"
}
account='[[account]]
name = "prod"
provider = "outscale"
regions = ["eu-west-2"]
credentials_file = "credentials"
requests_per_second = 100
endpoints = { ec2 = "http://127.0.0.1:9000", elb = "http://127.0.0.1:9000", iam = "http://127.0.0.1:9000" }'

# Nothing that this machine starts by itself.
rm -rf "$root"/etc/systemd/system/*.wants
: >"$root/etc/machine-id"

# Its processes need a control group of their own to be put into.
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
if [ "$(stat --file-system --format=%T /sys/fs/cgroup)" = cgroup2fs ]; then
    hierarchies=(/sys/fs/cgroup)
    mounts='mount -t cgroup2 cgroup2 sys/fs/cgroup'
else
    hierarchies=(/sys/fs/cgroup/systemd /sys/fs/cgroup/unified)
    mounts='mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified &&
        mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd &&
        mount -t cgroup2 cgroup2 sys/fs/cgroup/unified'
fi
group=vigie-test-$RANDOM$RANDOM
for hierarchy in "${hierarchies[@]}"; do mkdir "$hierarchy/$group"; done
clean() {
    [ $? -eq 0 ] || journal --lines=40 2>/dev/null || cat "$home/boot"
    if [ -n "${init:-}" ]; then
        kill -KILL "$init"
        wait "$init"
    fi 2>/dev/null || true
    for hierarchy in "${hierarchies[@]}"; do
        # The kernel takes a moment to let go of the processes.
        for _ in {1..20}; do
            [ ! -d "$hierarchy/$group" ] || find "$hierarchy/$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
        done
    done
}
trap clean EXIT

(
    for hierarchy in "${hierarchies[@]}"; do echo "$BASHPID" >"$hierarchy/$group/cgroup.procs"; done
    cd "$root"
    # Not a mere chroot, in which PrivateUsers= could not make a user namespace.
    exec unshare --mount --pid --cgroup --fork --kill-child bash -c "$mounts && mount -t proc proc proc &&
        pivot_root . . && umount --lazy . && mount --make-rshared / &&
        exec env -i container=vigie-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=basic.target --show-status=0 --log-target=journal"
) >"$home/boot" 2>&1 &
init=$!
# inside COMMAND…: where that systemd is.
inside() { nsenter --target "$(<"$home/pid")" --mount --pid --cgroup --root --wd=/ env -i PATH=/usr/bin:/bin SYSTEMD_PAGER= "$@"; }
booted() { pgrep --parent "$init" >"$home/pid" && inside systemctl is-active --quiet basic.target; }
wait_for "systemd to be up" booted
passed "$(inside systemctl --version | head -1) is up"

property() { inside systemctl show --value --property="$1" "${2:-vigie.service}"; }
journal() { inside journalctl --sync && inside journalctl --no-pager --output=cat "$@"; }
said_last() { journal --unit=vigie.service "_SYSTEMD_INVOCATION_ID=$(property InvocationID)"; }
metrics() { curl --silent --fail http://127.0.0.1:9980/metrics; }
polls_of() { [[ $(metrics) == *"vigie_poll_success{account=\"$1\",kind=\"load_balancers\",region=\"eu-west-2\"} 1"* ]]; }
drop_in() { mkdir -p "$root/etc/systemd/system/vigie.service.d" && cat >"$root/etc/systemd/system/vigie.service.d/$1.conf" && inside systemctl daemon-reload; }

# Nothing is there yet.
inside systemctl enable --quiet vigie.service vigie-key.path
inside systemctl start vigie.service
is "the state without a key" "inactive success" "$(property ActiveState) $(property Result)"
passed "without a key it is skipped, not failed"

admin bootstrap "${place[@]}" --out /etc/vigie/credentials >"$home/bootstrap" 2>&1 || failed "$(cat "$home/bootstrap")"
is "the key's mode" "600 root" "$(stat --format='%a %U' "$root/etc/vigie/credentials")"
ends 1 inside systemctl start vigie.service
is "the end without an account" "exit-code 64 0" "$(property Result) $(property ExecMainStatus) $(property NRestarts)"
contains "$(said_last)" "/etc/vigie/vigie.toml" "account"
passed "without an account it fails once and says: $(said_last | grep 'vigie: ')"

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
changed() { [ "$(property "$1")" != "$2" ]; }
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
inside systemctl reload vigie.service
hung_up() { [[ $(said_last) == *SIGHUP* ]]; }
wait_for "SIGHUP to be seen" hung_up
is "the process after a reload" "$pid active" "$(property MainPID) $(property ActiveState)"
passed "it is reloaded"
cp "$root/etc/vigie/vigie.toml" "$home/vigie.toml"
echo 'intervall = "60s"' >>"$root/etc/vigie/vigie.toml"
ends 1 inside systemctl reload vigie.service
contains "$(said_last)" "intervall" "interval"
is "the process after a bad reload" "$pid active" "$(property MainPID) $(property ActiveState)"
polls_of prod || failed "settings that are no good took the page away"
cp "$home/vigie.toml" "$root/etc/vigie/vigie.toml"
passed "settings that are no good fail the reload, and change nothing"

is "the watch over the key" active "$(property ActiveState vigie-key.path)"
invocation=$(property InvocationID)
admin rotate "${place[@]}" --out /etc/vigie/credentials --grace 10s >"$home/rotate" 2>&1 || failed "$(cat "$home/rotate")"
wait_for "the service to start anew" changed InvocationID "$invocation"
wait_for "polls with the new key" polls_of prod
lacks "$(said_last)" WARN ERROR
passed "a new key is given to it"

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
