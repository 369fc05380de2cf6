//! Secrets of known shape or name never pass the redactor, and innocents do.
//! Every secret here is made up, and put together at run time so that no scanner
//! takes this file for a leak.

#![expect(
    clippy::unwrap_used,
    reason = "tests stop where the world is not as said"
)]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use birthmark_capture::redact::Redactor;
use serde_json::{Value, json};

const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A small generator, so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of(&mut self, letters: &[u8], length: usize) -> String {
        let pick = |n: u64| char::from(letters[usize::try_from(n % letters.len() as u64).unwrap()]);
        let mut run: String = (1..length).map(|_| pick(self.next())).collect();
        run.push('7');
        run
    }
}

/// One fake secret of each shape: rule id and token.
#[expect(clippy::too_many_lines, reason = "a table")]
fn planted(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut add = |id, parts: &[&str]| all.push((id, parts.concat()));
    add("huggingface-token", &["hf", "_", &dice.of(ALNUM, 34)]);
    add(
        "huggingface-org-token",
        &["api", "_org_", &dice.of(ALNUM, 34)],
    );
    add("wandb-api-key", &["wandb", "_v1_", &dice.of(ALNUM, 40)]);
    add("runpod-api-key", &["rp", "a_", &dice.of(UPPER, 40)]);
    add("openai-api-key", &["sk", "-", &dice.of(ALNUM, 48)]);
    add(
        "openai-api-key",
        &[
            "sk",
            "-proj-",
            &dice.of(ALNUM, 40),
            "-",
            &dice.of(ALNUM, 40),
        ],
    );
    add(
        "anthropic-api-key",
        &[
            "sk",
            "-ant-api03-",
            &dice.of(ALNUM, 60),
            "_",
            &dice.of(ALNUM, 30),
        ],
    );
    add("openrouter-api-key", &["sk", "-or-v1-", &dice.of(HEX, 64)]);
    add("aws-access-key-id", &["AK", "IA", &dice.of(UPPER, 16)]);
    add("aws-access-key-id", &["AS", "IA", &dice.of(UPPER, 16)]);
    for kind in ["p", "o", "u", "s", "r"] {
        add("github-token", &["gh", kind, "_", &dice.of(ALNUM, 36)]);
    }
    add(
        "github-token",
        &[
            "github",
            "_pat_",
            &dice.of(ALNUM, 22),
            "_",
            &dice.of(ALNUM, 59),
        ],
    );
    add("gitlab-token", &["glp", "at-", &dice.of(ALNUM, 20)]);
    add(
        "slack-token",
        &[
            "xo",
            "xb-",
            &dice.of(b"123456", 12),
            "-",
            &dice.of(ALNUM, 24),
        ],
    );
    add(
        "slack-token",
        &[
            "xo",
            "xp-",
            &dice.of(b"123456", 12),
            "-",
            &dice.of(ALNUM, 24),
        ],
    );
    add(
        "slack-webhook",
        &["hooks.slack", ".com/services/T0/B0/", &dice.of(ALNUM, 24)],
    );
    add("npm-token", &["np", "m_", &dice.of(ALNUM, 36)]);
    add(
        "pypi-token",
        &["py", "pi-AgEIcHlwaS5vcmc", &dice.of(ALNUM, 60)],
    );
    add(
        "jwt",
        &[
            "ey",
            "JhbGciOiJIUzI1NiJ9.",
            "ey",
            "JzdWIiOiIxMjM0In0.",
            &dice.of(ALNUM, 43),
        ],
    );
    add("google-api-key", &["AI", "za", &dice.of(ALNUM, 35)]);
    add("google-oauth-token", &["ya", "29.", &dice.of(ALNUM, 60)]);
    add("stripe-key", &["sk", "_live_", &dice.of(ALNUM, 24)]);
    add(
        "telegram-bot-token",
        &["123456789", ":AA", &dice.of(ALNUM, 33)],
    );
    add("docker-token", &["dckr", "_pat_", &dice.of(ALNUM, 27)]);
    add("digitalocean-token", &["dop", "_v1_", &dice.of(HEX, 64)]);
    add("replicate-api-token", &["r", "8_", &dice.of(ALNUM, 37)]);
    add("groq-api-key", &["gs", "k_", &dice.of(ALNUM, 52)]);
    add("together-api-key", &["tg", "p_v1_", &dice.of(ALNUM, 43)]);
    add("databricks-token", &["da", "pi", &dice.of(HEX, 32)]);
    add(
        "discord-bot-token",
        &[
            "MT",
            &dice.of(ALNUM, 24),
            ".",
            &dice.of(ALNUM, 6),
            ".",
            &dice.of(ALNUM, 38),
        ],
    );
    add("twilio-api-key", &["S", "K", &dice.of(HEX, 32)]);
    add(
        "sendgrid-api-key",
        &["S", "G.", &dice.of(ALNUM, 22), ".", &dice.of(ALNUM, 43)],
    );
    add("shopify-token", &["shp", "at_", &dice.of(HEX, 32)]);
    add("mailgun-api-key", &["ke", "y-", &dice.of(HEX, 32)]);
    add("hashicorp-vault-token", &["hv", "s.", &dice.of(ALNUM, 24)]);
    add(
        "age-secret-key",
        &["AGE-SECRET", "-KEY-1", &dice.of(UPPER, 58)],
    );
    add("xai-api-key", &["xa", "i-", &dice.of(ALNUM, 80)]);
    add("perplexity-api-key", &["pp", "lx-", &dice.of(ALNUM, 48)]);
    add("nvidia-api-key", &["nv", "api-", &dice.of(ALNUM, 64)]);
    add(
        "langsmith-api-key",
        &["ls", "v2_pt_", &dice.of(HEX, 32), "_", &dice.of(HEX, 10)],
    );
    add("kaggle-api-token", &["KG", "AT_", &dice.of(HEX, 32)]);
    add("notion-token", &["nt", "n_", &dice.of(ALNUM, 46)]);
    add("pulumi-token", &["pu", "l-", &dice.of(HEX, 40)]);
    add("tailscale-key", &["ts", "key-auth-", &dice.of(ALNUM, 30)]);
    add(
        "grafana-token",
        &["gl", "sa_", &dice.of(ALNUM, 32), "_", &dice.of(HEX, 8)],
    );
    add("sentry-token", &["sntr", "yu_", &dice.of(HEX, 64)]);
    add("supabase-token", &["sb", "p_", &dice.of(HEX, 40)]);
    add(
        "terraform-token",
        &[&dice.of(ALNUM, 14), ".atlas", "v1.", &dice.of(ALNUM, 64)],
    );
    add("crates-io-token", &["ci", "o", &dice.of(ALNUM, 32)]);
    add("modal-token", &["a", "k-", &dice.of(ALNUM, 22)]);
    add("linear-api-key", &["lin", "_api_", &dice.of(ALNUM, 40)]);
    add("square-token", &["sq0", "csp-", &dice.of(ALNUM, 43)]);
    add("new-relic-key", &["NR", "AK-", &dice.of(UPPER, 27)]);
    add("figma-token", &["fig", "d_", &dice.of(ALNUM, 40)]);
    all
}

