//! The tables: what is stored, and the views that people read.
//!
//! A birthmark is stored once, however many artifacts carry it: a *mark* is a set of
//! *facts* (a field with a value), and groups of records name their mark. The views put
//! that together again; `docs/reference/catalog.md` documents them, with types and units.
//! For each fact, and for each *label* (what else is asked for), `_postings` holds the set
//! of groups that have it: questions are answered from these.
//!
//! # Invariants
//!
//! * Every fact is indexed by its field and its key, so a field that one artifact of a
//!   million has is found as fast as any.
//! * The first group of an artifact has the artifact's number; further ones have numbers
//!   from [`MORE`] on. So a set of artifacts and one of groups are nearly the same set.
//! * `lists` of a group or session names the lists that it stands in, and no other does.
//! * A session and a run is numbered by the label of its id, `number`, which `_owners` tells of
//!   each group.
//! * `same` of an artifact is the first of those that are one with it, among all of its `kin`.
//! * The mark of a session has the first code that ran in it; a run is `apart` whose code is another,
//!   or that was given something else than the session.
//! * What holds large blobs has a whole number as its key: of any other key SQLite reads the blobs
//!   of all rows that it meets on its way to one.
//! * All of it can be dropped: nothing here is known from elsewhere than the files.

/// What `user_version` says; a catalog of another version than this and the one before is built anew.
pub(crate) const VERSION: i32 = 15;
/// The last version before it, of which all can be kept.
pub(crate) const BEFORE: i32 = 14;
/// Where the numbers of groups begin that are not the first of their artifact.
pub(crate) const MORE: i64 = 1 << 40;
/// `BMCA`, which tells the file from other databases.
pub(crate) const APPLICATION: i32 = 0x424d_4341;

/// What came with this version, and is filled from the other tables.
pub(crate) const LATEST: &str = r"
-- What was made and carries nothing within, by its size: so is what may have been moved.
CREATE INDEX _told_plain ON _told (project, size) WHERE state = 'sealed' AND format IN ('observed', 'file');
CREATE INDEX _artifacts_plain ON _artifacts (project, found ->> 'size') WHERE there = 2;
";

