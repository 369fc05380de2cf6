//! Secrets of further kinds, and in further places: known by a mark within them, by the command
//! or the file in which they stand. And further innocents, of which none is touched.
//!
//! Every secret here is made up, and put together at run time.

use birthmark_capture::redact::Redactor;
use serde_json::json;

const ALNUM: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const HEX: &[u8] = b"0123456789abcdef";

/// A small generator, so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn of(&mut self, letters: &[u8], length: usize) -> String {
        let mut next = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap_or(0)
        };
        let letters = |place: usize| char::from(letters[place % letters.len()]);
        (0..length).map(|_| letters(next())).collect()
    }

    fn mixed(&mut self, length: usize) -> String {
        format!("{}aB7", self.of(ALNUM, length - 3))
    }
}

/// Secrets whose mark is within: the rule that sees each, and the token.
fn marked(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut add = |rule, parts: &[&str]| all.push((rule, parts.concat()));
    add(
        "azure-client-secret",
        &["aB3", "8Q", "~", &dice.mixed(16), "._", &dice.mixed(14)],
    );
    add("azure-client-secret", &["x_Z", "7Q", "~", &dice.mixed(34)]);
    add(
        "azure-storage-key",
        &[&dice.mixed(76), "+A", "St", &dice.of(ALNUM, 5), "A=", "="],
    );
    add(
        "azure-storage-key",
        &[&dice.mixed(76), "AC", "Db", &dice.of(ALNUM, 5), "g=", "="],
    );
    add(
        "azure-api-key",
        &[&dice.mixed(52), "JQ", "QJ99", &dice.mixed(26)],
    );
    add(
        "azure-devops-token",
        &[&dice.mixed(76), "AZ", "DO", &dice.of(ALNUM, 4)],
    );
    add("mailchimp-api-key", &[&dice.of(HEX, 32), "-u", "s12"]);
    add("zhipu-api-key", &[&dice.of(HEX, 32), ".", &dice.mixed(16)]);
    add(
        "firebase-server-key",
        &["AA", "AA", &dice.mixed(7), ":", &dice.mixed(140)],
    );
    add("openai-session", &["se", "ss-", &dice.mixed(40)]);
    add("llamacloud-api-key", &["ll", "x-", &dice.mixed(48)]);
    add(
        "plaid-access-token",
        &["access", "-production-", &dice.of(HEX, 36)],
    );
    add("minisign-secret-key", &["RWRT", "Y0Iy", &dice.mixed(200)]);
    all
}

#[test]
fn a_secret_is_known_by_the_mark_within_it() {
    let redactor = Redactor::new();
    for seed in 0..20 {
        for (rule, secret) in marked(&mut Dice(seed)) {
            for text in [
                secret.clone(),
                format!("invalid credential {secret}, try again"),
                format!("{{\"x\": \"{secret}\"}}"),
                format!("x={secret}\ny=1"),
                format!("line\\n{secret}\\n"),
            ] {
                let clean = redactor.text(&text);
                let mark = format!("[redacted:{rule}]");
                assert!(
                    clean.contains(&mark) && !clean.contains(&secret),
                    "{text} -> {clean}"
                );
                assert_eq!(redactor.text(&clean), clean);
            }
        }
    }
}

#[test]
fn a_password_is_known_by_its_command() {
    let redactor = Redactor::new();
    let secret = ["correct", "horse"].concat();
    for command in [
        "curl -u me:{} https://host/api",
        "ran `curl -sSu me:{} https://host` and failed",
        "curl --fail --user me:{} https://host",
        "curl --user=me:{} https://host",
        "curl -ume:{} https://host",
        "curl \\\n  -u 'me:{}' \\\n  https://host",
        "/usr/bin/curl -x proxy:1 --proxy-user me:{} x",
        "http -a me:{} GET host",
        "wget --user=me:{} x",
        "sshpass -p {} ssh me@host",
        "sshpass -p'{}' ssh me@host",
        "mysql -h host -u root -p{} db",
        "mysqldump --all -p{} > dump.sql",
        "redis-cli -h host -a {} ping",
        "docker login -u me -p {} registry.example",
        "{\"cmd\": \"curl -u me:{} https://host\"}",
    ] {
        let text = command.replace("{}", &secret);
        let clean = redactor.text(&text);
        assert_eq!(clean, command.replace("{}", "[redacted:name-password]"));
        assert_eq!(redactor.text(&clean), clean, "redacting twice");
    }
    for argv in [
        vec!["curl", "-u", "me:{}", "x"],
        vec!["curl", "-sSu", "me:{}", "x"],
        vec!["/usr/bin/curl", "-ume:{}"],
        vec!["docker", "login", "-u", "me", "-p", "{}"],
        vec!["redis-cli", "-a", "{}"],
        vec!["bash", "-c", "curl -u me:{} x"],
    ] {
        let argv: Vec<String> = argv.iter().map(|arg| arg.replace("{}", &secret)).collect();
        let clean = redactor.argv(&argv);
        assert!(!clean.concat().contains(&secret), "{clean:?}");
        assert_eq!(clean.len(), argv.len());
    }
}