/// Secrets that only their name betrays: name and value.
fn named(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let names = [
        "WANDB_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "COHERE_API_KEY",
        "KAGGLE_KEY",
        "MISTRAL_API_KEY",
        "token",
        "hf-token",
        "apiKey",
        "client_secret",
        "db_password",
        "MY_PASS",
        "HF_PAT",
        "X-Api-Key",
        "access_token",
        "refreshToken",
        "VAST_API_KEY",
        "secret",
        "session_cookie",
    ];
    names.iter().map(|name| (*name, dice.of(HEX, 40))).collect()
}

#[test]
fn every_planted_secret_is_seen_wherever_it_stands() {
    let mut dice = Dice(0x5eed);
    let redactor = Redactor::new();
    let mut kinds = 0;
    for round in 0..3 {
        for (id, secret) in planted(&mut dice) {
            kinds += usize::from(round == 0);
            let mark = format!("[redacted:{id}]");
            for text in [
                secret.clone(),
                format!("cannot log in with {secret}: refused"),
                format!("[\"{secret}\"]"),
                format!("line one\\n{secret}\\n"),
                format!("https://host/path?x={secret}&y=1"),
                format!("ünïcode {secret} — ünd"),
            ] {
                let clean = redactor.text(&text);
                assert!(
                    !clean.contains(&secret) && clean.contains(&mark),
                    "{id}: {text} -> {clean}"
                );
                assert_eq!(redactor.text(&clean), clean, "redacting twice");
            }
            let argv: Vec<_> = [
                "train.py",
                &format!("--tok={secret}"),
                "--tok",
                &secret,
                &secret,
                "rest",
            ]
            .map(str::to_owned)
            .into();
            let clean = redactor.argv(&argv);
            assert_eq!(clean.len(), argv.len());
            assert!(!clean.concat().contains(&secret), "{id}: {clean:?}");
            assert_eq!(clean[5], "rest");
            let mut params =
                json!({"a": {"b": [1, secret, {"c": format!("x {secret}")}]}, "seed": 42});
            redactor.json(&mut params);
            assert!(!params.to_string().contains(&secret), "{id}: {params}");
            assert_eq!(params["seed"], 42);
        }
    }
    assert!(kinds + named(&mut dice).len() >= 60, "{kinds}");
    assert!(
        Redactor::rule_ids().len() >= 60,
        "{}",
        Redactor::rule_ids().len()
    );
}

