
# The filter of `find`, as the catalog knows its fields and their values.
complete -c birthmark -n "__fish_birthmark_using_subcommand find" -f -a "(birthmark __filter (string match -r -- '^--(?:all|runs|sessions)$' (commandline -opc)) -- (commandline -ct | string replace -r '^[\'\"]' '') 2>/dev/null)"
