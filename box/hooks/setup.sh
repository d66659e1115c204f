#!/bin/bash
# Before anything is installed: the lab's own files for the guest, so that apt and dpkg already obey them.
# setup.sh ROOT OVERLAY...
set -euo pipefail
umask 022
root=$1
shift
for overlay in "$@"; do
  cp -R --no-preserve=mode "$overlay/." "$root/"
done
