//! The table of secrets that betray themselves by their shape.
//!
//! One line a prefix: what a token of that issuer starts with, which bytes may
//! follow, and how many. A table and not a set of regular expressions, since
//! nearly every issuer uses "prefix, then a run": it needs no compilation at
//! start, and each byte of the text is looked at a bounded number of times.

/// Which bytes the run behind a prefix may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// `0-9 a-f A-F`.
    Hex,
    /// `A-Z 0-9`.
    Upper,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// As `Word`, and `.` and `=`.
    Dotted,
    /// As `Word`, and `. + / = ~`.
    Base64,
}

impl Body {
    /// Whether `byte` may stand in such a run.
    pub(super) fn holds(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => Self::Word.holds(byte) || matches!(byte, b'.' | b'='),
            Self::Base64 => Self::Dotted.holds(byte) || matches!(byte, b'+' | b'/' | b'~'),
        }
    }
}

/// One prefix of one issuer.
#[derive(Debug)]
pub(super) struct Rule {
    /// The name that stands in `[redacted:<id>]`.
    pub(super) id: &'static str,
    /// What the token starts with.
    pub(super) prefix: &'static str,
    /// What follows it.
    pub(super) body: Body,
    /// The shortest run that counts, in bytes.
    pub(super) min: usize,
    /// The longest one, in bytes; a longer run is something else.
    pub(super) max: usize,
    /// The prefix is short or common: it counts only at the start of a word, and
    /// with a digit in the run.
    pub(super) strict: bool,
}

const ANY: usize = usize::MAX;

const fn sure(id: &'static str, prefix: &'static str, body: Body, min: usize) -> Rule {
    Rule {
        id,
        prefix,
        body,
        min,
        max: ANY,
        strict: false,
    }
}

const fn strict(
    id: &'static str,
    prefix: &'static str,
    body: Body,
    min: usize,
    max: usize,
) -> Rule {
    Rule {
        id,
        prefix,
        body,
        min,
        max,
        strict: true,
    }
}

