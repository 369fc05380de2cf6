
# The filter of `find`, and its fields, as the catalog knows them.
function __birthmark_filter
    set -l before (commandline -opc)
    set -l text (commandline -ct | string replace -r '^[\'"]' '')
    set -l scope (string match -r -- '^--(?:all|runs|sessions)$' $before)
    set -l option $before[-1]
    set -l joined (string match -r -- '^(--[a-z-]+)=(.*)$' "$text")
    if test (count $joined) -eq 3
        set option $joined[2]
        set text $joined[3]
    end
    set -l head ""
    switch "$option"
        case --columns --group-by
            # Of several fields the last is completed.
            set head (string match -r -- '^.*,' "$text"; or echo)
        case --sort
            # And one that is sorted by against its order.
            set head (string match -r -- '^-' "$text"; or echo)
        case '*'
            string match -q -- '-*' "$text"
            or birthmark __filter $scope -- "$text" 2>/dev/null
            return 0
    end
    set -l length (string length -- "$head")
    set -l last (string sub -s (math $length + 1) -- "$text")
    for field in (birthmark __filter --fields $scope -- "$last" 2>/dev/null)
        echo -- "$head$field"
    end
end
complete -c birthmark -n "__fish_birthmark_using_subcommand find" -f -a "(__birthmark_filter)"
for option in sort group-by columns
    complete -c birthmark -n "__fish_birthmark_using_subcommand find" -l $option -x -a "(__birthmark_filter)"
end
