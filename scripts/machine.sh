#!/usr/bin/env bash
# Runs a command in a virtual machine with Debian's own kernel and cgroup version 2: as root or, after --ordinary, as a
# user who owns nothing but a group. The machine is emulated, so it needs no support by the processor and is slow. It sees
# /usr, /etc and this repository, read-only, and no network; where the command is started it runs, and its status is ours.
#
#   scripts/machine.sh [--ordinary] COMMAND…
#
# Needs root, and Debian's qemu-system-x86 and busybox-static. The kernel is unpacked below target/ and never installed.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
place=$repository/target/machine
ordinary=
[ "$1" != --ordinary ] || { ordinary=65534; shift; }
modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk fuse virtiofs overlay)

for need in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static; do
  command -v "${need%:*}" >/dev/null || { echo "machine: apt-get install ${need#*:}" >&2; exit 1; }
done
if [ ! -e "$place/boot" ]; then
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2 }')
  mkdir -p "$place"
  (cd "$place" && apt-get -qq download "$package" && dpkg-deb -x "$package"_*.deb . && rm "$package"_*.deb)
fi

# The machine's tree is mounted in a namespace that ends with this script.
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare --mount "$0" ${ordinary:+--ordinary} "$@"
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
trap 'kill $(jobs -p) 2>/dev/null || true; wait; umount --recursive "$work"; rmdir "$work"' EXIT

lay_tree() {
  mkdir -p "$work"/tree/{dev,proc,sys,tmp,run,root}
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$work/tree/$link"; done
  for folder in /usr /etc "$repository"; do
    mkdir -p "$work/tree$folder"
    mount --bind "$folder" "$work/tree$folder"
    mount -o remount,bind,ro "$work/tree$folder"
  done
}

# Runs when the tree is there.
second() {
  cat <<'SCRIPT'
ip link set lo up
groups=/sys/fs/cgroup
mount -t cgroup2 groups $groups
echo "+cpu +memory +pids" >$groups/cgroup.subtree_control
export HOME=/tmp TMPDIR=/tmp PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
SCRIPT
  if [ -n "$ordinary" ]; then
    cat <<SCRIPT
mkdir -p \$groups/own/shell
chown -R $ordinary:$ordinary \$groups/own
echo "+cpu +memory +pids" >\$groups/own/cgroup.subtree_control
echo \$\$ >\$groups/own/shell/cgroup.procs
SCRIPT
  fi
  printf 'cd %q\n' "$PWD"
  printf '%q ' ${ordinary:+setpriv --reuid "$ordinary" --regid "$ordinary" --clear-groups} "$@"
  printf '\necho "machine: ended with $?"\necho o >/proc/sysrq-trigger\nsleep 60\n'
}

first() {
  cat <<SCRIPT
#!/bin/busybox sh
for module in ${modules[*]}; do /bin/busybox insmod /\$module.ko; done
/bin/busybox mount -t devtmpfs devices /dev
/bin/busybox mount -t virtiofs -o ro tree /new
/bin/busybox mount -t tmpfs tmpfs /new/run
/bin/busybox mount -t ext4 /dev/vda /new/tmp
/bin/busybox chmod 1777 /new/tmp
/bin/busybox mount -t devtmpfs devices /new/dev
/bin/busybox mount -t proc proc /new/proc
/bin/busybox mount -t sysfs system /new/sys
/bin/busybox cp /second /new/run/second
exec /bin/busybox switch_root /new /bin/bash /run/second
SCRIPT
}

lay_tree
mkdir -p "$work"/first/{bin,dev,new}
cp "$(command -v busybox)" "$work/first/bin/"
for module in "${modules[@]}"; do find "$place/lib/modules" -name "$module.ko" -exec cp {} "$work/first/" \;; done
second "$@" >"$work/first/second"
first >"$work/first/init"
chmod 755 "$work/first/init"
(cd "$work/first" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/first.cpio"

truncate -s 2G "$work/disk"
mke2fs -q -t ext4 "$work/disk"
/usr/lib/qemu/virtiofsd --socket-path="$work/files" -o source="$work/tree" -o cache=always 2>"$work/complaints" &
until [ -S "$work/files" ]; do kill -0 $! || { cat "$work/complaints" >&2; exit 1; }; sleep 0.1; done
qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G -nodefaults -display none -serial stdio -no-reboot \
  -object memory-backend-memfd,id=memory,size=3G,share=on -numa node,memdev=memory \
  -drive "file=$work/disk,format=raw,if=virtio" \
  -chardev "socket,id=files,path=$work/files" -device vhost-user-fs-pci,chardev=files,tag=tree \
  -kernel "$place"/boot/vmlinuz-* -initrd "$work/first.cpio" -append 'console=ttyS0 loglevel=1 panic=-1' \
  </dev/null | tee "$work/said"
status=$(sed -n 's/^machine: ended with \([0-9]*\).*/\1/p' "$work/said" | tail -1)
exit "${status:-1}"
