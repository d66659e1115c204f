#!/bin/bash
# Stands for mysql and other programs of a node: the simulation gets its words and its standard input, and says what it
# writes and how it exits. Bash starts faster than Python, and there is one such client for each statement of a test.
exec 3<> "/dev/tcp/127.0.0.1/$SIMULATION_PORT" || exit 1
printf '%s\0' "$SIMULATED_NODE" "${0##*/}" "$@" '' >&3
if [[ ${0##*/} == mysql ]]; then
  { while IFS= read -r line || [[ $line ]]; do printf '%s\n' "$line"; done; printf '\0'; } <&0 >&3 2> /dev/null &
fi
while IFS= read -r line <&3; do
  case ${line:0:1} in
    1) printf '%s\n' "${line:1}" || break ;;
    2) printf '%s\n' "${line:1}" >&2 ;;
    x) kill $! 2> /dev/null; exit "${line:1}" ;;
  esac
done
echo "ERROR 2013 (HY000): Lost connection to MySQL server" >&2
exit 1
