# The filter of `find`, as the catalog knows its fields and their values.
_birthmark_filter() {
    local -a found
    found=("${(@f)$(birthmark __filter ${words[(r)--all]} ${words[(r)--runs]} ${words[(r)--sessions]} -- "${(Q)PREFIX}" 2>/dev/null)}")
    [[ -n $found[1] ]] && compadd -S '' -a found
}

