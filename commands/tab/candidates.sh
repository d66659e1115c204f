# shellcheck shell=bash
# What TAB offers after `invoke`: read by bash and by zsh (as sh). Only this shell reads files: a Python that starts
# for each TAB would be slower than a person types. The tables (_weblab_row, _weblab_values) are made by
# `invoke lab.completion`. Nothing here writes, and no message reaches the line that somebody types.

_WEBLAB_FILES=9 # the exit code that leaves a word to the shell's own completion of files

# _weblab_candidates WORD... PREFIX: one candidate a line for the last word, after the words before it.
_weblab_candidates() {
    [ -z "${ZSH_VERSION-}" ] || emulate -L sh
    [ -z "${BASH_VERSION-}" ] || shopt -u failglob nullglob dotglob nocaseglob nocasematch
    set +eu
    local IFS=' ' root="$PWD" row_words='' row_options='' command='' expects='' before='' typed=''
    _weblab_root || return "$_WEBLAB_FILES"
    _weblab_row ''
    while [ "$#" -gt 1 ]; do
        _weblab_take "$1" || return 0
        shift
    done
    typed=${1-}
    _weblab_offer
}

# The checkout that the shell stands in; other projects have an `invoke` too.
_weblab_root() {
    until [ -f "$root/lab.yml" ] && [ -f "$root/commands/tab/candidates.sh" ]; do
        [ -n "$root" ] || return 1
        root=${root%/*}
    done
}

# A whole word: the value of the option before it, an option, the next word of the command, or a command.
_weblab_take() {
    if [ -n "$expects" ]; then
        expects=''
        return
    fi
    case $1 in
        *=*) ;;
        -*) _weblab_kind "$1" ;;
        *)
            if [ -z "$row_words" ]; then
                _weblab_row "$1" && command=$1
                return
            fi
            # What the kind of a fault takes is known by its name.
            [ "$command $row_words" != "fault.inject kind node" ] || _weblab_row "$command $1"
            case $row_words in
                *' '*) row_words=${row_words#* } ;;
                *) row_words='' ;;
            esac
            ;;
    esac
}

# What follows an option, '' after a switch.
_weblab_kind() {
    local option=''
    expects=''
    for option in $row_options; do
        [ "${option%%=*}" != "$1" ] || [ "$option" = "$1" ] || expects=${option#*=}
    done
}

_weblab_offer() {
    case $typed in
        --*=*)
            before=${typed%%=*}=
            _weblab_kind "${typed%%=*}"
            typed=${typed#*=}
            ;;
    esac
    if [ -n "$expects" ]; then
        _weblab_of "$expects"
    elif [ -n "$row_words" ] && [ "${typed#-}" = "$typed" ]; then
        _weblab_of "${row_words%% *}"
    else
        _weblab_next
    fi
}

# The options; and commands, of which one line may have several.
_weblab_next() {
    local option=''
    if [ -n "$command" ] || [ "${typed#-}" != "$typed" ]; then
        for option in $row_options; do
            case $option in --*) _weblab_say "${option%%=*}" ;; esac
        done
    fi
    [ -n "$command" ] && [ -z "$typed" ] || _weblab_of command
}

_weblab_say() {
    case $1 in "$typed"*) printf '%s%s\n' "$before" "$1" ;; esac
}

# The names of one kind.
_weblab_of() {
    local row_values='' name=''
    case $1 in
        node) _weblab_nodes '' ;;
        node@*) _weblab_nodes "${1#node@}" ;;
        peer) _weblab_nodes '' && _weblab_say all ;;
        experiment) _weblab_experiments ;;
        experiments) _weblab_list ;;
        run) _weblab_runs ;;
        snapshot) _weblab_snapshots ;;
        file) return "$_WEBLAB_FILES" ;;
        *)
            _weblab_values "$1"
            for name in $row_values; do _weblab_say "$name"; done
            ;;
    esac
}

# The nodes of lab.yml, all or those with a role; a file with mistakes gives what can be read.
_weblab_nodes() {
    local line='' key='' lead='' indent='' inside='' node=''
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            nodes:*) inside=yes ;;
            [!\ \#]*) inside='' ;;
            ' '*:*)
                key=${line%%:*} lead=${line%%[! ]*}
                key=${key#"$lead"}
                indent=${indent:-$lead}
                [ -n "$inside" ] || continue
                if [ "$lead" = "$indent" ]; then
                    node=${key#[\"\']} node=${node%[\"\']}
                    [ -n "$1" ] || _weblab_node
                elif [ "$key" = roles ] && [ -n "$1" ]; then
                    case $line in *"$1"*) _weblab_node ;; esac
                fi
                ;;
        esac
    done <"$root/lab.yml"
}

_weblab_node() {
    case $node in [a-z]*) _weblab_say "$node" ;; esac
}

_weblab_experiments() {
    local file='' folder="$root/experiments"
    for file in "$folder"/*.yml "$folder"/*/*.yml "$folder"/*/*/*.yml; do
        [ -f "$file" ] || continue
        file=${file##*/}
        _weblab_say "${file%.yml}"
    done
}

# Several experiments with commas between: the last one is completed.
_weblab_list() {
    case $typed in
        *,*) before=$before${typed%,*}, typed=${typed##*,} ;;
    esac
    _weblab_experiments
}

_weblab_runs() {
    local file=''
    for file in "$root"/runs/*/timeline.jsonl; do
        [ -f "$file" ] || continue
        file=${file%/*}
        _weblab_say "${file##*/}"
    done
}

_weblab_snapshots() {
    local name=''
    [ -r "$root/.lab/snapshots" ] || return 0
    while IFS= read -r name; do
        [ -z "$name" ] || _weblab_say "$name"
    done <"$root/.lab/snapshots"
}