#[test]
fn a_password_is_known_by_its_file() {
    let redactor = Redactor::new();
    let secret = ["battery", "staple"].concat();
    let word = ["YWxhZGRpbjpv", "cGVu"].concat();
    for (text, secret) in [
        ("db.example.com:5432:mydb:me:{}\n", &secret),
        (
            "# my passwords\nlocalhost:*:*:me:{}\n*:5432:a:b:{}\n",
            &secret,
        ),
        ("\"db.example.com:6432:mydb:me:{}\\n\"", &secret),
        ("[db]\nuser = me\npassword = {}\n", &secret),
        ("db:\n  user: me\n  password: {}\n", &secret),
        ("  - passwd: {}", &secret),
        ("export DB_PASS={}", &secret),
        ("[smtp]\nuser=me\npass={}!1\n", &secret),
        (
            "machine api.wandb.ai\n  login user\n  password {}\n",
            &secret,
        ),
        ("{\"auths\": {\"ghcr.io\": {\"auth\": \"{}\"}}}", &word),
        ("//registry.example/:_authToken={}", &secret),
        ("Cookie: sid=abc; csrf={}; theme=dark\nnext: line", &secret),
        ("curl -H 'Cookie: a=b; session={}' https://host", &secret),
        ("Set-Cookie: id={}; Path=/; HttpOnly", &secret),
        (
            "pip install --extra-index-url https://me:{}@pypi.example/simple x",
            &secret,
        ),
        ("Server=tcp:x;User ID=me;Password={};Encrypt=yes", &secret),
        ("postgresql://host/db?user=me&password={}", &secret),
    ] {
        let text = text.replace("{}", secret);
        let clean = redactor.text(&text);
        assert!(!clean.contains(secret), "{text} -> {clean}");
        assert!(clean.contains("[redacted:"), "{text} -> {clean}");
        assert_eq!(redactor.text(&clean), clean, "redacting twice");
    }
    let key = Dice(3).of(HEX, 32);
    let mut kaggle = json!({"username": "me", "key": key});
    assert!(!redactor.text(&kaggle.to_string()).contains(&key));
    redactor.json(&mut kaggle);
    assert_eq!(
        kaggle,
        json!({"username": "me", "key": "[redacted:kaggle-key]"})
    );
}

#[test]
fn keys_of_putty_and_ssh_go_whole() {
    let redactor = Redactor::new();
    let body = Dice(5).of(ALNUM, 64);
    let putty = format!(
        "{}{}: ssh-rsa\nComment: k\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 2\n{body}\n{body}\nPrivate-MAC: ff\n",
        "PuTTY-User-", "Key-File-3"
    );
    let clean = redactor.text(&putty);
    assert!(!clean.contains(&body), "{clean}");
    assert!(clean.contains("Private-MAC: ff"), "{clean}");
    let (begin, end) = (["---- BE", "GIN"].concat(), ["---- E", "ND"].concat());
    let ssh2 = format!(
        "{begin} SSH2 ENCRYPTED PRIVATE KEY ----\n{body}\n{end} SSH2 ENCRYPTED PRIVATE KEY ----\nx"
    );
    assert_eq!(redactor.text(&ssh2), "[redacted:private-key]\nx");
}

/// A text as JSON spells it, so many times one within the other.
fn escaped(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |text, _| json!(text).to_string())
}

