#!/usr/bin/env bash
# Builds the images of the sandbox's Docker mode from Debian packages: no registry is asked for anything.
#
#   images/sandbox/build.sh [python] [node]        # or, without sources: edgecoder sandbox images build
#
# Each is a minimal Debian, the packages of its list here, and `edgecoder-box`, the first process of every container,
# linked statically so that it runs in any image. Needs debootstrap, a running dockerd and root (or sudo).
# DEBIAN_SUITE, DEBIAN_MIRROR and DOCKER_HOST may be set, and EDGECODER_BOX to a static box that is built already. Prints the identity of each image, which is what the
# setting `sandbox.docker_image` may name to pin it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
suite=${DEBIAN_SUITE:-bookworm}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
# What node and box say to each other; a node refuses images of another one.
protocol=1
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

fail() { echo "sandbox-images: $*" >&2; exit 1; }

given=${EDGECODER_BOX:-}
for program in debootstrap docker; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || fail "needs $program (Debian: apt install debootstrap docker.io)"
done
docker version >/dev/null 2>&1 || fail "no dockerd answers at ${DOCKER_HOST:-unix:///var/run/docker.sock}"

scratch=$(mktemp -d)
trap '"${as_root[@]}" rm -rf --one-file-system "$scratch"' EXIT

is_static() { ldd "$1" 2>&1 | grep -q 'statically linked\|not a dynamic'; }

build_box() {
  local target
  if [ -n "$given" ] && is_static "$given"; then
    echo "==> taking $given" >&2
    cp "$given" "$scratch/edgecoder-box"
    return
  fi
  [ -f "$root/Cargo.toml" ] && command -v cargo >/dev/null \
    || fail "needs a static edgecoder-box beside edgecoder; in a checkout of the sources, make sandbox-images builds it"
  target=$(rustc -vV | sed -n 's/^host: //p')
  echo "==> building edgecoder-box, static" >&2
  # A target of its own keeps the flags from build scripts, and this build from the usual one.
  RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --quiet --manifest-path "$root/Cargo.toml" \
    --release --target "$target" --target-dir "${CARGO_TARGET_DIR:-$root/target}/box" \
    -p edgecoder-sandbox --bin edgecoder-box
  cp "${CARGO_TARGET_DIR:-$root/target}/box/$target/release/edgecoder-box" "$scratch/edgecoder-box"
  is_static "$scratch/edgecoder-box" || fail "edgecoder-box is not static"
}

# By apt, which unlike debootstrap knows alternatives; with this machine's way to the network.
install_packages() {
  local tree=$1 apt=(env DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -qq)
  "${as_root[@]}" cp /etc/resolv.conf "$tree/etc/resolv.conf"
  # Nothing is started in a tree that is not a machine.
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$tree/usr/sbin/policy-rc.d" >/dev/null
  "${as_root[@]}" chmod 0755 "$tree/usr/sbin/policy-rc.d"
  "${as_root[@]}" "${apt[@]}" update
  # shellcheck disable=SC2086 # a list of names
  "${as_root[@]}" "${apt[@]}" install --yes --no-install-recommends $2
  "${as_root[@]}" rm "$tree/usr/sbin/policy-rc.d"
}

# What nobody needs in a container that lives for one command, and what tells its payload about accounts.
strip_tree() {
  local tree=$1
  "${as_root[@]}" rm -rf "$tree"/{boot,home,media,mnt,opt,root,srv,var/cache/apt,var/lib/apt/lists,var/log,debootstrap} \
    "$tree"/usr/share/{doc,info,locale,lintian,man} "$tree"/{run,tmp}
  "${as_root[@]}" rm -f "$tree"/etc/{shadow,shadow-,gshadow,gshadow-,passwd-,group-,machine-id,hostname,resolv.conf} "$tree"/.dockerenv
  "${as_root[@]}" mkdir -m 0755 "$tree/job"
  "${as_root[@]}" mkdir -m 1777 "$tree/tmp"
}

build_image() {
  local name=$1 tree="$scratch/$1" packages id
  packages=$(sed 's/#.*//' "$here/$name.packages" | xargs)
  echo "==> $name: Debian $suite with $packages" >&2
  { "${as_root[@]}" debootstrap --variant=minbase "$suite" "$tree" "$mirror" && install_packages "$tree" "$packages"; } \
    >"$scratch/$name.log" 2>&1 || { tail -20 "$scratch/$name.log" >&2; fail "the packages could not be installed"; }
  strip_tree "$tree"
  "${as_root[@]}" install -D -m 0755 "$scratch/edgecoder-box" "$tree/usr/lib/edgecoder/edgecoder-box"
  # Sorted, with one time and without owners' names: the same packages and box give the same layer.
  id=$("${as_root[@]}" tar --create --directory "$tree" --sort=name --mtime=@0 --numeric-owner --one-file-system . \
    | docker import \
      --change "LABEL edgecoder.box.protocol=$protocol" \
      --change "LABEL edgecoder.sandbox.suite=$suite" \
      --change 'ENTRYPOINT ["/usr/lib/edgecoder/edgecoder-box"]' \
      --change 'WORKDIR /job' --change 'USER 65534:65534' \
      --message "edgecoder sandbox, $name" - "edgecoder/sandbox-$name:latest")
  echo "edgecoder/sandbox-$name:latest $id"
  "${as_root[@]}" rm -rf --one-file-system "$tree"
}

[ $# -gt 0 ] || set -- python node
for name in "$@"; do [ -f "$here/$name.packages" ] || fail "there is no list $here/$name.packages"; done
build_box
for name in "$@"; do build_image "$name"; done
