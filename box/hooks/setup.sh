#!/bin/bash
# Runs before any package is installed: copies the lab's files for the guest, so that apt and dpkg already use them.
# setup.sh ROOT OVERLAY...
set -euo pipefail
umask 022
root=$1
shift
for overlay in "$@"; do
  cp -R --no-preserve=mode "$overlay/." "$root/"
done