#[test]
fn a_secret_is_seen_in_text_that_was_escaped_again_and_again() {
    let redactor = Redactor::new();
    let mut dice = Dice(0xcafe);
    let (begin, end) = (["-----BE", "GIN"].concat(), ["-----E", "ND"].concat());
    let body = dice.mixed(64);
    let key = format!("{begin} PRIVATE KEY-----\n{body}\n{end} PRIVATE KEY-----\n");
    for times in 0..4 {
        for (text, secret) in [
            ("[service]\ntoken = \"SECRET\"\n", dice.mixed(30)),
            ("\tpassword=SECRET\n", dice.mixed(12)),
            ("{\"api_key\": \"SECRET\", \"seed\": 42}", dice.mixed(30)),
            ("{\"db\": {\"password\": \"SECRET\"}}", dice.mixed(9)),
            ("{'Authorization': 'Token SECRET'}", dice.of(HEX, 40)),
        ] {
            let text = escaped(&text.replace("SECRET", &secret), times);
            let clean = redactor.text(&text);
            assert!(!clean.contains(&secret), "{times}: {clean}");
        }
        let account = json!({"type": "service_account", "private_key": key}).to_string();
        let text = escaped(&account, times);
        let clean = redactor.text(&text);
        assert!(!clean.contains(&body), "{times}: {clean}");
        assert!(clean.contains("service_account"), "{times}: {clean}");
    }
}

#[test]
fn a_printed_list_of_arguments_loses_its_secrets() {
    let redactor = Redactor::new();
    let mut dice = Dice(0x115);
    let secret = dice.mixed(22);
    for text in [
        format!("got ['--hf-token', '{secret}', '--seed', '42']"),
        format!("[\"train.py\",\"--api-key\",\"{secret}\"]"),
        format!("['--db-password', '{secret}']"),
    ] {
        let clean = redactor.text(&text);
        assert!(!clean.contains(&secret), "{clean}");
    }
    for text in [
        "['--hf-token', '--seed', '42']",
        "['--seed', '0123456789abcdef42']",
    ] {
        assert_eq!(redactor.text(text), text);
    }
    // A token that holds a `=` is no name with a value.
    let token = format!(
        "{}{}={}",
        ["ATAT", "T3"].concat(),
        dice.mixed(90),
        dice.of(HEX, 8)
    );
    let argv = ["train.py".to_owned(), token];
    assert_eq!(redactor.argv(&argv)[1], "[redacted:atlassian-token]");
}

#[test]
fn a_secret_with_quotes_of_its_own_goes_whole() {
    let redactor = Redactor::new();
    for times in 0..3 {
        let settings = json!({"password": "tops\"ecret\\", "seed": 42}).to_string();
        let text = escaped(&settings, times);
        let clean = redactor.text(&text);
        assert!(
            !clean.contains("tops") && !clean.contains("ecret"),
            "{clean}"
        );
        assert!(clean.contains("seed"), "{clean}");
    }
}

#[test]
fn a_key_without_a_shape_is_seen_where_a_word_announces_it() {
    let redactor = Redactor::new();
    let mut dice = Dice(0xc0de);
    for _ in 0..100 {
        let key = dice.mixed(40);
        for text in [
            format!("used the key {key} for it"),
            format!("API Key: {key}"),
            format!("co.Client('x')  # my token is \"{key}\"."),
            format!("the cohere key was `{key}`"),
        ] {
            let clean = redactor.text(&text);
            assert!(!clean.contains(&key), "{clean}");
        }
    }
    for text in [
        "the key 5f970c2e8a1b4d0c9e7f6a5b4c3d2e1f0a9b8c7d was found",
        "cache key sha256-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcgSpIdNs6c5H0=",
        "key thisIsOneOfTheVeryLongNamesOfJavaClasses2",
        "token AutoModelForSequenceClassificationWithHeadV2",
        "the key 123e4567-e89b-12d3-a456-426614174000 is free",
        "monkey 7OMn04rzGA2aiXt1wV9ypn5ArPBsHHYoUAP2hjvr",
        "key runs/7OMn04rzGA2aiXt1wV9ypn5ArPBsHHYoUAP2hjvr",
        "tokenize 7OMn04rzGA2aiXt1wV9ypn5ArPBsHHYoUAP2hjvr",
        "keys: 7OMn04rzGA2aiXt1wV9ypn5ArPBsHHYoUAP2hjvr/part",
    ] {
        assert_eq!(redactor.text(text), text);
    }
}

#[test]
fn signed_addresses_and_keys_of_a_cluster_are_secret() {
    let redactor = Redactor::new();
    let mut dice = Dice(0xace);
    let secret = dice.mixed(60);
    for text in [
        format!(
            "https://storage.googleapis.com/b/o?GoogleAccessId=x&Expires=1&Signature={secret}%2B%3D"
        ),
        format!("AWS_SESSION_TOKEN=/{secret}"),
        format!("aws_session_token: /{secret}+/x"),
        format!("https://d1.cloudfront.net/f?Signature={secret}&Key-Pair-Id=K2J"),
        format!("users:\n- name: a\n  user:\n    client-key-data: {secret}\n"),
    ] {
        let clean = redactor.text(&text);
        assert!(!clean.contains(&secret), "{clean}");
    }
    let text = "def fit(x, Signature=inspect.signature)\nSignature: (x: int) -> str";
    assert_eq!(redactor.text(text), text);
}

