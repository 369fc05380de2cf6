//! Items in columns, small enough for millions.

/// Many texts in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds one.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// The text at a place; empty where there is none.
    pub fn get(&self, at: usize) -> &str {
        let start = at
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// The scores of one system by one metric.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// The system's place.
    pub system: usize,
    /// The metric's name.
    pub name: String,
    /// Item and score, in the order of the items; what is no number is NaN.
    pub values: Vec<(u32, f64)>,
}

/// The items of a report and how each system did on them.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// Their ids; empty where an item has none.
    pub ids: Texts,
    /// What each asks, as the first 128 bits of a digest; `None` where the report does not say.
    pub content: Vec<Option<u128>>,
    /// The scores.
    pub columns: Vec<Column>,
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Adds an item; its number.
    pub fn push(&mut self, id: &str, content: Option<u128>) -> u32 {
        self.ids.push(id);
        self.content.push(content);
        u32::try_from(self.ids.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a score of an item.
    pub fn score(&mut self, item: u32, system: usize, name: &str, value: f64) {
        let column = self
            .columns
            .iter_mut()
            .find(|column| column.system == system && column.name == name);
        match column {
            Some(column) => column.values.push((item, value)),
            None => self.columns.push(Column {
                system,
                name: name.to_owned(),
                values: vec![(item, value)],
            }),
        }
    }

    /// The column of a system and a metric.
    pub fn column(&self, system: usize, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.system == system && column.name == name)
    }
}

impl Column {
    /// Whether every number of it is 0 or 1.
    pub fn is_pass_or_fail(&self) -> bool {
        self.values
            .iter()
            .all(|(_, value)| !value.is_finite() || *value == 0.0 || is_pass(*value))
    }

    /// Their mean, and of how many; `None` without one.
    pub fn mean(&self) -> Option<(f64, usize)> {
        let numbers: Vec<f64> = self
            .values
            .iter()
            .map(|(_, value)| *value)
            .filter(|value| value.is_finite())
            .collect();
        (!numbers.is_empty()).then(|| (crate::stats::mean(&numbers), numbers.len()))
    }
}

/// Whether a score is the 1 of an item that passed.
pub fn is_pass(score: f64) -> bool {
    score.to_bits() == 1.0_f64.to_bits()
}
