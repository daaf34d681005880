# A systemd of this machine, started below $root, and a cloud for what it runs. Sourced; $home is for what they say.

# boot: start it, with nothing of what this machine starts by itself.
boot() {
    rm -rf "$root"/etc/systemd/system/*.wants
    : >"$root/etc/machine-id"
    # Its processes need a control group of their own to be put into.
    local mounts
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
    local hierarchy
    for hierarchy in "${hierarchies[@]}"; do mkdir "$hierarchy/$group"; done
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
    wait_for "systemd to be up" booted
    passed "$(inside systemctl --version | head -1) is up"
}

booted() { pgrep --parent "$init" >"$home/pid" && inside systemctl is-active --quiet basic.target; }

# What of a test that failed may explain it, then the end of all that was started.
clean() {
    [ $? -eq 0 ] || journal --lines=40 2>/dev/null || cat "$home/boot"
    {
        kill -KILL "$init"
        wait "$init"
    } 2>/dev/null || true
    local hierarchy
    for hierarchy in "${hierarchies[@]}"; do
        # The kernel takes a moment to let go of the processes.
        for _ in {1..20}; do
            [ ! -d "$hierarchy/$group" ] || find "$hierarchy/$group" -depth -type d -exec rmdir {} + 2>/dev/null ||
                sleep 0.1
        done
    done
}

# inside COMMAND…: where that systemd is.
inside() {
    nsenter --target "$(<"$home/pid")" --mount --pid --cgroup --root --wd=/ \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_PAGER= DEBIAN_FRONTEND=noninteractive "$@"
}
property() { inside systemctl show --value --property="$1" "${2:-vigie.service}"; }
changed() { [ "$(property "$1")" != "$2" ]; }
journal() { inside journalctl --sync && inside journalctl --no-pager --output=cat "$@"; }
said_last() { journal --unit=vigie.service "_SYSTEMD_INVOCATION_ID=$(property InvocationID)"; }

# cloud: one with keys, outside of that systemd.
cloud() {
    "$root/usr/bin/vigie" demo --cloud-only --still --cloud-listen 127.0.0.1:9000 2>"$home/cloud" &
    wait_for "the cloud" grep --quiet Ctrl-C "$home/cloud"
}
place=(--provider outscale --region eu-west-2 --endpoint-url http://127.0.0.1:9000)
account='
[[account]]
name = "prod"
provider = "outscale"
regions = ["eu-west-2"]
credentials_file = "credentials"
requests_per_second = 100
endpoints = { ec2 = "http://127.0.0.1:9000", elb = "http://127.0.0.1:9000", iam = "http://127.0.0.1:9000" }'

# admin COMMAND…: vigie as somebody on the machine who has the cloud's other key, not in the service.
admin() {
    local key
    read -r -a key <<<"$(sed -n 's/.* export \(OSC_ACCESS_KEY=.*\)/\1/p' "$home/cloud" | sed -n 2p)"
    env -i PATH="$PATH" "${key[@]}" chroot "$root" /usr/bin/vigie "$@" >"$home/admin" 2>&1 ||
        failed "vigie $1: $(cat "$home/admin")"
}

metrics() { curl --silent --fail http://127.0.0.1:9980/metrics; }
# polls_of ACCOUNT: its polls succeed.
polls_of() {
    [[ $(metrics) == *"vigie_poll_success{account=\"$1\",kind=\"load_balancers\",region=\"eu-west-2\"} 1"* ]]
}