#[test]
fn what_only_looks_like_it_passes() {
    let redactor = Redactor::new();
    for text in [
        "curl -sS https://host -o out.json",
        "git log -u main:path",
        "python train.py -p 8080 -u host:port",
        "docker run -p 8080:80 -u 1000:1000 image",
        "mysql is down; use -p to give a password",
        "ssh -p 2222 host",
        "10.0.0.1:8080:up:3:yes",
        "file.py:5432:7:E501:long",
        "app.log:5432:INFO:root:started",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "aa:11:bb:22:cc:33",
        "root:x:0:0:root:/root:/bin/bash",
        "password: str\ntoken: str\npasswd: required",
        "The password: it is asked for on stdin",
        "pass=1 of 3, pass: second",
        "auth: basic\n",
        "\"key\": \"0123456789abcdef0123456789abcdef\"",
        "d41d8cd98f00b204e9800998ecf8427e.safetensors",
        "a~b8Q~c",
        "cookie: yes\nuse_cookies: false",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "Private-Lines: see the manual of the format",
        "        self.secret = secret\n        self.access_token = access_token\n",
        "if reserved:\n    token = Punctuation\n",
        "f(consumer_secret=\"consumer.secret\", _token=_token, x=1)",
        "        self.credentials = authorizer\n",
        "api_key=/run/secrets/api_key",
        "HF_TOKEN=/home/user/Runs2025/Final01/token",
    ] {
        assert_eq!(redactor.text(text), text);
    }
}

#[test]
fn ten_thousand_more_innocents_pass() {
    let redactor = Redactor::new();
    let base64 = [ALNUM, b"+/01lIO"].concat();
    let mut dice = Dice(0xfeed);
    for round in 0..1_000 {
        let hex = dice.of(HEX, 40);
        let innocents = [
            format!("model-{:05}-of-00030.safetensors", round % 30),
            format!("/root/.cache/huggingface/hub/models--Qwen--Qwen2.5-7B/snapshots/{hex}"),
            format!("data:image/jpeg;base64,/9j/{}==", dice.of(&base64, 6_000)),
            format!("{}=", dice.of(&base64, 43)),
            format!("sha512-{}==", dice.of(&base64, 86)),
            format!("etag: W/\"{}\"", &hex[..32]),
            format!("{}.{}", &hex[..32], ["parquet", "jsonl", "bin"][round % 3]),
            format!(
                "step {round}: loss=0.{} lr=1e-{} tok/s={}",
                &hex[..4],
                round % 9,
                round * 7
            ),
            format!(
                "wandb: run {} at {}:{}:{}",
                dice.of(ALNUM, 8).to_lowercase(),
                round % 24,
                round % 60,
                round % 59
            ),
            format!(
                "{{\"input_ids\": [{round}, 29871], \"uid\": \"{}\", \"session\": \"{}\"}}",
                &hex[..24],
                dice.of(ALNUM, 22)
            ),
        ];
        for text in innocents {
            assert_eq!(redactor.text(&text), text);
        }
    }
}

#[test]
fn malice_of_these_kinds_takes_linear_time() {
    let hex = "0123456789abcdef".repeat(2);
    let base64 = format!("{}==", "aB3/".repeat(21));
    let seeds = [
        "curl -u ",
        "curl -u a",
        "-u a:b ",
        "mysql -p",
        "host:5432:",
        "h:5432:a:b:",
        "*:*:*:*:",
        "aB38Q~",
        "AAAA:",
        "Private-Lines:",
        "Private-Lines: 2\n",
        "==",
        "JQQJ99",
        "AZDO",
        "-us1",
        "password: x\n",
        "auth=\"\\\"",
        "auth=\\\"\\\\\\\"",
        "key aB3",
        "Cookie: a=",
        "Cookie: a=b; ",
        "\"key\":\"",
        "auth: YTpi",
        "x.y",
        "~~~~8Q~",
        &format!("\"key\":\"{hex}\""),
        &format!("{hex}."),
        &format!("{hex}-us"),
        &base64,
    ];
    // Twice the text may take twice the time, and not four times; a busy machine gets its due.
    for seed in seeds {
        let text = seed.repeat(400_000 / seed.len());
        let started = std::time::Instant::now();
        let _ = Redactor::new().text(&text);
        let took = started.elapsed();
        assert!(took.as_secs() < 10, "{seed}: {took:?}");
    }
}
