# The filter of `find`, and its fields, as the catalog knows them.
_birthmark_ask() {
    local text="$PREFIX" found
    # Between quotes a backslash is one.
    [[ -z $compstate[quote] ]] && text="${(Q)PREFIX}"
    local -a all
    for found in "${(@f)$(birthmark __filter "$@" ${words[(r)--all]} ${words[(r)--runs]} ${words[(r)--sessions]} -- "$text" 2>/dev/null)}"; do
        [[ -n $found ]] && all+=("$found")
    done
    (( $#all )) && compadd -S '' -a all
}
_birthmark_filter() {
    _birthmark_ask
}
# Of several fields the last is completed, and one that is sorted by against its order.
_birthmark_fields() {
    compset -P '*,'
    _birthmark_ask --fields
}
_birthmark_order() {
    compset -P -
    _birthmark_ask --fields
}

