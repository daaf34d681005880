# What the deliveries' tests say and how they wait. Sourced; the first check that fails ends the test.

checks=0

# A line on what holds now.
passed() {
    checks=$((checks + 1))
    echo "ok - $*"
}

failed() {
    echo "FAILED - $*" >&2
    exit 1
}

# contains TEXT WORDS…: each of the words is in the text.
contains() {
    local text=$1 words
    shift
    for words in "$@"; do
        [[ $text == *"$words"* ]] || failed "not said: $words"$'\n'"$text"
    done
}

# lacks TEXT WORDS…: none is.
lacks() {
    local text=$1 words
    shift
    for words in "$@"; do
        [[ $text != *"$words"* ]] || failed "said: $words"$'\n'"$text"
    done
}

# is WHAT WANTED FOUND
is() {
    [ "$2" = "$3" ] || failed "$1 is $3, not $2"
}

# wait_for WHAT COMMAND…: until the command succeeds. What is waited for takes a second; the deadline is for slow machines.
wait_for() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 300; tries++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    failed "waited in vain for $what"
}

# ends WANTED COMMAND…: the command ends with this code; what it said is in $said.
ends() {
    local wanted=$1 code=0
    shift
    said=$("$@" 2>&1) || code=$?
    [ "$code" = "$wanted" ] || failed "exit code $code, not $wanted, of $*"$'\n'"$said"
}

# The closing line that test runners have.
summary() {
    echo "$checks passed, 0 failed"
}

# A test starts anew in namespaces of its own: what it mounts, starts and listens on is gone with it.
alone() {
    [ -z "${ALONE:-}" ] || return 0
    [ "$(id -u)" -eq 0 ] || failed "this test mounts file systems: run it as root, as \`sudo make test-deploy\`"
    ALONE=1 exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc "$0" "$@"
}

# throwaway FOLDER: this machine's files once more below FOLDER/root; what is written there is gone with the test.
throwaway() {
    local folder=$1
    mount -t tmpfs tmpfs "$folder"
    mkdir "$folder"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" ||
        failed "this test needs overlay file systems, which this kernel or container does not let it mount"
    mount --make-rshared "$folder/root"
    mount -t proc proc "$folder/root/proc"
    mount -t sysfs -o ro sysfs "$folder/root/sys"
    mount -t tmpfs -o mode=755 run "$folder/root/run"
    mount -t tmpfs -o mode=755 dev "$folder/root/dev"
    mkdir "$folder"/root/dev/{shm,pts,mqueue,hugepages}
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$folder/root/dev/pts"
    ln -s pts/ptmx "$folder/root/dev/ptmx"
    ln -s /proc/self/fd "$folder/root/dev/fd"
    local device
    for device in null zero full random urandom tty; do
        touch "$folder/root/dev/$device"
        mount --bind "/dev/$device" "$folder/root/dev/$device"
    done
}