#[test]
fn a_secret_without_a_shape_is_seen_by_its_name() {
    let mut dice = Dice(7);
    let redactor = Redactor::new();
    for (name, secret) in named(&mut dice) {
        assert!(!redactor.named(name, &secret).contains(&secret), "{name}");
        for text in [
            format!("{name}={secret} python train.py"),
            format!("{{\"{name}\": \"{secret}\"}}"),
            format!("{{\\\"{name}\\\": \\\"{secret}\\\"}}"),
            format!("{{'{name}': '{secret}', 'b': 2}}"),
            format!("{name}: {secret}\nnext: line"),
            format!("os.environ[\"{name}\"] = \"{secret}\""),
            format!("python train.py --{name} {secret} --seed 42"),
        ] {
            assert!(
                !redactor.text(&text).contains(&secret),
                "{text} -> {}",
                redactor.text(&text)
            );
        }
        for argv in [
            vec![format!("--{name}={secret}")],
            vec![format!("--{name}"), secret.clone()],
            vec![format!("{name}={secret}")],
            vec![format!("+model.{name}={secret}")],
        ] {
            assert!(!redactor.argv(&argv).concat().contains(&secret), "{argv:?}");
        }
        let mut params = json!({ name: secret, "env": [{"name": name, "value": secret}] });
        redactor.json(&mut params);
        assert!(!params.to_string().contains(&secret), "{params}");
    }
}

