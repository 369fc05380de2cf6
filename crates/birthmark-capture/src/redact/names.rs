//! Which names promise a secret: of flags, variables, headers, params.
//!
//! A name is taken apart into words (`snake`, `kebab`, `camelCase`, dots), and
//! its *last* word decides, with the word before it. So `hf_token` is secret and
//! `pad_token`, `max_new_tokens`, `tokenizer`, `num_key_value_heads` are not:
//! in machine learning most things called token or key are no secret.

/// How far a name alone may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// The name says nothing.
    None,
    /// Secret when the value looks like one (opaque, 16 bytes or more).
    Weak(&'static str),
    /// Secret, unless the value is plainly none (`True`, `<pad>`, a small number).
    Strong(&'static str),
    /// Secret unless the value is a path: credentials files, `PWD`.
    NotPath(&'static str),
    /// Secret, whatever the value.
    Password(&'static str),
    /// An `Authorization` header: the scheme may stay.
    Header,
}

/// Owners whose secrets have no shape of their own: their name gives the id.
const OWNERS: &[(&str, &str)] = &[
    ("wandb", "wandb-api-key"),
    ("cohere", "cohere-api-key"),
    ("kaggle", "kaggle-key"),
];

/// Last words that make a name the name *about* a secret, not of one.
#[rustfmt::skip]
const INERT_LAST: &[&str] = &[
    "budget", "column", "count", "digest", "dim", "dir", "dirs", "embedding", "embeddings",
    "enabled", "env", "expires", "expiry", "field", "file", "filename", "fingerprint", "folder",
    "format", "hash", "heads", "hint", "id", "ids", "idx", "index", "len", "length", "limit",
    "map", "method", "mode", "name", "names", "parser", "path", "paths", "policy", "position",
    "prefix", "prob", "provider", "rate", "ratio", "required", "size", "strategy", "suffix",
    "ttl", "type", "types", "uri", "url", "urls", "usage", "version", "weight",
];

/// First words that make a name a count or a switch.
#[rustfmt::skip]
const INERT_FIRST: &[&str] = &[
    "allow", "avg", "count", "disable", "has", "is", "max", "mean", "min", "n", "no", "num",
    "require", "skip", "total", "without",
];

/// Words before `token` that make it a piece of text.
#[rustfmt::skip]
const TEXT_TOKENS: &[&str] = &[
    "additional", "audio", "begin", "bos", "box", "cls", "control", "decoder", "end", "eoi",
    "eos", "eot", "extra", "fim", "first", "forced", "im", "image", "img", "last", "mask",
    "newline", "next", "non", "pad", "padding", "per", "placeholder", "prev", "previous",
    "prompt", "response", "sep", "separator", "single", "soi", "space", "special", "start",
    "stop", "system", "think", "tool", "unk", "unknown", "video", "vision",
];

/// Words before `token` that make it a credential.
#[rustfmt::skip]
const SECRET_TOKENS: &[&str] = &[
    "access", "api", "app", "auth", "azure", "bearer", "bot", "client", "csrf", "deploy", "dev",
    "dockerhub", "gh", "git", "github", "gitlab", "hf", "hub", "hugging", "huggingface",
    "huggingfacehub", "identity", "jwt", "login", "npm", "oauth", "personal", "private", "pypi",
    "refresh", "registry", "replicate", "runpod", "secret", "security", "service", "session",
    "slack", "telegram", "upload", "user", "vault", "wandb",
];

/// Words before `key` that make it a place in a table, or public.
#[rustfmt::skip]
const TABLE_KEYS: &[&str] = &[
    "answer", "cache", "col", "column", "config", "data", "dataset", "dedup", "dict", "feature",
    "field", "foreign", "group", "hash", "hot", "id", "idempotency", "image", "index", "input",
    "item", "join", "json", "label", "lookup", "map", "meta", "metadata", "metric", "object",
    "output", "partition", "per", "primary", "prompt", "public", "query", "record", "reward",
    "routing", "row", "s3", "shard", "sort", "split", "state", "target", "task", "text", "unique",
    "value",
];

/// Words before `key` that make it a credential.
#[rustfmt::skip]
const SECRET_KEYS: &[&str] = &[
    "access", "account", "anthropic", "api", "auth", "azure", "client", "cohere", "crypt",
    "decryption", "deploy", "encryption", "gemini", "groq", "hf", "hmac", "kaggle", "lambda",
    "license", "master", "mistral", "openai", "private", "rsa", "runpod", "secret", "service",
    "shared", "signing", "ssh", "storage", "stripe", "vast", "wandb",
];

/// Words before `pass` that make it a sweep over something.
#[rustfmt::skip]
const PASSES: &[&str] = &[
    "backward", "band", "by", "double", "eval", "extra", "first", "forward", "full", "high",
    "low", "multi", "one", "per", "second", "single", "test", "third", "train", "two",
];

/// Written together: how such a word ends, and what it then is.
const GLUED: &[(&str, Secrecy)] = &[
    ("apikey", Secrecy::Strong("name-key")),
    ("apikeys", Secrecy::Strong("name-key")),
    ("secretkey", Secrecy::Strong("name-key")),
    ("accesskey", Secrecy::Strong("name-key")),
    ("accountkey", Secrecy::Strong("name-key")),
    ("privatekey", Secrecy::Strong("name-key")),
    ("accesstoken", Secrecy::Strong("name-token")),
    ("apitoken", Secrecy::Strong("name-token")),
    ("authtoken", Secrecy::Strong("name-token")),
    ("bearertoken", Secrecy::Strong("name-token")),
    ("hftoken", Secrecy::Strong("name-token")),
    ("refreshtoken", Secrecy::Strong("name-token")),
    ("apisecret", Secrecy::Strong("name-secret")),
    ("clientsecret", Secrecy::Strong("name-secret")),
    ("password", Secrecy::Password("name-password")),
    ("passwords", Secrecy::Password("name-password")),
    ("passwd", Secrecy::Password("name-password")),
    ("passphrase", Secrecy::Password("name-password")),
    ("passcode", Secrecy::Password("name-password")),
];

/// Names of many records that the rules below would let pass as well: asked first,
/// since they are asked for each record.
#[rustfmt::skip]
const USUAL: &[&str] = &[
    "add_special_tokens", "eos_token_id", "max_new_tokens", "max_tokens",
    "min_new_tokens", "min_tokens", "pad_token_id", "sentinel_tests_passed", "stop_token_ids",
    "tokenizer",
];

/// What `name` promises about its value.
pub(super) fn secrecy(name: &str) -> Secrecy {
    if !hints(name.as_bytes()) || USUAL.contains(&name) {
        return Secrecy::None;
    }
    let words = words(name);
    named_owner(&words, by_words(&words))
}

/// A quick look for any stem that the rules below know: most names stop here.
fn hints(name: &[u8]) -> bool {
    name.windows(3).any(|w| {
        let low = [w[0] | 0x20, w[1] | 0x20, w[2] | 0x20];
        matches!(
            &low,
            b"key"
                | b"tok"
                | b"sec"
                | b"pas"
                | b"pwd"
                | b"cre"
                | b"aut"
                | b"pat"
                | b"coo"
                | b"jwt"
                | b"bea"
                | b"sig"
        )
    })
}

/// The words of a name in lower case; trailing digits and numbers are dropped.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let bytes = name.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            push_word(&mut words, &mut word);
            continue;
        }
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        let next_is_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let starts = byte.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && next_is_lower)
            });
        if starts {
            push_word(&mut words, &mut word);
        }
        word.push(char::from(byte.to_ascii_lowercase()));
    }
    push_word(&mut words, &mut word);
    words
}

