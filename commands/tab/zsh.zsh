# TAB in zsh, with candidates.sh.

_weblab_zsh() {
    local found='' code=0
    local -a names
    found=$(_weblab_candidates "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null) || code=$?
    names=("${(@f)found}")
    names=("${(@)names:#}")
    (( ! $#names )) || compadd -- "${(@)names}"
    (( code != _WEBLAB_FILES )) || _files
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
compdef _weblab_zsh invoke inv