#[test]
fn credentials_leave_a_url_and_host_and_path_stay() {
    let redactor = Redactor::new();
    let hidden = "[redacted:url-credentials]";
    for (credentials, rest) in [
        ("user:pass", "github.com/o/r.git"),
        ("sometoken", "github.com/o/r.git"),
        ("sometoken:x-oauth-basic", "github.com/o/r.git"),
        (":password", "cache:6379/0"),
        ("user:p@ss", "host/db"),
        ("user:pa/ss", "host/db"),
        ("user:1a/ss", "host/db"),
    ] {
        let url = format!("https://{credentials}@{rest}");
        assert_eq!(
            redactor.url(&url),
            format!("https://{hidden}@{rest}"),
            "{url}"
        );
    }
    let requirement = [
        "pkg @ git+https://",
        "tok3n",
        "@github.com/o/r.git@v1#egg=pkg",
    ]
    .concat();
    assert_eq!(
        redactor.text(&requirement),
        format!("pkg @ git+https://{hidden}@github.com/o/r.git@v1#egg=pkg")
    );
    let signed =
        "https://acc.blob.core.windows.net/c/f?sv=2024&sig=aB3dEfGhIjKlMnOpQrStUvWx%3D&se=1";
    let clean = redactor.url(signed);
    assert!(
        !clean.contains("aB3d") && clean.ends_with("&se=1"),
        "{clean}"
    );
    let amazon = [
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=",
        &"0a".repeat(32),
        "&x=1",
    ]
    .concat();
    assert!(
        !redactor.url(&amazon).contains("0a0a"),
        "{}",
        redactor.url(&amazon)
    );
}

#[test]
fn urls_without_credentials_stay_as_they_are() {
    for url in [
        "https://github.com/o/r.git",
        "ssh://git@github.com/o/r.git",
        "git@github.com:o/r.git",
        "git+ssh://git@github.com/o/r.git",
        "http://localhost:8080/a@2x.png",
        "http://[::1]:80/a@b",
        "https://huggingface.co/Qwen/Qwen2.5-32B",
        "s3://bucket/key",
        "file:///tmp/a",
        "see (https://a.org), mail me@b.org",
        "https://x.org/@user/page",
        "hf://datasets/a/b@main",
    ] {
        assert!(
            matches!(Redactor::new().url(url), Cow::Borrowed(_)),
            "{} ",
            Redactor::new().url(url)
        );
    }
}

#[test]
fn headers_keys_and_netrc_are_seen() {
    let redactor = Redactor::new();
    for (text, clean) in [
        (
            "Authorization: Bearer abcdef123456 x",
            "Authorization: Bearer [redacted:authorization] x",
        ),
        (
            "authorization: Basic dXNlcjpwYXNz",
            "authorization: Basic [redacted:authorization]",
        ),
        (
            "-H 'Authorization: token abcdef12' u",
            "-H 'Authorization: token [redacted:authorization]' u",
        ),
        (
            "{\"Authorization\": \"Bearer abcdef12\"}",
            "{\"Authorization\": \"Bearer [redacted:authorization]\"}",
        ),
        (
            "machine h login u password hunter2 x",
            "machine h login u password [redacted:netrc-password] x",
        ),
        (
            "postgres host=h password=hunter2 dbname=d",
            "postgres host=h password=[redacted:name-password] dbname=d",
        ),
        (
            "sent Bearer abcdefgh12345678 ok",
            "sent Bearer [redacted:authorization] ok",
        ),
    ] {
        assert_eq!(redactor.text(text), clean);
    }
    let login = format!("wandb login --relogin {}", "ab".repeat(20));
    assert_eq!(
        redactor.text(&login),
        "wandb login --relogin [redacted:wandb-api-key]"
    );
    for label in ["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "] {
        let pem = format!(
            "-----BEGIN {label}PRIVATE KEY-----\nMIIEabc\n-----END {label}PRIVATE KEY-----"
        );
        assert_eq!(
            redactor.text(&format!("a {pem}\nb")),
            "a [redacted:private-key]\nb"
        );
    }
    let public = "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----";
    assert_eq!(redactor.text(public), public);
}

