//! `CodeState`: commit, branch, dirty, remote, pushed.