/// Everything else, in one script.
pub(crate) const SCHEMA: &str = r"
CREATE TABLE _projects (
  id INTEGER PRIMARY KEY,
  root TEXT NOT NULL,
  artifacts TEXT NOT NULL UNIQUE
);
CREATE TABLE _facts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  number REAL,
  key BLOB NOT NULL,
  UNIQUE (name, key, value)
);
CREATE TABLE _labels (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  key BLOB NOT NULL,
  UNIQUE (name, key, value)
);
-- The number of the list, and in its last 26 bits which stretch of it.
CREATE TABLE _postings (row INTEGER PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE _names (stretch INTEGER PRIMARY KEY, names BLOB NOT NULL);
CREATE TABLE _letters (stretch INTEGER PRIMARY KEY, bits BLOB NOT NULL);
-- When each project was looked at, to the minute.
CREATE TABLE _looked (project INTEGER PRIMARY KEY, time TEXT NOT NULL);
-- Whose column it is and which one, and in its last 40 bits which stretch.
CREATE TABLE _rolls (row INTEGER PRIMARY KEY, cells BLOB NOT NULL);
-- Whose numbers they are, and in its last 40 bits which stretch.
CREATE TABLE _owners (row INTEGER PRIMARY KEY, numbers BLOB NOT NULL);
CREATE TABLE _marks (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE);
CREATE TABLE _mark_facts (
  mark INTEGER NOT NULL, fact INTEGER NOT NULL, PRIMARY KEY (mark, fact)
) WITHOUT ROWID;
CREATE INDEX _mark_facts_fact ON _mark_facts (fact, mark);

CREATE TABLE _sessions (
  id INTEGER PRIMARY KEY,
  project INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  extent TEXT NOT NULL,
  open INTEGER NOT NULL,
  bound INTEGER NOT NULL,
  session_uuid TEXT,
  session_start TEXT,
  session_end TEXT,
  last_heard TEXT,
  outcome TEXT,
  host TEXT,
  planned INTEGER NOT NULL,
  made INTEGER NOT NULL,
  processes TEXT NOT NULL,
  packages TEXT,
  mark INTEGER NOT NULL,
  lists BLOB,
  UNIQUE (project, session_id)
);
CREATE INDEX _sessions_open ON _sessions (project, open, session_id);
CREATE INDEX _sessions_name ON _sessions (session_id, project);
CREATE INDEX _sessions_mark ON _sessions (mark);
CREATE INDEX _sessions_start ON _sessions (project, session_start, session_id);
CREATE INDEX _sessions_when ON _sessions (session_start, session_id);
CREATE INDEX _sessions_outcome ON _sessions (outcome);
CREATE INDEX _sessions_number ON _sessions (number);
CREATE TABLE _runs (
  session INTEGER NOT NULL,
  project INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  script_name TEXT,
  argv TEXT NOT NULL,
  rank INTEGER NOT NULL,
  host TEXT,
  start TEXT NOT NULL,
  end TEXT,
  outcome TEXT,
  duration_s REAL,
  exit_code INTEGER,
  error TEXT,
  drift TEXT NOT NULL,
  clock TEXT,
  mark INTEGER NOT NULL,
  apart INTEGER NOT NULL,
  PRIMARY KEY (session, run_id)
) WITHOUT ROWID;
CREATE INDEX _runs_name ON _runs (run_id);
CREATE INDEX _runs_number ON _runs (project, number, start);
CREATE INDEX _runs_outcome ON _runs (outcome, number);
CREATE INDEX _runs_exit_code ON _runs (exit_code, number);
CREATE INDEX _runs_duration ON _runs (duration_s, number);
CREATE INDEX _runs_start ON _runs (project, start, session, run_id, number);
CREATE INDEX _runs_apart ON _runs (session, mark) WHERE apart;
CREATE TABLE _used (
  session INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  file TEXT,
  object TEXT,
  role TEXT,
  digest TEXT,
  PRIMARY KEY (session, run_id, place)
) WITHOUT ROWID;
CREATE TABLE _packages (list TEXT NOT NULL, name TEXT NOT NULL, version TEXT, PRIMARY KEY (list, name, version)) WITHOUT ROWID;
CREATE INDEX _packages_name ON _packages (name, version);

CREATE TABLE _told (
  session INTEGER NOT NULL,
  project INTEGER NOT NULL,
  file TEXT NOT NULL,
  run_id TEXT,
  artifact_type TEXT NOT NULL,
  format TEXT NOT NULL,
  state TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  size INTEGER NOT NULL,
  records INTEGER,
  digest TEXT,
  content_digest TEXT,
  mark INTEGER NOT NULL,
  inputs TEXT NOT NULL,
  made TEXT NOT NULL,
  PRIMARY KEY (session, file)
) WITHOUT ROWID;
CREATE INDEX _told_file ON _told (project, file);
CREATE INDEX _told_observed ON _told (project, digest) WHERE format = 'observed' AND state = 'sealed';
-- Told of, and not looked at yet: nothing is known of it that is asked for.
CREATE TABLE _due (project INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (project, file)) WITHOUT ROWID;
CREATE TABLE _elsewhere (
  project INTEGER NOT NULL,
  file TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  PRIMARY KEY (project, file)
) WITHOUT ROWID;
CREATE INDEX _elsewhere_time ON _elsewhere (project, timestamp);

CREATE TABLE _folders (
  project INTEGER NOT NULL,
  folder TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (project, folder)
) WITHOUT ROWID;
CREATE TABLE _files (
  project INTEGER NOT NULL,
  folder TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  file TEXT NOT NULL,
  PRIMARY KEY (project, folder, name)
) WITHOUT ROWID;

CREATE INDEX _files_file ON _files (project, file);

CREATE TABLE _artifacts (
  id INTEGER PRIMARY KEY,
  project INTEGER NOT NULL,
  file TEXT NOT NULL,
  there INTEGER NOT NULL,
  scanned INTEGER NOT NULL,
  read_on INTEGER NOT NULL DEFAULT 0,
  format TEXT,
  state TEXT,
  timestamp TEXT,
  size INTEGER,
  records INTEGER,
  unstamped INTEGER,
  bad_lines INTEGER,
  digest TEXT,
  content_digest TEXT,
  session_id TEXT,
  run_id TEXT,
  mark INTEGER NOT NULL,
  inputs TEXT,
  found TEXT,
  told INTEGER NOT NULL DEFAULT 0,
  kin BLOB,
  same INTEGER NOT NULL,
  UNIQUE (project, file)
);
CREATE INDEX _artifacts_same ON _artifacts (same) WHERE same <> id;
CREATE INDEX _artifacts_kin ON _artifacts (kin) WHERE kin IS NOT NULL;
CREATE INDEX _artifacts_time ON _artifacts (project, there, timestamp);
CREATE INDEX _artifacts_unchecked ON _artifacts (project) WHERE state = 'unchecked';
CREATE INDEX _artifacts_read_on ON _artifacts (project) WHERE read_on;
CREATE INDEX _artifacts_digest ON _artifacts (digest);
CREATE INDEX _artifacts_content ON _artifacts (content_digest) WHERE content_digest IS NOT NULL;
CREATE TABLE _groups (
  id INTEGER PRIMARY KEY,
  artifact INTEGER NOT NULL,
  number INTEGER NOT NULL,
  line INTEGER,
  start INTEGER,
  end INTEGER,
  records INTEGER,
  session_id TEXT,
  run_id TEXT,
  time_min TEXT,
  time_max TEXT,
  zoned INTEGER NOT NULL,
  carried INTEGER NOT NULL,
  raw INTEGER NOT NULL,
  mark INTEGER NOT NULL,
  lists BLOB
);
CREATE INDEX _groups_mark ON _groups (mark);
CREATE INDEX _groups_artifact ON _groups (artifact, number);
CREATE INDEX _groups_session ON _groups (session_id);
CREATE INDEX _groups_spread ON _groups (time_min, time_max) WHERE time_min <> time_max;
CREATE INDEX _groups_time ON _groups (time_max) WHERE time_min = time_max;
CREATE INDEX _groups_run ON _groups (run_id);
CREATE INDEX _groups_more ON _groups (artifact) WHERE number > 0;
CREATE TABLE _zones (
  grp INTEGER NOT NULL,
  name TEXT NOT NULL,
  low BLOB NOT NULL,
  high BLOB NOT NULL,
  zone TEXT NOT NULL,
  PRIMARY KEY (grp, name)
) WITHOUT ROWID;
CREATE INDEX _zones_name ON _zones (name, low, high);
CREATE TABLE _metrics (
  artifact INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  number REAL,
  key BLOB NOT NULL,
  PRIMARY KEY (artifact, name)
) WITHOUT ROWID;
CREATE INDEX _metrics_name ON _metrics (name, key);
";

/// The views that people read: of all projects, or, before those, of one.
pub(crate) fn views(project: Option<i64>) -> String {
    let of = |column: &str| match project {
        Some(project) => format!("{column} = {project}"),
        None => "1".to_owned(),
    };
    let of_artifact = match project {
        Some(project) => {
            format!(
                "EXISTS (SELECT 1 FROM _artifacts o WHERE o.id = g.artifact AND o.project = {project})"
            )
        }
        None => "1".to_owned(),
    };
    VIEWS
        .replace("{temp}", if project.is_some() { " TEMP" } else { "" })
        .replace("{s}", &of("s.project"))
        .replace("{a}", &of("a.project"))
        .replace("{g}", &of_artifact)
}

/// The views, with gaps for their project.
const VIEWS: &str = r"
CREATE{temp} VIEW sessions AS
SELECT s.session_id, p.root AS project, s.session_start, s.session_end, s.last_heard, s.outcome, s.host,
  (SELECT CASE WHEN count(DISTINCT f.value) = 1 THEN min(f.value) END FROM _mark_facts m JOIN _facts f ON f.id = m.fact
   WHERE m.mark IN (SELECT s.mark UNION SELECT r.mark FROM _runs r WHERE r.session = s.id AND r.apart) AND f.name = 'git_commit' AND f.kind = 'text') AS git_commit,
  (SELECT CASE WHEN max(f.value = 'true') THEN 1 WHEN min(f.value = 'false') THEN 0 END FROM _mark_facts m JOIN _facts f ON f.id = m.fact
   WHERE m.mark IN (SELECT s.mark UNION SELECT r.mark FROM _runs r WHERE r.session = s.id AND r.apart) AND f.name = 'git_dirty') AS git_dirty,
  (SELECT count(*) FROM _runs r WHERE r.session = s.id) AS runs,
  (SELECT count(*) FROM _told t WHERE t.session = s.id AND t.state <> 'removed') AS artifacts,
  s.planned, s.made, s.session_uuid
FROM _sessions s JOIN _projects p ON p.id = s.project WHERE {s};

CREATE{temp} VIEW runs AS
SELECT r.run_id, s.session_id, p.root AS project, r.script_name, r.argv, r.rank, r.host, r.start AS run_start, r.end AS run_end,
  r.outcome, r.duration_s, r.exit_code, r.error, r.drift,
  (SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = r.mark AND f.name = 'git_commit' AND f.kind = 'text') AS git_commit,
  (SELECT CASE f.value WHEN 'true' THEN 1 WHEN 'false' THEN 0 END FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = r.mark AND f.name = 'git_dirty') AS git_dirty,
  (SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = r.mark AND f.name = 'git_snapshot' AND f.kind = 'text') AS git_snapshot
FROM _runs r JOIN _sessions s ON s.id = r.session JOIN _projects p ON p.id = s.project WHERE {s};

CREATE{temp} VIEW artifacts AS
SELECT a.id AS artifact_id, a.file, p.root AS project,
  (SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = a.mark AND f.name = 'artifact_type') AS artifact_type,
  a.format, a.state, a.there, a.timestamp, a.size, a.records, a.unstamped, a.bad_lines, a.digest, a.content_digest,
  a.session_id, a.run_id,
  (SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = a.mark AND f.name = 'git_commit' AND f.kind = 'text') AS git_commit,
  (SELECT CASE f.value WHEN 'true' THEN 1 WHEN 'false' THEN 0 END FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = a.mark AND f.name = 'git_dirty') AS git_dirty,
  (SELECT f.value FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = a.mark AND f.name = 'model_name' AND f.kind = 'text') AS model_name
FROM _artifacts a JOIN _projects p ON p.id = a.project WHERE a.there < 2 AND {a};

CREATE{temp} VIEW record_groups AS
SELECT g.id AS group_id, g.artifact AS artifact_id, g.number, g.line AS first_line, g.start AS first_byte, g.end AS end_byte, g.records,
  g.session_id, g.run_id, g.time_min, g.time_max,
  (SELECT json_group_object(z.name, json(z.zone)) FROM _zones z WHERE z.grp = g.id) AS varies
FROM _groups g WHERE g.carried AND {g};

CREATE{temp} VIEW params AS
SELECT g.artifact AS artifact_id, g.number AS group_number, f.name, f.value, f.number, f.kind
FROM _groups g JOIN _mark_facts m ON m.mark = g.mark JOIN _facts f ON f.id = m.fact WHERE {g};

CREATE{temp} VIEW metrics AS
SELECT artifact AS artifact_id, name, value, number, kind FROM _metrics g WHERE {g};

CREATE{temp} VIEW packages AS
SELECT s.session_id, k.name, k.version FROM _packages k JOIN _sessions s ON s.packages = k.list WHERE {s};

CREATE{temp} VIEW edges AS
SELECT 'artifact' AS subject_kind, a.file AS subject, 'was_generated_by' AS relation, 'run' AS object_kind, a.run_id AS object, NULL AS role, p.root AS project
FROM _artifacts a JOIN _projects p ON p.id = a.project WHERE a.run_id IS NOT NULL AND {a}
UNION ALL
SELECT 'artifact', a.file, 'was_derived_from', 'artifact', coalesce(i.value ->> 'file', i.value ->> 'name', i.value ->> 'digest'), i.value ->> 'role', p.root
FROM _artifacts a JOIN _projects p ON p.id = a.project, json_each(a.inputs) i WHERE a.inputs IS NOT NULL AND {a}
UNION ALL
SELECT 'run', u.run_id, 'used', 'artifact', u.object, u.role, p.root
FROM _used u JOIN _sessions s ON s.id = u.session JOIN _projects p ON p.id = s.project WHERE {s}
UNION ALL
SELECT 'run', r.run_id, 'was_part_of', 'session', s.session_id, NULL, p.root
FROM _runs r JOIN _sessions s ON s.id = r.session JOIN _projects p ON p.id = s.project WHERE {s};
";