#[test]
fn command_lines_keep_their_shape_and_lose_their_secrets() {
    let redactor = Redactor::new();
    for (argv, clean) in [
        (
            "mysql -uroot -phunter2 db",
            "mysql -uroot -p[redacted:name-password] db",
        ),
        ("python -p8080 train.py", "python -p8080 train.py"),
        (
            "curl -u bob:hunter2 https://h/",
            "curl -u bob:[redacted:name-password] https://h/",
        ),
        (
            "x --password hunter2 y",
            "x --password [redacted:name-password] y",
        ),
        (
            "x --password=hunter2 y",
            "x --password=[redacted:name-password] y",
        ),
        ("x --token abc -v", "x --token [redacted:name-token] -v"),
        (
            "x --use-auth-token True --seed 1",
            "x --use-auth-token True --seed 1",
        ),
        ("x --token --seed 42", "x --token --seed 42"),
        (
            "x --max-new-tokens 150 --tokenizer Qwen/Qwen2.5",
            "x --max-new-tokens 150 --tokenizer Qwen/Qwen2.5",
        ),
        (
            "x --pad-token <pad> --sort-key name",
            "x --pad-token <pad> --sort-key name",
        ),
        ("x --api-key $OPENAI_API_KEY", "x --api-key $OPENAI_API_KEY"),
        ("x --credentials /etc/c.json", "x --credentials /etc/c.json"),
    ] {
        let words: Vec<_> = argv.split(' ').map(str::to_owned).collect();
        assert_eq!(redactor.argv(&words).join(" "), clean);
    }
}

#[test]
fn a_known_value_is_seen_even_as_a_bare_argument() {
    let key = "0123456789abcdef0123456789abcdef01234567";
    let redactor = Redactor::knowing([
        ("WANDB_API_KEY", key),
        ("SHELL", "/bin/bash"),
        ("MY_TOKEN", "True"),
    ]);
    assert_eq!(
        redactor.text(&format!("a {key} b")),
        "a [redacted:wandb-api-key] b"
    );
    assert_eq!(redactor.text("/bin/bash True"), "/bin/bash True");
    assert!(!format!("{:?}", redactor.argv(&[key.to_owned()])).contains(key));
}

#[test]
fn params_of_machine_learning_stay_untouched() {
    let params = json!({
        "max_new_tokens": 150, "tokenizer": "Qwen/Qwen2.5-32B", "add_special_tokens": false,
        "num_key_value_heads": 8, "key": "id", "top_k": 50, "pad_token": "<|endoftext|>",
        "eos_token_id": [1, 2], "stop": ["\nEND", "Password:"], "key_column": "instruction_id",
        "prompt": "Answer: what is the token for the password? key: value, secret: the cake",
        "git_commit": "9f2c4a7be0d13c55a8e6f1d2b3c4d5e6f7a8b9c0",
        "cache_key": "9f2c4a7be0d13c55a8e6f1d2b3c4d5e6f7a8b9c0",
        "auth": true, "token": null, "use_auth_token": true, "signature": "question -> answer",
        "cmd": ["python", "-m", "x", "--lr", "1e-4"], "learning_rate": 1e-4,
        "chat_template": "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}",
        "code": "token = get_token()\napi_key=os.environ['X']\nself.secret = args.secret",
        "tokens": {"pad": "<pad>"}, "text_key": "response", "forward_pass": "bf16-mixed-precision-1",
    });
    let mut clean = params.clone();
    Redactor::new().json(&mut clean);
    assert_eq!(clean, params);
}

#[test]
fn a_params_tree_loses_secrets_in_keys_numbers_and_nests() {
    let token = ["hf", "_", &"Ab3".repeat(12)].concat();
    let mut params = json!({
        "password": 123_456, "credentials": {"user": "bob", "pw": "x"}, "secrets": ["one", "two"],
        token.clone(): 1, "cmd": ["curl", "-u", "x", "--api-key", "zzz"], "api_key": ""
    });
    Redactor::new().json(&mut params);
    let text = params.to_string();
    for secret in ["123456", "bob", "one", "two", "zzz", token.as_str()] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(params["api_key"], Value::String(String::new()));
}