fn push_word(words: &mut Vec<String>, word: &mut String) {
    let kept = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if !kept.is_empty() {
        // `s3` and its like keep their digit: it is part of the name.
        words.push(if kept.len() == 1 {
            word.clone()
        } else {
            kept.to_owned()
        });
    }
    word.clear();
}

fn by_words(words: &[String]) -> Secrecy {
    let Some((last, front)) = words.split_last() else {
        return Secrecy::None;
    };
    let before = front.last().map(String::as_str);
    if last == "id" && ends_with(front, &["access", "key"]) {
        return Secrecy::Strong("aws-access-key-id");
    }
    if INERT_LAST.contains(&last.as_str())
        || front
            .first()
            .is_some_and(|first| INERT_FIRST.contains(&first.as_str()))
    {
        return Secrecy::None;
    }
    if ends_with(words, &["secret", "access", "key"]) {
        return Secrecy::Strong("aws-secret-access-key");
    }
    if ends_with(words, &["client", "key", "data"]) {
        return Secrecy::Strong("name-key");
    }
    match by_last(last, before) {
        Secrecy::None => by_any(words),
        decided => decided,
    }
}

fn by_last(last: &str, before: Option<&str>) -> Secrecy {
    let within = |list: &[&str]| before.is_some_and(|word| list.contains(&word));
    match last {
        "token" if within(TEXT_TOKENS) => Secrecy::None,
        "token" if before.is_none() || within(SECRET_TOKENS) => Secrecy::Strong("name-token"),
        "token" | "tok" => Secrecy::Weak("name-token"),
        "key" if before.is_none() || within(TABLE_KEYS) => Secrecy::None,
        "key" if within(SECRET_KEYS) => Secrecy::Strong("name-key"),
        "key" => Secrecy::Weak("name-key"),
        "keys" if within(&["api", "secret", "access", "private"]) => Secrecy::Strong("name-key"),
        "pwd" => Secrecy::NotPath("name-password"),
        "pass" if within(PASSES) => Secrecy::None,
        "pass" if before.is_none() => Secrecy::Weak("name-password"),
        "pass" => Secrecy::Password("name-password"),
        "secret" | "secrets" => Secrecy::Strong("name-secret"),
        "cred" | "creds" | "credential" | "credentials" => Secrecy::NotPath("name-credential"),
        "authorization" => Secrecy::Header,
        "auth" if within(&["basic", "http", "proxy", "registry"]) => Secrecy::Strong("name-auth"),
        "auth" => Secrecy::Weak("name-auth"),
        "pat" if before.is_some() => Secrecy::Strong("name-pat"),
        "pat" => Secrecy::Weak("name-pat"),
        "cookie" | "cookies" => Secrecy::Strong("name-cookie"),
        "jwt" | "bearer" => Secrecy::Strong("name-token"),
        "signature" if within(&["amz", "goog"]) => Secrecy::Strong("name-signature"),
        "sig" => Secrecy::Weak("name-signature"),
        glued => GLUED
            .iter()
            .find(|(ending, _)| glued.ends_with(ending))
            .map_or(Secrecy::None, |(_, secrecy)| *secrecy),
    }
}

