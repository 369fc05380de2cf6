//! A score in a plain sentence.

use super::{Kind, Score, Stand, Test};
use crate::compare::items::plural;

/// A number for people: four digits that count.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    let text = if !(1e-4..1e7).contains(&size) {
        return format!("{value:.2e}");
    } else if size >= 1000.0 {
        format!("{value:.1}")
    } else if size >= 100.0 {
        format!("{value:.2}")
    } else if size >= 0.01 {
        format!("{value:.3}")
    } else {
        format!("{value:.5}")
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// A p-value for people.
pub fn p_value(p: f64) -> String {
    if p < 1e-4 {
        "p < 0.0001".to_owned()
    } else if p >= 0.995 {
        "p = 1".to_owned()
    } else if p >= 0.1 {
        format!("p = {}", format!("{p:.2}").trim_end_matches('0'))
    } else if p >= 0.01 {
        format!("p = {p:.3}")
    } else {
        format!("p = {p:.4}")
    }
}

impl Stand {
    /// `7/12`, or the number.
    pub fn short(&self) -> String {
        match (self.passed, self.value, &self.not_a_number) {
            (Some((passed, of)), _, _) => format!("{passed}/{of}"),
            (None, Some(value), _) => number(value),
            (None, None, Some(text)) => text.clone(),
            (None, None, None) => "none".to_owned(),
        }
    }

    fn spoken(&self) -> String {
        match self.passed {
            Some((passed, of)) => format!("{passed} of {of}"),
            None => self.short(),
        }
    }
}

impl Test {
    /// `3 items flipped, all one way`.
    pub fn flipped(&self) -> String {
        let flips = self.only_a + self.only_b;
        let moved = match self.kind {
            Kind::PassFail => "flipped",
            Kind::Real => "differ",
        };
        match (flips, self.only_a, self.only_b) {
            (0, _, _) if self.kind == Kind::PassFail => "no item flipped".to_owned(),
            (0, _, _) => "no item differs".to_owned(),
            (1, _, _) => format!(
                "1 item {}",
                if self.kind == Kind::PassFail {
                    "flipped"
                } else {
                    "differs"
                }
            ),
            (_, 0, _) | (_, _, 0) => format!("{} {moved}, all one way", plural(flips, "item")),
            (_, a, b) => format!("{} {moved}, {b} up and {a} down", plural(flips, "item")),
        }
    }

    /// `p = 0.25: no evidence of a difference`.
    pub fn says(&self) -> String {
        let conclusion = if self.is_evidence() {
            "evidence of a difference"
        } else {
            "no evidence of a difference"
        };
        let counted = p_value(self.p_counted());
        let alone = p_value(self.p);
        if counted == alone {
            return format!("{counted}: {conclusion}");
        }
        let alone = alone.trim_start_matches("p = ");
        format!("{counted} after Holm ({alone} alone): {conclusion}")
    }
}

impl Score {
    /// The score in a sentence: `7 of 12 against 4 of 12: 3 items flipped, all one way;
    /// p = 0.25: no evidence of a difference`.
    pub fn sentence(&self) -> String {
        let both = format!("{} against {}", self.b.spoken(), self.a.spoken());
        match &self.test {
            Ok(test) if test.kind == Kind::PassFail => {
                format!("{both}: {}; {}", test.flipped(), test.says())
            }
            Ok(test) => format!(
                "{both} over {}: {}; {}",
                plural(test.pairs, "item"),
                test.flipped(),
                test.says()
            ),
            Err(why) => format!("{both}: {why}"),
        }
    }
}
