# shellcheck shell=bash
# TAB in bash, with candidates.sh. bash cuts words at '=', and hands them over with their quotes.

_weblab_bash() {
    local typed=() word='' found='' code=0 quoted='' before='' i=0
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]-}
        if ((${#typed[@]})) && [[ $word == '=' || ${COMP_WORDS[i - 1]} == '=' ]]; then
            typed[${#typed[@]} - 1]+=$word
        else
            typed+=("$word")
        fi
    done
    quoted=${COMP_WORDS[COMP_CWORD]-}
    typed=("${typed[@]//\\/}")
    typed=("${typed[@]#[\"\']}")
    typed=("${typed[@]%[\"\']}")
    word=${typed[${#typed[@]} - 1]}
    [[ $word != --*=* ]] || before=${word%%=*}=
    found=$(_weblab_candidates "${typed[@]}" 2>/dev/null) || code=$?
    COMPREPLY=()
    while IFS= read -r word; do
        word=${word#"$before"}
        [[ -n $word ]] || continue
        [[ $quoted == [\"\']* || $word != *[!a-zA-Z0-9_.,:/@+-]* ]] || printf -v word %q "$word"
        COMPREPLY+=("$word")
    done <<<"$found"
    ((code != _WEBLAB_FILES)) || compopt -o default 2>/dev/null || true
}

complete -F _weblab_bash invoke inv