/// A secret word that is not the last: `api_key_openai`, `password_of_db`.
fn by_any(words: &[String]) -> Secrecy {
    if words
        .windows(2)
        .any(|pair| pair[0] == "api" && pair[1] == "key")
    {
        return Secrecy::Weak("name-key");
    }
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if any(&["password", "passwd", "passphrase"]) {
        return Secrecy::Weak("name-password");
    }
    if any(&["secret", "apikey"]) {
        Secrecy::Weak("name-secret")
    } else {
        Secrecy::None
    }
}

fn ends_with(words: &[String], ending: &[&str]) -> bool {
    words.len() >= ending.len()
        && words[words.len() - ending.len()..]
            .iter()
            .zip(ending)
            .all(|(a, b)| a == b)
}

/// A more telling id where the name says whose secret it is.
fn named_owner(words: &[String], secrecy: Secrecy) -> Secrecy {
    let owner = OWNERS
        .iter()
        .find(|(owner, _)| words.iter().any(|word| word == owner));
    match (owner, secrecy) {
        (Some((_, id)), Secrecy::Weak(_) | Secrecy::Strong(_)) => Secrecy::Strong(id),
        _ => secrecy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_machine_learning_are_no_secrets() {
        for name in [
            "max_new_tokens",
            "tokenizer",
            "add_special_tokens",
            "num_key_value_heads",
            "key",
            "top_k",
            "pad_token",
            "eos_token_id",
            "tokens_per_second",
            "key_dim",
            "cache_key",
            "primary_key",
            "forward_pass",
            "author",
            "authors",
            "pattern",
            "path",
            "passed",
            "sentinel_tests_passed",
            "monkey",
            "keyboard",
            "patience",
            "secretary",
            "signature",
            "HF_TOKEN_PATH",
            "tokenizer_name",
            "sort_key",
            "compass",
            "authority",
            "max_token",
            "hf_tokenizer",
            "keys",
            "prompt_token",
            "bypass",
            "secret_name",
            "OLDPWD",
        ] {
            assert_eq!(secrecy(name), Secrecy::None, "{name}");
        }
    }

    #[test]
    fn the_usual_names_are_what_the_rules_make_of_them() {
        for name in USUAL {
            assert_eq!(by_words(&words(name)), Secrecy::None, "{name}");
        }
    }

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "token",
            "HF_TOKEN",
            "hf-token",
            "hfToken",
            "HFToken",
            "api_key",
            "apiKey",
            "APIKey",
            "X-Api-Key",
            "apikey",
            "OPENAI_API_KEY",
            "client_secret",
            "password",
            "PGPASSWORD",
            "MY_PASS",
            "HF_PAT",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "Authorization",
            "use_auth_token",
            "WANDB_KEY",
            "KAGGLE_KEY",
            "model.auth.access_token",
            "Cookie",
            "db_passwd",
            "private_key",
            "token2",
            "API_KEY_1",
            "AccountKey",
            "credentials",
            "client-key-data",
        ] {
            let found = secrecy(name);
            assert!(
                !matches!(found, Secrecy::None | Secrecy::Weak(_)),
                "{name}: {found:?}"
            );
        }
    }
}
