#!/bin/bash
# Runs last: copies kernel and initrd out of the tree, and removes what two machines must not share.
# seal.sh ROOT BOOT_DIRECTORY keep-lists|drop-lists
set -euo pipefail
umask 022
root=$1
boot=$2
lists=$3
here=$(dirname "$0")

# A kernel module, uncompressed: the initrd's insmod cannot read compressed ones.
plain_module() {
  case $1 in
    *.xz) xz --decompress --stdout "$1" ;;
    *.zst) zstd --quiet --decompress --stdout "$1" ;;
    *) cat "$1" ;;
  esac
}

initrd() {
  local tree=$root/tmp/initrd version=$1 number=10 module
  mkdir -p "$tree"/{bin,dev,modules,root}
  cp "$here/init" "$tree/init"
  chmod 755 "$tree/init"
  cp "$root/bin/busybox" "$tree/bin/busybox"
  ln -s busybox "$tree/bin/sh"
  while read -r module; do
    plain_module "$root$module" >"$tree/modules/$number-$(basename "${module%%.ko*}").ko"
    number=$((number + 1))
  done < <(disk_modules "$version")
  chroot "$root" sh -c 'cd /tmp/initrd && find . | cpio --quiet --create --format=newc' >"$boot/initrd"
  rm -r "$tree"
}

# The modules in the order in which they load; modprobe prints no file for one that is built into the kernel.
disk_modules() {
  local name
  for name in virtio_pci virtio_blk ext4; do
    chroot "$root" modprobe --show-depends --set-version "$1" "$name"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

machine_secrets() {
  rm -f "$root"/etc/ssh/ssh_host_*_key* "$root/var/lib/mysql/auto.cnf" "$root"/var/lib/systemd/random-seed
  : >"$root/etc/machine-id"
  rm -f "$root/var/lib/dbus/machine-id"
}

leftovers() {
  rm -f "$root"/boot/vmlinuz* "$root"/boot/System.map* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
  if [ "$lists" = keep-lists ]; then
    chroot "$root" apt-cache --quiet gencaches
  else
    find "$root/var/lib/apt/lists" -type f -delete
  fi
  find "$root/var/log" -type f -exec truncate --size 0 {} +
  touch "$root/etc/.updated" "$root/var/.updated"
}

version=$(basename "$root"/lib/modules/*)
cp "$root/boot/vmlinuz-$version" "$boot/vmlinuz"
initrd "$version"
machine_secrets
leftovers
