#!/bin/bash
# Runs when all packages are installed: creates the vagrant user, configures ssh, and masks units that no node needs.
# customize.sh ROOT PUBLIC_KEY
set -euo pipefail
umask 022
root=$1
public_key=$2

vagrant_user() {
  # '*' and not '!': without PAM, sshd refuses an account that is locked.
  chroot "$root" useradd --create-home --shell /bin/bash --password '*' vagrant
  install -d -m 700 "$root/home/vagrant/.ssh"
  install -m 600 "$public_key" "$root/home/vagrant/.ssh/authorized_keys"
  chroot "$root" chown -R vagrant:vagrant /home/vagrant
  chmod 440 "$root/etc/sudoers.d/vagrant"
}

ssh_server() {
  # Newer servers penalise an address that connects without a login; all of the lab's connections share one address.
  local penalties=$root/etc/ssh/sshd_config.d/20-penalties.conf
  echo 'PerSourcePenalties no' >"$penalties"
  mkdir -p "$root/run/sshd"
  chroot "$root" sshd -t 2>/dev/null || rm "$penalties"
  chroot "$root" systemctl disable --quiet ssh.socket sshd-keygen.service || true
  chroot "$root" systemctl enable --quiet ssh.service weblab-hostkey.service
}

network() {
  echo box >"$root/etc/hostname"
  rm -f "$root/etc/resolv.conf"
  : >"$root/etc/resolv.conf"
  chroot "$root" systemctl enable --quiet systemd-networkd.service weblab-resolver.path
}

# The roles enable the services that a node needs.
disable_servers() {
  local unit
  for unit in mysql nginx haproxy dnsmasq $(cd "$root/usr/lib/systemd/system" && compgen -G 'php*-fpm.service'); do
    chroot "$root" systemctl disable --quiet "$unit" 2>/dev/null || true
  done
}

mask_units() {
  local unit
  while read -r unit; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done < <(sed 's/ *#.*//; /^$/d' "$(dirname "$0")/masked-units")
}

# Each generator is a program that runs before any unit; only the one for the serial console is needed here.
mask_generators() {
  local generator
  mkdir -p "$root/etc/systemd/system-generators"
  for generator in "$root"/usr/lib/systemd/system-generators/*; do
    [ "${generator##*/}" = systemd-getty-generator ] && continue
    ln -sf /dev/null "$root/etc/systemd/system-generators/${generator##*/}"
  done
}

vagrant_user
ssh_server
network
disable_servers
mask_units
mask_generators
