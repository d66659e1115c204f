# The programs of a simulated node, as functions of its shell: no process has to start for each statement of a test.
# shellcheck shell=bash
# The simulation gets the words and the standard input, and answers lines: 1 output, 2 error output, x exit code.
simulated() {
  local wire line sender=
  exec {wire}<> "/dev/tcp/127.0.0.1/$SIMULATION_PORT" || return 1
  printf '%s\0' "$SIMULATED_NODE" "$$" "$@" '' >&"$wire"
  case "$*" in
    mysql*" -e "* | mysqlbinlog*) ;;
    mysql*--unbuffered*)
      { while IFS= builtin read -r line; do printf '%s\n' "$line"; done; printf '\0'; } <&0 >&"$wire" 2> /dev/null &
      sender=$! ;;
    mysql*)
      IFS= builtin read -rd '' line
      trap '' PIPE # an error may have come already
      { printf '%s\0' "$line" >&"$wire"; } 2> /dev/null
      trap - PIPE ;;
  esac
  while IFS= builtin read -r line <&"$wire"; do
    case ${line:0:1} in
      1) printf '%s\n' "${line:1}" ;;
      2) printf '%s\n' "${line:1}" >&2 ;;
      x) break ;;
    esac
  done
  exec {wire}>&-
  [[ $sender ]] && kill "$sender" 2> /dev/null
  [[ ${line:0:1} == x ]] && return "${line:1}"
  echo "ERROR 2013 (HY000): Lost connection to MySQL server" >&2
  return 1
}
mysql() { simulated mysql "$@"; }
systemctl() { simulated systemctl "$@"; }
ss() { simulated ss "$@"; }
df() { simulated df "$@"; }
mysqlbinlog() { simulated mysqlbinlog "$@"; }
timeout() {
  if [[ $2 == bash ]]; then simulated "${@:2}"; else "${@:2}"; fi
}