/// Every prefix. Where one prefix starts another, the longer stands first.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // Models and machines: what a researcher's shell holds.
    sure("huggingface-token", "hf_", Body::Alnum, 30),
    sure("huggingface-org-token", "api_org_", Body::Alnum, 30),
    sure("wandb-api-key", "wandb_v1_", Body::Word, 20),
    sure("runpod-api-key", "rpa_", Body::Alnum, 24),
    sure("openai-api-key", "sk-proj-", Body::Word, 20),
    sure("openai-api-key", "sk-svcacct-", Body::Word, 20),
    sure("openai-api-key", "sk-admin-", Body::Word, 20),
    sure("openai-api-key", "sk-None-", Body::Word, 20),
    sure("anthropic-api-key", "sk-ant-", Body::Word, 20),
    sure("openrouter-api-key", "sk-or-", Body::Word, 20),
    sure("helicone-api-key", "sk-helicone-", Body::Word, 20),
    sure("langfuse-secret-key", "sk-lf-", Body::Word, 30),
    strict("openai-api-key", "sk-", Body::Alnum, 20, ANY),
    strict("openai-session", "sess-", Body::Alnum, 40, 40),
    strict("llamacloud-api-key", "llx-", Body::Alnum, 40, 60),
    strict("replicate-api-token", "r8_", Body::Alnum, 30, 60),
    strict("groq-api-key", "gsk_", Body::Alnum, 40, 80),
    strict("xai-api-key", "xai-", Body::Alnum, 40, ANY),
    sure("together-api-key", "tgp_v1_", Body::Word, 30),
    sure("perplexity-api-key", "pplx-", Body::Alnum, 32),
    strict("fireworks-api-key", "fw_", Body::Alnum, 22, 40),
    sure("nvidia-api-key", "nvapi-", Body::Word, 40),
    sure("langsmith-api-key", "lsv2_", Body::Word, 32),
    sure("pinecone-api-key", "pcsk_", Body::Word, 40),
    sure("kaggle-api-token", "KGAT_", Body::Alnum, 30),
    sure("neptune-api-token", "eyJhcGlfYWRkcmVzcyI6", Body::Base64, 20),
    strict("modal-token", "ak-", Body::Alnum, 22, 22),
    strict("modal-token", "as-", Body::Alnum, 22, 22),
    sure("cerebras-api-key", "csk-", Body::Alnum, 40),
    sure("jina-api-key", "jina_", Body::Word, 40),
    sure("anyscale-secret", "esecret_", Body::Alnum, 20),
    sure("tavily-api-key", "tvly-", Body::Word, 24),
    strict("voyage-api-key", "pa-", Body::Word, 40, 50),
    strict("e2b-api-key", "e2b_", Body::Hex, 40, 40),
    strict("firecrawl-api-key", "fc-", Body::Hex, 32, 32),
    sure("apify-token", "apify_api_", Body::Alnum, 30),
    sure("prefect-api-key", "pnu_", Body::Alnum, 36),
    sure("prefect-api-key", "pnb_", Body::Alnum, 36),
    // Clouds.
    strict("aws-access-key-id", "AKIA", Body::Upper, 16, 16),
    strict("aws-access-key-id", "ASIA", Body::Upper, 16, 16),
    strict("aws-access-key-id", "ABIA", Body::Upper, 16, 16),
    strict("aws-access-key-id", "ACCA", Body::Upper, 16, 16),
    sure("aws-bedrock-key", "ABSKQmVkcm9ja0FQSUtleS", Body::Base64, 20),
    strict("google-api-key", "AIza", Body::Word, 35, 35),
    strict("google-oauth-token", "ya29.", Body::Word, 20, ANY),
    sure("google-oauth-secret", "GOCSPX-", Body::Word, 24),
    strict("google-refresh-token", "1//0", Body::Word, 30, ANY),
    sure("digitalocean-token", "dop_v1_", Body::Hex, 60),
    sure("digitalocean-token", "doo_v1_", Body::Hex, 60),
    sure("digitalocean-token", "dor_v1_", Body::Hex, 60),
    strict("databricks-token", "dapi", Body::Hex, 32, 32),
    strict("alibaba-access-key-id", "LTAI", Body::Alnum, 16, 20),
    sure("hashicorp-vault-token", "hvs.", Body::Word, 24),
    sure("hashicorp-vault-token", "hvb.", Body::Word, 24),
    sure("hashicorp-vault-token", "hvr.", Body::Word, 24),
    sure("pulumi-token", "pul-", Body::Hex, 40),
    sure("heroku-api-key", "HRKU-", Body::Word, 36),
    sure("fly-token", "fo1_", Body::Word, 40),
    sure("fly-token", "fm2_", Body::Base64, 60),
    sure("tailscale-key", "tskey-", Body::Word, 20),
    sure("doppler-token", "dp.pt.", Body::Alnum, 40),
    sure("doppler-token", "dp.st.", Body::Dotted, 40),
    sure("planetscale-token", "pscale_", Body::Dotted, 35),
    sure("supabase-token", "sbp_", Body::Hex, 40),
    sure("supabase-token", "sb_secret_", Body::Word, 30),
    strict("yandex-api-key", "AQVN", Body::Word, 35, 38),
    strict("tencent-secret-id", "AKID", Body::Alnum, 13, 40),
    sure("openshift-token", "sha256~", Body::Word, 40),
    sure("netlify-token", "nfp_", Body::Alnum, 36),
    strict("render-api-key", "rnd_", Body::Alnum, 26, 40),
    sure("neon-api-key", "napi_", Body::Alnum, 50),
    strict("vercel-token", "vcp_", Body::Alnum, 40, 80),
    sure("infracost-api-key", "ico-", Body::Alnum, 32),
    strict("mapbox-token", "sk.eyJ", Body::Dotted, 60, ANY),
    // Code and packages.
    sure("github-token", "ghp_", Body::Alnum, 30),
    sure("github-token", "gho_", Body::Alnum, 30),
    sure("github-token", "ghu_", Body::Alnum, 30),
    sure("github-token", "ghs_", Body::Alnum, 30),
    sure("github-token", "ghr_", Body::Alnum, 30),
    sure("github-token", "github_pat_", Body::Word, 22),
    sure("gitlab-token", "glpat-", Body::Dotted, 20),
    sure("gitlab-token", "glptt-", Body::Hex, 40),
    sure("gitlab-token", "gldt-", Body::Word, 20),
    sure("gitlab-token", "glrt-", Body::Dotted, 20),
    sure("gitlab-token", "glcbt-", Body::Word, 20),
    sure("gitlab-token", "gloas-", Body::Word, 60),
    sure("gitlab-token", "glagent-", Body::Word, 40),
    sure("gitlab-token", "glft-", Body::Word, 20),
    sure("gitlab-token", "glimt-", Body::Word, 25),
    sure("gitlab-token", "glsoat-", Body::Word, 20),
    sure("gitlab-token", "glffct-", Body::Word, 20),
    sure("clojars-token", "CLOJARS_", Body::Alnum, 50),
    sure("readme-api-key", "rdme_", Body::Alnum, 60),
    sure("dbt-token", "dbtc_", Body::Word, 36),
    sure("npm-token", "npm_", Body::Alnum, 36),
    sure("pypi-token", "pypi-Ag", Body::Word, 40),
    sure("rubygems-token", "rubygems_", Body::Hex, 48),
    strict("crates-io-token", "cio", Body::Alnum, 32, 32),
    sure("docker-token", "dckr_pat_", Body::Word, 20),
    sure("docker-token", "dckr_oat_", Body::Word, 20),
    sure("atlassian-token", "ATATT3", Body::Dotted, 60),
    sure("bitbucket-token", "ATBB", Body::Alnum, 32),
    sure("jfrog-token", "AKCp", Body::Alnum, 60),
    sure("buildkite-token", "bkua_", Body::Hex, 40),
    sure("circleci-token", "CCIPAT_", Body::Word, 40),
    sure("sentry-token", "sntrys_", Body::Base64, 40),
    sure("sentry-token", "sntryu_", Body::Hex, 60),
    sure("grafana-token", "glsa_", Body::Word, 32),
    sure("grafana-token", "glc_", Body::Base64, 32),
    sure("new-relic-key", "NRAK-", Body::Upper, 27),
    sure("postman-api-key", "PMAK-", Body::Word, 50),
    sure("onepassword-token", "ops_eyJ", Body::Base64, 100),
    // Talk, mail, money.
    sure("slack-token", "xoxe.xox", Body::Word, 20),
    sure("slack-token", "xoxa-", Body::Word, 10),
    sure("slack-token", "xoxb-", Body::Word, 10),
    sure("slack-token", "xoxc-", Body::Word, 10),
    sure("slack-token", "xoxd-", Body::Base64, 10),
    sure("slack-token", "xoxe-", Body::Word, 10),
    sure("slack-token", "xoxo-", Body::Word, 10),
    sure("slack-token", "xoxp-", Body::Word, 10),
    sure("slack-token", "xoxr-", Body::Word, 10),
    sure("slack-token", "xoxs-", Body::Word, 10),
    sure("slack-token", "xapp-", Body::Word, 20),
    sure("slack-webhook", "hooks.slack.com/services/", Body::Base64, 20),
    sure("discord-webhook", "discord.com/api/webhooks/", Body::Base64, 40),
    sure("discord-webhook", "discordapp.com/api/webhooks/", Body::Base64, 40),
    strict("twilio-api-key", "SK", Body::Hex, 32, 32),
    strict("sendgrid-api-key", "SG.", Body::Dotted, 50, 90),
    strict("mailgun-api-key", "key-", Body::Hex, 32, 32),
    sure("plaid-access-token", "access-sandbox-", Body::Word, 36),
    sure("plaid-access-token", "access-production-", Body::Word, 36),
    strict("brevo-api-key", "xkeysib-", Body::Word, 70, 100),
    sure("stripe-key", "sk_live_", Body::Alnum, 16),
    sure("stripe-key", "sk_test_", Body::Alnum, 16),
    sure("stripe-key", "rk_live_", Body::Alnum, 16),
    sure("stripe-key", "rk_test_", Body::Alnum, 16),
    strict("elevenlabs-api-key", "sk_", Body::Hex, 48, 48),
    sure("stripe-key", "whsec_", Body::Base64, 24),
    sure("shopify-token", "shpat_", Body::Hex, 32),
    sure("shopify-token", "shpca_", Body::Hex, 32),
    sure("shopify-token", "shppa_", Body::Hex, 32),
    sure("shopify-token", "shpss_", Body::Hex, 32),
    sure("square-token", "sq0csp-", Body::Word, 40),
    sure("square-token", "sq0atp-", Body::Word, 22),
    sure("linear-api-key", "lin_api_", Body::Alnum, 32),
    sure("notion-token", "ntn_", Body::Alnum, 40),
    strict("notion-token", "secret_", Body::Dotted, 40, 90),
    sure("typeform-token", "tfp_", Body::Dotted, 40),
    sure("hubspot-token", "pat-na1-", Body::Word, 36),
    sure("hubspot-token", "pat-eu1-", Body::Word, 36),
    sure("contentful-token", "CFPAT-", Body::Word, 40),
    strict("airtable-token", "pat", Body::Dotted, 79, 79),
    strict("dropbox-token", "sl.", Body::Dotted, 130, ANY),
    sure("shippo-token", "shippo_live_", Body::Hex, 40),
    sure("shippo-token", "shippo_test_", Body::Hex, 40),
    strict("adobe-secret", "p8e-", Body::Alnum, 32, 32),
    strict("easypost-api-key", "EZAK", Body::Alnum, 54, 54),
    sure("frameio-token", "fio-u-", Body::Word, 60),
    sure("figma-token", "figd_", Body::Word, 36),
    sure("dynatrace-token", "dt0c01.", Body::Dotted, 60),
    // Keys.
    sure("age-secret-key", "AGE-SECRET-KEY-1", Body::Upper, 40),
    sure("age-secret-key", "AGE-SECRET-KEY-PQ-1", Body::Upper, 40),
    sure("minisign-secret-key", "RWRTY0Iy", Body::Base64, 80),
];

