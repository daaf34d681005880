#!/usr/bin/env bash
# Install, upgrade, remove and purge the package with this machine's dpkg, where a systemd runs, in a file system and
# namespaces that are thrown away: test.sh PACKAGE
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/checks.sh
. deploy/systemd/boot.sh
alone "$@"
ip link set lo up

home=$(mktemp -d)
throwaway "$home"
root=$home/root
# As on a machine that never had it, and, unlike those made into images, starts what it installs.
rm -rf "$root/etc/vigie" "$root/usr/sbin/policy-rc.d"
mkdir "$root/packages"
cp "$1" "$root/packages/first.deb"
# The next version, which has something new to say about settings.
dpkg-deb --raw-extract "$1" "$home/next"
sed -i 's/^Version: .*/Version: 99.0.0-1/' "$home/next/DEBIAN/control"
echo '# shard = "0/1"' >>"$home/next/etc/vigie/vigie.toml"
dpkg-deb -Znone --build "$home/next" "$root/packages/next.deb" >/dev/null

what_is() { inside dpkg-query --show --showformat='${db:Status-Status} ${Version}' vigie; }
enabled() { inside systemctl is-enabled "$@" | tr '\n' ' '; }
# Nobody is there to be asked; settings that were changed are kept, as apt's users have it.
dpkg() { inside dpkg --force-confdef --force-confold "$@" </dev/null >"$home/dpkg" 2>&1 || failed "dpkg $*: $(cat "$home/dpkg")"; }

boot
version=$(dpkg-deb --field "$1" Version)
before=$(cd "$root" && find etc usr var/lib/systemd -path 'etc/ld.so.cache' -prune -o -print | sort)
dpkg --install /packages/first.deb
is "the package" "installed $version" "$(what_is)"
is "its units" "enabled enabled " "$(enabled vigie.service vigie-key.path)"
is "the state without a key" "inactive success" "$(property ActiveState) $(property Result)"
is "the modes" "755 root:root 755 root:root 644 root:root " \
    "$(stat --format='%a %U:%G' "$root"/usr/bin/vigie "$root"/etc/vigie "$root"/etc/vigie/vigie.toml | tr '\n' ' ')"
is "the difference from what was packed" "" "$(inside dpkg --verify vigie)"
contains "$(inside vigie --version)" "vigie ${version%-*}"
passed "$(basename "$1") is installed and enabled; without a key it is not started"

# What a package owes beside the program. A system may be set to unpack no documents: they are looked for in the package.
share=$home/next/usr/share
contains "$(gzip -dc "$share/man/man1/vigie.1.gz")" "vigie" "bootstrap"
is "the commands without a manual page" "" "$(inside vigie help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
    while read -r command; do
        [ "$command" = help ] || [ -s "$share/man/man1/vigie-$command.1.gz" ] || echo "$command"
    done)"
contains "$(bash -c '. "$1" && complete -p vigie' - "$share/bash-completion/completions/vigie")" "_vigie vigie"
contains "$(head -1 "$share/zsh/vendor-completions/_vigie")" "#compdef vigie"
contains "$(cat "$share/fish/vendor_completions.d/vigie.fish")" "complete -c vigie"
is "the rules" "$(cat deploy/prometheus/rules/*.yml | sha256sum)" \
    "$(cat "$share/doc/vigie/deploy/prometheus/rules/"*.yml | sha256sum)"
contains "$(cat "$share/doc/vigie/vigie.cdx.json")" '"bomFormat": "CycloneDX"' "pkg:cargo/vigie@${version%-*}"
passed "it brings manual pages, completions, rules and the list of what is in the binary"
noticed=$(python3 deploy/supply/noticed.py "$share/doc/vigie/vigie.cdx.json" "$share/doc/vigie/THIRD-PARTY-NOTICES.txt") ||
    failed "$noticed"
passed "$noticed"

# Settings nobody changed follow the package.
dpkg --install /packages/next.deb
contains "$(cat "$root/etc/vigie/vigie.toml")" 'shard = "0/1"'
dpkg --install /packages/first.deb
lacks "$(cat "$root/etc/vigie/vigie.toml")" shard
passed "settings that nobody changed follow the package"

cloud
admin bootstrap "${place[@]}" --out /etc/vigie/credentials
echo "$account" >>"$root/etc/vigie/vigie.toml"
inside systemctl start vigie.service
wait_for "the first polls" polls_of prod
passed "with a key and an account it runs"
settings=$(sha256sum <"$root/etc/vigie/vigie.toml")
key=$(sha256sum <"$root/etc/vigie/credentials")
invocation=$(property InvocationID)
dpkg --install /packages/next.deb
is "the package" "installed 99.0.0-1" "$(what_is)"
is "the settings" "$settings" "$(sha256sum <"$root/etc/vigie/vigie.toml")"
is "the key" "$key $(printf '600 root')" \
    "$(sha256sum <"$root/etc/vigie/credentials") $(stat --format='%a %U' "$root/etc/vigie/credentials")"
contains "$(cat "$root/etc/vigie/vigie.toml.dpkg-dist")" 'shard = "0/1"'
changed InvocationID "$invocation" || failed "the service was not started anew"
wait_for "polls after the upgrade" polls_of prod
passed "an upgrade keeps the admin's settings and the key, and starts the service anew"

inside systemctl disable --quiet vigie.service
dpkg --install /packages/first.deb
is "what was disabled" "disabled " "$(enabled vigie.service || true)"
passed "what the admin disabled stays disabled"

dpkg --remove vigie
is "the package" "config-files $version" "$(what_is)"
is "the state" inactive "$(property ActiveState)"
[ ! -e "$root/usr/bin/vigie" ] || failed "the binary is still there"
is "the settings" "$settings" "$(sha256sum <"$root/etc/vigie/vigie.toml")"
passed "a removal stops it and keeps settings and key"

dpkg --purge vigie
after=$(cd "$root" && find etc usr var/lib/systemd -path 'etc/ld.so.cache' -prune -o -print | sort)
is "what is left after a purge" "etc/vigie etc/vigie/credentials " \
    "$(comm -13 <(echo "$before") <(echo "$after") | tr '\n' ' ')"
passed "a purge leaves nothing but the key, which the cloud still takes"
summary
