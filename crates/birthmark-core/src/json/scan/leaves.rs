//! The values of a record that hold no others.

use super::{ScanError, Scanner, Span};

impl Scanner<'_> {
    /// As [`Scanner::value`], and tells where each string, number and name in it stands.
    pub(in crate::json) fn leaves(&mut self, mut each: impl FnMut(Span)) -> Result<(), ScanError> {
        let floor = self.depth;
        loop {
            let start = self.at;
            let is_leaf = !matches!(self.peek(), Some(b'{' | b'['));
            if self.begin()? {
                continue;
            }
            if is_leaf {
                let end = self.at;
                each(Span { start, end });
            }
            if self.leave(floor)? {
                return Ok(());
            }
        }
    }

    /// Goes behind the string, number or name that begins here; false at anything else.
    #[inline]
    pub(in crate::json) fn leaf(&mut self) -> bool {
        !matches!(self.peek(), Some(b'{' | b'[')) && self.begin().is_ok()
    }

    /// Goes behind these bytes; false where others stand here.
    #[inline]
    pub(in crate::json) fn skip(&mut self, bytes: &[u8]) -> bool {
        let end = self.at + bytes.len();
        let stands = self.bytes.get(self.at..end) == Some(bytes);
        self.at = end;
        stands
    }
}