/// The ids of the rules that are no plain prefix: see `scan` and `names`.
pub(super) static OTHER_IDS: &[&str] = &[
    "authorization",
    "azure-api-key",
    "azure-client-secret",
    "azure-devops-token",
    "azure-storage-key",
    "aws-secret-access-key",
    "cohere-api-key",
    "discord-bot-token",
    "firebase-server-key",
    "jwt",
    "kaggle-key",
    "mailchimp-api-key",
    "name-auth",
    "name-cookie",
    "name-credential",
    "name-key",
    "name-pat",
    "name-password",
    "name-secret",
    "name-signature",
    "name-token",
    "netrc-password",
    "pgpass-password",
    "private-key",
    "telegram-bot-token",
    "terraform-token",
    "url-credentials",
    "zhipu-api-key",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_prefix_stands_before_the_shorter_one_that_starts_it() {
        for (at, rule) in RULES.iter().enumerate() {
            let hidden = RULES[..at]
                .iter()
                .find(|above| rule.prefix.starts_with(above.prefix));
            assert!(hidden.is_none(), "{} is never reached", rule.prefix);
        }
    }

    #[test]
    fn every_rule_takes_a_token_of_its_kind_out_and_no_commit() {
        let redactor = crate::redact::Redactor::new();
        for rule in RULES {
            let alphabet: Vec<u8> = (b'0'..=b'z')
                .filter(|byte| rule.body.holds(*byte))
                .collect();
            let letters = alphabet.iter().filter(|byte| byte.is_ascii_alphanumeric());
            let run: String = letters
                .cycle()
                .take(rule.min)
                .map(|byte| char::from(*byte))
                .collect();
            let token = format!("{}{run}", rule.prefix);
            let text = format!("to use {token} here");
            let clean = redactor.text(&text);
            assert!(!clean.contains(&run), "{}: {clean}", rule.prefix);
            assert!(clean.contains("[redacted:"), "{}: {clean}", rule.prefix);
        }
        let commit = "at 5f970c2e8a1b4d0c9e7f6a5b4c3d2e1f0a9b8c7d";
        assert_eq!(redactor.text(commit), commit);
    }

    #[test]
    fn the_rules_are_few_enough_for_one_byte() {
        assert!(RULES.len() < 256);
    }

    #[test]
    fn every_prefix_is_ascii_of_two_bytes_or_more() {
        assert!(
            RULES
                .iter()
                .all(|rule| rule.prefix.is_ascii() && rule.prefix.len() >= 2)
        );
    }
}