#[test]
fn ten_thousand_innocents_pass() {
    let mut dice = Dice(0xb1a7);
    let redactor = Redactor::new();
    let base64 = [ALNUM, b"+/"].concat();
    let mut hits = Vec::new();
    for round in 0..1000 {
        let hex = |dice: &mut Dice, n| dice.of(HEX, n);
        let innocents = [
            hex(&mut dice, 40),
            format!("sha256:{}", hex(&mut dice, 64)),
            format!("blake3:{}", hex(&mut dice, 64)),
            [8, 4, 4, 4, 12].map(|n| hex(&mut dice, n)).join("-"),
            format!(
                "task-{}",
                [8, 4, 4, 4, 12].map(|n| hex(&mut dice, n)).join("-")
            ),
            format!(
                "20261122_1200{:02}_{}",
                round % 60,
                dice.of(b"0123456789abcdefghjkmnpqrstvwxyz", 13)
            ),
            format!("data:image/png;base64,{}==", dice.of(&base64, 4000)),
            format!("commit {} Merge branch 'a' into b", hex(&mut dice, 40)),
            format!(
                "{{\"git_commit\": \"{}\", \"key\": \"{}\"}}",
                hex(&mut dice, 40),
                hex(&mut dice, 32)
            ),
            format!(
                "gpu={} seed={round} model=Qwen/Qwen2.5-{}B",
                hex(&mut dice, 8),
                round % 72
            ),
        ];
        hits.extend(
            innocents
                .into_iter()
                .filter(|text| redactor.text(text) != text.as_str()),
        );
    }
    assert!(
        hits.len() <= 10,
        "{} of 10000: {:?}",
        hits.len(),
        hits.first()
    );
}

#[test]
fn ten_megabytes_of_malice_take_linear_time() {
    let seeds = [
        "hf_",
        "eyJ.",
        "eyJ.eyJ.",
        "eyJaaaaaaaaaaaa.eyJaaaaaaaa-",
        "token=a(",
        "my_token=aaaaaaaaaaaaaaaa1=",
        "-----BEGIN PRIVATE",
        "://a:b/",
        "://",
        "sk-",
        "Bearer ",
        "password=",
        "--token ",
        "a=",
        "\"key\":\"",
        "token=\"",
        "Authorization: digest ",
        "wandb login ",
        "login password ",
        "12345678:AA",
        "A",
        "=",
        ":",
        "AAAAAAAAAAAAAA.atlasv1.",
        "MTAAAAAAAAAAAAAAAAAAAAAA.AAAAAA.",
        "api_key=)))))))",
        "-",
        "é",
        "\\\"token\\\":",
    ];
    // Unoptimised code on a busy machine gets a tenth of the text and more time.
    let (size, limit) = if cfg!(debug_assertions) {
        (1_000_000, 10)
    } else {
        (10_000_000, 2)
    };
    let limit = Duration::from_secs(limit);
    for seed in seeds {
        let text = seed.repeat(size / seed.len());
        let started = Instant::now();
        let _ = Redactor::new().text(&text);
        assert!(started.elapsed() < limit, "{seed}: {:?}", started.elapsed());
    }
}

#[test]
fn any_text_at_all_is_survived() {
    let mut dice = Dice(99);
    let pieces = [
        "hf_",
        "token",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "é",
        "漢",
        "://",
        "@",
        "--",
        "-----BEGIN ",
        "PRIVATE KEY",
        "-----END ",
        "eyJ",
        ".",
        "Bearer ",
        "password ",
        "login ",
        " ",
        "\n",
        "AKIA",
        "wandb login ",
        "MT",
        "%3D",
        "Authorization",
        "[redacted:x]",
        "abc123DEF456ghi789",
        ":AA",
        "12345678901",
        "\0",
        "🎲",
    ];
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..dice.next() % 12 {
            let at = usize::try_from(dice.next() % pieces.len() as u64).unwrap();
            write!(text, "{}", pieces[at]).unwrap();
        }
        let redactor = Redactor::new();
        let once = redactor.text(&text).into_owned();
        assert_eq!(redactor.text(&once), once, "{text}");
        let argv: Vec<_> = text.split(' ').map(str::to_owned).collect();
        assert_eq!(redactor.argv(&argv).len(), argv.len());
    }
}
