
# The filter of `find`, and its fields, as the catalog knows them.
_birthmark_filter() {
    local line="${COMP_LINE:0:COMP_POINT}" quote="" start=0 at character
    for ((at = 0; at < ${#line}; at++)); do
        character="${line:at:1}"
        if [[ -n $quote ]]; then
            [[ $character == "$quote" ]] && quote=""
        elif [[ $character == "'" || $character == '"' ]]; then
            quote="$character"
        elif [[ $character == [[:space:]] ]]; then
            start=$((at + 1))
        fi
    done
    local text="${line:start}" before
    read -ra before <<<"${line:0:start}"
    [[ ${before[1]} == find ]] || return 1
    local last="${before[${#before[@]} - 1]}" fields="" scope=() word
    [[ $text != -* || ( $last == --sort && $text != --* ) ]] || return 1
    for word in --all --runs --sessions; do
        [[ " ${COMP_LINE} " == *" $word "* ]] && scope+=("$word")
    done
    case "$last" in
        --sort | --group-by | --columns) fields="--fields" ;;
        --out | --limit | -n) return 1 ;;
    esac
    local kept=""
    if [[ -n $quote ]]; then
        # What stands between the quotes is completed as one word.
        [[ $text == "$quote"* ]] || return 1
        text="${text:1}"
    elif [[ $text == *[\'\"]* ]]; then
        return 1
    else
        # A shell takes `=` and the like for the end of a word.
        kept="${text%"${text##*[=:<>]}"}"
    fi
    # Of several fields the last is completed, and one that is sorted by against its order.
    local head=""
    case "$last" in
        --group-by | --columns) head="${text%"${text##*,}"}" ;;
        --sort) [[ $text == -* ]] && head="-" ;;
    esac
    text="${text#"$head"}"
    COMPREPLY=()
    local found
    while IFS= read -r found; do
        found="${found#"$kept"}"
        [[ -z $quote && $found == *[\ \"\(\)]* ]] && printf -v found '%q' "$found"
        COMPREPLY+=("$head$found")
    done < <("${COMP_WORDS[0]}" __filter $fields ${scope[@]+"${scope[@]}"} -- "$text" 2>/dev/null)
    compopt -o nospace +o default +o bashdefault 2>/dev/null
    return 0
}

_birthmark_or_filter() {
    _birthmark_filter || _birthmark "$@"
}
complete -F _birthmark_or_filter -o nosort -o bashdefault -o default birthmark 2>/dev/null ||
    complete -F _birthmark_or_filter -o bashdefault -o default birthmark
